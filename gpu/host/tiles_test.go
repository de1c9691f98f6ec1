package host

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Products of tiles are those in float64 but for rounding, at every edge of tiles, and have the same bits on any number
// of threads.
func TestTiles(t *testing.T) { eachSet(t, checkTiles) }

func checkTiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int{1, 2, 7, 8, 15, 16, 17, 33, 64, 250, 300})
		m, n, k := size.Draw(t, "m"), size.Draw(t, "n"), size.Draw(t, "k")
		transA := rapid.Bool().Draw(t, "transA")
		transB := !transA && rapid.Bool().Draw(t, "transB")
		beta := float32(rapid.IntRange(0, 1).Draw(t, "beta"))
		key := gpu.Key{Seed: rapid.Uint64().Draw(t, "seed")}
		random := func(n int) []float32 {
			key.Iter++
			v := make([]float32, n)
			for i := range v {
				v[i] = key.Uniform(i) - 0.5
			}
			return v
		}
		a, b, c := random(m*k), random(k*n), random(m*n)
		var first []float32
		for _, threads := range []int{1, 3} {
			back := NewBack(Options{Threads: threads, GoBLAS: true}).(*back)
			d := gpu.NewDevice(back, nil)
			tensor := func(v []float32) *gpu.Tensor { return upload(t, d, v) }
			tc := tensor(c)
			if beta == 0 {
				d.Fill(tc, float32(math.NaN()))
			}
			back.convolutions.only = "tiles"
			d.Gemm(transA, transB, m, n, k, 1, tensor(a), tensor(b), beta, tc)
			have := make([]float32, m*n)
			d.Download(have, tc)
			_ = d.Close()
			for i := range have {
				want := float64(beta) * float64(c[i])
				for j := range k {
					x, y := a[i/n*k+j], b[j*n+i%n]
					if transA {
						x = a[j*m+i/n]
					}
					if transB {
						y = b[i%n*k+j]
					}
					want += float64(x) * float64(y)
				}
				if !(math.Abs(float64(have[i])-want) <= 1e-5*(1+math.Sqrt(float64(k)))) {
					t.Fatalf("[%d] is %g, wanted %g", i, have[i], want)
				}
				if first != nil && math.Float32bits(first[i]) != math.Float32bits(have[i]) {
					t.Fatalf("[%d] is %g with %d threads, and %g with one", i, have[i], threads, first[i])
				}
			}
			first = have
		}
	})
}

// BenchmarkProducts measures the ways of products of nets: GFLOP/s of a thread, by its processor time.
func BenchmarkProducts(b *testing.B) {
	for _, c := range []struct{ m, n, k int }{
		{50, 2048, 512}, {1000, 2048, 512}, {1000, 1000, 512}, {64, 300, 784}, {64, 100, 300}, {64, 10, 100},
		{64, 500, 800},
		{64, 10, 500}, {16, 4096, 9216}, {16, 4096, 4096}, {8, 1000, 2048}, {100, 10, 1024},
	} {
		b.Run(fmt.Sprintf("%dx%dx%d", c.m, c.n, c.k), func(b *testing.B) {
			back := NewBack(Options{Threads: 1}).(*back)
			d := gpu.NewDevice(back, nil)
			defer d.Close()
			alloc := func(n int) *gpu.Tensor {
				t, _ := gpu.NewTensor(d, n)
				d.Fill(t, 0.5)
				return t
			}
			x, w, y := alloc(c.m*c.k), alloc(c.k*c.n), alloc(c.m*c.n)
			flops := 2 * float64(c.m) * float64(c.n) * float64(c.k)
			for b.Loop() {
				for what, o := range map[string]*gpu.Gemm{
					"y":  {TransB: true, M: c.m, N: c.n, K: c.k, Alpha: 1, A: x, B: w, C: y},
					"dx": {M: c.m, N: c.k, K: c.n, Alpha: 1, A: y, B: w, C: x},
					"dw": {TransA: true, M: c.n, N: c.k, K: c.m, Alpha: 1, A: y, B: x, Beta: 1, C: w},
				} {
					names, took := measure(back.convolutions.products, &gpu.ConvGeometry{}, o)
					for i, name := range names {
						b.ReportMetric(flops/float64(took[i].Nanoseconds()), what+"-"+name)
					}
				}
			}
		})
	}
}
