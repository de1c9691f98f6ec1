package model_test

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

func build(t *testing.T, text string, phase caffepb.Phase) (*model.Net, error) {
	t.Helper()
	f, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
	if err != nil {
		return nil, err
	}
	d := host.New(host.Options{Threads: 1})
	t.Cleanup(func() { d.Close() })
	n, err := model.NewNet(f, model.NetOptions{Device: d, State: &caffepb.NetState{Phase: phase.Enum()}, Seed: 1})
	if err == nil {
		t.Cleanup(func() { n.Close() })
	}
	return n, err
}

const imageInput = `layer {
  name: "in" type: "Input" top: "x" top: "label"
  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 } }
}
`

func TestFilter(t *testing.T) {
	text := imageInput + `
layer { name: "train" type: "ReLU" bottom: "x" top: "a" include { phase: TRAIN } }
layer { name: "test" type: "ReLU" bottom: "x" top: "b" include { phase: TEST } }
layer { name: "nottest" type: "ReLU" bottom: "x" top: "c" exclude { phase: TEST } }
layer { name: "level1" type: "ReLU" bottom: "x" top: "d" include { min_level: 1 } }
layer { name: "deploy" type: "ReLU" bottom: "x" top: "e" include { stage: "deploy" } }
layer { name: "notdeploy" type: "ReLU" bottom: "x" top: "f" include { not_stage: "deploy" } }`
	f, err := caffe.ParseNetPrototxt("n", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	for _, c := range []struct {
		state string
		want  string
	}{
		{"phase: TRAIN", "acf"},
		{"phase: TEST", "bf"},
		{"phase: TRAIN level: 1 stage: 'deploy'", "acde"},
	} {
		st := &caffepb.NetState{}
		if err := caffe.ParsePrototxt("s", []byte(c.state), st); err != nil {
			t.Fatal(err)
		}
		n, err := model.NewNet(f, model.NetOptions{Device: d, State: st})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, b := range []string{"a", "b", "c", "d", "e", "f"} {
			if n.Blob(b) != nil {
				got += b
			}
		}
		if got != c.want {
			t.Errorf("%s: blobs %s, wanted %s", c.state, got, c.want)
		}
	}
}

// Two layers that share a parameter by name train one array.
func TestSharedParameters(t *testing.T) {
	n, err := build(t, imageInput+`
layer {
  name: "a" type: "InnerProduct" bottom: "x" top: "u" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } }
}
layer {
  name: "b" type: "InnerProduct" bottom: "x" top: "v" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } }
}
layer { name: "s" type: "Eltwise" bottom: "u" bottom: "v" top: "y" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }`, caffepb.Phase_TRAIN)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(n.Params()); got != 2 {
		t.Errorf("%d parameters, wanted 2", got)
	}
	_, err = build(t, imageInput+`
layer {
  name: "a" type: "InnerProduct" bottom: "x" top: "u" param { name: "w" }
  inner_product_param { num_output: 4 }
}
layer {
  name: "b" type: "InnerProduct" bottom: "x" top: "v" param { name: "w" }
  inner_product_param { num_output: 5 }
}`, caffepb.Phase_TRAIN)
	if err == nil || !strings.Contains(err.Error(), `shape 5x192 here, and 4x192 in layer "a"`) {
		t.Errorf("shapes that differ: %v", err)
	}
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		policy string
		iter   int
		want   float64
	}{
		{"lr_policy: 'fixed'", 100, 0.1},
		{"lr_policy: 'step' gamma: 0.5 stepsize: 10", 29, 0.025},
		{"lr_policy: 'exp' gamma: 0.9", 2, 0.081},
		{"lr_policy: 'inv' gamma: 0.5 power: 2", 2, 0.025},
		{"lr_policy: 'multistep' gamma: 0.1 stepvalue: 5 stepvalue: 8", 7, 0.01},
		{"lr_policy: 'multistep' gamma: 0.1 stepvalue: 5 stepvalue: 8", 8, 0.001},
		{"lr_policy: 'poly' power: 2 max_iter: 10", 5, 0.025},
		{"lr_policy: 'sigmoid' gamma: -1 stepsize: 10", 10, 0.05},
	} {
		s := &caffepb.SolverParameter{}
		if err := caffe.ParsePrototxt("s", []byte(c.policy), s); err != nil {
			t.Fatal(err)
		}
		if got := solver.Rate(s, 0.1, c.iter); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s at %d: %g, wanted %g", c.policy, c.iter, got, c.want)
		}
	}
}

func TestDue(t *testing.T) {
	for _, c := range []struct {
		iter, stop   int
		gamma, power float64
		r            float32
		want         bool
	}{
		{0, config.Never, 1e-4, 1, 0.999, true},
		{10000, config.Never, 1e-4, 1, 0.49, true},
		{10000, config.Never, 1e-4, 1, 0.5, false},
		{0, 0, 0, 1, 0, false}, // iteration < 0
		{10000, 10000, 0, 1, 0, false},
		{9999, 10000, 0, 1, 0, true},
	} {
		if got := solver.Due(c.iter, c.gamma, c.power, c.stop, c.r); got != c.want {
			t.Errorf("Due(%+v) = %t", c, got)
		}
	}
}

// What of a file fits no layer, and what of the net no file, is said; a layer of another shape is refused, or left out.
func TestLoadFiles(t *testing.T) {
	text := `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 2 } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" inner_product_param { num_output: 2 } }`
	dir := t.TempDir()
	file := func(name string, layers ...string) string {
		n := &caffepb.NetParameter{}
		for _, l := range layers {
			name, shape, _ := strings.Cut(l, " ")
			in := 3
			if shape == "2" {
				in = 2
			}
			n.Layer = append(n.Layer, &caffepb.LayerParameter{Name: proto.String(name),
				Blobs: []*caffepb.BlobProto{
					caffe.NewBlob([]int{2, in}, make([]float32, 2*in)),
					caffe.NewBlob([]int{2}, make([]float32, 2)),
				}})
		}
		path := filepath.Join(dir, name)
		if err := caffe.WriteNet(path, n); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name    string
		files   []string
		skip    bool
		notices []string // in order, parts of each
		err     string
	}{
		{"whole", []string{file("whole", "a 3", "b 2")}, false, nil, ""},
		{"in two files", []string{file("first", "a 3"), file("second", "b 2")}, false, nil, ""},
		{
			"part",
			[]string{file("part", "a 3", "c 3", "d 3")},
			false,
			[]string{"part: not used, for the net has no such layer: layers c, d", "no weights for layer b"},
			"",
		},
		{
			"shape",
			[]string{file("shape", "a 3", "b 3")},
			false,
			nil,
			"layer \"b\": blob 0 has the shape 2x3 in the file, the net wants 2x2 (--skip-mismatched",
		},
		{"several shapes", []string{file("shapes", "a 2", "b 3")}, false, nil, "layer \"b\": blob 0 has the shape 2x3"},
		{
			"shape left out",
			[]string{file("shape", "a 3", "b 3")},
			true,
			[]string{"layer \"b\" is left out: blob 0", "no weights for layer b"},
			"",
		},
		{"nothing", []string{file("nothing", "b 3")}, true, nil, "weights of another net"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := build(t, text, caffepb.Phase_TEST)
			if err != nil {
				t.Fatal(err)
			}
			l, err := n.LoadFiles(c.files, model.LoadOptions{SkipMismatched: c.skip, CanSkip: true})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v, wanted %q", err, c.err)
				}
				return
			}
			if err != nil || len(l.Notices) != len(c.notices) {
				t.Fatalf("%v, notices %q, wanted %q", err, l.Notices, c.notices)
			}
			for i, want := range c.notices {
				if !strings.Contains(l.Notices[i], want) {
					t.Errorf("notice %q, wanted %q", l.Notices[i], want)
				}
			}
		})
	}
}

// A layer takes 1, 2, 3 or 4 blobs; anything else is an error that names layer, file and net, and changes nothing.
func TestLoadWeights(t *testing.T) {
	text := func(typ, param string) string {
		return `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "l" type: "` + typ + `" bottom: "x" top: "y" inner_product_param { num_output: 2 ` + param + ` } }`
	}
	w, bias := caffe.NewBlob([]int{2, 3}, []float32{1, 0, 3, 4, 5, 6}), caffe.NewBlob([]int{2}, []float32{7, 8})
	mw, mb := caffe.NewBlob([]int{2, 3}, []float32{1, 1, 0, 1, 0, 1}), caffe.NewBlob([]int{2}, []float32{0, 1})
	for _, c := range []struct {
		name, typ, param string
		blobs            []*caffepb.BlobProto
		zeros            bool
		want             []float32 // outputs for x = 1, 1, 1
		err              string
	}{
		{"plain", "InnerProduct", "", []*caffepb.BlobProto{w, bias}, false, []float32{11, 23}, ""},
		{
			"plain without bias",
			"InnerProduct",
			"bias_term: false",
			[]*caffepb.BlobProto{w},
			false,
			[]float32{4, 15},
			"",
		},
		{"seed", "InnerProduct", "", []*caffepb.BlobProto{w, bias, mw}, false, []float32{8, 18}, ""},
		{
			"seed without bias",
			"InnerProduct",
			"bias_term: false",
			[]*caffepb.BlobProto{w, mw},
			false,
			[]float32{1, 10},
			"",
		},
		{"official", "CInnerProduct", "", []*caffepb.BlobProto{w, bias, mw, mb}, false, []float32{1, 18}, ""},
		{"official into seed", "InnerProduct", "", []*caffepb.BlobProto{w, bias, mw, mb}, false, []float32{1, 18}, ""},
		{"seed into official", "CInnerProduct", "", []*caffepb.BlobProto{w, bias, mw}, false, []float32{8, 18}, ""},
		{"masks from zeros", "InnerProduct", "", []*caffepb.BlobProto{w, bias}, true, []float32{11, 23}, ""},
		{
			"too few",
			"InnerProduct",
			"",
			[]*caffepb.BlobProto{w},
			false,
			nil,
			`layer "l": the file has 1 blobs (2x3), the net wants 2 (2x3, 2)`,
		},
		{"too many", "InnerProduct", "", []*caffepb.BlobProto{w, bias, mw, mb, mb}, false, nil, "the file has 5 blobs"},
		{
			"shape",
			"InnerProduct",
			"",
			[]*caffepb.BlobProto{caffe.NewBlob([]int{3, 2}, make([]float32, 6)), bias},
			false,
			nil,
			`blob 0 has the shape 3x2 in the file, the net wants 2x3`,
		},
		{
			"count",
			"InnerProduct",
			"",
			[]*caffepb.BlobProto{caffe.NewBlob([]int{2, 3}, make([]float32, 5)), bias},
			false,
			nil,
			`holds 5 values, wanted 6`,
		},
		{"mask of other values", "InnerProduct", "", []*caffepb.BlobProto{
			w, bias, caffe.NewBlob([]int{2, 3}, []float32{0.5, 1, 1e-4, 0.5, 0, 2}),
		}, false,
			[]float32{7.5, 22}, ""},
		{"mask that is no number", "InnerProduct", "", []*caffepb.BlobProto{
			w, bias, caffe.NewBlob([]int{2, 3}, []float32{1, 1, float32(math.NaN()), 1, 0, 1}),
		},
			false, nil, "blob 2: a mask that holds NaN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := build(t, text(c.typ, c.param), caffepb.Phase_TEST)
			if err != nil {
				t.Fatal(err)
			}
			_, err = n.LoadWeights(
				"f.caffemodel",
				&caffepb.NetParameter{Layer: []*caffepb.LayerParameter{{Name: proto.String("l"), Blobs: c.blobs}}},
				model.LoadOptions{MasksFromZeros: c.zeros},
			)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) ||
					!strings.Contains(err.Error(), "f.caffemodel") {
					t.Errorf("got %v, wanted %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			d.Upload(n.Blob("x").Data, []float32{1, 1, 1})
			if _, err := n.Forward(); err != nil {
				t.Fatal(err)
			}
			if got := modeltest.Values(d, n.Blob("y").Data); got[0] != c.want[0] || got[1] != c.want[1] {
				t.Errorf("outputs %v, wanted %v", got, c.want)
			}
			if c.zeros {
				if m := n.Params()[0].Mask(d); m[1] != 0 || m[0] != 1 {
					t.Errorf("mask %v; the zero should start pruned", m)
				}
			}
			// What is written reads back, masks and all.
			blobs := n.Weights().Layer[1].Blobs
			if !c.zeros && len(blobs) != len(c.blobs) && c.name != "seed into official" {
				t.Errorf("%d blobs are written, %d were read", len(blobs), len(c.blobs))
			}
		})
	}
	n, err := build(t, text("InnerProduct", ""), caffepb.Phase_TEST)
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.LoadWeights(
		"f.caffemodel",
		&caffepb.NetParameter{
			Layer: []*caffepb.LayerParameter{{Name: proto.String("other"), Blobs: []*caffepb.BlobProto{w}}},
		},
		model.LoadOptions{},
	)
	if err == nil || !strings.Contains(err.Error(), "weights of another net") ||
		!strings.Contains(err.Error(), "other") {
		t.Errorf("weights of another net: %v", err)
	}
}

// The paper authors' released nets give the accuracy that Caffe gives them.
func TestReleasedModel(t *testing.T) {
	n, err := caffe.ReadNet(modeltest.Root("models", "lenet5_sparse.caffemodel"))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := model.CountWeights(n)
	if err != nil {
		t.Fatal(err)
	}
	kept, total := 0, 0
	for _, l := range layers {
		kept, total = kept+l.Kept, total+l.Total
	}
	if kept != 3993 || total != 431080 {
		t.Errorf("%d of %d parameters, wanted 3,993 of 431,080", kept, total)
	}
}

func TestSnapshotPrefix(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ prefix, want string }{
		{"", "dir/s"}, {filepath.Join(dir, "x"), filepath.Join(dir, "x")}, {dir, filepath.Join(dir, "s")},
	} {
		r := &config.Run{
			SolverPath: "dir/s.prototxt",
			Solver:     &caffepb.SolverParameter{SnapshotPrefix: proto.String(c.prefix)},
		}
		if got := r.SnapshotPrefix(); got != c.want {
			t.Errorf("prefix %q: %s, wanted %s", c.prefix, got, c.want)
		}
	}
	r := &config.Run{
		SolverPath: "s.prototxt",
		Solver:     &caffepb.SolverParameter{SnapshotPrefix: proto.String(filepath.Join(dir, "no", "where"))},
	}
	if err := r.CheckSnapshotFolder(); err == nil || !strings.Contains(err.Error(), "snapshots cannot be written to") {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// propagate_down: false keeps a gradient from a bottom; what stands above it is not trained through that layer.
func TestPropagateDown(t *testing.T) {
	text := imageInput + `
layer {
  name: "a" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 1 } }
}
layer {
  name: "b" type: "InnerProduct" bottom: "a" top: "b" %s
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 1 } }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "b" bottom: "label" top: "loss" }`
	for _, c := range []struct {
		setting string
		reaches bool
	}{{"", true}, {"propagate_down: true", true}, {"propagate_down: false", false}} {
		n, err := build(t, fmt.Sprintf(text, c.setting), caffepb.Phase_TRAIN)
		if err != nil {
			t.Fatal(err)
		}
		d := host.New(host.Options{Threads: 1})
		defer d.Close()
		d.Fill(n.Blob("x").Data, 1)
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		n.Backward()
		first, second := d.SumSquares(n.Params()[0].Diff), d.SumSquares(n.Params()[2].Diff)
		if (first > 0) != c.reaches || second == 0 {
			t.Errorf("%q: gradients of size %g above and %g below", c.setting, first, second)
		}
	}
}

// A loss may be without a top, as in nets of 2013 and 2014; a net may have several of them.
func TestLossWithoutTop(t *testing.T) {
	n, err := build(t, imageInput+`
layer {
  name: "a" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 1 } }
}
layer { name: "l1" type: "SoftmaxWithLoss" bottom: "a" bottom: "label" }
layer { name: "l2" type: "HingeLoss" bottom: "a" bottom: "label" loss_weight: 0.5 }`, caffepb.Phase_TRAIN)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := n.Forward()
	if err != nil {
		t.Fatal(err)
	}
	n.Backward()
	out := n.Outputs()
	if len(out) != 2 || out[0].Name != "(automatic)" || math.Abs(loss-out[0].Value-0.5*out[1].Value) > 1e-6 {
		t.Errorf("loss %g, outputs %+v", loss, out)
	}
	if w := n.Weights(); len(w.Layer[2].Top) != 0 {
		t.Errorf("the caffemodel has the top %q", w.Layer[2].Top)
	}
}

// Of layers that share a parameter, the one that says a multiplier sets it for all.
func TestSharedMultipliers(t *testing.T) {
	n, err := build(t, imageInput+`
layer {
  name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "b" lr_mult: 2 }
  inner_product_param { num_output: 3 }
}
layer {
  name: "b" type: "InnerProduct" bottom: "x" top: "b" param { name: "w" lr_mult: 0.5 decay_mult: 0 }
  param { name: "b" lr_mult: 2 } inner_product_param { num_output: 3 }
}
layer { name: "s" type: "Eltwise" bottom: "a" bottom: "b" top: "s" }
layer { name: "l" type: "SoftmaxWithLoss" bottom: "s" bottom: "label" }`, caffepb.Phase_TRAIN)
	if err != nil {
		t.Fatal(err)
	}
	p := n.Params()
	if len(p) != 2 || p[0].LRMult != 0.5 || p[0].DecayMult != 0 || p[1].LRMult != 2 || p[1].DecayMult != 1 {
		t.Errorf("%+v %+v", p[0], p[1])
	}
}

// WithBatch cuts the batches of layers that read data, of every kind, and leaves smaller ones.
func TestWithBatch(t *testing.T) {
	const text = `
layer { name: "a" type: "Data" top: "a" data_param { source: "x" batch_size: 64 } }
layer { name: "b" type: "ImageData" top: "b" image_data_param { source: "x" batch_size: 64 } }
layer { name: "c" type: "WindowData" top: "c" window_data_param { source: "x" batch_size: 64 } }
layer { name: "d" type: "MemoryData" top: "d" top: "e" memory_data_param { batch_size: 64 channels: 1
	height: 1 width: 1 } }
layer { name: "f" type: "HDF5Data" top: "f" hdf5_data_param { source: "x" batch_size: 64 } }
layer { name: "g" type: "Data" top: "g" data_param { source: "x" batch_size: 3 } }
`
	f, err := caffe.ParseNetPrototxt("net", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	small := model.WithBatch(f, 8)
	sizes := regexp.MustCompile(`batch_size: \d+`).FindAllString(caffe.FormatPrototxt(small.Net), -1)
	want := append(slices.Repeat([]string{"batch_size: 8"}, 5), "batch_size: 3")
	if !slices.Equal(sizes, want) {
		t.Errorf("%v, wanted %v", sizes, want)
	}
	if f.Net.Layer[0].GetDataParam().GetBatchSize() != 64 {
		t.Error("the net itself was changed")
	}
}
