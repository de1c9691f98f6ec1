package tui

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/gpu"
)

// Fields are typed by our names or Caffe's, of one layer or of those that a pattern names; what is wrong is named.
func TestParseEdits(t *testing.T) {
	s := scene()
	s.Hyper.Layers[3].Rule = gpu.PaperRule
	s.Layers[3].Rule = gpu.PaperRule
	s.Hyper.Layers[3].Stop = config.Never
	s.Layers[2].Histogram = nil
	for _, c := range []struct{ field, value, want string }{
		{"lr", "0.001", "base_lr 0.001"},
		{"surgery_stop_iter", "6000", "stop 6000"},
		{"ip2.iter_stop", "6000", "ip2.stop 6000"},
		{"ip2.c_rate", "1.5", "ip2.c_rate 1.5"},
		{"conv1.t", "95%", "conv1.threshold 1.952"},
		{"conv1.sparsity", "95", "conv1.threshold 1.952"},
		{"conv1.sparsity", "95%", "conv1.threshold 1.952"},
		{"conv2.kept", "1,250", "conv2.threshold 1.96"},
		{"conv2.kept", "0", "conv2.threshold 4.265"},
		{"conv*.t", "1.5", "threshold → 1.5 in conv1, conv2"},
		{"conv?.prune", "off", "prune → off in conv1, conv2"},
		{"all.prune", "off", "prune → off in conv1, conv2, ip1 and 1 more"},
		{"conv*.sparsity", "90", "conv1.threshold 1.641, conv2.threshold 1.645"},
		{"all.threshold", "1", `no setting "ip2.threshold"`},
		{"all.sparsity", "90", "ip1 has not been measured yet"},
		{"fc*.t", "1", `no layer that can be pruned is like "fc*"`},
		{"conv3.t", "1", `no layer "conv3" that can be pruned`},
		{"conv1.heat", "1", `no setting "conv1.heat"`},
		{"conv1.sparsity", "195", `conv1.threshold: "195%" is not a sparsity; must be 0 to 100 %`},
		{"conv1.kept", "501", `conv1: "501" weights kept; must be 0 to 500`},
		{"conv1.kept", "few", `conv1: "few" weights kept; must be 0 to 500`},
		{"momentum", "much", `momentum: "much" is not a number`},
		{"sparsity", "95", `no setting "sparsity"`},
	} {
		edits, err := parseEdits(s, c.field, c.value)
		var got string
		if err != nil {
			got = err.Error()
		} else {
			got = set(edits...).(send).String()
		}
		if got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s %s: %q, wanted %q", c.field, c.value, got, c.want)
		}
	}
	s = scene()
	s.Layers[0].Name, s.Hyper.Layers[0].Name = "all", "all" // a layer of this name is meant before all
	if edits, err := parseEdits(s, "all.t", "2"); err != nil || len(edits) != 1 || edits[0].Layer != "all" {
		t.Errorf("the layer named all: %v, %v", edits, err)
	}
	s.Layers[1].Name, s.Hyper.Layers[1].Name = "inception_3a/1x1", "inception_3a/1x1"
	if edits, err := parseEdits(s, "inception*.t", "2"); err != nil || len(edits) != 1 {
		t.Errorf("a pattern over a slash: %v, %v", edits, err)
	}
}

// A command with a mistake stays to be mended, with what is wrong beside it, and nothing is sent.
func TestCommandStays(t *testing.T) {
	for _, c := range []struct{ typed, wrong string }{
		{"conv2.treshold 1", `did you mean "threshold"?`},
		{"momentum 2", "momentum is 2, wanted 0 to 1"},
		{"lr fast", `base_lr: "fast" is not a number`},
		{"conv*.t 1 at 500", "a plan is for one field"},
		{"conv2.sparsity 95 at 20000", "a plan wants the threshold itself: conv2.t"},
		{"step far", "wanted a whole number"},
		{"zzz", "wanted FIELD VALUE"},
	} {
		a, f := open(t, scene(), look{})
		press(a, letters(":"+c.typed, "enter")...)
		if a.line == nil || a.line.input.Value() != c.typed || len(f.got) != 0 ||
			!strings.Contains(a.notice.text, c.wrong) {
			t.Errorf("%s: sent %v, says %q, wanted %q", c.typed, f.got, a.notice.text, c.wrong)
		}
	}
}

// The list above the line has thresholds first, and goes by what is typed: names, Caffe's names, patterns, meanings.
func TestCommandList(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"", "conv1.threshold conv2.threshold ip1.threshold ip2.threshold all.t conv1.sparsity conv1.kept"},
		{"conv2", "conv2.threshold conv2.sparsity conv2.kept conv2.mask_frozen conv2.prune"},
		{"surgery_stop_iter", "stop"},
		{"conv2.t 1.5", "conv2.threshold"},
		{"conv*.t ", "conv1.threshold conv2.threshold"},
		{"ip1.sparsity 9", "ip1.threshold"},
		{"learning", "base_lr"},
		{"snap", "snapshot snapshot_prefix"},
		{"set lr 1", "base_lr"},
	} {
		a, _ := open(t, scene(), look{})
		press(a, letters(":"+c.typed)...)
		var names []string
		for _, e := range a.line.purpose.(*commandLine).entries {
			names = append(names, e.name)
		}
		want := strings.Fields(c.want)
		if got := names[:min(len(names), len(want))]; !slices.Equal(got, want) {
			t.Errorf("%q lists %v, wanted %v", c.typed, names, want)
		}
	}
	a, _ := open(t, scene(), look{})
	press(a, letters(":conv2.t")...)
	text := ansi.Strip(frame(a, 120, 40))
	for _, want := range []string{"name", "range", "1.96", "0 to 100", "standard deviations of the mean"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// A typed command that the run rejects comes back into the line, with the reason, and is not remembered.
func TestRejectedComesBack(t *testing.T) {
	var kept []string
	a, f := openWith(t, scene(), look{}, Options{Remember: func(c string) error { kept = append(kept, c); return nil }})
	f.err = errors.New("base_lr: iteration 3 has passed")
	press(a, letters(":lr 0.001 at 3", "enter")...)
	if a.line == nil || a.line.input.Value() != "lr 0.001 at 3" || !strings.Contains(a.notice.text, "has passed") ||
		kept != nil || len(a.history.lines) != 0 {
		t.Errorf("the line is %v, the UI says %q, kept %q", a.line, a.notice.text, kept)
	}
	f.err = nil
	press(a, "backspace")
	press(a, letters("5000", "enter")...)
	if a.line != nil || !slices.Equal(kept, []string{"lr 0.001 at 5000"}) {
		t.Errorf("mended: the line is %v, kept %q", a.line, kept)
	}
}

// On a terminal of 40 columns what is wrong takes the line's place, until the next key.
func TestMistakeOnANarrowTerminal(t *testing.T) {
	a, _ := open(t, scene(), look{})
	a.Update(tea.WindowSizeMsg{Width: 40, Height: 12})
	press(a, letters(":nonsense 5", "enter")...)
	if text := ansi.Strip(frame(a, 40, 12)); !strings.Contains(text, `no setting "nonsense"`) {
		t.Errorf("the screen shows\n%s", text)
	}
	press(a, "x")
	if text := ansi.Strip(frame(a, 40, 12)); !strings.Contains(text, ":nonsense 5x") {
		t.Errorf("after a key the screen shows\n%s", text)
	}
}

// What went up from the history is what the list is of.
func TestListOfHistory(t *testing.T) {
	a, _ := openWith(t, scene(), look{}, Options{History: []string{"momentum 0.5"}})
	press(a, ":", "up")
	if e := a.line.purpose.(*commandLine).entries; len(e) != 1 || e[0].name != "momentum" {
		t.Errorf("the list has %v", e)
	}
}

// Tab goes through the list, shift and tab back.
func TestCommandTab(t *testing.T) {
	a, f := open(t, scene(), look{})
	press(a, letters(":conv", "tab")...)
	value := func() string { return a.line.input.Value() }
	if value() != "conv1.threshold " {
		t.Errorf("tab: %q", value())
	}
	press(a, "tab")
	if value() != "conv2.threshold " {
		t.Errorf("tab twice: %q", value())
	}
	press(a, "shift+tab")
	press(a, letters("1.5", "enter")...)
	if len(f.got) != 1 || f.got[0].String() != "conv1.threshold 1.5" {
		t.Errorf("sent %v", f.got)
	}
}

// Up shows what was entered before, in this run of the UI and the ones before, down comes back to what is typed.
func TestCommandHistory(t *testing.T) {
	var kept []string
	a, _ := openWith(t, scene(), look{}, Options{
		History:  []string{"lr 0.1", "conv1.t 2"},
		Remember: func(c string) error { kept = append(kept, c); return nil },
	})
	run := func(keys ...string) {
		for _, k := range keys {
			press(a, k)
		}
	}
	run(letters(":lr 0.02", "enter")...)
	run(letters(":lr 0.02", "enter")...) // the same is not told twice
	run(letters(":mom 2", "enter", "esc")...)
	if !slices.Equal(kept, []string{"lr 0.02"}) {
		t.Errorf("kept %q", kept)
	}
	run(letters(":abc")...)
	for _, c := range []struct{ key, want string }{
		{"up", "lr 0.02"}, {"up", "conv1.t 2"}, {"up", "lr 0.1"}, {"up", "lr 0.1"},
		{"down", "conv1.t 2"}, {"down", "lr 0.02"}, {"down", "abc"}, {"down", "abc"},
	} {
		press(a, c.key)
		if got := a.line.input.Value(); got != c.want {
			t.Errorf("%s: %q, wanted %q", c.key, got, c.want)
		}
	}
	b, _ := openWith(t, scene(), look{}, Options{Remember: func(string) error { return errors.New("disk full") }})
	press(b, letters(":lr 0.02", "enter")...)
	if !b.notice.bad || !strings.Contains(b.notice.text, "disk full") {
		t.Errorf("the UI says %q", b.notice.text)
	}
}

// What is pasted into a terminal that does not say so comes as keys: however many, few frames are drawn, and the last
// shows all of them.
func TestPastedKeys(t *testing.T) {
	a, _ := open(t, scene(), look{})
	frame(a, 120, 40)
	press(a, ":")
	now := time.Now()
	a.clock, a.frames.every = func() time.Time { return now }, time.Second/framesPerSecond
	drawn, last := 0, ""
	var due tea.Cmd
	for i := range 3000 {
		now = now.Add(100 * time.Microsecond)
		_, cmd := a.Update(tea.KeyPressMsg{Code: 'x', Text: "x"})
		if a.frames.shown != last {
			drawn, last = drawn+1, a.frames.shown
		}
		if cmd != nil {
			due = cmd
		}
		if i%200 == 199 { // a sixtieth of a second has passed
			a.Update(frameDue{})
		}
	}
	if drawn == 0 || drawn > 60 || due == nil {
		t.Errorf("%d frames are drawn for 3,000 keys", drawn)
	}
	a.Update(frameDue{})
	if line := a.line.input.Value(); len(line) != 200 || !strings.Contains(frame(a, 120, 40), line[:50]) {
		t.Errorf("the line has %d letters", len(line))
	}
	// Keys that are typed are drawn each.
	now = now.Add(time.Second)
	press(a, "backspace")
	if a.frames.shown != "" {
		t.Error("a key that is typed waits")
	}
}
