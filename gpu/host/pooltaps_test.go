package host

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Means by taps, by rows, and their gradients, have the bits of those of one window after the other.
func TestMeansByTaps(t *testing.T) { eachSet(t, checkMeansByTaps) }

func checkMeansByTaps(t *testing.T) {
	d := NewBack(Options{Threads: 1}).(*back)
	defer d.Close()
	rapid.Check(t, func(t *rapid.T) {
		g := gpu.PoolGeometry{
			Planes: rapid.IntRange(1, 3).Draw(t, "planes"),
			H:      rapid.IntRange(1, 12).Draw(t, "height"), W: rapid.IntRange(1, 40).Draw(t, "width"),
			KH: rapid.IntRange(1, 5).Draw(t, "kernel_h"), KW: rapid.IntRange(1, 5).Draw(t, "kernel_w"),
			SH: rapid.IntRange(1, 4).Draw(t, "stride_h"), SW: rapid.IntRange(1, 2).Draw(t, "stride_w"),
		}
		g.KH, g.KW = min(g.KH, g.H), min(g.KW, g.W)
		g.PH, g.PW = rapid.IntRange(0, g.KH-1).Draw(t, "pad_h"), rapid.IntRange(0, g.KW-1).Draw(t, "pad_w")
		g.Resolve(rapid.Bool().Draw(t, "floor"))
		in, out := g.InputLen(), g.OutputLen()
		number := rapid.OneOf(rapid.Float32Range(-3, 3), rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)),
			float32(math.NaN()), float32(math.Inf(1))}))
		x := rapid.SliceOfN(number, in, in).Draw(t, "x")
		dy := rapid.SliceOfN(number, out, out).Draw(t, "dy")
		check := func(name string, have, want []float32) {
			for i, v := range have {
				if math.Float32bits(v) != math.Float32bits(want[i]) && (v == v || want[i] == want[i]) {
					t.Fatalf("%s[%d] of %+v is %g, wanted %g", name, i, g, v, want[i])
				}
			}
		}
		y, want := make([]float32, out), make([]float32, out)
		(&avePoolTapsKernel{d, avePoolKernel{&g, x, y}}).run(0, g.Planes, 0)
		(&avePoolKernel{&g, x, want}).run(0, g.Planes, 0)
		check("y", y, want)
		if rows, ok := d.byRows(&g); ok {
			y := make([]float32, out)
			(&avePoolRowsKernel{rows, d, avePoolKernel{&g, x, y}}).run(0, g.Planes, 0)
			check("y by rows", y, want)
		}
		dx, want := make([]float32, in), make([]float32, in)
		(&avePoolBackwardTapsKernel{d, avePoolBackwardKernel{&g, dy, dx}}).run(0, g.Planes, 0)
		(&avePoolBackwardKernel{&g, dy, want}).run(0, g.Planes, 0)
		check("dx", dx, want)
		if rows, ok := d.spreadsByRows(&g); ok {
			dx := make([]float32, in)
			(&avePoolBackwardRowsKernel{rows, d, avePoolBackwardKernel{&g, dy, dx}}).run(0, g.Planes, 0)
			check("dx by rows", dx, want)
		}
	})
}
