//go:build cuda

package cuda

import "dns-tui/gpu"

// scores puts a Scores of classify.cu into the blob.
func (d *Device) scores(s gpu.ChannelShape) {
	d.closeBatches()
	b := &d.queue.blob
	b.ints(s.Outer, s.Channels, s.Inner)
	b.divisor(s.Inner)
	b.divisor(s.Channels)
}

func ignored(i gpu.Ignore) uint64 {
	if !i.On {
		return 0
	}
	return 1 | uint64(uint32(int32(i.Label)))<<32
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// byExample queues one of two kernels: of a warp an example where channels lie together, of a thread an example else.
func (d *Device) byExample(s gpu.ChannelShape, rows, columns kernelID, args ...uint64) {
	d.scores(s)
	if s.Inner == 1 {
		d.launch(rows, grid{(s.Outer + 7) / 8, 1, 1}, 256, args...)
		return
	}
	d.rows(columns, s.Outer*s.Inner, args...)
}

// Softmax implements gpu.Classify.
func (d *Device) Softmax(s gpu.ChannelShape, x, y *gpu.Tensor) {
	gpu.Want("Softmax", "x", x, s.Len())
	gpu.Want("Softmax", "y", y, s.Len())
	d.byExample(s, kSoftmaxRows, kSoftmaxColumns, d.ptr(x), d.ptr(y))
	if s.Inner == 1 && s.Outer <= 8*maxSumBlocks {
		d.queue.noted(lastOp{kind: softmaxed, out: d.ptr(y), n: y.N, shape: s, x: d.ptr(x)})
	}
}

// SoftmaxBackward implements gpu.Classify.
func (d *Device) SoftmaxBackward(s gpu.ChannelShape, y, dy, dx *gpu.Tensor) {
	gpu.Want("SoftmaxBackward", "y", y, s.Len())
	gpu.Want("SoftmaxBackward", "dy", dy, s.Len())
	gpu.Want("SoftmaxBackward", "dx", dx, s.Len())
	d.byExample(s, kSoftmaxBackwardRows, kSoftmaxBackwardColumns, d.ptr(y), d.ptr(dy), d.ptr(dx))
}

// SoftmaxLoss implements gpu.Classify.
func (d *Device) SoftmaxLoss(
	s gpu.ChannelShape,
	prob, label *gpu.Tensor,
	ignore gpu.Ignore,
	norm float32,
	stat *gpu.Tensor,
) {
	gpu.Want("SoftmaxLoss", "prob", prob, s.Len())
	gpu.Want("SoftmaxLoss", "label", label, s.Outer*s.Inner)
	gpu.Want("SoftmaxLoss", "stat", stat, 2)
	if d.fuseLoss(s, prob, label, ignore, norm, stat) {
		return
	}
	d.scores(s)
	d.sums(
		kSoftmaxLoss,
		s.Outer*s.Inner,
		d.ptr(prob),
		d.ptr(label),
		f32(norm),
		d.ptr(stat),
		d.scratch.partial,
		d.scratch.counters,
		ignored(ignore),
	)
}

// SoftmaxLossBackward implements gpu.Classify.
func (d *Device) SoftmaxLossBackward(
	s gpu.ChannelShape,
	prob, label *gpu.Tensor,
	ignore gpu.Ignore,
	weight float32,
	stat, dx *gpu.Tensor,
) {
	gpu.Want("SoftmaxLossBackward", "prob", prob, s.Len())
	gpu.Want("SoftmaxLossBackward", "label", label, s.Outer*s.Inner)
	gpu.Want("SoftmaxLossBackward", "stat", stat, 2)
	gpu.Want("SoftmaxLossBackward", "dx", dx, s.Len())
	d.scores(s)
	d.each(
		kSoftmaxLossBackward,
		s.Len(),
		d.ptr(prob),
		d.ptr(label),
		f32(weight),
		d.ptr(stat),
		d.ptr(dx),
		ignored(ignore),
	)
}

// SigmoidLoss implements gpu.Classify.
func (d *Device) SigmoidLoss(x, target *gpu.Tensor, ignore gpu.Ignore, norm float32, stat *gpu.Tensor) {
	gpu.Want("SigmoidLoss", "target", target, x.N)
	gpu.Want("SigmoidLoss", "stat", stat, 2)
	d.sums(
		kSigmoidLoss,
		x.N,
		i32(x.N),
		d.ptr(x),
		d.ptr(target),
		f32(norm),
		d.ptr(stat),
		d.scratch.partial,
		d.scratch.counters,
		ignored(ignore),
	)
}

// SigmoidLossBackward implements gpu.Classify.
func (d *Device) SigmoidLossBackward(x, target *gpu.Tensor, ignore gpu.Ignore, weight float32, stat, dx *gpu.Tensor) {
	gpu.Want("SigmoidLossBackward", "target", target, x.N)
	gpu.Want("SigmoidLossBackward", "stat", stat, 2)
	gpu.Want("SigmoidLossBackward", "dx", dx, x.N)
	d.each(
		kSigmoidLossBackward,
		x.N,
		i32(x.N),
		d.ptr(x),
		d.ptr(target),
		f32(weight),
		d.ptr(stat),
		d.ptr(dx),
		ignored(ignore),
	)
}

// HingeLoss implements gpu.Classify.
func (d *Device) HingeLoss(s gpu.ChannelShape, x, label *gpu.Tensor, squared bool, out *gpu.Tensor) {
	gpu.Want("HingeLoss", "x", x, s.Len())
	gpu.Want("HingeLoss", "label", label, s.Outer*s.Inner)
	gpu.Want("HingeLoss", "out", out, 1)
	d.scores(s)
	d.sums(
		kHingeLoss,
		s.Outer*s.Inner,
		d.ptr(x),
		d.ptr(label),
		flag(squared),
		d.ptr(out),
		d.scratch.partial,
		d.scratch.counters,
	)
}

// HingeLossBackward implements gpu.Classify.
func (d *Device) HingeLossBackward(
	s gpu.ChannelShape,
	x, label *gpu.Tensor,
	squared bool,
	weight float32,
	dx *gpu.Tensor,
) {
	gpu.Want("HingeLossBackward", "x", x, s.Len())
	gpu.Want("HingeLossBackward", "label", label, s.Outer*s.Inner)
	gpu.Want("HingeLossBackward", "dx", dx, s.Len())
	d.scores(s)
	d.rows(kHingeLossBackward, s.Outer*s.Inner, d.ptr(x), d.ptr(label), flag(squared), f32(weight), d.ptr(dx))
}

// LogLoss implements gpu.Classify.
func (d *Device) LogLoss(s gpu.ChannelShape, prob, label, out *gpu.Tensor) {
	gpu.Want("LogLoss", "prob", prob, s.Len())
	gpu.Want("LogLoss", "label", label, s.Outer)
	gpu.Want("LogLoss", "out", out, 1)
	d.scores(s)
	d.sums(kLogLoss, s.Outer, d.ptr(prob), d.ptr(label), d.ptr(out), d.scratch.partial, d.scratch.counters)
}

// LogLossBackward implements gpu.Classify.
func (d *Device) LogLossBackward(s gpu.ChannelShape, prob, label *gpu.Tensor, weight float32, dx *gpu.Tensor) {
	gpu.Want("LogLossBackward", "prob", prob, s.Len())
	gpu.Want("LogLossBackward", "label", label, s.Outer)
	gpu.Want("LogLossBackward", "dx", dx, s.Len())
	d.scores(s)
	d.each(kLogLossBackward, s.Len(), d.ptr(prob), d.ptr(label), f32(weight), d.ptr(dx))
}

// InfogainLoss implements gpu.Classify.
func (d *Device) InfogainLoss(
	s gpu.ChannelShape,
	prob, label, h *gpu.Tensor,
	ignore gpu.Ignore,
	norm float32,
	stat *gpu.Tensor,
) {
	gpu.Want("InfogainLoss", "prob", prob, s.Len())
	gpu.Want("InfogainLoss", "label", label, s.Outer*s.Inner)
	gpu.Want("InfogainLoss", "h", h, s.Channels*s.Channels)
	gpu.Want("InfogainLoss", "stat", stat, 2)
	d.scores(s)
	d.sums(
		kInfogainLoss,
		s.Outer*s.Inner,
		d.ptr(prob),
		d.ptr(label),
		d.ptr(h),
		f32(norm),
		d.ptr(stat),
		d.scratch.partial,
		d.scratch.counters,
		ignored(ignore),
	)
}

// InfogainLossBackward implements gpu.Classify.
func (d *Device) InfogainLossBackward(
	s gpu.ChannelShape,
	prob, label, h *gpu.Tensor,
	ignore gpu.Ignore,
	weight float32,
	stat, dx *gpu.Tensor,
) {
	gpu.Want("InfogainLossBackward", "prob", prob, s.Len())
	gpu.Want("InfogainLossBackward", "label", label, s.Outer*s.Inner)
	gpu.Want("InfogainLossBackward", "h", h, s.Channels*s.Channels)
	gpu.Want("InfogainLossBackward", "stat", stat, 2)
	gpu.Want("InfogainLossBackward", "dx", dx, s.Len())
	d.scores(s)
	d.rows(
		kInfogainLossBackward,
		s.Outer*s.Inner,
		d.ptr(prob),
		d.ptr(label),
		d.ptr(h),
		f32(weight),
		d.ptr(stat),
		d.ptr(dx),
		ignored(ignore),
	)
}

func checkPairs(op string, s gpu.ChannelShape, a, b, similar *gpu.Tensor) {
	if s.Inner != 1 {
		panic("gpu: " + op + ": Inner is not 1")
	}
	gpu.Want(op, "a", a, s.Len())
	gpu.Want(op, "b", b, s.Len())
	gpu.Want(op, "similar", similar, s.Outer)
}

// ContrastiveLoss implements gpu.Classify.
func (d *Device) ContrastiveLoss(
	s gpu.ChannelShape,
	a, b, similar *gpu.Tensor,
	margin float32,
	legacy bool,
	out *gpu.Tensor,
) {
	checkPairs("ContrastiveLoss", s, a, b, similar)
	gpu.Want("ContrastiveLoss", "out", out, 1)
	d.sums(
		kContrastiveLoss,
		s.Outer,
		i32(s.Outer),
		i32(s.Channels),
		d.ptr(a),
		d.ptr(b),
		d.ptr(similar),
		f32(margin),
		flag(legacy),
		d.ptr(out),
		d.scratch.partial,
		d.scratch.counters,
	)
}

// ContrastiveLossBackward implements gpu.Classify.
func (d *Device) ContrastiveLossBackward(
	s gpu.ChannelShape,
	a, b, similar *gpu.Tensor,
	margin float32,
	legacy bool,
	weight float32,
	dx *gpu.Tensor,
) {
	checkPairs("ContrastiveLossBackward", s, a, b, similar)
	gpu.Want("ContrastiveLossBackward", "dx", dx, s.Len())
	d.rows(
		kContrastiveLossBackward,
		s.Outer,
		i32(s.Outer),
		i32(s.Channels),
		d.ptr(a),
		d.ptr(b),
		d.ptr(similar),
		f32(margin),
		flag(legacy),
		f32(weight/float32(s.Outer)),
		d.ptr(dx),
	)
}

// ArgMax implements gpu.Classify.
func (d *Device) ArgMax(s gpu.ChannelShape, k int, x, index, value *gpu.Tensor) {
	gpu.Want("ArgMax", "x", x, s.Len())
	gpu.WantOptional("ArgMax", "index", index, s.Outer*s.Inner*k)
	gpu.WantOptional("ArgMax", "value", value, s.Outer*s.Inner*k)
	d.scores(s)
	d.rows(kArgMax, s.Outer*s.Inner, i32(k), d.ptr(x), d.ptr(index), d.ptr(value))
}

// Accuracy implements gpu.Classify.
func (d *Device) Accuracy(
	s gpu.ChannelShape,
	x, label *gpu.Tensor,
	ignore gpu.Ignore,
	topK int,
	out, perClass *gpu.Tensor,
) {
	gpu.Want("Accuracy", "x", x, s.Len())
	gpu.Want("Accuracy", "label", label, s.Outer*s.Inner)
	gpu.Want("Accuracy", "out", out, 1)
	gpu.WantOptional("Accuracy", "perClass", perClass, s.Channels)
	classes := 0
	if perClass != nil {
		classes = s.Channels
	}
	if 3+2*classes > countWords {
		panic("gpu: Accuracy: too many classes")
	}
	d.clear(d.scratch.counts, int64(3+2*classes))
	d.scores(s)
	d.rows(
		kCountHits,
		s.Outer*s.Inner,
		d.ptr(x),
		d.ptr(label),
		i32(topK),
		d.scratch.counts,
		flag(perClass != nil),
		ignored(ignore),
	)
	d.rows(kAccuracy, max(1, classes), d.scratch.counts, i32(classes), d.ptr(out), d.ptr(perClass))
}
