package tui

import (
	"slices"
	"strings"
	"testing"

	"dns-tui/model/session"
)

// The palette begins with what fits the moment.
func TestPaletteMoment(t *testing.T) {
	for _, c := range []struct {
		name, want string
		scene      func(*session.Snapshot)
		keys       []string
	}{
		{"nothing in particular", "up down lower", nil, nil},
		{"a choice", "apply up down", nil, []string{"5"}},
		{"two choices", "apply apply-all drop-all", nil, []string{"5", "down", "5"}},
		{"a problem", "last-good pause step step-surgery", func(s *session.Snapshot) {
			s.State, s.Problem = session.Paused, "the loss is NaN"
		}, nil},
		{"something to undo", "undo up", func(s *session.Snapshot) { s.Undo = "lr 0.1" }, nil},
		{"a descent", "autopilot up", descending, nil},
		{"the end", "journal plots", func(s *session.Snapshot) { s.State = session.Finished }, nil},
		{"a disk that is full", "command snapshot", func(s *session.Snapshot) { s.WriteProblem = "no space" }, nil},
	} {
		s := scene()
		if c.scene != nil {
			c.scene(s)
		}
		a, _ := open(t, s, look{})
		press(a, c.keys...)
		press(a, "ctrl+p")
		var names []string
		for _, b := range a.line.purpose.(*palette).found {
			names = append(names, b.name)
		}
		if got := strings.Join(names, " "); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, wanted %s first", c.name, got, c.want)
		}
	}
}

// The journal's box and the journal have one order, the newest last; the journal opens at its end and stays there
// until one scrolls up.
func TestJournalOrder(t *testing.T) {
	s := scene()
	for i := range 100 {
		s.Events = append(s.Events, told(13000+i, "event"))
	}
	s.Pending = nil
	a, f := open(t, s, look{})
	press(a, "J")
	last := func() string {
		lines := strings.Split(screenText(a), "\n")
		return lines[len(lines)-3]
	}
	if !strings.Contains(last(), "13,099") {
		t.Errorf("opened, the last line is %s", last())
	}
	more := *s
	more.Events = append(slices.Clip(more.Events), told(14000, "new"))
	f.snap = &more
	a.Update(tickMsg{})
	if !strings.Contains(last(), "14,000") {
		t.Errorf("with a new event the last line is %s", last())
	}
	press(a, "up")
	evenMore := more
	evenMore.Events = append(slices.Clip(more.Events), told(15000, "newer"))
	f.snap = &evenMore
	a.Update(tickMsg{})
	if !strings.Contains(last(), "13,099") {
		t.Errorf("scrolled up, and the last line moved to %s", last())
	}
	press(a, "end")
	if !strings.Contains(last(), "15,000") {
		t.Errorf("at the end the last line is %s", last())
	}
}
