package host

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Windows of 2×2 are pooled by a kernel of their own, by vectors where there are four: it finds what the one for all
// windows finds, whatever the numbers. Where some of a window are NaN, that is its maximum.
func TestMaxPool2(t *testing.T) {
	inf := float32(math.Inf(1))
	numbers := []float32{0, float32(math.Copysign(0, -1)), 1, 1, -1, inf, 1e-45, math.MaxFloat32, float32(math.NaN())}
	rapid.Check(t, func(t *rapid.T) {
		g := gpu.PoolGeometry{
			Planes: rapid.IntRange(1, 3).Draw(t, "planes"), H: 2 * rapid.IntRange(1, 4).Draw(t, "height"),
			W: 2 * rapid.IntRange(1, 13).Draw(t, "width"), KH: 2, KW: 2, SH: 2, SW: 2,
		}
		g.Resolve(false)
		n, out := g.Planes*g.H*g.W, g.Planes*g.OutH*g.OutW
		x := rapid.SliceOfN(rapid.SampledFrom(numbers), n, n).Draw(t, "x")
		y, argmax, wantY, want := make([]float32, out), make([]float32, out), make([]float32, out), make([]float32, out)
		(&maxPool2Kernel{&g, x, y, argmax}).run(0, g.Planes, 0)
		(&maxPoolKernel{&g, x, wantY, want}).run(0, g.Planes, 0)
		for i := range y {
			nan := y[i] != y[i]
			if nan != (wantY[i] != wantY[i]) || !nan && (y[i] != wantY[i] || argmax[i] != want[i]) {
				t.Fatalf("[%d] is %g at %g, wanted %g at %g", i, y[i], argmax[i], wantY[i], want[i])
			}
		}
	})
}
