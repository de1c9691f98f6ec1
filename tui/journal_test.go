package tui

import (
	"strings"
	"testing"

	"dns-tui/model/session"
)

// The journal says how many of the run's events it does not have.
func TestJournalCountsEarlierEvents(t *testing.T) {
	s := scene()
	for i := range s.Events {
		s.Events[i].Seq = 1200 + i
	}
	a, _ := open(t, s, look{})
	press(a, "J")
	if got, want := frame(a, 120, 40), "1,199 earlier events are in the file alone"; !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
	s.Events = []session.Event{told(1, "first")}
	s.Events[0].Seq = 1
	a, _ = open(t, s, look{})
	press(a, "J")
	if got := frame(a, 120, 40); strings.Contains(got, "earlier events") {
		t.Errorf("earlier events than the first in\n%s", got)
	}
}
