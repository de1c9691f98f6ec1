package session_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// descends is a run whose solver asks for a descent.
func descends(target string) func(*config.Run) {
	return func(r *config.Run) {
		lively(r)
		r.Solver.MaxIter = proto.Int32(60)
		r.Solver.AutopilotParam = &caffepb.AutopilotParameter{
			Target: proto.String(target), EndIter: proto.Int32(24), Interval: proto.Int32(4),
		}
	}
}

// A descent that the solver asks for resumes bit for bit, on its way, in its anneal, and from the iteration in which
// its masks freeze.
func TestDescentResumes(t *testing.T) {
	var why []autopilot.Derived // of the run that stopped last
	weightsOf := func(run *config.Run, iter int) []byte {
		why = stopped(t, run, iter, nil).Autopilot.Descent.Derived
		return read(t, fmt.Sprintf("%s_iter_%d.caffemodel", run.SnapshotPrefix(), iter))
	}
	want, reasons := weightsOf(mini(t, "dns_seed_mini", descends("5x")), 40), why
	for _, at := range []int{13, 24, 31} {
		first := mini(t, "dns_seed_mini", descends("5x"))
		weightsOf(first, at)
		again := mini(t, "dns_seed_mini", descends("5x"))
		again.Weights, again.Snapshot = nil, fmt.Sprintf("%s_iter_%d.solverstate", first.SnapshotPrefix(), at)
		if !bytes.Equal(want, weightsOf(again, 40)) {
			t.Errorf("resumed at %d, the weights differ from those of the undisturbed run", at)
		}
		if len(reasons) == 0 || !slices.Equal(why, reasons) {
			t.Errorf("resumed at %d, what is derived is %v, and was %v", at, why, reasons)
		}
	}
	replayed := mini(t, "dns_seed_mini", descends("5x"))
	first := mini(t, "dns_seed_mini", descends("5x"))
	weightsOf(first, 40)
	replayed.Replay = first.JournalPath()
	if !bytes.Equal(want, weightsOf(replayed, 40)) {
		t.Error("replayed, the weights differ")
	}
}

// stopped runs to an iteration, saves there, and returns the last snapshot of the session.
func stopped(t *testing.T, run *config.Run, iter int, flags []autopilot.Setting) *session.Snapshot {
	t.Helper()
	tr := startWith(t, run, 2, session.Options{Autopilot: flags})
	if n := iter - tr.Snapshot().Iter; n > 0 {
		must(t, tr, session.Command{Kind: session.Step, Count: n})
	}
	settle(t, tr)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	sn := tr.Snapshot()
	must(t, tr, session.Command{Kind: session.Stop})
	<-tr.Done()
	return sn
}

// What solver and flags say when a run resumes holds beside what its snapshot says, and each difference is told.
func TestDescentIsEdited(t *testing.T) {
	for _, c := range []struct {
		name     string
		now      func(*config.Run)
		flags    []autopilot.Setting
		settings config.Precedence
		target   string // "" is off
		told     string
	}{
		{name: "as it was", now: descends("5x"), target: "5x"},
		{
			name: "edited", now: descends("8x"), target: "8x",
			told: "autopilot_param was edited since the snapshot: target 8x",
		},
		{
			name: "edited, and not wanted", now: descends("8x"), settings: config.BySnapshot, target: "5x",
			told: "target 8x), which holds: --settings snapshot",
		},
		{
			name: "a flag", now: descends("5x"), flags: []autopilot.Setting{{Name: "target", Value: "7x"}},
			target: "7x", told: "target 7x",
		},
		{
			name: "the same flag", now: descends("5x"), flags: []autopilot.Setting{{Name: "target", Value: "5x"}},
			target: "5x",
		},
		{
			name: "the end alone", target: "5x", told: "end_iter 30",
			now: func(r *config.Run) { descends("5x")(r); r.Solver.AutopilotParam.EndIter = proto.Int32(30) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			first := mini(t, "dns_seed_mini", descends("5x"))
			before := stopped(t, first, 10, nil)
			again := mini(t, "dns_seed_mini", c.now)
			again.Weights, again.Snapshot = nil, first.SnapshotPrefix()+"_iter_10.solverstate"
			again.Settings = c.settings
			tr := startWith(t, again, 2, session.Options{Autopilot: c.flags})
			sn := tr.Snapshot()
			if sn.Autopilot == nil || sn.Autopilot.Descent.Settings.Target.String() != c.target {
				t.Fatalf("the autopilot is %+v; wanted %s", sn.Autopilot, c.target)
			}
			if c.told == "" && sn.Autopilot.String() != before.Autopilot.String() {
				t.Errorf("it was %s, and is %s", before.Autopilot, sn.Autopilot)
			}
			said := false
			for _, e := range sn.Events {
				said = said || c.told != "" && strings.Contains(e.String(), c.told)
				if c.told == "" && strings.Contains(e.String(), "autopilot_param") {
					t.Errorf("it is told: %s", e)
				}
			}
			if c.told != "" && !said {
				t.Errorf("nothing says %q: %v", c.told, sn.Events)
			}
		})
	}
}

// What no net can come to is refused at the start, as live.
func TestDescentIsRefusedAtTheStart(t *testing.T) {
	for target, want := range map[string]string{
		"1e9x":     "is no target",
		"20000":    "the layers have 11,978 entries",
		"200000x":  "nothing would be left",
		"99.9999%": "nothing would be left",
	} {
		run := mini(t, "dns_seed_mini", descends(target))
		d := host.New(host.Options{Threads: 1})
		_, err := session.NewTrainer(run, d, session.Options{})
		d.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v; wanted %q", target, err, want)
		}
	}
}
