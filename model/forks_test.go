package model_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
)

// forward builds a net whose input is x, runs it, and returns blob y.
func forward(t *testing.T, layer string, x []float32, shape ...int) (y []float32, out []int) {
	t.Helper()
	dims := ""
	for _, d := range shape {
		dims += fmt.Sprintf(" dim: %d", d)
	}
	f, err := caffe.ParseNetPrototxt(
		"n",
		[]byte(`layer { name: "in" type: "Input" top: "x" input_param { shape {`+dims+` } } } `+layer),
	)
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{})
	t.Cleanup(func() { d.Close() })
	n, err := model.NewNet(f, model.NetOptions{Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	d.Upload(n.Blob("x").Data, x)
	if _, err := n.Forward(); err != nil {
		t.Fatal(err)
	}
	b := n.Blob("y")
	y = make([]float32, b.Len())
	d.Download(y, b.Data)
	return y, b.Shape
}

func ramp(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32((i*7919)%101)/50 - 1
	}
	return v
}

func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, wanted %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Abs(float64(got[i]-want[i])) > 1e-5 {
			t.Fatalf("%s: number %d is %g, wanted %g\n%v\n%v", what, i, got[i], want[i], got, want)
		}
	}
}

// Layers of forks against their formulas, written down as loops.
func TestPermuteValues(t *testing.T) {
	for _, c := range []struct {
		order []int
		text  string
	}{{[]int{0, 2, 3, 1}, "order: 0 order: 2 order: 3 order: 1"}, {[]int{3, 1, 0, 2}, "order: 3 order: 1 order: 0"}, {[]int{0, 1, 3, 2}, "order: 0 order: 1 order: 3 order: 2"}} {
		shape := []int{2, 3, 4, 5}
		x := ramp(gpu.Elements(shape))
		y, out := forward(
			t,
			`layer { name: "l" type: "Permute" bottom: "x" top: "y" permute_param { `+c.text+` } }`,
			x,
			shape...)
		want := make([]float32, len(x))
		for i := range x {
			at := [4]int{i / 60, i / 20 % 3, i / 5 % 4, i % 5}
			k := 0
			for axis, o := range c.order {
				k = k*out[axis] + at[o]
			}
			want[k] = x[i]
		}
		same(t, c.text, y, want)
	}
}

// More elements than are permuted in one go: image by image.
func TestPermuteLarge(t *testing.T) {
	n, c, s := 3, 4, 1<<17
	x := ramp(n * c * s)
	y, _ := forward(
		t,
		`layer { name: "l" type: "Permute" bottom: "x" top: "y" permute_param { order: 0 order: 2 order: 1 } }`,
		x,
		n,
		c,
		s,
	)
	for i := 0; i < len(x); i += 997 {
		if img, ch, at := i/(c*s), i/s%c, i%s; y[img*c*s+at*c+ch] != x[i] {
			t.Fatalf("element %d", i)
		}
	}
}

func TestNormalizeValues(t *testing.T) {
	n, ch, sp := 2, 3, 4
	x := ramp(n * ch * sp)
	for _, across := range []bool{true, false} {
		y, _ := forward(
			t,
			fmt.Sprintf(
				`layer { name: "l" type: "Normalize" bottom: "x" top: "y" norm_param { across_spatial: %t scale_filler { type: "constant" value: 20 } } }`,
				across,
			),
			x,
			n,
			ch,
			2,
			2,
		)
		want := make([]float32, len(x))
		for i := range x {
			img, at := i/(ch*sp), i%sp
			sum := 1e-10
			for c := range ch {
				for s := range sp {
					if across || s == at {
						v := float64(x[(img*ch+c)*sp+s])
						sum += v * v
					}
				}
			}
			want[i] = float32(20 * float64(x[i]) / math.Sqrt(sum))
		}
		same(t, fmt.Sprint("across_spatial ", across), y, want)
	}
}

func TestInterpValues(t *testing.T) {
	for _, c := range []struct {
		text       string
		cut        int
		outH, outW int
	}{
		{"height: 7 width: 3", 0, 7, 3}, {"zoom_factor: 2", 0, 9, 11}, {"shrink_factor: 2", 0, 3, 3}, {"height: 1 width: 1", 0, 1, 1},
		{"shrink_factor: 2 zoom_factor: 3", 0, 7, 7}, {"height: 4 width: 8 pad_beg: -1 pad_end: -1", 1, 4, 8}, {"height: 5 width: 6", 0, 5, 6},
	} {
		planes, h, w := 4, 5, 6
		x := ramp(planes * h * w)
		y, out := forward(
			t,
			`layer { name: "l" type: "Interp" bottom: "x" top: "y" interp_param { `+c.text+` } }`,
			x,
			2,
			2,
			h,
			w,
		)
		if out[2] != c.outH || out[3] != c.outW {
			t.Fatalf("%s: %v, wanted %dx%d", c.text, out, c.outH, c.outW)
		}
		inH, inW := h-2*c.cut, w-2*c.cut
		place := func(o, in, out int) (int, int, float64) {
			if out == 1 {
				return 0, min(1, in-1), 0
			}
			at := float64(in-1) / float64(out-1) * float64(o)
			i := min(int(at+1e-6), in-1)
			return i, min(i+1, in-1), at - float64(i)
		}
		want := make([]float32, planes*c.outH*c.outW)
		for k := range want {
			p, oy, ox := k/(c.outH*c.outW), k/c.outW%c.outH, k%c.outW
			y0, y1, fy := place(oy, inH, c.outH)
			x0, x1, fx := place(ox, inW, c.outW)
			v := func(yy, xx int) float64 { return float64(x[(p*h+yy+c.cut)*w+xx+c.cut]) }
			want[k] = float32((1-fy)*((1-fx)*v(y0, x0)+fx*v(y0, x1)) + fy*((1-fx)*v(y1, x0)+fx*v(y1, x1)))
		}
		same(t, c.text, y, want)
	}
}

// A border of its own for each side, against windows written down as loops.
// Layers of forks, too, allocate nothing in a pass.
func TestForksAllocateNothing(t *testing.T) {
	f, err := caffe.ParseNetPrototxt("n", []byte(`
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" convolution_param {
  num_output: 4 kernel_size: 3 pad_l: 1 pad_r: 0 pad_t: 0 pad_b: 1 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "Normalize" bottom: "conv" top: "norm" norm_param { across_spatial: false } }
layer { name: "across" type: "Normalize" bottom: "norm" top: "across" }
layer { name: "interp" type: "Interp" bottom: "across" top: "interp" interp_param { height: 7 width: 9 } }
layer { name: "perm" type: "Permute" bottom: "interp" top: "perm" permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "sum" type: "Reduction" bottom: "perm" top: "sum" loss_weight: 1 }
`))
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	if d.Capabilities().BLAS == "gonum" {
		t.Skip("without OpenBLAS, gonum's matrix product allocates for its own threads")
	}
	n, err := model.NewNet(f, model.NetOptions{Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	pass := func() {
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		n.Backward()
	}
	pass()
	if n := testing.AllocsPerRun(20, pass); n > 0 {
		t.Errorf("%g allocations a pass", n)
	}
}

func TestUnevenPooling(t *testing.T) {
	const h, w, k, stride, top, bottom, left, right = 5, 6, 3, 2, 2, 1, 0, 2
	x := ramp(h * w)
	for i := range x {
		x[i] -= 3 // a maximum that padding with 0 would hide
	}
	for _, pool := range []string{"MAX", "AVE"} {
		y, out := forward(
			t,
			fmt.Sprintf(
				`layer { name: "l" type: "Pooling" bottom: "x" top: "y" pooling_param { pool: %s kernel_size: %d stride: %d pad_t: %d pad_b: %d pad_l: %d pad_r: %d } }`,
				pool,
				k,
				stride,
				top,
				bottom,
				left,
				right,
			),
			x,
			1,
			1,
			h,
			w,
		)
		oh, ow := (h+top+bottom-k+stride-1)/stride+1, (w+left+right-k+stride-1)/stride+1
		if (oh-1)*stride >= h+top {
			oh--
		}
		if (ow-1)*stride >= w+left {
			ow--
		}
		if out[2] != oh || out[3] != ow {
			t.Fatalf("%s: %v, wanted %dx%d", pool, out, oh, ow)
		}
		var want []float32
		for py := range oh {
			for px := range ow {
				y0, x0 := py*stride-top, px*stride-left
				y1, x1 := min(y0+k, h+bottom), min(x0+k, w+right)
				size := float32((y1 - y0) * (x1 - x0))
				best, sum := float32(math.Inf(-1)), float32(0)
				for yy := max(0, y0); yy < min(y1, h); yy++ {
					for xx := max(0, x0); xx < min(x1, w); xx++ {
						best, sum = max(best, x[yy*w+xx]), sum+x[yy*w+xx]
					}
				}
				if pool == "MAX" {
					want = append(want, best)
				} else {
					want = append(want, sum/size)
				}
			}
		}
		same(t, pool, y, want)
	}
}

// A convolution with a border for each side is one with the same border on all, cut.
func TestUnevenConvolution(t *testing.T) {
	const h, w = 5, 6
	x := ramp(2 * h * w)
	conv := func(pad string) ([]float32, []int) {
		return forward(
			t,
			`layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 3 kernel_size: 3 `+pad+` weight_filler { type: "gaussian" std: 1 } } }`,
			x,
			1,
			2,
			h,
			w,
		)
	}
	all, _ := conv("pad: 2")
	some, out := conv("pad_l: 2 pad_t: 1 pad_b: 2")
	if out[2] != h+1+2-2 || out[3] != w+2-2 {
		t.Fatalf("shape %v", out)
	}
	var want []float32
	for o := range 3 {
		for yy := range out[2] {
			for xx := range out[3] {
				want = append(want, all[(o*(h+2)+yy+1)*(w+2)+xx])
			}
		}
	}
	same(t, "cut", some, want)
	even, shape := conv("pad_l: 2 pad_r: 2 pad_t: 2 pad_b: 2")
	if shape[2] != h+2 {
		t.Fatalf("shape %v", shape)
	}
	same(t, "even", even, all)
}

// All layers of unknown type are told in one error, with line, name, type and what is known of them.
func TestUnknownLayersAreAllTold(t *testing.T) {
	text := `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer { name: "c1" type: "Convolution" bottom: "x" top: "c1" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "prior" type: "PriorBox" bottom: "c1" bottom: "x" top: "p1" prior_box_param { min_size: 30 variance: 0.1 } }
layer { name: "bn" type: "BN" bottom: "c1" top: "n1" bn_param { slope_filler { type: "constant" } } }
layer { name: "odd" type: "Convolutoin" bottom: "c1" top: "o1" }
layer { name: "test" type: "DetectionOutput" bottom: "p1" top: "d1" include { phase: TEST } detection_output_param { num_classes: 21 } }
`
	f, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = model.NewNet(
		f,
		model.NetOptions{Device: gpu.Dry{}, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}},
	)
	want := []string{
		`n.prototxt:3: layer "prior": (PriorBox) unknown layer type "PriorBox": of SSD's fork (weiliu89/caffe)`,
		`n.prototxt:4: layer "bn": (BN) unknown layer type "BN": another BatchNorm (PSPNet, SegNet and others); BatchNorm and Scale do the same, with other blobs`,
		`n.prototxt:5: layer "odd": (Convolutoin) unknown layer type "Convolutoin"; did you mean "Convolution"?`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got:\n%v\nwanted:\n%s", err, strings.Join(want, "\n"))
	}
	// With a fault of the text beside them they are told too.
	_, err = caffe.ParseNetPrototxt(
		"n.prototxt",
		[]byte(text+`layer { name: "r" type: "ReLU" botom: "c1" top: "c1" relu_param { negative_slope: x } }`),
	)
	var faults caffe.Faults
	if !errors.As(err, &faults) || len(faults) != 6 {
		t.Fatalf("%d faults, wanted 6:\n%v", len(faults), err)
	}
	for i, want := range append(want, `n.prototxt:6: layer "test": (DetectionOutput) unknown`, `n.prototxt:7: relu_param: negative_slope: x is no float`, `n.prototxt:7: unknown field "botom" in LayerParameter; did you mean "bottom"?`) {
		if !strings.HasPrefix(faults[i].Error(), want) {
			t.Errorf("fault %d is %v, wanted %s", i, faults[i], want)
		}
	}
	if strings.Contains(err.Error(), "loss_param") {
		t.Errorf("another field is advised for one of an unknown layer:\n%v", err)
	}
}

// A binary net of a fork has its settings under the numbers that the fork gave them.
func TestForksNumbers(t *testing.T) {
	dir := t.TempDir()
	dns := &caffepb.DNSConvolutionParameter{CRate: proto.Float32(-0.7), IterStop: proto.Float32(450000)}
	raw, err := proto.Marshal(dns)
	if err != nil {
		t.Fatal(err)
	}
	swish := &caffepb.SwishParameter{}
	if err := proto.Unmarshal(raw, swish); err != nil {
		t.Fatal(err)
	}
	clip := &caffepb.ClipParameter{}
	ip := &caffepb.DNSInnerProductParameter{CRate: proto.Float32(2)}
	if raw, err = proto.Marshal(ip); err != nil {
		t.Fatal(err)
	}
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(raw, clip); err != nil {
		t.Fatal(err)
	}
	in := &caffepb.InputParameter{}
	if raw, err = proto.Marshal(&caffepb.InterpParameter{Height: proto.Int32(33), Width: proto.Int32(65)}); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(raw, in); err != nil {
		t.Fatal(err)
	}
	half := &caffepb.BlobProto{
		Shape:       &caffepb.BlobShape{Dim: []int64{2}},
		RawDataType: caffepb.RawType_FLOAT16.Enum(),
		RawData:     []byte{0x00, 0x3c, 0x00, 0xc0},
	}
	n := &caffepb.NetParameter{Layer: []*caffepb.LayerParameter{
		{
			Name:       proto.String("a"),
			Type:       proto.String("DNSConvolution"),
			SwishParam: swish,
			Blobs:      []*caffepb.BlobProto{half},
		},
		{Name: proto.String("b"), Type: proto.String("DNSInnerProduct"), ClipParam: clip},
		{Name: proto.String("c"), Type: proto.String("Interp"), InputParam: in},
	}}
	raw, err = proto.MarshalOptions{AllowPartial: true}.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, dir, "m.caffemodel", raw)
	got, err := caffe.ReadNet(path)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := got.Layer[0], got.Layer[1], got.Layer[2]
	if a.GetType() != "CConvolution" || a.CconvolutionParam.GetCRate() != -0.7 ||
		a.CconvolutionParam.GetIterStop() != 450000 ||
		a.CconvolutionParam.GetGamma() != 0.001 ||
		a.SwishParam != nil {
		t.Errorf("DNSConvolution: %v", a)
	}
	if b.GetType() != "CInnerProduct" || b.CinnerProductParam.GetCRate() != 2 ||
		b.CinnerProductParam.GetIterStop() != 1000000 ||
		b.ClipParam != nil {
		t.Errorf("DNSInnerProduct: %v", b)
	}
	if c.InterpParam.GetHeight() != 33 || c.InterpParam.GetWidth() != 65 || c.InputParam != nil {
		t.Errorf("Interp: %v", c)
	}
	same(t, "raw_data", caffe.Values(a.Blobs[0]), []float32{1, -2})
	for _, bad := range []*caffepb.BlobProto{{RawData: []byte{1, 2, 3}, RawDataType: caffepb.RawType_FLOAT16.Enum()}, {RawData: []byte{1, 2, 3, 4}, RawDataType: caffepb.RawType_INT.Enum()}} {
		n.Layer = []*caffepb.LayerParameter{
			{Name: proto.String("a"), Type: proto.String("ReLU"), Blobs: []*caffepb.BlobProto{bad}},
		}
		raw, _ = proto.Marshal(n)
		if _, err := caffe.ReadNet(writeFile(t, dir, "bad.caffemodel", raw)); err == nil ||
			!strings.Contains(err.Error(), "raw_data") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func writeFile(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
