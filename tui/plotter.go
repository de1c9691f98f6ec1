package tui

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/guptarohit/asciigraph"

	"dns-tui/config/configpb"
	"dns-tui/human"
	"dns-tui/model/session"
)

// plotKind is one of the plots; its number is that of the preferences.
type plotKind = configpb.Preferences_Plot

// plotKinds is the order in which the plot screen turns.
var plotKinds = []plotKind{
	configpb.Preferences_LOSS,
	configpb.Preferences_ACCURACY,
	configpb.Preferences_TEST_LOSS,
	configpb.Preferences_RATE,
	configpb.Preferences_SPARSITY,
	configpb.Preferences_SPEED,
}

// plotter draws plots.
type plotter struct{ *env }

// curve is one line of a plot.
type curve struct {
	name   string
	series session.Series
	style  lipgloss.Style
	ansi   asciigraph.AnsiColor
	char   string // in ASCII
}

// plotted is a plot's title, its curves, the last drawn on top, and what it says of now.
type plotted struct {
	title, note string
	curves      []curve
	fraction    bool // no axis beyond 0 and 1

	label func(value float64) string // of the values' axis; nil: their number
	span  float64                    // the axis has at least so much, by the logarithm
	axis  func(window) []string      // the lines under the curves; nil: one, with the ends and the changes
}

// plotDef is what a kind of plot shows: a curve of this run, the same of another run's journal, how its last value
// reads, and whether values go from 0 to 1.
type plotDef struct {
	title, curve string
	of           func(*session.Snapshot) *session.Series
	ofOther      func(*session.History) *session.Series
	format       func(float64) string
	fraction     bool
}

var plotDefs = map[plotKind]plotDef{
	configpb.Preferences_LOSS: {
		"Loss",
		"smoothed",
		func(s *session.Snapshot) *session.Series { return &s.Smooth },
		func(h *session.History) *session.Series { return &h.Loss },
		number,
		false,
	},
	configpb.Preferences_ACCURACY: {
		"Accuracy",
		"accuracy",
		func(s *session.Snapshot) *session.Series { return &s.Accuracy },
		func(h *session.History) *session.Series { return &h.Accuracy },
		func(x float64) string { return fmt.Sprintf("%.2f %%", 100*x) },
		true,
	},
	configpb.Preferences_TEST_LOSS: {
		"Test loss",
		"test loss",
		func(s *session.Snapshot) *session.Series { return &s.TestLoss },
		func(h *session.History) *session.Series { return &h.TestLoss },
		number,
		false,
	},
	configpb.Preferences_RATE: {
		"Learning rate",
		"rate",
		func(s *session.Snapshot) *session.Series { return &s.Rates },
		func(h *session.History) *session.Series { return &h.Rate },
		number,
		false,
	},
	configpb.Preferences_SPARSITY: {
		"Kept",
		"kept",
		func(s *session.Snapshot) *session.Series { return &s.KeptFraction },
		func(h *session.History) *session.Series { return &h.Kept },
		percent,
		true,
	},
	configpb.Preferences_SPEED: {
		"Speed",
		"it/s",
		func(s *session.Snapshot) *session.Series { return &s.Speed },
		func(h *session.History) *session.Series { return &h.Speed },
		rate,
		false,
	},
}

// gather collects the curves of a plot.
func (p plotter) gather(k plotKind) plotted {
	t, d := &p.theme, plotDefs[k]
	out := plotted{title: d.title, fraction: d.fraction}
	for i, o := range p.compare {
		style, ansi := t.good, asciigraph.AnsiColor(36)
		if i%2 == 1 {
			style, ansi = t.warn, 214
		}
		char := string(rune('a' + i%26))
		out.curves = append(out.curves, curve{t.text(o.Name), *d.ofOther(o.History), style, ansi, char})
	}
	if k == configpb.Preferences_LOSS {
		out.curves = append(out.curves, curve{"raw", p.snap.Losses, t.dim, 244, "."})
	}
	own := d.of(p.snap)
	out.curves = append(out.curves, curve{d.curve, *own, t.accent, 75, "*"})
	if _, x, ok := own.Last(); ok {
		out.note = d.format(x)
	}
	// the curve's last point may be older
	if k == configpb.Preferences_LOSS && (p.snap.Iter > 0 || p.snap.Smoothed != 0) {
		out.note = number(p.snap.Smoothed)
	}
	return out
}

// window is the part of the run that a plot shows, in as many columns.
type window struct {
	from, to, cols int
}

// column is where an iteration stands, or -1.
func (w window) column(iter int) int {
	if iter < w.from || iter > w.to || w.cols < 1 {
		return -1
	}
	return min(w.cols-1, int(float64(iter-w.from)/float64(max(1, w.to-w.from))*float64(w.cols-1)+0.5))
}

// iter is the iteration of a column.
func (w window) iter(col int) int {
	return w.from + int(float64(col)/float64(max(1, w.cols-1))*float64(w.to-w.from)+0.5)
}

// sample reads a curve at each of n places between the window's ends: the mean of the points nearest to a place, a
// line between points, NaN outside the curve.
func (w window) sample(s *session.Series, n int) []float64 {
	out := make([]float64, n)
	step := float64(w.to-w.from) / float64(max(1, n-1))
	for i := range out {
		out[i] = math.NaN()
		at := float64(w.from) + step*float64(i)
		lo := sort.Search(len(s.Iters), func(k int) bool { return float64(s.Iters[k]) >= at-step/2 })
		hi := sort.Search(len(s.Iters), func(k int) bool { return float64(s.Iters[k]) >= at+step/2 })
		switch {
		case hi > lo:
			sum := 0.0
			for _, v := range s.Values[lo:hi] {
				sum += v
			}
			out[i] = sum / float64(hi-lo)
		case lo > 0 && lo < len(s.Iters):
			x0, x1 := float64(s.Iters[lo-1]), float64(s.Iters[lo])
			out[i] = s.Values[lo-1] + (s.Values[lo]-s.Values[lo-1])*(at-x0)/(x1-x0)
		}
	}
	return out
}

// extent is the range of iterations of some curves.
func extent(curves []curve) (from, to int) {
	from = math.MaxInt
	for _, c := range curves {
		if n := len(c.series.Iters); n > 0 {
			from, to = min(from, c.series.Iters[0]), max(to, c.series.Iters[n-1])
		}
	}
	if from > to {
		return 0, 0
	}
	return from, to
}

// spikes is how many times the highest value of a curve's newer half a plot reaches: the first losses of a run would
// press all that follows to the floor.
const spikes = 3

// bounds is the range of values. A plot of the whole run leaves spikes out.
func bounds(rows [][]float64, whole bool) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	late := math.Inf(-1)
	for _, r := range rows {
		for i, v := range r {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			lo, hi = min(lo, v), max(hi, v)
			if i >= len(r)/2 {
				late = max(late, v)
			}
		}
	}
	if whole && late > 0 {
		hi = min(hi, spikes*late)
	}
	if lo > hi {
		return 0, 1
	}
	if hi-lo < 1e-12*max(1, math.Abs(hi)) {
		pad := max(1e-6, 0.05*math.Abs(hi))
		lo, hi = lo-pad, hi+pad
	}
	return lo, hi
}

// box draws a plot in a frame, of the whole run.
func (p plotter) box(k plotKind, w, h int, note string) []string {
	d := p.gather(k)
	if d.note+note != "" {
		d.title += "  " + d.note + note
	}
	from, to := extent(d.curves)
	log := p.logScale && k == configpb.Preferences_LOSS
	return p.theme.box(d.title, p.draw(d, steady(from, to), w-2, h-2, log, true, -1), w, h)
}

// steady is a window that holds a growing run and seldom changes: its end moves in steps of a fifth, so that from one
// frame to the next all columns but the newest stay as they are, and little is sent.
func steady(from, to int) window {
	span := 10.0
	for span < float64(to-from) {
		span *= 1.2
	}
	return window{from: from, to: from + int(span)}
}

// round moves bounds outwards to multiples of a round number, so that they stay while values move a little.
func round(lo, hi float64) (float64, float64) {
	step := math.Pow(10, math.Floor(math.Log10(hi-lo))) / 5
	return math.Floor(lo/step) * step, math.Ceil(hi/step) * step
}

// axisRoom is the room for the labels of the values.
const axisRoom = 9

// draw plots curves in w by h cells: values, and below them a line with the iterations and the marks of changes.
func (p plotter) draw(d plotted, win window, w, h int, log, whole bool, cursor int) []string {
	t := &p.theme
	win.cols = w - axisRoom
	var axis []string
	switch {
	case h < 4 || win.cols < 4:
	case d.axis != nil:
		axis = d.axis(win)
	default:
		axis = []string{p.axis(win, cursor)}
	}
	rows := h - len(axis)
	empty := true
	for _, c := range d.curves {
		empty = empty && len(c.series.Values) == 0
	}
	switch {
	case rows < 1 || win.cols < 4:
		return nil
	case empty:
		return []string{"", t.dim.Render(" no values yet")}
	}
	per := 1
	if t.tier == brailleTier {
		per = 2
	}
	values := make([][]float64, len(d.curves))
	for i := range d.curves {
		values[i] = win.sample(&d.curves[i].series, win.cols*per)
		if log {
			for k, v := range values[i] {
				values[i][k] = math.Log10(max(v, 1e-12))
			}
		}
	}
	lo, hi := bounds(values, whole && !log)
	lo, hi = round(min(lo, hi-d.span), hi)
	switch {
	case d.fraction && log:
		hi = min(hi, 0)
	case d.fraction:
		lo, hi = max(lo, 0), min(hi, 1)
	}
	for i := range values {
		for k, v := range values[i] {
			values[i][k] = max(lo, min(v, hi)) // NaN stays
		}
	}
	label := func(v float64) string {
		if log {
			v = math.Pow(10, v)
		}
		if d.label != nil {
			return t.fitRight(d.label(v), axisRoom-2)
		}
		return t.fitRight(axisLabel(v, (hi-lo)/float64(max(1, rows-1)), log), axisRoom-2)
	}
	var lines []string
	if t.tier == brailleTier {
		lines = t.braille(d.curves, values, lo, hi, win.cols, rows, label)
	} else {
		lines = p.graph(d.curves, values, lo, hi, rows, label)
	}
	if axis == nil {
		return lines
	}
	lines = firstLines(lines, rows)
	for _, l := range axis {
		lines = append(lines, strings.Repeat(" ", axisRoom)+l)
	}
	return lines
}

func firstLines(lines []string, n int) []string { return lines[:max(0, min(n, len(lines)))] }

// axisLabel writes a value in seven cells, with decimals that tell it from the label a step above.
func axisLabel(v, step float64, log bool) string {
	a := math.Abs(v)
	if log && a >= 1e-3 && a < 1e5 && math.Pow(10, step) < 1.1 { // two digits would tell none from the next
		step = a * (math.Pow(10, step) - 1)
	} else if log || a >= 1e5 || a != 0 && a < 1e-3 {
		if v < 0 { // the sign takes a cell
			return fmt.Sprintf("%.0e", v)
		}
		return fmt.Sprintf("%.1e", v)
	}
	decimals := 0
	if step < 1 {
		decimals = max(2, min(5, int(math.Ceil(-math.Log10(step)-1e-9))))
	}
	for {
		if s := fmt.Sprintf("%.*f", decimals, v); decimals == 0 || len(s) <= 7 {
			return s
		}
		decimals--
	}
}

// graph draws with asciigraph, a column a value.
func (p plotter) graph(
	curves []curve,
	values [][]float64,
	lo, hi float64,
	rows int,
	label func(float64) string,
) []string {
	t := &p.theme
	var shown [][]float64
	var colours []asciigraph.AnsiColor
	var chars []asciigraph.CharSet
	for i, v := range values {
		known := false
		for _, x := range v {
			known = known || !math.IsNaN(x)
		}
		if !known {
			continue // asciigraph wants a number in each
		}
		shown, colours = append(shown, v), append(colours, curves[i].ansi)
		set := asciigraph.DefaultCharSet
		if t.ascii || t.mono && i < len(values)-1 { // without colours form tells them apart
			set = asciigraph.CreateCharSet(curves[i].char)
		}
		chars = append(chars, set)
	}
	if len(shown) == 0 {
		return []string{"", t.dim.Render(" no values here")}
	}
	opts := []asciigraph.Option{
		asciigraph.Height(max(1, rows-1)),
		asciigraph.LowerBound(lo),
		asciigraph.UpperBound(hi),
		asciigraph.SeriesChars(chars...),
	}
	if !t.mono {
		opts = append(opts, asciigraph.SeriesColors(colours...))
	}
	lines := strings.Split(t.plain(asciigraph.PlotMany(shown, opts...)), "\n")
	for i, l := range lines {
		v := hi - (hi-lo)*float64(i)/float64(max(1, len(lines)-1))
		lines[i] = t.dim.Render(label(v)+" ") + fromAxis(l)
	}
	return lines
}

// fromAxis is a line of asciigraph without its label: ours are of one width, whatever the values.
func fromAxis(line string) string {
	for i, r := range []rune(ansi.Strip(line)) {
		if strings.ContainsRune("┤┼|+", r) {
			return ansi.TruncateLeft(line, i, "")
		}
	}
	return line
}

// axis is the line of iterations: the ends, marks where something was changed, the cursor.
func (p plotter) axis(win window, cursor int) string {
	t := &p.theme
	cells := make([]string, win.cols)
	for i := range cells {
		cells[i] = " "
	}
	put := func(at int, text string) {
		for i, r := range text {
			if at+i >= 0 && at+i < len(cells) {
				cells[at+i] = t.dim.Render(string(r))
			}
		}
	}
	left, right := human.Count(win.from), human.Count(win.to)
	put(0, left)
	if len(left)+len(right)+2 <= win.cols {
		put(win.cols-len(right), right)
	}
	for _, c := range p.snap.Changes {
		if col := win.column(c.Iter); col >= 0 {
			cells[col] = t.warn.Render(t.plain("▲"))
		}
	}
	if col := win.column(cursor); cursor >= 0 && col >= 0 {
		cells[col] = t.marked.Render(t.glyph.v)
	}
	return strings.Join(cells, "")
}

// brailleDots are the bits of a braille cell, by row and column.
var brailleDots = [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// braille draws with two by four dots a cell; values has two a column.
func (t *theme) braille(
	curves []curve,
	values [][]float64,
	lo, hi float64,
	cols, rows int,
	label func(float64) string,
) []string {
	dots, owner := make([]rune, rows*cols), make([]int, rows*cols)
	tall := rows*4 - 1
	level := func(v float64) int {
		return max(0, min(tall, int((v-lo)/(hi-lo)*float64(tall)+0.5)))
	}
	for c, row := range values {
		before := -1
		for x, v := range row {
			if math.IsNaN(v) {
				before = -1
				continue
			}
			y := level(v)
			from, to := y, y
			if before >= 0 { // the line to the value before
				from, to = min(y, before), max(y, before)
				if from < to && before < y {
					from++
				} else if from < to {
					to--
				}
			}
			before = y
			for k := from; k <= to; k++ {
				up := tall - k
				cell := up/4*cols + x/2
				dots[cell] |= brailleDots[up%4][x%2]
				owner[cell] = c
			}
		}
	}
	lines := make([]string, rows)
	for r := range rows {
		v := hi - (hi-lo)*float64(r)/float64(max(1, rows-1))
		var b strings.Builder
		b.WriteString(t.dim.Render(label(v) + " ┤"))
		for c := 0; c < cols; {
			end := c
			for end < cols && owner[r*cols+end] == owner[r*cols+c] && (dots[r*cols+end] == 0) == (dots[r*cols+c] == 0) {
				end++
			}
			if dots[r*cols+c] == 0 {
				b.WriteString(strings.Repeat(" ", end-c))
			} else {
				text := make([]rune, 0, end-c)
				for _, d := range dots[r*cols+c : r*cols+end] {
					text = append(text, 0x2800+d)
				}
				b.WriteString(curves[owner[r*cols+c]].style.Render(string(text)))
			}
			c = end
		}
		lines[r] = b.String()
	}
	return lines
}
