package layer_test

import (
	"fmt"
	"math"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// imageInput is the layer that the nets of several tests begin with: two images and their labels.
const imageInput = `layer {
  name: "in" type: "Input" top: "x" top: "label"
  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 } }
}
`

// probeNet builds a net for training, with the gradients of its inputs.
func probeNet(t *testing.T, d *gpu.Device, text string) *model.Net {
	t.Helper()
	n, err := modeltest.BuildOn(t, d, text, trainOptions(3))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// trainOptions are those of a net in the train phase that has the gradients of its inputs, too.
func trainOptions(seed uint64) model.NetOptions {
	return model.NetOptions{State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}, Seed: seed, AllGradients: true}
}

func uniform(n int, stream uint32) []float32 {
	key := gpu.Key{Seed: 11, Stream: stream}
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*key.Uniform(i) - 1
	}
	return v
}

func near(t *testing.T, what string, have, want []float32) {
	t.Helper()
	if len(have) != len(want) {
		t.Fatalf("%s: %d elements, wanted %d", what, len(have), len(want))
	}
	for i := range have {
		if e := math.Abs(float64(have[i] - want[i])); !(e <= 1e-5*math.Max(1, math.Abs(float64(want[i])))) {
			t.Fatalf("%s[%d] is %g, wanted %g", what, i, have[i], want[i])
		}
	}
}

// forward builds a net whose input is x, runs it, and returns blob y.
func forward(t *testing.T, layer string, x []float32, shape ...int) (y []float32, out []int) {
	t.Helper()
	dims := ""
	for _, d := range shape {
		dims += fmt.Sprintf(" dim: %d", d)
	}
	f, err := caffe.ParseNetPrototxt(
		"n",
		[]byte(`layer { name: "in" type: "Input" top: "x" input_param { shape {`+dims+` } } } `+layer),
	)
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{})
	t.Cleanup(func() { d.Close() })
	n, err := model.NewNet(f, model.NetOptions{Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	d.Upload(n.Blob("x").Data, x)
	if _, err := n.Forward(); err != nil {
		t.Fatal(err)
	}
	b := n.Blob("y")
	y = make([]float32, b.Len())
	d.Download(y, b.Data)
	return y, b.Shape
}

func ramp(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32((i*7919)%101)/50 - 1
	}
	return v
}

func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, wanted %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Abs(float64(got[i]-want[i])) > 1e-5 {
			t.Fatalf("%s: number %d is %g, wanted %g\n%v\n%v", what, i, got[i], want[i], got, want)
		}
	}
}
