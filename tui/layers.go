package tui

import (
	"fmt"
	"slices"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/session"
)

// layers is the table: one line a layer, a line for all.
func (m *mainScreen) layers(w, h int) []string {
	t := &m.theme
	inner := w - 2
	kept, total := m.snap.Kept()
	name, count := min(10, max(6, inner-29)), max(8, len(human.Count(total)))+1
	visible := m.sel.visible
	for _, i := range visible {
		name = max(name, min(ansi.StringWidth(m.theme.text(m.snap.Layers[i].Name))+1, inner/4))
	}
	showCount := inner >= 64
	rest := inner - 2 - name - 9 - 9 - 9 // cursor, name, kept, threshold, next
	if showCount {
		rest -= count + 1
	}
	barW := max(0, rest-4)
	row := func(cursor, n, weights, kept, bar, thr, next string) string {
		s := t.fit(cursor, 2) + t.fit(n, name)
		if showCount {
			s += t.fitRight(weights, count) + " "
		}
		s += t.fitRight(kept, 8) + " "
		if barW >= 3 {
			s += " " + bar + " "
		}
		return s + t.fitRight(thr, 9) + t.fitRight(next, 9)
	}
	head := row("", "layer", "weights", "kept", t.fit("sparsity", barW+2), "threshold", t.plain("→ next"))
	lines := []string{t.dim.Render(head)}
	from, to := m.table.window(len(visible), m.tableRows(h))
	for _, i := range visible[from:to] {
		l := &m.snap.Layers[i]
		kept := fraction(l.Kept, l.Weights)
		cursor, n := " ", t.text(l.Name)
		if m.choices.marks[l.Name] {
			cursor = t.warn.Render(t.glyph.on)
		}
		if l.Dead > 0 {
			n = t.fit(n, name-2) + t.warn.Render("!")
		}
		if i == m.sel.index {
			cursor, n = t.marked.Render(t.glyph.cursor)+cursor, t.marked.Render(t.fit(n, name))
		} else {
			cursor = " " + cursor
		}
		mark := -1.0
		if next, ok := m.choices.next(l); ok {
			mark = next
		}
		bar := t.glyph.barStart + t.bar(1-kept, barW, mark) + t.glyph.barEnd
		lines = append(lines,
			row(cursor, n, human.Count(l.Weights), percent(kept), bar, m.thresholdCell(l), m.nextCell(l)))
	}
	now, word, then := "dense", "", ""
	if kept > 0 && kept < total {
		now, word = fmt.Sprintf("%.1f ×", float64(total)/float64(kept)), " smaller"
	}
	isDue := func(l session.LayerStats) bool { _, ok := m.choices.next(&l); return ok }
	due := slices.ContainsFunc(m.snap.Layers, isDue)
	if a := m.snap.Autopilot; a != nil && !a.Done && len(m.choices.draft) == 0 {
		then = " → " + targetWords(&a.Descent)
	} else if n := m.choices.predictNet(); due && n.known && n.kept > 0 {
		then = fmt.Sprintf(" → %s, %.1f ×", percent(fraction(n.kept, n.total)), float64(n.total)/float64(n.kept))
		if inner >= 90 && m.snap.Exported > 0 {
			then += ", exported " + human.ShortBytes(m.snap.Exported)
		}
	}
	all := t.fit("", 2) + t.fit("all", name)
	if showCount {
		all += t.fitRight(human.Count(total), count) + " "
	}
	all += t.fitRight(percent(fraction(kept, total)), 8) + "  "
	if ansi.StringWidth(all+t.plain(now+word+then)) > inner {
		word = ""
	}
	lines = append(padded(lines, h-3), all+t.plain(now+word+then))
	title := "Layers"
	if a := m.snap.Autopilot; a != nil && !m.headerHasAutopilot() {
		title += "  " + a.Descent.Settings.Target.String() + ": " + stateWords(m.snap)
	}
	if m.sel.filter != "" {
		title += fmt.Sprintf("  /%s  %d of %d", m.sel.filter, len(visible), len(m.snap.Layers))
	}
	if m.choices.scope != thisLayer {
		title += "  changes are for " + m.choices.scope.String()
	}
	return t.box(t.plain(title), lines, w, h)
}

func fraction(n, of int) float64 { return float64(n) / float64(max(1, of)) }

// thresholdCell shows the threshold that is set, and marks one that is off or frozen.
func (m *mainScreen) thresholdCell(l *session.LayerStats) string {
	h := m.snap.Hyper.Layer(l.Name)
	switch {
	case !h.Prune:
		return "off"
	case h.MaskFrozen:
		return "frozen"
	case m.drives(l.Name):
		return m.theme.plain(fmt.Sprintf("»%.3f", h.Threshold))
	}
	return fmt.Sprintf("%.3f", h.Threshold)
}

// nextCell shows what next predicts.
func (m *mainScreen) nextCell(l *session.LayerStats) string {
	next, ok := m.choices.next(l)
	switch {
	case !ok && m.drives(l.Name) && !m.snap.State.Ended():
		return "found"
	case !ok:
		return "-"
	}
	_, drafted := m.choices.draft[l.Name]
	_, pending := m.choices.pendingThreshold(l)
	s := percent(next)
	switch {
	case next == 1:
		return m.theme.warn.Render("ALL !") // the layer would keep nothing
	case drafted:
		return "?" + s
	case pending:
		return "*" + s
	}
	return s
}
