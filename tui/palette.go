package tui

import (
	"strings"
)

// paletteItems are the actions whose name, keys or help have every word of a text, those of this screen first.
func (a *App) paletteItems(text string) []*binding {
	var here, elsewhere []*binding
	words := strings.Fields(strings.ToLower(text))
	for i := range a.bindings {
		b := &a.bindings[i]
		all := strings.ToLower(b.name + " " + b.help)
		ok := b.name != "palette"
		for _, w := range words {
			ok = ok && strings.Contains(all, w)
		}
		switch {
		case !ok:
		case b.in&in(a.under) != 0:
			here = append(here, b)
		case b.in&in(browsing) != 0:
			elsewhere = append(elsewhere, b)
		}
	}
	return append(here, elsewhere...)
}

func (a *App) movePalette(down bool) {
	n := len(a.paletteItems(a.input.Value()))
	if down {
		a.item = min(a.item+1, n-1)
	} else {
		a.item = max(0, a.item-1)
	}
}

// palette is the box of actions above the line.
func (a *App) palette(w, h int) []string {
	t := &a.theme
	found := a.paletteItems(a.input.Value())
	rows := max(1, min(h-6, 14))
	top := max(0, min(a.item-rows/2, len(found)-rows))
	var lines []string
	for i := top; i < min(top+rows, len(found)); i++ {
		b := found[i]
		s := t.fit(" "+t.plain(b.name), 17) + t.fit(t.plain(b.label()), 12) + t.plain(b.help)
		if i == a.item {
			s = t.marked.Render(t.glyph.cursor) + t.marked.Render(s[1:])
		}
		lines = append(lines, s)
	}
	if len(found) == 0 {
		lines = append(lines, " no action has this")
	}
	return t.centred("Actions", lines, min(w, 76), w)
}
