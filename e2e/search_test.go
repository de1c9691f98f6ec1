package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// searchedNet is a small net on the digits of the reference vectors, wide enough that a branch takes a while.
const searchedNet = `name: "searched"
layer { name: "d" type: "Data" top: "x" top: "y" transform_param { scale: 0.00390625 }
  data_param { source: "DIGITS" batch_size: 64 backend: LMDB } }
layer { name: "ip1" type: "InnerProduct" bottom: "x" top: "h"
  inner_product_param { num_output: 200 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "h" top: "h" }
layer { name: "ip2" type: "InnerProduct" bottom: "h" top: "z"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "z" bottom: "y" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "z" bottom: "y" top: "accuracy" include { phase: TEST } }
`

// A search in a terminal shows its frontier and can be left, watched and stopped; the same command goes on, and its
// branches can be taken by a later run.
func TestSearch(t *testing.T) {
	dir := folder(t, "max_iter: 200000")
	write(t, filepath.Join(dir, "net.prototxt"), strings.ReplaceAll(searchedNet, "DIGITS",
		filepath.Join(oracle(t), "mnist1280_lmdb")))
	write(t, filepath.Join(dir, "dense.prototxt"), `net: "net.prototxt" base_lr: 0.05 momentum: 0.9
lr_policy: "fixed" max_iter: 200 snapshot_prefix: "dense" random_seed: 7`)
	train := exec.Command(binary, "train", "--solver", "dense.prototxt")
	train.Dir = dir
	if out, err := train.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	search := func(anneal string) []string {
		return []string{
			"search", "--budget", "90%", "--weights", "dense_iter_200.caffemodel", "--smallest", "20x",
			"--descent", "100", "--anneal", anneal, "--branches", "3", "solver.prototxt",
		}
	}
	e := start(t, dir, 120, 40, search("100000")...)
	e.wait("Branches  accuracy on", "annealing ", "branch 1: ")
	e.keys(" ")
	e.wait("PAUSED")
	name := detach(t, e)
	a := start(t, dir, 80, 24, "attach", name)
	a.wait("Frontier", "PAUSED", "branch 1: ")
	a.keys("\r")
	a.wait("this branch is not finished", "PAUSED")
	a.keys("\x1b")
	a.wait("ip1")
	a.endRun("")
	untilNoRun(t)

	e = start(t, dir, 120, 40, search("40")...)
	e.wait("done: ", "smallest within", "PAUSED")
	e.keys("\x1b")
	e.wait("ip1")
	e.endRun("to go on with it: ")
	untilNoRun(t)

	e = start(t, dir, 120, 40, "solver.prototxt", "--paused", "--resume")
	e.wait("ip1", "PAUSED")
	e.keys("A")
	e.wait("done: ", "smallest within")
	e.keys("k\r")
	e.wait("Take this branch?")
	e.keys("y")
	e.wait("taken: ")
	e.keys("\x1b")
	e.wait("ip1")
	e.endRun("")
	if !strings.Contains(read(t, filepath.Join(dir, "run.journal")), `"field":"branch","new":"run_search_iter_`) {
		t.Error("the journal does not say that a branch was taken")
	}
	untilNoRun(t)
}
