package host

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Where little is kept, gradients of pruned weights are left out: they stay as they are. Where much is, all are
// computed. The results have the same bits on any number of threads.
func TestKeptOnly(t *testing.T) { sameOnThreads(t, keptOnly) }

// keptOnly returns weight gradients of a product and of two convolutions, which were 1 before.
func keptOnly(t *testing.T, o operands, density float32) (out [][]float32) {
	t.Helper()
	d, tensor := o.d, o.tensor
	check := func(n int, run func(kept, dw *gpu.Tensor)) {
		t.Helper()
		kept, dw := o.forwardWeights(n, density), tensor(n)
		m, v := make([]float32, n), make([]float32, n)
		d.Download(m, kept)
		d.Fill(dw, 1)
		run(kept, dw)
		d.Download(v, dw)
		added := 0
		for i := range v {
			if gpu.IsPruned(m[i]) && v[i] != 1 {
				added++
			}
		}
		if all := density > 0.1; (added > 0) != all {
			t.Errorf("at %g, something was added to %d gradients of pruned weights", density, added)
		}
		out = append(out, v)
	}
	const rows, cols, batch = 300, 200, 64
	y, x := tensor(batch*rows), tensor(batch*cols)
	check(rows*cols, func(kept, dw *gpu.Tensor) {
		d.GemmKept(true, false, rows, cols, batch, 1, y, x, 1, dw, kept)
	})
	for _, g := range threadGeometries() {
		x, dy := tensor(g.InputLen()), tensor(g.OutputLen())
		check(g.WeightLen(), func(kept, dw *gpu.Tensor) { d.ConvBackwardWeights(&g, x, dy, kept, dw, nil) })
	}
	return out
}

func threadGeometries() []gpu.ConvGeometry {
	all := []gpu.ConvGeometry{
		{N: 20, C: 4, H: 9, W: 10, O: 40, KH: 3, KW: 5, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 2},
		{N: 33, C: 6, H: 19, W: 17, O: 30, KH: 5, KW: 3, SH: 2, SW: 3, PH: 2, PW: 1, DH: 1, DW: 2, Groups: 1},
	}
	for i := range all {
		all[i].Resolve()
	}
	return all
}

// sameOnThreads fails unless results of products where little is kept, and where much is, have the same bits by one
// thread and by three.
func sameOnThreads(t *testing.T, results func(*testing.T, operands, float32) [][]float32) {
	for _, density := range []float32{0.01, 0.95} {
		var want [][]float32
		for _, threads := range []int{1, 3} {
			d := New(Options{Threads: threads})
			defer d.Close()
			have := results(t, operands{t, d, new(uint32)}, density)
			if want == nil {
				want = have
			}
			for op, values := range have {
				for i, v := range values {
					if w := want[op][i]; math.Float32bits(v) != math.Float32bits(w) {
						t.Fatalf("operation %d at %g: [%d] is %g by %d threads, %g by 1", op, density, i, v, threads, w)
					}
				}
			}
		}
	}
}

// operands makes operands of a device.
type operands struct {
	t      *testing.T
	d      *gpu.Device
	stream *uint32
}

func (o operands) tensor(n int) *gpu.Tensor {
	o.t.Helper()
	*o.stream++
	key := gpu.Key{Seed: 3, Stream: *o.stream}
	v := make([]float32, n)
	for i := range v {
		v[i] = key.Uniform(i) - 0.5
	}
	x, err := gpu.NewTensor(o.d, n)
	if err != nil {
		o.t.Fatal(err)
	}
	o.d.Upload(x, v)
	return x
}

// forwardWeights returns n of which a fraction is kept.
func (o operands) forwardWeights(n int, density float32) *gpu.Tensor {
	o.t.Helper()
	x, m := o.tensor(n), make([]float32, n)
	o.d.Download(m, x)
	for i, v := range m {
		if v+0.5 >= density {
			m[i] = gpu.Pruned
		}
	}
	o.d.Upload(x, m)
	return x
}

// What is kept is found wherever it is, at the ends too.
func TestNextKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := make([]float32, rapid.IntRange(0, 70).Draw(t, "length"))
		for i := range m {
			m[i] = gpu.Pruned
		}
		for range rapid.IntRange(0, 5).Draw(t, "kept") {
			if len(m) > 0 {
				at := rapid.IntRange(0, len(m)-1).Draw(t, "position")
				m[at] = rapid.SampledFrom([]float32{0, 1, -1e-45, float32(math.NaN())}).Draw(t, "value")
			}
		}
		at := 0
		for i, v := range m {
			if gpu.IsPruned(v) {
				continue
			}
			if found := nextKept(m, at); found != i {
				t.Fatalf("from %d on, %d is found, wanted %d", at, found, i)
			}
			at = i + 1
		}
		if found := nextKept(m, at); found != len(m) {
			t.Fatalf("from %d on, %d is found, wanted the end, %d", at, found, len(m))
		}
	})
}

// BenchmarkKeptOnly measures weight gradients of kept entries alone (sparse) beside those of all (dense): of layers of
// LeNet-5 (batch 64) and AlexNet, by the fraction that is kept.
func BenchmarkKeptOnly(b *testing.B) {
	s := newBenchSet(b)
	d, tensor, compare := s.d, s.tensor, s.compare
	for _, c := range []struct {
		name               string
		n, c, h, o, kernel int
		pad                int
	}{{"conv1", 64, 1, 28, 20, 5, 0}, {"conv2", 64, 20, 12, 50, 5, 0}, {"alexnet conv3", 16, 256, 13, 384, 3, 1}} {
		g := gpu.ConvGeometry{N: c.n, C: c.c, H: c.h, W: c.h, O: c.o, KH: c.kernel, KW: c.kernel, SH: 1, SW: 1,
			PH: c.pad, PW: c.pad, DH: 1, DW: 1, Groups: 1}
		g.Resolve()
		kept := tensor(g.WeightLen())
		o := gpu.ConvBackwardWeights{
			G: &g, X: tensor(g.InputLen()), DY: tensor(g.OutputLen()), DW: tensor(g.WeightLen()),
		}
		compare(c.name, kept, func() { d.convBackwardWeights(&o) }, func() {
			o := o
			o.Kept = kept
			d.convBackwardKept(&o)
		})
	}
	for _, c := range []struct {
		name           string
		batch, out, in int
	}{{"ip1", 64, 500, 800}, {"ip2", 64, 10, 500}, {"fc6", 16, 4096, 9216}} {
		kept := tensor(c.out * c.in)
		o := gpu.Gemm{
			TransA: true, M: c.out, N: c.in, K: c.batch, Alpha: 1,
			A: tensor(c.batch * c.out), B: tensor(c.batch * c.in), Beta: 1, C: tensor(c.out * c.in),
		}
		compare(c.name, kept, func() { d.gemm(&o) }, func() {
			o := o
			o.Kept = kept
			d.gemmKept(&o)
		})
	}
}
