package tui

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/model/session"
)

// The edge below the layers says what the net costs, now and as it is to become, as much as there is room for.
func TestNetCost(t *testing.T) {
	known := func(s *session.Snapshot) {
		for i := range s.Layers {
			s.Layers[i].Positions, s.Layers[i].Outputs, s.Layers[i].Dead = 10, 50, 9
		}
	}
	for _, c := range []struct {
		name  string
		width int
		scene func(*session.Snapshot)
		want  string
	}{
		{"a pending threshold", 160, nil, "─ file about 19.5 KiB → 77.7 KiB ─"},
		{"all that is known", 160, known,
			"─ file about 19.5 KiB → 77.7 KiB  39.8 KMAC → 167 KMAC  live outputs 164 of 200 ─"},
		{"no room for all", 40, known, "─ file about 19.5 KiB → 77.7 KiB ─"},
		{"nothing to come", 160, func(s *session.Snapshot) {
			known(s)
			s.Hyper.Stop, s.Pending = 6000, nil
		}, "─ file about 19.5 KiB  39.8 KMAC  live outputs 164 of 200 ─"},
		{"the file was weighed", 160, func(s *session.Snapshot) {
			known(s)
			unmeasured(s)
			s.Shipped.Now.Iter = s.Iter
		}, "─ file 16,012 bytes → about 62.3 KiB  39.8 KMAC → 167 KMAC  live outputs 164 of 200 ─"},
		{"at an iteration before", 160, unmeasured, "─ file 16,012 bytes at 12,400 → about 62.3 KiB ─"},
		{"masks were redrawn just now", 160, whatIsShipped, "─ file 16,012 bytes at 12,400 → about 62.3 KiB ─"},
		{"masks were redrawn since", 160, func(s *session.Snapshot) {
			whatIsShipped(s)
			s.PerSecond = 7
		}, "─ file about 19.5 KiB → 77.7 KiB ─"},
		{"not known where outputs are dead", 160, func(s *session.Snapshot) {
			known(s)
			s.Layers[1].Dead = -1
		}, "─ file about 19.5 KiB → 77.7 KiB  39.8 KMAC → 167 KMAC ─"},
	} {
		s := scene()
		if c.scene != nil {
			c.scene(s)
		}
		a, _ := open(t, s, look{})
		if got := ansi.Strip(frame(a, c.width, 45)); !strings.Contains(got, c.want) {
			t.Errorf("%s: no %q in\n%s", c.name, c.want, got)
		}
	}
}
