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
	each(d, kScale, o.Shape.Len(), scaleArgs{
		x: d.ptr(o.X), a: d.ptr(o.A), b: d.ptr(o.B), y: d.ptr(o.Y), s: channels(o.Shape),
	})
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
	each(d, kNormalize, o.Shape.Len(), normalizeArgs{
		x: d.ptr(o.X), mean: d.ptr(o.Mean), variance: d.ptr(o.Variance), weight: d.ptr(o.Weight), eps: o.Eps,
		y: d.ptr(o.Y), s: channels(o.Shape),
	})
}

func (d *back) normalizeBackward(o *gpu.NormalizeBackward) {
	d.batchNormBackward(&gpu.BatchNormBackward{
		Shape: o.Shape, Eps: o.Eps, Norm: o.Y, Variance: o.Variance, DY: o.DY, DX: o.DX,
	})
}

func (d *back) normalizeGlobalBackward(o *gpu.NormalizeGlobalBackward) {
	each(d, kNormalizeGlobalBackward, o.Shape.Len(), normalizeGlobalBackwardArgs{
		dy: d.ptr(o.DY), variance: d.ptr(o.Variance), weight: d.ptr(o.Weight), eps: o.Eps, dx: d.ptr(o.DX),
		s: channels(o.Shape),
	})
}

// after is a as channel.cuh has it.
func (d *back) after(a gpu.After) cAfter {
	return cAfter{a: d.ptr(a.A), b: d.ptr(a.B), rectify: flag(a.ReLU), slope: a.Slope}
}

func (d *back) batchNorm(o *gpu.BatchNorm) {
	d.batchStats(&gpu.BatchStats{Shape: o.Shape, X: o.X, Mean: o.Mean, Variance: o.Variance})
	each(d, kBatchNorm, o.Shape.Len(), batchNormArgs{
		x: d.ptr(o.X), mean: d.ptr(o.Mean), variance: d.ptr(o.Variance), eps: o.Eps, norm: d.ptr(o.Norm), y: d.ptr(o.Y),
		after: d.after(o.After), s: channels(o.Shape),
	})
}

// meansOf is where the means of a channel go in BatchNorm's gradient: behind the partial sums.
func (d *back) meansOf() address { return d.scratch.partial + partialBytes/2 }

func (d *back) batchNormBackward(o *gpu.BatchNormBackward) {
	s, after := channels(o.Shape), d.after(o.After)
	eachChannel(d, kBatchNormMeans, o.Shape, batchNormMeansArgs{
		norm: d.ptr(o.Norm), dy: d.ptr(o.DY), means: d.meansOf(), da: d.ptr(o.DA), db: d.ptr(o.DB),
		partial: d.scratch.partial, counters: d.scratch.counters, after: after, s: s,
	})
	each(d, kBatchNormBackward, o.Shape.Len(), batchNormBackwardArgs{
		norm: d.ptr(o.Norm), dy: d.ptr(o.DY), means: d.meansOf(), variance: d.ptr(o.Variance), eps: o.Eps,
		dx: d.ptr(o.DX), after: after, s: s,
	})
}
