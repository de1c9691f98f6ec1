//go:build cuda

package cuda

import "dns-tui/gpu"

// pool checks a pooling's operands and puts a Pool of spatial.cu into the blob.
func (d *Device) pool(op string, g *gpu.PoolGeometry, in, out *gpu.Tensor) {
	gpu.Want(op, "input", in, g.Planes*g.H*g.W)
	gpu.Want(op, "output", out, g.Planes*g.OutH*g.OutW)
	d.closeBatches()
	b := &d.queue.blob
	b.ints(g.Planes, g.H, g.W, g.KH, g.KW, g.SH, g.SW, g.PH, g.PW, g.OutH, g.OutW)
	for _, n := range []int{g.W, g.H, g.OutW, g.OutH} {
		b.divisor(n)
	}
}

// MaxPool implements gpu.Spatial.
func (d *Device) MaxPool(g *gpu.PoolGeometry, x, y, at *gpu.Tensor) {
	gpu.Want("MaxPool", "at", at, y.N)
	d.pool("MaxPool", g, x, y)
	d.each(kMaxPool, y.N, d.ptr(x), d.ptr(y), d.ptr(at))
}

// MaxPoolBackward implements gpu.Spatial.
func (d *Device) MaxPoolBackward(g *gpu.PoolGeometry, dy, at, dx *gpu.Tensor) {
	gpu.Want("MaxPoolBackward", "at", at, dy.N)
	d.pool("MaxPoolBackward", g, dx, dy)
	d.each(kMaxPoolBackward, dx.N, d.ptr(dy), d.ptr(at), d.ptr(dx))
}

// AvePool implements gpu.Spatial.
func (d *Device) AvePool(g *gpu.PoolGeometry, x, y *gpu.Tensor) {
	d.pool("AvePool", g, x, y)
	d.each(kAvePool, y.N, d.ptr(x), d.ptr(y))
}

// AvePoolBackward implements gpu.Spatial.
func (d *Device) AvePoolBackward(g *gpu.PoolGeometry, dy, dx *gpu.Tensor) {
	d.pool("AvePoolBackward", g, dx, dy)
	d.each(kAvePoolBackward, dx.N, d.ptr(dy), d.ptr(dx))
}

// StochasticPool implements gpu.Spatial.
func (d *Device) StochasticPool(g *gpu.PoolGeometry, x, y, at *gpu.Tensor, key gpu.Key) {
	gpu.Want("StochasticPool", "at", at, y.N)
	k := d.liveKey(key)
	d.pool("StochasticPool", g, x, y)
	d.each(kStochasticPool, y.N, d.ptr(x), d.ptr(y), d.ptr(at), k)
}

// ExpectedPool implements gpu.Spatial.
func (d *Device) ExpectedPool(g *gpu.PoolGeometry, x, y *gpu.Tensor) {
	d.pool("ExpectedPool", g, x, y)
	d.each(kExpectedPool, y.N, d.ptr(x), d.ptr(y))
}

// col checks the operands of Im2col and Col2im and puts a Col of spatial.cu into the blob.
func (d *Device) col(op string, g *gpu.ColGeometry, x, col *gpu.Tensor) {
	if len(g.In) > gpu.MaxSpatialAxes {
		panic("gpu: " + op + ": too many spatial axes")
	}
	gpu.Want(op, "x", x, g.Channels*gpu.Elements(g.In))
	gpu.Want(op, "col", col, g.Rows()*g.Places())
	d.closeBatches()
	b := &d.queue.blob
	b.ints(g.Channels, len(g.In), gpu.Elements(g.Kernel), g.Places(), gpu.Elements(g.In))
	for _, list := range [][]int{g.In, g.Kernel, g.Stride, g.Pad, g.Dilation, g.Out} {
		b.ints(list...)
		for range gpu.MaxSpatialAxes - len(list) {
			b.ints(1)
		}
	}
}

// Im2col implements gpu.Spatial.
func (d *Device) Im2col(g *gpu.ColGeometry, x, col *gpu.Tensor) {
	d.col("Im2col", g, x, col)
	d.each(kIm2col, col.N, d.ptr(x), d.ptr(col))
}

// Col2im implements gpu.Spatial.
func (d *Device) Col2im(g *gpu.ColGeometry, col, x *gpu.Tensor) {
	d.col("Col2im", g, x, col)
	d.each(kCol2im, x.N, d.ptr(col), d.ptr(x))
}

// lrn checks the operands of LRN and puts an LRN of spatial.cu into the blob.
func (d *Device) lrn(op string, g *gpu.LRNGeometry, ts ...*gpu.Tensor) int {
	n := g.N * g.C * g.Plane
	for _, t := range ts {
		gpu.Want(op, "an operand", t, n)
	}
	d.closeBatches()
	b := &d.queue.blob
	b.ints(g.N, g.C, g.Plane, g.Size)
	b.float(g.Alpha)
	b.float(g.Beta)
	b.float(g.K)
	b.divisor(g.Plane)
	b.divisor(g.C)
	return n
}

// LRN implements gpu.Spatial.
func (d *Device) LRN(g *gpu.LRNGeometry, x, scale, y *gpu.Tensor) {
	n := d.lrn("LRN", g, x, scale, y)
	d.each(kLrn, n, d.ptr(x), d.ptr(scale), d.ptr(y))
}

// LRNBackward implements gpu.Spatial.
func (d *Device) LRNBackward(g *gpu.LRNGeometry, x, y, scale, dy, dx *gpu.Tensor) {
	n := d.lrn("LRNBackward", g, x, y, scale, dy, dx)
	d.each(kLrnBackward, n, d.ptr(x), d.ptr(y), d.ptr(scale), d.ptr(dy), d.ptr(dx))
}
