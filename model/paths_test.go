package model_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// A randomNet is a net of smooth layers with losses, weights and paths anywhere: losses that feed layers and losses,
// weights on layers that are no losses, tops that nobody reads.
type randomNet struct {
	t      *rapid.T
	text   strings.Builder
	blobs  []randomBlob
	layers int
	// open are the blobs that a layer may change in place: nobody has read them, and the gradient of the layer that
	// made them does not need them.
	open map[string]bool
	// weighted counts the tops that count toward the objective.
	weighted int
}

type randomBlob struct {
	name  string
	shape string // "" of a number
}

const inputs = `layer { name: "in" type: "Input" top: "x" top: "target" top: "label" input_param {
  shape { dim: 3 dim: 4 } shape { dim: 3 dim: 4 } shape { dim: 3 } } }
layer { name: "ip0" type: "InnerProduct" bottom: "x" top: "b0" inner_product_param { num_output: 4
  weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "gaussian" std: 0.5 } } }
`

// pick returns a blob of a shape ("any": of any), or false where there is none.
func (n *randomNet) pick(shape string) (randomBlob, bool) {
	var fit []randomBlob
	for _, b := range n.blobs {
		if shape == "any" || b.shape == shape {
			fit = append(fit, b)
		}
	}
	if len(fit) == 0 {
		return randomBlob{}, false
	}
	return rapid.SampledFrom(fit).Draw(n.t, "blob"), true
}

// add writes a layer. Its tops may have a weight; a loss that says nothing has one, too.
func (n *randomNet) add(typ, params string, bottoms []string, loss bool, tops ...string) {
	n.layers++
	fmt.Fprintf(&n.text, "layer { name: \"l%d\" type: %q", n.layers, typ)
	for _, b := range bottoms {
		delete(n.open, b)
		fmt.Fprintf(&n.text, " bottom: %q", b)
	}
	for i := range tops {
		fmt.Fprintf(&n.text, " top: \"t%d_%d\"", n.layers, i)
	}
	weights := rapid.SampledFrom([]string{"none", "all", "none", "zero"}).Draw(n.t, "weights")
	if weights == "none" && loss {
		n.weighted++
	}
	for range tops {
		switch weights {
		case "all":
			n.weighted++
			fmt.Fprintf(&n.text, " loss_weight: %g", rapid.SampledFrom([]float64{-0.5, 0.25, 1, 2}).Draw(n.t, "weight"))
		case "zero":
			n.text.WriteString(" loss_weight: 0")
		}
	}
	fmt.Fprintf(&n.text, " %s }\n", params)
	for i, shape := range tops {
		name := fmt.Sprintf("t%d_%d", n.layers, i)
		n.open[name] = weights != "all" &&
			(typ == "InnerProduct" || typ == "Power" || typ == "Eltwise" || typ == "Concat")
		n.blobs = append(n.blobs, randomBlob{name, shape})
	}
}

// grow adds one layer of a random kind, where there is something for it to read.
func (n *randomNet) grow() {
	const matrix, half, number, one = "3x4", "3x2", "", "1"
	kind := rapid.SampledFrom([]string{
		"InnerProduct", "Power", "Sigmoid", "TanH", "Eltwise", "Reduction", "Slice", "Concat", "Reshape", "Silence",
		"TanH in place", "EuclideanLoss", "SoftmaxWithLoss", "SigmoidCrossEntropyLoss",
	}).
		Draw(n.t, "kind")
	switch kind {
	case "InnerProduct":
		if b, ok := n.pick(matrix); ok {
			n.add(
				kind,
				`inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 0.5 } }`,
				[]string{b.name},
				false,
				matrix,
			)
		}
	case "Power":
		if b, ok := n.pick("any"); ok {
			n.add(kind, `power_param { scale: 0.7 shift: 0.3 }`, []string{b.name}, false, b.shape)
		}
	case "Sigmoid", "TanH":
		if b, ok := n.pick("any"); ok {
			n.add(kind, "", []string{b.name}, false, b.shape)
		}
	case "TanH in place":
		if b, ok := n.pick("any"); ok && n.open[b.name] {
			n.layers++
			delete(n.open, b.name)
			fmt.Fprintf(
				&n.text,
				"layer { name: \"l%d\" type: \"TanH\" bottom: %q top: %q }\n",
				n.layers,
				b.name,
				b.name,
			)
		}
	case "Eltwise":
		if b, ok := n.pick("any"); ok {
			c, _ := n.pick(b.shape)
			op := rapid.SampledFrom([]string{"operation: SUM", "operation: SUM coeff: 0.5 coeff: -1"}).Draw(n.t, "op")
			n.add(kind, "eltwise_param { "+op+" }", []string{b.name, c.name}, false, b.shape)
		}
	case "Reduction":
		if b, ok := n.pick(matrix); ok {
			op := rapid.SampledFrom([]string{"SUM", "SUMSQ", "MEAN"}).Draw(n.t, "op")
			n.add(kind, "reduction_param { coeff: 0.2 operation: "+op+" }", []string{b.name}, false, number)
		}
	case "Slice":
		if b, ok := n.pick(matrix); ok {
			n.add(kind, "slice_param { axis: 1 }", []string{b.name}, false, half, half)
		}
	case "Concat":
		if b, ok := n.pick(half); ok {
			c, _ := n.pick(half)
			n.add(kind, "concat_param { axis: 1 }", []string{b.name, c.name}, false, matrix)
		}
	case "Reshape":
		if b, ok := n.pick(number); ok {
			n.add(kind, "reshape_param { shape { dim: 1 } }", []string{b.name}, false, one)
		}
	case "Silence":
		if b, ok := n.pick("any"); ok {
			n.add(kind, "", []string{b.name}, false)
		}
	case "EuclideanLoss":
		if b, ok := n.pick(rapid.SampledFrom([]string{matrix, half, one}).Draw(n.t, "shape")); ok {
			c, _ := n.pick(b.shape)
			n.add(kind, "", []string{b.name, c.name}, true, number)
		}
	case "SoftmaxWithLoss", "SigmoidCrossEntropyLoss":
		if b, ok := n.pick(matrix); ok {
			with := map[bool]string{true: "label", false: "target"}[kind == "SoftmaxWithLoss"]
			n.add(kind, "", []string{b.name, with}, true, number)
		}
	}
}

// The gradient of every parameter is that of the objective, whatever the losses are and whichever ways lead to them.
func TestGradientsFlowThroughEveryPath(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	chained, weighted := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		n := &randomNet{t: rt, open: map[string]bool{"b0": true}, blobs: []randomBlob{{"b0", "3x4"}}}
		n.text.WriteString(inputs)
		for range rapid.IntRange(2, 10).Draw(rt, "layers") {
			n.grow()
		}
		if n.weighted == 0 {
			n.text.WriteString(
				`layer {
  name: "end" type: "Reduction" bottom: "b0" top: "end" reduction_param { operation: SUMSQ } loss_weight: 1
}`,
			)
		}
		if strings.Contains(n.text.String(), "Loss\" bottom: \"t") {
			chained++
		}
		weighted += n.weighted
		comparePaths(rt, d, n.text.String())
	})
	if chained == 0 || weighted == 0 {
		t.Errorf("%d nets with losses of made blobs, %d weights: the nets test nothing", chained, weighted)
	}
}

func comparePaths(t *rapid.T, d *gpu.Device, text string) {
	f, err := caffe.ParseNetPrototxt("net", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	net, err := model.NewNet(
		f,
		model.NetOptions{Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}, Seed: 3},
	)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	key := gpu.Key{Seed: 11}
	fill := func(name string, f func(i int) float32) {
		v := make([]float32, net.Blob(name).Data.N)
		for i := range v {
			v[i] = f(i)
		}
		d.Upload(net.Blob(name).Data, v)
	}
	fill("x", func(i int) float32 { return 2*key.Uniform(i) - 1 })
	fill("target", func(i int) float32 { return key.Uniform(100 + i) })
	fill("label", func(i int) float32 { return float32(i % 4) })
	objective := func() float64 {
		loss, err := net.Forward()
		if err != nil {
			t.Fatal(err)
		}
		return loss
	}
	objective()
	net.Backward()
	for _, p := range net.Params() {
		w, grad := modeltest.Values(d, p.Data), modeltest.Values(d, p.Diff)
		size := 0.05
		for _, g := range grad {
			size = math.Max(size, math.Abs(float64(g)))
		}
		for i := range w {
			const step = 1e-2
			at := func(by float32) float64 {
				v := append([]float32(nil), w...)
				v[i] += by
				d.Upload(p.Data, v)
				return objective()
			}
			numeric := (at(step) - at(-step)) / (2 * step)
			if e := math.Abs(numeric - float64(grad[i])); !(e <= 2e-2*size) {
				t.Fatalf("d/d%s/%d[%d] is %g, differences give %g in\n%s", p.Layer, p.Index, i, grad[i], numeric, text)
			}
		}
		d.Upload(p.Data, w)
	}
}
