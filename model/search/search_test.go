package search_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/autopilot"
	"dns-tui/model/modeltest"
	"dns-tui/model/remote"
	"dns-tui/model/search"
	"dns-tui/model/session"
)

// solver is a small net on the digits of the reference vectors.
const solver = `net: "net.prototxt" base_lr: 0.05 momentum: 0.9 lr_policy: "fixed" max_iter: 400 random_seed: 3
snapshot_prefix: "run"`

const net = `name: "small"
layer { name: "d" type: "Data" top: "x" top: "y" transform_param { scale: 0.00390625 }
  data_param { source: "DIGITS" batch_size: 16 backend: LMDB } }
layer { name: "ip1" type: "InnerProduct" bottom: "x" top: "h"
  inner_product_param { num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "h" top: "h" }
layer { name: "ip2" type: "InnerProduct" bottom: "h" top: "z"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "z" bottom: "y" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "z" bottom: "y" top: "accuracy" include { phase: TEST } }
`

// write puts the run's files into a folder.
func write(t *testing.T, dir string) {
	t.Helper()
	digits := modeltest.Root("oracle", "solvers", "mnist1280_lmdb")
	for name, text := range map[string]string{
		"solver.prototxt": strings.Replace(solver, `"run"`, fmt.Sprintf("%q", filepath.Join(dir, "run")), 1),
		"net.prototxt":    strings.Replace(net, "DIGITS", digits, 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// open makes the run of a search in a folder, paused.
func open(t *testing.T, dir string) (*session.Trainer, search.Options) {
	t.Helper()
	run, err := config.LoadSolver(filepath.Join(dir, "solver.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	held, err := run.HoldOut(0.2, "")
	if err != nil {
		t.Fatal(err)
	}
	state := session.SearchPath(run.SnapshotPrefix())
	if _, err := os.Stat(state); err == nil {
		prefix := session.SearchPrefix(run.SnapshotPrefix())
		if run.Snapshot, _, err = session.FindSnapshot(prefix, run.JournalPath()); err != nil {
			t.Fatal(err)
		}
	}
	d := host.New(host.Options{Threads: 1})
	tr, err := session.NewTrainer(run, d, session.Options{Interactive: true, Paused: true, Guard: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	tr.Start()
	return tr, search.Options{
		Budget: 0.05, Smallest: autopilot.Target{Unit: autopilot.Times, Value: 60}, Descent: 150, Anneal: 60,
		Branches: 5, Images: held.Images, State: state, Show: tr.ShowSearch,
		Settings: []autopilot.Setting{{Name: "interval", Value: "10"}},
	}
}

// stop ends a run.
func stop(tr *session.Trainer) {
	_, _ = tr.Do(context.Background(), session.Command{Kind: session.Stop})
	<-tr.Done()
}

// find searches in a folder, as far as a line that says until; "" is to the end.
func find(t *testing.T, dir, until string, budget float64) (*session.Search, []string) {
	t.Helper()
	tr, o := open(t, dir)
	defer stop(tr)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var lines []string
	o.Budget = budget
	o.Log = func(line string) {
		lines = append(lines, line)
		if until != "" && strings.Contains(line, until) {
			cancel()
		}
	}
	found, err := search.Run(ctx, tr, o)
	if (err != nil) != (until != "") {
		t.Fatalf("the search ends with %v\n%s", err, strings.Join(lines, "\n"))
	}
	shown := tr.Snapshot().Search
	if until == "" && (len(shown.Branches) != len(found.Branches) || shown.Running || !shown.Done) {
		t.Errorf("viewers see the search as %+v", shown)
	}
	return found, lines
}

// elsewhere compares searches of different folders.
var elsewhere = []cmp.Option{
	cmpopts.IgnoreFields(session.SearchPoint{}, "Path"), cmpopts.IgnoreFields(session.SearchBranch{}, "Path"),
}

// A search that is cut off at any place ends where the undisturbed one does.
func TestSearchGoesOn(t *testing.T) {
	whole := t.TempDir()
	write(t, whole)
	want, lines := find(t, whole, "", 0.05)
	t.Log(strings.Join(lines, "\n"))
	if len(want.Branches) < 3 || want.Best() == nil {
		t.Fatalf("the search made %d branches", len(want.Branches))
	}
	for i, b := range want.Branches[1:] {
		if b.Kept > b.Asked || b.Kept < b.Asked-2 {
			t.Errorf("branch %d keeps %d; asked for %d", i+2, b.Kept, b.Asked)
		}
		if b.Inside != (b.Accuracy >= want.Dense-0.05-1e-9) {
			t.Errorf("branch %d of %.4f: inside is %v, of %.4f", i+2, b.Accuracy, b.Inside, want.Dense)
		}
	}
	for _, until := range []string{"as it is", "descending", "iteration 7", "branch 2", "branch 3"} {
		t.Run(until, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir)
			_, before := find(t, dir, until, 0.05)
			got, after := find(t, dir, "", 0.05)
			if d := cmp.Diff(want, got, elsewhere...); d != "" {
				t.Errorf("differs (-undisturbed +cut off):\n%s\n%s", d, strings.Join(append(before, after...), "\n"))
			}
		})
	}
}

// Another budget is searched among the branches that are there, and with the ones that it wants.
func TestAnotherBudget(t *testing.T) {
	dir := t.TempDir()
	write(t, dir)
	strict, _ := find(t, dir, "", 0)
	loose, lines := find(t, dir, "", 0.9)
	if !strings.Contains(lines[0], "going on with run.search") {
		t.Errorf("the first line is %q", lines[0])
	}
	if len(loose.Branches) < len(strict.Branches) || loose.Best().Kept > strict.Best().Kept {
		t.Errorf("a budget of 0 comes to %d kept in %d branches, one of 0.9 to %d in %d", strict.Best().Kept,
			len(strict.Branches), loose.Best().Kept, len(loose.Branches))
	}
}

// A viewer takes a branch over the protocol while the search makes another: the search ends, the branch is the run and
// trains on, and the search can go on another time.
func TestBranchIsTaken(t *testing.T) {
	dir := t.TempDir()
	write(t, dir)
	runtime, err := os.MkdirTemp("", "dns") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(runtime)
	t.Setenv("DNS_TUI_RUNTIME_DIR", filepath.Join(runtime, "r"))
	ctx := context.Background()
	tr, o := open(t, dir)
	server := remote.NewServer(tr, "small-1", "test")
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	runs, err := remote.Runs(ctx)
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	attach := func(readOnly bool) *remote.Client {
		c, err := remote.Dial(ctx, runs[0].Path, remote.ClientOptions{Name: "anna", ReadOnly: readOnly})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	viewer, reader := attach(false), attach(true)

	// The second branch's end is when the third is about to be made.
	var best *session.SearchBranch
	var ack session.Ack
	o.Log = func(line string) {
		if !strings.Contains(line, "branch 2: ") || !strings.Contains(line, "accuracy") {
			return
		}
		best = tr.Snapshot().Search.Best()
		take := session.Command{Kind: session.TakeBranch, Path: best.Path}
		if _, err := reader.Do(ctx, take); err == nil {
			t.Error("a viewer that only reads takes a branch")
		}
		var err error
		if ack, err = viewer.Do(ctx, take); err != nil {
			t.Error(err)
		}
	}
	found, err := search.Run(ctx, tr, o)
	if !errors.Is(err, session.ErrTaken) || best == nil || len(found.Branches) < 2 {
		t.Fatalf("the search ends with %v, and %d branches", err, len(found.Branches))
	}
	if !strings.HasPrefix(ack.Detail, "took ") || ack.Iter != best.From+best.Iters {
		t.Errorf("the answer is %+v", ack)
	}
	if sn := viewer.Snapshot(); sn.Search == nil || sn.Search.Taken != best.Path || sn.Search.Running {
		t.Errorf("the viewer sees %+v", sn.Search)
	}
	if _, err := viewer.Do(ctx, session.Command{Kind: session.Step, Count: 3}); err != nil {
		t.Fatal(err)
	}
	for tr.Snapshot().State != session.Paused {
		time.Sleep(time.Millisecond)
	}
	if sn := tr.Snapshot(); sn.Iter != ack.Iter+3 || sn.Autopilot == nil || sn.Autopilot.Kept != best.Kept {
		t.Errorf("the run stands at %d, wanted %d with %d kept", sn.Iter, ack.Iter+3, best.Kept)
	}
	stop(tr)

	state, err := session.ReadSearch(o.State)
	if err != nil || state.Done || state.Taken != best.Path || !strings.HasPrefix(state.Outcome(), "taken: ") {
		t.Errorf("the state is %+v, %v", state, err)
	}
	again, lines := find(t, dir, "", 0.05)
	if !strings.Contains(lines[0], "going on with run.search") || len(again.Branches) <= len(found.Branches) {
		t.Errorf("the search goes on with %q, and has %d branches", lines[0], len(again.Branches))
	}
}

// A person may pause the run of a search and let it go on: the search comes to what the undisturbed one does.
func TestPersonPauses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir)
	tr, o := open(t, dir)
	defer stop(tr)
	ctx := context.Background()
	paused := make(chan struct{})
	o.Log = func(line string) {
		if !strings.HasPrefix(line, "descending") {
			return
		}
		go func() {
			defer close(paused)
			for tr.Snapshot().State != session.Running {
				time.Sleep(time.Millisecond)
			}
			if _, err := tr.Do(ctx, session.Command{Kind: session.Pause}); err != nil {
				t.Error(err)
			}
			if _, err := tr.Do(ctx, session.Command{Kind: session.Step, Count: 1}); err == nil {
				t.Error("a person steps the run of a search")
			}
			if _, err := tr.Do(ctx, session.Command{Kind: session.Resume}); err != nil {
				t.Error(err)
			}
		}()
	}
	found, err := search.Run(ctx, tr, o)
	<-paused
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	write(t, other)
	want, _ := find(t, other, "", 0.05)
	if d := cmp.Diff(want, found, elsewhere...); d != "" {
		t.Errorf("differs (-undisturbed +paused):\n%s", d)
	}
}
