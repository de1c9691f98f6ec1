package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/model/session"
)

// holds is how much accuracy a layer may lose and still be said to hold.
const holds = 0.005

// curveOf is the measured curve of the selected layer, or nil.
func (a *App) curveOf() *session.LayerSensitivity {
	s, l := a.snap.Sensitivity, a.layer()
	if s == nil || l == nil {
		return nil
	}
	for i := range s.Layers {
		if s.Layers[i].Name == l.Name {
			return &s.Layers[i]
		}
	}
	return nil
}

func (a *App) movePoint(by int) {
	if c := a.curveOf(); c != nil {
		a.point = max(0, min(a.point+by, len(c.Points)-1))
	}
}

// choosePoint makes the threshold of the point the layer's choice.
func (a *App) choosePoint() tea.Cmd {
	c := a.curveOf()
	if c == nil || a.point >= len(c.Points) {
		a.say("this layer has not been measured: r measures")
		return nil
	}
	l := a.layer()
	a.choose(l, c.Points[a.point].Threshold)
	a.mode = browsing
	return nil
}

// worth is what a point of the curve is drawn by: the accuracy, or, in a net without one, the loss.
func worth(base, p session.SensitivityPoint) float64 {
	if base.Accuracy >= 0 {
		return p.Accuracy
	}
	return p.Loss
}

// held is the highest sparsity of a curve at which accuracy still holds.
func held(base session.SensitivityPoint, points []session.SensitivityPoint) (float64, bool) {
	best, ok := 0.0, false
	for _, p := range points { // one that is less sparse than the layer is may do worse: its weights have lain idle
		if base.Accuracy >= 0 && p.Accuracy >= base.Accuracy-holds {
			best, ok = p.Sparsity, true
		}
	}
	return best, ok
}

// sensitivityScreen shows a small plot for each layer: accuracy against sparsity, one point a column, and the
// selected one in numbers.
func (a *App) sensitivityScreen(w, h int) []string {
	t, s := &a.theme, a.snap.Sensitivity
	if s == nil {
		return t.box(
			"Sensitivity",
			[]string{
				"",
				" r measures how accuracy falls as each layer alone is pruned further,",
				" on about a thousand images of the test net, beside the training.",
				" Weights and masks stay as they are; it takes at most a fifth of the time.",
			},
			w,
			h,
		)
	}
	title := fmt.Sprintf("Sensitivity at iteration %s, %d images", Thousands(s.Iter), s.Images)
	switch {
	case s.Running:
		title += fmt.Sprintf("  measuring %d of %d", s.Done, s.Total)
	case s.Problem != "":
		title += "  " + t.text(s.Problem)
	}
	what := "accuracy"
	if s.Base.Accuracy < 0 {
		what = "loss"
	}
	lines := []string{fmt.Sprintf(" as it is: %s %s", what, a.worthText(s.Base, s.Base))}
	name := 8
	for _, l := range s.Layers {
		name = max(name, min(ansi.StringWidth(t.text(l.Name))+1, w/4))
	}
	visible := a.visible()
	rows := max(1, h-2-1-5)
	top := max(0, min(a.place(visible)-rows/2, len(visible)-rows))
	for _, i := range visible[top:min(top+rows, len(visible))] {
		lines = append(lines, a.sensitivityLine(&a.snap.Layers[i], s, name, i == a.selected))
	}
	return t.box(title, append(filled(lines, h-2-4), a.sensitivityPoint(s)...), w, h)
}

func (a *App) worthText(base, p session.SensitivityPoint) string {
	if base.Accuracy >= 0 {
		return fmt.Sprintf("%.2f %%", 100*p.Accuracy)
	}
	return number(p.Loss)
}

func (a *App) sensitivityLine(l *session.LayerStats, s *session.Sensitivity, name int, selected bool) string {
	t := &a.theme
	var points []session.SensitivityPoint
	for i := range s.Layers {
		if s.Layers[i].Name == l.Name {
			points = s.Layers[i].Points
		}
	}
	cursor, n := "  ", t.fit(t.text(l.Name), name)
	if selected {
		cursor, n = t.marked.Render(t.glyph.cursor)+" ", t.marked.Render(n)
	}
	values := make([]float64, len(points))
	for i, p := range points {
		values[i] = worth(s.Base, p)
	}
	// Each point is three cells wide, so that the plot reads as one.
	var bars strings.Builder
	for _, r := range t.spark(values, len(values)) {
		bars.WriteString(strings.Repeat(string(r), 3))
	}
	text := cursor + n + t.accent.Render(
		t.fit(bars.String(), 24),
	) + "  now " + t.fitRight(
		percent(1-share(l.Kept, l.Weights)),
		8,
	)
	if best, ok := held(s.Base, points); ok && len(points) > 1 {
		text += "  holds to " + percent(best)
	}
	return text
}

// sensitivityPoint is the selected layer in numbers.
func (a *App) sensitivityPoint(s *session.Sensitivity) []string {
	t, c := &a.theme, a.curveOf()
	if c == nil || len(c.Points) == 0 {
		return []string{"", t.dim.Render(" no point of this layer yet")}
	}
	at := max(0, min(a.point, len(c.Points)-1))
	var sparsity, values strings.Builder
	for i, p := range c.Points {
		x, y := t.fitRight(percent(p.Sparsity), 9), t.fitRight(a.worthText(s.Base, p), 9)
		if i == at {
			x, y = t.marked.Render(x), t.marked.Render(y)
		}
		sparsity.WriteString(x)
		values.WriteString(y)
	}
	p := c.Points[at]
	return []string{t.dim.Render(" sparsity ") + sparsity.String(), t.dim.Render(" measured ") + values.String(),
		fmt.Sprintf(
			" %s: threshold %.3f gives %s sparsity and %s",
			t.text(c.Name),
			p.Threshold,
			percent(p.Sparsity),
			a.worthText(s.Base, p),
		),
		t.dim.Render(t.plain(" ⏎ chooses this threshold; nothing changes until it is applied"))}
}
