package model_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model"
)

// oldNet draws a net in one of the styles that public files have: the forms of 2013, 2014 and later, inputs said in
// each of the ways, old transformation fields, statistics of BatchNorm with a rate, words of forks.
type oldNet struct {
	t    *rapid.T
	b    strings.Builder
	form string // V0, V1, V2
	top  string
	n    int
}

func (o *oldNet) pick(what string, of ...string) string {
	return rapid.SampledFrom(of).Draw(o.t, what)
}

// layer writes a layer: v0 has the type's name and fields in V0's words, v1 the enum, v2 the name, with settings in
// either.
func (o *oldNet) layer(v0, v1, v2, v0Fields, settings, extra string) {
	o.n++
	next := fmt.Sprintf("b%d", o.n)
	name, io := fmt.Sprintf("l%d", o.n), fmt.Sprintf("bottom: %q top: %q", o.top, next)
	switch {
	case o.form == "V0" && v0 != "":
		fmt.Fprintf(&o.b, "layers { layer { name: %q type: %q %s } %s }\n", name, v0, v0Fields, io)
	case o.form == "V2":
		fmt.Fprintf(&o.b, "layer { name: %q type: %q %s %s %s }\n", name, v2, io, settings, extra)
	case v1 != "":
		fmt.Fprintf(&o.b, "layers { name: %q type: %s %s %s }\n", name, v1, io, settings)
	default:
		return
	}
	o.top = next
}

func (o *oldNet) inputs() {
	o.top = "data"
	way := o.pick("input", "dims", "shape", "layer", "layer and a name", "data", "data, old fields")
	if o.form != "V2" && strings.HasPrefix(way, "layer") {
		way = "dims"
	}
	crop := "crop_size: 12 mirror: true scale: 0.5"
	switch way {
	case "dims":
		o.b.WriteString("input: \"data\" input_dim: 2 input_dim: 3 input_dim: 12 input_dim: 12\n")
		if rapid.Bool().Draw(o.t, "two inputs") {
			o.b.Reset()
			o.b.WriteString(
				"input: \"data\" input: \"other\" input_dim: 2 input_dim: 3 input_dim: 12 input_dim: 12 input_dim: " +
					"2 input_dim: 1 input_dim: 1 input_dim: 1\n",
			)
		}
	case "shape":
		o.b.WriteString("input: \"data\" input_shape { dim: 2 dim: 3 dim: 12 dim: 12 }\n")
	case "layer", "layer and a name":
		if way != "layer" {
			o.b.WriteString("input: \"data\"\n")
		}
		o.b.WriteString(
			"layer { name: \"data\" type: \"Input\" top: \"data\" input_param { shape { dim: 2 dim: 3 dim: 12 dim: " +
				"12 } } }\n",
		)
	default:
		old := way != "data"
		switch {
		case o.form == "V0":
			o.b.WriteString(
				"layers { layer { name: \"data\" type: \"data\" source: \"x_lmdb\" batchsize: 2 cropsize: 12 " +
					"mirror: true scale: 0.5 } top: \"data\" top: \"label\" }\n",
			)
		case o.form == "V1" && old:
			o.b.WriteString(
				"layers { name: \"data\" type: DATA top: \"data\" top: \"label\" data_param { source: \"x_lmdb\" " +
					"batch_size: 2 " + crop + " } }\n",
			)
		case o.form == "V1":
			o.b.WriteString(
				"layers { name: \"data\" type: DATA top: \"data\" top: \"label\" data_param { source: \"x_lmdb\" " +
					"batch_size: 2 } transform_param { " + crop + " } }\n",
			)
		case old:
			o.b.WriteString(
				"layer { name: \"data\" type: \"Data\" top: \"data\" top: \"label\" data_param { source: \"x_lmdb\" " +
					"batch_size: 2 " + crop + " } }\n",
			)
		default:
			o.b.WriteString(
				"layer { name: \"data\" type: \"Data\" top: \"data\" top: \"label\" data_param { source: \"x_lmdb\" " +
					"batch_size: 2 } transform_param { " + crop + " } }\n",
			)
		}
	}
}

func (o *oldNet) draw() string {
	o.form = o.pick("form", "V0", "V1", "V2")
	o.b.WriteString("")
	o.inputs()
	for range rapid.IntRange(1, 6).Draw(o.t, "layers") {
		switch o.pick("layer", "conv", "pad", "pool", "relu", "ip", "bn", "dropout", "lrn", "fork pool", "depthwise") {
		case "conv":
			o.layer(
				"conv",
				"CONVOLUTION",
				"Convolution",
				"num_output: 4 kernelsize: 3 pad: 1 weight_filler { type: \"xavier\" } blobs_lr: 1 blobs_lr: 2 "+
					"weight_decay: 1 weight_decay: 0",
				"convolution_param { num_output: 4 kernel_size: 3 pad: 1 }",
				"param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }",
			)
		case "pad": // V0's padding layer, which goes into the convolution below it
			if o.form == "V0" {
				o.layer("padding", "", "", "pad: 1", "", "")
				o.layer("conv", "", "", "num_output: 4 kernelsize: 3", "", "")
			}
		case "pool":
			o.layer(
				"pool",
				"POOLING",
				"Pooling",
				"pool: MAX kernelsize: 2 stride: 1",
				"pooling_param { pool: MAX kernel_size: 2 stride: 1 }",
				"",
			)
		case "fork pool":
			o.layer(
				"",
				"POOLING",
				"Pooling",
				"",
				"pooling_param { pool: AVE kernel_size: 2 stride: 2 ceil_mode: "+o.pick(
					"ceil",
					"true",
					"false",
				)+" pad_l: 1 pad_r: 1 }",
				"",
			)
		case "relu":
			o.layer("relu", "RELU", "ReLU", "", "", "")
		case "ip":
			o.layer(
				"innerproduct",
				"INNER_PRODUCT",
				"InnerProduct",
				"num_output: 5",
				"inner_product_param { num_output: 5 }",
				"",
			)
			o.layer("", "RESHAPE", "Reshape", "", "reshape_param { shape { dim: 0 dim: 5 dim: 1 dim: 1 } }", "")
			if o.form != "V2" {
				return o.b.String() // what follows wants images
			}
		case "bn":
			o.layer("", "", "BatchNorm", "", "", "param { lr_mult: 1 } param { lr_mult: 0 } param { decay_mult: 1 }")
		case "dropout":
			o.layer("dropout", "DROPOUT", "Dropout", "dropout_ratio: 0.5", "dropout_param { dropout_ratio: 0.5 }", "")
		case "lrn":
			o.layer("lrn", "LRN", "LRN", "local_size: 3", "lrn_param { local_size: 3 }", "")
		case "depthwise":
			if o.form == "V2" {
				o.layer(
					"",
					"",
					"ConvolutionDepthwise",
					"",
					"convolution_param { num_output: 4 kernel_size: 1 group: 1 }",
					"",
				)
			}
		}
	}
	return o.b.String()
}

// shapesOf builds a net without its data, and returns the shapes of its blobs.
func shapesOf(f *caffe.NetFile) (string, error) {
	in, err := model.WithInputs(f, 2, []int{3, 12, 12})
	if err != nil {
		return "", err
	}
	n, err := model.NewNet(
		in,
		model.NetOptions{Device: gpu.NewDry(nil), State: &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}},
	)
	if err != nil {
		return "", err
	}
	defer n.Close()
	var out []string
	for _, name := range n.BlobNames() {
		out = append(out, name+" "+n.Blob(name).FormatShape())
	}
	return strings.Join(out, "; "), nil
}

// loads reports what Caffe would not take in a net: forms and fields of old, inputs that its checks refuse, bottoms
// that nobody made.
func loads(n *caffepb.NetParameter) error {
	if len(n.Layers)+len(n.Input)+len(n.InputDim)+len(n.InputShape) > 0 {
		return fmt.Errorf("fields of old are left")
	}
	made := map[string]bool{}
	for _, l := range n.Layer {
		if l.GetType() == "Input" {
			if k := len(l.InputParam.GetShape()); k != 0 && k != 1 && k != len(l.Top) {
				return fmt.Errorf("Input with %d shapes for %d tops", k, len(l.Top))
			}
		}
		for _, b := range l.Bottom {
			if !made[b] {
				return fmt.Errorf("unknown bottom %q", b)
			}
		}
		for _, t := range l.Top {
			made[t] = true
		}
		if p := l.DataParam; p != nil && (p.Scale != nil || p.MeanFile != nil || p.CropSize != nil || p.Mirror != nil) {
			return fmt.Errorf("transformation fields in data_param")
		}
		if p := l.PoolingParam; p != nil && (p.CeilMode != nil || p.PadL != nil) {
			return fmt.Errorf("fields of a fork in pooling_param")
		}
	}
	return nil
}

// Whatever style a net has: where it builds, upgrade writes a net that builds to the same shapes, that Caffe loads,
// and in which nothing is left to upgrade.
func TestUpgradeWritesWhatLoads(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.prototxt"), filepath.Join(dir, "out.prototxt")
	built := 0
	rapid.Check(t, func(t *rapid.T) {
		text := (&oldNet{t: t}).draw()
		if err := os.WriteFile(in, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		before, err := caffe.ReadNetPrototxt(in)
		if err != nil {
			if _, err := caffe.UpgradeFile(in, out); err == nil {
				t.Fatalf("what cannot be read was upgraded: %s", text)
			}
			return
		}
		want, wantErr := shapesOf(before)
		if _, err := caffe.UpgradeFile(in, out); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		written, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		n := &caffepb.NetParameter{}
		if err := caffe.ReadPrototxt(out, n); err != nil {
			t.Fatalf("%v\n%s\n%s", err, text, written)
		}
		if did, err := caffe.Upgrade(n); err != nil || len(did) > 0 {
			t.Fatalf("upgraded again: %q, %v\n%s\n%s", did, err, text, written)
		}
		if wantErr != nil {
			return
		}
		built++
		if err := loads(n); err != nil {
			t.Fatalf("%v\n%s\n%s", err, text, written)
		}
		after, err := caffe.ReadNetPrototxt(out)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := shapesOf(after); err != nil || got != want {
			t.Fatalf("%s, %v; wanted %s\n%s\n%s", got, err, want, text, written)
		}
	})
	if built == 0 {
		t.Error("no net was built")
	}
	t.Logf("%d nets were built", built)
}

// The case that wrote a net which Caffe refuses: a name beside an Input layer.
func TestUpgradeStripsInputsWithoutShape(t *testing.T) {
	f, err := caffe.ParseNetPrototxt(
		"n",
		[]byte(
			`input: "data"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "r" type: "ReLU" bottom: "data" top: "r" }`,
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Net.Layer) != 2 || len(f.Net.Input) > 0 || len(f.Upgraded) != 1 ||
		!strings.Contains(f.Upgraded[0], "left out") ||
		f.Line(0) != 2 {
		t.Errorf("%v, told %q", f.Net, f.Upgraded)
	}
	for _, bad := range []string{
		`input: "a" input: "b" input_shape { dim: 1 }`, `input: "a" input_dim: 1 input_dim: 2`,
	} {
		if _, err := caffe.ParseNetPrototxt("n", []byte(bad)); err == nil ||
			!strings.Contains(err.Error(), "inputs of the net") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
