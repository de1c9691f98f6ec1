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
	"dns-tui/gpu"
)

// randomNet draws a net of layers of all kinds, one after the other.
type randomNet struct {
	*rapid.T
	text     strings.Builder
	n        int    // names so far
	blob     string // what the next layer reads
	channels int    // of it
	size     int    // its height and width, at least
}

func (r *randomNet) name() string { r.n++; return fmt.Sprint("b", r.n) }

func (r *randomNet) int(from, to int, what string) int {
	return rapid.IntRange(from, to).Draw(r.T, what)
}

func (r *randomNet) flip(what string) bool { return rapid.Bool().Draw(r.T, what) }

func (r *randomNet) one(what string, of ...string) string {
	return rapid.SampledFrom(of).Draw(r.T, what)
}

// layer adds one, with a top of its own.
func (r *randomNet) layer(typ, more string, bottoms ...string) (top string) {
	top = r.name()
	fmt.Fprintf(&r.text, "layer { name: %q type: %q top: %q %s", "l"+top, typ, top, more)
	for _, b := range bottoms {
		fmt.Fprintf(&r.text, " bottom: %q", b)
	}
	r.text.WriteString(" }\n")
	return top
}

// inPlace adds a layer that works in place.
func (r *randomNet) inPlace(typ, more, blob string) {
	fmt.Fprintf(&r.text, "layer { name: %q type: %q bottom: %q top: %q %s }\n", "l"+r.name(), typ, blob, blob, more)
}

// conv adds a convolution; more are fields of the layer.
func (r *randomNet) conv(bottom string, outputs, kernel, pad, group int, bias bool, more string) string {
	return r.layer("Convolution", fmt.Sprintf("convolution_param { num_output: %d kernel_size: %d pad: %d group: %d "+
		"bias_term: %t } %s", outputs, kernel, pad, group, bias, more), bottom)
}

// kernel draws a window that fits, and what is left of the plane behind it.
func (r *randomNet) kernel() (kernel, pad, size int) {
	kernel = []int{1, 3}[r.int(0, 1, "kernel")]
	pad = r.int(0, kernel/2, "pad")
	if size = r.size + 2*pad - kernel + 1; size < 2 {
		return 1, 0, r.size
	}
	return kernel, pad, size
}

func (r *randomNet) lrn(blob string) string {
	return r.layer("LRN", fmt.Sprintf(
		"lrn_param { norm_region: %s local_size: %s alpha: 2 }",
		r.one(
			"region",
			"ACROSS_CHANNELS",
			"ACROSS_CHANNELS",
			"WITHIN_CHANNEL",
		),
		r.one("local", "1", "3", "5", "5"),
	), blob)
}

// groups makes as many channels as groups want, and a convolution in groups.
func (r *randomNet) groups() {
	g := r.int(2, 4, "groups")
	if r.channels%g != 0 || r.flip("more") {
		r.channels = g * r.int(1, 4, "inputs of a group")
		r.blob = r.conv(r.blob, r.channels, 1, 0, 1, r.flip("bias"), "")
		r.inPlace("ReLU", "", r.blob)
		if r.flip("lrn") {
			r.blob = r.lrn(r.blob)
		}
	}
	k, pad, size := r.kernel()
	r.channels, r.size = g*r.int(1, 3, "outputs of a group"), size
	r.blob = r.conv(r.blob, r.channels, k, pad, g, r.flip("bias"), "")
	if r.flip("relu") {
		r.inPlace("ReLU", "", r.blob)
	}
}

// twins makes two branches, of one blob or of two, with the same weights in each layer.
func (r *randomNet) twins() {
	n := r.name()
	x, y := r.blob, r.blob
	if r.flip("apart") {
		y = r.conv(x, r.channels, 1, 0, 1, true, "")
		r.inPlace("ReLU", "", y)
	}
	for i := range r.int(1, 2, "layers of a twin") {
		k, pad, size := r.kernel()
		outputs, group := r.int(1, 6, "outputs"), 1
		if r.channels%2 == 0 && outputs%2 == 0 && r.flip("group") {
			group = 2
		}
		more := fmt.Sprintf("param { name: \"w%s%d\" }", n, i)
		if r.flip("shared bias") {
			more += fmt.Sprintf(" param { name: \"b%s%d\" }", n, i)
		}
		x = r.conv(x, outputs, k, pad, group, r.flip("bias"), more)
		y = r.conv(y, outputs, k, pad, group, r.flip("bias"), more)
		r.channels, r.size = outputs, size
		switch r.one("then", "ReLU", "PReLU", "Scale", "BatchNorm", "LRN") {
		case "ReLU":
			r.inPlace("ReLU", "", x)
			r.inPlace("ReLU", "", y)
		case "PReLU":
			more := fmt.Sprintf("param { name: \"s%s%d\" }", n, i)
			r.inPlace("PReLU", more, x)
			r.inPlace("PReLU", more, y)
		case "Scale":
			more := fmt.Sprintf("param { name: \"s%s%d\" } scale_param { bias_term: true }", n, i)
			r.inPlace("Scale", more, x)
			r.inPlace("Scale", more, y)
		case "BatchNorm":
			more := fmt.Sprintf("param { name: \"m%[1]s%[2]d\" } param { name: \"v%[1]s%[2]d\" }", n, i)
			r.inPlace("BatchNorm", more, x)
			r.inPlace("BatchNorm", more, y)
		case "LRN":
			x, y = r.lrn(x), r.lrn(y)
		}
	}
	r.meet(x, y)
}

// meet brings two blobs of the same shape together.
func (r *randomNet) meet(x, y string) {
	how := r.one("meet", "SUM", "PROD", "MAX", "Concat")
	if how == "Concat" {
		r.channels *= 2
		r.blob = r.layer("Concat", "", x, y)
		return
	}
	r.blob = r.layer("Eltwise", "eltwise_param { operation: "+how+" }", x, y)
}

func (r *randomNet) cut() {
	if r.channels < 2 {
		return
	}
	x, y := r.name(), r.name()
	fmt.Fprintf(
		&r.text,
		"layer { name: %q type: \"Slice\" bottom: %q top: %q top: %q slice_param { slice_point: %d } }\n",
		"l"+x,
		r.blob,
		x,
		y,
		r.int(1, r.channels-1, "point"),
	)
	r.blob = r.layer("Concat", "", y, x)
}

func (r *randomNet) pool() {
	if r.size < 4 {
		return
	}
	if r.flip("the stride is longer than the window") { // the last window may be outside
		r.blob = r.layer("Pooling", fmt.Sprintf("pooling_param { pool: %s kernel_size: %d stride: %d }",
			r.one("pool", "MAX", "AVE"), r.int(1, 2, "kernel"), r.int(2, 4, "stride")), r.blob)
		r.size = 1 // at least
		return
	}
	r.blob = r.layer("Pooling", fmt.Sprintf("pooling_param { pool: %s kernel_size: 2 stride: 2 pad: %d }",
		r.one("pool", "MAX", "AVE"), r.int(0, 1, "pad")), r.blob)
	r.size = 3 // at least
}

func (r *randomNet) deconvolution() {
	if r.size > 12 {
		return
	}
	outputs, group := r.int(1, 4, "outputs"), 1
	if r.flip("depth") {
		outputs, group = r.channels*r.int(1, 2, "multiplier"), r.channels
	}
	r.channels = outputs
	r.blob = r.layer("Deconvolution", fmt.Sprintf("convolution_param { num_output: %d group: %d kernel_size: 2 "+
		"bias_term: %t }", outputs, group, r.flip("bias")), r.blob)
	r.size++
}

var functions = []string{
	`"TanH"`, `"ELU"`, `"BNLL"`, `"AbsVal"`, `"Swish"`, `"Clip" clip_param { min: -1 max: 2 }`,
	`"Power" power_param { power: 2 scale: 0.3 shift: 0.5 }`, `"Exp" exp_param { scale: 0.1 }`,
}

// add adds a layer, or a few.
func (r *randomNet) add() {
	switch kind := r.one("layer", "conv", "conv", "relu", "relu", "norm", "pool", "sum", "depth", "cut", "lrn", "lrn",
		"groups", "groups", "prelu", "function", "twins", "twins", "deconvolution"); kind {
	case "conv":
		k, pad, size := r.kernel()
		r.channels, r.size = r.int(1, 12, "outputs"), size
		r.blob = r.conv(r.blob, r.channels, k, pad, 1, r.flip("bias"), "")
	case "relu":
		r.inPlace("ReLU", "", r.blob)
	case "function":
		typ, more, _ := strings.Cut(rapid.SampledFrom(functions).Draw(r.T, "function"), " ")
		r.inPlace(strings.Trim(typ, `"`), more, r.blob)
	case "prelu":
		r.inPlace("PReLU", "", r.blob)
	case "norm":
		r.inPlace("BatchNorm", "", r.blob)
		r.inPlace("Scale", "scale_param { bias_term: true }", r.blob)
	case "lrn":
		r.blob = r.lrn(r.blob)
	case "pool":
		r.pool()
	case "sum":
		x := r.conv(r.blob, r.channels, 1, 0, 1, true, "")
		r.meet(x, r.conv(r.blob, r.channels, 1, 0, 1, r.flip("bias"), ""))
	case "depth":
		group := r.channels
		r.channels *= r.int(1, 2, "multiplier")
		r.blob = r.conv(r.blob, r.channels, 1, 0, group, r.flip("bias"), "")
	case "groups":
		r.groups()
	case "cut":
		r.cut()
	case "twins":
		r.twins()
	case "deconvolution":
		r.deconvolution()
	}
}

// end adds what makes the outputs.
func (r *randomNet) end() {
	switch r.one("end", "", "", "(0, -1)", "(0, C, -1)", "hidden", "tied") {
	case "(0, -1)":
		r.blob = r.layer("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }", r.blob)
	case "(0, C, -1)":
		r.blob = r.layer(
			"Reshape",
			fmt.Sprintf("reshape_param { shape { dim: 0 dim: %d dim: -1 } }", r.channels),
			r.blob,
		)
	case "hidden":
		r.blob = r.layer("InnerProduct", "inner_product_param { num_output: 4 }", r.blob)
	case "tied":
		r.blob = r.layer("InnerProduct", "inner_product_param { num_output: 7 }", r.blob)
		coded := r.layer("InnerProduct", "param { name: \"tied\" } inner_product_param { num_output: 5 }", r.blob)
		r.inPlace("ReLU", "", coded)
		r.blob = r.layer("InnerProduct",
			"param { name: \"tied\" } inner_product_param { num_output: 7 transpose: true }", coded)
	}
	fmt.Fprintf(&r.text, "layer { name: \"last\" type: \"InnerProduct\" bottom: %q top: \"out\" "+
		"inner_product_param { num_output: 3 } }\n", r.blob)
}

func drawNet(t *rapid.T) string {
	r := &randomNet{T: t, blob: "data", channels: rapid.IntRange(1, 3).Draw(t, "channels"), size: 9}
	fmt.Fprintf(&r.text, "layer { name: \"data\" type: \"Input\" top: \"data\" "+
		"input_param { shape { dim: 2 dim: %d dim: 9 dim: 9 } } }\n", r.channels)
	for range r.int(1, 8, "layers") {
		if r.channels <= 24 {
			r.add()
		}
	}
	r.end()
	return r.text.String()
}

// A net that is made smaller computes the same, whatever its layers and wherever its zeros are.
func TestShrinkAnything(t *testing.T) { rapid.Check(t, shrinkAnything) }

// FuzzShrink is TestShrinkAnything on nets that the fuzzer draws.
func FuzzShrink(f *testing.F) { f.Fuzz(rapid.MakeFuzz(shrinkAnything)) }

func shrinkAnything(t *rapid.T) {
	text := drawNet(t)
	b := build(t, text)
	defer b.close()
	random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	rows, columns, entries := random.Float64(), random.Float64(), random.Float64()
	kinds := map[string]bool{}
	zero := func(layer string, o, i int) bool {
		row, column := fmt.Sprint(layer, "o", o), fmt.Sprint(layer, "i", i)
		for _, k := range []struct {
			key  string
			part float64
		}{{row, rows}, {column, columns}} {
			if _, ok := kinds[k.key]; !ok {
				kinds[k.key] = random.Float64() < k.part
			}
		}
		return kinds[row] || kinds[column] || random.Float64() < entries
	}
	w := weights(b.net, random, zero)
	unbias(w, random)
	tame(w)
	if _, worst := shrunk(t, b, w); worst > 1e-5 {
		t.Fatalf("outputs differ by %g\n%s", worst, text)
	}
}

// tame divides weights by the root of how many an output has, so that values stay near 1 through many layers: what is
// rounded in one is not made large by those behind it.
func tame(w *caffepb.NetParameter) {
	for _, l := range w.Layer {
		shape := caffe.Shape(l.Blobs[0])
		if len(shape) < 2 {
			continue
		}
		for i := range l.Blobs[0].Data {
			l.Blobs[0].Data[i] /= float32(math.Sqrt(float64(gpu.Elements(shape[1:]))))
		}
	}
}

// unbias makes some biases 0, all of some layers: what they add to is 0 then where it has no weights.
func unbias(w *caffepb.NetParameter, random *rand.Rand) {
	for _, l := range w.Layer {
		if t := l.GetType(); t == "BatchNorm" || t == "PReLU" || len(l.Blobs) < 2 {
			continue
		}
		part := random.Float64() * 2
		for i := range caffe.Values(l.Blobs[1]) {
			if random.Float64() < part {
				l.Blobs[1].Data[i] = 0
			}
		}
	}
}
