package layer_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// Layers of forks against their formulas, written down as loops.
func TestPermuteValues(t *testing.T) {
	for _, c := range []struct {
		order []int
		text  string
	}{
		{[]int{0, 2, 3, 1}, "order: 0 order: 2 order: 3 order: 1"},
		{[]int{3, 1, 0, 2}, "order: 3 order: 1 order: 0"},
		{[]int{0, 1, 3, 2}, "order: 0 order: 1 order: 3 order: 2"},
	} {
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
				`layer {
  name: "l" type: "Normalize" bottom: "x" top: "y"
  norm_param { across_spatial: %t scale_filler { type: "constant" value: 20 } }
}`,
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
		{"height: 7 width: 3", 0, 7, 3}, {"zoom_factor: 2", 0, 9, 11}, {"shrink_factor: 2", 0, 3, 3},
		{"height: 1 width: 1", 0, 1, 1},
		{"shrink_factor: 2 zoom_factor: 3", 0, 7, 7}, {"height: 4 width: 8 pad_beg: -1 pad_end: -1", 1, 4, 8},
		{"height: 5 width: 6", 0, 5, 6},
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

// Layers of forks, too, allocate nothing in a pass.
func TestForksAllocateNothing(t *testing.T) {
	f, err := caffe.ParseNetPrototxt("n", []byte(`
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 6 dim: 6 } } }
layer {
  name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param {
    num_output: 4 kernel_size: 3 pad_l: 1 pad_r: 0 pad_t: 0 pad_b: 1 weight_filler { type: "xavier" }
  }
}
layer { name: "norm" type: "Normalize" bottom: "conv" top: "norm" norm_param { across_spatial: false } }
layer { name: "across" type: "Normalize" bottom: "norm" top: "across" }
layer { name: "interp" type: "Interp" bottom: "across" top: "interp" interp_param { height: 7 width: 9 } }
layer {
  name: "perm" type: "Permute" bottom: "interp" top: "perm"
  permute_param { order: 0 order: 2 order: 3 order: 1 }
}
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
	if modeltest.Race {
		t.Skip("the race detector allocates")
	}
	if n := testing.AllocsPerRun(20, pass); n > 0 {
		t.Errorf("%g allocations a pass", n)
	}
}

// A border of its own for each side, against windows written down as loops.
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
				`layer {
  name: "l" type: "Pooling" bottom: "x" top: "y"
  pooling_param { pool: %s kernel_size: %d stride: %d pad_t: %d pad_b: %d pad_l: %d pad_r: %d }
}`,
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
			`layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 3 `+
				`kernel_size: 3 `+pad+` weight_filler { type: "gaussian" std: 1 } } }`,
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

// A convolution over three axes with a kernel of depth 1 is one over two, for every slice.
func TestVolumeIsSlices(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	const settings = `num_output: 4
group: 2
stride: 1
stride: 2
stride: 1
pad: 0
pad: 1
pad: 1
kernel_size: 1
kernel_size: 3
kernel_size: 2
weight_filler { type: "gaussian" std: 1 }
bias_filler { type: "gaussian" std: 1 }`
	volume := probeNet(
		t,
		d,
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 3 dim: 5 dim: 4 } } }
	  layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { `+settings+` } }`,
	)
	plane := probeNet(
		t,
		d,
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 5 dim: 4 } } }
layer {
  name: "l" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 4 group: 2 stride_h: 2 stride_w: 1 pad: 1 kernel_h: 3 kernel_w: 2 }
}`,
	)
	for i, p := range volume.Params() {
		d.Upload(plane.Params()[i].Data, modeltest.Values(d, p.Data))
	}
	x := uniform(2*2*3*5*4, 1)
	d.Upload(volume.Blob("x").Data, x)
	if _, err := volume.Forward(); err != nil {
		t.Fatal(err)
	}
	y := volume.Blob("y")
	all, out := modeltest.Values(d, y.Data), y.Shape[3]*y.Shape[4]
	for depth := range 3 {
		var slice, want []float32
		for i := range 4 { // image and channel
			slice = append(slice, x[(i*3+depth)*20:][:20]...)
		}
		for i := range 8 {
			want = append(want, all[(i*3+depth)*out:][:out]...)
		}
		d.Upload(plane.Blob("x").Data, slice)
		if _, err := plane.Forward(); err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprint("slice ", depth), modeltest.Values(d, plane.Blob("y").Data), want)
	}
}

// A Filter lets as many examples through as its selector says, none too, and the net below follows: its loss is that
// of a net that is given those examples alone.
func TestFilterReshapes(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	const below = `
layer {
  name: "c" type: "Convolution" bottom: "u" top: "c"
  convolution_param { num_output: 3 kernel_size: 2 weight_filler { type: "gaussian" std: 1 } }
}
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "f" type: "Flatten" bottom: "c" top: "f" }
layer {
  name: "ip" type: "InnerProduct" bottom: "f" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 1 } }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
layer { name: "twice" type: "Eltwise" bottom: "loss" bottom: "loss" top: "twice" }`
	net := probeNet(
		t,
		d,
		`layer {
  name: "in" type: "Input" top: "x" top: "label" top: "sel"
  input_param { shape { dim: 5 dim: 1 dim: 3 dim: 3 } shape { dim: 5 } shape { dim: 5 dim: 1 } }
}
layer { name: "pick" type: "Filter" bottom: "x" bottom: "label" bottom: "sel" top: "u" top: "t" }`+below,
	)
	x, label := uniform(5*9, 4), []float32{0, 1, 2, 1, 0}
	for round, sel := range [][]float32{
		{1, 1, 1, 1, 1},
		{0, 1, 0, 1, 1},
		{0, 0, 0, 0, 0},
		{0, 0, 1, 0, 0},
		{1, 0, 1, 0, 1},
		{1, 1, 0, 0, 1},
	} {
		d.Upload(net.Blob("x").Data, x)
		d.Upload(net.Blob("label").Data, label)
		d.Upload(net.Blob("sel").Data, sel)
		for _, p := range net.Params() {
			d.Fill(p.Diff, 0)
		}
		have, err := net.Forward()
		if err != nil {
			t.Fatal(err)
		}
		net.Backward()
		var ux, ut []float32
		for i, s := range sel {
			if s != 0 {
				ux, ut = append(ux, x[i*9:][:9]...), append(ut, label[i])
			}
		}
		dx := modeltest.Values(d, net.Blob("x").Diff)
		if len(ut) == 0 {
			near(t, "loss of nothing", modeltest.Values(d, net.Blob("twice").Data), []float32{0})
			near(t, "gradient of nothing", dx, make([]float32, len(dx)))
			continue
		}
		plain := probeNet(
			t,
			d,
			fmt.Sprintf(
				`layer {
  name: "in" type: "Input" top: "u" top: "t"
  input_param { shape { dim: %d dim: 1 dim: 3 dim: 3 } shape { dim: %d } }
}`,
				len(ut),
				len(ut),
			)+below,
		)
		for i, p := range net.Params() {
			d.Upload(plain.Params()[i].Data, modeltest.Values(d, p.Data))
		}
		d.Upload(plain.Blob("u").Data, ux)
		d.Upload(plain.Blob("t").Data, ut)
		want, err := plain.Forward()
		if err != nil {
			t.Fatal(err)
		}
		plain.Backward()
		if math.Abs(have-want) > 1e-6 {
			t.Errorf("round %d: loss %g, wanted %g", round, have, want)
		}
		near(t, "twice", modeltest.Values(d, net.Blob("twice").Data), []float32{2 * float32(want)})
		for i, p := range net.Params() {
			near(
				t,
				fmt.Sprint("gradient of parameter ", i),
				modeltest.Values(d, p.Diff),
				modeltest.Values(d, plain.Params()[i].Diff),
			)
		}
		du := modeltest.Values(d, plain.Blob("u").Diff)
		for i, s := range sel {
			if s == 0 {
				near(t, "gradient of an example left out", dx[i*9:][:9], make([]float32, 9))
				continue
			}
			near(t, "gradient of an example", dx[i*9:][:9], du[:9])
			du = du[9:]
		}
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
		n, err := modeltest.Build(
			t,
			`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 2 } } }
		  layer { name: "l" type: "ArgMax" bottom: "x" top: "y" argmax_param { `+c.param+` } }`,
			caffepb.Phase_TEST,
		)
		if err != nil {
			t.Fatal(err)
		}
		d := host.New(host.Options{Threads: 1})
		defer d.Close()
		d.Upload(n.Blob("x").Data, []float32{5, 4, 6, 3, 1, 9, 7, 8})
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		if got := modeltest.Values(d, n.Blob("y").Data); n.Blob("y").FormatShape() != c.shape ||
			fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%q: %s %v, wanted %s %v", c.param, n.Blob("y").FormatShape(), got, c.shape, c.want)
		}
	}
}

// Constant dummy data stays, random dummy data is drawn anew in each pass.
func TestDummyData(t *testing.T) {
	n, err := modeltest.Build(t, `layer {
  name: "d" type: "DummyData" top: "a" top: "b"
  dummy_data_param {
    shape { dim: 2 dim: 3 } data_filler { type: "constant" value: 4 } data_filler { type: "uniform" max: 1 }
  }
}`, caffepb.Phase_TRAIN)
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	if _, err := n.Forward(); err != nil {
		t.Fatal(err)
	}
	if a := modeltest.Values(d, n.Blob("a").Data); a[0] != 4 || a[5] != 4 {
		t.Errorf("constant: %v", a)
	}
	if b := modeltest.Values(d, n.Blob("b").Data); b[0] == b[1] || b[0] < 0 || b[0] >= 1 {
		t.Errorf("uniform: %v", b)
	}
}

// SPP of one level is a pooling layer in Caffe, and its output is not flattened.
func TestSPPOfOneLevel(t *testing.T) {
	for height, want := range map[string]string{"1": "2x3x1x1", "2": "2x15"} {
		n, err := modeltest.Build(
			t,
			imageInput+`layer { name: "l" type: "SPP" bottom: "x" top: "y" spp_param { pyramid_height: `+height+` } }`,
			caffepb.Phase_TEST,
		)
		if err != nil {
			t.Fatal(err)
		}
		if s := n.Blob("y").FormatShape(); s != want {
			t.Errorf("pyramid_height %s: the shape is %s, wanted %s", height, s, want)
		}
	}
}

// A Scale that works in place keeps what its gradient needs in every phase.
func TestScaleInPlaceInTest(t *testing.T) {
	const text = `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "c" type: "Power" bottom: "x" top: "y" power_param { shift: 1 } }
layer { name: "l" type: "Scale" bottom: "y" top: "%s" scale_param { filler { type: "constant" value: 3 } } }`
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	gradient := func(top string, phase caffepb.Phase) []float32 {
		options := model.NetOptions{State: &caffepb.NetState{Phase: phase.Enum()}, AllGradients: true}
		n, err := modeltest.BuildOn(t, d, strings.Replace(text, "%s", top, 1), options)
		if err != nil {
			t.Fatal(err)
		}
		d.Upload(n.Blob("x").Data, []float32{1, 2, 3, 4, 5, 6})
		if _, err := n.Forward(); err != nil {
			t.Fatal(err)
		}
		d.Fill(n.Blob(top).Diff, 1)
		n.Backward()
		return modeltest.Values(d, n.Params()[0].Diff)
	}
	want := gradient("z", caffepb.Phase_TRAIN)
	for _, phase := range []caffepb.Phase{caffepb.Phase_TRAIN, caffepb.Phase_TEST} {
		for i, g := range gradient("y", phase) {
			if g != want[i] {
				t.Errorf("%s: the gradient %d is %g in place, %g otherwise", phase, i, g, want[i])
			}
		}
	}
}
