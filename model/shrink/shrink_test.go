package shrink_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/shrink"
)

var test = &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}

// built is a net with weights, on a device of its own.
type built struct {
	file *caffe.NetFile
	net  *model.Net
}

func build(t rapid.TB, text string) built {
	t.Helper()
	f, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	n, err := model.NewNet(f, model.NetOptions{Device: host.New(host.Options{Threads: 1}), State: test, Seed: 1})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return built{f, n}
}

func (b built) close() {
	d := b.net.Device()
	b.net.Close()
	d.Close()
}

// run computes an output for some input.
func (b built) run(t rapid.TB, input []float32) []float32 {
	t.Helper()
	d := b.net.Device()
	d.Upload(b.net.Blob("data").Data, input)
	if _, err := b.net.Forward(); err != nil {
		t.Fatal(err)
	}
	out := b.net.Blob("out").Data
	v := make([]float32, out.N)
	d.Download(v, out)
	return v
}

// shrunk shrinks a net with weights, builds what comes of it, and compares both on random inputs.
func shrunk(t rapid.TB, b built, w *caffepb.NetParameter) (*shrink.Result, float64) {
	t.Helper()
	if _, err := b.net.LoadWeights("w", w, model.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	r, err := shrink.Shrink(b.file, b.net, w)
	if err != nil {
		t.Fatal(err)
	}
	text := caffe.FormatPrototxt(r.Net)
	small := build(t, text)
	defer small.close()
	if _, err := small.net.LoadWeights("small", r.Weights, model.LoadOptions{}); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	random := rand.New(rand.NewPCG(1, 2))
	worst := 0.0
	for range 3 {
		input := make([]float32, b.net.Blob("data").Data.N)
		for i := range input {
			input[i] = float32(random.NormFloat64())
		}
		before, after := b.run(t, input), small.run(t, input)
		if len(before) != len(after) {
			t.Fatalf("%d outputs, before %d\n%s", len(after), len(before), text)
		}
		largest := 1.0 // of the outputs: sums of many terms are rounded
		for _, v := range before {
			largest = max(largest, math.Abs(float64(v)))
		}
		for i := range before {
			worst = max(worst, math.Abs(float64(before[i]-after[i]))/largest)
		}
	}
	return r, worst
}

// weights are random ones of a net; zero says which entries of the first parameter of a layer are pruned.
func weights(n *model.Net, random *rand.Rand, zero func(layer string, o, i int) bool) *caffepb.NetParameter {
	out := &caffepb.NetParameter{}
	for _, l := range n.Layers() {
		if len(l.Params) == 0 {
			continue
		}
		stored := &caffepb.LayerParameter{Name: &l.Name, Type: &l.Type}
		for k, shape := range l.Params {
			size := 1
			for _, d := range shape {
				size *= d
			}
			v := make([]float32, size)
			for i := range v {
				v[i] = float32(random.NormFloat64())
				if l.Type == "BatchNorm" {
					v[i] = float32(0.5 + random.Float64())
				}
			}
			if k == 0 && len(shape) > 1 {
				inputs, within := shape[1], size/(shape[0]*shape[1])
				for i := range v {
					if zero(l.Name, i/(inputs*within), i/within%inputs) {
						v[i] = 0
					}
				}
			}
			stored.Blobs = append(stored.Blobs, caffe.NewBlob(shape, v))
		}
		out.Layer = append(out.Layer, stored)
	}
	return out
}

// What goes and what stays, by the kind of layer that is between.
func TestWhatGoes(t *testing.T) {
	const head = `layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
`
	conv := func(name, bottom, top, more string) string {
		return fmt.Sprintf("layer { name: %q type: \"Convolution\" bottom: %q top: %q convolution_param { %s } }\n",
			name, bottom, top, more)
	}
	const out = `layer { name: "ip" type: "InnerProduct" bottom: "last" top: "out"
		inner_product_param { num_output: 4 } }
`
	a := conv("a", "data", "a", "num_output: 6 kernel_size: 3")
	// Outputs 1 and 3 of layer a have no weights.
	dead := func(layer string, o, _ int) bool { return layer == "a" && (o == 1 || o == 3) }
	for _, c := range []struct {
		name, text string
		zero       func(layer string, o, i int) bool
		left       map[string]int // outputs
		kept       string
	}{
		{"a constant goes into an inner product", strings.Replace(a, `top: "a"`, `top: "last"`, 1), dead,
			map[string]int{"a": 4}, ""},
		{"through ReLU and pooling into a convolution without padding", a + `
			layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
			layer { name: "p" type: "Pooling" bottom: "a" top: "p"
				pooling_param { pool: MAX kernel_size: 2 stride: 2 pad: 1 } }` +
			conv("b", "p", "last", "num_output: 5 kernel_size: 2"), dead, map[string]int{"a": 4, "b": 5}, ""},
		{"not into one with padding", a + conv("b", "a", "last", "num_output: 5 kernel_size: 3 pad: 1"), dead,
			map[string]int{"a": 6, "b": 5},
			"a: 2 constant outputs stay: read by b, whose padding is 0 and not the constant"},
		{"a constant 0 does", conv("a", "data", "a", "num_output: 6 kernel_size: 3 bias_term: false") +
			conv("b", "a", "last", "num_output: 5 kernel_size: 3 pad: 1"), dead, map[string]int{"a": 4, "b": 5}, ""},
		{"what nobody reads goes", a + conv("b", "a", "last", "num_output: 5 kernel_size: 3 pad: 1"),
			func(layer string, _, i int) bool { return layer == "b" && i < 2 }, map[string]int{"a": 4, "b": 5}, ""},
		{"through two layers", a + conv("b", "a", "b", "num_output: 5 kernel_size: 1") + conv("c", "b", "last",
			"num_output: 3 kernel_size: 1"),
			func(layer string, o, i int) bool { return layer == "c" && i != 2 || layer == "b" && i == 4 && o == 2 },
			map[string]int{"a": 5, "b": 1, "c": 3}, ""},
		{"coupled channels go together or not at all", a + conv("b", "data", "b", "num_output: 6 kernel_size: 3") + `
			layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "last" }`,
			func(layer string, o, _ int) bool { return o == 1 || layer == "a" && o == 3 },
			map[string]int{"a": 5, "b": 5},
			"a: 1 constant outputs stay: it meets, channel by channel, one that is not constant"},
		{"through a concatenation", a + conv("b", "data", "b", "num_output: 2 kernel_size: 3") + `
			layer { name: "cat" type: "Concat" bottom: "a" bottom: "b" top: "last" }`,
			func(layer string, o, _ int) bool { return layer != "ip" && o == 1 }, map[string]int{"a": 5, "b": 1}, ""},
		{"through a slice", a + `
			layer { name: "cut" type: "Slice" bottom: "a" top: "x" top: "y" slice_param { slice_point: 2 } }
			layer { name: "cat" type: "Concat" bottom: "y" bottom: "x" top: "last" }`,
			dead, map[string]int{"a": 4}, ""},
		{"through normalization", a + `
			layer { name: "n" type: "BatchNorm" bottom: "a" top: "a" }
			layer { name: "s" type: "Scale" bottom: "a" top: "a" scale_param { bias_term: true } }
			layer { name: "p" type: "PReLU" bottom: "a" top: "last" }`, dead, map[string]int{"a": 4}, ""},
		{"with its filter of a depthwise convolution", a +
			conv("d", "a", "last", "num_output: 6 group: 6 kernel_size: 3"), dead, map[string]int{"a": 4}, ""},
		{"not across channels", a + `layer { name: "l" type: "LRN" bottom: "a" top: "last" }`, dead,
			map[string]int{"a": 6}, "a: 2 constant outputs stay: read by l (LRN): it normalizes across channels"},
		{"one of each group", a + conv("g", "a", "last", "num_output: 4 group: 2 kernel_size: 3"), dead,
			map[string]int{"a": 4, "g": 4}, ""},
		{"not of one group alone", a + conv("g", "a", "last", "num_output: 4 group: 2 kernel_size: 3"),
			func(layer string, o, _ int) bool { return layer == "a" && (o == 1 || o == 2) }, map[string]int{"a": 6},
			"a: 2 constant outputs stay: the groups of g must be alike"},
		{"an output of the net stays", strings.Replace(a, `top: "a"`, `top: "last"`, 1),
			func(layer string, o, _ int) bool { return layer == "ip" && o > 2 }, map[string]int{"a": 6, "ip": 4},
			"ip: 1 constant outputs stay: an output of the net"},
		{"the last of a blob stays", strings.Replace(a, `top: "a"`, `top: "last"`, 1),
			func(layer string, _, _ int) bool { return layer == "a" }, map[string]int{"a": 1},
			"a: 1 constant outputs stay: the last of a blob"},
		{"unread inputs are picked", `layer { name: "p" type: "InnerProduct" bottom: "data" top: "last" ` +
			`inner_product_param { num_output: 6 } }`,
			func(layer string, _, i int) bool { return layer == "p" && i%7 < 3 },
			map[string]int{"p": 6, "p inputs": 108}, ""},
		{"but not for a few", `layer { name: "p" type: "InnerProduct" bottom: "data" top: "last" ` +
			`inner_product_param { num_output: 6 transpose: true } }`,
			func(layer string, i, _ int) bool { return layer == "p" && i < 8 }, map[string]int{"p": 6, "p inputs": 3},
			""},
		{"also of transposed weights", `layer { name: "p" type: "InnerProduct" bottom: "data" top: "last" ` +
			`inner_product_param { num_output: 6 transpose: true } }`,
			func(layer string, i, _ int) bool { return layer == "p" && i < 80 },
			map[string]int{"p": 6, "p inputs": 112}, ""},
		{"under names that are free", `layer { name: "p_inputs" type: "InnerProduct" bottom: "data"
			top: "p_inputs_1" inner_product_param { num_output: 2 } }
			layer { name: "p" type: "InnerProduct" bottom: "data" top: "p" inner_product_param { num_output: 6 } }
			layer { name: "cat" type: "Concat" bottom: "p_inputs_1" bottom: "p" top: "last" }`,
			func(layer string, _, i int) bool { return layer == "p" && i%7 < 3 },
			map[string]int{"p": 6, "p inputs": 108, "p_inputs": 2}, ""},
		{"not where the statistics of a batch normalize", a + `
			layer { name: "n" type: "BatchNorm" bottom: "a" top: "last" batch_norm_param { use_global_stats: false } }`,
			dead, map[string]int{"a": 6},
			"a: 2 constant outputs stay: read by n (BatchNorm): it normalizes by the statistics of each batch"},
		{"what a padded average loses", a + `layer { name: "p" type: "Pooling" bottom: "a" top: "last"
			pooling_param { pool: AVE kernel_size: 3 pad: 1 } }`, dead, map[string]int{"a": 6},
			"a: 2 constant outputs stay: lost in p (Pooling)"},
		{"through functions", a + `layer { name: "e" type: "ELU" bottom: "a" top: "a" elu_param { alpha: 0.7 } }
			layer { name: "b" type: "BNLL" bottom: "a" top: "a" }
			layer { name: "p" type: "Power" bottom: "a" top: "a" power_param { power: 2 scale: 0.5 shift: 0.2 } }
			layer { name: "w" type: "Swish" bottom: "a" top: "a" swish_param { beta: 0.8 } }
			layer { name: "l" type: "Log" bottom: "a" top: "a" log_param { base: 3 scale: 0.5 shift: 2 } }
			layer { name: "x" type: "Exp" bottom: "a" top: "a" exp_param { base: 2 scale: 0.5 shift: 0.1 } }
			layer { name: "c" type: "Clip" bottom: "a" top: "a" clip_param { min: -1 max: 2 } }
			layer { name: "m" type: "AbsVal" bottom: "a" top: "last" }`, dead, map[string]int{"a": 4}, ""},
		{"what a step loses", a + `layer { name: "e" type: "Threshold" bottom: "a" top: "last" }`, dead,
			map[string]int{"a": 6}, "a: 2 constant outputs stay: lost in e (Threshold)"},
		{"what a Scale loses after a Flatten", a + `layer { name: "f" type: "Flatten" bottom: "a" top: "f" }
			layer { name: "s" type: "Scale" bottom: "f" top: "last" }`, dead,
			map[string]int{"a": 6}, "a: 2 constant outputs stay: lost in s (Scale)"},
		{"after a Flatten", a + `layer { name: "f" type: "Flatten" bottom: "a" top: "last" }`, dead,
			map[string]int{"a": 4}, ""},
		{"after a Reshape that keeps channels", a + `layer { name: "f" type: "Reshape" bottom: "a" top: "last" ` +
			`reshape_param { shape { dim: -1 dim: 6 dim: 36 } } }`, dead, map[string]int{"a": 4}, ""},
		{"after a Reshape to ones", a + `layer { name: "f" type: "Reshape" bottom: "a" top: "last" ` +
			`reshape_param { shape { dim: 0 dim: 216 dim: 1 dim: 1 } } }`, dead, map[string]int{"a": 4}, ""},
		{"not where a Reshape joins channels", a + `layer { name: "f" type: "Reshape" bottom: "a" top: "last" ` +
			`reshape_param { shape { dim: 0 dim: 3 dim: 2 dim: -1 } } }`, dead, map[string]int{"a": 6},
			"a: 2 constant outputs stay: read by f (Reshape): it takes channels apart, or puts them together"},
		{"axes that are counted from the last", a + `
			layer { name: "cat" type: "Concat" bottom: "a" bottom: "a" top: "c" concat_param { axis: -3 } }
			layer { name: "f" type: "Flatten" bottom: "c" top: "last" flatten_param { axis: -3 end_axis: 3 } }`, dead,
			map[string]int{"a": 4}, ""},
		{"a product with 0 is 0", strings.Replace(a, "num", "bias_term: false num", 1) +
			conv("b", "data", "b", "num_output: 6 kernel_size: 3") + `
			layer { name: "x" type: "Eltwise" bottom: "a" bottom: "b" top: "last" eltwise_param { operation: PROD } }`,
			dead, map[string]int{"a": 4, "b": 4}, ""},
		{"through a deconvolution where it is 0", strings.Replace(a, "num", "bias_term: false num", 1) +
			strings.Replace(conv("d", "a", "last", "num_output: 3 kernel_size: 2 stride: 2"), "Conv", "Deconv", 1),
			dead, map[string]int{"a": 4, "d": 3}, ""},
		{"not where it is not", a +
			strings.Replace(conv("d", "a", "last", "num_output: 6 group: 6 kernel_size: 2"), "Conv", "Deconv", 1), dead,
			map[string]int{"a": 6}, "a: 2 constant outputs stay: read by d, which spreads it unevenly"},
		{"after a Reshape", a + `layer { name: "f" type: "Reshape" bottom: "a" top: "last" ` +
			`reshape_param { shape { dim: 0 dim: -1 } } }`, dead, map[string]int{"a": 4}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := build(t, head+c.text+out)
			defer b.close()
			r, worst := shrunk(t, b, weights(b.net, rand.New(rand.NewPCG(3, 4)), c.zero))
			if worst > 1e-5 {
				t.Errorf("outputs differ by %g", worst)
			}
			for _, l := range r.Layers {
				if want, ok := c.left[l.Name+" inputs"]; ok && l.InputsLeft != want {
					t.Errorf("%s reads %d inputs, wanted %d", l.Name, l.InputsLeft, want)
				}
				if want, ok := c.left[l.Name]; ok && l.OutputsLeft != want {
					t.Errorf("%s has %d outputs, wanted %d", l.Name, l.OutputsLeft, want)
				}
			}
			if kept := strings.Join(r.Kept, "; "); !strings.HasPrefix(kept, c.kept) || c.kept == "" && kept != "" {
				t.Errorf("kept: %s, wanted %s", kept, c.kept)
			}
		})
	}
}

// The smaller net is one for both phases: what layers of the other read stays, and their weights.
func TestOtherPhase(t *testing.T) {
	const text = `layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "a" type: "Convolution" bottom: "data" top: "a" convolution_param { num_output: 6 kernel_size: 3 } }
layer { name: "drop" type: "Dropout" bottom: "a" top: "a" include { phase: TRAIN } }
layer { name: "b" type: "Convolution" bottom: "a" top: "b" include { phase: TRAIN }
	convolution_param { num_output: 6 kernel_size: 3 } param { lr_mult: 2 } }
layer { name: "b" type: "Convolution" bottom: "a" top: "b" include { phase: TEST }
	convolution_param { num_output: 6 kernel_size: 3 } }
layer { name: "cut" type: "Slice" bottom: "b" top: "p" top: "q" include { phase: TRAIN }
	slice_param { slice_point: 5 } }
layer { name: "aux" type: "InnerProduct" bottom: "p" top: "aux" include { phase: TRAIN }
	inner_product_param { num_output: 4 } }
layer { name: "out" type: "InnerProduct" bottom: "b" top: "out" inner_product_param { num_output: 4 } }
`
	b := build(t, text)
	defer b.close()
	w := weights(b.net, rand.New(rand.NewPCG(3, 4)), func(l string, o, _ int) bool { return l != "out" && o < 4 })
	aux, typ := "aux", "InnerProduct"
	w.Layer = append(w.Layer, &caffepb.LayerParameter{Name: &aux, Type: &typ,
		Blobs: []*caffepb.BlobProto{caffe.NewBlob([]int{4, 80}, make([]float32, 320)), caffe.NewBlob([]int{4},
			[]float32{1, 2, 3, 4})}})
	r, worst := shrunk(t, b, w)
	if worst > 1e-5 {
		t.Errorf("outputs differ by %g", worst)
	}
	if l := r.Layers[0]; l.OutputsLeft != 2 {
		t.Errorf("a has %d outputs, wanted 2: only a Dropout reads it in the other phase", l.OutputsLeft)
	}
	if got := strings.Join(r.Kept, "; "); got != "b: 4 constant outputs stay: read by cut in the other phase" {
		t.Errorf("kept: %s", got)
	}
	f, err := caffe.ParseNetPrototxt("small", []byte(caffe.FormatPrototxt(r.Net)))
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	state := &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}
	train, err := model.NewNet(f, model.NetOptions{Device: d, State: state, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer train.Close()
	if _, err := train.LoadWeights("small", r.Weights, model.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, l := range train.Weights().Layer {
		if l.GetName() == "aux" && caffe.Values(l.Blobs[1])[3] != 4 {
			t.Errorf("aux has the bias %v", caffe.Values(l.Blobs[1]))
		}
	}
}

// More blobs than a layer has are an error, as they are where weights are loaded.
func TestBlobsTooMany(t *testing.T) {
	b := build(t, `
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 4 dim: 8 dim: 8 } } }
layer { name: "out" type: "Convolution" bottom: "data" top: "out"
	convolution_param { num_output: 6 group: 2 kernel_size: 3 bias_term: false } }
`)
	defer b.close()
	w := weights(b.net, rand.New(rand.NewPCG(3, 4)), func(string, int, int) bool { return false })
	w.Layer[0].Blobs = append(w.Layer[0].Blobs, caffe.NewBlob([]int{6}, make([]float32, 6)))
	_, err := shrink.Shrink(b.file, b.net, w)
	if err == nil || !strings.Contains(err.Error(), `layer "out" has 2 blobs of weights, wanted 1`) {
		t.Error(err)
	}
}
