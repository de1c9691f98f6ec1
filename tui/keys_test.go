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

// way is how a mode is reached from the main screen, with something there to act on.
var ways = map[mode][]string{
	browsing:  {"j", "right"},
	plotting:  {"v", "left"},
	picturing: {"i"},
	sensing:   {"x", "j"},
	reading:   {"J", "j"},
	forming:   {"o", "j"},
	returning: {"b", "j"},
	helping:   {"?"},
}

// state is what keys may change, as text.
func state(a *App) []string {
	p := &a.picture
	out := []string{
		fmt.Sprint("mode ", a.mode),
		fmt.Sprint("layer ", a.selected),
		fmt.Sprint("handle ", a.handle),
		"changes for " + a.scope.String(),
		"filter " + a.filter,
		fmt.Sprint(
			"top ",
			a.top,
		),
		fmt.Sprint("item ", a.item),
		fmt.Sprint("point ", a.point),
		fmt.Sprint("glyphs ", a.theme.tier),
		fmt.Sprint("still ", a.still != ""),
		fmt.Sprint("left ", a.session.(*fake).quit),
		fmt.Sprint(
			"plot ",
			plotKinds[a.plot.index],
		),
		fmt.Sprintf("plot from %d to %d", a.plot.from, a.plot.to),
		fmt.Sprint("cursor ", a.plot.cursor),
		fmt.Sprint("log ", a.plot.log),
		fmt.Sprintf(
			"picture filters %t zoom %d row %d column %d",
			p.filters,
			p.zoom,
			p.row,
			p.col,
		),
		"line " + a.input.Value(),
		"says " + a.notice,
	}
	for _, name := range sorted(a.draft) {
		out = append(out, fmt.Sprintf("chosen %s %g", name, a.draft[name]))
	}
	for _, name := range sorted(a.marks) {
		out = append(out, "marked "+name)
	}
	if a.copied != nil {
		out = append(out, fmt.Sprint("copied ", *a.copied))
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

// effect presses a key in a mode and tells what changed: commands sent, and lines of state that are new or gone.
func effect(t *testing.T, m mode, name, key string) string {
	s := scene()
	conv1(s)
	measured(s)
	planned(s)
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
	for i := range actions {
		b := &actions[i]
		for m := browsing; m <= helping; m++ {
			if b.in&in(m) == 0 {
				continue
			}
			first := ""
			for k, key := range b.keys {
				got := effect(t, m, b.name, key)
				if k == 0 {
					first = got
				}
				if got != first {
					t.Errorf("%s: key %q does %q, key %q %q", b.name, b.keys[0], first, key, got)
				}
				if got == "" {
					t.Errorf("%s: key %q does nothing in %v", b.name, key, m)
				}
			}
			fmt.Fprintf(&all, "%-15s %-10s in %s: %s\n", b.name, b.label(), m, first)
		}
		if b.help == "" || len(b.keys) == 0 {
			t.Errorf("action %s has no help or no key", b.name)
		}
	}
	golden(t, "keys", all.String())
}

// Every command of the session that a person can give has a key or a word.
func TestPaletteRuns(t *testing.T) {
	a, f := open(t, scene(), look{})
	press(a, "ctrl+p", "r", "e", "d", "r", "a", "w", "enter")
	if len(f.got) != 1 || f.got[0].Kind != session.SurgeryNow {
		t.Errorf("the palette sent %v", f.got)
	}
	press(a, "P", "z", "z", "z", "enter")
	if len(f.got) != 1 || a.mode != browsing {
		t.Errorf("what no action has sent %v, mode %v", f.got, a.mode)
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
	if !strings.Contains(a.footerKeys(200), "z") {
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

// Who only watches can look at everything and change nothing.
func TestReadOnlyKeys(t *testing.T) {
	for i := range actions {
		b := &actions[i]
		for m := browsing; m <= helping; m++ {
			if b.in&in(m) == 0 {
				continue
			}
			s := scene()
			conv1(s)
			measured(s)
			planned(s)
			a, f := openWith(t, s, look{}, Options{ReadOnly: true})
			press(a, ways[m]...)
			press(a, b.keys[0])
			if len(f.got) > 0 || len(a.draft) > 0 {
				t.Errorf("%s sent %v, chose %v", b.name, f.got, a.draft)
			}
		}
	}
}
