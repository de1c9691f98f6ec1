//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"math"
	"unsafe"

	"dns-tui/gpu"
)

func (d *back) fill(o *gpu.Fill) {
	if math.Float32bits(o.V) == 0 {
		d.clear(d.ptr(o.Y), int64(o.Y.N))
		return
	}
	each(d, kFill, o.Y.N, fillArgs{n: int32(o.Y.N), v: o.V, y: d.ptr(o.Y)})
}

func (d *back) copy(o *gpu.Copy) {
	each(d, kCopy, o.Y.N, copyArgs{n: int32(o.Y.N), x: d.ptr(o.X), y: d.ptr(o.Y)})
}

func (d *back) axpby(o *gpu.Axpby) {
	n := o.Y.N
	if o.B == 0 {
		each(d, kAx, n, axArgs{n: int32(n), a: o.A, x: d.ptr(o.X), y: d.ptr(o.Y)})
		return
	}
	if n <= fewNumbers {
		d.axpbyFew(o)
		return
	}
	each(d, kAxpby, n, axpbyArgs{n: int32(n), a: o.A, x: d.ptr(o.X), b: o.B, y: d.ptr(o.Y)})
}

// fewNumbers is up to how many numbers a sum of two arrays waits for others of its kind: a launch takes longer.
const fewNumbers = 8192

// mostSums is how many sums become one launch.
const mostSums = len(cFewSums{}.n)

// axpbyFew queues a sum of two small arrays, as a part of the sums queued last if it was them, and neither reads what
// the other writes.
func (d *back) axpbyFew(o *gpu.Axpby) {
	q, n, x, y := &d.queue, o.Y.N, d.ptr(o.X), d.ptr(o.Y)
	blocks := (n + 1023) / 1024
	if l := &q.last; l.kind == summed && l.n < mostSums && !q.batch.open() &&
		apart(argumentsOf[cFewSums](q, l.start), l.n, n, x, y) {
		argumentsOf[cFewSums](q, l.start).set(l.n, o, x, y)
		l.n++
		h := headerAt(q.words, l.start)
		h.grid_x, h.grid_y = max(h.grid_x, C.uint32_t(blocks)), C.uint32_t(l.n)
		return
	}
	var s cFewSums
	s.set(0, o, x, y)
	launch(d, kAxpbyFew, grid{blocks, 1, 1}, s)
	q.fusable(lastOp{kind: summed, n: 1})
}

func (s *cFewSums) set(i int, o *gpu.Axpby, x, y address) {
	s.n[i], s.a[i], s.b[i], s.x[i], s.y[i] = int32(o.Y.N), o.A, o.B, x, y
}

// apart reports whether a sum of n numbers neither reads nor writes what the first count sums write, nor writes what
// they read.
func apart(s *cFewSums, count, n int, x, y address) bool {
	bytes := 4 * address(n)
	for i := range count {
		other := 4 * address(s.n[i])
		meet := func(a, b address) bool { return a < b+other && b < a+bytes }
		if meet(x, s.y[i]) || meet(y, s.y[i]) || meet(y, s.x[i]) {
			return false
		}
	}
	return true
}

// add is two kernels.
func (d *back) add(o *gpu.Add) {
	d.axpby(&gpu.Axpby{A: o.A, X: o.X, Y: o.Z})
	d.axpby(&gpu.Axpby{A: o.B, X: o.Y, B: 1, Y: o.Z})
}

func (d *back) mul(o *gpu.Mul) {
	each(d, kMul, o.Z.N, mulArgs{n: int32(o.Z.N), x: d.ptr(o.X), y: d.ptr(o.Y), z: d.ptr(o.Z)})
}

func (d *back) maxUpdate(o *gpu.MaxUpdate) {
	each(d, kMaxUpdate, o.Y.N, maxUpdateArgs{
		n: int32(o.Y.N), x: d.ptr(o.X), index: o.Index, y: d.ptr(o.Y), which: d.ptr(o.Which),
	})
}

func (d *back) maxBackward(o *gpu.MaxBackward) {
	each(d, kMaxBackward, o.DX.N, maxBackwardArgs{
		n: int32(o.DX.N), dy: d.ptr(o.DY), which: d.ptr(o.Which), index: o.Index, dx: d.ptr(o.DX),
	})
}

func (d *back) power(o *gpu.Power) {
	each(d, kPower, o.Y.N, powerArgs{
		n: int32(o.Y.N), x: d.ptr(o.X), e: o.Power, scale: o.Scale, shift: o.Shift, y: d.ptr(o.Y),
	})
}

func (d *back) unary(o *gpu.Unary) {
	f := o.Func
	each(d, kUnary, o.Y.N, unaryArgs{
		n: int32(o.Y.N), op: int32(f.Op), a: f.A, b: f.B, c: f.C, x: d.ptr(o.X), y: d.ptr(o.Y),
	})
}

func (d *back) unaryBackward(o *gpu.UnaryBackward) {
	f := o.Func
	each(d, kUnaryBackward, o.DX.N, unaryBackwardArgs{
		n: int32(o.DX.N), op: int32(f.Op), a: f.A, b: f.B, c: f.C,
		x: d.ptr(o.X), y: d.ptr(o.Y), dy: d.ptr(o.DY), dx: d.ptr(o.DX),
	})
}

func (d *back) dot(o *gpu.Dot) {
	sums(d, kDot, o.X.N, dotArgs{
		n: int32(o.X.N), alpha: o.Alpha, x: d.ptr(o.X), y: d.ptr(o.Y), out: d.ptr(o.Out),
		partial: d.scratch.partial, counter: d.scratch.counters,
	})
}

func (d *back) copy2D(o *gpu.Copy2D) {
	each(d, kCopy2d, o.Rows*o.Cols, copy2dArgs{
		rows: int32(o.Rows), cols: int32(o.Cols),
		src: d.ptr(o.Src) + 4*address(o.SrcOff), srcStride: int32(o.SrcStride),
		dst: d.ptr(o.Dst) + 4*address(o.DstOff), dstStride: int32(o.DstStride), byCols: divisor(o.Cols),
	})
}

func (d *back) gather(o *gpu.Gather) {
	each(d, kGather, o.Dst.N, gatherArgs{
		n: int32(o.Index.N), width: int32(o.Width), rows: int32(o.Src.N / max(1, o.Width)),
		index: d.ptr(o.Index), src: d.ptr(o.Src), dst: d.ptr(o.Dst), byWidth: divisor(o.Width),
	})
}

func (d *back) scatterAdd(o *gpu.ScatterAdd) {
	rows(d, kScatterAdd, o.Width, scatterAddArgs{
		n: int32(o.Index.N), width: int32(o.Width), rows: int32(o.Dst.N / max(1, o.Width)),
		index: d.ptr(o.Index), src: d.ptr(o.Src), dst: d.ptr(o.Dst),
	})
}

func (d *back) relu(o *gpu.ReLU) {
	x, y := d.ptr(o.X), d.ptr(o.Y)
	if x != y || !d.fuseReLU(o, y) {
		each(d, kRelu, o.Y.N, reluArgs{n: int32(o.Y.N), x: x, slope: o.Slope, y: y})
	}
}

func (d *back) reluBackward(o *gpu.ReLUBackward) {
	each(d, kReluBackward, o.DX.N, reluBackwardArgs{
		n: int32(o.DX.N), x: d.ptr(o.X), dy: d.ptr(o.DY), slope: o.Slope, dx: d.ptr(o.DX),
	})
}

// liveKey puts a key where a kernel reads it.
func (d *back) liveKey(k gpu.Key) address {
	d.closeBatches()
	at, values := d.liveNumbers(int(unsafe.Sizeof(cKey{}) / 4))
	key, _ := liveStructs[cKey](values, 1)
	key[0] = cKey{
		seedLow: uint32(k.Seed), seedHigh: uint32(k.Seed >> 32), stream: k.Stream,
		iterLow: uint32(k.Iter), iterHigh: uint32(k.Iter >> 32),
	}
	return at
}

func (d *back) dropout(o *gpu.Dropout) {
	x, y := d.ptr(o.X), d.ptr(o.Y) // before the live numbers: an allocation may hand the queue over
	each(d, kDropout, o.Y.N, dropoutArgs{
		n: int32(o.Y.N), x: x, ratio: o.Ratio, keep: 1 / (1 - o.Ratio), key: d.liveKey(o.Key), y: y,
	})
}

// sumSquares waits for Σ x² of n numbers.
func (d *back) sumSquares(x address, n int) float64 {
	sums(d, kSumSquares, n, sumSquaresArgs{
		n: int32(n), x: x, out: d.scratch.result, partial: d.scratch.partial, counter: d.scratch.counters,
	})
	return d.result()
}

// countBad waits for how many of n numbers are not finite. What a device that failed holds is not finite.
func (d *back) countBad(x address, n int) float64 {
	sums(d, kCountBad, n, countBadArgs{
		n: int32(n), x: x, out: d.scratch.result, partial: d.scratch.partial, counter: d.scratch.counters,
	})
	return d.result()
}

// result waits for the number in scratch memory; it is NaN where the device failed.
func (d *back) result() float64 {
	d.flush()
	piece := d.staging.room(d, 8)
	d.fetchInto(piece, d.scratch.result)
	d.wait()
	if d.fault.err != nil {
		return math.NaN()
	}
	return *(*float64)(unsafe.Pointer(&piece[0]))
}
