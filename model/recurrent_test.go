package model_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/hdf5"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/modeltest"
)

// A run of the LSTM of testdata resumes bit for bit: the hidden states, the place in the HDF5 files (shuffled), and
// dropout's numbers go on.
func TestRecurrentResume(t *testing.T) {
	dir := t.TempDir()
	const rows, streams = 60, 3
	key := gpu.Key{Seed: 5}
	for file := range 2 {
		root := hdf5.NewGroup()
		for k, name := range []string{"words", "cont", "label"} {
			v := make([]float32, rows*streams)
			for i := range v {
				key.Stream = uint32(10*file + k)
				v[i] = float32(int(key.Uniform(i) * 1000))
				if name == "cont" {
					v[i] = float32(min(1, int(v[i])%7))
				}
			}
			root.Floats(name, []int{rows, streams}, v, nil)
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.h5", file)))
		if err != nil {
			t.Fatal(err)
		}
		if err := hdf5.Write(f, root); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	write(t, filepath.Join(dir, "list.txt"), "0.h5\n1.h5\n")
	net, err := os.ReadFile(modeltest.Root("nets", "lstm.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	net = bytes.ReplaceAll(
		net,
		[]byte(`source: "sentences_train.txt"`),
		fmt.Appendf(nil, "shuffle: true source: %q", filepath.Join(dir, "list.txt")),
	)
	write(t, filepath.Join(dir, "net.prototxt"), string(net))
	write(
		t,
		filepath.Join(dir, "solver.prototxt"),
		`net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 clip_gradients: 5 max_iter: 1 random_seed: 3`,
	)
	start := func() *config.Run {
		run, err := config.LoadSolver(filepath.Join(dir, "solver.prototxt"))
		if err != nil {
			t.Fatal(err)
		}
		run.Solver.SnapshotPrefix = proto.String(filepath.Join(t.TempDir(), "run"))
		return run
	}
	whole, _ := weightsAt(t, start(), 2, 11)
	first := start()
	weightsAt(t, first, 2, 5)
	again := start()
	again.Snapshot = first.SnapshotPrefix() + "_iter_5.solverstate"
	if resumed, _ := weightsAt(t, again, 1, 11); !bytes.Equal(whole, resumed) {
		t.Error("weights after a resume differ from those of the undisturbed run")
	}
}
