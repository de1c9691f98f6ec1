//go:build cuda

package cuda

import (
	"math"

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
)

// lastOp is what is known of the record queued last.
type lastOp struct {
	kind  opKind
	start int // of the record, in words
	words int // length of the queue with it: nothing else came since where it is the same
	out   uint64
	n     int
	shape gpu.ChannelShape

	epilogue          int  // where it is, in words
	plain             bool // beta is 0
	biased, rectified bool

	// Of normalized: Normalize's operands, and what was fused since.
	x, mean, variance, norm, norm2, a, b uint64
	eps                                  float32
	copied, scaled                       bool
}

// fusable notes that the record just queued is a product whose epilogue begins at word at of its blob.
func (q *queue) fusable(op lastOp, at int) {
	q.noted(op)
	q.last.epilogue = q.last.start + headerWords + at
}

// noted keeps what the record just queued is, for those that may be fused with it.
func (q *queue) noted(op lastOp) {
	if len(q.words) == 0 {
		return // handed over already, or nothing to do
	}
	op.start, op.words = q.recordStart(), len(q.words)
	q.last = op
}

// recordStart finds the record queued last.
func (q *queue) recordStart() int {
	at := 0
	for at < len(q.words) {
		w := q.words[at+3]
		next := at + headerWords + int(w>>16&0xFFFF) + int(w>>32)
		if next >= len(q.words) {
			return at
		}
		at = next
	}
	return 0
}

// before returns the last record, if it is of a kind and wrote exactly these elements.
func (q *queue) before(out uint64, n int, kinds ...opKind) *lastOp {
	l := &q.last
	if l.kind == other || l.words != len(q.words) || l.out != out || l.n != n || q.batch.open() {
		return nil
	}
	for _, k := range kinds {
		if l.kind == k {
			return l
		}
	}
	return nil
}

// fuseBias makes y += b[column] part of the product that made y.
func (d *Device) fuseBias(s gpu.ChannelShape, b, y *gpu.Tensor) bool {
	l := d.queue.before(d.ptr(y), y.N, multiplied)
	if l == nil || !l.plain || l.biased || l.rectified || s.Inner != 1 || s.Channels != l.shape.Channels {
		return false
	}
	d.queue.words[l.epilogue+2] = d.ptr(b) // column_bias
	l.biased = true
	return true
}

// fuseReLU makes y = relu(y) part of what made y.
func (d *Device) fuseReLU(x, y *gpu.Tensor, slope float32) bool {
	if d.ptr(x) != d.ptr(y) {
		return false
	}
	if l := d.queue.before(d.ptr(y), y.N, normalized); l != nil && l.copied && !l.rectified {
		l.rectified = true
		d.renormalize(l, true, slope)
		return true
	}
	l := d.queue.before(d.ptr(y), y.N, multiplied, convolved)
	if l == nil || l.rectified {
		return false
	}
	d.queue.words[l.epilogue+3] = 1 | uint64(math.Float32bits(slope))<<32 // rectify, slope
	l.rectified = true
	return true
}

// fuseCopy makes a copy of what Normalize wrote part of it: BatchNorm keeps one, and so does a Scale that works in
// place.
func (d *Device) fuseCopy(y, x *gpu.Tensor) bool {
	l := d.queue.before(d.ptr(x), x.N, normalized)
	if l == nil || l.rectified || l.scaled {
		return false
	}
	switch {
	case !l.copied:
		l.copied, l.out = true, d.ptr(y)
	case l.norm2 == 0:
		l.norm2 = d.ptr(y)
	default:
		return false
	}
	d.renormalize(l, false, 0)
	return true
}

// fuseScale makes y = a·y + b part of the normalisation that made y.
func (d *Device) fuseScale(s gpu.ChannelShape, x, a, b, y *gpu.Tensor) bool {
	if d.ptr(x) != d.ptr(y) {
		return false
	}
	l := d.queue.before(d.ptr(y), y.N, normalized)
	if l == nil || !l.copied || l.scaled || l.rectified || s != l.shape {
		return false
	}
	l.scaled, l.a, l.b = true, d.ptr(a), d.ptr(b)
	d.renormalize(l, false, 0)
	return true
}

// fuseLoss makes the loss part of the softmax that it is of.
func (d *Device) fuseLoss(
	s gpu.ChannelShape,
	prob, label *gpu.Tensor,
	ignore gpu.Ignore,
	norm float32,
	stat *gpu.Tensor,
) bool {
	l := d.queue.before(d.ptr(prob), prob.N, softmaxed)
	if l == nil || l.shape != s {
		return false
	}
	x := l.x
	d.queue.words = d.queue.words[:l.start]
	d.scores(s)
	d.launch(
		kSoftmaxWithLoss,
		grid{(s.Outer + 7) / 8, 1, 1},
		256,
		x,
		d.ptr(prob),
		d.ptr(label),
		f32(norm),
		d.ptr(stat),
		d.scratch.partial,
		d.scratch.counters,
		ignored(ignore),
	)
	return true
}

// renormalize writes the record of a fused normalisation anew.
func (d *Device) renormalize(l *lastOp, rectify bool, slope float32) {
	q := &d.queue
	keep := *l
	q.words = q.words[:l.start]
	d.channels(keep.shape)
	d.launch(
		kNormalizeScale,
		grid{(keep.n + 1023) / 1024, 1, 1},
		256,
		keep.x,
		keep.mean,
		keep.variance,
		f32(keep.eps),
		keep.norm,
		keep.a,
		keep.b,
		keep.norm2,
		keep.out,
		flag(rectify),
		f32(slope),
	)
	keep.words = len(q.words)
	q.last = keep
}
