package tui

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/session"
)

// sensitivity shows accuracy against sparsity: a small plot for each layer, a large one of all, and the selected layer
// in numbers.
type sensitivity struct {
	*env
	keys    *sensitivityKeys
	sel     *selection
	plotter plotter
	list    list // of the layers
	point   int  // of the curves
	rows    int  // of the layers that have room
	plot    int  // lines of the plot; 0: it has no room
	w, h    int
}

// sensitivityKeys are the keys of the sensitivity.
type sensitivityKeys struct {
	Up, Down, Left, Right, Choose, Measure, Off binding
}

func defaultSensitivityKeys() sensitivityKeys {
	return sensitivityKeys{
		Up:      act("sens-up", "the layer above", "up", "k"),
		Down:    act("sens-down", "the layer below", "down", "j"),
		Left:    act("sens-left", "less sparse", "left", "h"),
		Right:   act("sens-right", "sparser", "right", "l"),
		Choose:  act("sens-choose", "choose the point's threshold for the layer", "enter").footer("choose").steer(),
		Measure: act("measure", "measure, beside the training", "r").footer("measure").steer(),
		Off:     act("measure-off", "stop measuring", "R").steer(),
	}
}

// Update implements screen.
func (s *sensitivity) Update(msg tea.Msg) intent {
	if to, ok := msg.(travel); ok {
		s.sel.move(to.by(s.rows))
	}
	a, ok := msg.(action)
	if !ok {
		return nil
	}
	switch a.binding {
	case &s.keys.Up:
		s.sel.move(-1)
	case &s.keys.Down:
		s.sel.move(1)
	case &s.keys.Left:
		s.movePoint(-1)
	case &s.keys.Right:
		s.movePoint(1)
	case &s.keys.Choose:
		return s.choosePoint()
	case &s.keys.Measure:
		return send{session.Command{Kind: session.Probe}}
	case &s.keys.Off:
		return send{session.Command{Kind: session.Probe, Off: true}}
	}
	return nil
}

// Arrange implements screen.
func (s *sensitivity) Arrange(w, h int) {
	s.w, s.h, s.list = w, h, s.sel.list
	layers := len(s.sel.visible)
	room := h - 2 - 1 - 5 // the frame, the net as it is, the selected layer in numbers
	s.rows, s.plot = max(1, min(room, layers)), room-layers
	if s.plot < leastPlot && room >= 2*leastPlot { // of many layers as many as have room above a plot
		s.plot = max(leastPlot, room/2)
		s.rows = room - s.plot
	}
	if s.plot < leastPlot || s.snap.Sensitivity == nil {
		s.rows, s.plot = max(1, room), 0
	}
	s.list.fit(layers, s.rows)
}

// leastPlot is how many lines the plot has at least.
const leastPlot = 8

// holds is how much accuracy a layer may lose and still be said to hold.
const holds = 0.005

// curveOf is the measured curve of the selected layer, or nil.
func (s *sensitivity) curveOf() *session.LayerSensitivity {
	m, l := s.snap.Sensitivity, s.sel.layer()
	if m == nil || l == nil {
		return nil
	}
	return m.Layer(l.Name)
}

func (s *sensitivity) movePoint(by int) {
	if c := s.curveOf(); c != nil {
		s.point = clamp(s.point+by, len(c.Points)-1)
	}
}

// choosePoint makes the threshold of the point the layer's choice.
func (s *sensitivity) choosePoint() intent {
	c := s.curveOf()
	if c == nil || len(c.Points) == 0 {
		return refuse("this layer has not been measured" + s.naming(": %s measures", &s.keys.Measure))
	}
	p := c.Points[clamp(s.point, len(c.Points)-1)] // the one that is marked
	return intents{choose{c.Name, p.Threshold}, show{mainID}}
}

// score is what a point of the curve is drawn by: the accuracy, or, in a net without one, the loss.
func score(base, p session.SensitivityPoint) float64 {
	if base.Accuracy >= 0 {
		return p.Accuracy
	}
	return p.Loss
}

// holdsTo is the highest sparsity of a curve at which accuracy still holds.
func holdsTo(base session.SensitivityPoint, points []session.SensitivityPoint) (float64, bool) {
	best, ok := 0.0, false
	for _, p := range points { // one that is less sparse than the layer is may do worse: its weights have lain idle
		if base.Accuracy >= 0 && p.Accuracy >= base.Accuracy-holds {
			best, ok = p.Sparsity, true
		}
	}
	return best, ok
}

// View implements screen. A curve has a point a column.
func (s *sensitivity) View() []string {
	t, m := &s.theme, s.snap.Sensitivity
	if m == nil {
		return t.box("Sensitivity", s.unmeasured(), s.w, s.h)
	}
	title := fmt.Sprintf("Sensitivity at iteration %s, %d images", human.Count(m.Iter), m.Images)
	switch {
	case m.Running:
		title += fmt.Sprintf("  measuring %d of %d", m.Done, m.Total)
	case m.Problem != "":
		title += "  " + t.text(m.Problem)
	}
	what := "accuracy"
	if m.Base.Accuracy < 0 {
		what = "loss"
	}
	lines := []string{fmt.Sprintf(" as it is: %s %s", what, scoreText(m.Base, m.Base))}
	name := 8
	for _, l := range m.Layers {
		name = max(name, min(ansi.StringWidth(t.text(l.Name))+1, s.w/4))
	}
	from, to := s.list.window(len(s.sel.visible), s.rows)
	drawn := map[int]layerCurve{}
	if s.plot > 0 {
		for _, c := range s.plotter.layerCurves() {
			drawn[c.index] = c
		}
	}
	for _, i := range s.sel.visible[from:to] {
		key := ""
		if c, ok := drawn[i]; ok {
			key = c.style.Render(c.char) + " "
		} else if s.plot > 0 {
			key = "  "
		}
		lines = append(lines, s.line(&s.snap.Layers[i], m, key, name, i == s.sel.index))
	}
	if s.plot > 0 {
		lines = append(padded(lines, 1+s.rows), padded(s.drawPlot(m), s.plot)...)
		words := " ● where a layer is now   │ the point that is chosen"
		if left := len(s.snap.Layers) - len(drawn); left > 0 {
			words += fmt.Sprintf("   %s without a line", count(left, "layer"))
		}
		lines = append(lines, t.dim.Render(t.plain(strings.ReplaceAll(words, "●", t.glyph.handle))))
	}
	title = titled(title, s.list.position(s.rows))
	return t.box(title, append(padded(lines, s.h-2-4), s.numbers(m)...), s.w, s.h)
}

// perPart is how finely the plot's axis counts sparsity.
const perPart = 10000

// drawPlot draws accuracy, or the loss where there is none, against sparsity: a line a layer, with a dot where the
// layer is now, and a cursor at the point that is chosen.
func (s *sensitivity) drawPlot(m *session.Sensitivity) []string {
	d := plotted{unit: percentUnit, fraction: true, still: true, nothing: "no point yet", ruler: s.theme.sparsities}
	if m.Base.Accuracy < 0 {
		d.unit, d.fraction = plainUnit, false
	}
	for _, c := range s.plotter.layerCurves() {
		l := &s.snap.Layers[c.index]
		line := measuredCurve(m, l.Name)
		now := sparsityNow(l)
		d.curves = append(d.curves, curve{name: l.Name, series: line, style: c.style, char: c.char, named: true,
			dots: pointOn(&line, now)})
	}
	win := window{from: perPart, to: perPart}
	for i := range d.curves {
		for _, x := range append(slices.Clip(d.curves[i].series.Iters), d.curves[i].dots.Iters...) {
			win.from = min(win.from, x)
		}
	}
	cursor := -1
	if c := s.curveOf(); c != nil && len(c.Points) > 0 {
		cursor = axisOf(c.Points[clamp(s.point, len(c.Points)-1)].Sparsity)
	}
	win.from = min(win.from, perPart-1)
	return s.plotter.draw(d, win, area{s.w - 2, s.plot, false, false, cursor})
}

// axisOf is where a sparsity stands on the plot's axis.
func axisOf(sparsity float64) int { return int(math.Round(perPart * sparsity)) }

func sparsityNow(l *session.LayerStats) int { return axisOf(1 - fraction(l.Kept, l.Weights)) }

// measuredCurve is what was measured of a layer.
func measuredCurve(m *session.Sensitivity, layer string) session.Series {
	var out session.Series
	l := m.Layer(layer)
	if l == nil {
		return out
	}
	for _, p := range l.Points {
		if x, n := axisOf(p.Sparsity), len(out.Iters); n == 0 || x > out.Iters[n-1] {
			out.Iters, out.Values = append(out.Iters, x), append(out.Values, score(m.Base, p))
		}
	}
	return out
}

// pointOn is the point of a curve at a place, on the line between those that were measured, or at the nearer end of it.
func pointOn(c *session.Series, at int) session.Series {
	n := len(c.Iters)
	if n == 0 {
		return session.Series{}
	}
	at = max(c.Iters[0], min(at, c.Iters[n-1]))
	k := max(1, sort.SearchInts(c.Iters, at))
	v := c.Values[0]
	if k < n {
		part := float64(at-c.Iters[k-1]) / float64(c.Iters[k]-c.Iters[k-1])
		v = c.Values[k-1] + part*(c.Values[k]-c.Values[k-1])
	}
	return session.Series{Iters: []int{at}, Values: []float64{v}}
}

// sparsities is the ruler of a plot whose columns are sparsities.
func (t *theme) sparsities(win window) ruler {
	return t.roundTicks(win, func(x int) string { return fmt.Sprintf("%g %%", float64(x)*100/perPart) })
}

func scoreText(base, p session.SensitivityPoint) string {
	if base.Accuracy >= 0 {
		return fmt.Sprintf("%.2f %%", 100*p.Accuracy)
	}
	return number(p.Loss)
}

func (s *sensitivity) line(l *session.LayerStats, m *session.Sensitivity, key string, name int, selected bool) string {
	t := &s.theme
	var points []session.SensitivityPoint
	if of := m.Layer(l.Name); of != nil {
		points = of.Points
	}
	cursor, n := "  ", t.fit(t.text(l.Name), name)
	if selected {
		cursor, n = t.marked.Render(t.glyph.cursor)+" ", t.marked.Render(n)
	}
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = score(m.Base, p)
	}
	// Each point is three cells wide, so that the plot reads as one.
	var bars strings.Builder
	for _, r := range t.spark(values, len(values)) {
		bars.WriteString(strings.Repeat(string(r), 3))
	}
	text := cursor + key + n + t.accent.Render(t.fit(bars.String(), 24)) +
		"  now " + t.fitRight(percent(1-fraction(l.Kept, l.Weights)), 8)
	if best, ok := holdsTo(m.Base, points); ok && len(points) > 1 {
		text += "  holds to " + percent(best)
	}
	return text
}

// numbers is the selected layer in numbers.
func (s *sensitivity) numbers(m *session.Sensitivity) []string {
	t, c := &s.theme, s.curveOf()
	if c == nil || len(c.Points) == 0 {
		return []string{"", t.dim.Render(" no point of this layer yet")}
	}
	at := clamp(s.point, len(c.Points)-1)
	var sparsity, values strings.Builder
	for i, p := range c.Points {
		x, y := t.fitRight(percent(p.Sparsity), 9), t.fitRight(scoreText(m.Base, p), 9)
		if i == at {
			x, y = t.marked.Render(x), t.marked.Render(y)
		}
		sparsity.WriteString(x)
		values.WriteString(y)
	}
	p := c.Points[at]
	return []string{
		t.dim.Render(" sparsity ") + sparsity.String(),
		t.dim.Render(" measured ") + values.String(),
		fmt.Sprintf(" %s: threshold %.3f gives %s sparsity and %s",
			t.text(c.Name), p.Threshold, percent(p.Sparsity), scoreText(m.Base, p)),
		t.dim.Render(s.naming(" %s chooses this threshold; nothing changes until it is applied", &s.keys.Choose)),
	}
}

// unmeasured says what there is to measure, where nothing was.
func (s *sensitivity) unmeasured() []string {
	text := cmp.Or(
		s.naming("%s measures how accuracy falls", &s.keys.Measure),
		"Not measured so far: how accuracy falls",
	) +
		" as each layer alone is pruned further, on about a thousand images of the test net, beside the training. " +
		"Weights and masks stay as they are; it takes at most a fifth of the time."
	lines := []string{""}
	for l := range strings.SplitSeq(ansi.Wrap(text, clamp(s.w-4, 72), ""), "\n") {
		lines = append(lines, " "+l)
	}
	return lines
}
