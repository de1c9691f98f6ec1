package parity

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/layer"
)

const oracle = "../../testdata/oracle"

// Every vector of a real Caffe whose layer or solver is built agrees, on any number of threads and with either BLAS.
func TestOracle(t *testing.T) {
	for _, o := range []host.Options{{Threads: 1}, {Threads: 3}, {Threads: 2, GoBLAS: true}} {
		d := host.New(o)
		defer d.Close()
		dirs := []string{"layers", "solvers"}
		if testing.Short() { // 60 iterations of each solver are the long part
			dirs = dirs[:1]
		}
		for _, dir := range dirs {
			results, err := Dir(filepath.Join(oracle, dir), d, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			agree := 0
			for _, r := range results {
				switch r.Status {
				case Agrees:
					agree++
				case Disagrees:
					t.Errorf("%s: %v", d.Name(), r)
				}
			}
			if want := map[string]int{"layers": 142, "solvers": 18}[dir]; agree < want {
				t.Errorf("%s: %d cases of %s agree, wanted at least %d", d.Name(), agree, dir, want)
			}
		}
	}
}

// A case that is wrong must be found wrong: each part of a vector file is changed in turn.
func TestDisagreementIsSeen(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	for _, part := range []string{"top/top", "bottom/data", "param/convolution/0"} {
		dir := t.TempDir()
		text, err := os.ReadFile(filepath.Join(oracle, "layers/conv_3x3.prototxt"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "c.prototxt"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		m := &caffepb.NetParameter{}
		if err := caffe.ReadBinary(filepath.Join(oracle, "layers/conv_3x3.caffemodel"), "vectors", m); err != nil {
			t.Fatal(err)
		}
		for _, l := range m.Layer {
			if l.GetName() == part {
				if part == "top/top" {
					l.Blobs[0].Data[5] += 1e-2
				} else {
					l.Blobs[0].Diff[5] += 1e-2
				}
			}
		}
		if err := caffe.WriteBinary(filepath.Join(dir, "c.caffemodel"), m); err != nil {
			t.Fatal(err)
		}
		if r := Layer(dir, "c", d); r.Status != Disagrees || !strings.Contains(r.Where, part) {
			t.Errorf("%s changed by 1e-2: %v", part, r)
		}
	}
}

// A trace counts the masks of the weights: a bias that surgery pruned does not show in it.
func TestKeptCountsWeightsAlone(t *testing.T) {
	f, err := caffe.ParseNetPrototxt(
		"n",
		[]byte(`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "ip" type: "CInnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }`),
	)
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	n, err := model.NewNet(f, model.NetOptions{Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}})
	if err != nil {
		t.Fatal(err)
	}
	l := n.Prunable()[0]
	for p, mask := range map[*layer.Param][]float32{l.Weights: {1, 0, 1, 0, 1, 1}, l.Bias: {0, 1}} {
		if err := p.EnsureMask(d); err != nil {
			t.Fatal(err)
		}
		p.SetMask(d, mask)
	}
	if kept := keptWeights(n); kept["ip"] != 4 || len(kept) != 1 {
		t.Errorf("kept %v, wanted 4 weights of ip", kept)
	}
}

func TestLossTolerance(t *testing.T) {
	for _, c := range []struct {
		method string
		iter   int
		want   float64
	}{
		{"SGD", 19, Tolerance}, {"SGD", 20, DriftTolerance}, {"SGD", 53, DriftTolerance}, {"SGD", 59, LateTolerance},
		{"AdaDelta", 9, Tolerance}, {"AdaDelta", 10, DriftTolerance}, {"AdaDelta", 53, ChaosTolerance},
		{"AdaDelta", 59, LateTolerance},
	} {
		if have := lossTolerance(c.method, c.iter, 60); have != c.want {
			t.Errorf("%s, iteration %d: %g, wanted %g", c.method, c.iter, have, c.want)
		}
	}
	// What Caffe gives on three machines agrees with each other.
	for _, loss := range []float64{0.378, 0.402, 0.410} {
		for _, other := range []float64{0.378, 0.402, 0.410} {
			if math.Abs(loss-other)/other > ChaosTolerance {
				t.Errorf("%g and %g are told apart", loss, other)
			}
		}
	}
}
