package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"dns-tui/escape"
	"dns-tui/human"
)

// bar shows how far work is that takes a while and prints nothing meanwhile: a line on standard error, where that is a
// terminal, which is gone when the work is done. Elsewhere, and as nil, it shows nothing.
type bar struct {
	w           io.Writer
	width       func() int // of the terminal
	now         func() time.Time
	full, empty string
	colour      lipgloss.Style

	what        string // is done: "images"
	done, total int
	began       time.Time
	drawn       time.Time
	shown       bool
}

// Work that is over before barDelay has no bar, and barEvery lies between two looks of one.
const (
	barDelay = 300 * time.Millisecond
	barEvery = 100 * time.Millisecond
	barWidth = 24
)

// newBar returns a bar for so many things that are done, what they are called being for people; nil where standard
// error is no terminal.
func newBar(e *env, what string, total int) *bar {
	f, ok := e.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	width := func() int {
		w, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0
		}
		return w
	}
	return makeBar(f, width, time.Now, utf8Locale(), os.Getenv("NO_COLOR") != "", what, total)
}

func makeBar(w io.Writer, width func() int, now func() time.Time, utf8, plain bool, what string, total int) *bar {
	b := &bar{w: w, width: width, now: now, full: "█", empty: "░", what: what, total: total, began: now()}
	if !utf8 {
		b.full, b.empty = "#", "."
	}
	if !plain {
		b.colour = lipgloss.NewStyle().Foreground(lipgloss.Blue)
	}
	return b
}

// step says that so many are done.
func (b *bar) step(done int) {
	if b == nil {
		return
	}
	b.done = done
	now := b.now()
	if now.Sub(b.began) < barDelay || now.Sub(b.drawn) < barEvery {
		return
	}
	b.drawn = now
	b.draw()
}

// of says that so many of so many are done, where the number comes with the work.
func (b *bar) of(done, total int) {
	if b != nil {
		b.total = total
		b.step(done)
	}
}

// draw draws the line over the one before; it may not be longer than the terminal is wide.
func (b *bar) draw() {
	line := b.line()
	if w := b.width(); w > 0 {
		line = ansi.Truncate(line, w-1, "")
	}
	_, _ = io.WriteString(b.w, "\r"+line+ansi.EraseLineRight)
	b.shown = true
}

func (b *bar) line() string {
	part := 0.0
	if b.total > 0 {
		part = min(1, float64(b.done)/float64(b.total))
	}
	n := int(part * barWidth)
	full, empty := b.colour.Render(strings.Repeat(b.full, n)), strings.Repeat(b.empty, barWidth-n)
	text := fmt.Sprintf("%s%s %3.0f %%  %s of %s %s", full, empty, 100*part, human.Count(b.done), human.Count(b.total),
		escape.Line(b.what))
	elapsed := b.now().Sub(b.began)
	if b.done == 0 || elapsed <= 0 {
		return text
	}
	rate := float64(b.done) / elapsed.Seconds()
	left := time.Duration(float64(b.total-b.done) / rate * float64(time.Second))
	return text + fmt.Sprintf("  %s/s  ETA %s", perSecond(rate), shortTime(left))
}

// end takes the line away. It may be called twice.
func (b *bar) end() {
	if b != nil && b.shown {
		b.shown = false
		_, _ = io.WriteString(b.w, "\r"+ansi.EraseLineRight)
	}
}

// over is a writer to the same terminal: what it gets stands above the bar.
func (b *bar) over(w io.Writer) io.Writer {
	if b == nil {
		return w
	}
	return barWriter{b, w}
}

type barWriter struct {
	bar *bar
	w   io.Writer
}

func (o barWriter) Write(p []byte) (int, error) {
	shown := o.bar.shown
	o.bar.end()
	n, err := o.w.Write(p)
	if shown {
		o.bar.draw()
	}
	return n, err
}
