//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"slices"
	"unsafe"

	"dns-tui/gpu"
)

// queue holds the records of kernels that were asked for and not handed over yet, in words of eight bytes: a
// C.dns_header, which names the kernel, its grid, and the mark that it notes when it begins, and behind it the kernel's
// arguments, a struct of kernels_gen.go. So the same work gives the same words, whatever the live numbers are.
type queue struct {
	words []uint64
	start int      // where the last record begins
	live  []uint32 // the live numbers of these records
	base  address  // of their buffer on the device
	last  lastOp   // what the next record may be fused with
	batch batches
}

// address is one on the device; 0 for none.
type address uint64

// kernelID is a kernel: its position in kernelNames.
type kernelID int

// kernel is a kernel that takes the arguments A.
type kernel[A any] struct{ id kernelID }

// liveWords is the room for live numbers, in words of four bytes.
const liveWords = 24 << 10

const headerWords = int(unsafe.Sizeof(C.dns_header{}) / 8)

func (d *back) openQueue() error {
	m, err := d.memory.get(d, 4*liveWords)
	if err != nil {
		return err
	}
	d.queue.base = m.addr
	d.queue.words = make([]uint64, 0, 1<<14)
	d.queue.live = make([]uint32, 0, liveWords)
	return nil
}

// grid is how many blocks a launch has.
type grid struct{ x, y, z int }

// threads is how many threads each block has.
const threads = 256

// launch queues a kernel.
func launch[A any](d *back, k kernel[A], g grid, args A) {
	if d.fault.err != nil || g.x <= 0 || g.y <= 0 || g.z <= 0 {
		d.queue.start, d.queue.last = nothing, lastOp{}
		return
	}
	record(d, C.dns_header{
		function: C.uint64_t(d.functions[k.id]), kind: C.record_kernel, threads: threads,
		grid_x: C.uint32_t(g.x), grid_y: C.uint32_t(g.y), grid_z: C.uint32_t(g.z), mark: C.uint64_t(d.markOf(k.id)),
	}, args)
}

// nothing is where the record queued last begins when there was nothing to queue.
const nothing = -1

// record queues a record, behind what waits for more of its kind.
func record[A any](d *back, h C.dns_header, args A) {
	d.closeBatches()
	q := &d.queue
	n := int(unsafe.Sizeof(args)+7) / 8
	q.start, q.last = len(q.words), lastOp{}
	q.words = slices.Grow(q.words, headerWords+n)[:q.start+headerWords+n]
	q.words[len(q.words)-1] = 0 // the arguments may end in its middle
	h.words = C.uint32_t(n)
	*(*C.dns_header)(unsafe.Pointer(&q.words[q.start])) = h
	*argumentsOf[A](q, q.start) = args
	if d.opts.Blocking {
		d.flush()
	}
}

// argumentsOf returns the arguments in the record that begins at start.
func argumentsOf[A any](q *queue, start int) *A {
	return (*A)(unsafe.Pointer(&q.words[start+headerWords]))
}

// clear queues setting n words of four bytes to 0.
func (d *back) clear(at address, n int64) {
	if d.fault.err == nil {
		record(d, C.dns_header{kind: C.record_clear}, C.dns_clear_args{at: C.uint64_t(at), n: C.uint64_t(n)})
	}
}

// each queues an elementwise kernel over n elements.
func each[A any](d *back, k kernel[A], n int, args A) {
	launch(d, k, grid{(n + 1023) / 1024, 1, 1}, args)
}

// rows queues a kernel of one thread an item.
func rows[A any](d *back, k kernel[A], n int, args A) {
	launch(d, k, grid{(n + threads - 1) / threads, 1, 1}, args)
}

// maxSumBlocks bounds the blocks of a kernel that sums: scratch has room for three numbers of each.
const maxSumBlocks = 1024

// sums queues a kernel that sums over n items in scratch memory.
func sums[A any](d *back, k kernel[A], n int, args A) {
	launch(d, k, grid{max(1, min(maxSumBlocks, (n+1023)/1024)), 1, 1}, args)
}

// liveNumbers makes room for n live numbers of the next record, and returns their address on the device. Their values
// are not part of the record.
func (d *back) liveNumbers(n int) (at address, values []uint32) {
	q := &d.queue
	from := (len(q.live) + 3) &^ 3
	if from+n > liveWords {
		d.flush()
		from = 0
	}
	q.live = q.live[:from+n]
	return q.base + address(4*from), q.live[from:]
}

// liveStructs returns the first n structs in live numbers, and what is behind them.
func liveStructs[T any](values []uint32, n int) (first []T, rest []uint32) {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(&values[0])), n), values[n*int(unsafe.Sizeof(t)/4):]
}

// flush hands the queue over.
func (d *back) flush() {
	d.closeBatches()
	q := &d.queue
	defer func() { q.words, q.live, q.last = q.words[:0], q.live[:0], lastOp{} }()
	if len(q.words) == 0 || d.fault.err != nil || d.dry {
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
func (d *back) ptr(t *gpu.Tensor) address {
	if t == nil {
		return 0
	}
	if r := narrowOf(t); r != nil {
		return d.aside(r) + 4*address(t.Off)
	}
	return d.home(t).at
}

func flag(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// divisor makes a Divisor of common.cuh: q = (umulhi(n, m) + n) >> s for n < 2^31.
func divisor(d int) cDivisor {
	d = max(d, 1)
	s := uint32(0)
	for 1<<s < uint64(d) {
		s++
	}
	m := (uint64(1)<<s-uint64(d))<<32/uint64(d) + 1
	return cDivisor{uint32(d), uint32(m), s}
}

// headerAt returns the header of a record among words.
func headerAt(words []uint64, start int) *C.dns_header {
	return (*C.dns_header)(unsafe.Pointer(&words[start]))
}
