package tui

import (
	"errors"
	"testing"

	"dns-tui/config"
	"dns-tui/model/session"
)

func TestParseCommand(t *testing.T) {
	run := &session.Snapshot{Hyper: &config.Hyper{
		LRMult: 1, Stop: config.Never, Layers: []config.LayerHyper{{Name: "conv2"}},
	}}
	for _, c := range []struct{ in, want string }{
		{"conv2.threshold 1.9", "conv2.threshold 1.9"},
		{"set lr_mult = 0.5", "lr_mult 0.5"},
		{"lr_mult=0.5", "lr_mult 0.5"},
		{"step", "step 1"},
		{"step 100", "step 100"},
		{"surgery", "surgery now"},
		{"undo", "undo"},
		{"redo", "redo"},
		{"back", "go back to the last good snapshot"},
		{"back x.solverstate", "go back to x.solverstate"},
		{"back lr=[0.01] b_iter_5.solverstate", "go back to lr=[0.01] b_iter_5.solverstate"},
		{"cancel 3", "cancel plan 3"},
		{"next-surgery", "step to the next surgery"},
		{"lr 0.001 at 20000", "base_lr 0.001 at 20000"},
		{"conv2.t 1.6 at +500", "conv2.threshold 1.6 at +500"},
		{"conv2.t 0.9 to 1.6 over 2000", "conv2.threshold 0.9 to 1.6 over 2000 at +0"},
		{"conv2.t to 1.6 over 2000 at 100", "conv2.threshold to 1.6 over 2000 at 100"},
		{"step x", "error"},
		{"", "error"},
		{"a b c", "error"},
		{"nonsense", "error"},
		{"lr 1 at x", "error"},
		{"lr 1 at -3", "error"},
		{"lr 1 over 0", "error"},
		{"lr to 2", "error"},
		{"lr 1 to 2", "error"},
		{"lr 1 at", "error"},
		{"quit", "quit"},
		{"snapshot_prefix = d/e f", "snapshot_prefix d/e f"},
		{"conv9.t 1", "error"},
		{"conv2.heat 1", "error"},
		{"lr fast", "error"},
		{"momentum 2", "error"},
		{"lr 1 to fast over 3", "error"},
		{"lr 95%", "error"},
		{"conv2.t 95% at 100", "error"},
	} {
		var got string
		switch cmd, err := parseCommand(run, c.in); {
		case errors.Is(err, errQuit):
			got = "quit"
		case err != nil:
			got = "error"
		default:
			got = cmd.String()
		}
		if got != c.want {
			t.Errorf("%q is %q, wanted %q", c.in, got, c.want)
		}
	}
}
