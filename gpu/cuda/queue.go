//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"math"
	"unsafe"

	"dns-tui/gpu"
)

// queue holds the records of kernels that were asked for and not handed over yet. A record is, in words of eight bytes:
//
//	0  the function; for a clear, the value
//	1  grid x, grid y
//	2  grid z, threads of a block
//	3  kind, number of arguments, words of the blob
//	4  mark: what the kernel notes when it begins
//	   the arguments, a word each; the blob: the last parameter, a struct
//
// So the same work gives the same words, whatever the live numbers are.
type queue struct {
	words []uint64
	live  []uint32 // the live numbers of these records
	base  uint64   // of their buffer on the device
	last  lastOp   // what the next record may be fused with
	batch batches
	blob  blob
}

// liveWords is the room for live numbers, in words of four bytes.
const liveWords = 16 << 10

const headerWords = 5

func (d *Device) openQueue() error {
	m, err := d.memory.get(d, 4*liveWords)
	if err != nil {
		return err
	}
	d.queue.base = uint64(m.at)
	d.queue.words = make([]uint64, 0, 1<<14)
	d.queue.live = make([]uint32, 0, liveWords)
	return nil
}

// grid is how many blocks a launch has.
type grid struct{ x, y, z int }

// launch queues a kernel. args are words of up to eight bytes; what was put into the blob follows as the last
// parameter.
func (d *Device) launch(k kernelID, g grid, threads int, args ...uint64) {
	if d.fault.err != nil || g.x <= 0 || g.y <= 0 || g.z <= 0 {
		d.queue.blob.n = 0
		return
	}
	q := &d.queue
	q.last = lastOp{}
	b := q.blob.words()
	q.words = append(
		q.words,
		d.functions[k],
		uint64(uint32(g.x))|uint64(uint32(g.y))<<32,
		uint64(uint32(g.z))|uint64(uint32(threads))<<32,
		uint64(C.record_kernel)|uint64(len(args))<<16|uint64(len(b))<<32,
		d.markOf(k),
	)
	q.words = append(q.words, args...)
	q.words = append(q.words, b...)
	q.blob.n = 0
	if d.opts.Blocking {
		d.flush()
	}
}

// clear queues setting n words of four bytes to 0.
func (d *Device) clear(at uint64, n int64) {
	d.closeBatches()
	if d.fault.err != nil {
		return
	}
	q := &d.queue
	q.last = lastOp{}
	q.words = append(q.words, 0, 0, 0, uint64(C.record_clear)|2<<16, 0, at, uint64(n))
}

// each queues an elementwise kernel over n elements.
func (d *Device) each(k kernelID, n int, args ...uint64) {
	d.closeBatches()
	d.launch(k, grid{(n + 1023) / 1024, 1, 1}, 256, args...)
}

// rows queues a kernel of one thread an item.
func (d *Device) rows(k kernelID, n int, args ...uint64) {
	d.closeBatches()
	d.launch(k, grid{(n + 255) / 256, 1, 1}, 256, args...)
}

// maxSumBlocks bounds the blocks of a kernel that sums: scratch has room for three numbers of each.
const maxSumBlocks = 1024

// sums queues a kernel that sums over n items, and gives it scratch memory.
func (d *Device) sums(k kernelID, n int, args ...uint64) {
	d.closeBatches()
	d.launch(k, grid{max(1, min(maxSumBlocks, (n+1023)/1024)), 1, 1}, 256, args...)
}

// liveNumbers makes room for n live numbers of the next record, and returns their address on the device. Their values
// are not part of the record.
func (d *Device) liveNumbers(n int) (at uint64, values []uint32) {
	q := &d.queue
	from := (len(q.live) + 3) &^ 3
	if from+n > liveWords {
		d.flush()
		from = 0
	}
	q.live = q.live[:from+n]
	return q.base + uint64(4*from), q.live[from:]
}

// flush hands the queue over.
func (d *Device) flush() {
	d.closeBatches()
	q := &d.queue
	defer func() { q.words, q.live, q.last = q.words[:0], q.live[:0], lastOp{} }()
	if len(q.words) == 0 || d.fault.err != nil {
		return
	}
	if len(q.live) > 0 {
		piece := d.staging.room(d, 4*len(q.live))
		copy(unsafe.Slice((*uint32)(unsafe.Pointer(&piece[0])), len(q.live)), q.live)
		d.staging.send(d, q.base, piece, d.s())
	}
	if d.fault.err == nil {
		d.programs.run(d, q.words)
	}
}

// ptr returns the address of a tensor's first element; 0 for none.
func (d *Device) ptr(t *gpu.Tensor) uint64 {
	if t == nil {
		return 0
	}
	return uint64(t.Mem.(*allocation).at) + 4*uint64(t.Off)
}

func f32(v float32) uint64 { return uint64(math.Float32bits(v)) }
func i32(v int) uint64     { return uint64(uint32(int32(v))) }

// blob builds a struct for a kernel: numbers of four bytes, and addresses on multiples of eight.
type blob struct {
	buf [64]uint64
	n   int // numbers of four bytes
}

func (b *blob) u32(v uint32) {
	w := &b.buf[b.n/2]
	if b.n%2 == 0 {
		*w = uint64(v)
	} else {
		*w |= uint64(v) << 32
	}
	b.n++
}

func (b *blob) ints(v ...int) {
	for _, x := range v {
		b.u32(uint32(int32(x)))
	}
}

func (b *blob) float(v float32) { b.u32(math.Float32bits(v)) }

func (b *blob) ptr(v uint64) {
	b.n = (b.n + 1) &^ 1
	b.buf[b.n/2] = v
	b.n += 2
}

// divisor puts a Divisor of common.cuh: q = (umulhi(n, m) + n) >> s for n < 2^31.
func (b *blob) divisor(d int) {
	d = max(d, 1)
	s := uint32(0)
	for 1<<s < uint64(d) {
		s++
	}
	m := (uint64(1)<<s-uint64(d))<<32/uint64(d) + 1
	b.u32(uint32(d))
	b.u32(uint32(m))
	b.u32(s)
}

func (b *blob) words() []uint64 { return b.buf[:(b.n+1)/2] }
