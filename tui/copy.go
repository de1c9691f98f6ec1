package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/escape"
	"dns-tui/human"
)

// copies is a screen of which something can be copied to the clipboard of the person's own machine, by OSC 52, also
// over SSH.
type copies interface {
	// clipCell is what is selected, as it can be pasted again: a command, a path, a value; "" of nothing.
	clipCell() string
	// clipRows is the table that the screen shows, all of it, with its head; nil of none.
	clipRows() [][]string
}

// mostCopied is how much is copied at most: many terminals drop more without a word.
const mostCopied = 64 << 10

// clip is a copy to the clipboard.
type clip struct{ text, what string }

// copyCell copies what is selected on a screen.
func copyCell(s screen) intent {
	if c, ok := s.(copies); ok {
		if text := c.clipCell(); text != "" {
			text = escape.Line(text) // a name may hold anything
			return clip{text, text}
		}
	}
	return refuse("nothing to copy here: F holds the screen still, to select with the mouse")
}

// copyTable copies a screen's table, cells apart by tabs, as spreadsheets and cut take it.
func copyTable(s screen) intent {
	c, ok := s.(copies)
	if !ok {
		return refuse("this screen has no table")
	}
	rows := c.clipRows()
	if len(rows) == 0 {
		return refuse("the table is empty")
	}
	var b strings.Builder
	for _, r := range rows {
		for i, cell := range r {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(escape.Line(strings.TrimSpace(ansi.Strip(cell))))
		}
		b.WriteByte('\n')
	}
	text := b.String()
	if len(text) > mostCopied {
		return refuse(fmt.Sprintf("the table has %s: more than the %s that terminals take; a filter makes it smaller",
			human.Bytes(int64(len(text))), human.Bytes(mostCopied)))
	}
	return clip{text, fmt.Sprintf("%d lines", len(rows))}
}

// clip copies a text, and says so: the terminal does not tell whether it did.
func (a *App) clip(c clip) tea.Cmd {
	a.tell(notice{text: "copied, if the terminal takes OSC 52: " + c.what})
	return tea.SetClipboard(c.text)
}

func (m *mainScreen) clipCell() string {
	l := m.sel.layer()
	if l == nil {
		return ""
	}
	f := m.choices.thresholdField(l)
	return f.String() + " " + f.Format(m.choices.threshold(l))
}

func (m *mainScreen) clipRows() [][]string {
	out := [][]string{{"layer", "type", "weights", "kept", "sparsity", "next", "threshold", "chosen", "state"}}
	for _, i := range m.sel.visible {
		l := &m.snap.Layers[i]
		s, next := m.choices.standing(l), "-"
		if s.comes {
			next = percent(s.next)
		}
		f := m.choices.thresholdField(l)
		out = append(out, []string{l.Name, l.Type, fmt.Sprint(l.Weights), fmt.Sprint(l.Kept),
			percent(1 - fraction(l.Kept, l.Weights)), next, f.Format(m.snap.Hyper.Layer(l.Name).Threshold),
			f.Format(m.choices.threshold(l)),
			s.String()})
	}
	return out
}

func (s *settings) clipCell() string {
	if s.list.chosen >= len(s.fields) {
		return ""
	}
	f := s.fields[s.list.chosen]
	value, _ := s.snap.Hyper.Text(f)
	return f.String() + " " + value
}

func (s *settings) clipRows() [][]string {
	out := [][]string{{"name", "value", "range", "meaning"}}
	for _, f := range s.fields {
		value, _ := s.snap.Hyper.Text(f)
		out = append(out, []string{f.String(), value, s.snap.Hyper.Range(f), f.Meaning()})
	}
	return out
}

func (s *sensitivity) clipCell() string {
	c := s.curveOf()
	if c == nil || len(c.Points) == 0 {
		return ""
	}
	return fmt.Sprintf("%s.t %.3f", c.Name, c.Points[clamp(s.point, len(c.Points)-1)].Threshold)
}

func (s *sensitivity) clipRows() [][]string {
	m := s.snap.Sensitivity
	if m == nil {
		return nil
	}
	out := [][]string{{"layer", "threshold", "sparsity", "accuracy", "loss"}}
	for _, l := range m.Layers {
		for _, p := range l.Points {
			out = append(out, []string{l.Name, fmt.Sprintf("%.4g", p.Threshold), percent(p.Sparsity),
				scoreText(m.Base, p), number(p.Loss)})
		}
	}
	return out
}

func (r *restorePoints) clipCell() string {
	points := r.points()
	if i := r.list.chosen - len(r.snap.Plans); i >= 0 && i < len(points) {
		return points[i].Path
	}
	if r.list.chosen < len(r.snap.Plans) {
		return r.snap.Plans[r.list.chosen].String()
	}
	return ""
}

func (r *restorePoints) clipRows() [][]string {
	out := [][]string{{"iteration", "loss", "accuracy", "kept", "of", "file", "why"}}
	for _, p := range r.points() {
		accuracy := "-"
		if p.Accuracy >= 0 {
			accuracy = fmt.Sprintf("%.2f %%", 100*p.Accuracy)
		}
		out = append(out, []string{fmt.Sprint(p.Iter), number(p.Smoothed), accuracy, fmt.Sprint(p.Kept),
			fmt.Sprint(p.Total), p.Path, p.Why})
	}
	return out
}

// clipCell is the newest line that is shown.
func (j *journal) clipCell() string {
	from, to := j.list.window(len(j.lines), j.h-2)
	if to <= from {
		return ""
	}
	return strings.TrimSpace(ansi.Strip(j.lines[to-1]))
}

func (j *journal) clipRows() [][]string {
	var out [][]string
	for _, l := range j.lines {
		out = append(out, []string{l})
	}
	return out
}

func (f *frontier) clipCell() string {
	if f.list.chosen < len(f.rows) && f.rows[f.list.chosen].branch != nil {
		return f.rows[f.list.chosen].branch.Path
	}
	return ""
}

func (f *frontier) clipRows() [][]string {
	s := f.snap.Search
	if s == nil {
		return nil
	}
	columns := f.shown()
	out := [][]string{nil}
	for _, c := range columns {
		out[0] = append(out[0], c.head)
	}
	for i := range f.rows {
		var cells []string
		for _, c := range columns {
			cells = append(cells, c.cell(s, &f.rows[i]))
		}
		out = append(out, cells)
	}
	return out
}
