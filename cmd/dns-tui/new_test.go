package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/config"
	"dns-tui/model/modeltest"
)

// newFolder is a folder with a net whose data is there, and weights that fit it.
func newFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	solvers := modeltest.Root("oracle", "solvers")
	text := readText(t, filepath.Join(solvers, "dns_seed_mini.net.prototxt"))
	write(t, dir, "mini.prototxt", text)
	if err := os.Symlink(filepath.Join(solvers, "mnist1280_lmdb"), "mnist1280_lmdb"); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(solvers, "dns_seed_mini_init.caffemodel"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "dense.caffemodel", string(data))
	return dir
}

// What `new` writes runs, and prunes.
func TestNewTrains(t *testing.T) {
	newFolder(t)
	out := mustRun(t, "new", "mini.prototxt", "--yes", "--length", "40")
	for _, want := range []string{
		"--weights dense.caffemodel: it is beside the net, and fits it", "--target 20x: most weights are in inner",
		"trained on: mnist1280_lmdb, 1,280 images in batches of", "dns-tui mini_pruned.prototxt",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	golden(t, "new.prototxt", readText(t, "mini_pruned.prototxt"))
	trained := mustRun(t, "train", "--solver", "mini_pruned.prototxt")
	for _, want := range []string{"a descent prunes 4 layers to 20x", "test  ", "finished at iteration 40"} {
		if !strings.Contains(trained, want) {
			t.Errorf("no %q in\n%s", want, trained)
		}
	}
	status, stdout, stderr := run(t, "new", "mini.prototxt", "--yes")
	if status != 1 || !strings.Contains(stderr, "mini_pruned.prototxt exists already; --force replaces it") {
		t.Errorf("over a file: status %d: %s", status, stderr)
	}
	if stdout != "" {
		t.Errorf("a file of the name is noticed after %s", stdout)
	}
	mustRun(t, "new", "mini.prototxt", "--yes", "--force", "--target", "none", "--length", "2 epochs", "--lr", "0.02")
	r, err := config.LoadSolver("mini_pruned.prototxt")
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Solver; p.AutopilotParam != nil || p.GetMaxIter() != 40 || p.GetBaseLr() != 0.02 ||
		p.GetLrPolicy() != "poly" || p.GetSnapshotPrefix() != "mini_pruned" {
		t.Errorf("from flags: %v", p)
	}
	mustRun(t, "train", "--solver", "mini_pruned.prototxt")
	// The shortest, from random weights.
	mustRun(t, "new", "mini.prototxt", "--yes", "--out", "short.prototxt", "--weights", "none", "--length", "25")
	mustRun(t, "train", "--solver", "short.prototxt")
}

// A solver in another folder than the net names it so that it is found from both.
func TestNewElsewhere(t *testing.T) {
	dir := newFolder(t)
	for _, name := range []string{"out", "out/deep"} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "out/mini.prototxt", `layer { name: "another" type: "ReLU" }`)
	mustRun(
		t,
		"new",
		"mini.prototxt",
		"--yes",
		"--length",
		"25",
		"--weights",
		"dense.caffemodel",
		"--out",
		"out/deep/s.prototxt",
	)
	mustRun(t, "train", "--solver", "out/deep/s.prototxt")
	t.Chdir(filepath.Join(dir, "out", "deep"))
	r, err := config.LoadSolver("s.prototxt")
	if err != nil || !sameFile(r.Train.Path, "../../mini.prototxt") || !sameFile(r.Solver.Weights[0],
		"../../dense.caffemodel") {
		t.Errorf("from its own folder: %v, %+v", err, r)
	}
}

// What cannot be is said, and nothing is written.
func TestNewMistakes(t *testing.T) {
	dir := newFolder(t)
	net := readText(t, "mini.prototxt")
	write(t, dir, "solver.prototxt", `net: "mini.prototxt" base_lr: 1`)
	write(t, dir, "wider.prototxt", strings.Replace(net, "num_output: 10", "num_output: 11", 1))
	write(t, dir, "renamed.prototxt", strings.NewReplacer(`"conv`, `"kon`, `"ip`, `"pi`).Replace(net))
	write(t, dir, "deploy.prototxt", `layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 3 } } }
		layer { name: "ip" type: "InnerProduct" bottom: "d" top: "ip" inner_product_param { num_output: 2 } }`)
	write(
		t,
		dir,
		"weightless.prototxt",
		`layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 1 } } }
		layer { name: "l" type: "EuclideanLoss" bottom: "d" bottom: "d" top: "l" }`,
	)
	before, _ := os.ReadDir(".")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "wanted the prototxt of a net, found 0 arguments"},
		{[]string{"mini.prototxt"}, 2, "standard input is not a terminal: --yes"},
		{[]string{"none.prototxt", "--yes"}, 1, "none.prototxt: no such file"},
		{[]string{"solver.prototxt", "--yes"}, 1, "this is a solver already; to train by it: dns-tui solver.prototxt"},
		{[]string{"dense.caffemodel", "--yes"}, 1, "dns-tui new NET.prototxt --weights dense.caffemodel"},
		{[]string{".", "--yes"}, 1, "is a directory; wanted the prototxt of a net"},
		{[]string{"deploy.prototxt", "--yes"}, 1, "has no loss in phase TRAIN"},
		{[]string{"weightless.prototxt", "--yes"}, 1, "has no layer that can be pruned"},
		{[]string{"mini.prototxt", "--yes", "--weights", "gone.caffemodel"}, 2, "gone.caffemodel: no such file"},
		{[]string{"wider.prototxt", "--yes", "--weights", "dense.caffemodel"}, 2, `layer "ip2"`},
		{[]string{"renamed.prototxt", "--yes", "--weights", "dense.caffemodel"}, 2, "holds weights of another net"},
		{[]string{"mini.prototxt", "--yes", "--target", "20 apples"}, 2, "--target: "},
		{[]string{"mini.prototxt", "--yes", "--length", "-3"}, 2, "wanted a number of iterations"},
		{[]string{"mini.prototxt", "--yes", "--target", "1000000x"}, 2, "nothing would be left"},
		{[]string{"mini.prototxt", "--yes", "--length", "24"}, 2, "a descent wants at least 25"},
		{[]string{"mini.prototxt", "--yes", "--length", "1e12"}, 2, "at most 2147483647"},
		{[]string{"deploy.prototxt", "--yes", "--length", "3 epochs"}, 1, "has no loss"},
		{[]string{"mini.prototxt", "--yes", "--lr", "0"}, 2, "wanted a number above 0"},
		{[]string{"mini.prototxt", "--yes", "--out", "mini.prototxt"}, 2, "is the net itself"},
		{[]string{"mini.prototxt", "--yes", "--out", "no/s.prototxt"}, 2, "no: no such folder"},
		{[]string{"mini.prototxt", "--yes", "--out", "s.txt"}, 2, "ends in .prototxt"},
	} {
		status, _, stderr := run(t, append([]string{"new"}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d: %s; wanted %d, %q", c.args, status, stderr, c.status, c.want)
		}
	}
	if after, _ := os.ReadDir("."); len(after) != len(before) {
		t.Errorf("files after: %v; before: %v", after, before)
	}
}

// What is taken for a length and a rate, and what is not.
func TestNewNumbers(t *testing.T) {
	newFolder(t)
	facts, _, err := lookAtNet("mini.prototxt", inputFlag{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &newSolver{net: facts, target: noneText}
	for answer, want := range map[string]int{
		"6000": 6000, "1,200": 1200, " 1,200,000 ": 1200000, "1e3": 1000, "2.5e2": 250, "2 epochs": 40, "1 epoch": 20,
		"0.5epochs": 10, "2,5": 0, "1,20": 0, "12,34,567": 0, "10s": 0, "10 s": 0, "0x10": 0, "1_000": 0, "+5": 0,
		"-5": 0,
		"0":  0, "": 0, "epochs": 0, "inf": 0, "NaN": 0, "1e400": 0,
	} {
		s.iters = 0
		if err := s.takeLength(answer); (err == nil) != (want > 0) || s.iters != want {
			t.Errorf("length %q: %d, %v; wanted %d", answer, s.iters, err, want)
		}
	}
	for answer, good := range map[string]bool{
		"0.001": true, "1e-3": true, ".5": true, "1": true, "0x1p-3": false, "1_0": false, "+1": false, "-1": false,
		"0": false, "inf": false, "NaN": false, "": false, ".": false, "0,1": false,
	} {
		if err := s.takeRate(answer); (err == nil) != good {
			t.Errorf("rate %q: %v", answer, err)
		}
	}
}

// The questions, with answers: enter takes what is proposed, a wrong one is asked again, the end of the input writes
// nothing.
func TestNewAsks(t *testing.T) {
	newFolder(t)
	facts, _, err := lookAtNet("mini.prototxt", inputFlag{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &newSolver{net: facts}
	var out bytes.Buffer
	e := &env{stdout: &out}
	facts.describe(e)
	answers := "\nmany\n30x\n3 epochs\n\n\n"
	questions := s.questions()
	if err := s.ask(e, bufio.NewReader(strings.NewReader(answers)), questions, nil, false); err != nil {
		t.Fatal(err)
	}
	golden(t, "new_asks.txt", out.String())
	if s.weights != "dense.caffemodel" || s.target != "30x" || s.iters != 60 || s.out != "mini_pruned.prototxt" {
		t.Errorf("answers are taken as %+v", s)
	}
	// A file of the name is noticed as soon as that is known: another is proposed, and one that is typed is asked
	// about.
	write(t, ".", "mini_pruned.prototxt", "")
	again, outQuestion := &newSolver{net: facts}, len(questions)-1
	out.Reset()
	in := bufio.NewReader(strings.NewReader("mini_pruned.prototxt\n\n"))
	if err := again.ask(e, in, again.questions()[outQuestion:], nil, false); err != nil {
		t.Fatal(err)
	}
	if again.out != "mini_pruned_2.prototxt" || !strings.Contains(out.String(), "exists already; typed once more") {
		t.Errorf("beside a file of the name: %s\n%s", again.out, out.String())
	}
	in = bufio.NewReader(strings.NewReader(strings.Repeat("mini_pruned.prototxt\n", 2)))
	if err := again.ask(e, in, again.questions()[outQuestion:], nil, false); err != nil ||
		again.out != "mini_pruned.prototxt" {
		t.Errorf("typed twice: %s, %v", again.out, err)
	}
	err = s.ask(e, bufio.NewReader(strings.NewReader("\n")), questions, nil, false)
	if err == nil || !strings.Contains(err.Error(), "nothing is written") {
		t.Errorf("where the answers end: %v", err)
	}
	out.Reset()
	for answer, replaces := range map[string]bool{"y\n": true, "yes\n": true, "\n": false, "no\n": false, "": false} {
		err := confirm(e, bufio.NewReader(strings.NewReader(answer)), "s.prototxt", true)
		if (err == nil) != replaces {
			t.Errorf("replace it? %q: %v", answer, err)
		}
	}
}
