//go:build cuda

package cuda

import "dns-tui/gpu"

// Operations with numbers for each channel on activations that are stored with channels last: BatchNorm, Scale, PReLU.

func (d *back) nhwcStats(o *gpu.BatchStats) bool {
	p, x := d.shaped(o.X, o.Shape)
	if x == 0 {
		return false
	}
	d.settle(o.Mean)
	d.settle(o.Variance)
	s := columnsOf(p)
	launch(d, lastKernel(d, kNhwcStatsBf16), d.eachColumns(s, 1), nhwcStatsArgs{
		x: x, mean: d.ptr(o.Mean), variance: d.ptr(o.Variance), partial: d.scratch.partial,
		counters: d.scratch.counters, s: s,
	})
	return true
}

func (d *back) nhwcNormalize(o *gpu.Normalize) bool {
	p, x := d.shaped(o.X, o.Shape)
	if x == 0 || !d.alignable(o.Y, p) {
		return false
	}
	d.settle(o.Mean)
	d.settle(o.Variance)
	d.settle(o.Weight)
	y := d.becomes(o.Y, d.stored(), p)
	each(d, lastKernel(d, kNhwcNormalizeBf16), o.Y.N/8, nhwcNormalizeArgs{
		x: x, mean: d.ptr(o.Mean), variance: d.ptr(o.Variance), weight: d.ptr(o.Weight), eps: o.Eps, y: y,
		s: columnsOf(p),
	})
	return true
}

func (d *back) nhwcNormalizeBackward(o *gpu.NormalizeBackward) bool {
	return d.nhwcBatchNormBackward(&gpu.BatchNormBackward{
		Shape: o.Shape, Eps: o.Eps, Norm: o.Y, Variance: o.Variance, DY: o.DY, DX: o.DX,
	})
}

func (d *back) nhwcBatchNorm(o *gpu.BatchNorm) bool {
	p, x := d.shaped(o.X, o.Shape)
	if x == 0 || !d.alignable(o.Y, p) || !d.alignable(o.Norm, p) {
		return false
	}
	d.settle(o.After.A)
	d.settle(o.After.B)
	d.nhwcStats(&gpu.BatchStats{Shape: o.Shape, X: o.X, Mean: o.Mean, Variance: o.Variance})
	norm, y := d.becomes(o.Norm, d.stored(), p), d.becomes(o.Y, d.stored(), p)
	each(d, lastKernel(d, kNhwcBatchNormBf16), o.Y.N/8, nhwcBatchNormArgs{
		x: x, mean: d.ptr(o.Mean), variance: d.ptr(o.Variance), eps: o.Eps, norm: norm, y: y,
		after: d.after(o.After), s: columnsOf(p),
	})
	return true
}

func (d *back) nhwcBatchNormBackward(o *gpu.BatchNormBackward) bool {
	p, norm := d.shaped(o.Norm, o.Shape)
	if norm == 0 || !d.alignable(o.DX, p) {
		return false
	}
	d.settle(o.Variance)
	d.settle(o.DA)
	d.settle(o.DB)
	d.settle(o.After.A)
	d.settle(o.After.B)
	dy := d.channelsLast(o.DY, p, p.channels, &d.layouts.first)
	s, after := columnsOf(p), d.after(o.After)
	launch(d, lastKernel(d, kNhwcBatchNormMeansBf16), d.eachColumns(s, 1), nhwcBatchNormMeansArgs{
		norm: norm, dy: dy, means: d.meansOf(), da: d.ptr(o.DA), db: d.ptr(o.DB),
		partial: d.scratch.partial, counters: d.scratch.counters, after: after, s: s,
	})
	dx := d.becomes(o.DX, d.stored(), p)
	each(d, lastKernel(d, kNhwcBatchNormBackwardBf16), o.DX.N/8, nhwcBatchNormBackwardArgs{
		norm: norm, dy: dy, means: d.meansOf(), variance: d.ptr(o.Variance), eps: o.Eps, dx: dx, after: after, s: s,
	})
	return true
}

func (d *back) nhwcNormalizeGlobalBackward(o *gpu.NormalizeGlobalBackward) bool {
	p, dy := d.shaped(o.DY, o.Shape)
	if dy == 0 || !d.alignable(o.DX, p) {
		return false
	}
	d.settle(o.Variance)
	d.settle(o.Weight)
	dx := d.becomes(o.DX, d.stored(), p)
	each(d, lastKernel(d, kNhwcNormalizeGlobalBackwardBf16), o.DX.N/8, nhwcNormalizeGlobalBackwardArgs{
		dy: dy, variance: d.ptr(o.Variance), weight: d.ptr(o.Weight), eps: o.Eps, dx: dx, s: columnsOf(p),
	})
	return true
}

func (d *back) nhwcScale(o *gpu.Scale) bool {
	p, x := d.shaped(o.X, o.Shape)
	if x == 0 || !d.alignable(o.Y, p) {
		return false
	}
	d.settle(o.A)
	d.settle(o.B)
	y := d.becomes(o.Y, d.stored(), p)
	each(
		d,
		lastKernel(d, kNhwcScaleBf16),
		o.Y.N/8,
		nhwcScaleArgs{x: x, a: d.ptr(o.A), b: d.ptr(o.B), y: y, s: columnsOf(p)},
	)
	return true
}

func (d *back) nhwcScaleBackward(o *gpu.ScaleBackward) bool {
	p, x := d.shaped(o.X, o.Shape)
	if x == 0 || o.DX != nil && !d.alignable(o.DX, p) {
		return false
	}
	for _, t := range []*gpu.Tensor{o.A, o.DA, o.DB} {
		d.settle(t)
	}
	dy := d.channelsLast(o.DY, p, p.channels, &d.layouts.first)
	dx := address(0)
	if o.DX != nil {
		dx = d.becomes(o.DX, d.stored(), p)
	}
	s := columnsOf(p)
	launch(d, lastKernel(d, kNhwcScaleBackwardBf16), d.eachColumns(s, 1), nhwcScaleBackwardArgs{
		x: x, dy: dy, a: d.ptr(o.A), dx: dx, da: d.ptr(o.DA), db: d.ptr(o.DB),
		partial: d.scratch.partial, counters: d.scratch.counters, s: s,
	})
	return true
}

func (d *back) nhwcPReLU(o *gpu.PReLU) bool {
	p, x := d.shaped(o.X, o.Shape)
	if x == 0 || !d.alignable(o.Y, p) {
		return false
	}
	d.settle(o.A)
	y := d.becomes(o.Y, d.stored(), p)
	each(d, lastKernel(d, kNhwcPreluBf16), o.Y.N/8, nhwcPreluArgs{x: x, a: d.ptr(o.A), y: y, s: columnsOf(p)})
	return true
}

func (d *back) nhwcPReLUBackward(o *gpu.PReLUBackward) bool {
	p, x := d.shaped(o.X, o.Shape)
	if x == 0 || o.DX != nil && !d.alignable(o.DX, p) {
		return false
	}
	d.settle(o.A)
	d.settle(o.DA)
	dy := d.channelsLast(o.DY, p, p.channels, &d.layouts.first)
	dx := address(0)
	if o.DX != nil {
		dx = d.becomes(o.DX, d.stored(), p)
	}
	s := columnsOf(p)
	launch(d, lastKernel(d, kNhwcPreluBackwardBf16), d.eachColumns(s, 1), nhwcPreluBackwardArgs{
		x: x, dy: dy, a: d.ptr(o.A), dx: dx, da: d.ptr(o.DA),
		partial: d.scratch.partial, counters: d.scratch.counters, s: s,
	})
	return true
}
