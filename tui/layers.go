package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// tableColumns are the widths of the table's columns; 0: there is no room for one.
type tableColumns struct {
	name, weights, kept, bar, sparsity, next, threshold, state int
}

// Widths of columns of the table. A threshold has room for the one that is to come beside the one of now, where there
// is room for words.
const (
	sparsityWidth  = 9
	nextWidth      = 10
	thresholdWidth = 12
	briefThreshold = 8
	stateWidth     = 15
	nameWidth      = 8
	countWidth     = 8
	cursorWidth    = 2
	leastBar       = 7
	warningWidth   = 5 // " !269"
)

// tableColumns lays the table out: now and next stand side by side in the same terms, what has no room is left out
// from the least important on.
func (m *mainScreen) tableColumns(inner int) tableColumns {
	_, total := m.snap.Kept()
	count := max(countWidth, len(human.Count(total))+1)
	c := tableColumns{sparsity: sparsityWidth, next: nextWidth, threshold: thresholdWidth}
	for _, i := range m.sel.visible {
		c.name = max(c.name, ansi.StringWidth(m.theme.text(m.snap.Layers[i].Name))+warningWidth)
	}
	c.name = max(nameWidth, min(c.name, inner/4))
	spare := inner - cursorWidth - c.name - c.sparsity - c.next - c.threshold
	if spare < count+stateWidth { // words before the threshold of now beside the one to come
		spare += c.threshold - briefThreshold
		c.threshold = briefThreshold
	}
	if spare < 0 {
		c.name = max(1, c.name+spare)
	}
	for _, column := range []struct {
		width      *int
		wants, and int // and: room that must be left
	}{{&c.kept, count, 0}, {&c.state, stateWidth, 0}, {&c.weights, count, leastBar}} {
		if spare-column.wants >= column.and {
			*column.width = column.wants
			spare -= column.wants
		}
	}
	if spare >= leastBar {
		c.bar = min(spare, 40)
	}
	return c
}

// row is a line of the table.
func (c *tableColumns) row(t *theme, cursor, name, weights, kept, bar, sparsity, next, threshold, state string) string {
	var s strings.Builder
	s.WriteString(t.fit(cursor, cursorWidth) + t.fit(name, c.name))
	s.WriteString(t.fitRight(weights, c.weights) + t.fitRight(kept, c.kept))
	if c.bar > 0 {
		s.WriteString(t.fit(" "+bar, c.bar))
	}
	s.WriteString(t.fitRight(sparsity, c.sparsity) + t.fitRight(next, c.next) + t.fitRight(threshold, c.threshold))
	if c.state > 0 {
		s.WriteString(t.fit(" "+state, c.state))
	}
	return s.String()
}

// layers is the table: one line a layer, a line for all.
func (m *mainScreen) layers(w, h int) []string {
	t, inner := &m.theme, w-2
	c, visible := m.tableColumns(inner), m.sel.visible
	threshold := "threshold"
	if c.threshold < len(threshold) {
		threshold = "thresh."
	}
	head := c.row(t, "", "layer", "weights", "kept", "", "sparsity", t.plain("→ next"), threshold,
		"state")
	lines := []string{t.dim.Render(head)}
	from, to := m.table.window(len(visible), m.tableRows(h))
	for _, i := range visible[from:to] {
		lines = append(lines, m.layerRow(&c, i))
	}
	lines = append(padded(lines, h-3), m.allRow(&c))
	return t.footed(t.box(t.plain(m.layersTitle()), lines, w, h), m.netCost(), w)
}

// layersTitle says what the table shows, and what is chosen in it.
func (m *mainScreen) layersTitle() string {
	t := &m.theme
	title := titled("Layers", m.table.position(m.tableRows(m.panes[0].h)))
	if a := m.snap.Autopilot; a != nil && !m.headerHasAutopilot() {
		title += "  " + a.Descent.Settings.Target.String() + ": " + stateWords(m.snap)
	}
	if m.sel.filter != "" {
		title += fmt.Sprintf("  /%s  %d of %d", t.text(m.sel.filter), len(m.sel.visible), len(m.snap.Layers))
	}
	if m.sel.order != inNet {
		title += "  by " + m.sel.order.String()
	}
	if m.choices.scope != thisLayer {
		title += "  changes are for " + m.choices.scope.String()
	}
	if text := m.previewWords(); text != "" {
		title += "  " + text
	}
	return title
}

// previewWords count the thresholds that are chosen and not sent, say how to send or drop them all, and warn of what
// all of them would do together.
func (m *mainScreen) previewWords() string {
	n, k := len(m.choices.draft), m.keys
	if n == 0 {
		return ""
	}
	text := count(n, "preview")
	if way := m.naming(": %s applies all, %s drops all", &k.ApplyAll, &k.DropAll); n > 1 {
		text += way
	}
	die, layers := 0, 0
	for i := range m.snap.Layers {
		if d := m.choices.dying(&m.snap.Layers[i]); d > 0 {
			die, layers = die+d, layers+1
		}
	}
	if die > 0 {
		text += fmt.Sprintf("  ! %s would die in %s", count(die, "output"), count(layers, "layer"))
	}
	return text
}

// layerRow is the line of a layer.
func (m *mainScreen) layerRow(c *tableColumns, i int) string {
	t, l := &m.theme, &m.snap.Layers[i]
	s, kept := m.choices.standing(l), fraction(l.Kept, l.Weights)
	cursor, name := " ", t.text(l.Name)
	if m.choices.marks[l.Name] {
		cursor = t.warn.Render(t.glyph.on)
	}
	if w := m.warning(l); w != "" {
		name = t.fit(name, max(0, c.name-len(w))) + t.warn.Render(w)
	}
	if i == m.sel.index {
		cursor, name = t.marked.Render(t.glyph.cursor)+cursor, t.marked.Render(t.fit(name, c.name))
	} else {
		cursor = " " + cursor
	}
	mark := -1.0
	if s.comes {
		mark = s.next
	}
	bar := ""
	if c.bar > 0 {
		bar = t.glyph.barStart + t.bar(1-kept, c.bar-3, mark) + t.glyph.barEnd
	}
	return c.row(t, cursor, name, human.Count(l.Weights), human.Count(l.Kept), bar, percent(1-kept),
		m.nextCell(l, s, c), m.thresholdCell(l, s, c), m.stateCell(s))
}

// warning counts the outputs of a layer that have no weight, or would have none after the next surgery: it stands
// behind the layer's name, with a space between; "" of none.
func (m *mainScreen) warning(l *session.LayerStats) string {
	n := max(0, l.Dead) + m.choices.dying(l)
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" !%d", n)
}

// allRow is the line of the whole net, with all that is chosen and pending.
func (m *mainScreen) allRow(c *tableColumns) string {
	t := &m.theme
	kept, total := m.snap.Kept()
	now, next, times, then := percent(1-fraction(kept, total)), "", timesText(kept, total), ""
	isDue := func(l session.LayerStats) bool { _, ok := m.choices.next(&l); return ok }
	if a := m.snap.Autopilot; a != nil && !a.Done && !m.anyChosen() {
		then = " → " + a.Descent.Settings.Target.String()
	} else if n := m.choices.predictNet(); n.known && n.kept > 0 && slices.ContainsFunc(m.snap.Layers, isDue) {
		next = t.plain("→") + " " + percent(1-fraction(n.kept, n.total))
		then = " → " + timesText(n.kept, n.total)
	}
	// What follows the percentages has the rest of the line.
	short := *c
	short.threshold, short.state = 0, 0
	line := short.row(t, "", "all", human.Count(total), human.Count(kept), "", now, next, "", "")
	room := max(0, c.threshold+c.state-2)
	if both := t.plain(times + then); ansi.StringWidth(both) <= room {
		times = both
	}
	return line + "  " + t.fit(t.plain(times), room)
}

// anyChosen reports whether some threshold is chosen, sent or pending.
func (m *mainScreen) anyChosen() bool {
	return slices.ContainsFunc(m.snap.Layers, func(l session.LayerStats) bool {
		state, _ := m.choices.state(&l)
		return state.isChosen()
	})
}

// timesText is how many times smaller the weights kept are.
func timesText(kept, total int) string {
	if kept <= 0 || kept >= total {
		return "dense"
	}
	return fmt.Sprintf("%.4g×", autopilot.TimesSmaller(kept, total))
}

func fraction(n, of int) float64 { return float64(n) / float64(max(1, of)) }

// thresholdCell shows the threshold that is set, and the one that is chosen, sent or pending.
func (m *mainScreen) thresholdCell(l *session.LayerStats, s standing, c *tableColumns) string {
	t, words := &m.theme, c.state > 0
	now := fmt.Sprintf("%.3f", m.snap.Hyper.Layer(l.Name).Threshold)
	switch {
	case s.state == driven:
		return t.plain("»" + now)
	case !words && (s.state == off || s.state == frozen):
		return s.state.String()
	case words && s.state.isChosen():
		then := fmt.Sprintf("%.3f", m.choices.threshold(l))
		if both := t.plain(now + "→" + then); ansi.StringWidth(both) < c.threshold {
			return both
		}
		return then
	}
	return now
}

// nextCell shows what next predicts; without a column for the state with a mark of it.
func (m *mainScreen) nextCell(l *session.LayerStats, s standing, c *tableColumns) string {
	switch {
	case !s.comes && m.drives(l.Name) && !m.snap.State.Ended():
		return "found"
	case !s.comes:
		return "-"
	case s.next == 1:
		return m.theme.warn.Render("ALL !") // the layer would keep nothing
	case c.state > 0:
		return percent(s.next)
	}
	return s.state.mark() + percent(s.next)
}
