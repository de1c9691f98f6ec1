package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"dns-tui/config/configpb"
)

// mainScreen has the layers, the editor of the selected one, plots, and the newest of the journal.
type mainScreen struct {
	*env
	keys    *mainKeys
	sel     *selection
	choices *choices
	editor  editor
	plotter plotter
	table   list // of the layers
	panes   []pane
	h       int
}

// mainKeys are the main screen's own keys.
type mainKeys struct {
	Up, Down, Lower, Higher, MuchLower, MuchHigher, Handle, Type, Apply, ApplyAll, Drop, DropAll, Mark, MarkUp,
	MarkDown,
	MarkRange, Scope, Copy, Paste, Filter, Order, Prune, FreezeMask, FreezeWeights binding
}

func defaultMainKeys() mainKeys {
	return mainKeys{
		Up:         act("up", "the layer above", "up", "k"),
		Down:       act("down", "the layer below", "down", "j"),
		Lower:      act("lower", "the handle a little down", "left", "h").steer(),
		Higher:     act("higher", "the handle a little up", "right", "l").steer(),
		MuchLower:  act("much-lower", "the handle down, ten times as far", "shift+left", "H").steer(),
		MuchHigher: act("much-higher", "the handle up, ten times as far", "shift+right", "L").steer(),
		Handle:     act("handle", "the next handle: threshold, sparsity, weights kept", "tab").steer(),
		Type:       act("type", "type the handle's value; the others follow", "e", "=").footer("type").steer(),
		Apply:      act("apply", "apply what was chosen, at the layers' next surgery", "enter").footer("apply").steer(),
		ApplyAll:   act("apply-all", "apply all that was chosen, in whatever layer", "E").steer(),
		Drop:       act("drop", "drop what was chosen; then the filter, then the marks", "esc"),
		DropAll:    act("drop-all", "drop all that was chosen", "D").steer(),
		Mark:       act("mark", "mark this layer", "m").steer(),
		MarkUp:     act("mark-up", "mark this layer and the one above", "shift+up", "K").steer(),
		MarkDown:   act("mark-down", "mark this layer and the one below", "shift+down").steer(),
		MarkRange:  act("mark-range", "mark from the layer that was marked last to here", "V").steer(),
		Scope: act("scope",
			"what a change is for: this layer, those marked, all convolutions, all inner products, all", "M",
		).footer("scope").steer(),
		Copy:          act("copy", "copy this layer's threshold", "y").steer(),
		Paste:         act("paste", "choose the copied threshold here", "Y").steer(),
		Filter:        act("filter", "show the layers whose name has a text", "/"),
		Order:         act("order", "sort the layers: as in the net, by size, kept, change", "O"),
		Prune:         act("prune", "prune, or leave out of surgery", "p").steer(),
		FreezeMask:    act("freeze-mask", "freeze the mask, or let it go", "f").steer(),
		FreezeWeights: act("freeze-weights", "freeze the weights, or let them train", "w").steer(),
	}
}

func newMainScreen(e *env, k *keyMap, sel *selection) *mainScreen {
	c := newChoices(e, k, sel)
	return &mainScreen{env: e, keys: &k.Main, sel: sel, choices: c, editor: editor{e, sel, c}, plotter: plotter{e, sel}}
}

// Update implements screen.
func (m *mainScreen) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case action:
		switch msg.binding {
		case &m.keys.Up:
			m.sel.move(-1)
		case &m.keys.Down:
			m.sel.move(1)
		case &m.keys.Order:
			return notice{text: "layers " + m.sel.nextOrder()}
		case &m.keys.Filter:
			return typeLine{purpose: filterLine{sel: m.sel}, value: m.sel.filter}
		default:
			return m.choices.act(msg.binding)
		}
	case travel:
		if !m.tiny() {
			m.sel.move(msg.by(m.tableRows(m.panes[0].h)))
		}
	case choose:
		if l := m.snap.Layer(msg.layer); l != nil {
			m.choices.choose(l, msg.threshold)
		}
	case measure:
		return m.weigh(msg.typed)
	case tea.MouseMsg:
		m.mouse(msg)
	}
	return nil
}

// mouse selects layers by clicks and the wheel, and moves the slider's handle.
func (m *mainScreen) mouse(msg tea.MouseMsg) {
	e := msg.Mouse()
	switch e.Button {
	case tea.MouseWheelUp:
		m.sel.move(-1)
	case tea.MouseWheelDown:
		m.sel.move(1)
	case tea.MouseLeft:
		if _, ok := msg.(tea.MouseReleaseMsg); ok {
			return
		}
		for _, p := range m.panes {
			if x, y, ok := p.inside(e.X, e.Y-1); ok { // below the header
				m.click(p, x, y)
			}
		}
	}
}

// click is on a cell of a pane, counted from its corner.
func (m *mainScreen) click(p pane, x, y int) {
	switch {
	case p.shows == tablePane:
		from, to := m.table.window(len(m.sel.visible), m.tableRows(p.h))
		if i := from + y - 2; y >= 2 && i < to { // below the frame and the head
			m.sel.index = m.sel.visible[i]
		}
	case p.shows == editorPane && y == 1 && m.can(&m.keys.Lower):
		m.editor.click(x-2, p.w-4) // inside the frame and the margin
	}
}

// Arrange implements screen: it places the parts for the size of the terminal.
//
//	up to 99 wide       one column: layers, the selected layer, loss beside journal
//	100 and wider       two columns: layers and editor, plots and journal
func (m *mainScreen) Arrange(w, h int) {
	m.h, m.panes, m.table = h, m.panes[:0], m.sel.list
	if m.tiny() {
		return
	}
	if w < 100 || h < 12 {
		m.narrow(w, h)
	} else {
		m.wide(w, h)
	}
	m.table.fit(len(m.sel.visible), m.tableRows(m.panes[0].h))
}

// View implements screen.
func (m *mainScreen) View() []string {
	if m.tiny() {
		return m.smallest()
	}
	lines := make([]string, m.h)
	for _, p := range m.panes {
		for i, l := range m.draw(p) { // panes stand in the order of their columns
			lines[p.y+i] += l
		}
	}
	return lines
}

// draw draws a pane.
func (m *mainScreen) draw(p pane) []string {
	switch p.shows {
	case tablePane:
		return m.layers(p.w, p.h)
	case editorPane:
		return m.editor.View(p.w, p.h)
	case journalPane:
		return journalPaneView(m.env, p.w, p.h)
	}
	note := ""
	if _, v, ok := m.snap.Accuracy.Last(); ok && p.accuracy && p.plot != configpb.Preferences_ACCURACY {
		note = fmt.Sprintf("acc %.2f %%", 100*v)
	}
	return m.plotter.box(p.plot, p.w, p.h, note)
}

// smallest says the most important things in what room there is.
func (m *mainScreen) smallest() []string {
	s := m.snap
	kept, total := s.Kept()
	first := fmt.Sprintf("%d %s %s", s.Iter, number(s.Smoothed), percent(1-fraction(kept, total)))
	if state := m.stateNow(); state != "" {
		first = m.theme.plain(state) + " " + first
	}
	lines := []string{first}
	for _, i := range m.sel.visible {
		l := &s.Layers[i]
		mark := " "
		if i == m.sel.index {
			mark = m.theme.glyph.cursor
		}
		lines = append(lines, mark+m.theme.text(l.Name)+" "+percent(1-fraction(l.Kept, l.Weights)))
	}
	return lines
}

// Kinds of panes.
const (
	tablePane = iota
	editorPane
	journalPane
	plotPane
)

// pane is a part of the main screen, and where it is.
type pane struct {
	shows      int
	x, y, w, h int
	plot       plotKind
	accuracy   bool // the plot's title says the accuracy too
}

// inside is where in the pane a cell of the screen is.
func (p pane) inside(x, y int) (int, int, bool) {
	x, y = x-p.x, y-p.y
	return x, y, x >= 0 && x < p.w && y >= 0 && y < p.h
}

// put places a pane.
func (m *mainScreen) put(shows, x, y, w, h int) {
	m.panes = append(m.panes, pane{shows: shows, x: x, y: y, w: w, h: h})
}

func (m *mainScreen) putPlot(k plotKind, x, y, w, h int, accuracy bool) {
	m.panes = append(m.panes, pane{shows: plotPane, x: x, y: y, w: w, h: h, plot: k, accuracy: accuracy})
}

// tableHeight is the table's full height, frame and head included.
func (m *mainScreen) tableHeight() int { return len(m.snap.Layers) + 4 }

// tableRows is how many layers a table of a height shows.
func (m *mainScreen) tableRows(h int) int { return max(1, h-4) }

// narrow places the parts in one column.
func (m *mainScreen) narrow(w, h int) {
	if h < 8 {
		m.put(tablePane, 0, 0, w, h)
		return
	}
	table := min(m.tableHeight(), max(5, h*2/5))
	edit := min(6, h-table)
	if spare := h - table - edit; spare > 6 {
		edit += min(7, spare-6) // rows of the histogram, and what surgery did
	}
	y := table + edit
	if edit >= 4 {
		m.put(tablePane, 0, 0, w, table)
		m.put(editorPane, 0, table, w, edit)
	} else {
		m.put(tablePane, 0, 0, w, y)
	}
	bottom, plots := h-y, m.prefs.Plot
	switch {
	case bottom >= 14 && len(plots) == 1:
		m.putPlot(plots[0], 0, y, w, bottom/2, false)
		m.put(journalPane, 0, y+bottom/2, w, bottom-bottom/2)
	case bottom >= 14:
		m.putPlot(plots[0], 0, y, w/2, bottom/2, false)
		m.putPlot(plots[1], w/2, y, w-w/2, bottom/2, false)
		m.put(journalPane, 0, y+bottom/2, w, bottom-bottom/2)
	case bottom >= 3 && w >= 50:
		left := w * 2 / 5
		m.putPlot(plots[0], 0, y, left, bottom, true)
		m.put(journalPane, left, y, w-left, bottom)
	case bottom >= 3:
		m.put(journalPane, 0, y, w, bottom)
	}
}

// editorRoom is the most lines that the editor of a wide terminal takes.
const editorRoom = 16

// wide places them in two columns.
func (m *mainScreen) wide(w, h int) {
	left := w * 5 / 8
	right := w - left
	table := min(m.tableHeight(), h-7)
	edit := min(h-table, editorRoom)
	below := h - table - edit
	if below > 0 && below < 6 { // too little for the journal
		edit, below = edit+below, 0
	}
	m.put(tablePane, 0, 0, left, table)
	m.put(editorPane, 0, table, left, edit)
	n := len(m.prefs.Plot)
	if below > 0 {
		m.put(journalPane, 0, table+edit, left, below)
	} else {
		n++ // the journal stands below the plots
	}
	y := 0
	for i, k := range m.prefs.Plot {
		high := (h - y) / (n - i)
		m.putPlot(k, left, y, right, high, false)
		y += high
	}
	if below == 0 {
		m.put(journalPane, left, y, right, h-y)
	}
}
