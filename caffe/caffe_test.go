package caffe

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"dns-tui/caffe/caffepb"
)

const testdata = "../testdata"

func TestPrototxtErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{
			"unknown field",
			"name: \"x\"\nlayer {\n  name: \"a\"\n  botom: \"b\"\n}\n",
			`n.prototxt:4: unknown field "botom" in LayerParameter; did you mean "bottom"?`,
		},
		{
			"unknown nested field",
			"layer {\n convolution_param {\n  kernal_size: 3\n }\n}",
			`n.prototxt:3: unknown field "kernal_size" in ConvolutionParameter; did you mean "kernel_size"?`,
		},
		{
			"a solver",
			"base_lr: 0.1\nmax_iter: 5\n",
			`n.prototxt:1: this is a solver, not a net; wanted the net that it names`,
		},
		{"no close name", "zzzzqqqq: 1", `n.prototxt:1: unknown field "zzzzqqqq" in NetParameter`},
		{
			"wrong kind of value",
			"layer {\n  loss_weight: \"x\"\n}",
			`n.prototxt:2: layer: loss_weight: "x" is not a float`,
		},
		{"unknown enum", "layer {\n pooling_param {\n pool: MEDIAN } }", `n.prototxt:3:`},
		{"unclosed brace", "layer {\n  name: \"a\"\n", `n.prototxt:2: ends too early`},
		{"twice", "name: \"a\"\nname: \"b\"", `n.prototxt:2:`},
		{"binary", "layer\x00", `n.prototxt:1: a zero byte`},
		{"binary from the start", "\x89DNZ", `n.prototxt:1: it begins with the byte 0x89: this is a binary file`},
		{
			"enum",
			"layer {\n  pooling_param { pool: MAXX } }",
			"n.prototxt:2: pooling_param: pool: MAXX; did you mean MAX?",
		},
		{
			"enum, nothing like it",
			"layer {\n  pooling_param { pool: FOO } }",
			"pool: FOO; wanted one of MAX, AVE, STOCHASTIC",
		},
		{
			"negative",
			"layer { convolution_param {\n\n pad: 1 stride: -2 } }",
			"n.prototxt:3: convolution_param: stride: -2 is not a uint32; wanted at least 0",
		},
		{
			"number",
			"layer {\n relu_param { negative_slope: x } }",
			"n.prototxt:2: relu_param: negative_slope: x is not a float",
		},
		{
			"V0 layers",
			"layers { layer { name: \"a\" type: \"convo\" } }",
			`layer "a" has the V0 type "convo", which Caffe does not have; did you mean "conv"?`,
		},
		{"both forms", "layers { type: RELU } layer { type: \"ReLU\" }", `1 layers in the V1 form`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseNetPrototxt("n.prototxt", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwanted %s", err, c.want)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	whole, err := os.ReadFile(filepath.Join(testdata, "oracle/solvers/sgd_inv_init.caffemodel"))
	if err != nil {
		t.Fatal(err)
	}
	big := write("big.caffemodel", nil)
	if err := os.Truncate(big, MaxMessageBytes+1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "none"), "no such file"},
		{"empty", write("empty", nil), "is empty"},
		{"folder", dir, "is a directory"},
		{"cut short", write("cut", whole[:len(whole)-100]), "is not a caffemodel, or is cut short"},
		{"a text", write("text", []byte("layer {\n  name: \"a\"\n}\n")), "is not a caffemodel but a text"},
		{"random", write("random", []byte("\xff\xfe\xfd\x01\x02random")), "is not a caffemodel"},
		{"other message", write("other", []byte{0x0a, 0x01, 'x'}), "holds no layer"},
		{"beyond 2 GiB", big, "at most 2 GiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadNet(c.path)
			var fe *FileError
			if !errors.As(err, &fe) || !strings.Contains(fe.Msg, c.want) || fe.Path != c.path {
				t.Errorf("got %v, wanted %q about %s", err, c.want, c.path)
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	n, err := ReadNet(filepath.Join(testdata, "oracle/solvers/dns_official_mini_init.caffemodel"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "n.caffemodel")
	if err := WriteBinary(path, n); err != nil {
		t.Fatal(err)
	}
	again, err := ReadNet(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(n, again, protocmp.Transform()); d != "" {
		t.Error(d)
	}
	text := FormatPrototxt(n)
	fromText := &caffepb.NetParameter{}
	if err := ParsePrototxt("n", []byte(text), fromText); err != nil {
		t.Fatal(err)
	}
	for _, l := range n.Layer {
		l.ProtoReflect().SetUnknown(nil)
	}
	if !proto.Equal(n, fromText) {
		t.Error("text form does not read back")
	}
	if text != FormatPrototxt(fromText) {
		t.Error("text form is not stable")
	}
}

// The authors' fork stores its settings under the numbers of elu_param and bias_param.
func TestOfficialFields(t *testing.T) {
	n, err := ReadNet(filepath.Join(testdata, "models/lenet5_sparse.caffemodel"))
	if err != nil {
		t.Fatal(err)
	}
	rates := map[string]float32{}
	for _, l := range n.Layer {
		if l.EluParam != nil || l.BiasParam != nil {
			t.Errorf("layer %s still has elu_param or bias_param", l.GetName())
		}
		if p := l.CconvolutionParam; p != nil {
			rates[l.GetName()] = p.GetCRate()
		}
		if p := l.CinnerProductParam; p != nil {
			rates[l.GetName()] = p.GetCRate()
		}
	}
	if len(rates) != 4 || rates["conv1"] != 2 {
		t.Errorf("c_rate of the released model is %v; wanted four layers, 2 in conv1", rates)
	}
}

func TestDefaults(t *testing.T) {
	if v := (&caffepb.FillerParameter{}).GetValue(); v != 0 {
		t.Errorf("a constant filler starts at %g, wanted 0", v)
	}
	if v := (&caffepb.ConvolutionParameter{}).GetThreshold(); v != 0.6 {
		t.Errorf("threshold of a convolution is %g, wanted 0.6", v)
	}
	if v := (&caffepb.InnerProductParameter{}).GetThreshold(); v != 1.281 {
		t.Errorf("threshold of an inner product is %g, wanted 1.281", v)
	}
	if v := (&caffepb.SolverParameter{}).GetSurgeryIterGamma(); v != 1e-4 {
		t.Errorf("surgery_iter_gamma is %g, wanted 1e-4", v)
	}
}

func TestLegacyBlob(t *testing.T) {
	b, err := ReadMean(filepath.Join(testdata, "oracle/old/mnist1280_mean.binaryproto"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{1, 1, 28, 28}, Shape(b)); d != "" || !IsLegacy(b) {
		t.Errorf("shape of an old mean image: %s, legacy %t", d, IsLegacy(b))
	}
}

func TestInputUpgrade(t *testing.T) {
	f, err := ParseNetPrototxt(
		"n",
		[]byte(
			"input: \"data\"\ninput_dim: 2 input_dim: 1 input_dim: 12 input_dim: 12\nlayer { name: \"r\" type: "+
				"\"ReLU\" bottom: \"data\" top: \"r\" }",
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	in := f.Net.Layer[0]
	if in.GetType() != "Input" || len(in.InputParam.Shape) != 1 || len(in.InputParam.Shape[0].Dim) != 4 ||
		f.Line(1) != 3 {
		t.Errorf("upgraded input is %v, line of the next layer %d", in, f.Line(1))
	}
}

// A V0 and a V1 net become what Caffe's own tool makes of it.
func TestUpgradeIsCaffes(t *testing.T) {
	for _, form := range []string{"v0", "v1"} {
		out := filepath.Join(t.TempDir(), "out.prototxt")
		did, err := UpgradeFile(filepath.Join(testdata, "oracle/old", form+".prototxt"), out)
		if err != nil || len(did) != 2 {
			t.Fatalf("%v, %v", did, err)
		}
		got, want := &caffepb.NetParameter{}, &caffepb.NetParameter{}
		if err := errors.Join(
			ReadPrototxt(out, got),
			ReadPrototxt(filepath.Join(testdata, "oracle/old", form+"_upgraded_by_caffe.prototxt"), want),
		); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
			t.Errorf("%s: %s", form, d)
		}
		if did, err := Upgrade(got); len(did) != 0 || err != nil {
			t.Errorf("a net that is up to date: %v, %v", did, err)
		}
	}
}

func TestUpgradeFields(t *testing.T) {
	f, err := ParseNetPrototxt("n", []byte(`
layers { name: "d" type: DATA top: "data" data_param { source: "x" scale: 0.5 mirror: true crop_size: 7 } }
layers {
  name: "a" type: INNER_PRODUCT bottom: "data" top: "a" param: "w" blob_share_mode: PERMISSIVE blobs_lr: 1
  blobs_lr: 2 weight_decay: 1 weight_decay: 0 inner_product_param { num_output: 3 }
}
layers { name: "l" type: SOFTMAX_LOSS bottom: "a" bottom: "a" top: "l" loss_weight: 2 }`))
	if err != nil {
		t.Fatal(err)
	}
	want := &caffepb.NetParameter{}
	if err := ParsePrototxt("w", []byte(`
layer {
  name: "d" type: "Data" top: "data" transform_param { scale: 0.5 mirror: true crop_size: 7 }
  data_param { source: "x" }
}
layer {
  name: "a" type: "InnerProduct" bottom: "data" top: "a"
  param { name: "w" share_mode: PERMISSIVE lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  inner_product_param { num_output: 3 }
}
layer { name: "l" type: "SoftmaxWithLoss" bottom: "a" bottom: "a" top: "l" loss_weight: 2 }`), want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, f.Net, protocmp.Transform()); d != "" {
		t.Error(d)
	}
	if f.Line(2) != 7 {
		t.Errorf("line of the third layer is %d, wanted 7", f.Line(2))
	}
	f, err = ParseNetPrototxt(
		"n",
		[]byte(`layer { name: "b" type: "BatchNorm" bottom: "x" top: "y" param { lr_mult: 1 } param {} param {} }`),
	)
	if err != nil || len(f.Upgraded) != 1 || f.Net.Layer[0].Param[0].GetLrMult() != 0 ||
		f.Net.Layer[0].Param[2].GetDecayMult() != 0 {
		t.Errorf("BatchNorm's statistics: %v, %v", f.Net.Layer[0].Param, err)
	}
}

// A V0 net, with padding layers, fields of every kind and blobs, becomes what Caffe's tool makes of it; a field that a
// layer has no use for is left out and named.
func TestUpgradeV0(t *testing.T) {
	f, err := ParseNetPrototxt("n", []byte(`name: "old"
input: "more"
input_dim: 1
input_dim: 2
input_dim: 3
input_dim: 4
layers {
  layer {
    name: "data" type: "data" source: "db" meanfile: "mean" batchsize: 256 cropsize: 227 mirror: true
    rand_skip: 7 scale: 0.5
  }
  top: "data" top: "label"
}
layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
layers {
  layer {
    name: "conv1" type: "conv" num_output: 96 kernelsize: 5 group: 2 stride: 4 biasterm: false
    weight_filler { type: "gaussian" std: 0.01 } blobs_lr: 1. weight_decay: 1.
  }
  bottom: "pad1" top: "conv1"
}
layers {
  layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 stride: 2 dropout_ratio: 0.3 } bottom: "conv1"
  top: "pool1"
}
layers {
  layer { name: "norm1" type: "lrn" local_size: 5 alpha: 0.0001 beta: 0.75 k: 2 } bottom: "pool1" top: "norm1"
}
layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.2 } bottom: "norm1" top: "norm1" }
layers {
  layer {
    name: "fc" type: "innerproduct" num_output: 10 bias_filler { value: 1 }
    blobs { num: 1 channels: 1 height: 1 width: 2 data: 3 data: 4 }
  }
  bottom: "norm1" top: "fc"
}
layers {
  layer {
    name: "imgs" type: "images" source: "list" batchsize: 3 shuffle_images: true new_height: 5 new_width: 6
  }
  top: "i" top: "l"
}
layers {
  layer {
    name: "win" type: "window_data" source: "w" det_fg_threshold: 0.4 det_bg_threshold: 0.3
    det_fg_fraction: 0.2 det_context_pad: 1 det_crop_mode: "square"
  }
  top: "w" top: "wl"
}
layers { layer { name: "cat" type: "concat" concat_dim: 0 } bottom: "i" bottom: "w" top: "cat" }
layers { layer { name: "loss" type: "softmax_loss" } bottom: "fc" bottom: "label" top: "loss" }
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &caffepb.NetParameter{}
	if err := ParsePrototxt("w", []byte(`name: "old"
layer { name: "input" type: "Input" top: "more" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } } }
layer {
  name: "data" type: "Data" top: "data" top: "label" data_param { source: "db" batch_size: 256 rand_skip: 7 }
  transform_param { mean_file: "mean" crop_size: 227 mirror: true scale: 0.5 }
}
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 1 decay_mult: 1 }
  convolution_param {
    num_output: 96 kernel_size: 5 group: 2 stride: 4 bias_term: false pad: 2
    weight_filler { type: "gaussian" std: 0.01 }
  }
}
layer {
  name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 }
}
layer {
  name: "norm1" type: "LRN" bottom: "pool1" top: "norm1"
  lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 k: 2 }
}
layer { name: "drop" type: "Dropout" bottom: "norm1" top: "norm1" dropout_param { dropout_ratio: 0.2 } }
layer {
  name: "fc" type: "InnerProduct" bottom: "norm1" top: "fc"
  inner_product_param { num_output: 10 bias_filler { value: 1 } }
  blobs { num: 1 channels: 1 height: 1 width: 2 data: 3 data: 4 }
}
layer {
  name: "imgs" type: "ImageData" top: "i" top: "l"
  image_data_param { source: "list" batch_size: 3 shuffle: true new_height: 5 new_width: 6 }
}
layer {
  name: "win" type: "WindowData" top: "w" top: "wl"
  window_data_param {
    source: "w" fg_threshold: 0.4 bg_threshold: 0.3 fg_fraction: 0.2 context_pad: 1 crop_mode: "square"
  }
}
layer { name: "cat" type: "Concat" bottom: "i" bottom: "w" top: "cat" concat_param { concat_dim: 0 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
`), want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, f.Net, protocmp.Transform()); d != "" {
		t.Error(d)
	}
	if len(f.Upgraded) != 3 || f.Upgraded[0] != "11 layers in the V0 form of 2013" ||
		f.Upgraded[1] != `fields that their layers have no use for, left out: dropout_ratio of layer "pool1" (pool)` {
		t.Errorf("said %q", f.Upgraded)
	}
	for i, line := range map[int]int{0: 1, 1: 7, 2: 15, 3: 22, 10: 51} {
		if f.Line(i) != line {
			t.Errorf("layer %d is said to be in line %d, wanted %d", i, f.Line(i), line)
		}
	}
	for text, want := range map[string]string{
		`layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" }
layers { layer { name: "r" type: "relu" } bottom: "p" top: "r" }`: `unknown bottom blob "x"`,
		`input: "x"
layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" }
layers { layer { name: "r" type: "relu" } bottom: "p" top: "r" }`: `layer "r" (relu) is padded by ` +
			`layer "p"; wanted a conv or a pool`,
	} {
		if _, err := ParseNetPrototxt("n", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, wanted %q", text, err, want)
		}
	}
}

// Every V0 field that Caffe moves has a place of its kind in V1, and every V0 field is moved but two that Caffe never
// read.
func TestV0FieldsFit(t *testing.T) {
	fields := (&caffepb.V0LayerParameter{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		paths := v0Fields[fd.Name()]
		if len(paths) == 0 && fd.Name() != "type" && fd.Name() != "new_num" && fd.Name() != "new_channels" {
			t.Errorf("V0 field %s goes nowhere", fd.Name())
		}
		for _, path := range paths {
			l := &caffepb.V1LayerParameter{}
			from := (&caffepb.V0LayerParameter{}).ProtoReflect()
			setPath(l.ProtoReflect(), path, fd, from.NewField(fd))
			if proto.Size(l) == 0 && !fd.IsList() {
				t.Errorf("V0 field %s was not set at %s", fd.Name(), path)
			}
		}
	}
}

// A binary net of 2013 loads.
func TestReadsV0Caffemodel(t *testing.T) {
	n := &caffepb.NetParameter{
		Layers: []*caffepb.V1LayerParameter{
			{Bottom: []string{"x"}, Top: []string{"y"}, Layer: &caffepb.V0LayerParameter{
				Name: proto.String("fc"), Type: proto.String("innerproduct"), NumOutput: proto.Uint32(1),
				Blobs: []*caffepb.BlobProto{NewBlob([]int{1, 2}, []float32{5, 6})},
			}},
		},
		Input:    []string{"x"},
		InputDim: []int32{1, 2, 1, 1},
	}
	path := filepath.Join(t.TempDir(), "old.caffemodel")
	if err := WriteBinary(path, n); err != nil {
		t.Fatal(err)
	}
	got, err := ReadNet(path)
	if err != nil || len(got.Layer) != 2 || got.Layer[1].GetType() != "InnerProduct" ||
		got.Layer[1].Blobs[0].Data[1] != 6 {
		t.Errorf("%v, %v", got, err)
	}
}

// upgrade writes solvers too: the enum of their type becomes its name.
func TestUpgradeSolverFile(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	if err := os.WriteFile(in, []byte("net: \"n\"\nsolver_type: NESTEROV\nbase_lr: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	did, err := UpgradeFile(in, out)
	if err != nil || len(did) != 1 {
		t.Fatalf("%v, %v", did, err)
	}
	s := &caffepb.SolverParameter{}
	if err := ReadPrototxt(out, s); err != nil || s.GetType() != "Nesterov" || s.SolverType != nil ||
		s.GetNet() != "n" {
		t.Errorf("%v, %v", s, err)
	}
}

// Every V1 type has a present name.
func TestV1TypesAreAll(t *testing.T) {
	values := caffepb.V1LayerParameter_NONE.Descriptor().Values()
	for i := range values.Len() {
		if _, ok := v1Types[caffepb.V1LayerParameter_LayerType(values.Get(i).Number())]; !ok {
			t.Errorf("V1 type %s has no present name", values.Get(i).Name())
		}
	}
}

// A write that fails leaves the old file and no temporary one.
func TestWriteFileKeepsTheOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := WriteFile(path, func(w io.Writer) error { _, err := w.Write([]byte("old")); return err }); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	err := WriteFile(path, func(w io.Writer) error {
		if _, err := w.Write(bytes.Repeat([]byte("x"), 3<<20)); err != nil {
			return err
		}
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("got %v, wanted the cause", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "old" {
		t.Errorf("the old file is %q", data)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files left, wanted 1", len(left))
	}
	if err := WriteFile(filepath.Join(dir, "no", "f"), func(io.Writer) error { return nil }); err == nil ||
		strings.Contains(err.Error(), ".f.") {
		t.Errorf("got %v, wanted an error without the temporary name", err)
	}
}

func FuzzPrototxt(f *testing.F) {
	for _, name := range []string{"nets/lenet_dns.prototxt", "nets/cifar10_full.prototxt"} {
		data, err := os.ReadFile(filepath.Join(testdata, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("layer { name: 'a' # comment\n bottom: \"x\\\"\" }"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := ParseNetPrototxt("f", data)
		if err != nil {
			var fe *FileError
			if !errors.As(err, &fe) || fe.Msg == "" {
				t.Errorf("error %v is no FileError with a message", err)
			}
			return
		}
		// What was read is written as prototxt that says the same.
		text := FormatPrototxt(n.Net)
		again, err := ParseNetPrototxt("again", []byte(text))
		if err != nil {
			t.Fatalf("what was read is not written as prototxt: %v\n%s", err, text)
		}
		if d := cmp.Diff(n.Net, again.Net, protocmp.Transform(), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("read, written and read again (-first +again):\n%s", d)
		}
	})
}

func FuzzNet(f *testing.F) {
	data, err := os.ReadFile(filepath.Join(testdata, "oracle/layers/relu.caffemodel"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		n := &caffepb.NetParameter{}
		if proto.Unmarshal(data, n) != nil {
			return
		}
		for _, l := range n.Layer {
			_, _ = adoptFork(l) // what it cannot take over it says
			for _, b := range l.Blobs {
				if CheckBlob(b) == nil && Count(Shape(b)) != len(Values(b)) {
					t.Errorf("CheckBlob passes shape %v with %d values", Shape(b), len(Values(b)))
				}
			}
		}
		// A net that a file holds is the same in a file that is made of it.
		path := filepath.Join(t.TempDir(), "n.caffemodel")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		first, err := ReadNet(path)
		if err != nil {
			return
		}
		if err := WriteNet(path, first); err != nil {
			t.Fatalf("what was read is not written: %v", err)
		}
		again, err := ReadNet(path)
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if d := cmp.Diff(first, again, protocmp.Transform(), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("read, written and read again (-first +again):\n%s", d)
		}
	})
}
