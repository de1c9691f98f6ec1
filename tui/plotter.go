package tui

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"dns-tui/config/configpb"
	"dns-tui/human"
)

// plotter draws plots.
type plotter struct {
	*env
	sel *selection
}

// area is the room of a plot, and how it is drawn.
type area struct {
	w, h   int
	log    bool
	whole  bool // of the whole run: spikes are left out
	cursor int  // iteration; -1 is none
}

// box draws a plot in a frame, of the whole run.
func (p plotter) box(k plotKind, w, h int, note string) []string {
	d := p.gather(k)
	title := titleOf(d.title, d.note, note, d.detail)
	from, to := p.extent()
	log := p.logScale && k == configpb.Preferences_LOSS
	return p.theme.box(title, p.draw(d, steady(from, to), area{w - 2, h - 2, log, true, -1}), w, h)
}

// titleOf is the parts of a title that say something.
func titleOf(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "  ")
}

// spikes is how many times the highest value of a curve's newer half a plot reaches: the first losses of a run would
// press all that follows to the floor.
const spikes = 3

// bounds is the range of values, above 0 in a logarithmic scale. A plot of the whole run leaves spikes out.
func bounds(rows [][]float64, log, whole bool) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	late := math.Inf(-1)
	for _, r := range rows {
		for i, v := range r {
			if math.IsNaN(v) || math.IsInf(v, 0) || log && v <= 0 {
				continue
			}
			lo, hi = min(lo, v), max(hi, v)
			if i >= len(r)/2 {
				late = max(late, v)
			}
		}
	}
	if whole && !log && late > 0 {
		hi = min(hi, spikes*late)
	}
	switch {
	case lo > hi, lo == 0 && hi == 0:
		return 0, 1
	case hi-lo < 1e-12*math.Abs(hi):
		pad := 0.05 * math.Abs(hi)
		return lo - pad, hi + pad
	}
	return lo, hi
}

// scaleOf is the scale of a plot, for values that were sampled.
func (d *plotted) scaleOf(values [][]float64, a area, rows int) scale {
	lo, hi := bounds(values, a.log, a.whole)
	if a.log {
		lo = min(lo, hi/math.Pow(10, d.span))
	} else {
		lo = min(lo, hi-d.span)
	}
	within := ends{math.Inf(-1), math.Inf(1)}
	if lo >= 0 {
		within.least = 0
	}
	if d.fraction {
		lo, within = max(lo, 0), ends{0, 1}
	}
	return newScale(lo, hi, within, a.log, d.unit, rows)
}

// axisRoom is the room for the labels of the values, and their axis.
const axisRoom = labelRoom + 2

// draw plots curves: values, and below them marks of changes and round iterations.
func (p plotter) draw(d plotted, win window, a area) []string {
	t := &p.theme
	win.cols, win.per = a.w-axisRoom, t.perCell()
	below := p.below(&d, win, a.h)
	rows := a.h - len(below)
	empty := true
	for _, c := range d.curves {
		empty = empty && len(c.series.Values) == 0
	}
	switch {
	case rows < 2 || win.cols < 4:
		return nil
	case empty:
		return []string{"", t.dim.Render(" " + d.nothing)}
	}
	values, known := make([][]float64, len(d.curves)), false
	for i := range d.curves {
		values[i] = win.sample(&d.curves[i])
		for _, v := range values[i] {
			known = known || !math.IsNaN(v) && !math.IsInf(v, 0) && (!a.log || v > 0)
		}
	}
	if !known {
		return []string{"", t.dim.Render(" no values here")}
	}
	s := d.scaleOf(values, a, rows)
	c := newCanvas(win.cols, rows)
	clipped := -1
	for _, v := range values {
		if at := s.heights(v); at >= 0 && (clipped < 0 || at < clipped) {
			clipped = at
		}
	}
	t.trace(&c, d.curves, values)
	p.dots(&c, d.curves, &s, win)
	p.names(&c, d.curves, values, win)
	if clipped >= 0 {
		t.sayClipped(&c, clipped/win.per, &d, win)
	}
	p.cursorLine(&c, win, a.cursor)
	return append(t.withAxis(&c, &s), below...)
}

// heights makes values heights from 0 to 1. What lies above is left out, but for its flanks; it returns where the first
// of it stands, -1 where nothing does.
func (s *scale) heights(values []float64) (clipped int) {
	clipped = -1
	before := math.NaN()
	for i, v := range values {
		now := s.place(v)
		next := math.NaN()
		if i+1 < len(values) {
			next = s.place(values[i+1])
		}
		switch {
		case now <= 1:
			values[i] = max(0, now)
		case math.IsNaN(now):
			values[i] = now
		default:
			if clipped < 0 {
				clipped = i
			}
			if values[i] = math.NaN(); before <= 1 || next <= 1 {
				values[i] = 1
			}
		}
		before = now
	}
	return clipped
}

// withAxis is the canvas with the axis of the values at its left.
func (t *theme) withAxis(c *canvas, s *scale) []string {
	labels := make([]string, c.rows)
	for _, k := range s.ticks {
		if row := t.rowOf(max(0, min(s.height(k), 1)), c.rows); labels[row] == "" {
			labels[row] = k.label
		}
	}
	lines := make([]string, c.rows)
	for i := range lines {
		glyph := t.glyph.v
		if labels[i] != "" {
			glyph = t.plain("┤")
		}
		lines[i] = t.dim.Render(t.fitRight(labels[i], labelRoom)+" "+glyph) + c.line(i)
	}
	return lines
}

// The heights from which a plot has a line for what ticks say, for marks of changes, for the ticks themselves.
const (
	labelsRoom = 4
	marksRoom  = 7
	rulerRoom  = 8
)

// below is the lines under a plot's curves, as far as its height has room: marks of changes, ticks, what these say.
func (p plotter) below(d *plotted, win window, h int) []string {
	t := &p.theme
	if h < labelsRoom || win.cols < 4 {
		return nil
	}
	rule := t.iterations
	if d.ruler != nil {
		rule = d.ruler
	}
	under := rule(win)
	lines := under.lines()
	blank := strings.Repeat(" ", axisRoom)
	lines[0] = blank[1:] + t.dim.Render(t.plain("└")) + lines[0]
	lines[1] = blank + lines[1]
	if h < rulerRoom {
		lines = lines[1:]
	}
	if marks, some := p.marks(win); some && !d.still && h >= marksRoom {
		lines = append([]string{blank + marks}, lines...)
	}
	return lines
}

// marks is the line that tells where something was changed, if anything was.
func (p plotter) marks(win window) (line string, some bool) {
	t := &p.theme
	c := newCanvas(win.cols, 1)
	mark := []rune(t.plain("▲"))[0]
	for i := range p.snap.Changes {
		if col := win.column(p.snap.Changes[i].Iter); col >= 0 {
			c.put(col, 0, mark, &t.warn)
			some = true
		}
	}
	return c.line(0), some
}

// dots marks points of curves.
func (p plotter) dots(c *canvas, curves []curve, s *scale, win window) {
	t := &p.theme
	dot := []rune(t.glyph.handle)[0]
	for i := range curves {
		of := &curves[i]
		for k, iter := range of.dots.Iters {
			h := s.place(of.dots.Values[k])
			if col := win.column(iter); col >= 0 && h >= 0 && h <= 1 {
				c.put(col, t.rowOf(h, c.rows), dot, &of.style)
			}
		}
	}
}

// names puts a letter at the end of the curves that have one, or, where there is no other difference, of all. A dot at
// that place stays.
func (p plotter) names(c *canvas, curves []curve, heights [][]float64, win window) {
	t := &p.theme
	taken, dot := map[[2]int]bool{}, []rune(t.glyph.handle)[0]
	for i := range curves {
		of := &curves[i]
		if t.ascii || !of.named && !(t.mono && len(curves) > 1) {
			continue
		}
		for k, h := range slices.Backward(heights[i]) {
			if math.IsNaN(h) {
				continue
			}
			at := [2]int{k / win.per, t.rowOf(h, c.rows)}
			if !taken[at] && c.at(at[0], at[1]) != dot {
				taken[at] = true
				c.put(at[0], at[1], []rune(of.char)[0], &of.style)
				break
			}
		}
	}
}

// cursorLine draws the cursor through the plot, behind the curves.
func (p plotter) cursorLine(c *canvas, win window, cursor int) {
	t := &p.theme
	if col := win.column(cursor); cursor >= 0 && col >= 0 {
		line := []rune(t.glyph.v)[0]
		for row := range c.rows {
			if c.blank(col, row, 1) {
				c.put(col, row, line, &t.marked)
			}
		}
	}
}

// sayClipped says at the top what the highest value is that the plot leaves out.
func (t *theme) sayClipped(c *canvas, col int, d *plotted, win window) {
	highest := math.Inf(-1)
	for i := range d.curves {
		s := &d.curves[i].series
		for k, iter := range s.Iters {
			if v := s.Values[k]; iter >= win.from && iter <= win.to && !math.IsInf(v, 0) {
				highest = max(highest, v)
			}
		}
	}
	text := t.plain(" ↑ clipped, max " + d.value(highest) + " ")
	n := len([]rune(text))
	for at := col; at+n <= c.cols; at++ {
		if c.blank(at, 0, n) {
			c.write(at, 0, text, &t.warn)
			return
		}
	}
	c.write(max(0, c.cols-n), 0, text, &t.warn)
}

// value is a value of the plot in words, of three digits.
func (d *plotted) value(v float64) string {
	switch a := math.Abs(v); {
	case d.unit == percentUnit:
		return percent(v)
	case d.unit == byteUnit:
		return human.ShortBytes(int64(v))
	case a >= 100 && a < 1e5:
		return fmt.Sprintf("%.0f", v)
	case a >= 10 && a < 1e5:
		return fmt.Sprintf("%.1f", v)
	case a >= 1 && a < 1e5:
		return fmt.Sprintf("%.2f", v)
	}
	return short(v)
}
