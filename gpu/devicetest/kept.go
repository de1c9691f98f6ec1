package devicetest

import (
	"fmt"
	"math"

	"dns-tui/gpu"
)

// densities are fractions kept that a device may meet by kernels of their own: nothing, little, much, all.
var densities = []float32{0, 0.004, 0.03, 0.5, 1}

// kept returns forward weights of n entries, of which a fraction is kept, some of these as zeros.
func (b *bench) kept(n int, density float32) []float32 {
	m := b.random(n)
	for i, chance := range b.random(n) {
		switch {
		case chance >= 2*density-1:
			m[i] = gpu.Pruned
		case i%3 == 0:
			m[i] = 0
		}
	}
	return m
}

// checkKept compares the entries of a gradient that forward weights keep. What the others hold is of no account, but
// they held numbers and are to hold them still.
func (b *bench) checkKept(what string, t *gpu.Tensor, m []float32, want []float64) {
	b.Helper()
	have := b.values(t)
	for i, v := range have {
		if gpu.IsPruned(m[i]) {
			if math.IsNaN(float64(v)) {
				b.Fatalf("%s[%d], which is pruned, is NaN", what, i)
			}
			have[i] = float32(want[i])
		}
	}
	b.checkValues(what, have, want)
}

// gemmKept checks products of which some entries are wanted alone.
func gemmKept(b *bench) {
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {50, 80, 16}, {500, 3, 64}, {7, 1000, 33}, {257, 129, 100}} {
		m, n, k := s[0], s[1], s[2]
		for at := range 4 * len(densities) {
			transA, transB, density, beta := at&1 != 0, at&2 != 0, densities[at/4], float32(at%3)
			x, y, z, kept := b.random(m*k), b.random(k*n), b.random(m*n), b.kept(m*n, density)
			tx, ty, tz, tw := b.tensor(x), b.tensor(y), b.tensor(z), b.tensor(z)
			b.d.GemmKept(transA, transB, m, n, k, 0.5, tx, ty, beta, tz, b.tensor(kept))
			b.d.Gemm(transA, transB, m, n, k, 0.5, tx, ty, beta, tw)
			b.checkKept(fmt.Sprint("GemmKept ", s, transA, transB, density), tz, kept, wide(b.values(tw)))
		}
	}
	nan := b.tensor([]float32{float32(math.NaN())})
	b.d.GemmKept(
		true,
		false,
		1,
		1,
		1,
		1,
		b.tensor([]float32{2}),
		b.tensor([]float32{3}),
		0,
		nan,
		b.tensor([]float32{1}),
	)
	b.check("GemmKept with beta = 0 over NaN", nan, []float64{6})
}

// gemmPruned checks products with forward weights.
func gemmPruned(b *bench) {
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {16, 50, 80}, {64, 500, 3}, {33, 7, 1000}, {100, 257, 129}} {
		m, n, k := s[0], s[1], s[2]
		for at := range 2 * len(densities) {
			transB, density := at&1 != 0, densities[at/2]
			x, w := b.random(m*k), b.kept(k*n, density)
			tx, tw, ty, want := b.tensor(x), b.tensor(w), b.empty(m*n), make([]float64, m*n)
			b.d.GemmPruned(transB, m, n, k, tx, tw, ty)
			for i := range want {
				for p := range k {
					at := p*n + i%n
					if transB {
						at = i%n*k + p
					}
					want[i] += float64(x[i/n*k+p]) * float64(w[at])
				}
			}
			b.check(fmt.Sprint("GemmPruned ", s, transB, density), ty, want)
		}
	}
}

// convKept checks the gradients of a convolution's weights where those of kept ones alone are wanted.
func convKept(b *bench, g *gpu.ConvGeometry, x, dy *gpu.Tensor, dw []float32, want []float64) {
	for _, density := range densities {
		kept := b.kept(len(dw), density)
		t, db := b.tensor(dw), b.empty(g.O)
		b.d.ConvBackwardWeights(g, x, dy, b.tensor(kept), t, db)
		b.checkKept(fmt.Sprintf("ConvBackwardWeights of %g kept %+v", density, *g), t, kept, want)
	}
}
