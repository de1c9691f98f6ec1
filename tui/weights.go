package tui

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"charm.land/lipgloss/v2"

	"dns-tui/model/session"
)

// Glyphs of weights by size, by sign in form as well as in colour; a pruned weight is two dots.
var (
	positive = []string{"░░", "▒▒", "▓▓", "██"}
	negative = []string{"╌╌", "──", "━━", "▬▬"}
	plusses  = []string{"..", "++", "**", "##"}
	minuses  = []string{"--", "~~", "==", "@@"}
)

// weightCell is one weight of a filter, two cells wide: how large is its shade, its sign its colour and its glyph,
// and a pruned one is dark.
func (t *theme) weightCell(kept, mean float64) string {
	if kept == 0 {
		return t.dim.Render(t.plain("··"))
	}
	up, down := positive, negative
	if t.ascii {
		up, down = plusses, minuses
	}
	size := mean
	set, c := up, t.pos
	if mean < 0 {
		size, set, c = -mean, down, t.neg
	}
	g := set[min(3, int(size*4))]
	if t.mono {
		return g
	}
	return lipgloss.NewStyle().Foreground(c).Render(g)
}

// drawFilters puts filters beside each other, each framed by blanks.
func (t *theme) drawFilters(l *session.LayerStats, pic *session.Picture, w int) []string {
	kh, kw := l.Kernel[0], l.Kernel[1]
	across, _ := filterGrid(l, w, 1)
	var lines []string
	for r := 0; r < pic.Area.Height; r += across {
		for y := range kh {
			var b strings.Builder
			for f := r; f < min(r+across, pic.Area.Height); f++ {
				for x := range kw {
					kept, mean := pic.At(f, y*kw+x)
					b.WriteString(t.weightCell(kept, mean))
				}
				b.WriteString("  ")
			}
			lines = append(lines, b.String())
		}
		lines = append(lines, "")
	}
	return lines
}

// shading is how a map of a mask shows what part of the weights that a point stands for is kept: in equal steps up to a
// round fraction, which the densest point of the map reaches.
type shading struct {
	top   float64
	steps int
}

// shadingOf is that of a picture. Where a point is one weight there is all or nothing.
func (t *theme) shadingOf(pic *session.Picture) shading {
	s := shading{1, len(mapShades)}
	if t.tier == asciiTier {
		s.steps = len(mapLetters)
	}
	densest := 0.0
	for y := range pic.Area.Height {
		for x := range pic.Area.Width {
			kept, _ := pic.At(y, x)
			densest = max(densest, kept)
		}
	}
	for _, top := range []float64{0.5, 0.2, 0.1, 0.05, 0.02, 0.01} {
		if densest > 0 && densest <= top {
			s.top = top
		}
	}
	return s
}

// stepSlack is by how much of a step a fraction may miss a shade: a point has one byte for what it keeps.
const stepSlack = 0.02

// step is which shade a fraction has, from 1; 0 where nothing is kept.
func (s shading) step(kept float64) int {
	if kept <= 0 {
		return 0
	}
	return min(s.steps, max(1, int(math.Ceil(kept/s.top*float64(s.steps)-stepSlack))))
}

// Shades of a map: by colour in blocks, by density without colours, by letters in ASCII.
var (
	mapShades  = []string{"░", "▒", "▓", "█"}
	mapLetters = []string{".", ":", "-", "=", "+", "*", "%", "#"}
)

// shade is the colour of a step.
func (t *theme) shade(step int) color.Color {
	if t.light {
		return lipgloss.Color([...]string{"#A9CDE6", "#6BA9D3", "#2F86BF", "#004A75"}[step-1])
	}
	return lipgloss.Color([...]string{"#2F5F7D", "#3F86AF", "#4BA0D0", "#8FD3FF"}[step-1])
}

// mapLegend says what the shades of a map mean.
func (t *theme) mapLegend(s shading) string {
	text := t.dim.Render(" blank: pruned   kept: ")
	if t.mono && t.tier == brailleTier {
		return text + t.dim.Render(fmt.Sprintf("the more dots the more, all %g %%", 100*s.top))
	}
	for i := 1; i <= s.steps; i++ {
		var glyph string
		switch {
		case t.tier == asciiTier:
			glyph = mapLetters[i-1]
		case t.mono:
			glyph = mapShades[i-1]
		default:
			glyph = lipgloss.NewStyle().Foreground(t.shade(i)).Render("█")
		}
		text += glyph + t.dim.Render(fmt.Sprintf(" %.3g  ", 100*s.top*float64(i)/float64(s.steps)))
	}
	return text + t.dim.Render("% of a point's weights at most")
}

// drawMap shows which weights are kept.
func (t *theme) drawMap(pic *session.Picture) []string {
	s := t.shadingOf(pic)
	switch t.tier {
	case asciiTier:
		return t.mapASCII(pic, s)
	case brailleTier:
		return t.mapBraille(pic, s)
	}
	return t.mapBlocks(pic, s)
}

func (t *theme) mapASCII(pic *session.Picture, s shading) []string {
	lines := make([]string, pic.Area.Height)
	for y := range lines {
		var row strings.Builder
		for x := range pic.Area.Width {
			kept, _ := pic.At(y, x)
			if step := s.step(kept); step > 0 {
				row.WriteString(mapLetters[step-1])
			} else {
				row.WriteByte(' ')
			}
		}
		lines[y] = row.String()
	}
	return lines
}

// mapBraille has a dot where something is kept, in the colour of the densest point of its cell; without colours dots
// are the denser the more is kept.
func (t *theme) mapBraille(pic *session.Picture, s shading) []string {
	var lines []string
	for y := 0; y < pic.Area.Height; y += 4 {
		c := newCanvas((pic.Area.Width+1)/2, 1)
		styles := make([]lipgloss.Style, s.steps)
		for i := range styles {
			if !t.mono {
				styles[i] = lipgloss.NewStyle().Foreground(t.shade(i + 1))
			}
		}
		for x := 0; x < pic.Area.Width; x += 2 {
			char, densest := rune(0), 0
			for dy := range min(4, pic.Area.Height-y) {
				for dx := range min(2, pic.Area.Width-x) {
					kept, _ := pic.At(y+dy, x+dx)
					step := s.step(kept)
					if densest = max(densest, step); step > 0 && (!t.mono || kept/s.top > ditherAbove[dy][dx]) {
						char |= brailleBlank | brailleDots[dy][dx]
					}
				}
			}
			if char != 0 {
				if t.mono {
					densest = 1
				}
				c.put(x/2, 0, char, &styles[densest-1])
			}
		}
		lines = append(lines, c.line(0))
	}
	return lines
}

// ditherAbove is above which part of the top a dot of a cell is set: thresholds of ordered dithering, evenly spread.
var ditherAbove = [4][2]float64{{0, 0.5}, {0.75, 0.25}, {0.125, 0.625}, {0.875, 0.375}}

// mapBlocks shows two rows in one, by half blocks; the colour is the fraction kept, in steps.
func (t *theme) mapBlocks(pic *session.Picture, s shading) []string {
	step := func(y, x int) int {
		if y >= pic.Area.Height {
			return 0
		}
		kept, _ := pic.At(y, x)
		return s.step(kept)
	}
	var lines []string
	for y := 0; y < pic.Area.Height; y += 2 {
		var b strings.Builder
		for x := 0; x < pic.Area.Width; {
			up, down := step(y, x), step(y+1, x)
			end := x + 1
			for end < pic.Area.Width && step(y, end) == up && step(y+1, end) == down {
				end++
			}
			b.WriteString(t.halves(up, down, end-x))
			x = end
		}
		lines = append(lines, b.String())
	}
	return lines
}

// halves is n cells of an upper and a lower half.
func (t *theme) halves(up, down, n int) string {
	switch {
	case up == 0 && down == 0:
		return strings.Repeat(" ", n)
	case t.mono && up > 0 && down > 0:
		return strings.Repeat(mapShades[max(up, down)-1], n)
	case t.mono && up > 0:
		return strings.Repeat("▀", n)
	case t.mono:
		return strings.Repeat("▄", n)
	}
	shade := t.shade
	switch {
	case up == 0:
		return lipgloss.NewStyle().Foreground(shade(down)).Render(strings.Repeat("▄", n))
	case down == 0:
		return lipgloss.NewStyle().Foreground(shade(up)).Render(strings.Repeat("▀", n))
	}
	return lipgloss.NewStyle().Foreground(shade(up)).Background(shade(down)).Render(strings.Repeat("▀", n))
}
