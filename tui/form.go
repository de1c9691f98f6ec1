package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/model/session"
)

// form lists every setting that can be changed while the run goes on, with what waits and what is planned for it.
func (a *App) form(w, h int) []string {
	t := &a.theme
	fields := a.snap.Hyper.Fields()
	a.item = max(0, min(a.item, len(fields)-1))
	name, room := 12, min(12, max(7, (w-4)/3))
	for _, f := range fields {
		name = max(name, ansi.StringWidth(t.text(f))+1)
	}
	name = max(1, min(name, w-4-room))
	rows := max(1, h-2)
	explains := rows >= 5
	if explains {
		rows--
	}
	top := max(0, min(a.item-rows/2, len(fields)-rows))
	var lines []string
	for i := top; i < min(top+rows, len(fields)); i++ {
		value, _ := a.snap.Hyper.Get(fields[i])
		note := ""
		if v, ok := a.snap.PendingValue(fields[i]); ok {
			note = t.warn.Render(t.text("→ " + v + " pending"))
		}
		for _, p := range a.snap.Plans {
			if p.Field == fields[i] {
				note += "  " + t.text(fmt.Sprintf("plan %d: %s", p.ID, p))
			}
		}
		cursor, n := "  ", t.fit(t.text(fields[i]), name)
		if i == a.item {
			cursor, n = t.marked.Render(t.glyph.cursor)+" ", t.marked.Render(n)
		}
		line := cursor + n + t.fitRight(t.text(value), room)
		if note != "" {
			line += "  " + note
		}
		lines = append(lines, line)
	}
	if explains {
		lines = append(filled(lines, rows), " "+t.dim.Render(t.text(a.snap.Hyper.Meaning(fields[a.item]))))
	}
	return t.box("Settings", lines, w, h)
}

func (a *App) moveField(by int) { a.item += by }

func (a *App) editField() tea.Cmd {
	fields := a.snap.Hyper.Fields()
	a.field = fields[max(0, min(a.item, len(fields)-1))]
	old, _ := a.snap.Hyper.Get(a.field)
	if old == "on" || old == "off" { // two values need no typing
		return a.do(
			session.Command{Kind: session.Set, Field: a.field, Value: map[string]string{"on": "off", "off": "on"}[old]},
		)
	}
	return a.startLine(editing, a.field+": ", old, nil)
}
