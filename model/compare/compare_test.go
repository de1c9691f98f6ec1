package compare

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"

	"google.golang.org/protobuf/proto"
)

const inner = `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }
`

// stored is a layer of a file.
func stored(name, typ string, blobs ...[]float32) *caffepb.LayerParameter {
	l := &caffepb.LayerParameter{Name: proto.String(name), Type: proto.String(typ)}
	for _, v := range blobs {
		shape := []int{len(v)}
		if len(v) == 4 {
			shape = []int{2, 2}
		}
		l.Blobs = append(l.Blobs, caffe.NewBlob(shape, v))
	}
	return l
}

func build(t *testing.T, d *gpu.Device, text string, layers ...*caffepb.LayerParameter) *model.Net {
	t.Helper()
	n, err := modeltest.BuildOn(
		t,
		d,
		text,
		model.NetOptions{State: &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.LoadWeights("w", &caffepb.NetParameter{Layer: layers}, model.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	return n
}

// Layers are matched by name; masks count as what they make of weights; what has another shape, or is not there, is
// said.
func TestLayers(t *testing.T) {
	const ip, scale = "InnerProduct", "Scale"
	withScale := inner + `layer { name: "s" type: "Scale" bottom: "y" top: "z" }
`
	nan := float32(math.NaN())
	type file = []*caffepb.LayerParameter
	same := Layer{Name: "ip", Type: ip, Prunable: true, A: &Side{6, 3}, B: &Side{6, 3}, Both: &Both{InBoth: 3}}
	dense := stored("ip", ip, []float32{1, 2, 0, 0}, []float32{0.5, 0})
	for _, c := range []struct {
		name       string
		netA, netB string
		inA, inB   file
		want       []Layer
	}{
		{
			name: "the same", netA: inner, netB: inner,
			inA: file{dense}, inB: file{dense},
			want: []Layer{same},
		},
		{
			name: "a mask", netA: inner, netB: inner,
			inA: file{dense},
			// W∘T is 0, -2, 3, 0: a difference of 1, 4, 3, 0 and 0.5, 1
			inB: file{stored("ip", ip, []float32{7, -2, 3, 9}, []float32{0, 1}, []float32{0, 1, 1, 0})},
			want: []Layer{{
				Name: "ip", Type: ip, Prunable: true, A: &Side{6, 3}, B: &Side{6, 3},
				Both: &Both{InBoth: 1, OnlyA: 2, OnlyB: 2, Largest: 4, RMS: math.Sqrt((1 + 16 + 9 + 0.25 + 1) / 6)},
			}},
		},
		{
			name: "not a number", netA: inner, netB: inner,
			inA: file{dense},
			inB: file{stored("ip", ip, []float32{1, 2, nan, 0}, []float32{0.5, 0})},
			want: []Layer{{
				Name: "ip", Type: ip, Prunable: true, A: &Side{6, 3}, B: &Side{6, 4},
				Both: &Both{InBoth: 3, OnlyB: 1, Largest: math.NaN(), RMS: math.NaN()},
			}},
		},
		{
			name: "a layer of one net alone", netA: inner, netB: withScale,
			inA: file{dense}, inB: file{dense, stored("s", scale, []float32{1, 2})},
			want: []Layer{
				same,
				{Name: "s", Type: scale, B: &Side{2, 2}, Why: "A has no such layer with parameters"},
			},
		},
		{
			name: "the other way round", netA: withScale, netB: inner,
			inA: file{dense, stored("s", scale, []float32{1, 0})}, inB: file{dense},
			want: []Layer{
				same,
				{Name: "s", Type: scale, A: &Side{2, 1}, Why: "B has no such layer with parameters"},
			},
		},
		{
			name: "another shape", netA: inner,
			netB: `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1 } }
`,
			inA: file{dense},
			inB: file{{Name: proto.String("ip"), Type: proto.String(ip), Blobs: []*caffepb.BlobProto{
				caffe.NewBlob([]int{1, 2}, []float32{1, 0}), caffe.NewBlob([]int{1}, []float32{1})}}},
			want: []Layer{{
				Name: "ip", Type: ip, Prunable: true, A: &Side{6, 3}, B: &Side{3, 2}, Why: "2x2 in A, 1x2 in B",
			}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			got := Layers(build(t, d, c.netA, c.inA...), build(t, d, c.netB, c.inB...))
			sameFloats := cmp.Comparer(func(a, b float64) bool {
				return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-9
			})
			if diff := cmp.Diff(c.want, got, sameFloats); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Parameters that layers share are of the first, and counted once.
func TestShared(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	text := `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "one" type: "InnerProduct" bottom: "x" top: "y" param { name: "w" } param { name: "b" }
	inner_product_param { num_output: 2 } }
layer { name: "two" type: "InnerProduct" bottom: "y" top: "z" param { name: "w" } param { name: "b" }
	inner_product_param { num_output: 2 } }
`
	n := build(t, d, text, stored("one", "InnerProduct", []float32{1, 2, 3, 0}, []float32{0, 0}))
	want := []Layer{{
		Name: "one", Type: "InnerProduct", Prunable: true, A: &Side{6, 3}, B: &Side{6, 3}, Both: &Both{InBoth: 3},
	}}
	if diff := cmp.Diff(want, Layers(n, n)); diff != "" {
		t.Error(diff)
	}
}
