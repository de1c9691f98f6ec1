package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/model/session"
)

// What is measured is the net now, and as the main screen says that it is to become.
func TestMeasureKey(t *testing.T) {
	const others = " conv2.threshold 1.96 ip1.threshold 2.1 ip2.threshold 1.281] "
	for _, c := range []struct {
		name  string
		scene func(*session.Snapshot)
		keys  []string
		want  string // edits and target of the command; "" where none is sent
		says  string
	}{
		{"a pending threshold", unmeasured, []string{"W", "r"}, "[conv1.threshold 0.94" + others, ""},
		{"one that is chosen, too", unmeasured, []string{"5", "W", "r"}, "[conv1.threshold 1.959" + others, ""},
		{"typed", unmeasured, letters("5:weigh", "enter"), "[conv1.threshold 1.959" + others, ""},
		{"a target", unmeasured, letters("5:weigh 310x", "enter"), "[] 310x", ""},
		{"no target", unmeasured, letters(":weigh much", "enter"), "", "is no target"},
		{"nothing to come", func(s *session.Snapshot) {
			unmeasured(s)
			s.Hyper.Stop, s.Pending = 6000, nil
		}, []string{"W", "r"}, "[] ", ""},
		{"a descent, whose target the run knows", func(s *session.Snapshot) {
			descending(s)
			unmeasured(s)
			s.Pending = nil
		}, []string{"W", "r"}, "[] ", ""},
		{"a run that does not tell", nil, []string{"W", "r"}, "", "does not measure"},
		{"the same, typed", nil, letters(":weigh", "enter"), "", "does not measure"},
	} {
		s := scene()
		if c.scene != nil {
			c.scene(s)
		}
		a, f := open(t, s, look{})
		press(a, c.keys...)
		got := ""
		for _, g := range f.got {
			if g.Kind != session.Weigh {
				t.Errorf("%s: sent %s", c.name, g)
			}
			target := ""
			if g.Target.Unit != 0 {
				target = g.Target.String()
			}
			got += fmt.Sprint(g.Edits, " ", target)
		}
		if got != c.want || !strings.Contains(a.notice.text, c.says) {
			t.Errorf("%s: sent %q, wanted %q; says %q", c.name, got, c.want, a.notice.text)
		}
	}
}

// A threshold that is measured is not one that was sent.
func TestMeasuredThresholdIsNotSent(t *testing.T) {
	s := scene()
	unmeasured(s)
	a, _ := open(t, s, look{})
	press(a, "5")
	l := &s.Layers[0]
	a.flights.begin(session.Command{Kind: session.Weigh, Edits: []config.Edit{edit("conv1.threshold", "1.959")}}, s)
	if _, sent := a.sentValue(mainOf(a).choices.thresholdField(l)); sent {
		t.Error("the threshold counts as sent")
	}
}

// A viewer that only reads sees the figures, and no key that measures.
func TestReadOnlyShipped(t *testing.T) {
	s := scene()
	unmeasured(s)
	a, _ := openWith(t, s, look{}, Options{ReadOnly: true})
	press(a, "W")
	got := ansi.Strip(frame(a, 80, 24))
	if !strings.Contains(got, "Not measured so far: ms of a pass") || strings.Contains(got, "r measure") ||
		!strings.Contains(got, "16,012") {
		t.Error(got)
	}
}
