package tui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"dns-tui/config"
	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// copied is what a key puts into the clipboard; "" of nothing.
func clipOf(a *App, key string) string {
	_, cmd := a.Update(tea.KeyPressMsg{Code: []rune(key)[0], Text: key})
	if cmd == nil {
		return ""
	}
	return fmt.Sprint(cmd()) // a string type of Bubble Tea's own
}

// c copies what is selected as it can be typed again, C the table, in cells.
func TestCopying(t *testing.T) {
	for _, c := range []struct {
		name, cell, table string
		scene             func(*session.Snapshot)
		keys              []string
	}{
		{"main", "conv2.threshold 1.96", "conv2\tConvolution\t25000\t770\t96.9 %\t95.0 %\t1.96\t1.96\t\n", nil,
			[]string{"down"}},
		{"a choice", "conv1.threshold 1.644", "conv1\tConvolution\t500\t72\t85.6 %\t90.0 %\t0.94\t1.644\tpreview\n",
			nil,
			[]string{"4"}},
		{"settings", "base_lr 0.01", "momentum\t0.9\t0 to 1\t", nil, []string{"o"}},
		{"sensitivity", "conv1.t 0.300", "conv1\t0.3\t50.0 %\t", measured, []string{"x", "right"}},
		{"restore points", "lenet_guard_iter_12440.solverstate", "12440\t0.0125\t-\t3990\t430500\t", planned,
			[]string{"b", "down", "down"}},
		{"journal", "12,480 pending ip1.threshold 2.4 → 2.1", "12,000 test  accuracy 0.9909  loss 0.0310\n", nil,
			[]string{"J"}},
		{"what is shipped", "16012", "bytes of the compact file\t16012\t5990\n", whatIsShipped,
			[]string{"W", "down", "down", "down"}},
		{"frontier", "d/lenet_iter_18877.solverstate", "kept", searching, []string{"A", "home"}},
	} {
		s := scene()
		if c.scene != nil {
			c.scene(s)
		}
		a, _ := open(t, s, look{})
		press(a, c.keys...)
		if got := clipOf(a, "c"); got != c.cell || !strings.Contains(a.notice.text, c.cell) {
			t.Errorf("%s: c copies %q, wanted %q; says %q", c.name, got, c.cell, a.notice.text)
		}
		if got := clipOf(a, "C"); !strings.Contains(got, c.table) {
			t.Errorf("%s: C copies\n%s\nwithout %q", c.name, got, c.table)
		}
	}
	hostile := scene()
	hostile.Layers[0].Name, hostile.Hyper.Layers[0].Name = "a\x1b]0;x\nrm", "a\x1b]0;x\nrm"
	a, _ := open(t, hostile, look{})
	for _, key := range []string{"c", "C"} {
		if got := clipOf(a, key); strings.Contains(got, "\x1b") || strings.Count(strings.TrimSpace(got), "\n") > 4 {
			t.Errorf("%s copies %q", key, got)
		}
	}
	press(a, "x")
	if got := clipOf(a, "C"); got != "" || !a.notice.bad {
		t.Errorf("a table that is empty copies %q, says %q", got, a.notice.text)
	}
}

// An end, a problem and a test are told to who asked for it, once, by the bell or the title.
func TestAlerts(t *testing.T) {
	tested := func(s *session.Snapshot) { s.Accuracy.Add(12480, 0.9907) }
	for _, c := range []struct {
		name   string
		by     configpb.Preferences_Alert
		change func(*session.Snapshot)
		title  string
		bell   bool
	}{
		{"nothing was asked for", configpb.Preferences_NO_ALERT, tested, "", false},
		{"nothing happened", configpb.Preferences_BELL_AND_TITLE, func(s *session.Snapshot) { s.Iter++ }, "", false},
		{"a test", configpb.Preferences_BELL, tested, "", true},
		{"a test", configpb.Preferences_TITLE, tested, "test 99.07 %", false},
		{"the end", configpb.Preferences_BELL_AND_TITLE, func(s *session.Snapshot) { s.State = session.Finished },
			"finished", true},
		{"a problem", configpb.Preferences_BELL_AND_TITLE, func(s *session.Snapshot) {
			s.State, s.Problem = session.Paused, "the loss is NaN"
		}, "the loss is NaN", true},
	} {
		p := config.DefaultPreferences()
		p.Alert = c.by.Enum()
		s := scene()
		a, f := openWith(t, s, look{}, Options{Preferences: p})
		a.Update(tickMsg{})
		next := scene()
		c.change(next)
		f.snap = next
		_, cmd := a.Update(tickMsg{})
		if got := rings(cmd); got != c.bell {
			t.Errorf("%s: the bell rings: %t, wanted %t", c.name, got, c.bell)
		}
		title := a.View().WindowTitle
		if c.title == "" && title != "dns-tui solver.prototxt" || !strings.HasPrefix(title, c.title) {
			t.Errorf("%s: the title is %q, wanted %q", c.name, title, c.title)
		}
		if _, cmd = a.Update(tickMsg{}); rings(cmd) {
			t.Errorf("%s: the bell rings again", c.name)
		}
		press(a, "down")
		if title = a.View().WindowTitle; title != "dns-tui solver.prototxt" {
			t.Errorf("%s: after a key the title is %q", c.name, title)
		}
	}
	a, _ := open(t, scene(), look{})
	press(a, "!")
	if a.alerts.by != configpb.Preferences_BELL || !strings.Contains(a.notice.text, "bell") {
		t.Errorf("! says %q", a.notice.text)
	}
}

// rings reports whether a batch has the bell, without waiting for its ticks.
func rings(cmd tea.Cmd) bool {
	batch, ok := cmd().(tea.BatchMsg)
	if !ok {
		return false
	}
	for _, c := range batch[:max(0, len(batch)-1)] { // the last is the tick
		if c == nil {
			continue
		}
		if raw, ok := c().(tea.RawMsg); ok && fmt.Sprint(raw.Msg) == "\a" {
			return true
		}
	}
	return false
}
