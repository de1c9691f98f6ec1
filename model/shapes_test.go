package model_test

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
)

func probeNet(t *testing.T, d gpu.Device, text string) *model.Net {
	t.Helper()
	f, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.NewNet(
		f,
		model.NetOptions{Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}, Seed: 3, Probe: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func uniform(n int, stream uint32) []float32 {
	key := gpu.Key{Seed: 11, Stream: stream}
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*key.Uniform(i) - 1
	}
	return v
}

func near(t *testing.T, what string, have, want []float32) {
	t.Helper()
	if len(have) != len(want) {
		t.Fatalf("%s: %d elements, wanted %d", what, len(have), len(want))
	}
	for i := range have {
		if e := math.Abs(float64(have[i] - want[i])); !(e <= 1e-5*math.Max(1, math.Abs(float64(want[i])))) {
			t.Fatalf("%s[%d] is %g, wanted %g", what, i, have[i], want[i])
		}
	}
}

// unrolled is the net that Caffe builds inside an LSTM (LSTMLayer::FillUnrolledNet), of layers that have reference
// vectors.
func unrolled(steps, n, in, fixed, size int) string {
	var b strings.Builder
	gates := func(name, bottom, top, params string, axis int, bias bool) {
		fmt.Fprintf(
			&b,
			"layer { name: %q type: \"InnerProduct\" bottom: %q top: %q %s inner_product_param { num_output: %d axis: %d bias_term: %t weight_filler { type: \"gaussian\" } } }\n",
			name,
			bottom,
			top,
			params,
			4*size,
			axis,
			bias,
		)
	}
	tops := func(stem string) (s string) {
		for t := 1; t <= steps; t++ {
			s += fmt.Sprintf(" top: \"%s%d\"", stem, t)
		}
		return s
	}
	fmt.Fprintf(
		&b,
		`layer { name: "in" type: "Input" top: "x" top: "cont" top: "s" top: "c0" top: "h0" input_param { shape { dim: %d dim: %d dim: %d } shape { dim: %d dim: %d }
	  shape { dim: %d dim: %d } shape { dim: 1 dim: %d dim: %d } shape { dim: 1 dim: %d dim: %d } } }
	`,
		steps,
		n,
		in,
		steps,
		n,
		n,
		fixed,
		n,
		size,
		n,
		size,
	)
	gates("x", "x", "xs", `param { name: "wx" } param { name: "b" }`, 2, true)
	gates("s", "s", "ss", `param { name: "ws" }`, 1, false)
	fmt.Fprintf(
		&b,
		"layer { name: \"r\" type: \"Reshape\" bottom: \"ss\" top: \"fixed\" reshape_param { shape { dim: 1 dim: -1 dim: %d } } }\n",
		4*size,
	)
	fmt.Fprintf(&b, "layer { name: \"xslice\" type: \"Slice\" bottom: \"xs\" %s slice_param { axis: 0 } }\n", tops("x"))
	fmt.Fprintf(
		&b,
		"layer { name: \"cslice\" type: \"Slice\" bottom: \"cont\" %s slice_param { axis: 0 } }\n",
		tops("cont"),
	)
	for t := 1; t <= steps; t++ {
		fmt.Fprintf(
			&b,
			"layer { name: \"hc%[1]d\" type: \"Scale\" bottom: \"h%[2]d\" bottom: \"cont%[1]d\" top: \"hc%[1]d\" scale_param { axis: 0 } }\n",
			t,
			t-1,
		)
		gates(fmt.Sprint("wh", t), fmt.Sprint("hc", t), fmt.Sprint("wh", t), `param { name: "wh" }`, 2, false)
		fmt.Fprintf(
			&b,
			"layer { name: \"z%[1]d\" type: \"Eltwise\" bottom: \"wh%[1]d\" bottom: \"x%[1]d\" bottom: \"fixed\" top: \"z%[1]d\" }\n",
			t,
		)
		fmt.Fprintf(
			&b,
			"layer { name: \"u%[1]d\" type: \"LSTMUnit\" bottom: \"c%[2]d\" bottom: \"z%[1]d\" bottom: \"cont%[1]d\" top: \"c%[1]d\" top: \"h%[1]d\" }\n",
			t,
			t-1,
		)
	}
	fmt.Fprintf(
		&b,
		"layer { name: \"join\" type: \"Concat\" %s top: \"y\" concat_param { axis: 0 } }\n",
		strings.ReplaceAll(tops("h"), "top", "bottom"),
	)
	return b.String()
}

// An LSTM is the net that Caffe unrolls it to: outputs and gradients, with a static input, over batches that go on.
func TestLSTMIsItsUnrolledNet(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	const steps, n, in, fixed, size = 4, 3, 2, 5, 3
	lstm := probeNet(
		t,
		d,
		fmt.Sprintf(
			`layer { name: "in" type: "Input" top: "x" top: "cont" top: "s" input_param { shape { dim: %d dim: %d dim: %d } shape { dim: %d dim: %d } shape { dim: %d dim: %d } } }
	  layer { name: "l" type: "LSTM" bottom: "x" bottom: "cont" bottom: "s" top: "y" recurrent_param { num_output: %d } }`,
			steps,
			n,
			in,
			steps,
			n,
			n,
			fixed,
			size,
		),
	)
	plain := probeNet(t, d, unrolled(steps, n, in, fixed, size))
	var weights [][]float32
	for i, p := range lstm.Params() {
		w := uniform(p.Data.N, uint32(i))
		weights = append(weights, w)
		d.Upload(p.Data, w)
	}
	for i, p := range plain.Params() {
		d.Upload(p.Data, weights[i])
	}
	state := [2][]float32{make([]float32, n*size), make([]float32, n*size)}
	for pass := range 3 {
		cont := make([]float32, steps*n)
		for i := range cont {
			cont[i] = float32(min(1, (i+pass)%5))
		}
		inputs := map[string][]float32{
			"x":    uniform(steps*n*in, uint32(100+pass)),
			"cont": cont,
			"s":    uniform(n*fixed, uint32(200+pass)),
		}
		dy := uniform(steps*n*size, uint32(300+pass))
		for _, net := range []*model.Net{lstm, plain} {
			for name, v := range inputs {
				d.Upload(net.Blob(name).Data, v)
			}
			if net == plain {
				d.Upload(net.Blob("c0").Data, state[0])
				d.Upload(net.Blob("h0").Data, state[1])
			}
			if _, err := net.Forward(); err != nil {
				t.Fatal(err)
			}
			d.Upload(net.Blob("y").Diff, dy)
			for _, p := range net.Params() {
				d.Fill(p.Diff, 0)
			}
			net.Backward()
		}
		near(t, "y", download(d, lstm.Blob("y").Data), download(d, plain.Blob("y").Data))
		for i, p := range lstm.Params() {
			near(
				t,
				fmt.Sprintf("gradient of parameter %d", i),
				download(d, p.Diff),
				download(d, plain.Params()[i].Diff),
			)
		}
		for _, name := range []string{"x", "s"} {
			near(t, "gradient of "+name, download(d, lstm.Blob(name).Diff), download(d, plain.Blob(name).Diff))
		}
		state[0], state[1] = download(
			d,
			plain.Blob(fmt.Sprint("c", steps)).Data,
		), download(
			d,
			plain.Blob(fmt.Sprint("h", steps)).Data,
		)
	}
}

// A convolution over three axes with a kernel of depth 1 is one over two, for every slice.
func TestVolumeIsSlices(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	const settings = `num_output: 4 group: 2 stride: 1 stride: 2 stride: 1 pad: 0 pad: 1 pad: 1 kernel_size: 1 kernel_size: 3 kernel_size: 2 weight_filler { type: "gaussian" std: 1 } bias_filler { type: "gaussian" std: 1 }`
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
	  layer { name: "l" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 4 group: 2 stride_h: 2 stride_w: 1 pad: 1 kernel_h: 3 kernel_w: 2 } }`,
	)
	for i, p := range volume.Params() {
		d.Upload(plane.Params()[i].Data, download(d, p.Data))
	}
	x := uniform(2*2*3*5*4, 1)
	d.Upload(volume.Blob("x").Data, x)
	if _, err := volume.Forward(); err != nil {
		t.Fatal(err)
	}
	y := volume.Blob("y")
	all, out := download(d, y.Data), y.Shape[3]*y.Shape[4]
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
		near(t, fmt.Sprint("slice ", depth), download(d, plane.Blob("y").Data), want)
	}
}

// A Filter lets as many examples through as its selector says, none too, and the net below follows: its loss is that
// of a net that is given those examples alone.
func TestFilterReshapes(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	const below = `
	  layer { name: "c" type: "Convolution" bottom: "u" top: "c" convolution_param { num_output: 3 kernel_size: 2 weight_filler { type: "gaussian" std: 1 } } }
	  layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
	  layer { name: "f" type: "Flatten" bottom: "c" top: "f" }
	  layer { name: "ip" type: "InnerProduct" bottom: "f" top: "ip" inner_product_param { num_output: 3 weight_filler { type: "gaussian" std: 1 } } }
	  layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
	  layer { name: "twice" type: "Eltwise" bottom: "loss" bottom: "loss" top: "twice" }`
	net := probeNet(
		t,
		d,
		`layer { name: "in" type: "Input" top: "x" top: "label" top: "sel" input_param { shape { dim: 5 dim: 1 dim: 3 dim: 3 } shape { dim: 5 } shape { dim: 5 dim: 1 } } }
	  layer { name: "pick" type: "Filter" bottom: "x" bottom: "label" bottom: "sel" top: "u" top: "t" }`+below,
	)
	x, label := uniform(5*9, 4), []float32{0, 1, 2, 1, 0}
	for round, sel := range [][]float32{{1, 1, 1, 1, 1}, {0, 1, 0, 1, 1}, {0, 0, 0, 0, 0}, {0, 0, 1, 0, 0}, {1, 0, 1, 0, 1}, {1, 1, 0, 0, 1}} {
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
		dx := download(d, net.Blob("x").Diff)
		if len(ut) == 0 {
			near(t, "loss of nothing", download(d, net.Blob("twice").Data), []float32{0})
			near(t, "gradient of nothing", dx, make([]float32, len(dx)))
			continue
		}
		plain := probeNet(
			t,
			d,
			fmt.Sprintf(
				`layer { name: "in" type: "Input" top: "u" top: "t" input_param { shape { dim: %d dim: 1 dim: 3 dim: 3 } shape { dim: %d } } }`,
				len(ut),
				len(ut),
			)+below,
		)
		for i, p := range net.Params() {
			d.Upload(plain.Params()[i].Data, download(d, p.Data))
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
		near(t, "twice", download(d, net.Blob("twice").Data), []float32{2 * float32(want)})
		for i, p := range net.Params() {
			near(t, fmt.Sprint("gradient of parameter ", i), download(d, p.Diff), download(d, plain.Params()[i].Diff))
		}
		du := download(d, plain.Blob("u").Diff)
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

// A recurrent layer has nothing to carry where a Filter lets no time step through: an error, and no panic.
func TestFilterOfAllTimeSteps(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	for _, typ := range []string{"LSTM", "RNN"} {
		net := probeNet(
			t,
			d,
			fmt.Sprintf(
				`layer { name: "in" type: "Input" top: "x" top: "cont" top: "sel" input_param { shape { dim: 3 dim: 2 dim: 4 } shape { dim: 3 dim: 2 } shape { dim: 3 } } }
		  layer { name: "pick" type: "Filter" bottom: "x" bottom: "cont" bottom: "sel" top: "u" top: "c" }
		  layer { name: "l" type: %q bottom: "u" bottom: "c" top: "y" recurrent_param { num_output: 5 } }`,
				typ,
			),
		)
		_, err := net.Forward() // the selector is 0
		if want := `bottom "u" has the shape 0x2x4; wanted at least 1 time step and 1 stream`; err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v; wanted %s", typ, err, want)
		}
	}
}
