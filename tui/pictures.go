package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"dns-tui/human"
	"dns-tui/model/session"
)

// pictures shows a layer's filters as small pictures, or a map of its mask.
type pictures struct {
	*env
	keys     *picturesKeys
	sel      *selection
	filters  bool // where the layer has some
	zoom     int  // of the map: the fraction shown is halved each time
	row, col list // scrolled: of filters the first filter and the input channel, of the map a weight
	waiting  bool
	pic      *session.Picture
	asked    request // for what pic is, or for what comes in its place
	has      request // what pic is of
	problem  string
	due      int // tick at which the weights are looked at again
	w, h     int
}

// picturesKeys are the keys of the pictures.
type picturesKeys struct {
	Up, Down, Left, Right, Closer, Farther, Filters, NextLayer, LayerBefore binding
}

func defaultPicturesKeys() picturesKeys {
	return picturesKeys{
		Up:          act("scroll-up", "up", "up", "k"),
		Down:        act("scroll-down", "down", "down", "j"),
		Left:        act("scroll-left", "left", "left", "h"),
		Right:       act("scroll-right", "right", "right", "l"),
		Closer:      act("closer", "closer", "+", "="),
		Farther:     act("farther", "farther", "-"),
		Filters:     act("filters", "filters as pictures, or the map of the mask", "tab").footer("filters/map"),
		NextLayer:   act("next-layer", "the next layer", "pgdown"),
		LayerBefore: act("layer-before", "the layer before", "pgup"),
	}
}

// request is a picture that is asked for.
type request struct {
	layer   string
	area    session.Area
	filters bool // as pictures, and not as the map of the mask
}

// lookedAt is the session's answer to a look at the weights.
type lookedAt struct {
	layer   string
	area    session.Area
	picture *session.Picture
	err     error
}

// lookEvery is how many looks at the run pass between two at the weights.
const lookEvery = 10

// Update implements screen.
func (p *pictures) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		*p = pictures{env: p.env, keys: p.keys, sel: p.sel, filters: true}
		return p.look()
	case tea.WindowSizeMsg, glyphsChanged:
		return p.look()
	case tickMsg:
		return p.lookAgain()
	case lookedAt:
		return p.take(msg)
	case action:
		return p.act(msg.binding)
	}
	return nil
}

func (p *pictures) act(b *binding) intent {
	k := p.keys
	switch b {
	case &k.Up:
		p.scroll(-1, 0)
	case &k.Down:
		p.scroll(1, 0)
	case &k.Left:
		p.scroll(0, -1)
	case &k.Right:
		p.scroll(0, 1)
	case &k.Closer:
		return p.magnify(1)
	case &k.Farther:
		return p.magnify(-1)
	case &k.Filters:
		p.filters = !p.filters
		p.row, p.col, p.zoom = list{}, list{}, 0
	case &k.NextLayer:
		p.sel.move(1)
	case &k.LayerBefore:
		p.sel.move(-1)
	}
	return p.look()
}

// take takes in an answer, unless it is one to what was asked before the screen was opened. Where another picture is
// wanted by now, that is asked for.
func (p *pictures) take(m lookedAt) intent {
	if m.layer != p.asked.layer || m.area != p.asked.area {
		return nil
	}
	p.waiting, p.problem = false, ""
	if m.err != nil {
		p.problem = m.err.Error()
	} else {
		p.pic, p.has = m.picture, p.asked
	}
	if l := p.sel.layer(); l != nil && p.wanted(l) != p.asked && m.err == nil {
		return p.look()
	}
	return nil
}

// look asks for the weights that are shown.
func (p *pictures) look() intent {
	l := p.sel.layer()
	if l == nil || p.waiting {
		return nil
	}
	p.waiting, p.asked, p.due = true, p.wanted(l), p.ticks+lookEvery
	return send{session.Command{Kind: session.Look, Layer: l.Name, Area: p.asked.area}}
}

// lookAgain looks when the picture is old, or of something else than is shown.
func (p *pictures) lookAgain() intent {
	l := p.sel.layer()
	if l == nil {
		return nil
	}
	if p.wanted(l) != p.asked || p.ticks >= p.due && (p.pic == nil || p.pic.Iter != p.snap.Iter) {
		return p.look()
	}
	return nil
}

// hasFilters reports whether a layer's rows are made of kernels.
func hasFilters(l *session.LayerStats) bool { return l.Kernel[0] > 1 || l.Kernel[1] > 1 }

// channels is how many input channels a layer's filters have.
func channels(l *session.LayerStats) int {
	return max(1, l.Weights/max(1, l.Outputs*l.Kernel[0]*l.Kernel[1]))
}

// showsFilters reports whether a layer is to be shown by its filters.
func (p *pictures) showsFilters(l *session.LayerStats) bool { return p.filters && hasFilters(l) }

// wanted is the part of the weights that the screen has room for.
func (p *pictures) wanted(l *session.LayerStats) request {
	w, h := p.room()
	row, col := p.row.top, p.col.top
	if p.showsFilters(l) {
		size := l.Kernel[0] * l.Kernel[1]
		across, down := filterGrid(l, w, h)
		n := max(1, min(across*down, l.Outputs-row))
		area := session.Area{Row: row, Col: col * size, Rows: n, Cols: size, Height: n, Width: size}
		return request{l.Name, area, true}
	}
	rows := l.Outputs
	cols := l.Weights / max(1, rows)
	if pic := p.pic; pic != nil && pic.Layer == l.Name {
		rows, cols = pic.Rows, pic.Cols
	}
	high, wide := p.cellPixels()
	area := session.Area{
		Row:  clamp(row, rows-1),
		Col:  clamp(col, cols-1),
		Rows: max(1, rows>>p.zoom),
		Cols: max(1, cols>>p.zoom),
	}
	area.Rows, area.Cols = min(area.Rows, rows-area.Row), min(area.Cols, cols-area.Col)
	area.Height, area.Width = max(1, min(h*high, area.Rows)), max(1, min(w*wide, area.Cols))
	return request{l.Name, area, false}
}

// cellPixels is how many cells of a picture one of the terminal shows, down and across.
func (p *pictures) cellPixels() (h, w int) {
	switch p.theme.tier {
	case asciiTier:
		return 1, 1
	case brailleTier:
		return 4, 2
	}
	return 2, 1
}

// room is the room inside the frame, without the lines of text.
func (p *pictures) room() (w, h int) { return max(1, p.width-4), max(1, p.height-2-2-2) }

// filterGrid is how many filters stand beside and above each other. A weight is two cells wide, and half a cell high
// in blocks.
func filterGrid(l *session.LayerStats, w, h int) (across, down int) {
	return max(1, w/(2*l.Kernel[1]+2)), max(1, h/(l.Kernel[0]+1))
}

// scroll shows what is farther down, or right: of the map by a quarter of what is shown.
func (p *pictures) scroll(down, right int) {
	l := p.sel.layer()
	if l == nil {
		return
	}
	if p.showsFilters(l) {
		w, h := p.room()
		across, _ := filterGrid(l, w, h)
		p.row.reach((l.Outputs - 1) / across * across)
		p.row.scroll(down * across)
		p.col.reach(channels(l) - 1)
		p.col.scroll(right)
	} else if p.pic != nil {
		area := p.wanted(l).area
		p.row.reach(p.pic.Rows - area.Rows)
		p.row.scroll(down * max(1, area.Rows/4))
		p.col.reach(p.pic.Cols - area.Cols)
		p.col.scroll(right * max(1, area.Cols/4))
	}
}

// magnify shows half as much of the map, or twice as much, around its middle.
func (p *pictures) magnify(by int) intent {
	l := p.sel.layer()
	if l == nil || p.showsFilters(l) || p.pic == nil {
		return nil
	}
	deepest := 0
	for max(p.pic.Rows, p.pic.Cols)>>deepest > 4 {
		deepest++
	}
	before := p.wanted(l).area
	p.zoom = clamp(p.zoom+by, deepest)
	if p.zoom == 0 {
		p.row, p.col = list{}, list{}
		return p.look()
	}
	after := p.wanted(l).area
	p.row.reach(p.pic.Rows - 1)
	p.row.scroll((before.Rows - after.Rows) / 2)
	p.col.reach(p.pic.Cols - 1)
	p.col.scroll((before.Cols - after.Cols) / 2)
	return p.look()
}

// Arrange implements screen.
func (p *pictures) Arrange(w, h int) { p.w, p.h = w, h }

// View implements screen.
func (p *pictures) View() []string {
	t, l := &p.theme, p.sel.layer()
	if l == nil {
		return t.box("", []string{"no layer of this net can be pruned"}, p.w, p.h)
	}
	what := "map of the mask"
	if p.showsFilters(l) {
		what = "filters"
	}
	title := t.text(l.Name + "  " + what)
	pic := p.pic
	switch {
	case p.problem != "":
		return t.box(title, []string{t.warn.Render(" " + t.text(p.problem))}, p.w, p.h)
	case pic == nil || p.has.layer != l.Name || p.has.filters != p.showsFilters(l):
		return t.box(title, []string{" looking at the weights"}, p.w, p.h)
	}
	var lines []string
	a := pic.Area
	var legend string
	if p.has.filters {
		lines = t.drawFilters(l, pic, p.w-4)
		title += fmt.Sprintf(" %d to %d of %d, input channel %d of %d, iteration %s",
			a.Row+1, a.Row+a.Rows, l.Outputs, a.Col/max(1, a.Cols)+1, channels(l), human.Count(pic.Iter))
		legend = " " + t.weightCell(1, 1) + " positive  " + t.weightCell(1, -1) + " negative  " +
			t.weightCell(0, 0) + " pruned"
		legend = t.dim.Render(legend)
	} else {
		lines, legend = t.drawMap(pic), t.mapLegend(t.shadingOf(pic))
		title += fmt.Sprintf(", rows %d to %d of %d, columns %d to %d of %d, iteration %s",
			a.Row+1, a.Row+a.Rows, pic.Rows, a.Col+1, a.Col+a.Cols, pic.Cols, human.Count(pic.Iter))
	}
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	room := p.h - 3
	return t.box(title, append(padded(firstLines(lines, room), room), legend), p.w, p.h)
}
