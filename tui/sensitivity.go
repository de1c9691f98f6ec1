package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/session"
)

// sensitivity shows a small plot for each layer, accuracy against sparsity, and the selected layer in numbers.
type sensitivity struct {
	*env
	keys  *sensitivityKeys
	sel   *selection
	list  list // of the layers
	point int  // of the curves
	w, h  int
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
		s.sel.move(to.by(s.rows()))
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
	s.list.fit(len(s.sel.visible), s.rows())
}

// rows is how many layers have room above the selected one in numbers.
func (s *sensitivity) rows() int { return max(1, s.h-2-1-5) }

// holds is how much accuracy a layer may lose and still be said to hold.
const holds = 0.005

// curveOf is the measured curve of the selected layer, or nil.
func (s *sensitivity) curveOf() *session.LayerSensitivity {
	m, l := s.snap.Sensitivity, s.sel.layer()
	if m == nil || l == nil {
		return nil
	}
	for i := range m.Layers {
		if m.Layers[i].Name == l.Name {
			return &m.Layers[i]
		}
	}
	return nil
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
		return refuse("this layer has not been measured: r measures")
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
		return t.box("Sensitivity", []string{
			"",
			" r measures how accuracy falls as each layer alone is pruned further,",
			" on about a thousand images of the test net, beside the training.",
			" Weights and masks stay as they are; it takes at most a fifth of the time.",
		}, s.w, s.h)
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
	from, to := s.list.window(len(s.sel.visible), s.rows())
	for _, i := range s.sel.visible[from:to] {
		lines = append(lines, s.line(&s.snap.Layers[i], m, name, i == s.sel.index))
	}
	return t.box(title, append(padded(lines, s.h-2-4), s.numbers(m)...), s.w, s.h)
}

func scoreText(base, p session.SensitivityPoint) string {
	if base.Accuracy >= 0 {
		return fmt.Sprintf("%.2f %%", 100*p.Accuracy)
	}
	return number(p.Loss)
}

func (s *sensitivity) line(l *session.LayerStats, m *session.Sensitivity, name int, selected bool) string {
	t := &s.theme
	var points []session.SensitivityPoint
	for i := range m.Layers {
		if m.Layers[i].Name == l.Name {
			points = m.Layers[i].Points
		}
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
	text := cursor + n + t.accent.Render(t.fit(bars.String(), 24)) +
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
		t.dim.Render(t.plain(" ⏎ chooses this threshold; nothing changes until it is applied")),
	}
}
