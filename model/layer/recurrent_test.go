package layer_test

import (
	"fmt"
	"strings"
	"testing"

	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// unrolled is the net that Caffe builds inside an LSTM (LSTMLayer::FillUnrolledNet), of layers that have reference
// vectors.
func unrolled(steps, n, in, fixed, size int) string {
	var b strings.Builder
	gates := func(name, bottom, top, params string, axis int, bias bool) {
		fmt.Fprintf(
			&b,
			"layer { name: %q type: \"InnerProduct\" bottom: %q top: %q %s inner_product_param { num_output: %d "+
				"axis: %d bias_term: %t weight_filler { type: \"gaussian\" } } }\n",
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
		`layer {
  name: "in" type: "Input" top: "x" top: "cont" top: "s" top: "c0" top: "h0"
  input_param {
    shape { dim: %d dim: %d dim: %d } shape { dim: %d dim: %d } shape { dim: %d dim: %d }
    shape { dim: 1 dim: %d dim: %d } shape { dim: 1 dim: %d dim: %d }
  }
}
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
		"layer { name: \"r\" type: \"Reshape\" bottom: \"ss\" top: \"fixed\" reshape_param { shape { dim: 1 dim: -1 "+
			"dim: %d } } }\n",
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
			"layer { name: \"hc%[1]d\" type: \"Scale\" bottom: \"h%[2]d\" bottom: \"cont%[1]d\" top: \"hc%[1]d\" "+
				"scale_param { axis: 0 } }\n",
			t,
			t-1,
		)
		gates(fmt.Sprint("wh", t), fmt.Sprint("hc", t), fmt.Sprint("wh", t), `param { name: "wh" }`, 2, false)
		fmt.Fprintf(
			&b,
			"layer { name: \"z%[1]d\" type: \"Eltwise\" bottom: \"wh%[1]d\" bottom: \"x%[1]d\" bottom: \"fixed\" "+
				"top: \"z%[1]d\" }\n",
			t,
		)
		fmt.Fprintf(
			&b,
			"layer { name: \"u%[1]d\" type: \"LSTMUnit\" bottom: \"c%[2]d\" bottom: \"z%[1]d\" bottom: "+
				"\"cont%[1]d\" top: \"c%[1]d\" top: \"h%[1]d\" }\n",
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
			`layer {
  name: "in" type: "Input" top: "x" top: "cont" top: "s"
  input_param { shape { dim: %d dim: %d dim: %d } shape { dim: %d dim: %d } shape { dim: %d dim: %d } }
}
layer {
  name: "l" type: "LSTM" bottom: "x" bottom: "cont" bottom: "s" top: "y" recurrent_param { num_output: %d }
}`,
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
		near(t, "y", modeltest.Values(d, lstm.Blob("y").Data), modeltest.Values(d, plain.Blob("y").Data))
		for i, p := range lstm.Params() {
			near(
				t,
				fmt.Sprintf("gradient of parameter %d", i),
				modeltest.Values(d, p.Diff),
				modeltest.Values(d, plain.Params()[i].Diff),
			)
		}
		for _, name := range []string{"x", "s"} {
			near(
				t,
				"gradient of "+name,
				modeltest.Values(d, lstm.Blob(name).Diff),
				modeltest.Values(d, plain.Blob(name).Diff),
			)
		}
		state[0], state[1] = modeltest.Values(
			d,
			plain.Blob(fmt.Sprint("c", steps)).Data,
		), modeltest.Values(
			d,
			plain.Blob(fmt.Sprint("h", steps)).Data,
		)
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
				`layer {
  name: "in" type: "Input" top: "x" top: "cont" top: "sel"
  input_param { shape { dim: 3 dim: 2 dim: 4 } shape { dim: 3 dim: 2 } shape { dim: 3 } }
}
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
