package main

import (
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
)

// Weights of another shape: the flag that leaves them out is named by the commands that have it, and by no other.
func TestMismatchedNamesItsFlag(t *testing.T) {
	net, weights := modeltest.Root("nets", "lenet.prototxt"), modeltest.Root("models", "lenet300_114x.dnz")
	dir := t.TempDir()
	solver := write(t, dir, "solver.prototxt", `net: "`+net+`" base_lr: 0.01 lr_policy: "fixed" max_iter: 2
		snapshot_prefix: "`+filepath.Join(dir, "run")+`" solver_mode: CPU`)
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, args := range [][]string{
		{"train", "--weights", weights, "--solver", solver},
		{"test", "--model", net, "--weights", weights},
		{"time", "--model", net, "--weights", weights},
		{"features", "--model", net, "--weights", weights, "ip1", at("features")},
		{"compare", "--model", net, weights, weights},
		{"inspect", "--model", net, weights},
		{"new", "--yes", "--weights", weights, "--out", at("new.prototxt"), net},
		{"export", "--model", net, weights, at("out.caffemodel")},
		{"export", "--model", net, weights, at("out.onnx")},
		{"export", "--model", net, "--shrink", weights, at("small.caffemodel")},
	} {
		args = append(args, "--input", "1x28x28:10")
		has := strings.Contains(mustRun(t, args[0], "-h"), "-skip-mismatched")
		status, _, stderr := run(t, args...)
		if !strings.Contains(stderr, `layer "ip1": blob 0 has the shape 300x784 in the file`) || status == 0 {
			t.Errorf("%q: status %d, %s", args, status, stderr)
		}
		if strings.Contains(stderr, `\n`) {
			t.Errorf("%q: two errors on one line: %s", args, stderr)
		}
		if named := strings.Contains(stderr, "--skip-mismatched"); named != has {
			t.Errorf("%q: it has the flag: %v, names it: %v in %s", args, has, named, stderr)
		}
	}
}
