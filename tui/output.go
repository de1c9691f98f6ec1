package tui

import (
	"os"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// framesPerSecond bounds how soon a key's effect is drawn. How often the screen changes by itself is the refresh's,
// at most ten times a second.
const framesPerSecond = 60

// output is the terminal, and notices when it lags.
type output struct {
	*os.File
	began atomic.Int64 // of the write in hand, as nanoseconds since 1970; 0 while there is none
	cost  atomic.Int64 // of the last write, in nanoseconds
}

// lag is how long a terminal may take for a frame before fewer are sent.
const lag = 50 * time.Millisecond

func (o *output) Write(b []byte) (int, error) {
	begin := time.Now()
	o.began.Store(begin.UnixNano())
	n, err := o.File.Write(b)
	o.began.Store(0)
	o.cost.Store(int64(time.Since(begin)))
	return n, err
}

// slow reports whether the terminal lags.
func (o *output) slow() bool {
	if b := o.began.Load(); b != 0 && time.Since(time.Unix(0, b)) > lag {
		return true
	}
	return time.Duration(o.cost.Load()) > lag
}

// ProgramOptions are how Bubble Tea should run the UI on a terminal.
func (a *App) ProgramOptions(terminal *os.File) []tea.ProgramOption {
	o := &output{File: terminal}
	a.slow, a.frames.every = o.slow, time.Second/framesPerSecond
	opts := []tea.ProgramOption{tea.WithOutput(o), tea.WithFPS(framesPerSecond)}
	if a.opts.NoColor {
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	return opts
}
