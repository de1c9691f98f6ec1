//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"slices"

	"dns-tui/gpu"
)

// Neighbours in the queue that become one kernel: a product or convolution and the bias and ReLU behind it; softmax and
// its loss; sums of small arrays (vector.go). Each later call changes the record that the first one left, as long as
// nothing else was queued in between; what the calls write, the one kernel writes too.

type opKind int

const (
	other opKind = iota
	multiplied
	convolved
	convolvedLast // with channels last
	softmaxed
	summed // n small arrays
	byPlan // a convolution by cuDNN's graph
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

	x address // of softmaxed: its input

	rectifier uint64 // of byPlan: the plan that does a ReLU, too
}

// fusable notes what the record just queued is, for those that may be fused with it.
func (q *queue) fusable(op lastOp) {
	if len(q.words) == 0 || q.start == nothing {
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

// rectifier returns where a product or convolution in the queue has whether a ReLU follows, and its slope.
func (q *queue) rectifier(l *lastOp) (on *int32, slope *float32) {
	if l.kind == convolvedLast {
		a := argumentsOf[cNhwcArgs](q, l.start)
		return &a.rectify, &a.slope
	}
	e := q.epilogue(l)
	return &e.rectify, &e.slope
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

// fuseReLU makes a ReLU in place, of what lies at y, part of what made y.
func (d *back) fuseReLU(o *gpu.ReLU, y address) bool {
	l := d.queue.before(y, o.Y.N, multiplied, convolved, convolvedLast, byPlan)
	if l == nil || l.rectified {
		return false
	}
	if l.kind == byPlan {
		if o.Slope != 0 || l.rectifier == 0 {
			return false
		}
		argumentsOf[C.dns_plan_args](&d.queue, l.start).plan = C.uint64_t(l.rectifier)
		l.rectified = true
		return true
	}
	on, slope := d.queue.rectifier(l)
	*on, *slope = 1, o.Slope
	l.rectified = true
	return true
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
