package tui

import (
	"fmt"
	"image/color"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"dns-tui/model/session"
)

// pictureState is what the picture screen shows: a layer's filters as small pictures, or a map of its mask.
type pictureState struct {
	filters  bool // where the layer has some
	zoom     int  // of the map: the share shown is halved each time
	row, col int  // first shown: of filters the first filter and the input channel, of the map a weight
	waiting  bool
	pic      *session.Picture
	asked    string // what pic is of
	problem  string
	due      int // tick of the next look
}

// lookEvery is how many looks at the run pass between two at the weights.
const lookEvery = 10

// hasFilters reports whether a layer's rows are made of kernels.
func hasFilters(l *session.LayerStats) bool { return l.Kernel[0] > 1 || l.Kernel[1] > 1 }

// channels is how many input channels a layer's filters have.
func channels(l *session.LayerStats) int {
	return max(1, l.Weights/max(1, l.Outputs*l.Kernel[0]*l.Kernel[1]))
}

// wanted is the part of the weights that the screen has room for, and what it is called.
func (a *App) wanted(l *session.LayerStats) (session.Area, string) {
	w, h := a.pictureRoom()
	p := &a.picture
	if p.filters && hasFilters(l) {
		kh, kw := l.Kernel[0], l.Kernel[1]
		across, down := a.filterGrid(l, w, h)
		n := max(1, min(across*down, l.Outputs-p.row))
		return session.Area{
				Row:    p.row,
				Col:    p.col * kh * kw,
				Rows:   n,
				Cols:   kh * kw,
				Height: n,
				Width:  kh * kw,
			}, fmt.Sprint(
				l.Name,
				p.row,
				p.col,
				n,
			)
	}
	rows := l.Outputs
	cols := l.Weights / max(1, rows)
	if pic := p.pic; pic != nil && pic.Layer == l.Name {
		rows, cols = pic.Rows, pic.Cols
	}
	ph, pw := a.cellPixels()
	area := session.Area{
		Row:  min(p.row, max(0, rows-1)),
		Col:  min(p.col, max(0, cols-1)),
		Rows: max(1, rows>>p.zoom),
		Cols: max(1, cols>>p.zoom),
	}
	area.Rows, area.Cols = min(area.Rows, rows-area.Row), min(area.Cols, cols-area.Col)
	area.Height, area.Width = max(1, min(h*ph, area.Rows)), max(1, min(w*pw, area.Cols))
	return area, fmt.Sprint(l.Name, "map", area)
}

// cellPixels is how many cells of a picture one of the terminal shows, down and across.
func (a *App) cellPixels() (h, w int) {
	switch a.theme.tier {
	case asciiTier:
		return 1, 1
	case brailleTier:
		return 4, 2
	}
	return 2, 1
}

// pictureRoom is the room inside the frame, without the lines of text.
func (a *App) pictureRoom() (w, h int) { return max(1, a.width-4), max(1, a.height-2-2-2) }

// filterGrid is how many filters stand beside and above each other. A weight is two cells wide, and half a cell high
// in blocks.
func (a *App) filterGrid(l *session.LayerStats, w, h int) (across, down int) {
	return max(1, w/(2*l.Kernel[1]+2)), max(1, h/(l.Kernel[0]+1))
}

// lookAnew asks for the weights that the picture screen shows.
func (a *App) lookAnew() tea.Cmd {
	p := &a.picture
	l := a.layer()
	if a.mode != picturing || l == nil || p.waiting {
		return nil
	}
	area, name := a.wanted(l)
	p.waiting, p.asked, p.due = true, name, a.spin+lookEvery
	return a.do(session.Command{Kind: session.Look, Field: l.Name, Area: area})
}

// lookAgain looks when the picture is old, or of something else than is shown.
func (a *App) lookAgain() tea.Cmd {
	if a.mode != picturing || a.layer() == nil {
		return nil
	}
	if _, name := a.wanted(a.layer()); name != a.picture.asked ||
		a.spin >= a.picture.due && (a.picture.pic == nil || a.picture.pic.Iter != a.snap.Iter) {
		return a.lookAnew()
	}
	return nil
}

// looked takes in the answer.
func (a *App) looked(m ackMsg) {
	p := &a.picture
	p.waiting, p.problem = false, ""
	if m.err != nil {
		p.problem = m.err.Error()
		return
	}
	p.pic = m.ack.Picture
}

func (a *App) turnPicture() tea.Cmd {
	a.picture.filters = !a.picture.filters
	a.picture.row, a.picture.col, a.picture.zoom = 0, 0, 0
	return a.lookAnew()
}

func (a *App) scrollPicture(down, right int) tea.Cmd {
	p, l := &a.picture, a.layer()
	if l == nil {
		return nil
	}
	if p.filters && hasFilters(l) {
		w, h := a.pictureRoom()
		across, _ := a.filterGrid(l, w, h)
		p.row = max(0, min(p.row+down*across, (l.Outputs-1)/across*across))
		p.col = max(0, min(p.col+right, channels(l)-1))
	} else if p.pic != nil {
		area, _ := a.wanted(l)
		p.row = max(0, min(p.row+down*max(1, area.Rows/4), p.pic.Rows-area.Rows))
		p.col = max(0, min(p.col+right*max(1, area.Cols/4), p.pic.Cols-area.Cols))
	}
	return a.lookAnew()
}

func (a *App) zoomPicture(by int) tea.Cmd {
	p, l := &a.picture, a.layer()
	if l == nil || p.filters && hasFilters(l) || p.pic == nil {
		return nil
	}
	deepest := 0
	for max(p.pic.Rows, p.pic.Cols)>>deepest > 4 {
		deepest++
	}
	before, _ := a.wanted(l)
	p.zoom = max(0, min(p.zoom+by, deepest))
	after, _ := a.wanted(l)
	p.row = max(0, min(p.row+(before.Rows-after.Rows)/2, p.pic.Rows-1))
	p.col = max(0, min(p.col+(before.Cols-after.Cols)/2, p.pic.Cols-1))
	if p.zoom == 0 {
		p.row, p.col = 0, 0
	}
	return a.lookAnew()
}

func (a *App) pictureScreen(w, h int) []string {
	t, l, p := &a.theme, a.layer(), &a.picture
	if l == nil {
		return t.box("", []string{"no layer of this net can be pruned"}, w, h)
	}
	what := "map of the mask"
	if p.filters && hasFilters(l) {
		what = "filters"
	}
	title := t.text(l.Name + "  " + what)
	pic := p.pic
	switch {
	case p.problem != "":
		return t.box(title, []string{t.warn.Render(" " + t.text(p.problem))}, w, h)
	case pic == nil || pic.Layer != l.Name:
		return t.box(title, []string{" looking at the weights"}, w, h)
	}
	var lines []string
	isFilters := hasFilters(l) && pic.Area.Cols == l.Kernel[0]*l.Kernel[1] && pic.Area.Width == pic.Area.Cols
	if isFilters {
		lines = a.drawFilters(l, pic, w-4)
		title += fmt.Sprintf(
			" %d to %d of %d, input channel %d of %d, iteration %s",
			pic.Area.Row+1,
			pic.Area.Row+pic.Area.Rows,
			l.Outputs,
			pic.Area.Col/max(1, pic.Area.Cols)+1,
			channels(l),
			Thousands(pic.Iter),
		)
	} else {
		lines = a.drawMap(pic)
		title += fmt.Sprintf(", rows %d to %d of %d, columns %d to %d of %d, iteration %s", pic.Area.Row+1, pic.Area.Row+pic.Area.Rows, pic.Rows, pic.Area.Col+1, pic.Area.Col+pic.Area.Cols, pic.Cols, Thousands(pic.Iter))
	}
	room := h - 3
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	lines = filled(first(lines, room), room)
	legend := " blank: pruned"
	if isFilters {
		legend = " " + a.weightCell(
			1,
			1,
		) + " positive  " + a.weightCell(
			1,
			-1,
		) + " negative  " + a.weightCell(
			0,
			0,
		) + " pruned"
	}
	return t.box(title, append(lines, t.dim.Render(legend)), w, h)
}

// Glyphs of weights by size, by sign in form as well as in colour; a pruned weight is two dots.
var (
	positive = []string{"░░", "▒▒", "▓▓", "██"}
	negative = []string{"╌╌", "──", "━━", "▬▬"}
	plusses  = []string{"..", "++", "**", "##"}
	minuses  = []string{"--", "~~", "==", "@@"}
)

// weightCell is one weight of a filter, two cells wide: how large is its shade, its sign its colour and its glyph,
// and a pruned one is dark.
func (a *App) weightCell(kept, mean float64) string {
	t := &a.theme
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
func (a *App) drawFilters(l *session.LayerStats, pic *session.Picture, w int) []string {
	kh, kw := l.Kernel[0], l.Kernel[1]
	across, _ := a.filterGrid(l, w, 1)
	var lines []string
	for r := 0; r < pic.Area.Height; r += across {
		for y := range kh {
			var b strings.Builder
			for f := r; f < min(r+across, pic.Area.Height); f++ {
				for x := range kw {
					kept, mean := pic.At(f, y*kw+x)
					b.WriteString(a.weightCell(kept, mean))
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
func (a *App) drawMap(pic *session.Picture) []string {
	switch a.theme.tier {
	case asciiTier:
		return a.mapASCII(pic)
	case brailleTier:
		return a.mapBraille(pic)
	}
	return a.mapBlocks(pic)
}

func (a *App) mapASCII(pic *session.Picture) []string {
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

func (a *App) mapBraille(pic *session.Picture) []string {
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
		lines = append(lines, a.theme.accent.Render(string(row)))
	}
	return lines
}

// mapBlocks shows two rows in one, by half blocks; the colour is the share kept, in four steps.
func (a *App) mapBlocks(pic *session.Picture) []string {
	t := &a.theme
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
