package tui

import (
	"fmt"
	"strings"

	"dns-tui/model"
)

// layout places the parts for the size of the terminal.
//
//	below 30x8          a line of state, and a line for each layer there is room for
//	up to 99 wide       one column: layers, the selected layer, loss beside journal
//	100 and wider       two columns: layers and editor, plots and journal
func (a *App) layout(w, h int) []string {
	switch {
	case h < 8 || w < 30:
		return a.tiny(w, h)
	case w < 100:
		return a.narrow(w, h)
	}
	return a.wide(w, h)
}

// tiny says the most important things in what room there is.
func (a *App) tiny(w, h int) []string {
	kept, total := a.snap.Kept()
	lines := []string{fmt.Sprintf("%d %s %s", a.snap.Iter, number(a.snap.Smoothed), percent(share(kept, total)))}
	if a.snap.State != model.Running {
		lines[0] = a.snap.State.String() + " " + lines[0]
	}
	if a.mode != browsing || a.notice != "" {
		lines = append(lines, a.footer(w))
	}
	for i := range a.snap.Layers {
		l := &a.snap.Layers[i]
		mark := " "
		if i == a.selected {
			mark = a.theme.glyph.cursor
		}
		lines = append(lines, mark+l.Name+" "+percent(share(l.Kept, l.Weights)))
	}
	return lines[:min(len(lines), h)]
}

// layersHeight is the table's full height, frame and head included.
func (a *App) layersHeight() int { return len(a.snap.Layers) + 4 }

func (a *App) narrow(w, h int) []string {
	lines := []string{a.header(w)}
	rest := h - 2
	table := min(a.layersHeight(), max(5, rest*2/5))
	if rest < 8 {
		lines = append(lines, a.layers(w, rest)...)
		return append(lines, a.footer(w))
	}
	edit := min(6, rest-table)
	if spare := rest - table - edit; spare > 6 {
		edit += min(4, spare-6) // rows of the histogram
	}
	if edit >= 4 {
		lines = append(lines, a.layers(w, table)...)
		lines = append(lines, a.editor(w, edit)...)
	} else {
		lines = append(lines, a.layers(w, table+edit)...)
	}
	bottom := rest - table - edit
	switch {
	case bottom >= 14:
		half := bottom / 2
		lw := w / 2
		lines = append(lines, beside(a.lossPlot(lw, half, ""), a.accuracyPlot(w-lw, half))...)
		lines = append(lines, a.journal(w, bottom-half)...)
	case bottom >= 3 && w >= 50:
		lw := w * 2 / 5
		lines = append(lines, beside(a.lossAndAccuracy(lw, bottom), a.journal(w-lw, bottom))...)
	case bottom >= 3:
		lines = append(lines, a.journal(w, bottom)...)
	}
	for len(lines) < h-1 {
		lines = append(lines, "")
	}
	return append(lines[:h-1], a.footer(w))
}

func (a *App) wide(w, h int) []string {
	rest := h - 2
	if rest < 12 {
		return a.narrow(w, h)
	}
	lw := w * 3 / 5
	rw := w - lw
	table := min(a.layersHeight(), rest-7)
	edit := rest - table
	left := append(a.layers(lw, table), a.editor(lw, min(edit, 10))...)
	if spare := edit - min(edit, 10); spare > 0 {
		left = append(left, a.journal(lw, spare)...)
	}
	var right []string
	if spare := edit - min(edit, 10); spare > 0 {
		// The journal has moved to the left.
		half := rest / 2
		right = append(a.lossPlot(rw, half, ""), a.accuracyPlot(rw, rest-half)...)
	} else {
		third := rest / 3
		right = append(a.lossPlot(rw, third, ""), a.accuracyPlot(rw, third)...)
		right = append(right, a.journal(rw, rest-2*third)...)
	}
	lines := append([]string{a.header(w)}, beside(left, right)...)
	return append(lines, a.footer(w))
}

// help lists every key of the table.
func (a *App) help(w, h int) []string {
	t := &a.theme
	var items []string
	for _, b := range bindings {
		if b.help != "" {
			items = append(items, " "+t.title.Render(t.fit(t.plain(b.label), 10))+" "+b.help)
		}
	}
	rows := max(1, h-4)
	cols := (len(items) + rows - 1) / rows
	cw := max(1, (w-2)/max(1, cols))
	var lines []string
	for r := range min(rows, len(items)) {
		s := ""
		for c := range cols {
			if i := c*rows + r; i < len(items) {
				s += t.fit(items[i], cw)
			}
		}
		lines = append(lines, s)
	}
	lines = append(lines, "", t.dim.Render(t.plain(" In the table: ?95.0 % is predicted for the value you are choosing, *95.0 % for one that waits. Any key goes back.")))
	return t.box("Keys", lines, w, h)
}

// quitDialogue asks how to leave.
func (a *App) quitDialogue(w int) []string {
	t := &a.theme
	lines := []string{
		"",
		"  " + t.title.Render("s") + "  stop and write a snapshot",
		"  " + t.title.Render("a") + "  abandon: stop without one",
		"  " + t.title.Render("c") + "  cancel: go on",
		"",
	}
	if a.snap != nil && a.snap.Saved != "" {
		lines = append(lines, t.dim.Render("  last snapshot: "+a.snap.Saved))
	}
	bw := min(w, 46)
	pad := strings.Repeat(" ", max(0, (w-bw)/2))
	box := t.box("Leave?", lines, bw, len(lines)+2)
	for i := range box {
		box[i] = pad + box[i]
	}
	return box
}
