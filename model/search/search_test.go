package search_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/autopilot"
	"dns-tui/model/modeltest"
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

// find searches in a folder, as far as a line that says until; "" is to the end.
func find(t *testing.T, dir, until string, budget float64) (*session.Search, []string) {
	t.Helper()
	run, err := config.LoadSolver(filepath.Join(dir, "solver.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	held, err := run.HoldOut(0.2, "")
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "run.search")
	if _, err := os.Stat(state); err == nil {
		if run.Snapshot, _, err = session.FindSnapshot(run.SnapshotPrefix(), run.JournalPath()); err != nil {
			t.Fatal(err)
		}
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	tr, err := session.NewTrainer(run, d, session.Options{Interactive: true, Paused: true, Guard: 3})
	if err != nil {
		t.Fatal(err)
	}
	tr.Start()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var lines []string
	found, err := search.Run(ctx, tr, search.Options{
		Budget: budget, Smallest: autopilot.Target{Unit: autopilot.Times, Value: 60}, Descent: 150, Anneal: 60,
		Branches: 5, Images: held.Images, State: state, Show: tr.ShowSearch,
		Settings: []autopilot.Setting{{Name: "interval", Value: "10"}},
		Log: func(line string) {
			lines = append(lines, line)
			if until != "" && strings.Contains(line, until) {
				cancel()
			}
		},
	})
	if (err != nil) != (until != "") {
		t.Fatalf("the search ends with %v\n%s", err, strings.Join(lines, "\n"))
	}
	if until == "" {
		if sn := tr.Snapshot(); sn.Search == nil || len(sn.Search.Branches) != len(found.Branches) {
			t.Error("viewers do not see the search")
		}
	}
	_, _ = tr.Do(context.Background(), session.Command{Kind: session.Stop})
	<-tr.Done()
	return found, lines
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
	elsewhere := []cmp.Option{
		cmpopts.IgnoreFields(session.SearchPoint{}, "Path"), cmpopts.IgnoreFields(session.SearchBranch{}, "Path"),
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
