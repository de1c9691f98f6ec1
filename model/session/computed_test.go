package session_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/session"
)

// trainedBy trains a run to an iteration on a host with, or without, OpenBLAS, and returns what it told.
func trainedBy(t *testing.T, run *config.Run, goBLAS bool, iter int) (computedBy, told []string) {
	t.Helper()
	run.Solver.MaxIter = proto.Int32(int32(iter))
	d := host.New(host.Options{Threads: 1, GoBLAS: goBLAS})
	defer d.Close()
	tr, err := session.NewTrainer(run, d, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range tr.Snapshot().Events {
		if text := e.String(); strings.Contains(text, "what computes") {
			told = append(told, text)
		}
	}
	tr.Start()
	if err := tr.Err(); err != nil {
		t.Fatal(err)
	}
	return d.Capabilities().ComputedBy, told
}

// Snapshot and journal have what computes. A run that goes on with others, and a replay, say so in a line.
func TestComputedBy(t *testing.T) {
	first := mini(t, "dns_seed_mini", nil)
	with, told := trainedBy(t, first, false, 2)
	if told != nil || len(with) < 2 {
		t.Fatalf("by %q a run began with %q", with, told)
	}
	saved := first.SnapshotPrefix() + "_iter_2.solverstate"
	state, err := caffe.ReadSolverState(saved)
	if err != nil {
		t.Fatal(err)
	}
	if have := state.GetRunState().GetComputedBy(); !slices.Equal(have, with) {
		t.Errorf("the snapshot has %q, wanted %q", have, with)
	}
	course, err := session.ReadCourse(first.JournalPath())
	if err != nil {
		t.Fatal(err)
	}
	if have := course.Changes[0].Began.ComputedBy; !slices.Equal(have, with) {
		t.Errorf("the journal has %q, wanted %q", have, with)
	}
	for _, goBLAS := range []bool{false, true} {
		resumed := mini(t, "dns_seed_mini", nil)
		resumed.Weights, resumed.Snapshot = nil, saved
		replayed := mini(t, "dns_seed_mini", nil)
		replayed.Replay = first.JournalPath()
		for name, run := range map[string]*config.Run{"the snapshot": resumed, first.JournalPath(): replayed} {
			now, told := trainedBy(t, run, goBLAS, 3)
			var want []string
			if !slices.Equal(now, with) {
				want = []string{"what computes, since " + name + ": was " + strings.Join(with, ", ") + "; is " +
					strings.Join(now, ", ") + ": the last bits may differ"}
			} else if goBLAS && with[0] != "gonum" {
				t.Errorf("computed by %q with and without OpenBLAS", now)
			}
			if len(told) != len(want) || len(want) > 0 && !strings.Contains(told[0], want[0]) {
				t.Errorf("GoBLAS %t, since %s: told %q, wanted %q", goBLAS, name, told, want)
			}
		}
	}
}
