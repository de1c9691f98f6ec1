package layer_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"golang.org/x/tools/txtar"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/layer"
	"dns-tui/model/modeltest"
)

// noGradient are the layer types without one.
var noGradient = map[string]bool{
	"Accuracy":   true,
	"ArgMax":     true,
	"Data":       true,
	"DummyData":  true,
	"HDF5Data":   true,
	"HDF5Output": true,
	"ImageData":  true,
	"Input":      true,
	"MemoryData": true,
	"Threshold":  true,
	"WindowData": true,
}

// gradientCases are the nets of testdata/gradients.txtar.
func gradientCases(t *testing.T) []txtar.File {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/gradients.txtar")
	if err != nil {
		t.Fatal(err)
	}
	return archive.Files
}

// Every layer with a gradient is checked against differences: d(Σ r·y)/dx for random r.
func TestGradients(t *testing.T) {
	covered := map[string]bool{}
	for _, c := range gradientCases(t) {
		f, err := caffe.ParseNetPrototxt(c.Name, c.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range f.Net.Layer {
			covered[l.GetType()] = true
		}
		if c.Name == "Split" {
			covered["Split"] = true
		}
		t.Run(c.Name, func(t *testing.T) { checkGradients(t, f) })
	}
	for _, typ := range layer.Types() {
		if !covered[typ] && !noGradient[typ] {
			t.Errorf("layer type %s has no gradient check", typ)
		}
	}
}

// gradientTolerance is relative to the largest gradient of the array.
const gradientTolerance = 1e-2

func checkGradients(t *testing.T, f *caffe.NetFile) {
	t.Helper()
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	net, err := model.NewNet(
		f,
		model.NetOptions{
			Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}, Seed: 5, AllGradients: true,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	key := gpu.Key{Seed: 9}
	inputs := map[string]*layer.Blob{}
	for _, top := range f.Net.Layer[0].Top {
		b := net.Blob(top)
		v := make([]float32, b.Data.N)
		key.Iter++
		var classes int
		if n, _ := fmt.Sscanf(top, "label%d", &classes); n == 1 {
			for i := range v {
				v[i] = float32(i % classes)
			}
		} else {
			spread(v, key)
			inputs[top] = b
		}
		d.Upload(b.Data, v)
	}
	for _, p := range net.Params() {
		if p.Statistics {
			d.Fill(p.Data, 1) // running sums with a weight of 1
		}
	}
	y := net.Blob("y")
	before := map[string][]float32{}
	for name, b := range inputs {
		before[name] = modeltest.Values(d, b.Data)
	}
	if _, err := net.Forward(); err != nil { // a Filter's output has its shape from here on
		t.Fatal(err)
	}
	for name, b := range inputs {
		d.Upload(b.Data, before[name]) // a layer in place may have changed it
	}
	r := make([]float32, y.Data.N)
	key.Iter++
	for i := range r {
		r[i] = key.Uniform(i) + 0.5
	}
	isLoss := y.Data.N == 1
	objective := func() float64 {
		loss, err := net.Forward()
		if err != nil {
			t.Fatal(err)
		}
		if isLoss {
			return loss
		}
		v := modeltest.Values(d, y.Data)
		s := 0.0
		for i := range v {
			s += float64(v[i]) * float64(r[i])
		}
		return s
	}
	objective()
	// A layer in place, or one that shows its input in another shape, shares memory with it: the inputs' data is put
	// back before each pass, the gradient of the output comes last.
	if !isLoss {
		d.Upload(y.Diff, r)
	}
	net.Backward()
	arrays := map[string][2]*gpu.Tensor{}
	for name, b := range inputs {
		arrays[name] = [2]*gpu.Tensor{b.Data, b.Diff}
	}
	for _, p := range net.Params() {
		if p.Trained() {
			arrays[fmt.Sprintf("%s/%d", p.Layer, p.Index)] = [2]*gpu.Tensor{p.Data, p.Diff}
		}
	}
	names := make([]string, 0, len(arrays))
	start := map[string][]float32{}
	grads := map[string][]float32{}
	for name, a := range arrays {
		names = append(names, name)
		grads[name] = modeltest.Values(d, a[1])
	}
	slices.Sort(names)
	key.Iter = 1
	for _, top := range f.Net.Layer[0].Top {
		if b := inputs[top]; b != nil {
			v := make([]float32, b.Data.N)
			k := gpu.Key{Seed: 9, Iter: key.Iter}
			spread(v, k)
			start[top] = v
		}
		key.Iter++
	}
	for _, p := range net.Params() {
		if name := fmt.Sprintf("%s/%d", p.Layer, p.Index); p.Trained() {
			start[name] = modeltest.Values(d, p.Data)
		}
	}
	for _, name := range names {
		compareGradient(t, name, start, arrays, grads[name], d, objective)
	}
}

// spread sets v to distinct numbers in [-1, 1] that keep clear of zero and of each other, so that a small step crosses
// no kink of a maximum or a ReLU.
func spread(v []float32, key gpu.Key) {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(key.Uniform(a), key.Uniform(b)) })
	for rank, i := range order {
		v[i] = (2*float32(rank) + 1 - float32(len(v))) / float32(len(v))
		if len(v)%2 == 1 && 2*rank+1 == len(v) {
			v[i] = 0.5 / float32(len(v))
		}
		v[i] += 0.2 * float32(key.Iter) / float32(len(v)) // no equals between arrays
	}
}

func compareGradient(
	t *testing.T,
	name string,
	start map[string][]float32,
	arrays map[string][2]*gpu.Tensor,
	grad []float32,
	d *gpu.Device,
	objective func() float64,
) {
	size := 1e-3
	for _, g := range grad {
		size = math.Max(size, math.Abs(float64(g)))
	}
	x := append([]float32(nil), start[name]...)
	eval := func(i int, by float32) float64 {
		for other, v := range start {
			d.Upload(arrays[other][0], v)
		}
		v := append([]float32(nil), x...)
		v[i] += by
		d.Upload(arrays[name][0], v)
		return objective()
	}
	step := float32(1e-2)
	if n := float32(len(x)); step > 0.25/n {
		step = max(0.25/n, 2e-3)
	}
	for i := range x {
		numeric := (eval(i, step) - eval(i, -step)) / (2 * float64(step))
		if e := math.Abs(numeric - float64(grad[i])); e > gradientTolerance*size {
			t.Errorf("d/d%s[%d] is %g, differences give %g", name, i, grad[i], numeric)
		}
	}
	eval(0, 0)
}
