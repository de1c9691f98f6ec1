package model_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// buildOn builds a net on a device of its own.
func buildOn(t *testing.T, text string, o model.NetOptions) (*model.Net, *gpu.Device) {
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
	for name, text := range map[string]string{
		"net.prototxt": net,
		"solver.prototxt": "net: 'net.prototxt' base_lr: " + rate +
			" lr_policy: 'fixed' max_iter: 100 random_seed: 3",
	} {
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
		`layer {
  name: "data" type: "DummyData" top: "data" top: "label" top: "target"
  dummy_data_param {
    shape { dim: 8 dim: 5 } shape { dim: 8 } shape { dim: 1 } data_filler { type: "constant" value: 1 }
    data_filler { type: "constant" value: 2 } data_filler { type: "constant" value: 0 }
  }
}
layer {
  name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "constant" value: 0 } }
}
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
	const start = `layer {
  name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param {
    shape { dim: 4 dim: 5 } shape { dim: 4 } data_filler { type: "constant" value: 0.7 }
    data_filler { type: "constant" value: 1 }
  }
}
layer {
  name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } }
}
`
	for name, text := range map[string]string{
		"penalty": `layer {
  name: "penalty" type: "Reduction" bottom: "ip" top: "penalty"
  reduction_param { operation: SUMSQ coeff: 0.01 } loss_weight: 1
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }`,
		"sum of losses": `layer {
  name: "a" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "a" loss_weight: 0
}
layer { name: "b" type: "HingeLoss" bottom: "ip" bottom: "label" top: "b" loss_weight: 0 }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" loss_weight: 1 }`,
		"scaled loss": `layer { name: "a" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "a" loss_weight: 0 }
layer { name: "scaled" type: "Power" bottom: "a" top: "scaled" power_param { scale: 0.3 } loss_weight: 2 }`,
		"activations": `layer {
  name: "r" type: "Power" bottom: "ip" top: "r" power_param { power: 2 } loss_weight: 0.1
}`,
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
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "constant" value: 0.5 } } }
layer { name: "l" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "l" `
	gradient := func(rest string) []float32 {
		n, d := buildOn(t, net+rest, model.NetOptions{State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}})
		d.Fill(n.Blob("x").Data, 1)
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		n.Backward()
		return modeltest.Values(d, n.Params()[0].Diff)
	}
	once := gradient("}")
	for rest, times := range map[string]float32{
		`} layer { name: "p" type: "Power" bottom: "l" top: "p" power_param { scale: 3 } loss_weight: 1 ` +
			`}`: 4,
		`loss_weight: 2 } layer { name: "p" type: "Power" bottom: "l" top: "p" power_param { scale: 3 } ` +
			`loss_weight: 1 }`: 5,
		`} layer { name: "p" type: "Power" bottom: "l" top: "p" power_param { scale: 3 } ` +
			`}`: 1,
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
	const net = `layer {
  name: "in" type: "Input" top: "x" top: "label" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } }
}
layer {
  name: "a" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } }
}
layer {
  name: "b" type: "InnerProduct" bottom: "a" top: "b" propagate_down: false
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } }
}
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
