package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/model/autopilot"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

func lasting(r *config.Run) { r.Solver.MaxIter = proto.Int32(400) }

// resumed is a run that goes on in another's folder, from one of its snapshots.
func resumed(t *testing.T, run *config.Run, state string, o session.Options) *session.Trainer {
	t.Helper()
	return startWith(t, mini(t, "dns_seed_mini", func(r *config.Run) {
		lasting(r)
		r.Solver.SnapshotPrefix = proto.String(run.SnapshotPrefix())
		r.Weights, r.Snapshot = nil, filepath.Join(filepath.Dir(run.SnapshotPrefix()), state)
	}), 2, o)
}

func stop(tr *session.Trainer) {
	_, _ = tr.Do(context.Background(), session.Command{Kind: session.Stop})
	<-tr.Done()
}

// leftBehind are the solverstates, by base name, that going back left behind, as the journal tells.
func leftBehind(run *config.Run) (map[string]bool, error) {
	c, err := session.ReadCourse(run.JournalPath())
	if err != nil {
		return nil, err
	}
	return c.Left, nil
}

// settingLines are the lines of a journal that are settings, as text.
func settingLines(t *testing.T, run *config.Run) []string {
	t.Helper()
	changes, err := session.ReadJournal(run.JournalPath())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range changes {
		if c.IsSetting() {
			out = append(out, fmt.Sprint(c.Iter, " ", c.String()))
		}
	}
	return out
}

// What going back leaves behind is marked, in the journal and among the states, and is not what a run goes on from;
// going back once more returns to it.
func TestLeftBehind(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 3})
	stepTo(t, tr, 10)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	stepTo(t, tr, 12)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	stepTo(t, tr, 15)
	before := save(t, tr) // at 15
	stepTo(t, tr, 17)
	must(t, tr, session.Command{Kind: session.GoBack, Path: run.SnapshotPrefix() + "_iter_10.solverstate"})
	want := map[string]bool{
		"run_iter_12.solverstate":       true,
		"run_iter_15.solverstate":       true,
		"run_guard_iter_17.solverstate": true,
	}
	check := func(when string, states []session.RestorePoint) {
		t.Helper()
		left, err := leftBehind(run)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, left); d != "" {
			t.Errorf("%s, the journal: %s", when, d)
		}
		marked := map[string]bool{}
		for _, s := range states {
			if s.Left {
				marked[filepath.Base(s.Path)] = true
			}
		}
		if d := cmp.Diff(want, marked); d != "" {
			t.Errorf("%s, the states: %s", when, d)
		}
	}
	check("after going back", tr.Snapshot().RestorePoints)
	if b := tr.Snapshot().Back; filepath.Base(b) != "run_guard_iter_17.solverstate" {
		t.Errorf("back goes to %s, wanted what was left", b)
	}
	must(t, tr, session.Command{Kind: session.GoBack})
	if s := tr.Snapshot(); s.Iter != 17 || filepath.Base(s.Back) != "run_iter_10.solverstate" {
		t.Errorf("back again: at %d, and from there to %s", s.Iter, s.Back)
	}
	want = map[string]bool{}
	check("after returning", tr.Snapshot().RestorePoints)
	must(t, tr, session.Command{Kind: session.GoBack, Path: run.SnapshotPrefix() + "_iter_10.solverstate"})
	stepTo(t, tr, 15)
	if b := tr.Snapshot().Back; filepath.Base(b) != "run_iter_10.solverstate" {
		t.Errorf("after new training back goes to %s, wanted the last good snapshot", b)
	}
	save(t, tr)
	// 15 was written anew, and 17 when the run returned to its guard.
	want = map[string]bool{
		"run_iter_12.solverstate":       true,
		"run_iter_17.solverstate":       true,
		"run_guard_iter_17.solverstate": true,
	}
	check("after new training", tr.Snapshot().RestorePoints)
	stop(tr)
	tr = resumed(t, run, "run_iter_15.solverstate", session.Options{Guard: 3})
	check("after a resume", tr.Snapshot().RestorePoints)
	if b := tr.Snapshot().Back; filepath.Base(b) != "run_iter_10.solverstate" {
		t.Errorf("after a resume back goes to %s", b)
	}
	if !strings.Contains(string(before), "conv1") {
		t.Error("no weights")
	}
}

// A run that is cut off after it went back to a guard goes on from there: the guard has the name of a snapshot then.
func TestBackToAGuard(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 3})
	stepTo(t, tr, 5)
	must(t, tr, set("lr_mult", "8"))
	stepTo(t, tr, 9)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	must(t, tr, session.Command{Kind: session.GoBack})
	stop(tr)
	left, err := leftBehind(run)
	if err != nil || !left["run_iter_9.solverstate"] {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := os.Stat(run.SnapshotPrefix() + "_iter_5.solverstate"); err != nil || left["run_iter_5.solverstate"] {
		t.Errorf("%v, left %v; wanted a snapshot at 5 to go on from", err, left)
	}
}

// Where what is now cannot be saved, going back changes nothing.
func TestGoingBackKeepsWhatIsNow(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := start(t, run, 2)
	stepTo(t, tr, 3)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	stepTo(t, tr, 6)
	if err := os.MkdirAll(run.SnapshotPrefix()+"_guard_iter_6.caffemodel/x", 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := tr.Do(context.Background(), session.Command{Kind: session.GoBack})
	if err == nil || !strings.Contains(err.Error(), "could not be saved") || tr.Snapshot().Iter != 6 {
		t.Errorf("%v, at %d", err, tr.Snapshot().Iter)
	}
}

// What waits and what is planned is of what is now, too: going back and back again keeps it, though a snapshot of this
// iteration was there before.
func TestGoingBackKeepsWhatWaits(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 3})
	stepTo(t, tr, 3)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	stepTo(t, tr, 6)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	layer := tr.Snapshot().Layers[0].Name
	go func() { _, _ = tr.Do(context.Background(), set(layer+".threshold", "0.9")) }() // answered at its surgery
	modeltest.Eventually(t, "the change waits", func() bool { return len(tr.Snapshot().Pending) == 1 })
	plan := session.Plan{At: 300, Edit: edits("base_lr", "0.001")[0]}
	must(t, tr, session.Command{Kind: session.Schedule, Plan: plan})
	before := run.SnapshotPrefix() + "_iter_3.solverstate"
	must(t, tr, session.Command{Kind: session.GoBack, Path: before})
	// What is refused, or asks alone, changes nothing: back once more still returns.
	other := edits(layer+".threshold", "0.7")[0]
	other.Layer = "perhaps"
	for _, c := range []session.Command{
		session.SetOf(other), {Kind: session.Redo}, {Kind: session.Cancel, Count: 99},
		{Kind: session.Schedule, Plan: session.Plan{At: 1, Edit: plan.Edit}},
		{Kind: session.Steer, Autopilot: session.AutopilotRequest{Action: session.AutopilotResume}},
	} {
		if _, err := tr.Do(context.Background(), c); err == nil {
			t.Errorf("%+v was not refused", c)
		}
	}
	must(t, tr, session.Command{Kind: session.Steer, Autopilot: session.AutopilotRequest{
		Action: session.AutopilotPredict, Settings: []autopilot.Setting{{Name: "target", Value: "3x"}}}})
	must(t, tr, session.Command{Kind: session.GoBack})
	s := tr.Snapshot()
	if s.Iter != 6 || len(s.Pending) != 1 || len(s.Plans) != 1 {
		t.Errorf("at %d, pending %v, plans %v", s.Iter, s.Pending, s.Plans)
	}
}

// A guard of the iteration at which the run still stands is what going back leads to: what is now is written elsewhere.
func TestBackToAGuardOfNow(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 3})
	stepTo(t, tr, 6)
	must(t, tr, set("lr_mult", "8"))
	for i, want := range []float64{1, 8, 1} {
		must(t, tr, session.Command{Kind: session.GoBack})
		if s := tr.Snapshot(); s.Iter != 6 || s.Hyper.LRMult != want {
			t.Errorf("back %d: at %d, lr_mult %g, wanted %g", i+1, s.Iter, s.Hyper.LRMult, want)
		}
	}
}

// Going back, and a resume, keep what can be taken back.
func TestUndoGoesOn(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 3})
	stepTo(t, tr, 3)
	must(t, tr, set("momentum", "0.5"))
	must(t, tr, set("gamma", "0.1"))
	must(t, tr, session.Command{Kind: session.Undo})
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	stepTo(t, tr, 6)
	must(t, tr, set("weight_decay", "0.001"))
	stepTo(t, tr, 8)
	must(t, tr, session.Command{Kind: session.GoBack, Path: run.SnapshotPrefix() + "_iter_3.solverstate"})
	want := [2]string{"momentum 0.5 → 0.9", "gamma 0 → 0.1"}
	if s := tr.Snapshot(); [2]string{s.Undo, s.Redo} != want {
		t.Errorf("after going back: %q, %q", s.Undo, s.Redo)
	}
	stop(tr)
	tr = resumed(t, run, "run_iter_3.solverstate", session.Options{})
	var told []string
	for _, e := range tr.Snapshot().Events {
		if e.Status() == session.Applied {
			told = append(told, e.What.String())
		}
	}
	if d := cmp.Diff(
		[]string{"from 8 back to 3", "momentum 0.9 → 0.5", "gamma 0 → 0.1", "gamma 0.1 → 0"}, told,
	); d != "" {
		t.Errorf("the journal that is shown: %s", d)
	}
	if s := tr.Snapshot(); [2]string{s.Undo, s.Redo} != want {
		t.Errorf("after a resume: %q, %q", s.Undo, s.Redo)
	}
	must(t, tr, session.Command{Kind: session.Undo})
	if m := tr.Snapshot().Hyper.Momentum; m != 0.9 {
		t.Errorf("momentum is %g", m)
	}
}

// A change to a scope is one command: one guard, one line, one mark, one undo.
func TestScopeIsOneChange(t *testing.T) {
	run := mini(t, "sgd_inv", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 3})
	s := stepTo(t, tr, 3)
	var scope []config.Edit
	for _, l := range s.Layers {
		scope = append(scope, edits(l.Name+".prune", "on")...)
	}
	must(t, tr, session.SetOf(scope...))
	s = tr.Snapshot()
	if len(s.RestorePoints) != 1 || len(s.Changes) != 1 || len(settingLines(t, run)) != 1 {
		t.Errorf("%d guards, %d marks, journal %q", len(s.RestorePoints), len(s.Changes), settingLines(t, run))
	}
	if want := "prune → off in conv1, conv2, ip1 and 1 more"; s.Undo != want {
		t.Errorf("undo %q, wanted %q", s.Undo, want)
	}
	must(t, tr, session.Command{Kind: session.Undo})
	for _, l := range tr.Snapshot().Hyper.Layers {
		if l.Prune {
			t.Errorf("%s is still pruned", l.Name)
		}
	}
	must(t, tr, session.Command{Kind: session.Redo})
	if n := len(tr.Snapshot().RestorePoints); n != 1 {
		t.Errorf("%d guards in one iteration", n)
	}
	scope[3].Layer = "perhaps"
	if _, err := tr.Do(context.Background(), session.SetOf(scope...)); err == nil {
		t.Error("a change that is partly wrong was taken")
	}
	must(t, tr, session.Command{Kind: session.Undo})
	// Thresholds of a scope wait together, and are taken back together.
	must(t, tr, session.Command{Kind: session.Redo})
	for i := range scope {
		scope[i] = edits(s.Layers[i].Name+".t", "0.9")[0]
	}
	c := make(chan error, 1)
	go func() {
		_, err := tr.Do(context.Background(), session.SetOf(scope...))
		c <- err
	}()
	modeltest.Eventually(t, "the edits wait", func() bool { return len(tr.Snapshot().Pending) >= len(scope) })
	must(t, tr, session.Command{Kind: session.Undo})
	if err := <-c; !errors.Is(err, session.ErrUndone) || len(tr.Snapshot().Pending) != 0 {
		t.Errorf("%v, %d wait", err, len(tr.Snapshot().Pending))
	}
}

// A guard is not written where one serves; after a surgery it no longer does.
func TestGuardsThatServe(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 9})
	for i, c := range []struct {
		do     session.Command
		guards int
	}{
		{set("lr_mult", "4"), 1},
		{set("lr_mult", "16"), 1},
		{session.Command{Kind: session.SurgeryNow}, 1},
		{set("base_lr", "0.1"), 1}, // in place of the first: of the same file
		{session.Command{Kind: session.Step, Count: 1}, 1},
		{set("lr_mult", "64"), 2},
	} {
		must(t, tr, c.do)
		if n := len(settle(t, tr).RestorePoints); n != c.guards {
			t.Errorf("%d: after %s %d guards, wanted %d", i, c.do, n, c.guards)
		}
	}
}

// A ramp is one plan with one line of the journal and one mark.
func TestRampIsOneLine(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := start(t, run, 2)
	must(t, tr, session.Command{Kind: session.Schedule, Plan: plan("lr", "0.001", session.Plan{At: 2, Over: 20})})
	must(t, tr, session.Command{Kind: session.Schedule, Plan: plan("conv2.t", "1.5", session.Plan{At: 3, Over: 10})})
	s := stepTo(t, tr, 30)
	if d := cmp.Diff(
		[]string{"2 base_lr to 0.001 over 20 at 2", "3 conv2.threshold to 1.5 over 10 at 3"}, settingLines(t, run),
	); d != "" ||
		len(s.Changes) != 2 {
		t.Errorf("%s, %d marks", d, len(s.Changes))
	}
	if s.Hyper.BaseLR != 0.001 || s.Hyper.Layer("conv2").Threshold != 1.5 {
		t.Errorf("base_lr %g, conv2 %g", s.Hyper.BaseLR, s.Hyper.Layer("conv2").Threshold)
	}
	save(t, tr)
	stop(tr)
	tr = resumed(t, run, "run_iter_30.solverstate", session.Options{})
	if lines := settingLines(t, run); len(lines) != 2 || len(tr.Snapshot().Changes) != 2 {
		t.Errorf("after a resume: %q, %d marks", lines, len(tr.Snapshot().Changes))
	}
}

// A plan is checked whole, by the session.
func TestPlansAreChecked(t *testing.T) {
	tr := start(t, mini(t, "dns_seed_mini", lasting), 1)
	stepTo(t, tr, 5)
	for _, c := range []struct {
		plan session.Plan
		want string
	}{
		{session.Plan{}, "no field"},
		{plan("conv9.t", "1", session.Plan{At: 9}), `no layer "conv9"`},
		{plan("conv1.c_rate", "1", session.Plan{At: 9}), `no setting "conv1.c_rate"`},
		{plan("conv1.gamma", "1", session.Plan{Over: 3, At: 9}), `no setting "conv1.gamma"`},
		{plan("lr", "0.1", session.Plan{From: proto.Float64(0.2), At: 9}), "iterations to go over"},
		{plan("lr", "-1", session.Plan{At: 9}), "wanted"},
		{plan("lr", "0.1", session.Plan{At: 4}), "has passed"},
		{plan("lr", "0.1", session.Plan{At: 400}), "ends at 400"},
		{plan("lr", "0.1", session.Plan{At: 1<<63 - 1, Relative: true}), "ends at 400"},
		{plan("lr", "0.1", session.Plan{At: 9, Over: -1}), "wanted at least 1"},
		{plan("conv1.prune", "off", session.Plan{At: 9, Over: 2}), "nothing between"},
	} {
		_, err := tr.Do(context.Background(), session.Command{Kind: session.Schedule, Plan: c.plan})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, wanted %q", c.plan, err, c.want)
		}
	}
	if n := len(tr.Snapshot().Plans); n != 0 {
		t.Errorf("%d plans were taken", n)
	}
}

// A change in the middle of a ramp ends it; taken back, the ramp goes on where it would be.
func TestUndoGoesOnWithTheRamp(t *testing.T) {
	tr := start(t, mini(t, "dns_seed_mini", lasting), 1)
	must(t, tr, session.Command{Kind: session.Schedule, Plan: plan("lr_mult", "2", session.Plan{At: 1, Over: 10})})
	stepTo(t, tr, 5)
	must(t, tr, set("lr_mult", "7"))
	if s := stepTo(t, tr, 7); len(s.Plans) != 0 || s.Hyper.LRMult != 7 {
		t.Fatalf("%d plans, lr_mult %g", len(s.Plans), s.Hyper.LRMult)
	}
	must(t, tr, session.Command{Kind: session.Undo})
	if s := stepTo(t, tr, 9); len(s.Plans) != 1 || s.Hyper.LRMult != 1.7 {
		t.Errorf("%d plans, lr_mult %g, wanted 1.7 at 8", len(s.Plans), s.Hyper.LRMult)
	}
	must(t, tr, session.Command{Kind: session.Redo})
	if s := tr.Snapshot(); len(s.Plans) != 0 || s.Hyper.LRMult != 7 {
		t.Errorf("repeated: %d plans, lr_mult %g", len(s.Plans), s.Hyper.LRMult)
	}
}

// Returning to what was left, the journal tells of the course that led there, not of the one between.
func TestReplayAfterReturning(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) { lively(r); lasting(r) })
	tr := startWith(t, run, 1, session.Options{Guard: 3})
	stepTo(t, tr, 4)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	stepTo(t, tr, 6)
	must(t, tr, set("momentum", "0.8"))
	stepTo(t, tr, 9)
	must(t, tr, session.Command{Kind: session.GoBack, Path: run.SnapshotPrefix() + "_iter_4.solverstate"})
	must(t, tr, set("lr_mult", "0.5"))
	must(t, tr, session.Command{Kind: session.SurgeryNow})
	stepTo(t, tr, 7)
	must(t, tr, session.Command{Kind: session.GoBack, Path: run.SnapshotPrefix() + "_guard_iter_9.solverstate"})
	s := stepTo(t, tr, 12)
	if d := cmp.Diff([]string{"6 momentum 0.9 → 0.8"}, settingLines(t, run)); d != "" || len(s.Changes) != 1 {
		t.Errorf("%s, %d marks", d, len(s.Changes))
	}
	want := save(t, tr)
	again := mini(t, "dns_seed_mini", func(r *config.Run) { lively(r); r.Replay = run.JournalPath() })
	if got, _ := weightsAt(t, again, 2, 12); !bytes.Equal(got, want) {
		t.Error("the replay has other weights")
	}
}

// A step of a layer that the net no longer has can't be undone; those before it can.
func TestUndoPastALayerThatIsGone(t *testing.T) {
	change := func(r *config.Run) { r.Solver.MaxIter = proto.Int32(40) }
	run := mini(t, "dns_seed_mini", change)
	tr := start(t, run, 1)
	must(t, tr, set("base_lr", "0.001"))
	stepTo(t, tr, 5)
	must(t, tr, set("ip1.frozen", "on"))
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	again := mini(t, "dns_seed_mini", func(r *config.Run) {
		change(r)
		for _, l := range r.Train.Net.Layer {
			if l.GetName() == "ip1" {
				l.Name = proto.String("ip1b")
			}
		}
		r.Weights, r.Snapshot, r.SkipMismatched = nil, run.SnapshotPrefix()+"_iter_5.solverstate", true
	})
	tr = start(t, again, 1)
	if _, err := tr.Do(context.Background(), session.Command{Kind: session.Undo}); err == nil ||
		!strings.Contains(err.Error(), `no layer "ip1"`) {
		t.Errorf("undone with %v, wanted no layer ip1", err)
	}
	if a := must(t, tr, session.Command{Kind: session.Undo}); a.Detail != "base_lr 0.001 → 0.01" {
		t.Errorf("then undone: %q", a.Detail)
	}
}

// A run goes back from the soft rule, which has masks of biases, to a snapshot of the seed rule, which has none: the
// solverstate's history has slots for as many.
func TestGoBackOverRules(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 3})
	stepTo(t, tr, 10)
	state := must(t, tr, session.Command{Kind: session.SnapshotNow}).Detail
	must(t, tr, session.Command{Kind: session.Steer, Autopilot: session.AutopilotRequest{
		Settings: []autopilot.Setting{{Name: "target", Value: "5x"}, {Name: "end_iter", Value: "100"}},
	}})
	stepTo(t, tr, 20)
	must(t, tr, session.Command{Kind: session.GoBack, Path: state})
	if sn := tr.Snapshot(); sn.Iter != 10 || sn.Autopilot != nil {
		t.Errorf("the run stands at %d, its autopilot is %v", sn.Iter, sn.Autopilot)
	}
	stepTo(t, tr, 13)
	alone := startWith(t, mini(t, "dns_seed_mini", lasting), 2, session.Options{Guard: 3})
	stepTo(t, alone, 13)
	want, got := savedNet(t, alone), savedNet(t, tr)
	for i, l := range want.Layer {
		for k, b := range l.Blobs {
			if d := cmp.Diff(caffe.Values(b), caffe.Values(got.Layer[i].Blobs[k])); d != "" {
				t.Errorf("%s: blob %d differs (-undisturbed +gone back):\n%.500s", l.GetName(), k, d)
			}
		}
	}
}

// savedNet is a run's net as its snapshot of now has it.
func savedNet(t *testing.T, tr *session.Trainer) *caffepb.NetParameter {
	t.Helper()
	n, err := caffe.ReadNet(solver.WeightsName(must(t, tr, session.Command{Kind: session.SnapshotNow}).Detail))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
