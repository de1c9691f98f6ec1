package session_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// Weights that start random learn first, and are compared by LAMP; so are those of a snapshot that was written before
// they learned. Weights that were loaded are not.
func TestRandomWeights(t *testing.T) {
	run := func(weights bool) *config.Run {
		return mini(t, "dns_seed_mini", func(r *config.Run) {
			if !weights {
				r.Weights = nil
			}
			r.Solver.MaxIter = proto.Int32(200)
			r.Solver.AutopilotParam = &caffepb.AutopilotParameter{Target: proto.String("5x")}
		})
	}
	check := func(what string, tr *session.Trainer, start int, scale autopilot.Scale) {
		t.Helper()
		s := tr.Snapshot().Autopilot.Descent.Settings
		if s.Start != start || s.Scale != scale {
			t.Errorf("%s: it starts at %d by %s; wanted %d, %s", what, s.Start, s.Scale, start, scale)
		}
	}
	for _, c := range []struct {
		weights bool
		start   int
		scale   autopilot.Scale
	}{{false, 40, autopilot.LAMPScale}, {true, 0, autopilot.MagnitudeScale}} {
		first := run(c.weights)
		tr := startWith(t, first, 2, session.Options{})
		check("begun", tr, c.start, c.scale)
		settle(t, tr)
		must(t, tr, session.Command{Kind: session.SnapshotNow})
		must(t, tr, session.Command{Kind: session.Stop})
		<-tr.Done()
		again := run(c.weights)
		again.Weights, again.Snapshot = nil, first.SnapshotPrefix()+"_iter_0.solverstate"
		target := []autopilot.Setting{{Name: "target", Value: "9x"}}
		tr = startWith(t, again, 2, session.Options{Autopilot: target})
		check("resumed with another target", tr, c.start, c.scale)
		must(t, tr, session.Command{Kind: session.Stop})
		<-tr.Done()
	}
}

// A file that comes to say what was derived, or what a version left out that derived no scale, was not edited.
func TestScaleWrittenDown(t *testing.T) {
	first := mini(t, "dns_seed_mini", descends("5x"))
	stopped(t, first, 10, nil)
	again := mini(t, "dns_seed_mini", func(r *config.Run) {
		descends("5x")(r)
		r.Solver.AutopilotParam.Scale = caffepb.AutopilotParameter_MAGNITUDE.Enum()
	})
	again.Weights, again.Snapshot = nil, first.SnapshotPrefix()+"_iter_10.solverstate"
	tr := startWith(t, again, 2, session.Options{})
	for _, e := range tr.Snapshot().Events {
		if text := e.What.String(); strings.Contains(text, "autopilot_param") {
			t.Errorf("it tells: %s", text)
		}
	}
}
