package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/model/modeltest"
)

// shipFolder is a working folder with a run's journal and solver, and its snapshot: a LeNet-5 that keeps 1,389 of its
// entries, under masks that prune what W still has.
func shipFolder(t *testing.T, net, snapshot string) *Report {
	t.Helper()
	w, err := caffe.ReadNet(modeltest.Root("models", "lenet5_310x.dnz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range w.Layer {
		for _, b := range l.Blobs[:2] {
			values, mask := caffe.Values(b), make([]float32, len(caffe.Values(b)))
			for i, v := range values {
				if v != 0 {
					mask[i] = 1
				} else {
					values[i] = 0.001
				}
			}
			l.Blobs = append(l.Blobs, caffe.NewBlob(caffe.Shape(b), mask))
		}
	}
	t.Chdir(t.TempDir())
	journal := `{"iter":0,"field":"run","new":"solver.prototxt","seed":7,"start":{"net":"LeNet","device":"host",` +
		`"max_iter":300,"layers":[]}}` + "\n" +
		`{"iter":300,"field":"measure","new":"","measure":{"state":"finished","saved":"` + snapshot + `"}}` + "\n"
	for name, text := range map[string]string{
		"a run.journal": journal, "net.prototxt": net,
		"solver.prototxt": `net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 300 snapshot_prefix: "a run"
test_iter: 1 test_interval: 100
`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := caffe.WriteNet("a run_iter_300.caffemodel", w); err != nil {
		t.Fatal(err)
	}
	state := &caffepb.SolverState{
		Iter: proto.Int32(300), LearnedNet: proto.String("out/a run_iter_300.caffemodel"),
		History: []*caffepb.BlobProto{caffe.NewBlob([]int{1}, []float32{0})},
	}
	if err := caffe.WriteSolverState("a run_iter_300.solverstate", state); err != nil {
		t.Fatal(err)
	}
	r, err := Read("a run.journal")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What is shipped of a run: all of it; without the net's shapes, the snapshot, or a snapshot's name, what is left, and
// why.
func TestShip(t *testing.T) {
	lenet, err := os.ReadFile(modeltest.Root("nets", "lenet.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	input := strings.NewReplacer(`type: "Data"`, `type: "Input"`, "transform_param { scale: 0.00390625 }", "",
		`data_param { source: "mnist_train_lmdb" batch_size: 64 backend: LMDB }`,
		"input_param { shape { dim: 64 dim: 1 dim: 28 dim: 28 } shape { dim: 64 } }",
		`data_param { source: "mnist_test_lmdb" batch_size: 100 backend: LMDB }`,
		"input_param { shape { dim: 100 dim: 1 dim: 28 dim: 28 } shape { dim: 100 } }").Replace(string(lenet))
	golden, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, net, snapshot string }{
		{"whole", input, "out/a run_iter_300.solverstate"}, // in the folder that the run was in
		{"noshapes", string(lenet), "a run_iter_300.solverstate"},
		{"gone", input, "a run_iter_200.solverstate"},
		{"none", input, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := shipFolder(t, c.net, c.snapshot)
			_, section, ok := strings.Cut(written(t, r, "md"), "\n## What you ship\n")
			if !ok {
				t.Fatal("no section on it")
			}
			section, _, _ = strings.Cut(section, "\n## ")
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(r.Ship); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, filepath.Join(golden, "ship_"+c.name+".txt"), section+"\n"+b.String())
			page := written(t, r, "html")
			if !strings.Contains(page, "<h2>What you ship</h2>") ||
				strings.Count(page, "dns-tui export") != len(r.Ship.Commands) {
				t.Errorf("the page has not the section, or not %d commands", len(r.Ship.Commands))
			}
		})
	}
}
