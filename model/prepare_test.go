package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// Of a net that is prepared, what nothing reads but a pooling of maxima need not be there after a pass; all else is as
// in a net that is not.
func TestPrepareUnread(t *testing.T) {
	const input = `layer { name: "data" type: "Input" top: "data"
			input_param { shape { dim: 9 dim: 2 dim: 12 dim: 12 } } }
		layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
			convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" std: 1 }
				bias_filler { type: "constant" value: 0.1 } } }
		`
	const relu = `layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
		`
	const pool = `layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
			pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
		`
	for _, c := range []struct {
		name, net string
		read      []string
		unread    string // blobs that may be gone
	}{
		{"a pooling", input + pool, nil, "conv"},
		{"a ReLU in place and a pooling", input + relu + pool, nil, "conv"},
		{"the blob is asked for", input + relu + pool, []string{"conv"}, ""},
		{"another is asked for", input + relu + pool, []string{"pool"}, "conv"},
		{"the net's output", input + relu, nil, ""},
		{"another reader", input + pool +
			`layer { name: "sum" type: "Reduction" bottom: "conv" top: "sum"
				reduction_param { operation: SUM } }`, nil, ""},
		{"a ReLU to another blob", input + `layer { name: "relu" type: "ReLU" bottom: "conv" top: "relu" }
			layer { name: "pool" type: "Pooling" bottom: "relu" top: "pool"
				pooling_param { kernel_size: 2 stride: 2 } }`, nil, ""},
		{"the mean", input + strings.ReplaceAll(pool, "MAX", "AVE"), nil, ""},
		{"the places of the maxima", input + strings.ReplaceAll(pool, `top: "pool"`, `top: "pool" top: "places"`),
			nil, ""},
		{"another layer in place", input + `layer { name: "abs" type: "AbsVal" bottom: "conv" top: "conv" }` + pool,
			nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			n, err := modeltest.BuildOn(t, d, c.net,
				model.NetOptions{State: &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			n.FillInputLayers()
			w := n.Prunable()[0].Weights
			values := modeltest.Values(d, w.Forward())
			for i := range values {
				if i%3 > 0 {
					values[i] = 0
				}
			}
			d.Upload(w.Forward(), values)
			pass := func() map[string][]float32 {
				if err := n.Run(); err != nil {
					t.Fatal(err)
				}
				all := map[string][]float32{}
				for _, name := range n.BlobNames() {
					all[name] = modeltest.Values(d, n.Blob(name).Data)
				}
				return all
			}
			want := pass()
			if !n.Prepare(c.read...) {
				t.Fatal("not prepared")
			}
			for range 2 {
				for name, have := range pass() {
					if slices.Contains(strings.Fields(c.unread), name) {
						continue
					}
					for i, v := range have {
						if !(math.Abs(float64(v-want[name][i])) < 1e-5*(1+math.Abs(float64(v)))) {
							t.Fatalf("%s[%d] is %g, wanted %g", name, i, v, want[name][i])
						}
					}
				}
			}
			if err := n.FirstBad(); err != nil {
				t.Errorf("what is not there is blamed: %v", err)
			}
			if p := n.Prepared(); len(p) != 1 || p[0].Layer != "conv" {
				t.Errorf("%+v", p)
			}
		})
	}
}
