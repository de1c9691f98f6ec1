//go:build cuda

package cuda

import "dns-tui/gpu"

// scores is s as classify.cu has it.
func scores(s gpu.ChannelShape) cScores {
	return cScores{
		outer: int32(s.Outer), channels: int32(s.Channels), inner: int32(s.Inner),
		byInner: divisor(s.Inner), byChannels: divisor(s.Channels),
	}
}

func ignored(i gpu.Ignore) cIgnore {
	if !i.On {
		return cIgnore{}
	}
	return cIgnore{on: 1, label: int32(i.Label)}
}

// warps queues a kernel of a warp an example.
func warps[A any](d *back, k kernel[A], examples int, args A) {
	launch(d, k, grid{(examples + 7) / 8, 1, 1}, args)
}

// softmax is a warp an example where channels lie together, a thread an example else.
func (d *back) softmax(o *gpu.Softmax) {
	s := o.Shape
	a := softmaxRowsArgs{x: d.ptr(o.X), y: d.ptr(o.Y), s: scores(s)}
	if s.Inner != 1 {
		rows(d, kSoftmaxColumns, s.Outer*s.Inner, softmaxColumnsArgs(a))
		return
	}
	warps(d, kSoftmaxRows, s.Outer, a)
	if s.Outer <= 8*maxSumBlocks {
		d.queue.fusable(lastOp{kind: softmaxed, out: a.y, n: o.Y.N, shape: s, x: a.x})
	}
}

func (d *back) softmaxBackward(o *gpu.SoftmaxBackward) {
	s := o.Shape
	a := softmaxBackwardRowsArgs{y: d.ptr(o.Y), dy: d.ptr(o.DY), dx: d.ptr(o.DX), s: scores(s)}
	if s.Inner != 1 {
		rows(d, kSoftmaxBackwardColumns, s.Outer*s.Inner, softmaxBackwardColumnsArgs(a))
		return
	}
	warps(d, kSoftmaxBackwardRows, s.Outer, a)
}

func (d *back) softmaxLoss(o *gpu.SoftmaxLoss) {
	if d.fuseLoss(o) {
		return
	}
	sums(d, kSoftmaxLoss, o.Shape.Outer*o.Shape.Inner, softmaxLossArgs{
		prob: d.ptr(o.Prob), label: d.ptr(o.Label), norm: o.Norm, stat: d.ptr(o.Stat),
		partial: d.scratch.partial, counter: d.scratch.counters, ignore: ignored(o.Ignore), s: scores(o.Shape),
	})
}

func (d *back) softmaxLossBackward(o *gpu.SoftmaxLossBackward) {
	each(d, kSoftmaxLossBackward, o.Shape.Len(), softmaxLossBackwardArgs{
		prob: d.ptr(o.Prob), label: d.ptr(o.Label), weight: o.Weight, stat: d.ptr(o.Stat), dx: d.ptr(o.DX),
		ignore: ignored(o.Ignore), s: scores(o.Shape),
	})
}

func (d *back) sigmoidLoss(o *gpu.SigmoidLoss) {
	sums(d, kSigmoidLoss, o.X.N, sigmoidLossArgs{
		n: int32(o.X.N), x: d.ptr(o.X), target: d.ptr(o.Target), norm: o.Norm, stat: d.ptr(o.Stat),
		partial: d.scratch.partial, counter: d.scratch.counters, ignore: ignored(o.Ignore),
	})
}

func (d *back) sigmoidLossBackward(o *gpu.SigmoidLossBackward) {
	each(d, kSigmoidLossBackward, o.X.N, sigmoidLossBackwardArgs{
		n: int32(o.X.N), x: d.ptr(o.X), target: d.ptr(o.Target), weight: o.Weight, stat: d.ptr(o.Stat), dx: d.ptr(o.DX),
		ignore: ignored(o.Ignore),
	})
}

func (d *back) hingeLoss(o *gpu.HingeLoss) {
	sums(d, kHingeLoss, o.Shape.Outer*o.Shape.Inner, hingeLossArgs{
		x: d.ptr(o.X), label: d.ptr(o.Label), squared: flag(o.Squared), out: d.ptr(o.Out),
		partial: d.scratch.partial, counter: d.scratch.counters, s: scores(o.Shape),
	})
}

func (d *back) hingeLossBackward(o *gpu.HingeLossBackward) {
	rows(d, kHingeLossBackward, o.Shape.Outer*o.Shape.Inner, hingeLossBackwardArgs{
		x: d.ptr(o.X), label: d.ptr(o.Label), squared: flag(o.Squared), weight: o.Weight, dx: d.ptr(o.DX),
		s: scores(o.Shape),
	})
}

func (d *back) logLoss(o *gpu.LogLoss) {
	sums(d, kLogLoss, o.Shape.Outer, logLossArgs{
		prob: d.ptr(o.Prob), label: d.ptr(o.Label), out: d.ptr(o.Out),
		partial: d.scratch.partial, counter: d.scratch.counters, s: scores(o.Shape),
	})
}

func (d *back) logLossBackward(o *gpu.LogLossBackward) {
	each(d, kLogLossBackward, o.Shape.Len(), logLossBackwardArgs{
		prob: d.ptr(o.Prob), label: d.ptr(o.Label), weight: o.Weight, dx: d.ptr(o.DX), s: scores(o.Shape),
	})
}

func (d *back) infogainLoss(o *gpu.InfogainLoss) {
	sums(d, kInfogainLoss, o.Shape.Outer*o.Shape.Inner, infogainLossArgs{
		prob: d.ptr(o.Prob), label: d.ptr(o.Label), gain: d.ptr(o.H), norm: o.Norm, stat: d.ptr(o.Stat),
		partial: d.scratch.partial, counter: d.scratch.counters, ignore: ignored(o.Ignore), s: scores(o.Shape),
	})
}

func (d *back) infogainLossBackward(o *gpu.InfogainLossBackward) {
	rows(d, kInfogainLossBackward, o.Shape.Outer*o.Shape.Inner, infogainLossBackwardArgs{
		prob: d.ptr(o.Prob), label: d.ptr(o.Label), gain: d.ptr(o.H), weight: o.Weight, stat: d.ptr(o.Stat),
		dx: d.ptr(o.DX), ignore: ignored(o.Ignore), s: scores(o.Shape),
	})
}

func (d *back) contrastiveLoss(o *gpu.ContrastiveLoss) {
	sums(d, kContrastiveLoss, o.Shape.Outer, contrastiveLossArgs{
		rows: int32(o.Shape.Outer), width: int32(o.Shape.Channels), a: d.ptr(o.A), b: d.ptr(o.B),
		similar: d.ptr(o.Similar), margin: o.Margin, legacy: flag(o.Legacy), out: d.ptr(o.Out),
		partial: d.scratch.partial, counter: d.scratch.counters,
	})
}

func (d *back) contrastiveLossBackward(o *gpu.ContrastiveLossBackward) {
	rows(d, kContrastiveLossBackward, o.Shape.Outer, contrastiveLossBackwardArgs{
		rows: int32(o.Shape.Outer), width: int32(o.Shape.Channels), a: d.ptr(o.A), b: d.ptr(o.B),
		similar: d.ptr(o.Similar), margin: o.Margin, legacy: flag(o.Legacy), factor: o.Weight / float32(o.Shape.Outer),
		dx: d.ptr(o.DX),
	})
}

func (d *back) argMax(o *gpu.ArgMax) {
	rows(d, kArgMax, o.Shape.Outer*o.Shape.Inner, argMaxArgs{
		k: int32(o.K), x: d.ptr(o.X), index: d.ptr(o.Index), value: d.ptr(o.Value), s: scores(o.Shape),
	})
}

// hitWords is how many counts Accuracy keeps, with those of each class.
func hitWords(classes int) int { return 3 + 2*classes }

func (d *back) accuracy(o *gpu.Accuracy) {
	classes := 0
	if o.PerClass != nil {
		classes = o.Shape.Channels
	}
	d.clear(d.scratch.counts, int64(hitWords(classes)))
	rows(d, kCountHits, o.Shape.Outer*o.Shape.Inner, countHitsArgs{
		x: d.ptr(o.X), label: d.ptr(o.Label), topK: int32(o.TopK), counts: d.scratch.counts,
		perClass: flag(o.PerClass != nil), ignore: ignored(o.Ignore), s: scores(o.Shape),
	})
	rows(d, kAccuracy, max(1, classes), accuracyArgs{
		counts: d.scratch.counts, classes: int32(classes), out: d.ptr(o.Out), perClass: d.ptr(o.PerClass),
	})
}
