package session_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// inHDF5 is lively, with snapshots in HDF5.
func inHDF5(r *config.Run) {
	lively(r)
	r.Solver.SnapshotFormat = caffepb.SolverParameter_HDF5.Enum()
}

// A snapshot in HDF5 carries as much as a binary one: a resumed run ends in the same weights, which are those of the
// run that writes binary ones.
func TestHDF5SnapshotResumesBitForBit(t *testing.T) {
	for _, name := range []string{"dns_seed_mini", "dns_official_mini"} {
		t.Run(name, func(t *testing.T) {
			whole, _ := weightsAt(t, mini(t, name, lively), 2, 20)
			first := mini(t, name, inHDF5)
			train(t, first, 2, 13)
			again := mini(t, name, lively)
			again.Weights, again.Snapshot = nil, first.SnapshotPrefix()+"_iter_13.solverstate.h5"
			if resumed, _ := weightsAt(t, again, 3, 20); !bytes.Equal(whole, resumed) {
				t.Error("weights after a resume from HDF5 differ from those of the undisturbed run")
			}
		})
	}
}

// Caffe's own HDF5 snapshot of iteration 3 holds what three iterations here come to, weights and history, and a run
// goes on from it.
func TestResumesCaffesHDF5Snapshot(t *testing.T) {
	dir := t.TempDir()
	for from, to := range map[string]string{
		"sgd_inv_iter_3.caffemodel.h5":  "h5_iter_3.caffemodel.h5",
		"sgd_inv_iter_3.solverstate.h5": "h5_iter_3.solverstate.h5",
	} {
		b, err := os.ReadFile(modeltest.Root("oracle", "hdf5", from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := mini(t, "sgd_inv", nil)
	train(t, run, 2, 3)
	compare := func(what string, have, want []*caffepb.BlobProto) {
		t.Helper()
		if len(have) != len(want) {
			t.Fatalf("%s: %d blobs, Caffe's %d", what, len(have), len(want))
		}
		for i := range have {
			a, b := caffe.Values(have[i]), caffe.Values(want[i])
			size := 1e-3
			for _, v := range b {
				size = math.Max(size, math.Abs(float64(v)))
			}
			for k := range b {
				if e := math.Abs(float64(a[k]-b[k])) / size; e > 1e-4 {
					t.Fatalf("%s: blob %d[%d] is %g, Caffe's %g", what, i, k, a[k], b[k])
				}
			}
		}
	}
	base := run.SnapshotPrefix() + "_iter_3"
	have, err := caffe.ReadSolverState(base + ".solverstate")
	if err != nil {
		t.Fatal(err)
	}
	want, err := caffe.ReadSolverState(filepath.Join(dir, "h5_iter_3.solverstate.h5"))
	if err != nil {
		t.Fatal(err)
	}
	if want.GetIter() != 3 || want.GetLearnedNet() != "h5_iter_3.caffemodel.h5" {
		t.Errorf("iteration %d of %s", want.GetIter(), want.GetLearnedNet())
	}
	compare("history", have.History, want.History)
	weights, err := caffe.ReadNet(base + ".caffemodel")
	if err != nil {
		t.Fatal(err)
	}
	caffes, err := caffe.ReadNet(filepath.Join(dir, "h5_iter_3.caffemodel.h5"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, l := range weights.Layer {
		for _, c := range caffes.Layer {
			if l.GetName() == c.GetName() && len(c.Blobs) > 0 {
				compare(l.GetName(), l.Blobs, c.Blobs)
				found++
			}
		}
	}
	if found != 4 {
		t.Errorf("%d layers with weights, wanted 4", found)
	}
	again := mini(t, "sgd_inv", nil)
	again.Weights, again.Snapshot = nil, filepath.Join(dir, "h5_iter_3.solverstate.h5")
	train(t, again, 2, 5)
	if _, err := os.Stat(again.SnapshotPrefix() + "_iter_5.solverstate"); err != nil {
		t.Error(err)
	}
}

// A net keeps its layers, their order and kinds, and names with slashes, from one form to the other.
func TestNetBetweenForms(t *testing.T) {
	n := &caffepb.NetParameter{Name: proto.String("n")}
	for i, name := range []string{"conv1/7x7", "conv1/x/y", "a", "conv1"} {
		n.Layer = append(n.Layer, &caffepb.LayerParameter{Name: proto.String(name), Type: proto.String("InnerProduct"),
			Blobs: []*caffepb.BlobProto{
				caffe.NewBlob([]int{i + 1, 2}, make([]float32, 2*i+2)),
				caffe.NewBlob([]int{1}, []float32{float32(i)}),
			}})
	}
	path := filepath.Join(t.TempDir(), "n.caffemodel.h5")
	if err := caffe.WriteNet(path, n); err != nil {
		t.Fatal(err)
	}
	again, err := caffe.ReadNet(path)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(n, again) {
		t.Errorf("read again:\n%v\nwanted\n%v", again, n)
	}
	n.Layer[1].Name = proto.String("conv1/1")
	if err := caffe.WriteNet(path, n); err == nil || !strings.Contains(err.Error(), "have one name in HDF5") {
		t.Errorf("conv1/1 beside blob 1 of conv1: %v", err)
	}
}

// The masks of an HDF5 file that names no kinds of layers are told by what they hold.
func TestMasksByContent(t *testing.T) {
	w, b, ones := []float32{1, 0.5, 3, 4}, []float32{1, 2}, []float32{1, 0, 1, 0}
	blob := caffe.NewBlob
	for _, c := range []struct {
		name  string
		blobs []*caffepb.BlobProto
		masks int
	}{
		{"plain", []*caffepb.BlobProto{blob([]int{2, 2}, w), blob([]int{2}, b)}, 0},
		{"weights and mask", []*caffepb.BlobProto{blob([]int{2, 2}, w), blob([]int{2, 2}, ones)}, 1},
		{"seed", []*caffepb.BlobProto{blob([]int{2, 2}, w), blob([]int{2}, b), blob([]int{2, 2}, ones)}, 1},
		{
			"authors'",
			[]*caffepb.BlobProto{
				blob([]int{2, 2}, w), blob([]int{2}, b), blob([]int{2, 2}, ones), blob([]int{2}, ones[:2]),
			},
			2,
		},
		{
			"decayed",
			[]*caffepb.BlobProto{
				blob([]int{2, 2}, w), blob([]int{2}, b), blob([]int{2, 2}, []float32{0.97, 1e-4, 0.97, 0}),
			},
			1,
		},
		{
			"a recurrent layer",
			[]*caffepb.BlobProto{
				blob([]int{2, 2}, w), blob([]int{2}, b), blob([]int{2, 2}, []float32{0.5, -0.5, 1, 0}),
			},
			0,
		},
		{"batch norm", []*caffepb.BlobProto{blob([]int{2}, b), blob([]int{2}, b), blob([]int{1}, ones[:1])}, 0},
	} {
		layers, err := model.CountWeights(
			&caffepb.NetParameter{Layer: []*caffepb.LayerParameter{{Name: proto.String(c.name), Blobs: c.blobs}}},
		)
		if err != nil || layers[0].Masks != c.masks {
			t.Errorf("%s: %v, wanted %d masks (%v)", c.name, fmt.Sprint(layers), c.masks, err)
		}
	}
}
