package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// lineWith is the first line of the screen that has a text.
func lineWith(a *App, text string) string {
	for l := range strings.SplitSeq(ansi.Strip(frame(a, 160, 45)), "\n") {
		if strings.Contains(l, text) {
			return l
		}
	}
	return ""
}

// unsent types a key without carrying its command out: it is on its way.
func unsent(a *App, k tea.KeyPressMsg) tea.Cmd {
	_, cmd := a.Update(k)
	return cmd
}

// A row says where its threshold stands, in a word, from the choice to the change.
func TestRowStates(t *testing.T) {
	for _, c := range []struct {
		name, want string
		scene      func(*session.Snapshot)
	}{
		{"ip2", "", nil},
		{"ip1", "pending", nil},
		{"ip1", "pending 14,500", func(s *session.Snapshot) {
			s.Layers[2].Forecast = solver.Forecast{Known: true, Next: 14500, Chance: 0.01}
		}},
		{"ip1", "pending", func(s *session.Snapshot) { // too soon to be read
			s.Layers[2].Forecast = solver.Forecast{Known: true, Next: 12490, Chance: 0.5}
		}},
		{"ip1", "pending 12,490", func(s *session.Snapshot) {
			s.State = session.Paused
			s.Layers[2].Forecast = solver.Forecast{Known: true, Next: 12490, Chance: 0.5}
		}},
		{"conv2", "applied 12,440", func(s *session.Snapshot) {
			s.Changes = []session.Change{changed(12440, "conv2.threshold", "1.64", "1.96")}
		}},
		{"conv1", "stopped 6,000", func(s *session.Snapshot) { s.Hyper.Stop = 6000 }},
		{"conv1", "stopped", func(s *session.Snapshot) { s.State = session.Finished }},
		{"conv1", "frozen", func(s *session.Snapshot) { s.Hyper.Layers[0].MaskFrozen = true }},
		{"conv1", "off", func(s *session.Snapshot) { s.Hyper.Layers[0].Prune = false }},
		{"conv2", "autopilot", descending},
	} {
		s := scene()
		if c.scene != nil {
			c.scene(s)
		}
		a, _ := open(t, s, look{})
		m := a.screens[mainID].(*mainScreen)
		a.Update(tea.WindowSizeMsg{Width: 160, Height: 45})
		if got := ansi.Strip(m.stateCell(m.choices.standing(s.Layer(c.name)))); got != c.want ||
			!strings.Contains(lineWith(a, c.name), got) {
			t.Errorf("%s is %q, wanted %q; its row: %s", c.name, got, c.want, lineWith(a, c.name))
		}
	}
}

// A choice is a preview until enter; from then on it is sent, before the run has answered; then it is pending.
func TestSentFromEnterOn(t *testing.T) {
	a, f := open(t, scene(), look{})
	press(a, "down", "4")
	if l := lineWith(a, "conv2"); !strings.Contains(l, "preview") || !strings.Contains(l, "1.644") {
		t.Errorf("chosen: %s", l)
	}
	cmd := unsent(a, tea.KeyPressMsg{Code: tea.KeyEnter})
	if l := lineWith(a, "conv2"); !strings.Contains(l, "sent") || !strings.Contains(l, "1.644") ||
		!strings.Contains(l, "90.0 %") {
		t.Errorf("sent: %s", l)
	}
	if h := lineWith(a, "dns-tui"); !strings.Contains(h, "sent…") {
		t.Errorf("the header does not say that the key was taken: %s", h)
	}
	waits := *f.snap
	waits.Pending = append(slices.Clone(waits.Pending), changed(12480, "conv2.threshold", "1.96", "1.644"))
	f.snap = &waits
	a.Update(tickMsg{})
	if l, h := lineWith(a, "conv2"), lineWith(a, "dns-tui"); !strings.Contains(l, "pending") ||
		strings.Contains(h, "sent") {
		t.Errorf("pending: %s\n%s", l, h)
	}
	obey(a, cmd)
	if len(a.flights.list) != 0 {
		t.Errorf("answered, and still on its way: %v", a.flights.list)
	}
}

// What a key asks for shows in the first line before the run has answered.
func TestTakenAtOnce(t *testing.T) {
	for _, c := range []struct {
		key  rune
		want string
	}{{' ', "pausing…"}, {'n', "stepping…"}, {'N', "to the next surgery…"}, {'S', "surgery…"}, {'u', "undoing…"},
		{'U', "redoing…"}, {'[', "sent…"}, {'s', "saving…"}, {'t', "testing…"}} {
		a, _ := open(t, scene(), look{})
		k := tea.KeyPressMsg{Code: c.key, Text: string(c.key)}
		if c.key == ' ' {
			k.Code = tea.KeySpace
		}
		cmd := unsent(a, k)
		if h := lineWith(a, "dns-tui"); !strings.Contains(h, c.want) {
			t.Errorf("%q: the header says %s, wanted %s", c.key, h, c.want)
		}
		obey(a, cmd)
		if h := lineWith(a, "dns-tui"); strings.Contains(h, c.want) {
			t.Errorf("%q was answered: the header says %s", c.key, h)
		}
	}
}

// A paused run that answers a redo at its next surgery says that it is paused, and owes no news.
func TestPausedOverPending(t *testing.T) {
	a, _ := open(t, scene(), look{})
	unsent(a, tea.KeyPressMsg{Code: 'U', Text: "U"})
	s := *a.snap
	s.State, s.Pending = session.Paused, slices.Clone(s.Pending)
	s.Pending[0].Seq = 7 // the redo was taken
	a.snap, a.silence = &s, time.Minute
	if h := lineWith(a, "dns-tui"); !strings.Contains(h, "PAUSED") || strings.Contains(h, "no news") {
		t.Errorf("the header says %s", h)
	}
}

// A second press of the key while a pause is on its way takes it back, and does not ask for it again.
func TestPauseOnItsWay(t *testing.T) {
	a, _ := open(t, scene(), look{})
	space := tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	unsent(a, space)
	unsent(a, space)
	var kinds []session.Kind
	for _, f := range a.flights.list {
		kinds = append(kinds, f.cmd.Kind)
	}
	if !slices.Equal(kinds, []session.Kind{session.Pause, session.Resume}) {
		t.Errorf("sent %v", kinds)
	}
}

// The first line says what the run is at, and when surgery comes.
func TestHeaderWords(t *testing.T) {
	forecast := func(next int, chance float64) func(*session.Snapshot) {
		return func(s *session.Snapshot) {
			for i := range s.Layers {
				s.Layers[i].Forecast = solver.Forecast{Known: true, Next: next, Chance: chance}
			}
		}
	}
	for _, c := range []struct {
		want  string
		scene func(*session.Snapshot)
	}{
		{"saving…", func(s *session.Snapshot) { s.Saving = true }},
		{"testing 28/100", func(s *session.Snapshot) { s.State, s.Tested, s.ToTest = session.Testing, 28, 100 }},
		{"PAUSED", func(s *session.Snapshot) { s.State = session.Paused }},
		{"surgery each iteration", forecast(12480, 1)},
		{"surgery 12.0 % of iterations", forecast(12483, 0.12)},
		{"next surgery 14,500", forecast(14500, 0.0005)},
		{"next surgery 12,483", func(s *session.Snapshot) { forecast(12483, 0.12)(s); s.State = session.Paused }},
		{"surgery stopped at 6,000", func(s *session.Snapshot) { forecast(-1, 0)(s); s.Hyper.Stop = 6000 }},
	} {
		s := scene()
		c.scene(s)
		a, _ := open(t, s, look{})
		if h := lineWith(a, "dns-tui"); !strings.Contains(h, c.want) {
			t.Errorf("the header says %s, wanted %s", h, c.want)
		}
	}
}

// A run that is silent is said to be, once that is no longer usual.
func TestNoNews(t *testing.T) {
	for _, c := range []struct {
		silent time.Duration
		want   string
		scene  func(*session.Snapshot)
	}{
		{2 * time.Second, "", nil},
		{8 * time.Second, "no news for 8 s", nil},
		{200 * time.Second, "no news for 3:20", nil},
		{8 * time.Second, "", func(s *session.Snapshot) { s.State = session.Paused }},
		{8 * time.Second, "", func(s *session.Snapshot) { s.State = session.Finished }},
		{8 * time.Second, "", func(s *session.Snapshot) { s.PerSecond = 0.125 }},
		{8 * time.Second, "", func(s *session.Snapshot) { s.Saving = true }},
		{40 * time.Second, "no news for 40 s", func(s *session.Snapshot) { s.Saving = true }},
		{20 * time.Second, "no news for 20 s", func(s *session.Snapshot) { s.PerSecond = 0.125 }},
		{8 * time.Second, "no news for 8 s", func(s *session.Snapshot) { s.State = session.Testing }},
	} {
		s := scene()
		if c.scene != nil {
			c.scene(s)
		}
		a, f := open(t, s, look{})
		now := time.Unix(1000, 0)
		a.clock = func() time.Time { return now }
		fresh := *s
		fresh.Published = now
		f.snap = &fresh
		a.Update(tickMsg{})
		now = now.Add(c.silent)
		a.Update(tickMsg{})
		h := lineWith(a, "dns-tui")
		if c.want == "" && strings.Contains(h, "no news") || !strings.Contains(h, c.want) {
			t.Errorf("silent for %s: %s, wanted %q", c.silent, h, c.want)
		}
	}
	a, _ := open(t, func() *session.Snapshot { s := scene(); s.State = session.Paused; return s }(), look{})
	now := time.Unix(1000, 0)
	a.clock = func() time.Time { return now }
	a.look()
	a.news, a.pace = now, time.Second
	unsent(a, tea.KeyPressMsg{Code: 's', Text: "s"})
	now = now.Add(9 * time.Second)
	a.Update(tickMsg{})
	if h := lineWith(a, "dns-tui"); !strings.Contains(h, "saving…") || !strings.Contains(h, "no news for 9 s") {
		t.Errorf("a paused run that does not answer: %s", h)
	}
}

// The answer to a command stands for four seconds, a problem longer; what is wrong with a line as long as the line.
func TestNoticesVanish(t *testing.T) {
	a, _ := open(t, scene(), look{})
	now := time.Unix(1000, 0)
	a.clock = func() time.Time { return now }
	later := func(d time.Duration) string {
		now = now.Add(d)
		a.Update(tickMsg{})
		return a.notice.text
	}
	press(a, "s")
	if text := later(3 * time.Second); text == "" {
		t.Error("the answer is gone after 3 s")
	}
	if text := later(2 * time.Second); text != "" {
		t.Errorf("after 5 s the answer still stands: %s", text)
	}
	press(a, "Y")
	if text := later(5 * time.Second); text == "" {
		t.Error("the problem is gone after 5 s")
	}
	if text := later(15 * time.Second); text != "" {
		t.Errorf("after 20 s the problem still stands: %s", text)
	}
	press(a, "e", "x")
	if text := later(time.Minute); text == "" {
		t.Error("what is wrong with the line is gone")
	}
}

// Choices in other layers stay in sight, with what they would come to together; E sends all, D drops all.
func TestPreviewsOfAll(t *testing.T) {
	a, f := open(t, scene(), look{})
	press(a, "5", "down", "5")
	if title := lineWith(a, "Layers"); !strings.Contains(title, "2 previews: E applies all, D drops all") {
		t.Errorf("the table's title: %s", title)
	}
	all := lineWith(a, "all  ")
	if !strings.Contains(all, "99.08 %") || !strings.Contains(all, "→ 96.2 %") {
		t.Errorf("all: %s", all)
	}
	press(a, "D")
	if n := len(draftOf(a)); n != 0 {
		t.Errorf("%d choices after D", n)
	}
	press(a, "5", "up", "5", "E")
	if len(f.got) != 1 || len(f.got[0].Edits) != 2 || len(draftOf(a)) != 0 {
		t.Errorf("E sent %v, left %v", f.got, draftOf(a))
	}
	press(a, "E")
	if len(f.got) != 1 || !a.notice.bad {
		t.Errorf("E with nothing chosen sent %v, says %q", f.got, a.notice.text)
	}
}

// The table's title counts the outputs that all that is chosen would kill, each row its own.
func TestDyingOfAll(t *testing.T) {
	s := scene()
	for i := range 2 {
		h := *s.Layers[i].Histogram
		h.DeathThresholds = []float32{0.1, 1.7, 1.8, 2.5}
		s.Layers[i].Histogram, s.Layers[i].Outputs, s.Layers[i].Dead = &h, 20, 1
	}
	a, _ := open(t, s, look{})
	press(a, "5", "down", "5")
	if title := lineWith(a, "Layers"); !strings.Contains(title, "! 4 outputs would die in 2 layers") {
		t.Errorf("the table's title: %s", title)
	}
	for _, name := range []string{"conv1", "conv2"} {
		if row := lineWith(a, name); !strings.Contains(row, "!3") {
			t.Errorf("its row: %s", row)
		}
	}
}

// Layers are marked one by one, on the way up or down, or from the last to here as they are listed.
func TestMarks(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"m", "conv1"},
		{"mm", ""},
		{"mjjV", "conv1 conv2 ip1"},
		{"jjjmkkV", "conv2 ip1 ip2"},
		{"jV", "conv2"},
		{"jK", "conv1 conv2"},
		{"OmjV", "ip1 conv2"}, // by size: ip1, conv2, ip2, conv1
	} {
		a, _ := open(t, scene(), look{})
		if strings.HasPrefix(c.keys, "O") {
			press(a, "O", "home", "m", "j", "V")
		} else {
			press(a, letters(c.keys)...)
		}
		marks := a.screens[mainID].(*mainScreen).choices.marks
		want := strings.Fields(c.want)
		if len(marks) != len(want) || slices.ContainsFunc(want, func(n string) bool { return !marks[n] }) {
			t.Errorf("%s marks %v, wanted %s", c.keys, marks, c.want)
		}
	}
	a, _ := open(t, scene(), look{})
	down := tea.KeyPressMsg{Code: tea.KeyDown, Mod: tea.ModShift}
	a.Update(down)
	a.Update(down)
	if got := fmt.Sprint(a.screens[mainID].(*mainScreen).choices.marks); got != "map[conv1:true conv2:true ip1:true]" {
		t.Errorf("shift and down, twice: %s", got)
	}
}

// The order of the table is that which was asked for; the selected layer stays selected.
func TestOrder(t *testing.T) {
	s := scene()
	s.Layers[3].Pruned = 2000
	a, _ := open(t, s, look{})
	press(a, "down")
	for _, want := range []string{"ip1 conv2 ip2 conv1", "ip1 conv2 ip2 conv1", "ip2 conv1 conv2 ip1",
		"conv1 conv2 ip1 ip2"} {
		press(a, "O")
		var names []string
		for _, i := range a.sel.visible {
			names = append(names, s.Layers[i].Name)
		}
		if got := strings.Join(names, " "); got != want || a.sel.layer().Name != "conv2" {
			t.Errorf("%s: %s, wanted %s; selected: %s", a.sel.order, got, want, a.sel.layer().Name)
		}
	}
}

// Long ways in a list, and where in it one is.
func TestTravel(t *testing.T) {
	s := scene()
	manyLayers(s)
	n := len(s.Layers)
	a, _ := open(t, s, look{})
	a.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	for _, c := range []struct {
		key  string
		want int
	}{{"end", n - 1}, {"home", 0}, {"pgdown", 4}, {"pgdown", 8}, {"pgup", 4}, {"pgup", 0}, {"pgup", 0}} {
		press(a, c.key)
		if a.sel.index != c.want {
			t.Errorf("%s: layer %d, wanted %d", c.key, a.sel.index, c.want)
		}
		place := fmt.Sprintf("%d of %d", c.want+1, n)
		if !strings.Contains(ansi.Strip(frame(a, 80, 24)), place) {
			t.Errorf("no %q on the screen", place)
		}
	}
}

// Esc pressed twice in haste arrives as alt+esc, and is esc.
func TestEscTwice(t *testing.T) {
	a, _ := open(t, scene(), look{})
	press(a, "v")
	a.Update(tea.KeyPressMsg{Code: tea.KeyEscape, Mod: tea.ModAlt})
	if modeOf(a) != "main" {
		t.Errorf("on %s", modeOf(a))
	}
}

// ctrl+z suspends the viewer, from wherever it is.
func TestSuspend(t *testing.T) {
	for _, keys := range [][]string{nil, {"v"}, {":", "l"}, {"q"}} {
		a, f := open(t, scene(), look{})
		press(a, keys...)
		_, cmd := a.Update(tea.KeyPressMsg{Code: 'z', Mod: tea.ModCtrl})
		if cmd == nil {
			t.Fatalf("%v: nothing", keys)
		}
		if _, ok := cmd().(tea.SuspendMsg); !ok || len(f.got) != 0 {
			t.Errorf("%v: %v, sent %v", keys, cmd(), f.got)
		}
	}
}

// On 80 columns the footer has the keys that matter most; who only reads sees none that steers.
func TestFooterPriority(t *testing.T) {
	a, _ := open(t, scene(), look{})
	const want = " space pause  ⏎ apply  u undo  : set  v plots  x sensitivity  ? help  q quit "
	if got := ansi.Strip(a.footerKeys(a.keys, mainID, 80)); got != want {
		t.Errorf("%q, wanted %q", got, want)
	}
	a, _ = openWith(t, scene(), look{}, Options{ReadOnly: true})
	for id := range screenCount {
		footer := ansi.Strip(a.footerKeys(a.keys, id, 300))
		for _, b := range a.keys.table {
			if b.steers && b.short != "" && b.in.has(id) && strings.Contains(footer, " "+b.short+" ") {
				t.Errorf("%v: the footer of who only reads has %s: %s", id, b.name, footer)
			}
		}
	}
	press(a, "?")
	if text := strings.Join(a.screens[helpID].(*help).text(200), "\n"); strings.Contains(
		text,
		"halve the learning rate",
	) {
		t.Error("the help of who only reads has keys that steer")
	}
	press(a, "esc", "ctrl+p", "u", "n", "d", "o")
	if !strings.Contains(ansi.Strip(frame(a, 80, 24)), "no action has this") {
		t.Error("the palette of who only reads has undo")
	}
}

// The help begins with its signs, and shows what has a text.
func TestHelpSearch(t *testing.T) {
	a, _ := open(t, scene(), look{})
	press(a, "?")
	text := ansi.Strip(frame(a, 80, 60))
	if !strings.Contains(strings.Split(text, "\n")[1], "Signs") {
		t.Errorf("the help begins with\n%s", text)
	}
	press(a, letters("/learning")...)
	press(a, "enter")
	text = ansi.Strip(frame(a, 80, 60))
	if !strings.Contains(text, "halve the learning rate") || strings.Contains(text, "the layer above") {
		t.Errorf("searched:\n%s", text)
	}
	press(a, letters("/zzz")...)
	if text = ansi.Strip(frame(a, 80, 60)); !strings.Contains(text, "nothing has this text") {
		t.Errorf("what nothing has:\n%s", text)
	}
}

// A value on its way is what the arrows go on from.
func TestNudgeFromSent(t *testing.T) {
	a, _ := open(t, scene(), look{})
	press(a, "4")
	unsent(a, tea.KeyPressMsg{Code: tea.KeyEnter})
	press(a, "right")
	field := config.Field{Layer: "conv1", Param: config.Threshold}
	if v, ok := a.sentValue(field); !ok || v != 1.644 || draftOf(a)["conv1"] != 1.654 {
		t.Errorf("sent %g, chosen %v", v, draftOf(a))
	}
}

// An undo that was taken, and that the surgery of its layer will answer, is not under way any longer.
func TestUndoWaitsForSurgery(t *testing.T) {
	a, f := open(t, scene(), look{})
	unsent(a, tea.KeyPressMsg{Code: 'u', Text: "u"})
	if h := lineWith(a, "dns-tui"); !strings.Contains(h, "undoing…") {
		t.Errorf("sent: %s", h)
	}
	taken := *f.snap
	back := changed(12480, "conv2.threshold", "1.96", "1.64")
	back.Seq = 9
	taken.Pending = append(slices.Clone(taken.Pending), back)
	f.snap = &taken
	a.Update(tickMsg{})
	if h := lineWith(a, "dns-tui"); strings.Contains(h, "undoing…") || !strings.Contains(h, "it/s") {
		t.Errorf("taken: %s", h)
	}
}

// Where no surgery comes nothing is predicted, and nothing is warned of.
func TestNothingComes(t *testing.T) {
	for name, change := range map[string]func(*session.Snapshot){
		"off":     func(s *session.Snapshot) { s.Hyper.Layers[0].Prune = false },
		"frozen":  func(s *session.Snapshot) { s.Hyper.Layers[0].MaskFrozen = true },
		"stopped": func(s *session.Snapshot) { s.Hyper.Stop = 6000 },
	} {
		s := scene()
		h := *s.Layers[0].Histogram
		h.DeathThresholds = []float32{0.1, 0.2, 0.3}
		s.Layers[0].Histogram, s.Layers[0].Outputs, s.Layers[0].Dead = &h, 3, 0
		change(s)
		a, _ := open(t, s, look{})
		press(a, "5")
		row := lineWith(a, "conv1")
		if !strings.Contains(row, "preview") || !strings.Contains(row, " - ") || strings.Contains(row, "!") {
			t.Errorf("%s: %s", name, row)
		}
		if text := ansi.Strip(frame(a, 160, 45)); strings.Contains(text, "would") {
			t.Errorf("%s: the screen warns\n%s", name, text)
		}
	}
}

// Layers of the paper rule have a draw each: that one of them is operated on is likelier than that a given one is.
func TestChanceOfTheNet(t *testing.T) {
	s := scene()
	for i := range s.Layers {
		s.Layers[i].Rule, s.Hyper.Layers[i].Rule, s.Hyper.Layers[i].Stop = gpu.PaperRule, gpu.PaperRule, config.Never
		s.Layers[i].Forecast = solver.Forecast{Known: true, Next: 12481, Chance: 0.25}
	}
	a, _ := open(t, s, look{})
	if h := lineWith(a, "dns-tui"); !strings.Contains(h, "surgery 68.4 % of iterations") {
		t.Errorf("the header says %s", h)
	}
}

// A row says its state in a word on each terminal that is not narrow.
func TestStateHasRoom(t *testing.T) {
	for w := 80; w < 240; w += 3 {
		s := scene()
		s.Layers[2].Name, s.Hyper.Layers[2].Name = "inception_3a/3x3_reduce", "inception_3a/3x3_reduce"
		a, _ := open(t, s, look{})
		press(a, "4")
		if text := ansi.Strip(frame(a, w, 30)); !strings.Contains(text, "preview ") {
			t.Errorf("%d columns:\n%s", w, text)
		}
	}
}

// The accuracy of a restore point is that of the last test before it: where that was at another iteration, it says so.
func TestAccuracyOfRestorePoints(t *testing.T) {
	s := scene()
	s.Accuracy = session.Series{}
	s.Accuracy.Add(0, 0.9909)
	s.Accuracy.Add(10000, 0.9772)
	s.RestorePoints = []session.RestorePoint{
		{Path: "a", Iter: 174, Accuracy: 0.9909, Smoothed: 0.02, Total: 10},
		{Path: "b", Iter: 10000, Accuracy: 0.9772, Smoothed: 0.02, Total: 10},
		{Path: "c", Iter: 0, Accuracy: -1, Total: 10},
	}
	a, _ := open(t, s, look{})
	press(a, "b")
	for _, c := range []struct{ row, want, not string }{
		{"      174", "accuracy 99.09 % at 0", ""}, {"   10,000", "accuracy 97.72 %", " at "}, {"        0", "kept",
			"loss"},
	} {
		if l := lineWith(a, c.row); !strings.Contains(l, c.want) || c.not != "" && strings.Contains(l, c.not) {
			t.Errorf("%s, wanted %q without %q", l, c.want, c.not)
		}
	}
}
