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

// eachChannel queues a kernel that sums over channels. A channel is shared out among several blocks where there are few.
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
	want("AddBias", "b", b, s.Channels)
	want("AddBias", "y", y, s.Len())
	if d.fuseBias(s, b, y) {
		return
	}
	d.channels(s)
	d.each(kAddBias, s.Len(), d.ptr(b), d.ptr(y))
}

// SumBias implements gpu.Channelwise.
func (d *Device) SumBias(s gpu.ChannelShape, dy, db *gpu.Tensor) {
	want("SumBias", "dy", dy, s.Len())
	want("SumBias", "db", db, s.Channels)
	if s.Inner == 1 {
		d.closeBatches()
		d.launch(kSumBiasColumns, grid{(s.Channels + 31) / 32, 1, 1}, 256, i32(s.Outer), i32(s.Channels), d.ptr(dy), d.ptr(db))
		return
	}
	d.channels(s)
	d.eachChannel(kSumBias, s, d.ptr(dy), d.ptr(db), d.scratch.partial, d.scratch.counters)
}

// Scale implements gpu.Channelwise.
func (d *Device) Scale(s gpu.ChannelShape, x, a, b, y *gpu.Tensor) {
	want("Scale", "x", x, s.Len())
	want("Scale", "a", a, s.Channels)
	optional("Scale", "b", b, s.Channels)
	want("Scale", "y", y, s.Len())
	if d.fuseScale(s, x, a, b, y) {
		return
	}
	d.channels(s)
	d.each(kScale, s.Len(), d.ptr(x), d.ptr(a), d.ptr(b), d.ptr(y))
}

// ScaleBackward implements gpu.Channelwise.
func (d *Device) ScaleBackward(s gpu.ChannelShape, x, dy, a, dx, da, db *gpu.Tensor) {
	want("ScaleBackward", "x", x, s.Len())
	want("ScaleBackward", "dy", dy, s.Len())
	want("ScaleBackward", "a", a, s.Channels)
	optional("ScaleBackward", "dx", dx, s.Len())
	optional("ScaleBackward", "da", da, s.Channels)
	optional("ScaleBackward", "db", db, s.Channels)
	d.channels(s)
	d.eachChannel(kScaleBackward, s, d.ptr(x), d.ptr(dy), d.ptr(a), d.ptr(dx), d.ptr(da), d.ptr(db), d.scratch.partial, d.scratch.counters)
}

// PReLU implements gpu.Channelwise.
func (d *Device) PReLU(s gpu.ChannelShape, x, a, y *gpu.Tensor) {
	want("PReLU", "x", x, s.Len())
	want("PReLU", "a", a, s.Channels)
	want("PReLU", "y", y, s.Len())
	d.channels(s)
	d.each(kPrelu, s.Len(), d.ptr(x), d.ptr(a), d.ptr(y))
}

// PReLUBackward implements gpu.Channelwise.
func (d *Device) PReLUBackward(s gpu.ChannelShape, x, dy, a, dx, da *gpu.Tensor) {
	want("PReLUBackward", "x", x, s.Len())
	want("PReLUBackward", "dy", dy, s.Len())
	want("PReLUBackward", "a", a, s.Channels)
	optional("PReLUBackward", "dx", dx, s.Len())
	optional("PReLUBackward", "da", da, s.Channels)
	d.channels(s)
	d.eachChannel(kPreluBackward, s, d.ptr(x), d.ptr(dy), d.ptr(a), d.ptr(dx), d.ptr(da), d.scratch.partial, d.scratch.counters)
}

// BatchStats implements gpu.Channelwise.
func (d *Device) BatchStats(s gpu.ChannelShape, x, mean, variance *gpu.Tensor) {
	want("BatchStats", "x", x, s.Len())
	want("BatchStats", "mean", mean, s.Channels)
	want("BatchStats", "variance", variance, s.Channels)
	d.channels(s)
	d.eachChannel(kBatchStats, s, d.ptr(x), d.ptr(mean), d.ptr(variance), d.scratch.partial, d.scratch.counters)
}

// Normalize implements gpu.Channelwise.
func (d *Device) Normalize(s gpu.ChannelShape, x, mean, variance, weight *gpu.Tensor, eps float32, y *gpu.Tensor) {
	want("Normalize", "x", x, s.Len())
	want("Normalize", "mean", mean, s.Channels)
	want("Normalize", "variance", variance, s.Channels)
	optional("Normalize", "weight", weight, 1)
	want("Normalize", "y", y, s.Len())
	d.channels(s)
	d.each(kNormalize, s.Len(), d.ptr(x), d.ptr(mean), d.ptr(variance), d.ptr(weight), f32(eps), d.ptr(y))
	if weight == nil {
		d.queue.last = lastOp{kind: normalized, out: d.ptr(y), n: y.N, shape: s, x: d.ptr(x), mean: d.ptr(mean), variance: d.ptr(variance), eps: eps, norm: d.ptr(y),
			words: len(d.queue.words)}
		d.queue.last.start = d.queue.recordStart()
	}
}

// NormalizeBackward implements gpu.Channelwise.
func (d *Device) NormalizeBackward(s gpu.ChannelShape, y, dy, variance *gpu.Tensor, eps float32, dx *gpu.Tensor) {
	want("NormalizeBackward", "y", y, s.Len())
	want("NormalizeBackward", "dy", dy, s.Len())
	want("NormalizeBackward", "variance", variance, s.Channels)
	want("NormalizeBackward", "dx", dx, s.Len())
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
func (d *Device) NormalizeGlobalBackward(s gpu.ChannelShape, dy, variance, weight *gpu.Tensor, eps float32, dx *gpu.Tensor) {
	want("NormalizeGlobalBackward", "dy", dy, s.Len())
	want("NormalizeGlobalBackward", "variance", variance, s.Channels)
	optional("NormalizeGlobalBackward", "weight", weight, 1)
	want("NormalizeGlobalBackward", "dx", dx, s.Len())
	d.channels(s)
	d.each(kNormalizeGlobalBackward, s.Len(), d.ptr(dy), d.ptr(variance), d.ptr(weight), f32(eps), d.ptr(dx))
}
