package model_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/layer"
	"dns-tui/model/modeltest"
)

var trainState = &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}

// passed is what passes of a net leave: losses and outputs, gradients of parameters and of what layers without bottoms
// make.
type passed map[string][]float32

// differ says which arrays have other bits.
func (p passed) differ(q passed) error {
	for name, v := range p {
		if w, ok := q[name]; !ok || !slices.EqualFunc(v, w, sameBits) {
			return fmt.Errorf("%s is %v with memory shared, %v without", name, head(w), head(v))
		}
	}
	if len(p) != len(q) {
		return fmt.Errorf("%d arrays with memory shared, %d without", len(q), len(p))
	}
	return nil
}

func sameBits(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }

func head(v []float32) []float32 { return v[:min(len(v), 8)] }

// runs builds a net, and runs passes of it; before each the tops of the layers without bottoms, that nobody else fills,
// get the same numbers in all nets.
func runs(
	tb rapid.TB,
	d *gpu.Device,
	f *caffe.NetFile,
	o model.NetOptions,
	passes int,
	run func(*model.Net) error,
) passed {
	tb.Helper()
	o.Device, o.State, o.Seed, o.Clock = d, trainState, 3, &layer.Clock{}
	n, err := model.NewNet(f, o)
	if err != nil {
		tb.Fatal(err)
	}
	defer n.Close()
	out := passed{}
	for pass := range passes {
		o.Clock.Iter = uint64(pass)
		fill(d, n, f, pass)
		if err := cmp.Or(run(n), n.Overlaps()); err != nil {
			tb.Fatal(err)
		}
		for i, v := range n.FetchLosses(nil) {
			out[fmt.Sprintf("pass %d, loss %d", pass, i)] = []float32{v}
		}
		for i, v := range n.Outputs() {
			out[fmt.Sprintf("pass %d, output %d, %s", pass, i, v.Name)] = []float32{float32(v.Value)}
		}
	}
	for _, p := range n.Params() {
		if p.Gradient() != nil {
			out[fmt.Sprintf("gradient of %s/%d", p.Layer, p.Index)] = modeltest.Values(d, p.Diff)
		}
	}
	for _, l := range f.Net.Layer {
		for _, top := range l.Top {
			if b := n.Lasting(top); len(l.Bottom) == 0 && b != nil && b.Diff != nil {
				out["gradient of "+top] = modeltest.Values(d, b.Diff)
			}
		}
	}
	return out
}

// fill sets inputs, of labels small whole numbers, and the gradients of outputs that stand for losses.
func fill(d *gpu.Device, n *model.Net, f *caffe.NetFile, pass int) {
	key := gpu.Key{Seed: 7, Iter: uint64(pass)}
	for _, l := range f.Net.Layer {
		if l.GetType() != "Input" {
			continue
		}
		for _, top := range l.Top {
			b := n.Blob(top)
			v := make([]float32, b.Data.N)
			key.Stream++
			for i := range v {
				v[i] = key.Uniform(i) - 0.5
				classes := 0
				if k, _ := fmt.Sscanf(top, "label%d", &classes); k == 1 {
					v[i] = float32((i + pass) % classes)
				}
				if top == "sel" {
					v[i] = float32(min(1, max(0, pass%4-(i+pass)%3)))
				}
			}
			d.Upload(b.Data, v)
		}
	}
	for _, o := range n.Outputs() {
		if b := n.Lasting(o.Name); b != nil && b.Diff != nil {
			d.Fill(b.Diff, 0.5)
		}
	}
}

func plainly(n *model.Net) error {
	if _, err := n.Forward(); err != nil {
		return err
	}
	n.Backward()
	return nil
}

// between puts a Dropout that drops nothing, whose gradient reads no data, behind each input, and before the output y:
// so all that the net's own layers read and write is shared.
func between(net *caffepb.NetParameter) *caffepb.NetParameter {
	n := proto.CloneOf(net)
	n.ForceBackward = proto.Bool(true)
	copyOf := func(from, to string) *caffepb.LayerParameter {
		return &caffepb.LayerParameter{Name: proto.String("to " + to), Type: proto.String("Dropout"),
			Bottom: []string{from}, Top: []string{to},
			DropoutParam: &caffepb.DropoutParameter{DropoutRatio: proto.Float32(0)}}
	}
	var layers []*caffepb.LayerParameter
	inputs := map[string]bool{}
	made := ""
	for _, l := range n.Layer {
		for _, names := range [][]string{l.Bottom, l.Top} {
			for i, name := range names {
				if inputs[name] {
					names[i] = "in " + name
				}
			}
		}
		layers = append(layers, l)
		if len(l.Bottom) == 0 {
			for _, top := range l.Top {
				inputs[top] = true
				layers = append(layers, copyOf(top, "in "+top))
			}
		}
		if slices.Contains(l.Top, "y") {
			made = l.GetType()
		}
	}
	if made != "" && !layer.IsLoss(made) {
		layers = append(layers, copyOf("y", "behind y"))
	}
	n.Layer = layers
	return n
}

// more are nets of settings that TestGradients has no need of.
const more = `
-- Pooling with places --
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 6 } } }
layer { name: "l" type: "Pooling" bottom: "x" top: "y" top: "at" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "s" type: "Silence" bottom: "at" }
-- SoftmaxWithLoss with its softmax --
layer { name: "in" type: "Input" top: "x" top: "label3" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "label3" top: "y" top: "p" }
layer { name: "s" type: "Silence" bottom: "p" }
-- Scale in place by a bottom --
layer { name: "in" type: "Input" top: "x" top: "by" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 3 } } }
layer { name: "d" type: "Dropout" bottom: "x" top: "y" dropout_param { dropout_ratio: 0 } }
layer { name: "l" type: "Scale" bottom: "y" bottom: "by" top: "y" scale_param { axis: 0 } }
`

// Each layer computes the same where what it reads and writes is filled with NaN as soon as it has no part in it: so
// its Backward reads what ReadsBottom and ReadsTop say, and all that it makes is made anew in each pass.
func TestReuseOfEachLayer(t *testing.T) {
	archive, err := txtar.ParseFile("layer/testdata/gradients.txtar")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for _, c := range append(archive.Files, txtar.Parse([]byte(more)).Files...) {
		t.Run(c.Name, func(t *testing.T) {
			f, err := caffe.ParseNetPrototxt(c.Name, c.Data)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range f.Net.Layer {
				covered[l.GetType()] = true
			}
			f = f.Replace(between(f.Net))
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			want := runs(t, d, f, model.NetOptions{Backward: true}, 3, plainly)
			for what, run := range map[string]func(*model.Net) error{"": plainly, "poisoned: ": (*model.Net).Poisoned} {
				o := model.NetOptions{Backward: true, Reuse: true}
				if err := want.differ(runs(t, d, f, o, 3, run)); err != nil {
					t.Errorf("%s%v", what, err)
				}
			}
		})
	}
	if !covered["Convolution"] || !covered["LSTM"] || !covered["Filter"] {
		t.Error("the nets of TestGradients are not what they were")
	}
}

// exampleNets are nets of testdata, of all shapes, that train in no time.
var exampleNets = []string{"lenet_dns", "cifar10_full", "squeezenet_1.1", "lstm", "autoencoder", "siamese"}

// Passes of whole nets have the same bits with memory shared, and without.
func TestReuseOfWholeNets(t *testing.T) {
	for _, name := range exampleNets {
		t.Run(name, func(t *testing.T) {
			d := host.New(host.Options{})
			defer d.Close()
			f, classes := modeltest.ReadNet(t, name, 2), modeltest.Find(t, name).Classes
			run := func(n *model.Net) error {
				modeltest.FillInputs(d, n, classes)
				return plainly(n)
			}
			want := runs(t, d, f, model.NetOptions{}, 1, run)
			if err := want.differ(runs(t, d, f, model.NetOptions{Reuse: true}, 1, run)); err != nil {
				t.Error(err)
			}
		})
	}
}

// anyGraph draws a net of branches that part and meet, in place and not, whose blobs have so many channels.
func anyGraph(t *rapid.T, channels int) *caffe.NetFile {
	var b strings.Builder
	fmt.Fprintf(&b, "name: \"random\" force_backward: true\n"+
		"layer { name: \"in\" type: \"Input\" top: \"b0\" input_param { shape { dim: 2 dim: %d dim: 5 dim: 5 } } }\n",
		channels)
	blobs := []string{"b0"} // all of one shape
	inPlace := map[string]bool{}
	for i := range rapid.IntRange(1, 14).Draw(t, "layers") {
		top := fmt.Sprintf("b%d", i+1)
		from := rapid.SampledFrom(blobs).Draw(t, "bottom")
		other := rapid.SampledFrom(blobs).Draw(t, "other")
		switch kind := rapid.SampledFrom([]string{
			"conv", "relu", "sigmoid", "bn", "scale", "eltwise", "product", "reshape", "slice", "pool", "lrn",
			"dropout",
			"place",
		}).Draw(t, "kind"); kind {
		case "conv":
			fmt.Fprintf(&b, "layer { name: %q type: \"Convolution\" bottom: %q top: %q "+
				"convolution_param { num_output: %d kernel_size: 3 pad: 1 weight_filler { type: \"xavier\" } } }\n",
				top, from, top, channels)
		case "eltwise", "product":
			op := map[string]string{"eltwise": "SUM", "product": "PROD"}[kind]
			fmt.Fprintf(&b, "layer { name: %q type: \"Eltwise\" bottom: %q bottom: %q top: %q "+
				"eltwise_param { operation: %s } }\n", top, from, other, top, op)
		case "reshape":
			fmt.Fprintf(&b, "layer { name: \"%[1]s there\" type: \"Reshape\" bottom: %[2]q top: \"%[1]s flat\" "+
				"reshape_param { shape { dim: 2 dim: -1 } } }\nlayer { name: %[1]q type: \"Reshape\" "+
				"bottom: \"%[1]s flat\" top: %[1]q "+
				"reshape_param { shape { dim: 2 dim: %[3]d dim: 5 dim: 5 } } }\n", top, from, channels)
		case "slice":
			unused := ""
			if rapid.Bool().Draw(t, "unused") {
				unused = top + " u"
			}
			second := top + " v"
			if unused != "" {
				second = top + " w"
			}
			fmt.Fprintf(
				&b,
				"layer { name: \"%[1]s cut\" type: \"Slice\" bottom: %[2]q top: \"%[1]s u\" top: \"%[1]s v\" }\n"+
					"layer { name: \"%[1]s pow\" type: \"Power\" bottom: \"%[1]s u\" top: \"%[1]s w\" "+
					"power_param { power: 2 } }\n"+
					"layer { name: %[1]q type: \"Concat\" bottom: \"%[1]s w\" bottom: %[3]q top: %[1]q }\n",
				top,
				from,
				second,
			)
		case "place":
			if rapid.Bool().Draw(t, "right behind") {
				from = blobs[len(blobs)-1]
			}
			if from == "b0" || inPlace[from] || strings.Contains(b.String(), fmt.Sprintf("bottom: %q", from)) {
				continue // another reads it
			}
			inPlace[from] = true
			fmt.Fprintf(&b, "layer { name: %q type: \"ReLU\" bottom: %q top: %q }\n", top, from, from)
			continue
		default:
			typ := map[string]string{"relu": "ReLU", "sigmoid": "Sigmoid", "bn": "BatchNorm", "scale": "Scale",
				"pool": "Pooling", "lrn": "LRN", "dropout": "Dropout"}[kind]
			param := ""
			if kind == "pool" {
				param = "pooling_param { kernel_size: 3 stride: 1 pad: 1 }"
			}
			fmt.Fprintf(&b, "layer { name: %q type: %q bottom: %q top: %q %s }\n", top, typ, from, top, param)
		}
		blobs = append(blobs, top)
	}
	last := blobs[len(blobs)-1]
	fmt.Fprintf(&b, "layer { name: \"loss\" type: \"EuclideanLoss\" bottom: %q bottom: \"b0\" top: \"loss\" }\n", last)
	f, err := caffe.ParseNetPrototxt("random", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Nets of any graph have the same bits with memory shared, poisoned where it is nobody's.
func TestReuseOfRandomNets(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	rapid.Check(t, func(t *rapid.T) {
		f := anyGraph(t, 4)
		want := runs(t, d, f, model.NetOptions{}, 2, plainly)
		for _, run := range []func(*model.Net) error{plainly, (*model.Net).Poisoned} {
			if err := want.differ(runs(t, d, f, model.NetOptions{Reuse: true}, 2, run)); err != nil {
				t.Error(err)
			}
		}
	})
}

// Layers that run as one make the bits that they make one after the other, in nets of any graph; but for those behind
// BatchNorm, whose gradients are summed in another order.
func TestTogetherOfRandomNets(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	joined := 0
	rapid.Check(t, func(t *rapid.T) {
		f := anyGraph(t, 4)
		for _, l := range f.Net.Layer {
			if l.GetType() == "BatchNorm" {
				l.Type = proto.String("AbsVal")
			}
		}
		apart := runs(t, d, f, model.NetOptions{}, 2, func(n *model.Net) error {
			n.SetDebug(func(string) {})
			return plainly(n)
		})
		for _, reuse := range []bool{false, true} {
			if err := apart.differ(runs(t, d, f, model.NetOptions{Reuse: reuse}, 2, func(n *model.Net) error {
				joined += n.Joined()
				return plainly(n)
			})); err != nil {
				t.Errorf("together: %v", err)
			}
		}
	})
	if joined == 0 {
		t.Error("no layers ran as one")
	}
}

const filtered = `force_backward: true
layer { name: "in" type: "Input" top: "x" top: "sel" top: "label3"
  input_param { shape { dim: 6 dim: 4 } shape { dim: 6 } shape { dim: 6 } } }
layer { name: "before" type: "InnerProduct" bottom: "x" top: "u" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "sig" type: "Sigmoid" bottom: "u" top: "v" }
layer { name: "filter" type: "Filter" bottom: "v" bottom: "label3" bottom: "sel" top: "some" top: "labels" }
layer { name: "fc" type: "InnerProduct" bottom: "some" top: "w" inner_product_param { num_output: 3
  weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "w" top: "t" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "t" bottom: "labels" top: "loss" }
layer { name: "other" type: "InnerProduct" bottom: "v" top: "r" inner_product_param { num_output: 3
  weight_filler { type: "xavier" } } }
layer { name: "euclid" type: "EuclideanLoss" bottom: "r" bottom: "r2" top: "loss2" }
`

// Where a layer's output changes its shape from pass to pass, to nothing and back, what stands below has other memory,
// and the bits stay.
func TestReuseReshapes(t *testing.T) {
	text := strings.Replace(filtered, `bottom: "r2"`, `bottom: "half"`, 1)
	text += `
layer { name: "idle" type: "EuclideanLoss" bottom: "t" bottom: "w" top: "e" loss_weight: 0 }
layer { name: "twice" type: "Power" bottom: "e" top: "e2" power_param { scale: 2 } loss_weight: 1 }
`
	text = strings.Replace(text, `layer { name: "euclid"`, `layer { name: "half" type: "Power" bottom: "r" top: "half"
  power_param { scale: 0.5 } }
layer { name: "euclid"`, 1)
	f, err := caffe.ParseNetPrototxt("n", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	want := runs(t, d, f, model.NetOptions{}, 9, plainly)
	if err := want.differ(runs(t, d, f, model.NetOptions{Reuse: true}, 9, plainly)); err != nil {
		t.Error(err)
	}
}

// chain is a net whose blobs, but for the input, the loss and what is kept, are in one memory.
const chain = `force_backward: true
layer { name: "in" type: "Input" top: "x" top: "label3" input_param { shape { dim: 6 dim: 4 } shape { dim: 6 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 8
  weight_filler { type: "xavier" } } }
layer { name: "b" type: "Log" bottom: "a" top: "b" log_param { shift: 8 } }
layer { name: "c" type: "BatchNorm" bottom: "b" top: "c" }
layer { name: "d" type: "InnerProduct" bottom: "c" top: "d" inner_product_param { num_output: 3
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "d" bottom: "label3" top: "loss" }
`

func chainNet(t *testing.T, d *gpu.Device, o model.NetOptions) *model.Net {
	t.Helper()
	if o.State == nil {
		o.State = trainState
	}
	o.Seed = 3
	n, err := modeltest.BuildOn(t, d, chain, o)
	if err != nil {
		t.Fatal(err)
	}
	fill(d, n, n.File(), 1)
	return n
}

// A blob whose memory has been given to others cannot be read, one that is kept can, with its gradient.
func TestReuseKeeps(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	plain := chainNet(t, d, model.NetOptions{})
	n := chainNet(t, d, model.NetOptions{Reuse: true, Keep: []string{"b", "none"}})
	for _, n := range []*model.Net{plain, n} {
		if err := plainly(n); err != nil {
			t.Fatal(err)
		}
	}
	for _, pick := range []func(*layer.Blob) *gpu.Tensor{
		func(b *layer.Blob) *gpu.Tensor { return b.Data }, func(b *layer.Blob) *gpu.Tensor { return b.Diff },
	} {
		for _, name := range []string{"b", "x"} {
			want, got := modeltest.Values(d, pick(plain.Blob(name))), modeltest.Values(d, pick(n.Blob(name)))
			if !slices.EqualFunc(want, got, sameBits) {
				t.Errorf("%s: %v, wanted %v", name, head(got), head(want))
			}
		}
	}
	for _, name := range []string{"a", "c", "d"} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), fmt.Sprintf("%q is not kept", name)) {
					t.Errorf("blob %q: %v", name, r)
				}
			}()
			n.Blob(name)
		}()
	}
	if n.Blob("none") != nil {
		t.Error("a blob that there is none of")
	}
	if s := n.Shared(); s.Bytes < s.Least || s.Least == 0 || s.Least >= s.Instead {
		t.Errorf("%+v", s)
	}
}

// The first layer that is not finite is found, though what it made is gone; statistics stay as they are meanwhile.
func TestReuseFirstBad(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	for _, x := range []float32{0.5, -300, float32(math.Inf(1))} {
		var want string
		for _, reuse := range []bool{false, true} {
			n := chainNet(t, d, model.NetOptions{Reuse: reuse})
			var told int
			n.SetDebug(func(string) { told++ })
			for _, p := range n.Params() {
				if p.Layer == "a" && p.Index == 0 {
					d.Fill(p.Data, 1)
				}
			}
			d.Fill(n.Blob("x").Data, x)
			if _, err := n.Forward(); err != nil {
				t.Fatal(err)
			}
			before, lines := modeltest.Values(d, n.Params()[2].Data), told
			got := fmt.Sprint(n.FirstBad())
			if !reuse {
				want = got
			}
			if got != want {
				t.Errorf("%g: %s, without memory shared %s", x, got, want)
			}
			if !n.Params()[2].Statistics ||
				!slices.EqualFunc(before, modeltest.Values(d, n.Params()[2].Data), sameBits) ||
				told != lines {
				t.Errorf("%g: to look changed statistics, or was told of", x)
			}
		}
		if clean := x == 0.5; clean != (want == "<nil>") {
			t.Errorf("%g: %s", x, want)
		}
	}
}

// What was not finite is found where a ReLU in place, of a view that lasts, made it finite again.
func TestReuseFirstBadOverwritten(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	n, err := modeltest.BuildOn(t, d, `
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
layer { name: "a" type: "Power" bottom: "x" top: "a" power_param { scale: 1e38 } }
layer { name: "b" type: "Convolution" bottom: "a" top: "b" convolution_param { num_output: 2 kernel_size: 1
  weight_filler { type: "xavier" } } }
layer { name: "c" type: "Flatten" bottom: "a" top: "c" }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }`, model.NetOptions{Reuse: true})
	if err != nil {
		t.Fatal(err)
	}
	d.Fill(n.Blob("x").Data, -100)
	if _, err := n.Forward(); err != nil {
		t.Fatal(err)
	}
	const want = `layer "a" (Power): blob "a" holds NaN or Inf`
	if got := fmt.Sprint(n.FirstBad()); got != want {
		t.Errorf("%s, wanted %s", got, want)
	}
}

// debug_info tells the same: each blob while it is there.
func TestReuseDebugInfo(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	var lines [2][]string
	for i, reuse := range []bool{false, true} {
		n := chainNet(t, d, model.NetOptions{Reuse: reuse})
		n.SetDebug(func(line string) { lines[i] = append(lines[i], line) })
		if err := plainly(n); err != nil {
			t.Fatal(err)
		}
	}
	if len(lines[0]) < 10 || !slices.Equal(lines[0], lines[1]) {
		t.Errorf("with memory shared:\n%s\nwithout:\n%s", strings.Join(lines[1], "\n"), strings.Join(lines[0], "\n"))
	}
}

// Nets that run in turn have one memory, which grows to what the largest wants, and come to what each would by itself.
func TestReuseInTurn(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	train := chainNet(t, d, model.NetOptions{Reuse: true})
	alone := chainNet(t, d, model.NetOptions{})
	losses := func(n *model.Net) []float32 {
		fill(d, n, n.File(), 1)
		if err := plainly(n); err != nil {
			t.Fatal(err)
		}
		v := n.FetchLosses(nil)
		for _, p := range n.Params() {
			if p.Gradient() != nil {
				v = append(v, modeltest.Values(d, p.Diff)...)
				d.Fill(p.Diff, 0)
			}
		}
		return v
	}
	large := strings.Replace(strings.Replace(chain, "dim: 6 dim: 4", "dim: 60 dim: 4", 1), "dim: 6 }", "dim: 60 }", 1)
	held := d.Allocated()
	small := train.Shared().Bytes
	var tests []*model.Net
	for _, text := range []string{chain, large} {
		n, err := modeltest.BuildOn(t, d, text, model.NetOptions{
			State: &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}, Share: train, Reuse: true})
		if err != nil {
			t.Fatal(err)
		}
		tests = append(tests, n)
	}
	if now := train.Shared().Bytes; now <= small || now != tests[0].Shared().Bytes || now != tests[1].Shared().Bytes {
		t.Errorf("%d bytes became %d, and are %d and %d of the tests", small, now, tests[0].Shared().Bytes,
			tests[1].Shared().Bytes)
	}
	if d.Allocated() <= held {
		t.Error("a net without inputs of its own")
	}
	for range 3 {
		want, got := losses(alone), losses(train)
		if !slices.EqualFunc(want, got, sameBits) {
			t.Errorf("%v, wanted %v", head(got), head(want))
		}
		for _, n := range tests {
			fill(d, n, n.File(), 1)
			if _, err := n.Forward(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tests[1].Close(); err != nil {
		t.Error(err)
	}
	if now := train.Shared().Bytes; now != max(small, tests[0].Shared().Bytes) {
		t.Errorf("%d bytes are left when the large net is closed, wanted %d", now, small)
	}
	if want, got := losses(alone), losses(train); !slices.EqualFunc(want, got, sameBits) {
		t.Errorf("afterwards %v, wanted %v", head(got), head(want))
	}
}

// full is a host that has no memory left while that is set.
type full struct {
	gpu.Back
	now bool
}

func (f *full) Alloc(n int) (gpu.Memory, error) {
	if f.now {
		return nil, errors.New("the device is full")
	}
	return f.Back.Alloc(n)
}

// A net that there is no room for leaves the nets that run in turn with it as they are: where their memory was given
// back for it and is gone, they say so, and run again as soon as there is some.
func TestReuseWithoutRoom(t *testing.T) {
	b := &full{Back: host.NewBack(host.Options{Threads: 1})}
	d := gpu.NewDevice(b, nil)
	defer d.Close()
	train := chainNet(t, d, model.NetOptions{Reuse: true})
	losses := func() []float32 {
		fill(d, train, train.File(), 1)
		if err := plainly(train); err != nil {
			t.Fatal(err)
		}
		return train.FetchLosses(nil)
	}
	want := losses()
	large := strings.Replace(strings.Replace(chain, "dim: 6 dim: 4", "dim: 60 dim: 4", 1), "dim: 6 }", "dim: 60 }", 1)
	build := func() (*model.Net, error) {
		return modeltest.BuildOn(t, d, large, model.NetOptions{
			State: &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}, Share: train, Reuse: true})
	}
	n, err := build()
	if err != nil {
		t.Fatal(err)
	}
	own := d.Allocated()
	n.Close()
	// As much as the net's own blobs take, and no more.
	room := &limited{Back: b.Back, most: own - 1}
	b.Back = room
	if _, err := build(); err == nil || !strings.Contains(err.Error(), "takes most of the memory that blobs share") {
		t.Errorf("%v", err)
	}
	if got := losses(); !slices.EqualFunc(want, got, sameBits) {
		t.Errorf("%v, wanted %v", head(got), head(want))
	}
	room.after = true
	if _, err := build(); err == nil || !strings.Contains(err.Error(), "takes most of the memory that blobs share") {
		t.Errorf("%v", err)
	}
	if _, err := train.Forward(); err == nil || !strings.Contains(err.Error(), "given back for a larger net") {
		t.Errorf("%v", err)
	}
	room.after, room.failed = false, false
	if got := losses(); !slices.EqualFunc(want, got, sameBits) {
		t.Errorf("%v, wanted %v", head(got), head(want))
	}
	b.now = true
	if _, err := build(); err == nil || !strings.Contains(err.Error(), "the device is full") ||
		strings.Contains(err.Error(), "blobs share") {
		t.Errorf("%v", err)
	}
}

// limited is a host that has so many bytes; where after is set, none any more from the first time on that they do not
// suffice.
type limited struct {
	gpu.Back
	most          int64
	after, failed bool
}

func (l *limited) Alloc(n int) (gpu.Memory, error) {
	if l.failed || l.Allocated()+4*int64(n) > l.most {
		l.failed = l.after
		return nil, errors.New("the device is full")
	}
	return l.Back.Alloc(n)
}
