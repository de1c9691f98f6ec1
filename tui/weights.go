package tui

import (
	"image/color"
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

// drawMap shows which weights are kept.
func (t *theme) drawMap(pic *session.Picture) []string {
	switch t.tier {
	case asciiTier:
		return t.mapASCII(pic)
	case brailleTier:
		return t.mapBraille(pic)
	}
	return t.mapBlocks(pic)
}

func (t *theme) mapASCII(pic *session.Picture) []string {
	const shades = ".:-=+*%#"
	lines := make([]string, pic.Area.Height)
	for y := range lines {
		row := make([]byte, pic.Area.Width)
		for x := range row {
			row[x] = ' '
			if kept, _ := pic.At(y, x); kept > 0 {
				row[x] = shades[min(len(shades)-1, int(kept*float64(len(shades))))]
			}
		}
		lines[y] = string(row)
	}
	return lines
}

func (t *theme) mapBraille(pic *session.Picture) []string {
	var lines []string
	for y := 0; y < pic.Area.Height; y += 4 {
		var row []rune
		for x := 0; x < pic.Area.Width; x += 2 {
			r := rune(0x2800)
			for dy := range 4 {
				for dx := range 2 {
					if y+dy < pic.Area.Height && x+dx < pic.Area.Width {
						if kept, _ := pic.At(y+dy, x+dx); kept > 0 {
							r |= brailleDots[dy][dx]
						}
					}
				}
			}
			row = append(row, r)
		}
		lines = append(lines, t.accent.Render(string(row)))
	}
	return lines
}

// mapBlocks shows two rows in one, by half blocks; the colour is the fraction kept, in four steps.
func (t *theme) mapBlocks(pic *session.Picture) []string {
	step := func(y, x int) int {
		if y >= pic.Area.Height {
			return 0
		}
		kept, _ := pic.At(y, x)
		if kept == 0 {
			return 0
		}
		return 1 + min(3, int(kept*4))
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
		return strings.Repeat([...]string{"░", "▒", "▓", "█"}[max(up, down)-1], n)
	case t.mono && up > 0:
		return strings.Repeat("▀", n)
	case t.mono:
		return strings.Repeat("▄", n)
	}
	shade := func(i int) color.Color {
		return lipgloss.Color([...]string{"#2F5F7D", "#3F86AF", "#4BA0D0", "#8FD3FF"}[i-1])
	}
	switch {
	case up == 0:
		return lipgloss.NewStyle().Foreground(shade(down)).Render(strings.Repeat("▄", n))
	case down == 0:
		return lipgloss.NewStyle().Foreground(shade(up)).Render(strings.Repeat("▀", n))
	}
	return lipgloss.NewStyle().Foreground(shade(up)).Background(shade(down)).Render(strings.Repeat("▀", n))
}
