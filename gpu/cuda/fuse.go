//go:build cuda

package cuda

import (
	"slices"

	"dns-tui/gpu"
)

// Neighbours in the queue that become one kernel: a product or convolution and the bias and ReLU behind it;
// BatchNorm, Scale and ReLU; softmax and its loss. Each later call changes the record that the first one left, as
// long as nothing else was queued in between; what the calls write, the one kernel writes too.

type opKind int

const (
	other opKind = iota
	multiplied
	convolved
	normalized // and perhaps scaled
	softmaxed
	convolvedLast  // with channels last, as is the next
	normalizedLast // and perhaps scaled
)

// lastOp is what is known of the record queued last.
type lastOp struct {
	kind  opKind
	start int // of the record
	out   address
	n     int
	shape gpu.ChannelShape

	plain             bool // beta is 0
	biased, rectified bool

	x              address            // of softmaxed: its input
	norm           normalizeScaleArgs // of normalized: Normalize's operands, and what was fused since
	copied, scaled bool
	normLast       nhwcNormalizeArgs // of normalizedLast
}

// fusable notes what the record just queued is, for those that may be fused with it.
func (q *queue) fusable(op lastOp) {
	if len(q.words) == 0 {
		return // handed over already, or nothing to do
	}
	op.start = q.start
	q.last = op
}

// before returns the last record, if it is of a kind and wrote exactly these elements.
func (q *queue) before(out address, n int, kinds ...opKind) *lastOp {
	l := &q.last
	if l.kind == other || l.out != out || l.n != n || q.batch.open() {
		return nil
	}
	if !slices.Contains(kinds, l.kind) {
		return nil
	}
	return l
}

// epilogue returns that of a product or convolution in the queue.
func (q *queue) epilogue(l *lastOp) *cEpilogue {
	if l.kind == convolved {
		return &argumentsOf[cConvArgs](q, l.start).e
	}
	return &argumentsOf[cGemmArgs](q, l.start).e
}

// fuseBias makes y += b[column] part of the product that made y.
func (d *back) fuseBias(o *gpu.AddBias) bool {
	l := d.queue.before(d.ptr(o.Y), o.Y.N, multiplied)
	if l == nil || !l.plain || l.biased || l.rectified || o.Shape.Inner != 1 || o.Shape.Channels != l.shape.Channels {
		return false
	}
	d.queue.epilogue(l).columnBias = d.ptr(o.B)
	l.biased = true
	return true
}

// fuseReLU makes y = relu(y) part of what made y.
func (d *back) fuseReLU(o *gpu.ReLU) bool {
	y := d.ptr(o.Y)
	if d.ptr(o.X) != y {
		return false
	}
	if l := d.queue.before(y, o.Y.N, normalized); l != nil && l.copied && !l.rectified {
		l.rectified, l.norm.rectify, l.norm.slope = true, 1, o.Slope
		d.renormalize(l)
		return true
	}
	l := d.queue.before(y, o.Y.N, multiplied, convolved)
	if l == nil || l.rectified {
		return false
	}
	e := d.queue.epilogue(l)
	e.rectify, e.slope = 1, o.Slope
	l.rectified = true
	return true
}

// fuseCopy makes a copy of what Normalize wrote part of it: BatchNorm keeps one, and so does a Scale that works in
// place.
func (d *back) fuseCopy(o *gpu.Copy) bool {
	l := d.queue.before(d.ptr(o.X), o.X.N, normalized)
	if l == nil || l.rectified || l.scaled {
		return false
	}
	switch {
	case !l.copied:
		l.copied, l.out, l.norm.y = true, d.ptr(o.Y), d.ptr(o.Y)
	case l.norm.norm2 == 0:
		l.norm.norm2 = d.ptr(o.Y)
	default:
		return false
	}
	d.renormalize(l)
	return true
}

// fuseScale makes y = a·y + b part of the normalisation that made y.
func (d *back) fuseScale(o *gpu.Scale) bool {
	y := d.ptr(o.Y)
	if d.ptr(o.X) != y {
		return false
	}
	l := d.queue.before(y, o.Y.N, normalized)
	if l == nil || !l.copied || l.scaled || l.rectified || o.Shape != l.shape {
		return false
	}
	l.scaled, l.norm.a, l.norm.b = true, d.ptr(o.A), d.ptr(o.B)
	d.renormalize(l)
	return true
}

// renormalize queues a fused normalisation in place of what it was.
func (d *back) renormalize(l *lastOp) {
	q, op := &d.queue, *l
	q.words = q.words[:op.start]
	launch(d, kNormalizeScale, grid{(op.n + 1023) / 1024, 1, 1}, op.norm)
	q.fusable(op)
}

// fuseLoss makes the loss part of the softmax that it is of.
func (d *back) fuseLoss(o *gpu.SoftmaxLoss) bool {
	l := d.queue.before(d.ptr(o.Prob), o.Prob.N, softmaxed)
	if l == nil || l.shape != o.Shape {
		return false
	}
	x := l.x
	d.queue.words = d.queue.words[:l.start]
	launch(d, kSoftmaxWithLoss, grid{(o.Shape.Outer + 7) / 8, 1, 1}, softmaxWithLossArgs{
		x: x, prob: d.ptr(o.Prob), label: d.ptr(o.Label), norm: o.Norm, stat: d.ptr(o.Stat),
		partial: d.scratch.partial, counter: d.scratch.counters, ignore: ignored(o.Ignore), s: scores(o.Shape),
	})
	return true
}
