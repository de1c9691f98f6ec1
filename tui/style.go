package tui

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/escape"
)

// tier is what pictures are drawn with.
type tier int

const (
	blockTier tier = iota
	brailleTier
	asciiTier
	tiers
)

func (t tier) String() string { return [...]string{"blocks", "braille", "ASCII"}[t] }

// theme has the styles and glyphs of the screen. Colours are from Okabe and Ito's palette, which most colour-blind
// people can tell apart; none is the only sign of anything.
type theme struct {
	tier                                   tier
	ascii, mono, light                     bool
	title, dim, accent, good, warn, marked lipgloss.Style
	pos, neg                               color.Color // of weights
	curves                                 []lipgloss.Style
	glyph                                  glyphs
}

// glyphs are what lines, bars and marks are drawn with.
type glyphs struct {
	h, v, tl, tr, bl, br    string
	bar                     []string // eighths, from none to full
	barEmpty                string
	barStart, barEnd        string
	mark                    string   // of a chosen value on a bar
	on                      string   // of a layer that is marked
	spark                   []string // heights, from none to full
	ruler, tick, handle     string
	cursor, arrow, ellipsis string
	times                   string
}

var unicodeGlyphs = glyphs{
	h: "─", v: "│", tl: "╭", tr: "╮", bl: "╰", br: "╯",
	bar: []string{" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"}, barEmpty: "░", barStart: "▕", barEnd: "▏",
	mark: "│", on: "•",
	spark: []string{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
	ruler: "─", tick: "┬", handle: "●", cursor: "▸", arrow: "→", ellipsis: "…", times: "×",
}

var asciiGlyphs = glyphs{
	h: "-", v: "|", tl: "+", tr: "+", bl: "+", br: "+",
	bar: []string{" ", "#"}, barEmpty: ".", barStart: "|", barEnd: "|",
	mark: "!", on: "*",
	spark: []string{" ", "_", ".", ":", "-", "=", "+", "*", "#"},
	ruler: "-", tick: "+", handle: "O", cursor: ">", arrow: "->", ellipsis: "~", times: "x",
}

func newTheme(tr tier, light, mono bool) theme {
	t := theme{
		tier:  tr,
		ascii: tr == asciiTier,
		mono:  mono,
		light: light,
		title: lipgloss.NewStyle().Bold(true),
		dim:   lipgloss.NewStyle().Faint(true),
		glyph: unicodeGlyphs,
	}
	if t.ascii {
		t.glyph = asciiGlyphs
	}
	if mono {
		t.curves = []lipgloss.Style{lipgloss.NewStyle()}
		t.accent, t.good, t.warn, t.marked = lipgloss.NewStyle(), lipgloss.NewStyle(), t.title, t.title
		return t
	}
	// Sky blue and orange are lost on white; there blue and vermillion stand for them.
	blue, green, orange := "#56B4E9", "#009E73", "#E69F00"
	if light {
		blue, green, orange = "#0072B2", "#007A59", "#D55E00"
	}
	colour := func(c string) lipgloss.Style { return lipgloss.NewStyle().Foreground(lipgloss.Color(c)) }
	t.accent, t.good, t.warn, t.marked = colour(blue), colour(green), colour(orange).Bold(true), colour(blue).Bold(true)
	t.pos, t.neg = lipgloss.Color(blue), lipgloss.Color(orange)
	// Okabe and Ito's, without their black; on white those that are lost there are darker.
	curves := []string{blue, orange, "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2"}
	if light {
		curves = []string{blue, orange, green, "#A0527F", "#8A6D00", "#3F86AF", "#000000"}
	}
	for _, c := range curves {
		t.curves = append(t.curves, colour(c))
	}
	return t
}

// distinct is the style of one of several curves; 0 is this run's.
func (t *theme) distinct(i int) lipgloss.Style { return t.curves[i%len(t.curves)] }

// plain turns text that a library or a file supplied into what the terminal can show.
func (t *theme) plain(s string) string {
	if !t.ascii {
		return s
	}
	return asciiText.Replace(s)
}

var asciiText = strings.NewReplacer(
	"─", "-", "│", "|", "┤", "|", "┼", "+", "╭", "+", "╮", "+",
	"╰", "+", "╯", "+", "╴", "-", "╶", "-", "→", "->", "×", "x",
	"σ", "s", "…", "~", "·", ".", "µ", "u", "↑", "^", "↓", "v",
	"←", "<", "⏎", "enter", "└", "+", "┬", "+", "▲", "^", "≤", "<=",
	"≥", ">=", "−", "-", "●", "o", "•", "*", "▸", ">", "°", " ", "»", ">", "±", "+-",
)

// text is a name, a value or a message that a file, a person or a run supplied, as the terminal may have it: see
// escape.Line.
func (t *theme) text(s string) string { return t.plain(escape.Line(s)) }

// hint is a key of the last line, and what it does.
func (t *theme) hint(key, does string) string {
	return " " + t.title.Render(t.plain(key)) + " " + does + " "
}

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
	rest := strings.Repeat(g.h, max(0, w-2-ansi.StringWidth(head)))
	out = append(out, t.dim.Render(g.tl)+t.title.Render(head)+t.dim.Render(rest+g.tr))
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

// footed writes into the lower edge of a box, which is w cells wide, as many of some words as have room.
func (t *theme) footed(box, words []string, w int) []string {
	text := ""
	for _, word := range words {
		if with := text + "  " + t.plain(word); ansi.StringWidth(with) <= w-5 {
			text = with
		}
	}
	if text == "" || len(box) < 3 {
		return box
	}
	g := &t.glyph
	foot := text[1:] + " "
	rest := strings.Repeat(g.h, w-3-ansi.StringWidth(foot))
	box[len(box)-1] = t.dim.Render(g.bl + g.h + foot + rest + g.br)
	return box
}

// centred is a box as high as its lines and of a width, in the middle of w cells.
func (t *theme) centred(title string, lines []string, width, w int) []string {
	box := t.box(title, lines, width, len(lines)+2)
	for i := range box {
		box[i] = strings.Repeat(" ", max(0, (w-width)/2)) + box[i]
	}
	return box
}

// bar draws a fraction of w cells, and a mark where another value stands; a negative mark is none.
func (t *theme) bar(fraction float64, w int, mark float64) string {
	if w <= 0 {
		return ""
	}
	g := &t.glyph
	steps := len(g.bar) - 1
	n := int(fraction*float64(w*steps) + 0.5)
	n = max(0, min(n, w*steps))
	full, part := n/steps, n%steps
	cells := make([]string, w)
	for i := range cells {
		cells[i] = g.barEmpty
		if i < full {
			cells[i] = g.bar[steps]
		}
	}
	if part > 0 {
		cells[full] = g.bar[part]
		full++
	}
	at := -1
	if mark >= 0 {
		at = max(0, min(w-1, int(mark*float64(w))))
	}
	filled := min(full, w)
	piece := func(lo, hi int) string {
		if lo >= hi {
			return ""
		}
		mid := max(lo, min(hi, filled))
		s := ""
		if lo < mid {
			s = t.accent.Render(strings.Join(cells[lo:mid], ""))
		}
		if mid < hi {
			s += t.dim.Render(strings.Join(cells[mid:hi], ""))
		}
		return s
	}
	if at < 0 {
		return piece(0, w)
	}
	return piece(0, at) + t.warn.Render(g.mark) + piece(at+1, w)
}

// spark draws values as bars of one line, the newest w of them, against their largest.
func (t *theme) spark(values []float64, w int) string {
	if len(values) > w {
		values = values[len(values)-w:]
	}
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	levels := len(t.glyph.spark) - 1
	var b strings.Builder
	for _, v := range values {
		i := 0
		if top > 0 && v > 0 {
			i = max(1, int(v/top*float64(levels)+0.5))
		}
		b.WriteString(t.glyph.spark[i])
	}
	return b.String()
}
