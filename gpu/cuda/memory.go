//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"gorgonia.org/cu"

	"dns-tui/gpu"
	"dns-tui/human"
)

// memory is the allocator. Freed blocks wait for the next allocation of their size: giving them back to the driver
// would wait for all kernels, and what a net frees when its shapes change it soon wants again. Kernels run in one
// order, so a block may be handed out while kernels that read it are still queued.
type memory struct {
	spare map[int64][]address // by size
	owned map[address]int64   // every block of the driver's
	held  int64               // bytes owned
	own   int64               // of them, what the device itself needed when it was opened
	used  atomic.Int64        // bytes handed out, as asked for

	opened int64 // of them, when the device was opened

	taken []block // of a rehearsal: all that is handed out

	promised map[int64]int // spare blocks that the run will want (Provide), by size
	trying   bool          // what is wanted can be done without, and gets no promised memory

	pretended address // of a rehearsal: where its memory begins

	mu      sync.Mutex
	dropped []block // by tensors that nobody freed; taken back at the next allocation
}

// block is a piece of device memory.
type block struct {
	addr  address
	size  int64 // of the block
	bytes int64 // as asked for
}

// allocation is a gpu.Memory.
type allocation struct {
	block
	n       int
	dev     *back
	summed  uint64 // the how manieth this was that was summed over the ranks; 0 for none
	cleanup runtime.Cleanup
}

// Len implements gpu.Memory.
func (a *allocation) Len() int { return a.n }

// Free implements gpu.Memory.
func (a *allocation) Free() {
	if a.addr == 0 {
		return
	}
	a.cleanup.Stop()
	a.dev.memory.put(a.dev, a.block)
	a.block = block{}
}

// sizeClass rounds a size up to one of eight steps between powers of two, and to 512 bytes.
func sizeClass(n int64) int64 {
	const least = 512
	if n <= least {
		return least
	}
	step := max(least, int64(1)<<(bits.Len64(uint64(n-1))-3))
	return (n + step - 1) / step * step
}

// Alloc implements gpu.Back.
func (d *back) Alloc(n int) (gpu.Memory, error) {
	if n < 0 || n > maxElements {
		return nil, fmt.Errorf(
			"GPU %d: no allocation of %d numbers; an array may have %d",
			d.opts.Ordinal,
			n,
			maxElements,
		)
	}
	if d.fault.err != nil {
		return nil, d.fault.err
	}
	b, err := d.memory.get(d, 4*int64(max(n, 1)))
	if err != nil {
		return nil, err
	}
	a := &allocation{block: b, n: n, dev: d}
	a.cleanup = runtime.AddCleanup(a, d.memory.drop, b)
	d.clear(b.addr, (b.bytes+3)/4)
	return a, nil
}

// maxElements is how many numbers an array may have: kernels count in 32 bits.
const maxElements = 1<<31 - 1<<20

// Allocated implements gpu.Back.
func (d *back) Allocated() int64 { return d.memory.used.Load() }

func (m *memory) drop(b block) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropped = append(m.dropped, b)
}

// reclaim takes back what was dropped.
func (m *memory) reclaim(d *back) {
	m.mu.Lock()
	dropped := m.dropped
	m.dropped = nil
	m.mu.Unlock()
	for _, b := range dropped {
		m.put(d, b)
	}
}

func (m *memory) get(d *back, bytes int64) (block, error) {
	m.reclaim(d)
	if d.dry {
		return m.pretend(bytes), nil
	}
	b := block{size: bytes, bytes: bytes}
	if !d.opts.NoCache {
		b.size = sizeClass(bytes)
	}
	kept := 0
	if m.trying {
		kept = m.promised[b.size]
	}
	if list := m.spare[b.size]; len(list) > kept {
		b.addr, m.spare[b.size] = list[len(list)-1], list[:len(list)-1]
		if m.promised[b.size] > 0 && !m.trying {
			m.promised[b.size]--
		}
		m.used.Add(bytes)
		return b, nil
	}
	if d.ctx == (cu.CUContext{}) {
		return block{}, errClosed
	}
	var p C.uint64_t
	r := C.dns_alloc(d.c(), &p, C.size_t(b.size))
	for r == C.CUDA_ERROR_OUT_OF_MEMORY && (m.release(d) || d.freePair() || m.breakPromises(d)) {
		r = C.dns_alloc(d.c(), &p, C.size_t(b.size))
	}
	if r != 0 {
		return block{}, m.refused(d, b.size, r)
	}
	at := address(p)
	if m.owned == nil {
		m.owned, m.spare = map[address]int64{}, map[int64][]address{}
	}
	b.addr, m.owned[at] = at, b.size
	m.held += b.size
	m.used.Add(bytes)
	return b, nil
}

// spared is get of what can be done without: nothing is promised of it, nor does it get what is.
func (m *memory) spared(d *back, bytes int64) (block, error) {
	was := m.trying
	m.trying = true
	defer func() { m.trying = was }()
	b, err := m.get(d, bytes)
	if d.dry && err == nil {
		m.taken = m.taken[:len(m.taken)-1]
	}
	return b, err
}

// put keeps a block for the next of its size.
func (m *memory) put(d *back, b block) {
	d.layouts.forget(span{b.addr, b.bytes})
	d.copies.drop(d, span{b.addr, b.bytes})
	m.used.Add(-b.bytes)
	m.taken = slices.DeleteFunc(m.taken, func(t block) bool { return t == b })
	if m.owned[b.addr] == 0 {
		return // the device was closed
	}
	m.spare[b.size] = append(m.spare[b.size], b.addr)
	if d.opts.NoCache {
		m.release(d)
	}
}

// Provide implements gpu.Rehearser.
func (d *back) Provide(sizes []int64) error {
	var blocks []block
	var err error
	for _, bytes := range sizes {
		var b block
		if b, err = d.memory.get(d, bytes); err != nil {
			break
		}
		blocks = append(blocks, b)
	}
	if err == nil && !d.opts.NoCache {
		d.memory.promised = map[int64]int{}
		for _, b := range blocks {
			d.memory.promised[b.size]++
		}
	}
	for _, b := range blocks {
		d.memory.put(d, b)
	}
	return err
}

// breakPromises is release of what was promised, too, which the run may not need after all.
func (m *memory) breakPromises(d *back) bool {
	if m.trying || len(m.promised) == 0 {
		return false
	}
	m.promised = nil
	return m.release(d)
}

// release gives what is not in use back to the driver, but for what is promised, and reports whether that was anything.
func (m *memory) release(d *back) bool {
	d.flush() // kernels that wait in the queue may still use it
	before := m.held
	for size, list := range m.spare {
		kept := min(m.promised[size], len(list))
		for _, at := range list[kept:] {
			C.dns_free(d.c(), C.uint64_t(at))
			delete(m.owned, at)
			m.held -= size
		}
		m.spare[size] = list[:kept]
	}
	return m.held < before
}

// OutOfMemoryError says that an allocation did not fit.
type OutOfMemoryError struct {
	Device      string
	Wanted      int64 // bytes, as the driver is asked for them: sizes are rounded up
	Held        int64 // by this program
	Free, Total int64 // on the device
	Own         int64 // of what is held, the device's own scratch memory
}

func (e *OutOfMemoryError) Error() string {
	pieces := ""
	if e.Free >= e.Wanted {
		pieces = ", in pieces"
	}
	return fmt.Sprintf(
		"%s is out of memory: wanted %s more, %s are free of %s%s, this program holds %s",
		e.Device,
		human.Bytes(e.Wanted),
		human.Bytes(e.Free),
		human.Bytes(e.Total),
		pieces,
		human.Bytes(e.Held),
	)
}

// Room returns the bytes that tensors may take: what they hold and what is free.
func (e *OutOfMemoryError) Room() int64 { return e.Held + e.Free - e.Own }

// refused says why an allocation failed.
func (m *memory) refused(d *back, bytes int64, r C.CUresult) error {
	if r != C.CUDA_ERROR_OUT_OF_MEMORY {
		return d.failed(r, "allocating")
	}
	e := &OutOfMemoryError{
		Device: fmt.Sprintf("GPU %d (%s)", d.opts.Ordinal, d.info.Name),
		Wanted: bytes,
		Held:   m.held,
		Own:    m.own,
	}
	var free, total C.size_t
	C.dns_memory_info(d.c(), &free, &total)
	e.Free, e.Total = int64(free), int64(total)
	return e
}

// free gives everything back.
func (m *memory) free(d *back) {
	m.reclaim(d)
	for at := range m.owned {
		C.dns_free(d.c(), C.uint64_t(at))
	}
	m.owned, m.spare, m.held = nil, nil, 0
}
