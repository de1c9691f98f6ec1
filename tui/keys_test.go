package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"dns-tui/config"
	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// ways are how a screen is reached from the main screen, with something there to act on.
var ways = map[screenID][]string{
	mainID:        {"j", "right"},
	plotsID:       {"v", "left"},
	picturesID:    {"i"},
	sensitivityID: {"x", "j"},
	autopilotID:   {"a", "j"},
	frontierID:    {"A", "k"},
	shipID:        {"W", "j"},
	ranksID:       {"T", "j"},
	journalID:     {"J", "j"},
	settingsID:    {"o", "j"},
	restoreID:     {"b", "j"},
	helpID:        {"?"},
}

// modeOf says what has the keyboard.
func modeOf(a *App) string {
	switch {
	case a.dialog != nil:
		return a.dialog.String()
	case a.line != nil:
		return a.line.purpose.String()
	}
	return a.open.String()
}

// mainOf, plotsOf and picturesOf are screens of the App.
func mainOf(a *App) *mainScreen   { return a.screens[mainID].(*mainScreen) }
func plotsOf(a *App) *plots       { return a.screens[plotsID].(*plots) }
func picturesOf(a *App) *pictures { return a.screens[picturesID].(*pictures) }
func draftOf(a *App) map[string]float64 {
	return mainOf(a).choices.draft
}

// scrolled is the first line of a text, chosen the entry that is selected.
func scrolled(a *App) (top, chosen int) {
	switch s := a.screens[a.open].(type) {
	case *journal:
		top = s.list.top
	case *help:
		top = s.list.top
	case *settings:
		chosen = s.list.chosen
	case *restorePoints:
		chosen = s.list.chosen
	case *shipped:
		chosen = s.list.chosen
	case *ranks:
		chosen = s.list.chosen
	case *frontier:
		chosen = s.list.chosen
	case *autopilotScreen:
		chosen = s.form.chosen
	}
	if a.line != nil {
		if p, ok := a.line.purpose.(*palette); ok {
			chosen = p.list.chosen
		}
	}
	return top, chosen
}

// state is what keys may change, as text.
func state(a *App) []string {
	edit, p, pic, typed := mainOf(a).choices, plotsOf(a), picturesOf(a), ""
	if a.line != nil {
		typed = a.line.input.Value()
	}
	top, chosen := scrolled(a)
	out := []string{
		"mode " + modeOf(a),
		fmt.Sprint("layer ", a.sel.index),
		fmt.Sprint("handle ", edit.handle),
		"changes for " + edit.scope.String(),
		"filter " + a.sel.filter,
		fmt.Sprint("top ", top),
		fmt.Sprint("item ", chosen),
		fmt.Sprint("point ", a.screens[sensitivityID].(*sensitivity).point),
		fmt.Sprint("on layers ", a.screens[autopilotID].(*autopilotScreen).onLayers),
		fmt.Sprint("glyphs ", a.theme.tier),
		fmt.Sprint("still ", a.held != ""),
		fmt.Sprint("left ", a.session.(*fake).quit),
		fmt.Sprint("plot ", p.kind()),
		fmt.Sprintf("plot from %d to %d", p.from, p.to),
		fmt.Sprint("cursor ", p.cursor),
		fmt.Sprint("log ", a.logScale),
		fmt.Sprint("smoothing ", a.smoothing),
		fmt.Sprintf("picture filters %t zoom %d row %d column %d", pic.filters, pic.zoom, pic.row.top, pic.col.top),
		"line " + typed,
		"says " + a.notice.text,
	}
	for _, name := range sorted(edit.draft) {
		out = append(out, fmt.Sprintf("chosen %s %g", name, edit.draft[name]))
	}
	for _, name := range sorted(edit.marks) {
		out = append(out, "marked "+name)
	}
	if edit.copied != nil {
		out = append(out, fmt.Sprint("copied ", *edit.copied))
	}
	return out
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// effect presses a key on a screen and tells what changed: commands sent, and lines of state that are new or gone.
func effect(t *testing.T, m screenID, name, key string) string {
	s := scene()
	conv1(s)
	measured(s)
	planned(s)
	whatIsShipped(s)
	fourRanks(s)
	for range 60 { // so that the journal scrolls
		s.Events = append(s.Events, told(12470, "test"))
	}
	s.Changes = []session.Change{changed(6000, "base_lr", "0.1", "0.01")}
	if m == autopilotID {
		descending(s)
	}
	if m == frontierID {
		searching(s)
	}
	a, f := open(t, s, look{})
	if name == "paste" {
		press(a, "y")
	}
	press(a, ways[m]...)
	switch name {
	case "go-back": // below the plans
		press(a, "j", "j")
	case "zoom-out", "whole", "pan-left", "pan-right":
		press(a, "+", "+")
	case "scroll-up", "scroll-down", "scroll-left", "scroll-right", "farther":
		press(a, "tab", "+", "+")
	case "closer":
		press(a, "tab")
	case "cursor-right":
		press(a, "left", "left")
	case "layer-before":
		press(a, "pgdown")
	case "sens-left":
		press(a, "right", "right")
	case "read-up", "page-up", "first":
		if m != journalID { // which opens at its end
			press(a, "down", "down")
		}
	case "read-down", "page-down", "last":
		if m == journalID {
			press(a, "home")
		}
	case "auto-pin", "auto-exclude":
		press(a, "tab")
	}
	if name == "pan-right" {
		press(a, "H")
	}
	before := map[string]bool{}
	for _, l := range state(a) {
		before[l] = true
	}
	f.got = nil
	press(a, key)
	var out []string
	for _, c := range f.got {
		out = append(out, "sent "+c.String())
	}
	after := map[string]bool{}
	for _, l := range state(a) {
		after[l] = true
		if !before[l] {
			out = append(out, l)
		}
	}
	for _, l := range sorted(before) {
		if !after[l] && strings.HasPrefix(l, "chosen") {
			out = append(out, "no longer "+l)
		}
	}
	return strings.Join(out, "; ")
}

// Each key of the table does something, and all keys of an action do the same: what, is in testdata/keys.golden.
func TestEachKey(t *testing.T) {
	var all strings.Builder
	for _, b := range newKeyMap().table {
		for m := range screenCount {
			if !b.in.has(m) {
				continue
			}
			first := ""
			for k, key := range b.Keys() {
				got := effect(t, m, b.name, key)
				if k == 0 {
					first = got
				}
				if got != first {
					t.Errorf("%s: key %q does %q, key %q %q", b.name, b.Keys()[0], first, key, got)
				}
				if got == "" && b.name != "suspend" {
					t.Errorf("%s: key %q does nothing in %v", b.name, key, m)
				}
			}
			fmt.Fprintf(&all, "%-15s %-10s in %s: %s\n", b.name, b.Help().Key, m, first)
		}
		if b.Help().Desc == "" || !b.Enabled() {
			t.Errorf("action %s has no help or no key", b.name)
		}
	}
	golden(t, "keys", all.String())
}

// The palette runs the action that it finds, and nothing where it finds none.
func TestPaletteRuns(t *testing.T) {
	a, f := open(t, scene(), look{})
	press(a, "ctrl+p", "r", "e", "d", "r", "a", "w", "enter")
	if len(f.got) != 1 || f.got[0].Kind != session.SurgeryNow {
		t.Errorf("the palette sent %v", f.got)
	}
	press(a, "P", "z", "z", "z", "enter")
	if len(f.got) != 1 || modeOf(a) != "main" {
		t.Errorf("what no action has sent %v, mode %v", f.got, modeOf(a))
	}
}

// Keys of preferences take the place of the table's; what contradicts itself is refused.
func TestBind(t *testing.T) {
	p := config.DefaultPreferences()
	action := "pause"
	p.Bind = []*configpb.Preferences_Key{{Action: &action, Key: []string{"z"}}}
	a, f := openWith(t, scene(), look{}, Options{Preferences: p})
	press(a, "space", "z")
	if len(f.got) != 1 || f.got[0].Kind != session.Pause {
		t.Errorf("space and z sent %v", f.got)
	}
	if !strings.Contains(a.footerKeys(a.keys, mainID, 200), "z") {
		t.Error("the footer does not know the new key")
	}
	p.Bind[0].Key = []string{"q"}
	if _, err := New(Options{Preferences: p}); err == nil || !strings.Contains(err.Error(), `key "q" is of both`) {
		t.Errorf("q for pause: %v", err)
	}
	action = "dance"
	if _, err := New(Options{Preferences: p}); err == nil || !strings.Contains(err.Error(), `no action "dance"`) {
		t.Errorf("an action that is not there: %v", err)
	}
}

// A viewer that only reads can look at everything and change nothing.
func TestReadOnlyKeys(t *testing.T) {
	for _, b := range newKeyMap().table {
		for m := range screenCount {
			if !b.in.has(m) {
				continue
			}
			s := scene()
			conv1(s)
			measured(s)
			planned(s)
			a, f := openWith(t, s, look{}, Options{ReadOnly: true})
			press(a, ways[m]...)
			press(a, b.Keys()[0])
			if len(f.got) > 0 || len(draftOf(a)) > 0 {
				t.Errorf("%s sent %v, chose %v", b.name, f.got, draftOf(a))
			}
		}
	}
}

// letters are the keys that type a text, and those after it.
func letters(text string, then ...string) []string {
	keys := strings.Split(text, "")
	for i, k := range keys {
		if k == " " {
			keys[i] = "space"
		}
	}
	return append(keys, then...)
}

// Rows of keys do together what a person means.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string // commands sent, one after the other
	}{
		{[]string{"down", "right", "enter"}, "conv2.threshold 1.97"},
		{[]string{"j", "l", "l", "h", "enter"}, "conv2.threshold 1.97"},
		{[]string{"down", "down", "up", "left", "enter"}, "conv2.threshold 1.95"},
		{[]string{"j", "k", "shift+right", "enter"}, "conv1.threshold 1.04"},
		{[]string{"H", "L", "L", "enter"}, "conv1.threshold 1.04"},
		{[]string{"shift+left", "enter"}, "conv1.threshold 0.84"},
		{[]string{"1", "enter"}, "conv1.threshold 0.674"},
		{[]string{"2", "enter"}, "conv1.threshold 0.994"},
		{[]string{"3", "enter"}, "conv1.threshold 1.281"},
		{[]string{"4", "enter"}, "conv1.threshold 1.644"},
		{[]string{"5", "enter"}, "conv1.threshold 1.959"},
		{[]string{"5", "esc", "enter"}, ""},
		{[]string{"enter"}, ""},
		{[]string{"space"}, "pause"},
		{[]string{"n"}, "step 1"},
		{[]string{"u"}, "undo"},
		{[]string{"p"}, "conv1.prune off"},
		{[]string{"f"}, "conv1.mask_frozen on"},
		{[]string{"["}, "lr_mult 0.5"},
		{[]string{"]"}, "lr_mult 2"},
		{[]string{"S"}, "surgery now"},
		{[]string{"s"}, "snapshot now"},
		{[]string{"t"}, "test now"},
		{[]string{"?", "s", "t"}, "test now"}, // any key leaves the help
		{[]string{":", "l", "r", "_", "m", "u", "l", "t", "space", "3", "enter"}, "lr_mult 3"},
		{[]string{":", "t", "esc", "t"}, "test now"},
		{[]string{"q", "c", "t"}, "test now"},
		{[]string{"q", "esc"}, ""},
		{[]string{"q", "s"}, "stop after a snapshot"},
		{[]string{"q", "enter"}, "stop after a snapshot"},
		{[]string{"q", "a"}, ""}, // 480 iterations are in no snapshot: it asks
		{[]string{"q", "a", "c", "q", "a", "n"}, ""},
		{[]string{"q", "a", "y"}, "stop"},
		{[]string{"q", "a", "a"}, "stop"},
		{[]string{"ctrl+c"}, ""},
		{[]string{"ctrl+c", "s"}, "stop after a snapshot"},
		{[]string{"ctrl+c", "ctrl+c"}, "stop after a snapshot"},
		{[]string{"B"}, ""}, // it asks
		{[]string{"B", "c"}, ""},
		{[]string{"B", "esc", "t"}, "test now"},
		{[]string{"B", "y"}, "go back to d/lenet_iter_12000.solverstate"},
		{[]string{"B", "enter"}, "go back to d/lenet_iter_12000.solverstate"},
		{[]string{"B", "B"}, "go back to d/lenet_iter_12000.solverstate"},
		{[]string{":", "b", "a", "c", "k", "enter", "y"}, "go back to d/lenet_iter_12000.solverstate"},
		{[]string{"M", "M", "p"}, "prune → off in ip1, ip2"}, // one command
		{[]string{"M", "M", "M", "5", "enter"}, "threshold → 1.959 in conv1, conv2, ip1 and 1 more"},
		{[]string{"e", "9", "5", "%", "enter"}, "conv1.threshold 1.952"}, // never a threshold of 95
		{[]string{"e", "0", ",", "9", "5", "enter"}, ""},                 // nor one of 095
		{[]string{"tab", "e", "9", "5", ",", "5", "enter"}, ""},
		{[]string{":", "c", "o", "n", "v", "2", ".", "t", "space", "9", "0", "%", "enter"}, "conv2.threshold 1.645"},
		{[]string{":", "l", "r", "space", "9", "5", "%", "enter"}, ""},
		{letters(":snapshot_prefix /d/a=b5%", "enter"), "snapshot_prefix /d/a=b5%"},
		{letters(":conv2.t 95% at +5", "enter"), ""},
	} {
		a, f := open(t, scene(), look{})
		press(a, c.keys...)
		var got []string
		for _, g := range f.got {
			got = append(got, g.String())
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%v sent %q, wanted %q", c.keys, s, c.want)
		}
	}
}

func TestPauseKeyResumes(t *testing.T) {
	s := scene()
	s.State = session.Paused
	a, f := open(t, s, look{})
	press(a, "space")
	if len(f.got) != 1 || f.got[0].Kind != session.Resume {
		t.Errorf("space on a paused run sent %v", f.got)
	}
}

// keyTable is the key table of the README, from the key map.
func keyTable() string {
	var b strings.Builder
	told := map[string]bool{}
	for _, sc := range screenTitles {
		for _, k := range newKeyMap().table {
			if !k.in.has(sc.of) || told[k.name] {
				continue
			}
			told[k.name] = true
			keys := strings.Join(strings.Fields(k.Help().Key), "` `")
			fmt.Fprintf(&b, "| %s | `%s` | %s |\n", sc.title, keys, k.Help().Desc)
		}
	}
	return b.String()
}

// The README's key table is the binding table.
func TestReadmeKeys(t *testing.T) {
	path := filepath.Join("..", "README.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| screen | key | what it does |\n| --- | --- | --- |\n"
	_, rest, ok := strings.Cut(string(data), head)
	if !ok {
		t.Fatal("README.md has no key table")
	}
	table, tail, _ := strings.Cut(rest, "\n\n")
	if *updateGolden {
		before, _, _ := strings.Cut(string(data), head)
		if err := os.WriteFile(path, []byte(before+head+keyTable()+"\n"+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table+"\n" != keyTable() {
		t.Errorf(
			"README.md's key table is not that of the bindings; `go test ./tui -update` writes it:\n%s",
			keyTable(),
		)
	}
}
