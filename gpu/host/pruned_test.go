package host

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Vector instructions make the bits that Go does, whatever the length, and write nothing else.
func TestCombine(t *testing.T) { eachSet(t, checkCombine) }

func checkCombine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float32()
		length := rapid.IntRange(0, 300).Draw(t, "length")
		reach := rapid.IntRange(0, 40).Draw(t, "reach")
		x := rapid.SliceOfN(value, length+reach, length+reach).Draw(t, "x")
		var terms []term
		for range rapid.IntRange(0, 5).Draw(t, "terms") {
			terms = append(terms, term{int32(rapid.IntRange(0, reach).Draw(t, "at")), value.Draw(t, "weight")})
		}
		last := value.Draw(t, "last")
		const guard = 7
		y := make([]float32, length+1)
		for i := range y {
			y[i] = guard
		}
		combine(terms, x, y[:length], last)
		for i, have := range y[:length] {
			want := float32(0)
			for _, c := range terms {
				want += float32(c.weight * x[int(c.at)+i])
			}
			want += last
			if math.Float32bits(have) != math.Float32bits(want) && !(have != have && want != want) {
				t.Fatalf("[%d] is %g, wanted %g", i, have, want)
			}
		}
		if y[length] != guard {
			t.Fatalf("an element behind the end was written")
		}
	})
}

// Where little is kept, pruned weights are left out: an infinite input that one of them reads does not show. Where much
// is, a dense product makes NaN of it. The results have the same bits on any number of threads.
func TestPruned(t *testing.T) {
	sameOnThreads(t, func(t *testing.T, o operands, density float32) (out [][]float32) {
		const batch, outputs, inputs = 64, 300, 200
		infinite := func(n int) *gpu.Tensor {
			x := o.tensor(n)
			const inside = 21 // a place that the windows of all geometries read, counted from the end
			o.d.Upload(x.View(n-inside, 1), []float32{float32(math.Inf(1))})
			return x
		}
		check := func(n int, run func(y *gpu.Tensor)) {
			y, v := o.tensor(n), make([]float32, n)
			run(y)
			o.d.Download(v, y)
			bad := 0
			for i := range v {
				if v[i] != v[i] {
					bad, v[i] = bad+1, 0
				}
			}
			if all := density > 0.1; (bad > 0) != all &&
				!(all && o.d.Capabilities().BLAS == "gonum") { // which passes over zeros, too
				t.Errorf("operation %d at %g: %d results are NaN", len(out), density, bad)
			}
			out = append(out, v)
		}
		w := o.forwardWeights(outputs*inputs, density)
		check(batch*outputs, func(y *gpu.Tensor) {
			o.d.GemmPruned(true, batch, outputs, inputs, infinite(batch*inputs), w, y)
		})
		check(batch*inputs, func(y *gpu.Tensor) {
			o.d.GemmPruned(false, batch, inputs, outputs, infinite(batch*outputs), w, y)
		})
		for _, g := range threadGeometries() {
			w := o.forwardWeights(g.WeightLen(), density)
			check(g.OutputLen(), func(y *gpu.Tensor) { o.d.Conv(&g, infinite(g.InputLen()), w, nil, y) })
			check(g.InputLen(), func(y *gpu.Tensor) { o.d.ConvBackwardData(&g, infinite(g.OutputLen()), w, y) })
		}
		return out
	})
}

// BenchmarkPruned measures products with forward weights of which kept ones alone are multiplied (sparse) beside those
// of all (dense): of layers of LeNet-5 (batch 64), CIFAR-10 quick and AlexNet, by the fraction that is kept.
func BenchmarkPruned(b *testing.B) {
	s := newBenchSet(b)
	d := s.d
	for _, c := range []struct {
		name               string
		n, c, h, o, kernel int
		stride, pad        int
	}{
		{"conv1", 64, 1, 28, 20, 5, 1, 0}, {"conv2", 64, 20, 12, 50, 5, 1, 0},
		{"quick conv2", 100, 32, 14, 32, 5, 1, 2}, {"quick conv3", 100, 32, 7, 64, 5, 1, 2},
		{"alexnet conv1", 16, 3, 227, 96, 11, 4, 0}, {"alexnet conv3", 16, 256, 13, 384, 3, 1, 1},
	} {
		g := gpu.ConvGeometry{N: c.n, C: c.c, H: c.h, W: c.h, O: c.o, KH: c.kernel, KW: c.kernel, SH: c.stride,
			SW: c.stride, PH: c.pad, PW: c.pad, DH: 1, DW: 1, Groups: 1}
		g.Resolve()
		x, w, y := s.tensor(g.InputLen()), s.tensor(g.WeightLen()), s.tensor(g.OutputLen())
		forward, backward := gpu.Conv{G: &g, X: x, W: w, Y: y}, gpu.ConvBackwardData{G: &g, DY: y, W: w, DX: x}
		s.compare(c.name+" forward", w, func() { d.conv(&forward) }, func() { d.convPruned(&forward) })
		s.compare(c.name+" backward", w, func() { d.convBackwardData(&backward) },
			func() { d.convBackwardDataPruned(&backward) })
	}
	for _, c := range []struct {
		name           string
		batch, out, in int
	}{{"ip1", 64, 500, 800}, {"ip2", 64, 10, 500}, {"fc6", 16, 4096, 9216}, {"fc6 of 64", 64, 4096, 9216}} {
		x, w, y := s.tensor(c.batch*c.in), s.tensor(c.out*c.in), s.tensor(c.batch*c.out)
		forward := gpu.Gemm{TransB: true, M: c.batch, N: c.out, K: c.in, Alpha: 1, A: x, B: w, C: y}
		backward := gpu.Gemm{M: c.batch, N: c.in, K: c.out, Alpha: 1, A: y, B: w, C: x}
		s.compare(c.name+" forward", w, func() { d.gemm(&forward) }, func() { d.gemmPruned(&forward) })
		s.compare(c.name+" backward", w, func() { d.gemm(&backward) }, func() { d.gemmPruned(&backward) })
	}
}

// benchSet makes operands on a host, and compares kernels.
type benchSet struct {
	*testing.B
	d *back
}

func newBenchSet(b *testing.B) benchSet {
	d := NewBack(Options{}).(*back)
	b.Cleanup(func() { d.Close() })
	return benchSet{b, d}
}

func (s benchSet) tensor(n int) *gpu.Tensor {
	m, err := s.d.Alloc(n)
	if err != nil {
		s.Fatal(err)
	}
	t := &gpu.Tensor{Mem: m, N: n, Shape: []int{n}}
	key := gpu.Key{Seed: 1, Stream: uint32(n)}
	for i := range slice(t) {
		slice(t)[i] = key.Uniform(i) - 0.5
	}
	return t
}

// compare runs dense where all of kept is kept, and sparse for masks of several densities.
func (s benchSet) compare(name string, kept *gpu.Tensor, dense, sparse func()) {
	values := append([]float32(nil), slice(kept)...)
	s.Run(name+"/dense", func(b *testing.B) {
		for b.Loop() {
			dense()
		}
	})
	for _, density := range []float32{0.003, 0.01, 0.03, 0.1, 0.3, 1} {
		for i, v := range values {
			if slice(kept)[i] = v; (gpu.Key{Seed: 2}).Uniform(i) >= density {
				slice(kept)[i] = gpu.Pruned
			}
		}
		s.Run(fmt.Sprintf("%s/sparse %.1f%%", name, 100*density), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sparse()
			}
		})
	}
	copy(slice(kept), values)
}
