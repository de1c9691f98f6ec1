package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
	"dns-tui/model/report"
)

// The commands that a report names under "what you ship" write files of the sizes that it says.
func TestReportShips(t *testing.T) {
	solvers := modeltest.Root("oracle", "solvers")
	net := readText(t, filepath.Join(solvers, "dns_seed_mini.net.prototxt"))
	t.Chdir(t.TempDir())
	write(t, ".", "mini.prototxt", net)
	if err := os.Symlink(filepath.Join(solvers, "mnist1280_lmdb"), "mnist1280_lmdb"); err != nil {
		t.Fatal(err)
	}
	solver := write(t, ".", "s.prototxt", `net: "mini.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 5
		snapshot_prefix: "run" solver_mode: CPU random_seed: 1 surgery_iter_gamma: 0 surgery_iter_power: 0`)
	mustRun(t, "train", "--solver", solver)
	var r report.Report
	if err := json.Unmarshal([]byte(mustRun(t, "report", "--format", "json", solver)), &r); err != nil {
		t.Fatal(err)
	}
	s := r.Ship
	if s == nil || s.Weights == nil || s.Net == nil || len(s.Commands) != 5 || s.Notice != "" {
		t.Fatalf("%+v", s)
	}
	if s.Weights.Kept >= s.Weights.Parameters || s.Net.MACs.Kept >= s.Net.MACs.Dense || len(s.Net.Layers) != 4 {
		t.Errorf("%+v, %+v: nothing is pruned", s.Weights, s.Net)
	}
	for i, want := range []struct {
		file  string
		bytes int64
	}{
		{"run.caffemodel", s.Weights.Bytes.Caffemodel}, {"run.dnz", s.Weights.Bytes.Compact},
		{"run.safetensors", s.Weights.Bytes.Safetensors}, {"run_small.caffemodel", 0}, {"run.onnx", 0},
	} {
		words := strings.Fields(s.Commands[i])
		if words[0] != "dns-tui" || words[len(words)-1] != want.file {
			t.Fatalf("%q; wanted one that writes %s", s.Commands[i], want.file)
		}
		mustRun(t, words[1:]...)
		if have := fileSize(t, want.file); want.bytes > 0 && have != want.bytes {
			t.Errorf("%s has %d bytes, the report says %d", want.file, have, want.bytes)
		}
	}
	c := comparisonOf(t, "--device", "host", "--model", "mini.prototxt", "--model-b", "run_small.prototxt", "--phase",
		"TRAIN", "--iterations", "1", "run.dnz", "run_small.caffemodel")
	if c.A.Parameters != s.Weights.Parameters || c.A.Kept != s.Weights.Kept || c.A.MACs != s.Net.MACs ||
		c.B.Parameters != s.Net.Smaller {
		t.Errorf("compare says %+v and %+v, the report %+v and %+v", c.A, c.B, s.Weights, s.Net)
	}
}
