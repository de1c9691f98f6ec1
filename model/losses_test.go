package model_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/layer"
	"dns-tui/model/solver"
)

// buildOn builds a net on a device of its own.
func buildOn(t *testing.T, text string, o model.NetOptions) (*model.Net, gpu.Device) {
	t.Helper()
	f, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	t.Cleanup(func() { d.Close() })
	o.Device = d
	n, err := model.NewNet(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return n, d
}

// trainNet trains a net for some iterations at a fixed rate and returns the losses.
func trainNet(t *testing.T, net string, rate string, iterations int) []float64 {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"net.prototxt": net,
		"solver.prototxt": "net: 'net.prototxt' base_lr: " + rate + " lr_policy: 'fixed' max_iter: 100 random_seed: 3"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run, err := config.LoadSolver(filepath.Join(dir, "solver.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	s, err := solver.New(run, d)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	losses := make([]float64, iterations)
	for i := range losses {
		if losses[i], err = s.Step(); err != nil {
			t.Fatal(err)
		}
	}
	return losses
}

// A loss that another layer reads passes the gradient on: Caffe's losses at iterations 0, 10 and 20 are 0.603, 0.035
// and
// 0.017.
func TestLossThatFeedsALayer(t *testing.T) {
	losses := trainNet(
		t,
		`layer { name: "data" type: "DummyData" top: "data" top: "label" top: "target" dummy_data_param {
  shape { dim: 8 dim: 5 } shape { dim: 8 } shape { dim: 1 } data_filler { type: "constant" value: 1 } data_filler { type: "constant" value: 2 }
  data_filler { type: "constant" value: 0 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 weight_filler { type: "constant" value: 0 } } }
layer { name: "ce" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "ce" loss_weight: 0 }
layer { name: "vec" type: "Reshape" bottom: "ce" top: "ce1" reshape_param { shape { dim: 1 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ce1" bottom: "target" top: "loss" }`,
		"0.1",
		21,
	)
	for i, want := range map[int]float64{0: 0.603, 10: 0.035, 20: 0.017} {
		if math.Abs(losses[i]-want) > 6e-4 {
			t.Errorf("iteration %d: the loss is %.4f, Caffe's %.3f", i, losses[i], want)
		}
	}
}

// Whatever has a weight is a loss: a penalty on activations, a sum of losses, a scaled one. Each net's loss falls.
func TestWeightsOnLayersThatAreNoLosses(t *testing.T) {
	const start = `layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param { shape { dim: 4 dim: 5 } shape { dim: 4 }
  data_filler { type: "constant" value: 0.7 } data_filler { type: "constant" value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
`
	for name, text := range map[string]string{
		"penalty": `layer { name: "penalty" type: "Reduction" bottom: "ip" top: "penalty" reduction_param { operation: SUMSQ coeff: 0.01 } loss_weight: 1 }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }`,
		"sum of losses": `layer { name: "a" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "a" loss_weight: 0 }
layer { name: "b" type: "HingeLoss" bottom: "ip" bottom: "label" top: "b" loss_weight: 0 }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" loss_weight: 1 }`,
		"scaled loss": `layer { name: "a" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "a" loss_weight: 0 }
layer { name: "scaled" type: "Power" bottom: "a" top: "scaled" power_param { scale: 0.3 } loss_weight: 2 }`,
		"activations": `layer { name: "r" type: "Power" bottom: "ip" top: "r" power_param { power: 2 } loss_weight: 0.1 }`,
	} {
		losses := trainNet(t, start+text, "0.1", 10)
		if !(losses[9] < losses[0]-0.01) {
			t.Errorf("%s: losses %v do not fall", name, losses)
		}
	}
}

// A loss whose weight nobody says and that another layer reads counts twice: once itself, once through the reader. The
// gradient is that of the objective, where Caffe's is that of the reader alone.
func TestDefaultWeightIsAReaderToo(t *testing.T) {
	const net = `layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 3 weight_filler { type: "constant" value: 0.5 } } }
layer { name: "l" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "l" `
	gradient := func(rest string) []float32 {
		n, d := buildOn(t, net+rest, model.NetOptions{State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}})
		d.Fill(n.Blob("x").Data, 1)
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		n.Backward()
		return download(d, n.Params()[0].Diff)
	}
	once := gradient("}")
	for rest, times := range map[string]float32{
		`} layer { name: "p" type: "Power" bottom: "l" top: "p" power_param { scale: 3 } loss_weight: 1 }`:                4,
		`loss_weight: 2 } layer { name: "p" type: "Power" bottom: "l" top: "p" power_param { scale: 3 } loss_weight: 1 }`: 5,
		`} layer { name: "p" type: "Power" bottom: "l" top: "p" power_param { scale: 3 } }`:                               1,
	} {
		for i, g := range gradient(rest) {
			if math.Abs(float64(g-times*once[i])) > 1e-5 {
				t.Errorf("%s: the gradient is %g, wanted %g times %g", rest, g, times, once[i])
			}
		}
	}
}

// force_backward goes before propagate_down, as in Caffe.
func TestForceBackward(t *testing.T) {
	const net = `layer { name: "in" type: "Input" top: "x" top: "label" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" propagate_down: false inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "b" bottom: "label" top: "loss" }`
	for _, force := range []bool{false, true} {
		text := net
		if force {
			text = "force_backward: true\n" + net
		}
		n, d := buildOn(t, text, model.NetOptions{State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}})
		d.Fill(n.Blob("x").Data, 1)
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		n.Backward()
		for i, p := range n.Params() {
			reached := d.SumSquares(p.Diff) > 0
			if want := force || i >= 2; reached != want {
				t.Errorf(
					"force_backward %v: the gradient of %s/%d is there: %v, wanted %v",
					force,
					p.Layer,
					p.Index,
					reached,
					want,
				)
			}
		}
	}
}

// SPP of one level is a pooling layer in Caffe, and its output is not flattened.
func TestSPPOfOneLevel(t *testing.T) {
	for height, want := range map[string]string{"1": "2x3x1x1", "2": "2x15"} {
		n, err := build(
			t,
			imageInput+`layer { name: "l" type: "SPP" bottom: "x" top: "y" spp_param { pyramid_height: `+height+` } }`,
			caffepb.Phase_TEST,
		)
		if err != nil {
			t.Fatal(err)
		}
		if s := n.Blob("y").FormatShape(); s != want {
			t.Errorf("pyramid_height %s: the shape is %s, wanted %s", height, s, want)
		}
	}
}

// A Scale that works in place keeps what its gradient needs in every phase.
func TestScaleInPlaceInTest(t *testing.T) {
	const text = `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "c" type: "Power" bottom: "x" top: "y" power_param { shift: 1 } }
layer { name: "l" type: "Scale" bottom: "y" top: "%s" scale_param { filler { type: "constant" value: 3 } } }`
	gradient := func(top string, phase caffepb.Phase) []float32 {
		n, d := buildOn(
			t,
			strings.Replace(text, "%s", top, 1),
			model.NetOptions{State: &caffepb.NetState{Phase: phase.Enum()}, Probe: true},
		)
		d.Upload(n.Blob("x").Data, []float32{1, 2, 3, 4, 5, 6})
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		d.Fill(n.Blob(top).Diff, 1)
		n.Backward()
		return download(d, n.Params()[0].Diff)
	}
	want := gradient("z", caffepb.Phase_TRAIN)
	for _, phase := range []caffepb.Phase{caffepb.Phase_TRAIN, caffepb.Phase_TEST} {
		for i, g := range gradient("y", phase) {
			if g != want[i] {
				t.Errorf("%s: the gradient %d is %g in place, %g otherwise", phase, i, g, want[i])
			}
		}
	}
}

// What a filler makes is what Caffe's filler.hpp makes, or has its moments; what that refuses is refused.
func TestBilinearFiller(t *testing.T) {
	for w, want := range map[int][]float32{ // a row's factors, by Caffe
		1: {1}, 2: {0.5, 0.5}, 3: {0.5, 1, 0.5}, 4: {0.25, 0.75, 0.75, 0.25}, 5: {1.0 / 3, 2.0 / 3, 1, 2.0 / 3, 1.0 / 3},
		6: {1.0 / 6, 0.5, 5.0 / 6, 5.0 / 6, 0.5, 1.0 / 6}, 7: {0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25},
		10: {0.1, 0.3, 0.5, 0.7, 0.9, 0.9, 0.7, 0.5, 0.3, 0.1},
	} {
		v := make([]float32, 2*w*w)
		f := &caffepb.FillerParameter{}
		if err := caffe.ParsePrototxt("f", []byte("type: 'bilinear'"), f); err != nil {
			t.Fatal(err)
		}
		if err := layer.Fill(f, []int{2, 1, w, w}, gpu.Key{}, v); err != nil {
			t.Fatal(err)
		}
		for i := range v {
			if x := want[i%w] * want[i/w%w]; math.Abs(float64(v[i]-x)) > 1e-6 {
				t.Fatalf("kernel of %d: number %d is %g, Caffe's %g", w, i, v[i], x)
			}
		}
	}
}

func TestFillersRefuse(t *testing.T) {
	for _, c := range []struct {
		filler, want string
		shape        []int
	}{
		{"type: 'gaussian' sparse: 5", "sparse is 5 for 4 outputs (shape 4x3); wanted 0 to 4", []int{4, 3}},
		{"type: 'gaussian' sparse: 4", "", []int{4, 3}},
		{"type: 'gaussian' sparse: -2", "sparse is -2", []int{4, 3}},
		{"type: 'gaussian' std: -1", "std is -1; wanted above 0", []int{4, 3}},
		{"type: 'xavier' sparse: 2", "filler xavier: sparse is 2; only the filler gaussian has it", []int{4, 3}},
		{"type: 'uniform' min: 2 max: 1", "min is 2 and max 1", []int{4, 3}},
		{"type: 'bilinear'", "wants 4 axes with a square kernel, not 4x3", []int{4, 3}},
		{"type: 'bilinear'", "not 1x1x2x3", []int{1, 1, 2, 3}},
	} {
		f := &caffepb.FillerParameter{}
		if err := caffe.ParsePrototxt("f", []byte(c.filler), f); err != nil {
			t.Fatal(err)
		}
		err := layer.Fill(f, c.shape, gpu.Key{}, make([]float32, gpu.Elements(c.shape)))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, wanted %q", c.filler, err, c.want)
		}
	}
}
