package session_test

import (
	"testing"

	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// A change of the autopilot is one line, however long its lists are.
func TestAutopilotChangeText(t *testing.T) {
	told := func(end, held, retreat int, settings ...autopilot.Setting) *session.Autopilot {
		asked, err := autopilot.DefaultSettings().With(settings...)
		if err != nil {
			t.Fatal(err)
		}
		d := autopilot.Descent{Settings: asked, Schedule: autopilot.Schedule{End: end}}
		return &session.Autopilot{Asked: asked, Descent: d, Held: held, Retreat: retreat}
	}
	twenty := autopilot.Setting{Name: "target", Value: "20x"}
	set := func(name, value string) autopilot.Setting { return autopilot.Setting{Name: name, Value: value} }
	for _, c := range []struct {
		old, new *session.Autopilot
		want     string
	}{
		{nil, told(900, -1, 0, twenty), "autopilot 20x by iteration 900"},
		{told(900, -1, 0, twenty), nil, "autopilot off"},
		{told(900, -1, 0, twenty), told(900, 300, 0, twenty), "autopilot paused"},
		{told(900, 300, 0, twenty), told(950, -1, 0, twenty), "autopilot resumes, 20x by iteration 950"},
		{told(900, -1, 0, twenty), told(1200, -1, 1, twenty), "autopilot at half the pace, 20x by iteration 1200"},
		{told(900, -1, 0, twenty), told(900, -1, 0, set("target", "30x")), "autopilot target 30x"},
		{told(900, -1, 0, twenty), told(800, -1, 0, set("target", "30x"), set("end_iter", "800")),
			"autopilot 20x by iteration 900 → 30x by iteration 800"},
		{told(900, -1, 0, twenty), told(900, -1, 0, twenty, set("pin", "a b c d e f")),
			"autopilot pin a b c and 3 more"},
		{told(900, -1, 0, twenty, set("floor", "a=3")), told(900, -1, 0, twenty, set("pin", "a")),
			"autopilot floor none, pin a"},
		{told(900, -1, 0, twenty), told(900, -1, 0, twenty, set("pin", "a"), set("scale", "lamp"), set("interval", "5"),
			set("retries", "1"), set("loss_factor", "2")), "autopilot pin a, scale lamp, interval 5 and 2 more"},
	} {
		change := session.AutopilotChange{Old: c.old, New: c.new}
		if got := change.String(); got != c.want {
			t.Errorf("%q, wanted %q", got, c.want)
		}
	}
}
