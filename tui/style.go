package tui

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// theme has the styles and glyphs of the screen. Colours are from Okabe and Ito's palette, which most colour-blind
// people can tell apart; none is the only sign of anything.
type theme struct {
	ascii                                  bool
	title, dim, accent, good, warn, marked lipgloss.Style
	glyph                                  glyphs
}

// glyphs are what lines, bars and marks are drawn with.
type glyphs struct {
	h, v, tl, tr, bl, br    string
	bar                     []string // eighths, from none to full
	barEmpty                string
	barStart, barEnd        string
	spark                   []string // heights, from none to full
	ruler, tick, handle     string
	cursor, arrow, ellipsis string
	times                   string
}

var unicodeGlyphs = glyphs{
	h: "─", v: "│", tl: "╭", tr: "╮", bl: "╰", br: "╯",
	bar: []string{" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"}, barEmpty: "░", barStart: "▕", barEnd: "▏",
	spark: []string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	ruler: "─", tick: "┬", handle: "●", cursor: "▸", arrow: "→", ellipsis: "…", times: "×",
}

var asciiGlyphs = glyphs{
	h: "-", v: "|", tl: "+", tr: "+", bl: "+", br: "+",
	bar: []string{" ", "#"}, barEmpty: ".", barStart: "|", barEnd: "|",
	spark: []string{" ", "_", ".", ":", "-", "=", "+", "*", "#"},
	ruler: "-", tick: "+", handle: "O", cursor: ">", arrow: "->", ellipsis: "~", times: "x",
}

func newTheme(ascii bool) theme {
	t := theme{
		ascii:  ascii,
		title:  lipgloss.NewStyle().Bold(true),
		dim:    lipgloss.NewStyle().Faint(true),
		accent: lipgloss.NewStyle().Foreground(lipgloss.Color("#56B4E9")),
		good:   lipgloss.NewStyle().Foreground(lipgloss.Color("#009E73")),
		warn:   lipgloss.NewStyle().Foreground(lipgloss.Color("#E69F00")).Bold(true),
		marked: lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("#56B4E9")),
		glyph:  unicodeGlyphs,
	}
	if ascii {
		t.glyph = asciiGlyphs
	}
	return t
}

// plain turns text that a library or a file supplied into what the terminal can show.
func (t *theme) plain(s string) string {
	if !t.ascii {
		return s
	}
	return asciiText.Replace(s)
}

var asciiText = strings.NewReplacer("─", "-", "│", "|", "┤", "|", "┼", "+", "╭", "+", "╮", "+", "╰", "+", "╯", "+", "╴", "-", "╶", "-",
	"→", "->", "×", "x", "σ", "s", "…", "~", "·", ".", "µ", "u", "↑", "^", "↓", "v", "←", "<", "⏎", "enter")

// fit cuts or pads a line to exactly w cells.
func (t *theme) fit(s string, w int) string {
	if w <= 0 {
		return ""
	}
	n := ansi.StringWidth(s)
	if n > w {
		s = ansi.Truncate(s, w, t.glyph.ellipsis)
		n = ansi.StringWidth(s)
	}
	return s + strings.Repeat(" ", max(0, w-n))
}

// fitRight is fit with the text at the right.
func (t *theme) fitRight(s string, w int) string {
	if n := ansi.StringWidth(s); n < w {
		return strings.Repeat(" ", w-n) + s
	}
	return t.fit(s, w)
}

// ends puts one text at the left and one at the right of a line of w cells; the right one gives way.
func (t *theme) ends(left, right string, w int) string {
	l, r := ansi.StringWidth(left), ansi.StringWidth(right)
	if l+1+r > w {
		return t.fit(left+" "+right, w)
	}
	return left + strings.Repeat(" ", w-l-r) + right
}

// box draws a frame with a title around lines, w cells wide and h lines high in all.
func (t *theme) box(title string, lines []string, w, h int) []string {
	if w < 4 || h < 3 {
		out := make([]string, 0, h)
		for i := range h {
			s := ""
			if i < len(lines) {
				s = lines[i]
			}
			out = append(out, t.fit(s, w))
		}
		return out
	}
	g := &t.glyph
	head := ""
	if title != "" {
		head = " " + ansi.Truncate(title, w-5, g.ellipsis) + " "
	}
	out := make([]string, 0, h)
	out = append(out, t.dim.Render(g.tl)+t.title.Render(head)+t.dim.Render(strings.Repeat(g.h, max(0, w-2-ansi.StringWidth(head)))+g.tr))
	side := t.dim.Render(g.v)
	for i := range h - 2 {
		s := ""
		if i < len(lines) {
			s = lines[i]
		}
		out = append(out, side+t.fit(s, w-2)+side)
	}
	return append(out, t.dim.Render(g.bl+strings.Repeat(g.h, w-2)+g.br))
}

// bar draws a share of w cells.
func (t *theme) bar(share float64, w int) string {
	if w <= 0 {
		return ""
	}
	g := &t.glyph
	steps := len(g.bar) - 1
	n := int(share*float64(w*steps) + 0.5)
	n = max(0, min(n, w*steps))
	full, part := n/steps, n%steps
	s := strings.Repeat(g.bar[steps], full)
	rest := w - full
	if part > 0 {
		s += g.bar[part]
		rest--
	}
	return t.accent.Render(s) + t.dim.Render(strings.Repeat(g.barEmpty, rest))
}

// beside joins two columns of lines.
func beside(a, b []string) []string {
	out := make([]string, max(len(a), len(b)))
	for i := range out {
		if i < len(a) {
			out[i] = a[i]
		}
		if i < len(b) {
			out[i] += b[i]
		}
	}
	return out
}
