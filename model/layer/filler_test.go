package layer_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model/layer"
)

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
	if err := layer.Fill(
		&caffepb.FillerParameter{Type: proto.String("bilinear")}, []int{1, 1, 4, 4}, gpu.Key{}, v,
	); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float32{0.0625, 0.1875, 0.1875, 0.0625} {
		if v[i] != want {
			t.Errorf("bilinear[%d] is %g, wanted %g", i, v[i], want)
		}
	}
}

// The n-th number depends on the key and n alone: those of another length are the same, and those that older versions
// made.
func TestFillersByPlace(t *testing.T) {
	const n = 1<<16 + 4097
	key := gpu.Key{Seed: 5, Stream: 3}
	normal := func(i int) float64 {
		b := key.Block(uint32(i >> 1))
		r := math.Sqrt(-2 * math.Log((float64(b[0])+1)/(1<<32)))
		if u := 2 * math.Pi * float64(b[1]) / (1 << 32); i&1 == 0 {
			return r * math.Cos(u)
		} else {
			return r * math.Sin(u)
		}
	}
	chosen := key
	chosen.Iter++
	for text, want := range map[string]func(i int) float32{
		"type: 'uniform' min: -1 max: 3":    func(i int) float32 { return -1 + 4*key.Uniform(i) },
		"type: 'gaussian' mean: 2 std: 0.5": func(i int) float32 { return 2 + 0.5*float32(normal(i)) },
		"type: 'gaussian' std: 1 sparse: 3": func(i int) float32 {
			if chosen.Uniform(i) >= 0.3 {
				return 0
			}
			return float32(normal(i))
		},
	} {
		f := &caffepb.FillerParameter{}
		if err := caffe.ParsePrototxt("f", []byte(text), f); err != nil {
			t.Fatal(err)
		}
		v := make([]float32, n)
		if err := layer.Fill(f, []int{10, n / 10}, key, v); err != nil {
			t.Fatal(err)
		}
		for i, have := range v {
			if have != want(i) {
				t.Fatalf("%s: [%d] is %g, wanted %g", text, i, have, want(i))
			}
		}
	}
}

func BenchmarkFill(b *testing.B) {
	v := make([]float32, 1<<22)
	for _, t := range []string{"uniform", "gaussian"} {
		b.Run(t, func(b *testing.B) {
			f := &caffepb.FillerParameter{Type: proto.String(t), Std: proto.Float32(1)}
			b.SetBytes(int64(4 * len(v)))
			for b.Loop() {
				if err := layer.Fill(f, []int{1024, 4096}, gpu.Key{Seed: 1}, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a filler makes is what Caffe's filler.hpp makes, or has its moments; what that refuses is refused.
func TestBilinearFiller(t *testing.T) {
	for w, want := range map[int][]float32{ // a row's factors, by Caffe
		1: {1}, 2: {0.5, 0.5}, 3: {0.5, 1, 0.5}, 4: {0.25, 0.75, 0.75, 0.25},
		5: {1.0 / 3, 2.0 / 3, 1, 2.0 / 3, 1.0 / 3},
		6: {1.0 / 6, 0.5, 5.0 / 6, 5.0 / 6, 0.5, 1.0 / 6}, 7: {0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25},
		10: {0.1, 0.3, 0.5, 0.7, 0.9, 0.9, 0.7, 0.5, 0.3, 0.1},
	} {
		v := make([]float32, 2*w*w)
		f := &caffepb.FillerParameter{}
		if err := caffe.ParsePrototxt("f", []byte("type: 'bilinear'"), f); err != nil {
			t.Fatal(err)
		}
		if err := layer.Fill(f, []int{2, 1, w, w}, gpu.Key{}, v); err != nil {
			t.Fatal(err)
		}
		for i := range v {
			if x := want[i%w] * want[i/w%w]; math.Abs(float64(v[i]-x)) > 1e-6 {
				t.Fatalf("kernel of %d: number %d is %g, Caffe's %g", w, i, v[i], x)
			}
		}
	}
}

func TestFillersRefuse(t *testing.T) {
	for _, c := range []struct {
		filler, want string
		shape        []int
	}{
		{"type: 'gaussian' sparse: 5", "sparse is 5 for 4 outputs (shape 4x3); wanted 0 to 4", []int{4, 3}},
		{"type: 'gaussian' sparse: 4", "", []int{4, 3}},
		{"type: 'gaussian' sparse: -2", "sparse is -2", []int{4, 3}},
		{"type: 'gaussian' std: -1", "std is -1; wanted above 0", []int{4, 3}},
		{"type: 'xavier' sparse: 2", "filler xavier: sparse is 2; only the filler gaussian has it", []int{4, 3}},
		{"type: 'uniform' min: 2 max: 1", "min is 2 and max 1", []int{4, 3}},
		{"type: 'bilinear'", "wants 4 axes with a square kernel, not 4x3", []int{4, 3}},
		{"type: 'bilinear'", "not 1x1x2x3", []int{1, 1, 2, 3}},
	} {
		f := &caffepb.FillerParameter{}
		if err := caffe.ParsePrototxt("f", []byte(c.filler), f); err != nil {
			t.Fatal(err)
		}
		err := layer.Fill(f, c.shape, gpu.Key{}, make([]float32, gpu.Elements(c.shape)))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, wanted %q", c.filler, err, c.want)
		}
	}
}

// An array that is filled piece by piece is the same as one that is filled at once, of each filler.
func TestFillPieces(t *testing.T) {
	for _, c := range []struct {
		filler string
		shape  []int
	}{
		{`type: "constant" value: 3`, []int{5}},
		{`type: "gaussian" std: 0.1 mean: 1`, []int{5, 1<<20 + 7}},
		{`type: "gaussian" std: 0.1 sparse: 2`, []int{5, 1<<20 + 7}},
		{`type: "xavier"`, []int{3, 1<<21 + 1}},
		{`type: "msra"`, []int{1 << 22}},
		{`type: "uniform" min: -1 max: 2`, []int{1<<23 + 5}},
		{`type: "positive_unitball"`, []int{5, 1<<20 + 7}},
		{`type: "bilinear"`, []int{4, 1, 1030, 1030}},
		{`type: "uniform"`, []int{0, 4}},
		{`type: "uniform"`, nil},
	} {
		f := &caffepb.FillerParameter{}
		if err := caffe.ParsePrototxt("f", []byte(c.filler), f); err != nil {
			t.Fatal(err)
		}
		key := gpu.Key{Seed: 4, Stream: 2}
		want, got := make([]float32, gpu.Elements(c.shape)), make([]float32, gpu.Elements(c.shape))
		if err := layer.Fill(f, c.shape, key, want); err != nil {
			t.Fatal(err)
		}
		if err := layer.FillPieces(f, c.shape, key, func(first int, piece []float32) {
			copy(got[first:], piece)
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(want, got) {
			t.Errorf("%s of %v: not the same in pieces", c.filler, c.shape)
		}
	}
}

// BenchmarkGaussian fills 75 million weights, on all processors.
func BenchmarkGaussian(b *testing.B) {
	shape := []int{75, 1000, 1000}
	f := &caffepb.FillerParameter{Type: proto.String("gaussian"), Std: proto.Float32(0.01)}
	for b.Loop() {
		if err := layer.FillPieces(f, shape, gpu.Key{Seed: 1}, func(int, []float32) {}); err != nil {
			b.Fatal(err)
		}
	}
}
