package host

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// oddNumbers are those that a comparison may take for others; some are equal.
var oddNumbers = []float32{0, float32(math.Copysign(0, -1)), 1, 1, 2, -1, float32(math.Inf(1)), float32(math.Inf(-1)),
	1e-45, math.MaxFloat32, -math.MaxFloat32, float32(math.NaN()), math.Float32frombits(0xffc00000)}

// The kernels that look for the largest of a window without branches find what is found by comparing one after the
// other, whatever the numbers. Where some of a window are NaN, that is its maximum.
func TestMaxPool(t *testing.T) { eachSet(t, checkMaxPool) }

func checkMaxPool(t *testing.T) {
	d := New(Options{Threads: 1})
	defer d.Close()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 5)
		g := gpu.PoolGeometry{
			Planes: size.Draw(t, "planes"), H: rapid.IntRange(2, 9).Draw(t, "height"),
			W:  rapid.IntRange(2, 26).Draw(t, "width"),
			KH: size.Draw(t, "kernel_h"), KW: size.Draw(t, "kernel_w"),
			SH: size.Draw(t, "stride_h"), SW: size.Draw(t, "stride_w"),
		}
		if tiles := rapid.Bool().Draw(t, "2x2"); tiles {
			g.H, g.W, g.KH, g.KW, g.SH, g.SW = g.H&^1, g.W&^1, 2, 2, 2, 2
		} else {
			g.PH, g.PW = rapid.IntRange(0, g.KH-1).Draw(t, "pad_h"), rapid.IntRange(0, g.KW-1).Draw(t, "pad_w")
			g.KH, g.KW = min(g.KH, g.H), min(g.KW, g.W)
			g.PH, g.PW = min(g.PH, g.KH-1), min(g.PW, g.KW-1)
		}
		g.Resolve(rapid.Bool().Draw(t, "ceil"))
		n, out := g.Planes*g.H*g.W, g.Planes*g.OutH*g.OutW
		x := rapid.SliceOfN(rapid.SampledFrom(oddNumbers), n, n).Draw(t, "x")
		tensor := func(v []float32) *gpu.Tensor { return upload(t, d, v) }
		y, argmax := make([]float32, out), make([]float32, out)
		ty, tat := tensor(y), tensor(argmax)
		d.MaxPool(&g, tensor(x), ty, tat)
		d.Download(y, ty)
		d.Download(argmax, tat)
		for i := range y {
			want, at := largestOf(&g, x[i/(g.OutH*g.OutW)*g.H*g.W:], i%(g.OutH*g.OutW))
			nan := want != want
			if nan != (y[i] != y[i]) || !nan && (y[i] != want || argmax[i] != float32(at)) {
				t.Fatalf("[%d] is %g at %g, wanted %g at %d", i, y[i], argmax[i], want, at)
			}
		}
	})
}

// largestOf is the maximum of the window of an output, and where it is in the plane.
func largestOf(g *gpu.PoolGeometry, plane []float32, output int) (best float32, at int) {
	best, at = -math.MaxFloat32, -1
	h0, w0 := output/g.OutW*g.SH-g.PH, output%g.OutW*g.SW-g.PW
	for h := max(h0, 0); h < min(h0+g.KH, g.H); h++ {
		for w := max(w0, 0); w < min(w0+g.KW, g.W); w++ {
			if v := plane[h*g.W+w]; v > best || v != v {
				best, at = v, h*g.W+w
			}
		}
	}
	return best, at
}
