package tui

import (
	"fmt"
	"math"
	"sort"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/session"
)

// plots is one plot, large, with a cursor that reads values.
type plots struct {
	*env
	keys     *plotsKeys
	plotter  plotter
	index    int // of plotKinds; after them comes the page of systemKinds
	from, to int // iterations; to of 0 is the whole run, as it grows
	cursor   int // iteration; -1 is none
	w, h     int
}

// plotsKeys are the keys of the plots.
type plotsKeys struct {
	Next, Before, CursorLeft, CursorRight, PanLeft, PanRight, ZoomIn, ZoomOut, Whole, Log, Smooth,
	Compare binding
}

func defaultPlotsKeys() plotsKeys {
	return plotsKeys{
		Next:        act("plot-next", "the next plot", "tab", "down", "j").footer("next"),
		Before:      act("plot-before", "the plot before", "shift+tab", "up", "k"),
		CursorLeft:  act("cursor-left", "the cursor left", "left", "h"),
		CursorRight: act("cursor-right", "the cursor right", "right", "l"),
		PanLeft:     act("pan-left", "earlier", "shift+left", "H"),
		PanRight:    act("pan-right", "later", "shift+right", "L"),
		ZoomIn:      act("zoom-in", "closer, around the cursor", "+", "="),
		ZoomOut:     act("zoom-out", "farther", "-"),
		Whole:       act("whole", "the whole run", "0").footer("whole"),
		Log:         act("log", "a logarithmic scale, or a plain one", "O").footer("log"),
		Smooth:      act("smooth", "smooth the loss: more, as Caffe's average_loss, less", "e").footer("smooth"),
		Compare:     act("compare", "curves of other runs, from the journals beside this one", "c").footer("compare"),
	}
}

// Update implements screen.
func (p *plots) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		p.cursor = -1
	case action:
		return p.act(msg.binding)
	}
	return nil
}

func (p *plots) act(b *binding) intent {
	k := p.keys
	switch b {
	case &k.Next:
		p.turn(1)
	case &k.Before:
		p.turn(-1)
	case &k.CursorLeft:
		p.moveCursor(-1)
	case &k.CursorRight:
		p.moveCursor(1)
	case &k.PanLeft:
		p.pan(-1)
	case &k.PanRight:
		p.pan(1)
	case &k.ZoomIn:
		p.zoom(1)
	case &k.ZoomOut:
		p.zoom(-1)
	case &k.Whole:
		p.from, p.to = 0, 0
	case &k.Log:
		return toggleLog{}
	case &k.Smooth:
		return smoothMore{}
	case &k.Compare:
		return askCompare(p.env)
	}
	return nil
}

// Arrange implements screen.
func (p *plots) Arrange(w, h int) { p.w, p.h = w, h }

// kinds are the plots that are shown.
func (p *plots) kinds() []plotKind {
	if p.index < len(plotKinds) {
		return plotKinds[p.index : p.index+1]
	}
	return systemKinds
}

// kind is the plot that is shown, or the first of several.
func (p *plots) kind() plotKind { return p.kinds()[0] }

// View implements screen.
func (p *plots) View() []string {
	if len(p.kinds()) > 1 {
		return p.page()
	}
	d := p.plotter.gather(p.kind())
	win := p.window()
	scale, part := "", ""
	if p.logScale {
		scale = "log"
	}
	if p.to == 0 {
		part = "whole run"
	}
	title := titleOf(d.title, d.note, d.detail, scale, part)
	info := 2
	if p.h < 9 {
		info = 0
	}
	rows := p.h - 2 - info
	lines := padded(p.plotter.draw(d, win, area{p.w - 2, rows, p.logScale, p.to == 0, p.cursor}), rows)
	if info > 0 {
		lines = append(lines, p.reading(d, win)...)
	}
	return p.theme.box(title, lines, p.w, p.h)
}

// window is what is shown of the run.
func (p *plots) window() window {
	from, to := p.plotter.extent()
	win := steady(from, to)
	if p.to > 0 {
		win = window{from: p.from, to: p.to}
	}
	win.cols = max(4, p.width-2-axisRoom)
	return win
}

// reading says the values at the cursor and the change nearest to it; without a cursor, which line is which.
func (p *plots) reading(d plotted, win window) []string {
	t := &p.theme
	if p.cursor < 0 {
		return []string{
			" " + p.legend(&d, p.w-4),
			t.dim.Render(p.naming(" %s%s reads values;", &p.keys.CursorLeft, &p.keys.CursorRight) +
				t.plain(" ▲ marks changes; ") + t.glyph.handle + " was measured"),
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, " at %s:", human.Count(p.cursor))
	step := max(1, (win.to-win.from)/max(1, win.cols))
	for _, c := range d.curves {
		text.WriteString(c.reading(p.cursor, step, d.reads()))
	}
	return []string{t.marked.Render(text.String()), t.text(p.nearestChange())}
}

// reading is the value of a curve at an iteration, where columns are so many iterations apart.
func (c *curve) reading(iter, step int, reads func(float64) string) string {
	iters := c.series.Iters
	apart := step
	if len(c.dots.Iters) > 0 { // the line between two tests was not measured
		apart = 0
	}
	if i := nearest(iters, iter); i >= 0 && (iter-iters[i] > apart || iters[i]-iter > apart) {
		return fmt.Sprintf("  %s %s at %s", c.name, reads(c.series.Values[i]), human.Count(iters[i]))
	}
	v := window{from: iter - step, to: iter + step, cols: 3}.sample(c)[1]
	if math.IsNaN(v) {
		return ""
	}
	return "  " + c.name + " " + reads(v)
}

// reads is how a value of the plot reads, whole.
func (d *plotted) reads() func(float64) string {
	switch d.unit {
	case percentUnit:
		return func(v float64) string { return fmt.Sprintf("%.2f %%", 100*v) }
	case byteUnit:
		return d.value
	}
	return number
}

// legend names the curves in so many cells, as many as have room.
func (p *plots) legend(d *plotted, w int) string {
	t := &p.theme
	text, left := "", d.left
	own := len(d.curves) - 1
	for i := range d.curves {
		c := &d.curves[i]
		if own >= 0 && !d.curves[own].named { // this run's, which is drawn last, is named first
			c = &d.curves[own-i]
		}
		if len(c.series.Values) == 0 {
			continue
		}
		name := c.name
		if t.ascii || t.mono || c.named {
			name = c.char + " " + name
		}
		if ansi.StringWidth(text)+3+ansi.StringWidth(name) > w-moreRoom {
			left++
			continue
		}
		if text != "" {
			text += "   "
		}
		text += c.style.Render(name)
	}
	if left > 0 {
		text += fmt.Sprintf("   and %d more", left)
	}
	return text
}

// moreRoom is the room of a legend for how many curves it leaves out.
const moreRoom = len("   and 99 more")

// nearestChange is the change nearest to the cursor.
func (p *plots) nearestChange() string {
	var near *session.Change
	distance := func(c *session.Change) int { return max(c.Iter-p.cursor, p.cursor-c.Iter) }
	for i := range p.snap.Changes {
		if c := &p.snap.Changes[i]; near == nil || distance(c) <= distance(near) {
			near = c
		}
	}
	if near == nil {
		return " no change so far"
	}
	return fmt.Sprintf(" nearest change, at %s: %s", human.Count(near.Iter), near)
}

// nearest is the index of the iteration nearest to one; -1 of none.
func nearest(iters []int, at int) int {
	i := sort.SearchInts(iters, at)
	if i == len(iters) || i > 0 && at-iters[i-1] <= iters[i]-at {
		i--
	}
	return i
}

func (p *plots) turn(by int) {
	n := len(plotKinds) + 1
	p.index = (p.index + by + n) % n
}

// moveCursor moves the reading by a column.
func (p *plots) moveCursor(by int) {
	w := p.window()
	if p.cursor < 0 {
		_, last := p.plotter.extent()
		p.cursor = min(w.to, last)
		return
	}
	p.cursor = w.iter(clamp(max(0, w.column(p.cursor))+by, w.cols-1))
}

// pan shows what is earlier, or later, by a quarter.
func (p *plots) pan(by int) {
	w := p.window()
	from, to := p.plotter.extent()
	d := by * max(1, (w.to-w.from)/4)
	d = max(from-w.from, min(d, to-w.to))
	p.from, p.to = w.from+d, w.to+d
}

// zoom halves what is shown, or doubles it; what is under the cursor stays where it is.
func (p *plots) zoom(by int) {
	w := p.window()
	from, to := p.plotter.extent()
	mid := (w.from + w.to) / 2
	if p.cursor >= w.from && p.cursor <= w.to {
		mid = p.cursor
	}
	span := max(4, (w.to-w.from)/2)
	if by < 0 {
		span = 2 * (w.to - w.from)
	}
	if span >= to-from {
		p.from, p.to = 0, 0
		return
	}
	first := mid - int(float64(mid-w.from)/float64(max(1, w.to-w.from))*float64(span))
	first = max(from, min(first, to-span))
	p.from, p.to = first, first+span
}
