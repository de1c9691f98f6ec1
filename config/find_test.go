package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const tinyNet = `layer { name: "in" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 } } }`

// A solver and a net that name files from Caffe's own folder, run from any other.
func TestFilesNamedFromAbove(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"examples/mnist/net.prototxt": tinyNet,
		"examples/mnist/s.prototxt": `net: "examples/mnist/net.prototxt" weights: ` +
			`"models/m.caffemodel,examples/mnist/n.caffemodel" base_lr: 1 lr_policy: "fixed" max_iter: 1 ` +
			`snapshot_prefix: "examples/mnist/t"`,
		"examples/mnist/moved.prototxt": "\n" + `net: "examples/other/net.prototxt" base_lr: 1 lr_policy: ` +
			`"fixed" max_iter: 1`,
		"examples/mnist/n.caffemodel":          "x",
		"models/m.caffemodel":                  "x",
		"examples/mnist/sub/beside.prototxt":   `net: "net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 1`,
		"examples/mnist/sub/net2/net.prototxt": tinyNet,
	} {
		p := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		from, solver string
		told         int
	}{
		{".", "examples/mnist/s.prototxt", 0},
		{"examples/mnist", "s.prototxt", 4},
		{"models", "../examples/mnist/s.prototxt", 4},
		{"examples", "mnist/s.prototxt", 4},
	} {
		t.Chdir(filepath.Join(root, c.from))
		r, err := LoadSolver(c.solver)
		if err != nil {
			t.Errorf("from %s: %v", c.from, err)
			continue
		}
		if len(r.Found) != c.told {
			t.Errorf("from %s: told %q, wanted %d lines", c.from, r.Found, c.told)
		}
		for w := range strings.SplitSeq(r.Solver.Weights[0], ",") {
			if _, err := os.Stat(w); err != nil {
				t.Errorf("from %s: %v", c.from, err)
			}
		}
		if got, _ := filepath.Abs(r.SnapshotPrefix()); got != filepath.Join(root, "examples/mnist/t") {
			t.Errorf("from %s: snapshots go to %s", c.from, r.SnapshotPrefix())
		}
	}
	t.Chdir(root)
	_, err := LoadSolver("examples/mnist/moved.prototxt")
	if err == nil ||
		!strings.Contains(
			err.Error(),
			`moved.prototxt:2: examples/other/net.prototxt: no such file; looked for it in the working folder, `+
				`beside examples/mnist/moved.prototxt`,
		) ||
		!strings.Contains(err.Error(), `there is examples/mnist/net.prototxt: did you mean "net.prototxt"?`) {
		t.Error(err)
	}
	// A link to the solver, or to its folder: the places of what it points to are looked at, too.
	jobs := t.TempDir()
	t.Chdir(jobs)
	for link, to := range map[string]string{"s.prototxt": "examples/mnist/s.prototxt", "mnist": "examples/mnist"} {
		if err := os.Symlink(filepath.Join(root, to), filepath.Join(jobs, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, solver := range []string{"s.prototxt", "mnist/s.prototxt"} {
		if r, err := LoadSolver(filepath.Join(jobs, solver)); err != nil {
			t.Error(err)
		} else if !strings.HasSuffix(r.Train.Path, "examples/mnist/net.prototxt") {
			t.Errorf("%s: the net is %s", solver, r.Train.Path)
		}
	}
	t.Chdir(root)
	// A bare name is not looked for above: some other file may have it.
	if r, err := LoadSolver("examples/mnist/sub/beside.prototxt"); err == nil {
		t.Errorf("%s was taken", r.Train.Path)
	}
}
