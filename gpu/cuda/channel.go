//go:build cuda

package cuda

import "dns-tui/gpu"

// channels puts a Channels of channel.cu into the blob.
func (d *Device) channels(s gpu.ChannelShape) {
	d.closeBatches()
	b := &d.queue.blob
	b.ints(s.Outer, s.Channels, s.Inner, s.Len())
	b.divisor(s.Inner)
	b.divisor(s.Channels)
}

// eachChannel queues a kernel that sums over channels. A channel is shared out among several blocks where there are
// few.
func (d *Device) eachChannel(k kernelID, s gpu.ChannelShape, args ...uint64) {
	per := s.Outer * s.Inner
	shares := max(1, min(64, per/4096, 4*d.sms/max(1, s.Channels)))
	if s.Channels > counterWords || 16*s.Channels*shares > partialBytes {
		shares = 1
	}
	d.launch(k, grid{s.Channels, shares, 1}, 256, args...)
}

// AddBias implements gpu.Channelwise.
func (d *Device) AddBias(s gpu.ChannelShape, b, y *gpu.Tensor) {
	gpu.Want("AddBias", "b", b, s.Channels)
	gpu.Want("AddBias", "y", y, s.Len())
	if d.fuseBias(s, b, y) {
		return
	}
	d.channels(s)
	d.each(kAddBias, s.Len(), d.ptr(b), d.ptr(y))
}

// SumBias implements gpu.Channelwise.
func (d *Device) SumBias(s gpu.ChannelShape, dy, db *gpu.Tensor) {
	gpu.Want("SumBias", "dy", dy, s.Len())
	gpu.Want("SumBias", "db", db, s.Channels)
	if s.Inner == 1 {
		d.closeBatches()
		d.launch(
			kSumBiasColumns,
			grid{(s.Channels + 31) / 32, 1, 1},
			256,
			i32(s.Outer),
			i32(s.Channels),
			d.ptr(dy),
			d.ptr(db),
		)
		return
	}
	d.channels(s)
	d.eachChannel(kSumBias, s, d.ptr(dy), d.ptr(db), d.scratch.partial, d.scratch.counters)
}

// Scale implements gpu.Channelwise.
func (d *Device) Scale(s gpu.ChannelShape, x, a, b, y *gpu.Tensor) {
	gpu.Want("Scale", "x", x, s.Len())
	gpu.Want("Scale", "a", a, s.Channels)
	gpu.WantOptional("Scale", "b", b, s.Channels)
	gpu.Want("Scale", "y", y, s.Len())
	if d.fuseScale(s, x, a, b, y) {
		return
	}
	d.channels(s)
	d.each(kScale, s.Len(), d.ptr(x), d.ptr(a), d.ptr(b), d.ptr(y))
}

// ScaleBackward implements gpu.Channelwise.
func (d *Device) ScaleBackward(s gpu.ChannelShape, x, dy, a, dx, da, db *gpu.Tensor) {
	gpu.Want("ScaleBackward", "x", x, s.Len())
	gpu.Want("ScaleBackward", "dy", dy, s.Len())
	gpu.Want("ScaleBackward", "a", a, s.Channels)
	gpu.WantOptional("ScaleBackward", "dx", dx, s.Len())
	gpu.WantOptional("ScaleBackward", "da", da, s.Channels)
	gpu.WantOptional("ScaleBackward", "db", db, s.Channels)
	d.channels(s)
	d.eachChannel(
		kScaleBackward,
		s,
		d.ptr(x),
		d.ptr(dy),
		d.ptr(a),
		d.ptr(dx),
		d.ptr(da),
		d.ptr(db),
		d.scratch.partial,
		d.scratch.counters,
	)
}

// PReLU implements gpu.Channelwise.
func (d *Device) PReLU(s gpu.ChannelShape, x, a, y *gpu.Tensor) {
	gpu.Want("PReLU", "x", x, s.Len())
	gpu.Want("PReLU", "a", a, s.Channels)
	gpu.Want("PReLU", "y", y, s.Len())
	d.channels(s)
	d.each(kPrelu, s.Len(), d.ptr(x), d.ptr(a), d.ptr(y))
}

// PReLUBackward implements gpu.Channelwise.
func (d *Device) PReLUBackward(s gpu.ChannelShape, x, dy, a, dx, da *gpu.Tensor) {
	gpu.Want("PReLUBackward", "x", x, s.Len())
	gpu.Want("PReLUBackward", "dy", dy, s.Len())
	gpu.Want("PReLUBackward", "a", a, s.Channels)
	gpu.WantOptional("PReLUBackward", "dx", dx, s.Len())
	gpu.WantOptional("PReLUBackward", "da", da, s.Channels)
	d.channels(s)
	d.eachChannel(
		kPreluBackward,
		s,
		d.ptr(x),
		d.ptr(dy),
		d.ptr(a),
		d.ptr(dx),
		d.ptr(da),
		d.scratch.partial,
		d.scratch.counters,
	)
}

// BatchStats implements gpu.Channelwise.
func (d *Device) BatchStats(s gpu.ChannelShape, x, mean, variance *gpu.Tensor) {
	gpu.Want("BatchStats", "x", x, s.Len())
	gpu.Want("BatchStats", "mean", mean, s.Channels)
	gpu.Want("BatchStats", "variance", variance, s.Channels)
	d.channels(s)
	d.eachChannel(kBatchStats, s, d.ptr(x), d.ptr(mean), d.ptr(variance), d.scratch.partial, d.scratch.counters)
}

// Normalize implements gpu.Channelwise.
func (d *Device) Normalize(s gpu.ChannelShape, x, mean, variance, weight *gpu.Tensor, eps float32, y *gpu.Tensor) {
	gpu.Want("Normalize", "x", x, s.Len())
	gpu.Want("Normalize", "mean", mean, s.Channels)
	gpu.Want("Normalize", "variance", variance, s.Channels)
	gpu.WantOptional("Normalize", "weight", weight, 1)
	gpu.Want("Normalize", "y", y, s.Len())
	d.channels(s)
	d.each(kNormalize, s.Len(), d.ptr(x), d.ptr(mean), d.ptr(variance), d.ptr(weight), f32(eps), d.ptr(y))
	if weight == nil {
		d.queue.noted(
			lastOp{
				kind:     normalized,
				out:      d.ptr(y),
				n:        y.N,
				shape:    s,
				x:        d.ptr(x),
				mean:     d.ptr(mean),
				variance: d.ptr(variance),
				eps:      eps,
				norm:     d.ptr(y),
			},
		)
	}
}

// NormalizeBackward implements gpu.Channelwise.
func (d *Device) NormalizeBackward(s gpu.ChannelShape, y, dy, variance *gpu.Tensor, eps float32, dx *gpu.Tensor) {
	gpu.Want("NormalizeBackward", "y", y, s.Len())
	gpu.Want("NormalizeBackward", "dy", dy, s.Len())
	gpu.Want("NormalizeBackward", "variance", variance, s.Channels)
	gpu.Want("NormalizeBackward", "dx", dx, s.Len())
	// The means of a channel go behind the partial sums.
	means := d.scratch.partial + partialBytes/2
	if 8*s.Channels > partialBytes/2 {
		panic("gpu: NormalizeBackward: too many channels")
	}
	d.channels(s)
	d.eachChannel(kNormalizeMeans, s, d.ptr(y), d.ptr(dy), means, d.scratch.partial, d.scratch.counters)
	d.channels(s)
	d.each(kNormalizeBackward, s.Len(), d.ptr(y), d.ptr(dy), means, d.ptr(variance), f32(eps), d.ptr(dx))
}

// NormalizeGlobalBackward implements gpu.Channelwise.
func (d *Device) NormalizeGlobalBackward(
	s gpu.ChannelShape,
	dy, variance, weight *gpu.Tensor,
	eps float32,
	dx *gpu.Tensor,
) {
	gpu.Want("NormalizeGlobalBackward", "dy", dy, s.Len())
	gpu.Want("NormalizeGlobalBackward", "variance", variance, s.Channels)
	gpu.WantOptional("NormalizeGlobalBackward", "weight", weight, 1)
	gpu.Want("NormalizeGlobalBackward", "dx", dx, s.Len())
	d.channels(s)
	d.each(kNormalizeGlobalBackward, s.Len(), d.ptr(dy), d.ptr(variance), d.ptr(weight), f32(eps), d.ptr(dx))
}
