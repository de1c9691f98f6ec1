package model_test

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/layer"
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

const imageInput = `layer { name: "in" type: "Input" top: "x" top: "label" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 } } }
`

// Every error names file, line, layer and kind, what was found and what is wanted.
func TestNetErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown type", `layer { name: "l" type: "Convolutoin" bottom: "x" top: "y" }`, `n.prototxt:2: layer "l": (Convolutoin) unknown layer type "Convolutoin"; did you mean "Convolution"?`},
		{"Python", `layer { name: "l" type: "Python" bottom: "x" top: "y" python_param { module: "m" layer: "L" } }`, `layer type "Python" runs code of the user's (module "m", layer "L")`},
		{"unknown bottom", `layer { name: "l" type: "ReLU" bottom: "xx" top: "y" }`, `unknown bottom blob "xx"; did you mean "x"?`},
		{"no bottom", `layer { name: "l" type: "ReLU" top: "y" }`, `0 bottom blobs; wanted 1`},
		{"kernel missing", `layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 } }`, `kernel is 0x0; wanted at least 1x1`},
		{"stride 0", `layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 3 stride: 0 } }`, `stride is 0x0`},
		{"group", `layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 3 group: 2 } }`, `group is 2; wanted a divisor of the 3 input channels and of num_output 2`},
		{"kernel too large", `layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 9 } }`, `is larger than bottom "x", 8x8`},
		{"shapes", `layer { name: "c" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 3 } }
layer { name: "l" type: "Eltwise" bottom: "x" bottom: "y" top: "z" }`, `"x" of layer "in", 2x3x8x8; "y" of layer "c", 2x2x6x6`},
		{"labels", `layer { name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "label" top: "z" }`, `bottom "label" (2) has 2 labels for the 128 places of bottom "x" (2x3x8x8)`},
		{"top twice", `layer { name: "a" type: "ReLU" bottom: "x" top: "y" } layer { name: "l" type: "ReLU" bottom: "x" top: "y" }`, `top blob "y" is made by layer "a" already`},
		{"filler", `layer { name: "l" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 weight_filler { type: "xaver" } } }`, `unknown filler type "xaver"; did you mean "xavier"?`},
		{"include and exclude", `layer { name: "l" type: "ReLU" bottom: "x" top: "y" include { phase: TRAIN } exclude { phase: TEST } }`, `include and exclude rules`},
		{"missing database", `layer { name: "l" type: "Data" top: "d" data_param { source: "nowhere_lmdb" batch_size: 2 backend: LMDB } }`, `nowhere_lmdb: no such LMDB folder`},
		{"batch size", `layer { name: "l" type: "Data" top: "d" data_param { source: "` + modeltest.Root("oracle/solvers/mnist1280_lmdb") + `" backend: LMDB } }`, `batch_size is 0`},
		{"pool", `layer { name: "l" type: "Pooling" bottom: "x" top: "y" pooling_param { kernel_size: 2 pad: 2 } }`, `pad is 2x2; wanted less than the kernel`},
		{"dropout", `layer { name: "l" type: "Dropout" bottom: "x" top: "y" dropout_param { dropout_ratio: 1 } }`, `dropout_ratio is 1`},
		{"slice points", `layer { name: "l" type: "Slice" bottom: "x" top: "a" top: "b" slice_param { slice_point: 3 } }`, `a slice from 3 to 3 of axis 1 of bottom "x" (2x3x8x8)`},
		{"slice count", `layer { name: "l" type: "Slice" bottom: "x" top: "a" top: "b" }`, `2 tops do not divide axis 1`},
		{"reshape", `layer { name: "l" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 5 dim: -1 } } }`, `the shape 5x76 does not hold the 384 elements`},
		{"two unknown extents", `layer { name: "l" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: -1 dim: -1 } } }`, `dim 1 is -1`},
		{"tiles", `layer { name: "l" type: "Tile" bottom: "x" top: "y" }`, `tiles is 0; wanted at least 1`},
		{"reduction axis", `layer { name: "l" type: "Reduction" bottom: "x" top: "y" reduction_param { axis: 4 } }`, `axis is 4`},
		{"crop", `layer { name: "l" type: "Crop" bottom: "x" bottom: "x" top: "y" crop_param { offset: 1 } }`, `8 elements from 1 on reach beyond axis 2`},
		{"log base", `layer { name: "l" type: "Log" bottom: "x" top: "y" log_param { base: 1 } }`, `log_param: base is 1`},
		{"bias axes", `layer { name: "l" type: "Bias" bottom: "x" top: "y" bias_param { axis: 3 num_axes: 2 } }`, `axis 3 and 2 axes reach beyond bottom "x"`},
		{"kernel_h over one axis", `layer { name: "r" type: "Flatten" bottom: "x" top: "f" flatten_param { axis: 2 } } layer { name: "l" type: "Convolution" bottom: "f" top: "y" convolution_param { num_output: 2 kernel_h: 1 kernel_w: 1 } }`, `kernel_h and kernel_w go with 2 spatial axes; the bottom has 1`},
		{"kernel sizes", `layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 3 kernel_size: 3 kernel_size: 3 } }`, `3 values of kernel; wanted 1, or one for each of the 2 spatial axes`},
		{"negative pad", `layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 3 pad: -1 } }`, `n.prototxt:2: convolution_param: pad: -1 is no uint32; wanted at least 0`},
		{"no outputs", `layer { name: "l" type: "Deconvolution" bottom: "x" top: "y" convolution_param { kernel_size: 3 } }`, `num_output is 0; wanted at least 1`},
		{"im2col of a vector", `layer { name: "l" type: "Im2col" bottom: "label" top: "y" convolution_param { kernel_size: 3 } }`, `axis is 1; blob "label" has the shape 2`},
		{"padded STOCHASTIC", `layer { name: "l" type: "Pooling" bottom: "x" top: "y" pooling_param { pool: STOCHASTIC kernel_size: 2 pad: 1 } }`, `pad is 1x1; pool STOCHASTIC wants 0`},
		{"pyramid", `layer { name: "l" type: "SPP" bottom: "x" top: "y" spp_param { pyramid_height: 5 } }`, `level 4 of 5 over planes of 8x8: 16 bins want padding 4x4 for a window of 1x1`},
		{"pyramid of 0", `layer { name: "l" type: "SPP" bottom: "x" top: "y" }`, `pyramid_height is 0; wanted 1 to 16`},
		{"recurrent cont", `layer { name: "l" type: "LSTM" bottom: "x" bottom: "label" top: "y" recurrent_param { num_output: 3 } }`, `bottom "label", which says where sequences go on, has the shape 2; wanted 2x3: time steps, streams`},
		{"recurrent outputs", `layer { name: "l" type: "RNN" bottom: "x" bottom: "label" top: "y" }`, `recurrent_param: num_output is 0`},
		{"hidden states", `layer { name: "i" type: "Input" top: "c" input_param { shape { dim: 2 dim: 3 } } } layer { name: "l" type: "LSTM" bottom: "x" bottom: "c" top: "y" recurrent_param { num_output: 3 expose_hidden: true } }`, `2 bottoms; wanted 4, or one more for a static input (expose_hidden: true)`},
		{"gates", `layer { name: "i" type: "Input" top: "a" top: "b" top: "c" input_param { shape { dim: 1 dim: 2 dim: 3 } shape { dim: 1 dim: 2 dim: 11 } shape { dim: 1 dim: 2 } } } layer { name: "l" type: "LSTMUnit" bottom: "a" bottom: "b" bottom: "c" top: "d" top: "e" }`, `bottom "b" has the shape 1x2x11; wanted 1x2x12: four gate inputs a cell`},
		{"selector", `layer { name: "l" type: "Filter" bottom: "label" bottom: "x" top: "y" }`, `bottom "x", the selector, has the shape 2x3x8x8; wanted one number an example`},
		{"filter tops", `layer { name: "l" type: "Filter" bottom: "x" bottom: "label" top: "y" top: "z" }`, `2 tops; wanted 1, one for each bottom but the selector`},
		{"infogain matrix", `layer { name: "i" type: "Input" top: "s" input_param { shape { dim: 2 dim: 3 } } } layer { name: "l" type: "InfogainLoss" bottom: "s" bottom: "label" top: "y" }`, `infogain_loss_param: source is not set, and there is no third bottom`},
		{"infogain file", `layer { name: "i" type: "Input" top: "s" input_param { shape { dim: 2 dim: 3 } } } layer { name: "l" type: "InfogainLoss" bottom: "s" bottom: "label" top: "y" infogain_loss_param { source: "none.binaryproto" } }`, `none.binaryproto: no such file (wanted a binaryproto matrix)`},
		{"pairs", `layer { name: "i" type: "Input" top: "s" input_param { shape { dim: 2 dim: 3 } } } layer { name: "l" type: "ContrastiveLoss" bottom: "s" bottom: "x" bottom: "label" top: "y" }`, `bottoms "s" (2x3) and "x" (2x3x8x8) do not fit`},
		{"in place", `layer { name: "l" type: "Pooling" bottom: "x" top: "x" pooling_param { kernel_size: 2 } }`, `in place: wanted a top other than "x"`},
		{"propagate_down", `layer { name: "l" type: "ReLU" bottom: "x" top: "y" propagate_down: true propagate_down: false }`, `2 propagate_down for 1 bottoms; wanted none or one for each`},
		{"shared multipliers", `layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" lr_mult: 2 } inner_product_param { num_output: 3 } } layer { name: "l" type: "InnerProduct" bottom: "x" top: "y" param { name: "w" lr_mult: 3 } inner_product_param { num_output: 3 } }`, `lr_mult of a shared parameter is 3 here, and 2 in layer "a"`},
		{"loss tops", `layer { name: "l" type: "MultinomialLogisticLoss" bottom: "x" bottom: "label" top: "y" top: "z" }`, `2 top blobs; wanted 1`},
		{"deconvolution", `layer { name: "l" type: "Deconvolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 1 pad: 9 } }`, `pad 9x9 leaves an output of -10x-10`},
		{"losses", `layer { name: "l" type: "EuclideanLoss" bottom: "x" bottom: "label" top: "y" }`, `bottoms "x" (2x3x8x8) and "label" (2) do not fit`},
		{"too many param", `layer { name: "l" type: "InnerProduct" bottom: "x" top: "y" param {} param {} param {} param {} inner_product_param { num_output: 2 } }`, `4 param; wanted at most`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := build(t, imageInput+c.text, caffepb.Phase_TRAIN)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "n.prototxt:") {
				t.Errorf("got  %v\nwanted %s", err, c.want)
			}
		})
	}
}

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
layer { name: "a" type: "InnerProduct" bottom: "x" top: "u" param { name: "w" } param { name: "b" } inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "x" top: "v" param { name: "w" } param { name: "b" } inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "s" type: "Eltwise" bottom: "u" bottom: "v" top: "y" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }`, caffepb.Phase_TRAIN)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(n.Params()); got != 2 {
		t.Errorf("%d parameters, wanted 2", got)
	}
	_, err = build(t, imageInput+`
layer { name: "a" type: "InnerProduct" bottom: "x" top: "u" param { name: "w" } inner_product_param { num_output: 4 } }
layer { name: "b" type: "InnerProduct" bottom: "x" top: "v" param { name: "w" } inner_product_param { num_output: 5 } }`, caffepb.Phase_TRAIN)
	if err == nil || !strings.Contains(err.Error(), `shape 5x192 here, and 4x192 in layer "a"`) {
		t.Errorf("shapes that differ: %v", err)
	}
}

func TestFillers(t *testing.T) {
	const n = 40000
	for _, c := range []struct {
		filler    string
		shape     []int
		mean, std float64
	}{
		{"type: 'constant' value: 3", []int{200, 200}, 3, 0},
		{"type: 'uniform' min: -1 max: 3", []int{200, 200}, 1, 4 / math.Sqrt(12)},
		{"type: 'gaussian' mean: 2 std: 0.5", []int{200, 200}, 2, 0.5},
		{"type: 'xavier'", []int{200, 200}, 0, math.Sqrt(1.0 / 200)},
		{"type: 'xavier' variance_norm: FAN_OUT", []int{400, 100}, 0, math.Sqrt(1.0 / 400)},
		{"type: 'msra' variance_norm: AVERAGE", []int{400, 100}, 0, math.Sqrt(2.0 / 250)},
		{"type: 'positive_unitball'", []int{200, 200}, 1.0 / 200, 1.0 / 200 / math.Sqrt(3)},
	} {
		f := &caffepb.FillerParameter{}
		if err := caffe.ParsePrototxt("f", []byte(c.filler), f); err != nil {
			t.Fatal(err)
		}
		v := make([]float32, n)
		if err := layer.Fill(f, c.shape, gpu.Key{Seed: 1}, v); err != nil {
			t.Fatal(err)
		}
		mean, sq := 0.0, 0.0
		for _, x := range v {
			mean += float64(x) / n
		}
		for _, x := range v {
			sq += math.Pow(float64(x)-mean, 2) / n
		}
		if math.Abs(mean-c.mean) > 0.02*math.Max(c.std, 1e-3) || math.Abs(math.Sqrt(sq)-c.std) > 0.02*c.std+1e-7 {
			t.Errorf("%s: mean %g std %g, wanted %g and %g", c.filler, mean, math.Sqrt(sq), c.mean, c.std)
		}
	}
	v := make([]float32, n)
	f := &caffepb.FillerParameter{Type: proto.String("gaussian"), Sparse: proto.Int32(20)}
	if err := layer.Fill(f, []int{200, 200}, gpu.Key{Seed: 1}, v); err != nil {
		t.Fatal(err)
	}
	nonZero := 0
	for _, x := range v {
		if x != 0 {
			nonZero++
		}
	}
	if math.Abs(float64(nonZero)/n-0.1) > 0.01 {
		t.Errorf("sparse: %d of %d are not zero, wanted a tenth", nonZero, n)
	}
	v = make([]float32, 16)
	if err := layer.Fill(&caffepb.FillerParameter{Type: proto.String("bilinear")}, []int{1, 1, 4, 4}, gpu.Key{}, v); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{0.0625, 0.1875, 0.1875, 0.0625} {
		if v[i] != want {
			t.Errorf("bilinear[%d] is %g, wanted %g", i, v[i], want)
		}
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
		{"part", []string{file("part", "a 3", "c 3", "d 3")}, false, []string{"part: not used, for the net has no such layer: layers c, d", "no weights for layer b"}, ""},
		{"shape", []string{file("shape", "a 3", "b 3")}, false, nil, "layer \"b\": blob 0 has the shape 2x3 in the file, the net wants 2x2 (--skip-mismatched"},
		{"several shapes", []string{file("shapes", "a 2", "b 3")}, false, nil, "layer \"b\": blob 0 has the shape 2x3"},
		{"shape left out", []string{file("shape", "a 3", "b 3")}, true, []string{"layer \"b\" is left out: blob 0", "no weights for layer b"}, ""},
		{"nothing", []string{file("nothing", "b 3")}, true, nil, "weights of another net"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := build(t, text, caffepb.Phase_TEST)
			if err != nil {
				t.Fatal(err)
			}
			l, err := n.LoadFiles(c.files, model.LoadOptions{SkipMismatched: c.skip})
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
		{"plain without bias", "InnerProduct", "bias_term: false", []*caffepb.BlobProto{w}, false, []float32{4, 15}, ""},
		{"seed", "InnerProduct", "", []*caffepb.BlobProto{w, bias, mw}, false, []float32{8, 18}, ""},
		{"seed without bias", "InnerProduct", "bias_term: false", []*caffepb.BlobProto{w, mw}, false, []float32{1, 10}, ""},
		{"official", "CInnerProduct", "", []*caffepb.BlobProto{w, bias, mw, mb}, false, []float32{1, 18}, ""},
		{"official into seed", "InnerProduct", "", []*caffepb.BlobProto{w, bias, mw, mb}, false, []float32{1, 18}, ""},
		{"seed into official", "CInnerProduct", "", []*caffepb.BlobProto{w, bias, mw}, false, []float32{8, 18}, ""},
		{"masks from zeros", "InnerProduct", "", []*caffepb.BlobProto{w, bias}, true, []float32{11, 23}, ""},
		{"too few", "InnerProduct", "", []*caffepb.BlobProto{w}, false, nil, `layer "l": the file has 1 blobs (2x3), the net wants 2 (2x3, 2)`},
		{"too many", "InnerProduct", "", []*caffepb.BlobProto{w, bias, mw, mb, mb}, false, nil, "the file has 5 blobs"},
		{"shape", "InnerProduct", "", []*caffepb.BlobProto{caffe.NewBlob([]int{3, 2}, make([]float32, 6)), bias}, false, nil, `blob 0 has the shape 3x2 in the file, the net wants 2x3`},
		{"count", "InnerProduct", "", []*caffepb.BlobProto{caffe.NewBlob([]int{2, 3}, make([]float32, 5)), bias}, false, nil, `holds 5 values, wanted 6`},
		{"mask of other values", "InnerProduct", "", []*caffepb.BlobProto{w, bias, caffe.NewBlob([]int{2, 3}, []float32{0.5, 1, 1e-4, 0.5, 0, 2})}, false,
			[]float32{7.5, 22}, ""},
		{"mask that is no number", "InnerProduct", "", []*caffepb.BlobProto{w, bias, caffe.NewBlob([]int{2, 3}, []float32{1, 1, float32(math.NaN()), 1, 0, 1})},
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
			if got := download(d, n.Blob("y").Data); got[0] != c.want[0] || got[1] != c.want[1] {
				t.Errorf("outputs %v, wanted %v", got, c.want)
			}
			if c.zeros {
				if m := n.Params()[0].Mask(d); m[1] != 0 || m[0] != 1 {
					t.Errorf("mask %v; the zero should start masked", m)
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

// ArgMax over an axis, over whole examples, with values and places.
func TestArgMax(t *testing.T) {
	for _, c := range []struct {
		param, shape string
		want         []float32
	}{
		{"", "2x1x1", []float32{2, 1}},
		{"top_k: 2", "2x1x2", []float32{2, 0, 1, 3}},
		{"top_k: 2 out_max_val: true", "2x2x2", []float32{2, 0, 6, 5, 1, 3, 9, 8}},
		{"axis: 1", "2x1x2", []float32{1, 0, 1, 0}},
		{"axis: 1 top_k: 2 out_max_val: true", "2x2x2", []float32{6, 4, 5, 3, 7, 9, 1, 8}},
		{"axis: -1", "2x2x1", []float32{0, 0, 1, 1}},
	} {
		n, err := build(t, `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 2 } } }
		  layer { name: "l" type: "ArgMax" bottom: "x" top: "y" argmax_param { `+c.param+` } }`, caffepb.Phase_TEST)
		if err != nil {
			t.Fatal(err)
		}
		d := host.New(host.Options{Threads: 1})
		defer d.Close()
		d.Upload(n.Blob("x").Data, []float32{5, 4, 6, 3, 1, 9, 7, 8})
		n.Forward()
		if got := download(d, n.Blob("y").Data); n.Blob("y").FormatShape() != c.shape ||
			fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%q: %s %v, wanted %s %v", c.param, n.Blob("y").FormatShape(), got, c.shape, c.want)
		}
	}
}

// Constant dummy data stays, random dummy data is drawn anew in each pass.
func TestDummyData(t *testing.T) {
	n, err := build(t, `layer { name: "d" type: "DummyData" top: "a" top: "b" dummy_data_param { shape { dim: 2 dim: 3 }
	  data_filler { type: "constant" value: 4 } data_filler { type: "uniform" max: 1 } } }`, caffepb.Phase_TRAIN)
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	n.Forward()
	if a := download(d, n.Blob("a").Data); a[0] != 4 || a[5] != 4 {
		t.Errorf("constant: %v", a)
	}
	if b := download(d, n.Blob("b").Data); b[0] == b[1] || b[0] < 0 || b[0] >= 1 {
		t.Errorf("uniform: %v", b)
	}
}

// propagate_down: false keeps a gradient from a bottom; what stands above it is not trained through that layer.
func TestPropagateDown(t *testing.T) {
	text := imageInput + `
	  layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 1 } } }
	  layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" %s inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 1 } } }
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
	  layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 4 weight_filler { type: "gaussian" std: 1 } } }
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
	  layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "b" lr_mult: 2 } inner_product_param { num_output: 3 } }
	  layer { name: "b" type: "InnerProduct" bottom: "x" top: "b" param { name: "w" lr_mult: 0.5 decay_mult: 0 } param { name: "b" lr_mult: 2 } inner_product_param { num_output: 3 } }
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
