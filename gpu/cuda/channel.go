//go:build cuda

package cuda

import "dns-tui/gpu"

// channels is s as channel.cu has it.
func channels(s gpu.ChannelShape) cChannels {
	return cChannels{
		outer: int32(s.Outer), channels: int32(s.Channels), inner: int32(s.Inner), n: int32(s.Len()),
		byInner: divisor(s.Inner), byChannels: divisor(s.Channels),
	}
}

// eachChannel queues a kernel that sums over channels. A channel is divided among several blocks, a slice each, where
// there are few channels.
func eachChannel[A any](d *back, k kernel[A], s gpu.ChannelShape, args A) {
	d.closeBatches()
	per := s.Outer * s.Inner
	slices := max(1, min(64, per/4096, 4*d.sms/max(1, s.Channels)))
	if s.Channels > counterWords || 16*s.Channels*slices > partialBytes {
		slices = 1
	}
	launch(d, k, grid{s.Channels, slices, 1}, args)
}

func (d *back) addBias(o *gpu.AddBias) {
	if !d.fuseBias(o) {
		each(d, kAddBias, o.Shape.Len(), addBiasArgs{b: d.ptr(o.B), y: d.ptr(o.Y), s: channels(o.Shape)})
	}
}

func (d *back) sumBias(s gpu.ChannelShape, dy, db address) {
	if s.Inner == 1 {
		d.closeBatches()
		launch(d, kSumBiasColumns, grid{(s.Channels + 31) / 32, 1, 1}, sumBiasColumnsArgs{
			rows: int32(s.Outer), columns: int32(s.Channels), dy: dy, db: db,
		})
		return
	}
	eachChannel(d, kSumBias, s, sumBiasArgs{
		dy: dy, db: db, partial: d.scratch.partial, counters: d.scratch.counters, s: channels(s),
	})
}

func (d *back) scale(o *gpu.Scale) {
	if !d.fuseScale(o) {
		each(d, kScale, o.Shape.Len(), scaleArgs{
			x: d.ptr(o.X), a: d.ptr(o.A), b: d.ptr(o.B), y: d.ptr(o.Y), s: channels(o.Shape),
		})
	}
}

func (d *back) scaleBackward(o *gpu.ScaleBackward) {
	eachChannel(d, kScaleBackward, o.Shape, scaleBackwardArgs{
		x: d.ptr(o.X), dy: d.ptr(o.DY), a: d.ptr(o.A), dx: d.ptr(o.DX), da: d.ptr(o.DA), db: d.ptr(o.DB),
		partial: d.scratch.partial, counters: d.scratch.counters, s: channels(o.Shape),
	})
}

func (d *back) prelu(o *gpu.PReLU) {
	each(d, kPrelu, o.Shape.Len(), preluArgs{
		x: d.ptr(o.X), a: d.ptr(o.A), y: d.ptr(o.Y), s: channels(o.Shape),
	})
}

func (d *back) preluBackward(o *gpu.PReLUBackward) {
	eachChannel(d, kPreluBackward, o.Shape, preluBackwardArgs{
		x: d.ptr(o.X), dy: d.ptr(o.DY), a: d.ptr(o.A), dx: d.ptr(o.DX), da: d.ptr(o.DA),
		partial: d.scratch.partial, counters: d.scratch.counters, s: channels(o.Shape),
	})
}

func (d *back) batchStats(o *gpu.BatchStats) {
	eachChannel(d, kBatchStats, o.Shape, batchStatsArgs{
		x: d.ptr(o.X), mean: d.ptr(o.Mean), variance: d.ptr(o.Variance),
		partial: d.scratch.partial, counters: d.scratch.counters, s: channels(o.Shape),
	})
}

func (d *back) normalize(o *gpu.Normalize) {
	a := normalizeArgs{
		x: d.ptr(o.X), mean: d.ptr(o.Mean), variance: d.ptr(o.Variance), weight: d.ptr(o.Weight), eps: o.Eps,
		y: d.ptr(o.Y), s: channels(o.Shape),
	}
	each(d, kNormalize, o.Shape.Len(), a)
	if o.Weight == nil {
		norm := normalizeScaleArgs{x: a.x, mean: a.mean, variance: a.variance, eps: a.eps, norm: a.y, s: a.s}
		d.queue.fusable(lastOp{kind: normalized, out: a.y, n: o.Y.N, shape: o.Shape, norm: norm})
	}
}

func (d *back) normalizeBackward(o *gpu.NormalizeBackward) {
	// The means of a channel go behind the partial sums.
	means := d.scratch.partial + partialBytes/2
	s := channels(o.Shape)
	eachChannel(d, kNormalizeMeans, o.Shape, normalizeMeansArgs{
		y: d.ptr(o.Y), dy: d.ptr(o.DY), means: means, partial: d.scratch.partial, counters: d.scratch.counters, s: s,
	})
	each(d, kNormalizeBackward, o.Shape.Len(), normalizeBackwardArgs{
		y: d.ptr(o.Y), dy: d.ptr(o.DY), means: means, variance: d.ptr(o.Variance), eps: o.Eps, dx: d.ptr(o.DX), s: s,
	})
}

func (d *back) normalizeGlobalBackward(o *gpu.NormalizeGlobalBackward) {
	each(d, kNormalizeGlobalBackward, o.Shape.Len(), normalizeGlobalBackwardArgs{
		dy: d.ptr(o.DY), variance: d.ptr(o.Variance), weight: d.ptr(o.Weight), eps: o.Eps, dx: d.ptr(o.DX),
		s: channels(o.Shape),
	})
}

// batchNorm queues the statistics, and what the queue makes one kernel of.
func (d *back) batchNorm(o *gpu.BatchNorm) {
	d.batchStats(&gpu.BatchStats{Shape: o.Shape, X: o.X, Mean: o.Mean, Variance: o.Variance})
	d.normalize(&gpu.Normalize{
		Shape: o.Shape, X: o.X, Mean: o.Mean, Variance: o.Variance, Eps: o.Eps, Y: o.Norm,
	})
	d.copy(&gpu.Copy{Y: o.Y, X: o.Norm})
	if o.After.A != nil {
		d.scale(&gpu.Scale{Shape: o.Shape, X: o.Y, A: o.After.A, B: o.After.B, Y: o.Y})
	}
	if o.After.ReLU {
		d.relu(&gpu.ReLU{X: o.Y, Y: o.Y, Slope: o.After.Slope})
	}
}

func (d *back) batchNormBackward(o *gpu.BatchNormBackward) {
	if o.After.ReLU {
		d.reluBackward(&gpu.ReLUBackward{X: o.Y, DY: o.DY, DX: o.DY, Slope: o.After.Slope})
	}
	if o.After.A != nil {
		d.scaleBackward(&gpu.ScaleBackward{
			Shape: o.Shape, X: o.Norm, DY: o.DY, A: o.After.A, DX: o.DY, DA: o.DA, DB: o.DB,
		})
	}
	d.normalizeBackward(&gpu.NormalizeBackward{
		Shape: o.Shape, Y: o.Norm, DY: o.DY, Variance: o.Variance, Eps: o.Eps, DX: o.DX,
	})
}
