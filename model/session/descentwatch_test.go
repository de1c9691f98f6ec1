package session

import (
	"strings"
	"testing"

	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/solver"
)

// A descent goes wrong where its loss, averaged, is many times the least that it was, or the accuracy of the tests that
// the solver asks for has fallen; not for a bad batch, not in the first iterations, and not where nobody asked to look.
func TestDescentGoesWrong(t *testing.T) {
	repeat := func(loss float64, n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = loss
		}
		return out
	}
	join := func(parts ...[]float64) (out []float64) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	for _, c := range []struct {
		name       string
		losses     []float64
		accuracies []float64
		change     func(*autopilot.Settings)
		wrong      string
	}{
		{
			name: "all is well", losses: join(repeat(0.02, 300), repeat(0.2, 300)),
			accuracies: []float64{0.99, 0.96, 0.98},
		},
		{name: "it heals from the first surgery", losses: join(repeat(2.3, 150), repeat(0.1, 200))},
		{name: "a bad batch", losses: join(repeat(0.1, 300), repeat(40, 1), repeat(0.1, 10))},
		{name: "the loss of chance", losses: join(repeat(0.1, 300), repeat(2.3, 100)), wrong: "the loss is 2"},
		{name: "a net that knew everything", losses: join(repeat(1e-6, 300), repeat(0.5, 300))},
		{
			name: "nobody looks at the loss", losses: join(repeat(0.1, 300), repeat(80, 100)),
			change: func(s *autopilot.Settings) { s.LossFactor = 0 },
		},
		{
			name: "accuracy falls", losses: repeat(0.1, 10), accuracies: []float64{0.95, 0.99, 0.88},
			wrong: "the test accuracy is 0.8800, and was 0.9900",
		},
		{
			name: "nobody looks at the accuracy", losses: repeat(0.1, 10), accuracies: []float64{0.99, 0.1},
			change: func(s *autopilot.Settings) { s.AccuracyDrop = 0 },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := autopilot.DefaultSettings()
			if c.change != nil {
				c.change(&s)
			}
			d := descent{hardened: -1, now: &Autopilot{Held: -1, Descent: autopilot.Descent{
				Settings: s, Schedule: autopilot.Schedule{End: 10000, Interval: 1, From: 2, To: 1},
			}}}
			for i, l := range c.losses {
				d.settled(i, l)
			}
			for _, a := range c.accuracies {
				d.tested([]solver.TestResult{{Outputs: []model.Output{{Type: "Accuracy", Value: a}}}})
			}
			if got := d.wrong(); !strings.HasPrefix(got, c.wrong) || c.wrong == "" && got != "" {
				t.Errorf("it says %q; wanted %q", got, c.wrong)
			}
			d.now.Held = 1
			if got := d.wrong(); got != "" {
				t.Errorf("paused, it says %q", got)
			}
		})
	}
}
