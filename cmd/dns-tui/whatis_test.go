package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
)

// A command that wants a solver and is given something else says what that is, and what to type, in one line.
func TestWhereASolverIsWanted(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	copyFile := func(from, to string) {
		t.Helper()
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, to, string(data))
	}
	old := modeltest.Root("versions", "2026-11")
	copyFile(modeltest.Root("nets", "lenet.prototxt"), "net.prototxt")
	copyFile(filepath.Join(old, "run_iter_10.caffemodel"), "run_iter_10.caffemodel")
	copyFile(filepath.Join(old, "run_iter_10.solverstate"), "run_iter_10.solverstate")
	copyFile(filepath.Join(old, "run.journal"), "run.journal")
	write(t, dir, "s.prototxt", `net: "net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 3 snapshot_prefix: "run"`)
	write(t, dir, "typo.prototxt", `net: "net.prototxt" base_lrr: 1`)
	write(t, dir, "badnet.prototxt", `name: "x" layer { name: "a" typ: "ReLU" } layer { name: "b" type: "ReLU" }`)
	if err := os.MkdirAll("nets", 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(modeltest.Root("nets", "lenet.prototxt"), filepath.Join("nets", "n.prototxt"))
	db := modeltest.Root("oracle", "solvers", "mnist1280_lmdb")
	const isNet, isBinary, isFolder = "this is a net, not a solver", "this is a binary file, ", "is a directory, "
	for _, c := range []struct {
		file string
		want []string // of what `train` says; SOLVER's place is SOLVE
	}{
		{"net.prototxt", []string{isNet, "SOLVE s.prototxt", "dns-tui new net.prototxt"}},
		{"badnet.prototxt", []string{isNet, "dns-tui new badnet.prototxt"}},
		{"run_iter_10.caffemodel", []string{
			isBinary, "a caffemodel, the weights of 9 layers", "SOLVE s.prototxt --weights run_iter_10.caffemodel",
			"dns-tui inspect run_iter_10.caffemodel",
		}},
		{"run_iter_10.solverstate", []string{
			isBinary, "a solverstate, of iteration 10", "SOLVE s.prototxt --snapshot run_iter_10.solverstate",
		}},
		{"run.journal", []string{
			"the journal of a run, not a solver", "dns-tui report run.journal", "SOLVE s.prototxt --replay run.journal",
		}},
		{".", []string{isFolder + "not a solver", "SOLVE s.prototxt"}},
		{"nets", []string{isFolder, "dns-tui new nets/n.prototxt"}},
		{db, []string{isFolder, "a database (LMDB)", "dns-tui inspect " + db}},
		// A solver with a fault is told of that.
		{"typo.prototxt", []string{`unknown field "base_lrr"`}},
	} {
		for _, command := range []struct {
			args  []string
			solve string
		}{
			{[]string{"train", "--solver"}, "dns-tui train --solver"},
			{[]string{"train"}, "dns-tui train --solver"},
			{[]string{"ui"}, "dns-tui"},
			{nil, "dns-tui"},
			{[]string{"search", "--budget", "1%"}, "dns-tui search --budget 0.2%"},
		} {
			args := append(append([]string(nil), command.args...), c.file)
			status, _, stderr := run(t, args...)
			if status != 1 || strings.Count(stderr, "\n") != 1 {
				t.Errorf("%q: status %d: %s", args, status, stderr)
			}
			for _, want := range c.want {
				if want = strings.ReplaceAll(want, "SOLVE", command.solve); !strings.Contains(stderr, want) {
					t.Errorf("%q: no %q in %s", args, want, stderr)
				}
			}
		}
	}
	_, _, ofNet := run(t, "report", "net.prototxt")
	for _, want := range []string{
		"net.prototxt: is a net of 11 layers; wanted a journal, a solver, or the name of an active run",
		"a solver that trained it: dns-tui report s.prototxt", "a journal there: dns-tui report run.journal",
	} {
		if !strings.Contains(ofNet, want) {
			t.Errorf("report of a net: no %q in %s", want, ofNet)
		}
	}
	if _, _, lone := run(t, "report", filepath.Join("nets", "n.prototxt")); !strings.Contains(
		lone,
		"no journal is beside",
	) {
		t.Errorf("report of a net alone: %s", lone)
	}
	if _, _, typo := run(t, "report", "typo.prototxt"); !strings.Contains(typo, `unknown field "base_lrr"`) {
		t.Errorf("report of a solver with a fault: %s", typo)
	}
	for _, file := range []string{"net.prototxt", "run_iter_10.caffemodel", "run_iter_10.solverstate", "."} {
		status, _, stderr := run(t, "report", file)
		if status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "dns-tui report ") {
			t.Errorf("report %s: status %d: %s", file, status, stderr)
		}
	}
}

// A huge folder is looked at in part, and that is known.
func TestLookAroundIsBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range mostParsed + 3 {
		write(t, dir, fmt.Sprintf("s%03d.prototxt", i), `net: "n.prototxt"`)
	}
	a := lookAround(dir)
	if len(a.solvers) != mostParsed || !a.cut {
		t.Errorf("%d solvers, cut %t; wanted %d, and that there are more", len(a.solvers), a.cut, mostParsed)
	}
	large := filepath.Join(dir, "a.prototxt")
	if err := os.WriteFile(large, []byte(`net: "n"`+strings.Repeat(" ", mostPrototxt)), 0o644); err != nil {
		t.Fatal(err)
	}
	if a := lookAround(dir); a.solvers[0].path() == large {
		t.Errorf("%s is read, which is too large", large)
	}
}

// Recognised is what a file holds, whatever its name; a snapshot belongs to the solver that writes its prefix.
func TestLookAround(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("out", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "train_me.prototxt", `net: "n.prototxt" max_iter: 20 snapshot_prefix: "out/x"`)
	write(t, dir, "solver.prototxt", `layer { name: "a" type: "ReLU" }`)
	write(t, dir, "n.prototxt", `layer { name: "a" type: "ReLU" }`)
	write(t, dir, "lr.prototxt", `base_lr: 1`)
	write(t, dir, "notes.txt", `net: "n.prototxt"`)
	for _, name := range []string{
		"out/x_iter_5.solverstate", "out/x_iter_10.solverstate", "out/x_guard_iter_12.solverstate",
		"out/other_iter_3.solverstate", "y_iter_7.solverstate.h5",
	} {
		write(t, dir, name, "")
	}
	a := lookAround(".")
	if len(a.solvers) != 1 || a.solvers[0].path() != "train_me.prototxt" {
		t.Errorf("solvers: %+v", a.solvers)
	}
	if len(a.nets) != 1 || a.nets[0] != "solver.prototxt" {
		t.Errorf("nets that no solver trains: %q", a.nets)
	}
	var got []string
	for _, s := range a.snapshots {
		of := "?"
		if solver := a.solverOf(s.prefix); solver != nil {
			of = solver.path()
		}
		got = append(got, fmt.Sprintf("%s %d %s", s.path, s.iter, of))
	}
	want := "out/x_iter_10.solverstate 10 train_me.prototxt, y_iter_7.solverstate.h5 7 ?"
	if strings.Join(got, ", ") != want {
		t.Errorf("snapshots: %s; wanted %s", strings.Join(got, ", "), want)
	}
}
