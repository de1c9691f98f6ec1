package tui

import (
	"fmt"
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
		fmt.Sprint("glyphs ", a.theme.tier),
		fmt.Sprint("still ", a.held != ""),
		fmt.Sprint("left ", a.session.(*fake).quit),
		fmt.Sprint("plot ", p.kind()),
		fmt.Sprintf("plot from %d to %d", p.from, p.to),
		fmt.Sprint("cursor ", p.cursor),
		fmt.Sprint("log ", a.logScale),
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
	for range 10 { // so that the journal scrolls
		s.Events = append(s.Events, session.Event{Iter: 12470, Text: "test"})
	}
	s.Changes = []session.Change{{Iter: 6000, Field: "base_lr", Old: "0.1", New: "0.01"}}
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
	case "read-up", "page-up":
		press(a, "j", "j")
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
				if got == "" {
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
	if !strings.Contains(a.footerKeys(a.keys.table, mainID, 200), "z") {
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
