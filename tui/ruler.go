package tui

import (
	"strings"

	"charm.land/lipgloss/v2"

	"dns-tui/human"
)

// ruler is the lines under a plot: a line with ticks, and below it what they say.
type ruler struct {
	*theme
	line   []string // cells
	labels []rune
}

func (t *theme) ruler(cols int) ruler {
	r := ruler{t, make([]string, cols), []rune(strings.Repeat(" ", cols))}
	for i := range r.line {
		r.line[i] = t.dim.Render(t.glyph.ruler)
	}
	return r
}

// mark puts a glyph on the line; a column outside it has none.
func (r *ruler) mark(col int, glyph string, style lipgloss.Style) {
	if col >= 0 && col < len(r.line) {
		r.line[col] = style.Render(glyph)
	}
}

// label writes a text below a column, or beside it where the line ends, if it has room between the others.
func (r *ruler) label(col int, text string) {
	n := len([]rune(text))
	if col < 0 || col >= len(r.line) || n > len(r.labels) {
		return
	}
	at := clamp(col-n/2, len(r.labels)-n)
	if free := r.labels[max(0, at-1):min(len(r.labels), at+n+1)]; strings.TrimSpace(string(free)) == "" {
		copy(r.labels[at:], []rune(text))
	}
}

// lines are the line, and the labels.
func (r *ruler) lines() []string {
	return []string{strings.Join(r.line, ""), r.dim.Render(string(r.labels))}
}

// tickWidth is how many columns an iteration under a plot takes at least.
const tickWidth = 12

// iterations is the ruler of a plot whose columns are iterations.
func (t *theme) iterations(win window) ruler { return t.roundTicks(win, human.Count) }

// roundTicks is a ruler with ticks at round columns, and what label says of them.
func (t *theme) roundTicks(win window, label func(at int) string) ruler {
	r := t.ruler(win.cols)
	for _, at := range countTicks(win.from, win.to, max(2, win.cols/tickWidth)) {
		col := win.column(at)
		r.mark(col, t.glyph.tick, t.dim)
		r.label(col, label(at))
	}
	return r
}
