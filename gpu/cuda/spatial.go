//go:build cuda

package cuda

import "dns-tui/gpu"

// pool is g as spatial.cu has it.
func pool(g *gpu.PoolGeometry) cPool {
	return cPool{
		planes: int32(g.Planes), h: int32(g.H), w: int32(g.W), kh: int32(g.KH), kw: int32(g.KW),
		sh: int32(g.SH), sw: int32(g.SW), ph: int32(g.PH), pw: int32(g.PW), outH: int32(g.OutH), outW: int32(g.OutW),
		byW: divisor(g.W), byH: divisor(g.H), byOutW: divisor(g.OutW), byOutH: divisor(g.OutH),
	}
}

func (d *back) maxPool(o *gpu.MaxPool) {
	each(d, kMaxPool, o.Y.N, maxPoolArgs{x: d.ptr(o.X), y: d.ptr(o.Y), at: d.ptr(o.Argmax), g: pool(o.G)})
}

func (d *back) maxPoolBackward(o *gpu.MaxPoolBackward) {
	each(d, kMaxPoolBackward, o.DX.N, maxPoolBackwardArgs{
		dy: d.ptr(o.DY), at: d.ptr(o.Argmax), dx: d.ptr(o.DX), g: pool(o.G),
	})
}

func (d *back) avePool(o *gpu.AvePool) {
	each(d, kAvePool, o.Y.N, avePoolArgs{x: d.ptr(o.X), y: d.ptr(o.Y), g: pool(o.G)})
}

func (d *back) avePoolBackward(o *gpu.AvePoolBackward) {
	each(d, kAvePoolBackward, o.DX.N, avePoolBackwardArgs{dy: d.ptr(o.DY), dx: d.ptr(o.DX), g: pool(o.G)})
}

func (d *back) stochasticPool(o *gpu.StochasticPool) {
	each(d, kStochasticPool, o.Y.N, stochasticPoolArgs{
		x: d.ptr(o.X), y: d.ptr(o.Y), at: d.ptr(o.Argmax), key: d.liveKey(o.Key), g: pool(o.G),
	})
}

func (d *back) expectedPool(o *gpu.ExpectedPool) {
	each(d, kExpectedPool, o.Y.N, expectedPoolArgs{x: d.ptr(o.X), y: d.ptr(o.Y), g: pool(o.G)})
}

// col is g as spatial.cu has it: axes that it does not have are of length 1.
func col(g *gpu.ColGeometry) cCol {
	axes := func(list []int) (out [gpu.MaxSpatialAxes]int32) {
		for i := range out {
			out[i] = 1
			if i < len(list) {
				out[i] = int32(list[i])
			}
		}
		return out
	}
	return cCol{
		channels: int32(g.Channels), axes: int32(len(g.In)), taps: int32(gpu.Elements(g.Kernel)),
		places: int32(g.Positions()), plane: int32(gpu.Elements(g.In)),
		in: axes(g.In), kernel: axes(g.Kernel), stride: axes(g.Stride), pad: axes(g.Pad), dilation: axes(g.Dilation),
		out: axes(g.Out),
	}
}

func (d *back) im2col(o *gpu.Im2col) {
	each(d, kIm2col, o.Col.N, im2colArgs{x: d.ptr(o.X), col: d.ptr(o.Col), g: col(o.G)})
}

func (d *back) col2im(o *gpu.Col2im) {
	each(d, kCol2im, o.X.N, col2imArgs{col: d.ptr(o.Col), x: d.ptr(o.X), g: col(o.G)})
}

// lrnGeometry is g as spatial.cu has it.
func lrnGeometry(g *gpu.LRNGeometry) cLRN {
	return cLRN{
		n: int32(g.N), c: int32(g.C), plane: int32(g.Plane), size: int32(g.Size), alpha: g.Alpha, beta: g.Beta, k: g.K,
		byPlane: divisor(g.Plane), byC: divisor(g.C),
	}
}

func (d *back) lrn(o *gpu.LRN) {
	each(d, kLrn, o.G.Len(), lrnArgs{x: d.ptr(o.X), scale: d.ptr(o.Scale), y: d.ptr(o.Y), g: lrnGeometry(o.G)})
}

func (d *back) lrnBackward(o *gpu.LRNBackward) {
	each(d, kLrnBackward, o.G.Len(), lrnBackwardArgs{
		x: d.ptr(o.X), y: d.ptr(o.Y), scale: d.ptr(o.Scale), dy: d.ptr(o.DY), dx: d.ptr(o.DX), g: lrnGeometry(o.G),
	})
}
