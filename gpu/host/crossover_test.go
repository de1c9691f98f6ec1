package host

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Whatever was measured, and in whatever order: what was chosen at a fraction stays chosen by all that is learned
// later.
func TestCrossoverStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := crossover{Dense: rapid.Float64Range(0.01, 1).Draw(t, "dense")}
		x := first
		type choice struct {
			kept float64
			pays bool
		}
		var made []choice
		for range rapid.IntRange(0, 40).Draw(t, "products") {
			kept := float64(rapid.IntRange(0, 10000).Draw(t, "kept in 10000")) / 10000
			pays, known := x.choose(kept)
			if !known {
				pays = rapid.Bool().Draw(t, "pays")
				x.learn(kept, pays)
			}
			made = append(made, choice{kept, pays})
			if again, known := x.choose(kept); !known || again != pays {
				t.Fatalf("at %g: %t, then %t, %t", kept, pays, again, known)
			}
		}
		for _, c := range made {
			if pays, known := x.choose(c.kept); !known || pays != c.pays {
				t.Fatalf("at %g was chosen %t, and is now %t, %t: %+v", c.kept, c.pays, pays, known, x)
			}
		}
		if x.Sparse > again*first.Dense || x.Dense > first.Dense || x.Sparse >= x.Dense {
			t.Fatalf("%+v from %+v", x, first)
		}
	})
}

// emptying does the products of a net that empties, and returns all results.
func emptying(t *testing.T, o Options) (all []float32, d *back) {
	d = NewBack(o).(*back)
	t.Cleanup(func() { d.Close() })
	g := gpu.ConvGeometry{N: 4, C: 3, H: 9, W: 9, O: 20, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	const m, n, k = 64, 30, 40
	tensor := func(n int, stream uint32) *gpu.Tensor { return withZeros(d, n, stream, 1) }
	x, dy, dx := tensor(g.InputLen(), 1), tensor(g.OutputLen(), 2), tensor(g.InputLen(), 3)
	y, dw := tensor(g.OutputLen(), 4), tensor(g.WeightLen(), 5)
	a, c, product, dc := tensor(m*k, 6), tensor(m*n, 7), tensor(m*n, 8), tensor(n*k, 9)
	for density := float32(1); density > 0.001; density *= 0.9 {
		w, b := withZeros(d, g.WeightLen(), 10, density), withZeros(d, n*k, 11, density)
		for _, w := range []*gpu.Tensor{w, b} {
			for i, v := range slice(w) {
				if v == 0 {
					slice(w)[i] = gpu.Pruned
				}
			}
		}
		d.Do(&gpu.Conv{G: &g, X: x, W: w, Y: y})
		d.Do(&gpu.ConvBackwardData{G: &g, DY: dy, W: w, DX: dx})
		d.Do(&gpu.ConvBackwardWeights{G: &g, X: x, DY: dy, Kept: w, DW: dw})
		d.Do(&gpu.Gemm{TransB: true, M: m, N: n, K: k, Alpha: 1, Pruned: true, A: a, B: b, C: product})
		d.Do(&gpu.Gemm{TransA: true, M: n, N: k, K: m, Alpha: 1, Beta: 1, Kept: b, A: c, B: a, C: dc})
		for _, r := range []*gpu.Tensor{y, dx, product} {
			all = append(all, slice(r)...)
		}
		for i, v := range slice(w) { // other gradients are wanted of nobody
			if !gpu.IsPruned(v) {
				all = append(all, slice(dw)[i])
			}
		}
		for i, v := range slice(b) {
			if !gpu.IsPruned(v) {
				all = append(all, slice(dc)[i])
			}
		}
	}
	return all, d
}

// What is measured is kept: later runs have the same bits, on any number of threads, and the results are right. What
// adds to its result does so once, however often it was measured.
func TestTune(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	want, _ := emptying(t, Options{Threads: 1})
	first, d := emptying(t, Options{Threads: 1, Tune: true})
	if len(d.crossovers.known) != 5 || len(d.notices) > 0 && strings.Contains(strings.Join(d.notices, ""), "rule") {
		t.Fatalf("known: %+v, notices %q", d.crossovers.known, d.notices)
	}
	for i, v := range first {
		if math.Abs(float64(v-want[i])) > 1e-3*(1+math.Abs(float64(want[i]))) {
			t.Fatalf("[%d] is %g, wanted %g", i, v, want[i])
		}
	}
	for _, threads := range []int{1, 3} {
		again, d2 := emptying(t, Options{Threads: threads, Tune: true})
		for i, v := range again {
			if math.Float32bits(v) != math.Float32bits(first[i]) {
				t.Fatalf("%d threads: [%d] is %g, and was %g", threads, i, v, first[i])
			}
		}
		for key, x := range d.crossovers.known {
			if d2.crossovers.known[key] != x {
				t.Errorf("%s: %+v, and was %+v", key, d2.crossovers.known[key], x)
			}
		}
	}
}

// Where nothing can be kept a rule decides, from the first product on, and that is said once.
func TestTuneWithoutFile(t *testing.T) {
	want, plain := emptying(t, Options{Threads: 1})
	for name, spoil := range map[string]func(cache string) error{
		"a file in place of the folder": func(cache string) error { return os.WriteFile(cache, nil, 0o600) },
		"a folder in place of the file": func(cache string) error {
			return os.MkdirAll(filepath.Join(cache, "dns-tui", "crossovers.json"), 0o700)
		},
		"a folder in place of the lock": func(cache string) error {
			return os.MkdirAll(filepath.Join(cache, "dns-tui", "crossovers.json.lock"), 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cache := filepath.Join(t.TempDir(), "cache")
			if err := spoil(cache); err != nil {
				t.Fatal(err)
			}
			t.Setenv("XDG_CACHE_HOME", cache)
			have, d := emptying(t, Options{Threads: 1, Tune: true})
			for i, v := range have {
				if math.Float32bits(v) != math.Float32bits(want[i]) {
					t.Fatalf("[%d] is %g, by the rule %g", i, v, want[i])
				}
			}
			if n := len(d.notices) - len(plain.notices); n != 1 {
				t.Errorf("%d notices: %q", n, d.notices)
			}
		})
	}
}

// A product that is known of allocates nothing.
func TestTunedAllocatesNothing(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	d := New(Options{Threads: 1, Tune: true})
	defer d.Close()
	o := operands{t, d, new(uint32)}
	g := gpu.ConvGeometry{N: 2, C: 1, H: 5, W: 5, O: 9, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	x, y, w := o.tensor(g.InputLen()), o.tensor(g.OutputLen()), o.forwardWeights(g.WeightLen(), 0.1)
	a, b, c := o.tensor(1200), o.forwardWeights(1200, 0.1), o.tensor(900)
	dw := o.tensor(g.WeightLen())
	run := func() {
		d.Conv(&g, x, w, nil, y)
		d.ConvBackwardData(&g, y, w, x)
		d.ConvBackwardWeights(&g, x, y, w, dw, nil)
		d.GemmPruned(true, 30, 30, 40, a, b, c)
	}
	run()
	if n := testing.AllocsPerRun(50, run); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// BenchmarkCrossovers measures from what fraction kept on products of LeNet-5 (batch 64), CIFAR-10 quick and AlexNet
// leave out what is pruned, as a net does that empties by a tenth at a time, beside what the rule has (percent).
func BenchmarkCrossovers(b *testing.B) {
	s := newBenchSet(b)
	d := s.d
	sweep := func(name string, rule float64, w *gpu.Tensor, do func()) {
		b.Run(name, func(b *testing.B) {
			b.Setenv("XDG_CACHE_HOME", b.TempDir())
			values := append([]float32(nil), slice(w)...)
			for range b.N {
				d.openCrossovers()
				for density := float32(1); density > 1e-4; density *= 0.9 {
					for i, v := range values {
						if slice(w)[i] = v; (gpu.Key{Seed: 2}).Uniform(i) >= density {
							slice(w)[i] = gpu.Pruned
						}
					}
					do()
				}
				for _, x := range d.crossovers.known {
					b.ReportMetric(100*x.Sparse, "%kept-sparse")
					b.ReportMetric(100*x.Dense, "%kept-dense")
				}
			}
			b.ReportMetric(100*rule, "%kept-rule")
			copy(slice(w), values)
		})
	}
	for _, c := range []struct {
		name               string
		n, c, h, o, kernel int
		stride, pad        int
	}{
		{"conv1", 64, 1, 28, 20, 5, 1, 0}, {"conv2", 64, 20, 12, 50, 5, 1, 0},
		{"quick conv2", 100, 32, 14, 32, 5, 1, 2}, {"quick conv3", 100, 32, 7, 64, 5, 1, 2},
		{"alexnet conv3", 16, 256, 13, 384, 3, 1, 1},
	} {
		g := gpu.ConvGeometry{N: c.n, C: c.c, H: c.h, W: c.h, O: c.o, KH: c.kernel, KW: c.kernel, SH: c.stride,
			SW: c.stride, PH: c.pad, PW: c.pad, DH: 1, DW: 1, Groups: 1}
		g.Resolve()
		x, w, y, dw := s.tensor(g.InputLen()), s.tensor(g.WeightLen()), s.tensor(g.OutputLen()), s.tensor(g.WeightLen())
		rule := convCrossover(&g)
		forward, backward := gpu.Conv{G: &g, X: x, W: w, Y: y}, gpu.ConvBackwardData{G: &g, DY: y, W: w, DX: x}
		gradient := gpu.ConvBackwardWeights{G: &g, X: x, DY: y, Kept: w, DW: dw}
		sweep(c.name+" forward", rule, w, func() { d.conv(&forward) })
		sweep(c.name+" backward", rule, w, func() { d.convBackwardData(&backward) })
		sweep(c.name+" gradient", gradientCrossover, w, func() { d.convBackwardWeights(&gradient) })
	}
	for _, c := range []struct {
		name           string
		batch, out, in int
	}{{"ip1", 64, 500, 800}, {"ip2", 64, 10, 500}} {
		x, w, y, dw := s.tensor(c.batch*c.in), s.tensor(c.out*c.in), s.tensor(c.batch*c.out), s.tensor(c.out*c.in)
		rule := productCrossover(c.batch)
		forward := gpu.Gemm{TransB: true, M: c.batch, N: c.out, K: c.in, Alpha: 1, Pruned: true, A: x, B: w, C: y}
		backward := gpu.Gemm{M: c.batch, N: c.in, K: c.out, Alpha: 1, Pruned: true, A: y, B: w, C: x}
		gradient := gpu.Gemm{TransA: true, M: c.out, N: c.in, K: c.batch, Alpha: 1, Beta: 1, Kept: w, A: y, B: x, C: dw}
		sweep(c.name+" forward", rule, w, func() { d.gemm(&forward) })
		sweep(c.name+" backward", rule, w, func() { d.gemm(&backward) })
		sweep(c.name+" gradient", rule, w, func() { d.gemm(&gradient) })
	}
}
