//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"math"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"dns-tui/gpu"
)

// stagingBytes is the ring of pinned memory that uploads pass through; a larger one goes in pieces.
const stagingBytes = 32 << 20

// staging is a ring: what is to be uploaded is copied to its head, and its tail follows when the device has read it.
type staging struct {
	owned []unsafe.Pointer // all pinned memory of the device

	ring       []byte
	head, tail int // bytes ever written, and ever read by the device
	trips      [64]trip
	first, n   int // of trips

	waited  cu.Event
	copies  cu.Stream // large uploads go beside the kernels
	buffers []*pair   // of large uploads, those of the latest size last
}

// buffer is device memory that a large upload waits in until the kernels before it are done with where it goes.
type buffer struct {
	block
	full, free cu.Event
}

// pair is the two buffers for uploads of a size: one is filled while kernels read the other.
type pair struct {
	n       int // numbers
	buffers [2]buffer
}

// maxPairs is how many sizes have buffers: data and labels of a train and a test net. Where shapes change all the time,
// the size that was not used for the longest gives its memory back.
const maxPairs = 4

// largeUpload is the least size in bytes that takes the way through a buffer: the kernels of a small net do not take
// longer than that way costs.
const largeUpload = 128 << 10

// trip is one upload under way.
type trip struct {
	end  int // head after it
	done cu.Event
}

func (d *back) openStaging() error {
	p, err := d.pinned(stagingBytes)
	if err != nil {
		return err
	}
	d.staging.ring = unsafe.Slice((*byte)(p), stagingBytes)
	if d.staging.copies, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return err
	}
	if d.staging.waited, err = d.makeEvent(cu.DisableTiming); err != nil {
		return err
	}
	for i := range d.staging.trips {
		if d.staging.trips[i].done, err = d.makeEvent(cu.DisableTiming); err != nil {
			return err
		}
	}
	return nil
}

func event(e cu.Event) C.CUevent { return *(*C.CUevent)(unsafe.Pointer(&e)) }

// room returns the next n bytes of the ring, and waits until they are free.
func (s *staging) room(d *back, n int) []byte {
	at := s.head % stagingBytes
	if at+n > stagingBytes { // not over the end
		s.head += stagingBytes - at
		at = 0
	}
	for s.n > 0 && (s.head+n-s.tail > stagingBytes || s.n == len(s.trips)) {
		t := &s.trips[s.first]
		d.check(C.dns_wait(d.c(), event(t.done)), "uploading")
		s.tail, s.first, s.n = t.end, (s.first+1)%len(s.trips), s.n-1
	}
	if s.n == 0 {
		s.tail = s.head
	}
	s.head += n
	return s.ring[at : at+n]
}

// send uploads a piece of the ring to the device, in the order of a stream.
func (s *staging) send(d *back, dst address, piece []byte, stream C.CUstream) {
	t := &s.trips[(s.first+s.n)%len(s.trips)]
	t.end, s.n = s.head, s.n+1
	d.check(
		C.dns_upload(d.c(), C.uint64_t(dst), unsafe.Pointer(&piece[0]), C.size_t(len(piece)), stream, event(t.done)),
		"uploading",
	)
}

// Upload implements gpu.Back.
func (d *back) Upload(dst *gpu.Tensor, src []float32) {
	d.overwrites(dst)
	d.copies.outdate(spanOf(d.ptr(dst), dst.N))
	d.flush()
	if b := d.buffer(len(src)); b != nil {
		d.uploadBeside(d.ptr(dst), src, b)
		return
	}
	d.uploadThroughRing(d.ptr(dst), src, d.s())
}

// uploadThroughRing copies numbers through the ring to the device.
func (d *back) uploadThroughRing(at address, src []float32, stream C.CUstream) {
	for len(src) > 0 && d.fault.err == nil {
		n := min(len(src), stagingBytes/8)
		piece := d.staging.room(d, 4*n)
		copy(unsafe.Slice((*float32)(unsafe.Pointer(&piece[0])), n), src)
		d.staging.send(d, at, piece, stream)
		at, src = at+address(4*n), src[n:]
	}
}

// buffer returns the next of two buffers for uploads of n numbers; nil where they are small, or there is no memory.
func (d *back) buffer(n int) *buffer {
	s := &d.staging
	if 4*n < largeUpload || d.fault.err != nil {
		return nil
	}
	at := slices.IndexFunc(s.buffers, func(p *pair) bool { return p.n == n })
	var p *pair
	if at >= 0 {
		p = s.buffers[at]
		s.buffers = slices.Delete(s.buffers, at, at+1)
	} else if p = d.makePair(n); p == nil {
		return nil
	}
	s.buffers = append(s.buffers, p)
	p.buffers[0], p.buffers[1] = p.buffers[1], p.buffers[0]
	return &p.buffers[0]
}

// makePair makes the buffers of a size, in place of the oldest where there are too many; nil where there is no memory.
func (d *back) makePair(n int) *pair {
	for len(d.staging.buffers) >= maxPairs {
		d.freePair()
	}
	p := &pair{n: n}
	for i := range p.buffers {
		b := &p.buffers[i]
		m, err := d.memory.spared(d, 4*int64(n))
		if err == nil {
			b.block = m
			b.full, err = d.makeEvent(cu.DisableTiming)
		}
		if err == nil {
			b.free, err = d.makeEvent(cu.DisableTiming)
		}
		if err != nil {
			d.unmake(p)
			return nil
		}
		// Kernels may still read what the memory was before.
		d.check(C.dns_record(d.c(), event(b.free), d.s()), "uploading")
	}
	return p
}

// freePair gives the buffers back that were not used for the longest, and reports whether there were any. The kernels'
// stream has waited for all that was copied to them, so whoever has the memory next comes after it.
func (d *back) freePair() bool {
	s := &d.staging
	if len(s.buffers) == 0 {
		return false
	}
	oldest := s.buffers[0]
	s.buffers = slices.Delete(s.buffers, 0, 1)
	d.unmake(oldest)
	return true
}

func (d *back) unmake(p *pair) {
	for _, b := range p.buffers {
		if b.addr != 0 {
			d.memory.put(d, b.block)
		}
		d.closeEvents(b.full, b.free)
	}
}

// uploadBeside fills a buffer while kernels run, and has the stream copy it behind them to where it goes.
func (d *back) uploadBeside(at address, src []float32, b *buffer) {
	copies := *(*C.CUstream)(unsafe.Pointer(&d.staging.copies))
	d.check(C.dns_wait_for(d.c(), copies, event(b.free)), "uploading")
	d.uploadThroughRing(b.addr, src, copies)
	if d.fault.err != nil {
		return
	}
	d.check(C.dns_record(d.c(), event(b.full), copies), "uploading")
	d.check(C.dns_wait_for(d.c(), d.s(), event(b.full)), "uploading")
	d.check(C.dns_copy(d.c(), C.uint64_t(at), C.uint64_t(b.addr), C.size_t(4*len(src)), d.s()), "uploading")
	d.check(C.dns_record(d.c(), event(b.free), d.s()), "uploading")
}

// fetches are copies from the device that nobody waits for yet. Each mark has its own pinned memory. Numbers are first
// copied to a place of their own on the device, by a kernel in the queue, and from there at the mark: so they do not
// part the queue, and an iteration is one graph.
type fetches struct {
	slots  [8]slot
	number gpu.Mark // of the slot that is being filled
	oldest gpu.Mark // not delivered yet
}

// slotBytes is the pinned memory of a mark. What does not fit is downloaded at once.
const slotBytes = 64 << 10

// slot is what one mark waits for.
type slot struct {
	memory  []byte
	used    int
	done    cu.Event
	floats  []fetched
	surgery []operated
}

type fetched struct {
	offset int // in the slot's memory
	dst    []float32
}

func (d *back) openFetches() error {
	f := &d.fetches
	p, err := d.pinned(slotBytes * len(f.slots))
	if err != nil {
		return err
	}
	all := unsafe.Slice((*byte)(p), slotBytes*len(f.slots))
	for i := range f.slots {
		f.slots[i].memory = all[i*slotBytes : (i+1)*slotBytes]
		if f.slots[i].done, err = d.makeEvent(cu.DisableTiming); err != nil {
			return err
		}
	}
	f.number, f.oldest = 1, 1
	return nil
}

func (f *fetches) slot(m gpu.Mark) *slot { return &f.slots[int(m)%len(f.slots)] }

// take starts a copy of bytes into the slot that is being filled, and returns where; -1 where it has no room.
func (d *back) take(src address, bytes int) int {
	s := d.fetches.slot(d.fetches.number)
	if s.used+bytes > slotBytes {
		return -1
	}
	at := s.used
	s.used += (bytes + 15) &^ 15
	d.fetchInto(s.memory[at:at+bytes], src)
	return at
}

func (d *back) fetchInto(piece []byte, src address) {
	if d.fault.err != nil || len(piece) == 0 {
		return
	}
	d.check(C.dns_fetch(d.c(), unsafe.Pointer(&piece[0]), C.uint64_t(src), C.size_t(len(piece)), d.s()), "downloading")
}

// Fetch implements gpu.Back.
func (d *back) Fetch(dst []float32, src *gpu.Tensor) {
	s, n := d.fetches.slot(d.fetches.number), len(dst)
	if s.used+4*n > slotBytes/2 { // the other half is for results of surgery
		d.Download(dst, src)
		return
	}
	to := d.scratch.fetched + address(s.used)
	d.inPlanes(src, func(at address, n int) {
		each(d, kCopy, n, copyArgs{n: int32(n), x: at, y: to})
		to += 4 * address(n)
	})
	s.floats = append(s.floats, fetched{s.used, dst})
	s.used += (4*n + 15) &^ 15
}

// Mark implements gpu.Back.
func (d *back) Mark() gpu.Mark {
	d.flush()
	f := &d.fetches
	m := f.number
	if s := f.slot(m); s.used > 0 {
		d.fetchInto(s.memory[:s.used], d.scratch.fetched)
	}
	d.takeSurgery()
	if d.fault.err == nil {
		d.check(C.dns_record(d.c(), event(f.slot(m).done), d.s()), "marking")
	}
	f.number++
	if f.number-f.oldest == gpu.Mark(len(f.slots)) {
		d.deliver(f.oldest)
	}
	return m
}

// Await implements gpu.Back.
func (d *back) Await(m gpu.Mark) error {
	for d.fetches.oldest <= m && d.fetches.oldest < d.fetches.number {
		d.deliver(d.fetches.oldest)
	}
	if d.fault.err == nil && d.ranks != nil {
		return d.ranks.failure()
	}
	return d.fault.err
}

// deliver waits for the oldest mark and hands out what was fetched for it; NaN where the device failed.
func (d *back) deliver(m gpu.Mark) {
	s := d.fetches.slot(m)
	if d.fault.err == nil {
		d.waiting(true)
		d.check(C.dns_wait(d.c(), event(s.done)), "waiting for results")
		d.waiting(false)
	}
	for _, f := range s.floats {
		if d.fault.err != nil {
			fillNaN(f.dst)
			continue
		}
		copy(f.dst, unsafe.Slice((*float32)(unsafe.Pointer(&s.memory[f.offset])), len(f.dst)))
	}
	d.deliverSurgery(s)
	s.floats, s.surgery, s.used = s.floats[:0], s.surgery[:0], 0
	d.fetches.oldest++
}

func fillNaN(v []float32) {
	for i := range v {
		v[i] = float32(math.NaN())
	}
}

// Download implements gpu.Back. It goes through the staging ring, in pieces.
func (d *back) Download(dst []float32, src *gpu.Tensor) {
	d.inPlanes(src, func(at address, n int) {
		d.download(dst[:n], at)
		dst = dst[n:]
	})
	if d.fault.err != nil { // a piece that there was no memory for
		fillNaN(dst)
	}
}

func (d *back) download(dst []float32, at address) {
	d.flush()
	for len(dst) > 0 {
		n := min(len(dst), stagingBytes/8)
		piece := d.staging.room(d, 4*n)
		d.fetchInto(piece, at)
		d.wait()
		if d.fault.err != nil {
			fillNaN(dst)
			return
		}
		copy(dst[:n], unsafe.Slice((*float32)(unsafe.Pointer(&piece[0])), n))
		at, dst = at+address(4*n), dst[n:]
	}
}

// wait waits for everything that was handed over.
func (d *back) wait() {
	if d.fault.err != nil {
		return
	}
	d.waiting(true)
	defer d.waiting(false)
	r := C.dns_record(d.c(), event(d.staging.waited), d.s())
	if r == 0 {
		r = C.dns_wait(d.c(), event(d.staging.waited))
	}
	d.check(r, "waiting")
}
