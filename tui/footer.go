package tui

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// footerHints stand in the footer for several bindings.
var footerHints = []struct {
	in          screenID
	label, text string
	steers      bool
}{
	{mainID, "↑↓", "layer", false}, {mainID, "←→", "threshold", true}, {mainID, "1-5", "presets", true},
	{plotsID, "←→", "cursor", false}, {plotsID, "+-", "zoom", false},
	{picturesID, "↑↓←→", "scroll", false}, {picturesID, "+-", "zoom", false},
	{sensitivityID, "↑↓", "layer", false}, {sensitivityID, "←→", "point", false},
	{autopilotID, "↑↓", "choose", false}, {frontierID, "↑↓", "branch", false},
	{settingsID, "↑↓", "field", false}, {restoreID, "↑↓", "choose", false},
	{journalID, "↑↓", "scroll", false}, {helpID, "↑↓", "scroll", false},
}

// footer is the last line: the line that is typed, the answer to the last command, a problem, or the keys.
func (a *App) footer() string {
	t, w := &a.theme, a.width
	idle := a.open == mainID && a.dialog == nil
	switch {
	case a.line != nil && a.notice.text != "" && w > 40: // what is wrong with what is typed
		return t.fit(a.line.View(), w/2) + " " + t.warn.Render(t.text(a.notice.text))
	case a.line != nil && a.notice.bad: // until the next key
		return t.warn.Render(t.text(a.notice.text))
	case a.line != nil:
		return a.line.View()
	case a.notice.text != "" && a.notice.bad:
		return t.warn.Render(t.text(" " + a.notice.text))
	case a.notice.text != "":
		return t.text(" " + a.notice.text)
	case a.snap.Problem != "":
		return t.warn.Render(t.text(" " + a.snap.Problem))
	case a.snap.WriteProblem != "" && idle:
		return t.warn.Render(t.text(" " + a.snap.WriteProblem + "  (:snapshot_prefix DIR/NAME saves elsewhere)"))
	case a.readOnly && idle && w < 60:
		return " read-only"
	case a.dialog != nil:
		return a.dialog.footer(w)
	}
	return a.footerKeys(a.keys, a.open, w)
}

// footerKeys names the keys of a screen by their importance: on the main screen those of mainFooter, elsewhere its own
// before those of several. Help and quit, or back, have the last word where not everything fits. A viewer that only
// reads sees no key that it cannot use.
func (e *env) footerKeys(keys *keyMap, of screenID, w int) string {
	t := &e.theme
	bound := func(b *binding) string { return t.hint(strings.Fields(b.Help().Key)[0], b.short) }
	var ends, first, own, others []*binding
	if of == mainID {
		first = slices.DeleteFunc(
			keys.mainFooter(),
			func(b *binding) bool { return e.readOnly && b.steers || !b.Enabled() },
		)
	}
	for _, b := range keys.table {
		switch {
		case !b.in.has(of) || b.short == "" || !b.Enabled():
		case slices.Contains([]string{"help", "quit", "back"}, b.name):
			ends = append(ends, b)
		case e.readOnly && b.steers, slices.Contains(first, b):
		case b.in == only(of):
			own = append(own, b)
		default:
			others = append(others, b)
		}
	}
	last, s := "", ""
	for _, b := range ends {
		last += bound(b)
	}
	room := w - ansi.StringWidth(last)
	add := func(text string) {
		if room -= ansi.StringWidth(text); room >= 0 {
			s += text
		} else {
			room = 0
		}
	}
	if e.readOnly && of == mainID {
		add(t.warn.Render(" read-only "))
	}
	for _, b := range first {
		add(bound(b))
	}
	for _, f := range footerHints {
		if f.in == of && !(e.readOnly && f.steers) {
			add(t.hint(f.label, f.text))
		}
	}
	for _, b := range append(own, others...) {
		add(bound(b))
	}
	return s + last
}
