package tui

import (
	"slices"
	"strings"

	"dns-tui/model/session"

	"github.com/charmbracelet/x/ansi"
)

// footerHints stand in the footer for several bindings.
var footerHints = []struct {
	in          screenID
	label, text string
	of          func(*keyMap) *binding // one of them: it is named where that can be done
}{
	{mainID, "↑↓", "layer", func(k *keyMap) *binding { return &k.Main.Up }},
	{mainID, "←→", "threshold", func(k *keyMap) *binding { return &k.Main.Lower }},
	{mainID, "1-5", "presets", func(k *keyMap) *binding { return &k.Presets[0] }},
	{plotsID, "←→", "cursor", func(k *keyMap) *binding { return &k.Plots.CursorLeft }},
	{plotsID, "+-", "zoom", func(k *keyMap) *binding { return &k.Plots.ZoomIn }},
	{picturesID, "↑↓←→", "scroll", func(k *keyMap) *binding { return &k.Pictures.Up }},
	{picturesID, "+-", "zoom", func(k *keyMap) *binding { return &k.Pictures.Closer }},
	{sensitivityID, "↑↓", "layer", func(k *keyMap) *binding { return &k.Sensitivity.Up }},
	{sensitivityID, "←→", "point", func(k *keyMap) *binding { return &k.Sensitivity.Left }},
	{autopilotID, "↑↓", "choose", func(k *keyMap) *binding { return &k.Autopilot.Up }},
	{frontierID, "↑↓", "branch", func(k *keyMap) *binding { return &k.Frontier.Up }},
	{shipID, "↑↓", "row", func(k *keyMap) *binding { return &k.Shipped.Up }},
	{ranksID, "↑↓", "rank", func(k *keyMap) *binding { return &k.Ranks.Up }},
	{settingsID, "↑↓", "field", func(k *keyMap) *binding { return &k.Settings.Up }},
	{restoreID, "↑↓", "choose", func(k *keyMap) *binding { return &k.Restore.Up }},
	{journalID, "↑↓", "scroll", func(k *keyMap) *binding { return &k.Text.Up }},
	{helpID, "↑↓", "scroll", func(k *keyMap) *binding { return &k.Text.Up }},
}

// footer is the last line: the line that is typed, the answer to the last command, a problem, or the keys.
func (a *App) footer() string {
	t, w := &a.theme, a.width
	idle := a.open == mainID && a.dialog == nil
	switch {
	case a.line != nil && a.notice.text != "" && w > 40: // what is wrong with what is typed
		line := a.line.View()
		if typed := ansi.StringWidth(strings.TrimRight(ansi.Strip(line), " ")) + 1; typed < w/2 { // and the cursor
			line = ansi.Truncate(line, typed, "")
		}
		return t.fit(line, min(ansi.StringWidth(line), w/2)) + " " + t.warn.Render(t.text(a.notice.text))
	case a.line != nil && a.notice.bad: // until the next key
		return t.warn.Render(t.text(a.notice.text))
	case a.line != nil:
		return a.line.View()
	case a.notice.text != "" && a.notice.bad:
		return t.warn.Render(t.text(" " + a.notice.text))
	case a.notice.text != "":
		return t.text(" " + a.notice.text)
	case a.snap.Problem != "":
		return t.warn.Render(t.text(" " + a.problem()))
	case a.snap.WriteProblem != "" && idle:
		way := aside(a.naming("%ssnapshot_prefix DIR/NAME saves elsewhere", &a.keys.App.Command))
		return t.warn.Render(t.text(" " + a.snap.WriteProblem + way))
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
	bound := func(b *binding) string {
		if b == &keys.Run.Pause && e.snap.State == session.Paused {
			return t.hint(b.key(), "go on")
		}
		return t.hint(b.key(), b.short)
	}
	var ends, first, own, others []*binding
	if of == mainID {
		first = slices.DeleteFunc(
			keys.mainFooter(),
			func(b *binding) bool { return !e.can(b) },
		)
	}
	for _, b := range keys.table {
		switch {
		case !b.in.has(of) || b.short == "" || !e.can(b):
		case slices.Contains([]string{"help", "quit", "back"}, b.name):
			ends = append(ends, b)
		case slices.Contains(first, b):
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
		if f.in == of && e.can(f.of(keys)) {
			add(t.hint(f.label, f.text))
		}
	}
	for _, b := range append(own, others...) {
		add(bound(b))
	}
	return s + last
}
