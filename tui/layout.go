package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// main places the parts of the main screen for the size of the terminal; tiny serves those that are smaller.
//
//	up to 99 wide       one column: layers, the selected layer, loss beside journal
//	100 and wider       two columns: layers and editor, plots and journal
func (a *App) main(w, h int) []string {
	if w < 100 {
		return a.narrow(w, h)
	}
	return a.wide(w, h)
}

// tiny says the most important things in what room there is.
func (a *App) tiny(w, h int) []string {
	kept, total := a.snap.Kept()
	lines := []string{fmt.Sprintf("%d %s %s", a.snap.Iter, number(a.snap.Smoothed), percent(share(kept, total)))}
	if a.snap.State != session.Running {
		lines[0] = a.snap.State.String() + " " + lines[0]
	}
	if a.mode != browsing || a.notice != "" {
		lines = append([]string{a.footer(w)}, lines...)
	}
	for _, i := range a.visible() {
		l := &a.snap.Layers[i]
		mark := " "
		if i == a.selected {
			mark = a.theme.glyph.cursor
		}
		lines = append(lines, mark+a.theme.text(l.Name)+" "+percent(share(l.Kept, l.Weights)))
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
		return append(append(lines, a.table(w, rest, 1)...), a.footer(w))
	}
	edit := min(6, rest-table)
	if spare := rest - table - edit; spare > 6 {
		edit += min(7, spare-6) // rows of the histogram, and what surgery did
	}
	if edit >= 4 {
		lines = append(lines, a.table(w, table, 1)...)
		lines = append(lines, a.editorAt(w, edit, 1+table)...)
	} else {
		lines = append(lines, a.table(w, table+edit, 1)...)
	}
	bottom := rest - table - edit
	plots := a.opts.Preferences.Plot
	switch {
	case bottom >= 14:
		half := bottom / 2
		lines = append(lines, a.plotsBeside(plots, w, half)...)
		lines = append(lines, a.journal(w, bottom-half)...)
	case bottom >= 3 && w >= 50:
		lw := w * 2 / 5
		note := ""
		if _, v, ok := a.snap.Accuracy.Last(); ok && plots[0] != configpb.Preferences_ACCURACY {
			note = fmt.Sprintf("  acc %.2f %%", 100*v)
		}
		lines = append(lines, beside(a.plotBox(plots[0], lw, bottom, note), a.journal(w-lw, bottom))...)
	case bottom >= 3:
		lines = append(lines, a.journal(w, bottom)...)
	}
	return append(filled(lines, h-1)[:h-1], a.footer(w))
}

// plotsBeside shows the first two plots, or the only one.
func (a *App) plotsBeside(plots []plotKind, w, h int) []string {
	if len(plots) == 1 {
		return a.plotBox(plots[0], w, h, "")
	}
	return beside(a.plotBox(plots[0], w/2, h, ""), a.plotBox(plots[1], w-w/2, h, ""))
}

// editorRoom is the most lines that the editor of a wide terminal takes.
const editorRoom = 16

func (a *App) wide(w, h int) []string {
	rest := h - 2
	if rest < 12 {
		return a.narrow(w, h)
	}
	lw := w * 3 / 5
	rw := w - lw
	table := min(a.layersHeight(), rest-7)
	edit := min(rest-table, editorRoom)
	below := rest - table - edit
	if below > 0 && below < 6 { // too little for the journal
		edit, below = edit+below, 0
	}
	left := append(a.table(lw, table, 1), a.editorAt(lw, edit, 1+table)...)
	n := len(a.opts.Preferences.Plot)
	if below > 0 {
		left = append(left, a.journal(lw, below)...)
	} else {
		n++ // the journal stands below the plots
	}
	var right []string
	for i, k := range a.opts.Preferences.Plot {
		right = append(right, a.plotBox(k, rw, (rest-len(right))/(n-i), "")...)
	}
	if below == 0 {
		right = append(right, a.journal(rw, rest-len(right))...)
	}
	return append(append([]string{a.header(w)}, beside(left, right)...), a.footer(w))
}

// table is the layers at a line of the screen.
func (a *App) table(w, h, line int) []string {
	a.layout.top, a.layout.right = line, w
	return a.layers(w, h)
}

// editorAt is the editor at a line of the screen.
func (a *App) editorAt(w, h, line int) []string {
	a.layout.sliderAt = line + 1
	return a.editor(w, h)
}

// screens are the groups of the help.
var screens = []struct {
	of    mode
	title string
}{{browsing, "Main screen"}, {plotting, "Plots"}, {picturing, "Filters and masks"}, {sensing, "Sensitivity"}, {forming, "Settings"}, {returning, "Plans and states"},
	{reading, "Journal"}}

// helpLines lists every key of the table, by screen: an action is told once, at the first that has it.
func (a *App) helpLines() []string {
	t := &a.theme
	var lines []string
	told := map[string]bool{}
	for _, s := range screens {
		lines = append(lines, t.title.Render(s.title))
		for i := range a.bindings {
			b := &a.bindings[i]
			if b.in&in(s.of) == 0 || told[b.name] && s.of != browsing || len(b.keys) == 0 {
				continue
			}
			told[b.name] = true
			lines = append(lines, " "+t.title.Render(t.fit(t.plain(b.label()), 11))+" "+t.plain(b.help))
		}
	}
	return append(
		lines,
		"",
		t.dim.Render("In the table: ?95.0 % is predicted for the value that"),
		t.dim.Render("you are choosing, *95.0 % for one that waits. On a bar"),
		t.dim.Render(t.plain("the mark "+t.glyph.mark+" is that prediction; ! is a layer with dead outputs.")),
	)
}

// help shows the keys in as many columns as there is room for; where that is not enough it scrolls.
func (a *App) help(w, h int) []string {
	t := &a.theme
	items := a.helpLines()
	rows := max(1, h-2)
	cols := max(1, (w-2)/58)
	cw := max(1, (w-2)/cols)
	a.top = max(0, min(a.top, len(items)-rows*cols))
	items = items[a.top:]
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
	return t.box(t.plain("Keys  ↑↓ scrolls, any other key goes back"), lines, w, h)
}

// quitDialogue asks how to leave.
func (a *App) quitDialogue(w int) []string {
	t := &a.theme
	if a.opts.ReadOnly {
		lines := []string{
			"",
			"  " + t.title.Render("d") + "  leave; the run goes on",
			"  " + t.title.Render("c") + "  cancel: stay",
			"",
		}
		return a.theme.centred("Leave?", lines, min(w, 54), w)
	}
	lines := []string{
		"",
		"  " + t.title.Render("s") + "  stop and write a snapshot",
		"  " + t.title.Render("a") + "  abandon: stop without one",
		"  " + t.title.Render("d") + "  detach: the run goes on without this terminal",
		"  " + t.title.Render("c") + "  cancel: stay",
		"",
	}
	if a.snap != nil {
		lines[1] += t.text(", " + a.stopsAs() + ".*")
		lines = append(lines, t.dim.Render("  ctrl+c once more stops with that snapshot"))
		if a.snap.Unsaved > 0 {
			lines = append(lines, t.dim.Render(t.text("  not in any snapshot: "+count(a.snap.Unsaved, "iteration"))))
		}
		if a.snap.Saved != "" {
			lines = append(lines, t.dim.Render("  last snapshot: "+t.text(a.snap.Saved)))
		}
	}
	return a.theme.centred("Leave?", lines, min(w, 60), w)
}

// footer is the last line: the line that is typed, the answer to the last command, a problem, or the keys.
func (a *App) footer(w int) string {
	t := &a.theme
	switch {
	case a.mode.types() && a.notice != "" && w > 40: // what is wrong with what is typed
		return t.fit(t.fit(a.input.View(), w/2)+" "+t.warn.Render(t.text(a.notice)), w)
	case a.mode.types():
		return t.fit(a.input.View(), w)
	case a.notice != "" && a.noticeBad:
		return t.fit(t.warn.Render(t.text(" "+a.notice)), w)
	case a.notice != "":
		return t.fit(t.text(" "+a.notice), w)
	case a.snap.Problem != "":
		return t.fit(t.warn.Render(t.text(" "+a.snap.Problem)), w)
	case a.snap.Trouble != "" && a.mode == browsing:
		return t.fit(t.warn.Render(t.text(" "+a.snap.Trouble+"  (:snapshot_prefix DIR/NAME saves elsewhere)")), w)
	case a.opts.ReadOnly && a.mode == browsing && w < 60:
		return t.fit(" reading only", w)
	}
	return t.fit(a.footerKeys(w), w)
}

// footerKeys names the keys of the screen. Help and quit, or back, have the last word where not everything fits.
func (a *App) footerKeys(w int) string {
	t := &a.theme
	of := a.mode
	item := func(label, text string) string { return " " + t.title.Render(t.plain(label)) + " " + text + " " }
	if of == quitting && !a.opts.ReadOnly {
		if w < 42 {
			return " leave? s a d c"
		}
		return item("s", "save") + item("a", "abandon") + item("d", "detach") + item("c", "cancel")
	} else if of == asking {
		return t.fit(" "+t.title.Render("y")+" "+t.text(a.question.yes)+"  "+t.title.Render("c")+" cancel", w)
	} else if of == quitting {
		return item("d", "leave") + item("c", "cancel")
	}
	var last, s string
	ends := func(b *binding) bool { return b.name == "help" || b.name == "quit" || b.name == "back" }
	for i := range a.bindings {
		if b := &a.bindings[i]; b.in&in(of) != 0 && b.short != "" && ends(b) && len(b.keys) > 0 {
			last += item(strings.Fields(b.label())[0], b.short)
		}
	}
	room := w - ansi.StringWidth(last)
	add := func(text string) {
		if room -= ansi.StringWidth(text); room >= 0 {
			s += text
		} else {
			room = 0
		}
	}
	if a.opts.ReadOnly && of == browsing {
		add(t.warn.Render(" reading only "))
	}
	for _, f := range footerHints {
		if f.in == of {
			add(item(f.label, f.text))
		}
	}
	for i := range a.bindings {
		b := &a.bindings[i]
		if b.in&in(of) != 0 && b.short != "" && !ends(b) && len(b.keys) > 0 && !(a.opts.ReadOnly && b.steers) {
			add(item(strings.Fields(b.label())[0], b.short))
		}
	}
	return s + last
}
