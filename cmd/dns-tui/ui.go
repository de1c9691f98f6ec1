package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/model"
	"dns-tui/model/remote"
	"dns-tui/tui"
)

// uiFlags are the flags of ui alone.
type uiFlags struct {
	ascii, paused bool
	compare       string
}

func (u *uiFlags) add(fs *flag.FlagSet) {
	fs.BoolVar(&u.ascii, "ascii", false, "draw with ASCII characters only (default: where the locale is not UTF-8)")
	fs.StringVar(&u.compare, "compare", "", "journals of other runs, separated by commas: their curves are drawn beside this one's")
	fs.BoolVar(&u.paused, "paused", false, "wait for a key before the first iteration")
}

// parseUI reads the arguments of ui, for the UI and for the process of its run.
func parseUI(e *env, args []string) (f runFlags, u uiFlags, run *config.Run, err error) {
	fs := newFlags(e, "ui")
	f.add(fs)
	u.add(fs)
	rest, err := parse(fs, args)
	if err == nil {
		run, err = f.load("ui", rest)
	}
	return f, u, run, err
}

func runUI(ctx context.Context, e *env, args []string) error {
	f, u, run, err := parseUI(e, args)
	if err != nil {
		return err
	}
	if !onTerminal(e) {
		d, err := f.device.open(e)
		if err != nil {
			return err
		}
		defer d.Close()
		return trainLines(ctx, e, run, d, linesOptions{effects: effects{"stop", "snapshot"}})
	}
	if err := f.device.check(); err != nil {
		return err
	}
	v := &viewer{starts: true}
	opts, err := uiOptions(u.ascii, u.compare)
	if err != nil {
		return err
	}
	opts.Name = filepath.Base(run.SolverPath)
	opts.Open = func() (model.Session, error) {
		// In the background: the first frame waits for none of it.
		c, process, err := startHost(ctx, args, hostLog(run), opts.Preferences.RefreshTime())
		if err != nil {
			return nil, err
		}
		v.set(c, process)
		return c, nil
	}
	app, err := tui.New(opts)
	if err != nil {
		return err
	}
	return v.drive(ctx, e, app)
}

// onTerminal reports whether a UI can be drawn.
func onTerminal(e *env) bool {
	out, ok := e.stdout.(*os.File)
	return ok && term.IsTerminal(int(out.Fd())) && term.IsTerminal(int(e.stdin.Fd()))
}

// viewer is a terminal that watches a run.
type viewer struct {
	starts bool // it started the run

	mu      sync.Mutex
	client  *remote.Client
	process *exec.Cmd // of the run; nil where another started it

	saving  sync.Mutex // held while a signal's snapshot is written: the end waits for it
	stopErr error      // of that snapshot
}

func (v *viewer) set(c *remote.Client, process *exec.Cmd) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.client, v.process = c, process
}

func (v *viewer) get() *remote.Client {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.client
}

// patience is how long the UI may take to leave the terminal before it is made to.
const patience = 2 * time.Second

// drive runs the UI until it quits. At the terminal that started the run a signal stops it with a snapshot; a hangup, or a
// terminal that is gone, leaves it to go on alone, as a signal does at a terminal that attached.
func (v *viewer) drive(ctx context.Context, e *env, app *tui.App) error {
	// A viewer is small, and shares its machine with the training: it collects less often than Go would.
	debug.SetGCPercent(400)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := tea.NewProgram(app, append(app.ProgramOptions(os.Stdout), tea.WithoutSignalHandler())...)
	leave := func() {
		// Quit waits for the program's loop, which a stalled terminal can hold up.
		time.AfterFunc(patience, p.Kill)
		p.Quit()
	}
	signals(ctx, func(os.Signal) {
		go func() {
			if c := v.get(); c != nil && v.starts {
				v.saving.Lock()
				v.stopErr = stopSaved(ctx, c)
				v.saving.Unlock()
				<-c.Gone()
			}
			leave()
		}()
	}, func() { go v.hangUp(ctx, p) })
	_, err := p.Run()
	// Where there is no alternate screen (GNU screen, by default), what follows would be written over the last line.
	io.WriteString(os.Stdout, ansi.EraseLineRight)
	c := v.get()
	if c == nil {
		if app.Err() != nil {
			return app.Err()
		}
		return err
	}
	return v.end(e, c, app)
}

// hangUp leaves a terminal that is gone. The run goes on, after a snapshot.
func (v *viewer) hangUp(ctx context.Context, p *tea.Program) {
	if c := v.get(); c != nil {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		c.Do(ctx, model.Command{Kind: model.SnapshotNow})
	}
	p.Kill()
}

// end says what became of the run after the UI.
func (v *viewer) end(e *env, c *remote.Client, app *tui.App) error {
	v.saving.Lock()
	stopErr := v.stopErr
	v.saving.Unlock()
	if app.Stopped() || stopErr != nil {
		<-c.Gone()
	}
	s := c.Snapshot()
	select {
	case <-c.Gone():
	default:
		c.Close()
		escape.Fprintf(e.stdout, "%s goes on without this terminal, at iteration %d of %d", s.Net, s.Iter, s.MaxIter)
		if s.State == model.Paused {
			escape.Fprintf(e.stdout, ": it is paused")
		}
		escape.Fprintf(e.stdout, "\ncome back with: dns-tui attach %s\n", c.Run())
		return nil
	}
	var status error
	if v.process != nil {
		status = v.process.Wait()
	}
	switch {
	case s.State == model.Failed:
		return problem(s.Problem)
	case s.State == model.Stopped:
		printSummary(e, s)
		return stopErr
	case status != nil:
		return fmt.Errorf("the run's process ended at iteration %d (%v)%s", s.Iter, status, lastWords(s.Prefix+".log"))
	}
	return fmt.Errorf("the connection to the run is lost at iteration %d: %v", s.Iter, c.Err())
}

// problem is why a run ended, in its own words.
type problem string

func (p problem) Error() string { return string(p) }

// MultiLine says that the line ends in it are the run's: see escape.Error.
func (problem) MultiLine() {}

// utf8Locale reports whether the terminal's locale is UTF-8, by the order in which the C library looks.
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
