package devicetest

import (
	"fmt"
	"slices"

	"dns-tui/gpu"
)

// stochasticPool checks that each output is the element that the running sum picks, that its gradient goes there, and
// the mean of the draws.
func stochasticPool(b *bench) {
	for _, g := range pools {
		g.PH, g.PW = 0, 0
		g.Resolve(false)
		nx, ny := g.Planes*g.H*g.W, g.Planes*g.OutH*g.OutW
		x, dy := b.random(nx), b.random(ny)
		for i := range x {
			x[i] = max(x[i], 0) // a quarter of the windows of 2×2 hold one or no positive element
		}
		key := gpu.Key{Seed: 3, Stream: 8, Iter: 5}
		y, at, mean, dx := make([]float64, ny), make([]float64, ny), make([]float64, ny), make([]float64, nx)
		windows(&g, func(o, plane int, in []int, _ float64) {
			var sum, run float32
			squares := 0.0
			for _, i := range in {
				sum += x[plane+i]
				squares += float64(x[plane+i]) * float64(x[plane+i])
			}
			if sum > 0 {
				mean[o] = squares / float64(sum)
			}
			at[o] = -1
			limit := key.Uniform(o) * sum
			for _, i := range in {
				if run += x[plane+i]; run >= limit {
					y[o], at[o] = float64(x[plane+i]), float64(i)
					dx[plane+i] += float64(dy[o])
					break
				}
			}
		})
		tx, ty, tat, tdx := b.tensor(x), b.empty(ny), b.empty(ny), b.empty(nx)
		b.d.StochasticPool(&g, tx, ty, tat, key)
		b.check(fmt.Sprintf("StochasticPool %+v", g), ty, y)
		b.check(fmt.Sprintf("StochasticPool positions %+v", g), tat, at)
		b.d.MaxPoolBackward(&g, b.tensor(dy), tat, tdx)
		b.check(fmt.Sprintf("StochasticPool gradient %+v", g), tdx, dx)
		b.d.ExpectedPool(&g, tx, ty)
		b.check(fmt.Sprintf("ExpectedPool %+v", g), ty, mean)
	}
}

// im2col checks every element against its index arithmetic, and Col2im as its transpose.
func im2col(b *bench) {
	for _, g := range []gpu.ColGeometry{
		{Channels: 2, In: []int{7}, Kernel: []int{3}, Stride: []int{2}, Pad: []int{1}, Dilation: []int{2}},
		{
			Channels: 3, In: []int{5, 6}, Kernel: []int{3, 2},
			Stride: []int{1, 2}, Pad: []int{2, 0}, Dilation: []int{1, 1},
		},
		{
			Channels: 2, In: []int{4, 3, 5}, Kernel: []int{2, 3, 2},
			Stride: []int{1, 1, 2}, Pad: []int{0, 1, 1}, Dilation: []int{2, 1, 1},
		},
		{
			Channels: 1, In: []int{3, 2, 3, 2}, Kernel: []int{2, 1, 2, 2},
			Stride: []int{1, 1, 1, 1}, Pad: []int{1, 0, 0, 1}, Dilation: []int{1, 1, 1, 1},
		},
		{
			Channels: 40, In: []int{9, 9, 9}, Kernel: []int{3, 3, 3},
			Stride: []int{2, 2, 2}, Pad: []int{1, 1, 1}, Dilation: []int{1, 1, 1},
		},
	} {
		g.Resolve()
		plane, positions := gpu.Elements(g.In), g.Positions()
		x, col := b.random(g.Channels*plane), b.random(g.Rows()*positions)
		wantCol, wantX := make([]float64, len(col)), make([]float64, len(x))
		for i := range col {
			tap, out, in, ok := i/positions, i%positions, 0, true
			c := tap / gpu.Elements(g.Kernel)
			scale := 1
			for a := range slices.Backward(g.In) {
				at := out%g.Out[a]*g.Stride[a] - g.Pad[a] + tap%g.Kernel[a]*g.Dilation[a]
				out, tap = out/g.Out[a], tap/g.Kernel[a]
				ok = ok && at >= 0 && at < g.In[a]
				in += at * scale
				scale *= g.In[a]
			}
			if ok {
				wantCol[i] = float64(x[c*plane+in])
				wantX[c*plane+in] += float64(col[i])
			}
		}
		tcol, tx := b.empty(len(col)), b.empty(len(x))
		b.d.Im2col(&g, b.tensor(x), tcol)
		b.check(fmt.Sprintf("Im2col %+v", g), tcol, wantCol)
		b.d.Col2im(&g, b.tensor(col), tx)
		b.check(fmt.Sprintf("Col2im %+v", g), tx, wantX)
	}
}
