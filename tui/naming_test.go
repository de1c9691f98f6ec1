package tui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// steeringMark is in the name of each key that steers, in preferences that a test makes.
const steeringMark = "¤"

// markedKeys are preferences in which each key that steers has a name like no other text.
func markedKeys() *config.Preferences {
	p := config.DefaultPreferences()
	for i, b := range newKeyMap().table {
		if b.steers {
			p.Bind = append(p.Bind, &configpb.Preferences_Key{
				Action: proto.String(b.name), Key: []string{fmt.Sprint(steeringMark, i)},
			})
		}
	}
	return p
}

// No screen of a viewer that only reads names a key that it cannot use: all such texts come from one place, which asks.
func TestReadOnlyNamesNoKeys(t *testing.T) {
	states := []func(*session.Snapshot){
		nil,
		func(s *session.Snapshot) { s.Hyper.Layers[0].Prune = false },
		func(s *session.Snapshot) { s.Hyper.Layers[0].MaskFrozen = true },
		func(s *session.Snapshot) { s.Hyper.Layers[0].WeightsFrozen = true },
		func(s *session.Snapshot) { s.WriteProblem = "not saved: no space left on device" },
		func(s *session.Snapshot) {
			s.State, s.Problem = session.Paused, "the loss is NaN"+session.BackHint
			s.Events = []session.Event{{What: session.SnapshotWritten{Path: "a", Why: "lr 1 → 2", Guard: true}}}
		},
		func(s *session.Snapshot) { s.Hyper.Stop = 10 },
		func(s *session.Snapshot) { s.State = session.Finished },
		descending,
		func(s *session.Snapshot) { measured(s); conv1(s) },
	}
	for _, w := range everyBegin {
		states = append(states, func(s *session.Snapshot) { s.Events = []session.Event{{Seq: 1, What: w}} })
	}
	look := look{tier: blockTier}
	named := 0
	for _, readOnly := range []bool{true, false} {
		o := Options{ReadOnly: readOnly, Preferences: markedKeys()}
		see := func(name string, a *App) {
			for _, size := range sizes[2:] {
				text := ansi.Strip(frame(a, size[0], size[1]))
				n := strings.Count(text, steeringMark)
				if named += n; n > 0 && readOnly {
					t.Errorf("%s at %v names keys that steer:\n%s", name, size, text)
				}
			}
		}
		for i, change := range states {
			for id := range screenCount {
				s := scene()
				if change != nil {
					change(s)
				}
				a, _ := openWith(t, s, look, o)
				press(a, ways[id]...)
				see(fmt.Sprint("state ", i, ", ", id), a)
			}
		}
		for _, sc := range scenes {
			s := scene()
			if sc.scene != nil {
				sc.scene(s)
			}
			a, _ := openWith(t, s, look, o)
			if sc.prepare != nil {
				sc.prepare(a)
			}
			see(sc.name, a)
		}
	}
	if named < 1000 {
		t.Errorf("who steers sees %d keys: the test sees nothing", named)
	}
	back := scene()
	back.State, back.Problem, back.Hyper.Stop = session.Paused, "the loss is NaN"+session.BackHint, 10
	back.Events = []session.Event{{What: session.SnapshotWritten{Path: "a", Why: "lr 1 → 2", Guard: true}}}
	for _, c := range []struct {
		readOnly bool
		keys     bool
	}{{false, true}, {true, false}} {
		a, _ := openWith(t, back, look, Options{ReadOnly: c.readOnly})
		text := screenText(a)
		for _, want := range []string{"B goes back to it", "the loss is NaN; B goes back", "`:stop never`"} {
			if strings.Contains(text, want) != c.keys {
				t.Errorf("read-only %t: %q is said: %t\n%s", c.readOnly, want, !c.keys, text)
			}
		}
	}
	a, _ := openWith(t, scene(), look, Options{ReadOnly: true})
	for _, c := range []struct{ keys, not string }{
		{"x", "measures"}, {"a", "type a target"}, {"b", ":lr"}, {"?", "preview"}, {"q", "abandon"},
	} {
		press(a, letters(c.keys)...)
		if text := screenText(a); strings.Contains(text, c.not) {
			t.Errorf("%s says %q:\n%s", c.keys, c.not, text)
		}
		press(a, "esc")
	}
}

// The first line says how many commands are on their way, and of the newest what.
func TestSeveralOnTheirWay(t *testing.T) {
	a, _ := open(t, scene(), look{})
	var cmds []tea.Cmd
	for _, k := range []rune{'[', ']', 's'} {
		cmds = append(cmds, unsent(a, tea.KeyPressMsg{Code: k, Text: string(k)}))
	}
	for i, want := range []string{"saving… +2", "saving… +1", "saving…  "} {
		if h := lineWith(a, "dns-tui"); !strings.Contains(h, want) {
			t.Errorf("%d answered: %s; wanted %q", i, h, want)
		}
		obey(a, cmds[i])
		a.Update(tickMsg{})
	}
	if h := lineWith(a, "dns-tui"); strings.Contains(h, "saving") {
		t.Errorf("all answered: %s", h)
	}
}

// The list of commands stays, as high as it is, with one entry and with none; enter and tab make the beginning of the
// only name that name, and enter of a whole command sends it.
func TestListOfOne(t *testing.T) {
	a, f := open(t, scene(), look{})
	height := func() int {
		a.Update(tea.WindowSizeMsg{Width: 120, Height: 40})
		return len(a.line.Box(120))
	}
	press(a, ":")
	before := height()
	for _, c := range []struct{ typed, shows string }{
		{"conv2.thr", "conv2.threshold"}, {"zzz", "nothing has this name"},
	} {
		press(a, letters(c.typed)...)
		if text := screenText(a); height() != before || !strings.Contains(text, "Set or do") ||
			!strings.Contains(text, c.shows) {
			t.Errorf("%s: %d lines, before %d\n%s", c.typed, height(), before, text)
		}
	}
	for _, key := range []string{"enter", "tab"} {
		a, f = open(t, scene(), look{})
		press(a, letters(":conv2.thr")...)
		lines := strings.Split(ansi.Strip(frame(a, 80, 24)), "\n")
		if last := strings.TrimSpace(lines[23]); last != ":conv2.threshold" {
			t.Errorf("the line with a suggestion is %q", last)
		}
		press(a, key)
		if a.line == nil || a.line.input.Value() != "conv2.threshold " || len(f.got) != 0 {
			t.Fatalf("%s: the line is %v, sent %v", key, a.line, f.got)
		}
		press(a, letters("1.5", "enter")...)
		if len(f.got) != 1 || f.got[0].String() != "conv2.threshold 1.5" || a.line != nil {
			t.Errorf("%s: sent %v", key, f.got)
		}
	}
	press(a, letters(":sensitivit", "enter", "enter")...)
	if len(f.got) != 2 || f.got[1].Kind != session.Probe {
		t.Errorf("a command of one word: sent %v", f.got)
	}
}

// Whatever the width, the help says all of each text, on as many lines as that takes.
func TestHelpIsWhole(t *testing.T) {
	for _, w := range []int{40, 60, 80, 119, 120, 200, 300} {
		a, _ := open(t, scene(), look{})
		a.Update(tea.WindowSizeMsg{Width: w, Height: 2000})
		press(a, "?")
		h := a.screens[helpID].(*help)
		var said strings.Builder
		for _, l := range h.lines {
			if n := ansi.StringWidth(l); n > h.columnWidth() {
				t.Errorf("at %d a line has %d cells: %q", w, n, ansi.Strip(l))
			}
			said.WriteString(strings.TrimSpace(ansi.Strip(l)) + " ")
		}
		text := strings.Join(strings.Fields(said.String()), " ")
		for _, b := range a.keys.table {
			if want := a.theme.plain(b.Help().Desc); !strings.Contains(text, want) {
				t.Errorf("at %d the help does not say %q whole", w, want)
			}
		}
		if strings.Contains(ansi.Strip(frame(a, w, 2000)), "…\n") {
			t.Errorf("at %d something is cut", w)
		}
	}
}

// Texts that scroll say where one is in them, as lists do.
func TestPlaceInTexts(t *testing.T) {
	s := scene()
	s.Pending = nil
	for i := range 50 {
		s.Events = append(s.Events, told(13000+i, "event"))
	}
	a, _ := open(t, s, look{})
	a.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	title := func() string { return strings.Split(ansi.Strip(frame(a, 80, 24)), "\n")[1] }
	press(a, "J")
	for _, c := range []struct{ key, want string }{
		{"", "Journal  53 of 53 "}, {"up", "Journal  52 of 53 "}, {"home", "Journal  20 of 53 "}, {"end", "53 of 53"},
	} {
		if c.key != "" {
			press(a, c.key)
		}
		if got := title(); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, wanted %s", c.key, got, c.want)
		}
	}
	press(a, letters("/13,01", "enter")...)
	if got := title(); !strings.Contains(got, "/13,01  10 lines of 53") {
		t.Errorf("filtered: %s", got)
	}
	press(a, "esc", "?")
	title = func() string { return strings.Split(ansi.Strip(frame(a, 80, 24)), "\n")[0] }
	n := len(a.screens[helpID].(*help).lines)
	if got, want := title(), fmt.Sprintf("22 of %d", n); !strings.Contains(got, want) {
		t.Errorf("%s, wanted %s", got, want)
	}
	press(a, "end")
	if got, want := title(), fmt.Sprintf("%d of %d", n, n); !strings.Contains(got, want) {
		t.Errorf("at the end: %s, wanted %s", got, want)
	}
}

// Until the picture comes that is asked for, none is shown under its title.
func TestNoPictureOfAnother(t *testing.T) {
	s := scene()
	conv1(s)
	s.Layers[1].Outputs, s.Layers[1].Kernel = 50, [2]int{5, 5}
	for _, key := range []string{"tab", "pgdown"} {
		a, _ := open(t, s, look{})
		press(a, "i")
		p := picturesOf(a)
		shown := func() string { return ansi.Strip(strings.Join(p.View(), "\n")) }
		if text := shown(); !strings.Contains(text, "conv1  filters 1 to ") {
			t.Fatalf("opened:\n%s", text)
		}
		code := tea.KeyTab
		if key == "pgdown" {
			code = tea.KeyPgDown
		}
		_, cmd := a.Update(tea.KeyPressMsg{Code: code})
		if text := shown(); !strings.Contains(text, "looking at the weights") {
			t.Errorf("%s: before the answer it shows\n%s", key, text)
		}
		obey(a, cmd)
		if text := shown(); strings.Contains(text, "looking at the weights") ||
			!strings.Contains(text, map[string]string{"tab": "map of the mask", "pgdown": "conv2  filters"}[key]) {
			t.Errorf("%s: with the answer\n%s", key, text)
		}
	}
	// An answer to what was asked before the screen was opened anew is none to what is asked now.
	a, _ := open(t, s, look{})
	press(a, "i")
	_, late := a.Update(tea.KeyPressMsg{Code: tea.KeyTab})
	press(a, "esc")
	_, cmd := a.Update(tea.KeyPressMsg{Code: 'i', Text: "i"})
	obey(a, late)
	if text := ansi.Strip(strings.Join(picturesOf(a).View(), "\n")); !strings.Contains(text, "looking at the weights") {
		t.Errorf("a late answer is shown:\n%s", text)
	}
	if obey(a, cmd); !strings.Contains(ansi.Strip(strings.Join(picturesOf(a).View(), "\n")), "conv1  filters 1 to ") {
		t.Error("the answer is not shown")
	}
}

// A layer that a ramp moves says so, and until when.
func TestRamping(t *testing.T) {
	s := scene()
	planned(s)
	a, _ := open(t, s, look{})
	if l := lineWith(a, " conv2 "); !strings.Contains(l, "ramping 14,000") {
		t.Errorf("under way: %s", l)
	}
	s.Plans[1].Begun = false
	if l := lineWith(a, " conv2 "); strings.Contains(l, "ramping") {
		t.Errorf("before: %s", l)
	}
}

// A warning has a space before it, however long the layer's name is.
func TestSpaceBeforeWarning(t *testing.T) {
	for _, name := range []string{"a", "conv1", "convolution_1a", "inception_4d/3x3_reduce_and_more"} {
		s := scene()
		s.Layers[1].Name, s.Hyper.Layers[1].Name = name, name
		s.Layers[1].Dead, s.Layers[1].Outputs = 12, 50
		a, _ := open(t, s, look{})
		press(a, "down")
		for _, size := range sizes[2:] {
			if text := ansi.Strip(frame(a, size[0], size[1])); !strings.Contains(text, " !12 ") {
				t.Errorf("%s at %v:\n%s", name, size, text)
			}
		}
	}
}
