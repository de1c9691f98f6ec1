package shrink_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/model/shrink"
)

// exact is a net with zeros, and exactly which outputs are left of it.
type exact struct {
	name, text string
	// zeros are the entries of weights that are 0: "layer o" of a row, "layer o i" of one input of it.
	zeros []string
	left  map[string]string // of a layer: its outputs, "0 1 4"; shapes of its weights, "w 4x2x3x3"
	kept  []string
}

// numbered gives output o of each layer the bias -(o+1), by which it is known again, and zeros as they are told; ranges
// are "layer 3-5".
func (e exact) weights(t *testing.T, b built) *caffepb.NetParameter {
	t.Helper()
	rows := map[string]bool{}
	for _, z := range e.zeros {
		f := strings.Fields(z)
		from, to := 0, 0
		last := f[len(f)-1]
		if n, _ := fmt.Sscanf(last, "%d-%d", &from, &to); n < 2 {
			to = from
		}
		for i := from; i <= to; i++ {
			rows[strings.Join(append(slices.Clone(f[:len(f)-1]), fmt.Sprint(i)), " ")] = true
		}
	}
	used := map[string]bool{}
	w := weights(b.net, rand.New(rand.NewPCG(3, 4)), func(layer string, o, i int) bool {
		for _, key := range []string{fmt.Sprint(layer, " ", o), fmt.Sprint(layer, " * ", i)} {
			if rows[key] {
				used[key] = true
				return true
			}
		}
		return false
	})
	for key := range rows {
		if !used[key] {
			t.Errorf("no weights %q", key)
		}
	}
	for _, l := range w.Layer {
		if len(l.Blobs) > 1 && l.GetType() != "BatchNorm" {
			for o := range l.Blobs[1].Data {
				l.Blobs[1].Data[o] = -float32(o + 1)
			}
		}
	}
	return w
}

func (e exact) check(t *testing.T) {
	b := build(t, e.text)
	defer b.close()
	r, worst := shrunk(t, b, e.weights(t, b))
	if worst > 1e-5 {
		t.Errorf("outputs differ by %g", worst)
	}
	checked := 0
	for _, l := range r.Weights.Layer {
		if want, ok := e.left[l.GetName()]; ok {
			checked++
			if got := numbers(l); got != want {
				t.Errorf("%s has the outputs %s, wanted %s", l.GetName(), got, want)
			}
		}
		if want, ok := e.left["w "+l.GetName()]; ok {
			checked++
			if got := caffe.FormatShape(caffe.Shape(l.Blobs[0])); got != want {
				t.Errorf("%s has weights of the shape %s, wanted %s", l.GetName(), got, want)
			}
		}
	}
	if checked != len(e.left) {
		t.Errorf("%d of %v were looked at", checked, e.left)
	}
	if !slices.Equal(r.Kept, e.kept) {
		t.Errorf("kept:\n%s\nwanted:\n%s", strings.Join(r.Kept, "\n"), strings.Join(e.kept, "\n"))
	}
	again(t, r)
}

// again shrinks what was shrunk: nothing more goes.
func again(t *testing.T, r *shrink.Result) {
	t.Helper()
	b := build(t, caffe.FormatPrototxt(r.Net))
	defer b.close()
	if twice, worst := shrunk(t, b, r.Weights); twice.After != r.After || worst > 1e-5 {
		t.Errorf("%d parameters, after another time %d; outputs differ by %g", r.After, twice.After, worst)
	}
}

// numbers are the outputs of a layer, by their biases.
func numbers(l *caffepb.LayerParameter) string {
	var out []string
	for _, v := range caffe.Values(l.Blobs[1]) {
		out = append(out, fmt.Sprint(-v-1))
	}
	return strings.Join(out, " ")
}

func layerText(name, typ, bottom, top, more string) string {
	return fmt.Sprintf("layer { name: %q type: %q bottom: %q top: %q %s }\n", name, typ, bottom, top, more)
}

func convText(name, bottom, more string) string {
	return layerText(name, "Convolution", bottom, name, "convolution_param { "+more+" }")
}

func reluText(blob string) string { return layerText(blob+"_relu", "ReLU", blob, blob, "") }

const images = `layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
`

// ip is an inner product that makes the outputs.
func ip(bottom string) string {
	return layerText("ip", "InnerProduct", bottom, "out", "inner_product_param { num_output: 4 }")
}

// Channels of 0 go where that brings none nearer to another that it did not see: a row of 12, of which some are 0.
func TestShrinkLRN(t *testing.T) {
	net := func(size int) string {
		return images + convText("a", "data", "num_output: 12 kernel_size: 3") + reluText("a") +
			layerText("n", "LRN", "a", "last", fmt.Sprintf("lrn_param { local_size: %d alpha: 2 }", size)) + ip("last")
	}
	apart := func(n int) []string {
		return []string{fmt.Sprintf("a: %d constant outputs stay: it keeps channels apart in n (LRN)", n)}
	}
	for _, c := range []struct {
		name  string
		size  int
		zeros []string
		left  string
		kept  []string
	}{
		{"a run at the beginning", 5, []string{"a 0-3"}, "4 5 6 7 8 9 10 11", nil},
		{"a run at the end", 5, []string{"a 9-11"}, "0 1 2 3 4 5 6 7 8", nil},
		{"a long run", 5, []string{"a 3-7"}, "0 1 2 6 7 8 9 10 11", apart(2)},
		{"a run of h", 5, []string{"a 3-4"}, "0 1 2 3 4 5 6 7 8 9 10 11", apart(2)},
		{"a run of one", 5, []string{"a 3"}, "0 1 2 3 4 5 6 7 8 9 10 11", apart(1)},
		{"a run of one, which one alone sees across", 5, []string{"a 1", "a 3-11"}, "0 2", nil},
		{"two runs that together hold apart", 5, []string{"a 1-3", "a 5-7", "a 9-11"}, "0 2 3 4 6 7 8", apart(4)},
		{"a run of one, local_size 3", 3, []string{"a 3"}, "0 1 2 3 4 5 6 7 8 9 10 11", apart(1)},
		{"a long run, local_size 3", 3, []string{"a 3-7"}, "0 1 2 7 8 9 10 11", apart(1)},
		{"local_size 1", 1, []string{"a 3-7"}, "0 1 2 8 9 10 11", nil},
		{"all but one", 5, []string{"a 0-6", "a 8-11"}, "7", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			exact{text: net(c.size), zeros: c.zeros, left: map[string]string{"a": c.left},
				kept: c.kept}.check(t)
		})
	}
	for _, c := range []exact{
		{name: "a constant that is not 0 stays, and what nobody reads in a sum", text: strings.Replace(net(5),
			reluText("a"), "", 1), zeros: []string{"a 4", "ip * 0-35"},
			left: map[string]string{"a": "0 1 2 3 4 5 6 7 8 9 10 11"},
			kept: []string{"a: 1 unread outputs stay: it is in the sums of others in n (LRN)",
				"a: 1 constant outputs stay: read by n (LRN): it normalizes across channels, " +
					"and the constant is not 0"}},
		{name: "within channels", text: strings.Replace(net(3), "alpha", "norm_region: WITHIN_CHANNEL alpha", 1),
			zeros: []string{"a 3-7"},
			left:  map[string]string{"a": "0 1 2 8 9 10 11"}},
		{name: "what divides by 0 is not touched", text: strings.Replace(net(3), "alpha", "k: 0 alpha", 1),
			zeros: []string{"a 3-7"},
			left:  map[string]string{"a": "0 1 2 3 4 5 6 7 8 9 10 11"},
			kept:  []string{"a: 5 constant outputs stay: read by n (LRN): it divides by 0 what is 0"}},
		{name: "two in a row", text: images + convText("a", "data", "num_output: 8 kernel_size: 3") + reluText("a") +
			layerText("n", "LRN", "a", "n", "lrn_param { local_size: 3 alpha: 2 }") +
			layerText("m", "LRN", "n", "last", "lrn_param { local_size: 5 alpha: 2 }") + ip("last"),
			zeros: []string{"a 2-5"},
			left:  map[string]string{"a": "0 1 4 5 6 7"},
			kept: []string{"a: 1 constant outputs stay: it keeps channels apart in m (LRN)",
				"a: 1 constant outputs stay: it keeps channels apart in n (LRN)"}},
		{name: "of coupled branches", text: images + convText("a", "data", "num_output: 8 kernel_size: 3") +
			convText("b", "data", "num_output: 8 kernel_size: 3") +
			`layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
` + reluText("sum") + layerText("n", "LRN", "sum", "last", "lrn_param { local_size: 3 alpha: 2 }") + ip("last"),
			zeros: []string{"a 2-5", "b 1-4"},
			left:  map[string]string{"a": "0 1 4 5 6 7", "b": "0 1 4 5 6 7"},
			kept: []string{"a: 1 constant outputs stay: it keeps channels apart in n (LRN)",
				"a: 1 constant outputs stay: it meets, channel by channel, one that is not constant",
				"b: 1 constant outputs stay: it meets, channel by channel, one that is not constant",
				"b: 1 constant outputs stay: it keeps channels apart in n (LRN)"}},
	} {
		t.Run(c.name, c.check)
	}
}

// Groups lose as many channels each, or whole.
func TestShrinkGroups(t *testing.T) {
	const alike = "constant outputs stay: the groups of b must be alike"
	net := func(inputs int, b string) string {
		return images + convText("a", "data", fmt.Sprintf("num_output: %d kernel_size: 3", inputs)) + reluText("a") +
			convText("b", "a", b) + reluText("b") + ip("b")
	}
	for _, c := range []exact{
		{name: "inputs", text: net(8, "num_output: 4 group: 2 kernel_size: 3 pad: 1"),
			zeros: []string{"a 0-2", "a 5-6"},
			left:  map[string]string{"a": "2 3 4 7", "b": "0 1 2 3", "w b": "4x2x3x3"},
			kept:  []string{"a: 1 " + alike}},
		{name: "outputs", text: net(4, "num_output: 8 group: 2 kernel_size: 1"), zeros: []string{"b 1-2", "b 4"},
			left: map[string]string{"a": "0 1 2 3", "b": "0 2 3 5 6 7", "w b": "6x2x1x1"},
			kept: []string{"b: 1 " + alike}},
		{name: "a whole group with its inputs", text: net(6, "num_output: 6 group: 3 kernel_size: 1"),
			zeros: []string{"b 2-3"},
			left:  map[string]string{"a": "0 1 4 5", "b": "0 1 4 5", "w b": "4x2x1x1"}},
		{name: "all groups but one", text: net(6, "num_output: 6 group: 3 kernel_size: 1"),
			zeros: []string{"b 0-1", "b 4-5"},
			left:  map[string]string{"a": "2 3", "b": "2 3", "w b": "2x2x1x1"}},
		{name: "a group whose inputs another layer reads stays", text: images +
			convText("a", "data", "num_output: 4 kernel_size: 3") + reluText("a") +
			convText("b", "a", "num_output: 4 group: 2 kernel_size: 1") + reluText("b") +
			`layer { name: "cat" type: "Concat" bottom: "a" bottom: "b" top: "last" }
` + ip("last"), zeros: []string{"b 2-3"},
			left: map[string]string{"a": "0 1 2 3", "b": "0 1 2 3"},
			kept: []string{"b: 2 " + alike}},
		{name: "a channel multiplier", text: net(4, "num_output: 8 group: 4 kernel_size: 3"),
			zeros: []string{"b 0-1", "b 2", "b 5"},
			left:  map[string]string{"a": "1 2 3", "b": "2 3 4 5 6 7", "w b": "6x1x3x3"},
			kept:  []string{"b: 2 " + alike}},
		{name: "a channel multiplier, one of each", text: net(3, "num_output: 6 group: 3 kernel_size: 3"),
			zeros: []string{"b 0", "b 3", "b 5"},
			left:  map[string]string{"a": "0 1 2", "b": "1 2 4", "w b": "3x1x3x3"}},
		{name: "depthwise", text: net(4, "num_output: 4 group: 4 kernel_size: 3"), zeros: []string{"a 1", "b 2"},
			left: map[string]string{"a": "0 3", "b": "0 3", "w b": "2x1x3x3"}},
		{name: "unread outputs stay with those of their group", text: images +
			convText("a", "data", "num_output: 4 kernel_size: 3") + reluText("a") +
			convText("b", "a", "num_output: 4 group: 2 kernel_size: 1") + reluText("b") +
			convText("c", "b", "num_output: 5 kernel_size: 1") + reluText("c") + ip("c"),
			zeros: []string{"c * 0"},
			left:  map[string]string{"b": "0 1 2 3", "c": "0 1 2 3 4"},
			kept:  []string{"b: 1 unread outputs stay: the groups of b must be alike"}},
		{name: "groups of one kind behind groups of another", text: images +
			convText("a", "data", "num_output: 8 kernel_size: 3") + reluText("a") +
			convText("b", "a", "num_output: 8 group: 2 kernel_size: 1") + reluText("b") +
			convText("c", "b", "num_output: 8 group: 4 kernel_size: 1") + reluText("c") +
			ip("c"),
			zeros: []string{"c * 0"},
			left:  map[string]string{"a": "0 1 2 3 4 5 6 7", "b": "1 3 5 7", "c": "0 1 2 3 4 5 6 7"}},
		{name: "ResNeXt", text: images + convText("x", "data", "num_output: 4 kernel_size: 1") + reluText("x") +
			convText("a", "x", "num_output: 12 kernel_size: 1") + reluText("a") +
			convText("b", "a", "num_output: 12 group: 4 kernel_size: 3 pad: 1") + reluText("b") +
			convText("c", "b", "num_output: 4 kernel_size: 1") +
			`layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "c" top: "last" }
` + reluText("last") + ip("last"), zeros: []string{"b 3-5", "b 0", "b 7", "b 11", "a 1", "a 8", "a 9", "a 3"},
			left: map[string]string{"a": "0 2 6 7 10 11", "b": "1 2 6 8 9 10", "w b": "6x2x3x3", "w c": "4x6x1x1"}},
	} {
		t.Run(c.name, c.check)
	}
}

// The first layers of AlexNet: conv2 has two groups, and LRN stands before and behind it.
func TestShrinkAlexNet(t *testing.T) {
	lrn := func(name, bottom string) string {
		return layerText(name, "LRN", bottom, name, "lrn_param { local_size: 5 alpha: 2 }")
	}
	text := images + convText("conv1", "data", "num_output: 16 kernel_size: 3") + reluText("conv1") +
		lrn("norm1", "conv1") +
		layerText("pool1", "Pooling", "norm1", "pool1", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }") +
		convText("conv2", "pool1", "num_output: 12 kernel_size: 3 pad: 1 group: 2") + reluText("conv2") +
		lrn("norm2", "conv2") + convText("conv3", "norm2", "num_output: 6 kernel_size: 3 pad: 1") + reluText("conv3") +
		ip("conv3")
	exact{
		text: text,
		// Of conv1 0 and 1 stand at the end and go; of 9-13 two hold 8 from 14. That leaves 6 of group 0 (0-7), and 5
		// of group 1, of which 11 stays, too. Of conv2 two of 1-4 hold 0 from 5, which leaves 4 of each group.
		zeros: []string{"conv1 0-1", "conv1 9-13", "conv2 1-4", "conv2 10-11", "conv3 2"},
		left: map[string]string{"conv1": "2 3 4 5 6 7 8 11 12 13 14 15", "w conv2": "8x6x3x3",
			"conv2": "0 3 4 5 6 7 8 9", "conv3": "0 1 3 4 5"},
		kept: []string{"conv1: 1 constant outputs stay: the groups of conv2 must be alike",
			"conv1: 2 constant outputs stay: it keeps channels apart in norm1 (LRN)",
			"conv2: 2 constant outputs stay: it keeps channels apart in norm2 (LRN)"},
	}.check(t)
}

// Layers that share weights lose the same rows and columns of them.
func TestShrinkShared(t *testing.T) {
	w := func(names ...string) string {
		var s string
		for _, n := range names {
			s += fmt.Sprintf("param { name: %q } ", n)
		}
		return s
	}
	branch := func(suffix, bottom, more1, more2 string) string {
		c1 := layerText("c1"+suffix, "Convolution", bottom, "c1"+suffix,
			"convolution_param { num_output: 6 kernel_size: 3 } "+more1)
		p := layerText("p1"+suffix, "Pooling", "c1"+suffix, "p1"+suffix,
			"pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
		return c1 + p + layerText("c2"+suffix, "Convolution", "p1"+suffix, "c2"+suffix,
			"convolution_param { num_output: 5 kernel_size: 2 } "+more2)
	}
	cat := func(a, b string) string {
		return fmt.Sprintf("layer { name: \"cat\" type: \"Concat\" bottom: %q bottom: %q top: \"last\" }\n", a, b)
	}
	own := func(name, bottom, more string) string {
		return layerText(name, "Convolution", bottom, name, "convolution_param { num_output: 5 kernel_size: 3 } "+more)
	}
	twin := func(name, bottom, more string) string {
		return layerText(name, "Convolution", bottom, name, "convolution_param { num_output: 4 kernel_size: 1 } "+more)
	}
	siamese := images + branch("", "data", w("w1", "b1"), w("w2", "b2")) +
		branch("_p", "data", w("w1", "b1"), w("w2", "b2")) + cat("c2", "c2_p") + ip("last")
	both := func(s ...string) (out []string) {
		for _, x := range s {
			out = append(out, x, strings.Replace(x, " ", "_p ", 1))
		}
		return out
	}
	for _, c := range []exact{
		{name: "siamese", text: siamese, zeros: both("c1 1", "c1 4", "c2 2"), left: map[string]string{
			"c1": "0 2 3 5", "c1_p": "0 2 3 5", "w c2": "4x4x2x2", "w c2_p": "4x4x2x2", "w ip": "4x32"}},
		{name: "unread in both", text: siamese, zeros: both("c2 * 3"), left: map[string]string{
			"c1": "0 1 2 4 5", "c1_p": "0 1 2 4 5", "w c2": "5x5x2x2"}},
		{name: "biases of their own", text: images + own("x", "data", "") + own("y", "data", "") +
			twin("a", "x", w("w")) +
			twin("b", "y", w("w")) + cat("a", "b") + ip("last"),
			zeros: []string{"x 1-2", "y 1", "y 4"},
			left: map[string]string{"x": "0 2 3 4", "y": "0 2 3 4",
				"w a": "4x4x1x1", "w b": "4x4x1x1"},
			kept: []string{"x: 1 constant outputs stay: a and b share weights, and one needs it",
				"y: 1 constant outputs stay: a and b share weights, and one needs it"}},
		{name: "one bias, and one constant", text: images + own("x", "data", "") + own("y", "data", "") +
			twin("a", "x", w("w", "v")) + twin("b", "y", w("w", "v")) + cat("a", "b") + ip("last"),
			zeros: []string{"x 1", "y 1"},
			left:  map[string]string{"x": "0 2 3 4", "y": "0 2 3 4", "w a": "4x4x1x1"}},
		{name: "one bias, and two constants", text: images + own("x", "data", "") + own("y", "data", "") +
			layerText("half", "Power", "y", "y", "power_param { scale: 0.5 }") +
			twin("a", "x", w("w", "v")) + twin("b", "y", w("w", "v")) + cat("a", "b") + ip("last"),
			zeros: []string{"x 1", "y 1"},
			left:  map[string]string{"x": "0 1 2 3 4", "y": "0 1 2 3 4"},
			kept: []string{
				"x: 1 constant outputs stay: read by b, whose bias is that of a too, which does not read this constant",
				"y: 1 constant outputs stay: read by b, whose bias is that of a too, which does not read this constant",
			}},
		{name: "one bias alone", text: images + own("x", "data", "") + twin("a", "x", w("", "v")) +
			twin("b", "x", w("", "v")) + cat("a", "b") + ip("last"),
			zeros: []string{"x 1", "a 2", "b 2", "b 3"},
			left:  map[string]string{"x": "0 1 2 3 4", "a": "0 1 3", "b": "0 1 3"},
			kept: []string{
				"x: 1 constant outputs stay: read by b, whose bias is that of a too, which does not read this constant",
				"b: 1 constant outputs stay: a and b share weights, and one needs it"}},
		{name: "no bias, and a name for one", text: images + own("x", "data", "") +
			strings.ReplaceAll(twin("a", "x", w("w", "v"))+twin("b", "x", w("w", "v")), "num", "bias_term: false num") +
			cat("a", "b") + ip("last"),
			zeros: []string{"x 1"},
			left:  map[string]string{"x": "0 1 2 3 4"},
			kept: []string{
				"x: 1 constant outputs stay: read by b, which would get a bias that has a name already",
			}},
		{name: "slopes, scales and statistics", text: images + own("x", "data", "") + own("y", "data", "") +
			layerText("n", "BatchNorm", "x", "x", w("m", "s", "f")) +
			layerText("o", "BatchNorm", "y", "y", w("m", "s", "f")) +
			layerText("g", "Scale", "x", "x", w("g", "h")+"scale_param { bias_term: true }") +
			layerText("k", "Scale", "y", "y", w("g", "h")+"scale_param { bias_term: true }") +
			layerText("p", "PReLU", "x", "x", w("p")) +
			layerText("q", "PReLU", "y", "y", w("p")) + cat("x", "y") + ip("last"),
			zeros: []string{"x 1-2", "y 2-3"},
			left:  map[string]string{"x": "0 1 3 4", "y": "0 1 3 4"},
			kept: []string{"x: 1 constant outputs stay: n and o share weights, and one needs it",
				"y: 1 constant outputs stay: n and o share weights, and one needs it"}},
		{name: "tied to what decodes", text: images +
			layerText("hide", "InnerProduct", "data", "hide", "inner_product_param { num_output: 7 }") +
			reluText("hide") +
			layerText("code", "InnerProduct", "hide", "code", w("t")+"inner_product_param { num_output: 5 }") +
			reluText("code") + layerText("decode", "InnerProduct", "code", "last",
			w("t")+"inner_product_param { num_output: 7 transpose: true }") + ip("last"),
			zeros: []string{"code 1", "decode 1", "hide 3", "ip * 3"},
			left:  map[string]string{"hide": "0 1 2 4 5 6", "code": "0 2 3 4", "w decode": "4x6", "w ip": "4x6"}},
		{name: "in another form", text: images + own("x", "data", "") + reluText("x") +
			layerText("a", "Convolution", "x", "a", w("w")+"convolution_param { num_output: 4 kernel_size: 6 }") +
			layerText("b", "InnerProduct", "x", "b",
				"param { name: \"w\" share_mode: PERMISSIVE } inner_product_param { num_output: 4 }") +
			layerText("f", "Flatten", "a", "f", "") + cat("f", "b") + ip("last"),
			zeros: []string{"x 1"},
			left:  map[string]string{"x": "0 1 2 3 4"},
			kept: []string{
				"x: 1 constant outputs stay: read by b (InnerProduct): its weights are shared in another form"}},
		{name: "a name alone shares nothing", text: images + own("x", "data", w("w", "b")) + ip("x"),
			zeros: []string{"x 1"},
			left:  map[string]string{"x": "0 2 3 4"}},
	} {
		t.Run(c.name, c.check)
	}
}

// As FCN is built: scores are made larger by a deconvolution with a filter a channel, cut to the size of other scores,
// and added to them.
func TestShrinkFCN(t *testing.T) {
	const size = "num_output: 6 kernel_size: 1"
	exact{
		text: images + convText("a", "data", size) + reluText("a") +
			layerText("half", "Pooling", "a", "half", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }") +
			convText("b", "half", size) + reluText("b") +
			layerText("up", "Deconvolution", "b", "up",
				"convolution_param { num_output: 6 group: 6 kernel_size: 4 stride: 2 bias_term: false }") +
			layerText("wide", "Interp", "up", "wide", "interp_param { zoom_factor: 2 }") +
			`layer { name: "cut" type: "Crop" bottom: "wide" bottom: "a" top: "cut" crop_param { axis: -2 offset: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "cut" bottom: "a" top: "sum" }
` + convText("c", "sum", "num_output: 4 kernel_size: 3 pad: 1") + ip("c"),
		zeros: []string{"a 0-1", "b 1-2"},
		left:  map[string]string{"a": "0 2 3 4 5", "b": "0 2 3 4 5", "w up": "5x1x4x4", "w c": "4x5x3x3"},
		kept: []string{"a: 1 constant outputs stay: it meets, channel by channel, one that is not constant",
			"b: 1 constant outputs stay: the groups of up must be alike",
			"up: 1 constant outputs stay: it meets, channel by channel, one that is not constant"},
	}.check(t)
}

// A parameter that layers share is counted once.
func TestShrinkCountsSharedOnce(t *testing.T) {
	text := images
	for _, name := range []string{"a", "b"} {
		text += layerText(name, "Convolution", "data", name,
			`param { name: "w" } param { name: "v" } convolution_param { num_output: 4 kernel_size: 1 }`)
	}
	text += "layer { name: \"sum\" type: \"Eltwise\" bottom: \"a\" bottom: \"b\" top: \"last\" }\n" + ip("last")
	b := build(t, text)
	defer b.close()
	r, _ := shrunk(t, b, exact{zeros: []string{"a 1", "b 1"}}.weights(t, b))
	if want := 4*3 + 4 + 4*256 + 4; r.Before != want || r.Before != b.net.Count() {
		t.Errorf("%d parameters, wanted %d", r.Before, want)
	}
	if want := 3*3 + 3 + 4*192 + 4; r.After != want {
		t.Errorf("%d parameters are left, wanted %d", r.After, want)
	}
}

// Of layers that share weights the last in the file that has them gives them to all; others may be left out of it.
func TestShrinkSharedWeightsOnce(t *testing.T) {
	text := images
	for _, name := range []string{"a", "b"} {
		text += layerText(name, "Convolution", "data", name,
			`param { name: "w" } param { name: "v" } convolution_param { num_output: 4 kernel_size: 1 }`)
	}
	text += "layer { name: \"sum\" type: \"Eltwise\" bottom: \"a\" bottom: \"b\" top: \"last\" }\n" + ip("last")
	for _, without := range []int{0, 1} {
		b := build(t, text)
		w := exact{zeros: []string{"a 1", "b 2"}}.weights(t, b)
		w.Layer = slices.Delete(w.Layer, without, without+1)
		r, worst := shrunk(t, b, w)
		if want := []string{"0 1 3", "0 2 3"}[without]; numbers(r.Weights.Layer[0]) != want || worst > 1e-5 {
			t.Errorf("the outputs %s, wanted %s; they differ by %g", numbers(r.Weights.Layer[0]), want, worst)
		}
		b.close()
	}
}

// What a layer of the other phase shares stays whole.
func TestSharedInOtherPhase(t *testing.T) {
	text := images + layerText(
		"a",
		"Convolution",
		"data",
		"last",
		`param { name: "w" } convolution_param { num_output: 4 kernel_size: 1 }`,
	) + layerText("aux", "Convolution", "data",
		"aux", `param { name: "w" } convolution_param { num_output: 4 kernel_size: 1 } include { phase: TRAIN }`) +
		ip("last")
	exact{text: text, zeros: []string{"a 1"},
		left: map[string]string{"a": "0 1 2 3"},
		kept: []string{"a: 1 constant outputs stay: a part of weights that aux shares in the other phase"}}.check(t)
}
