//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"gorgonia.org/cu"

	"dns-tui/gpu"
	"dns-tui/gpu/collective"
)

// Sums over ranks are NCCL's. A round is the sums from one AwaitReduced to the next. Where a tensor is given to
// AllReduce the kernels' stream records an event, within the graph of the kernels; at AwaitReduced, when all of those
// kernels have been handed over, the round is, to a stream of its own: for each tensor a wait for its event, and the
// sum. So sums go on beside the kernels that come after their tensors, and the kernels' stream waits for the last of
// them before it goes on.
//
// From its second time on a round is a graph, too. NCCL has all ranks capture a call, or none, and launch the graph of
// the same capture: so what a round is does not depend on anything in which ranks may differ, as the kernels that were
// chosen by measuring, addresses, or when a tensor was collected as garbage. It is known by its tensors as the program
// gives them: which piece of memory, of all that were ever summed, and which part of it. That is the same on all ranks,
// as they make the same calls. The graphs of the kernels are each rank's own.

// ranks is a device's part in a group.
type ranks struct {
	group    collective.Group
	lib      *nccl
	wire     collective.Wire
	watcher  collective.Watcher // the group, or nil
	comm     uint64             // ncclComm_t
	machines int
	graphs   bool // all ranks want graphs
	left     bool // the group's failure is told no more

	stream cu.Stream
	ready  []cu.Event // of a round's tensors, by their order
	done   cu.Event   // of the round
	summed uint64     // pieces of memory that were ever summed

	round  []term
	key    []uint64 // of the round that is launched
	rounds []*round // that are known
	clock  uint64   // counts rounds
	wires  wires

	captured int // rounds that have graphs

	mu      sync.Mutex // held where NCCL is called
	aborted atomic.Bool
	stop    chan struct{}
	ended   chan struct{} // closed when nobody watches any more
}

// term is one sum of a round.
type term struct {
	memory  uint64 // allocation.summed
	offset  int    // in it
	at      address
	n       int
	rounded bool // to the wire's bf16
}

// round is one that was seen.
type round struct {
	key   []uint64
	graph C.CUgraphExec
	bare  bool // it is not for a graph
	used  uint64
}

// maxRounds bounds the rounds that are known.
const maxRounds = 64

// streamPriority is clamped to the highest that there is: what is summed should not wait for blocks of later kernels.
const streamPriority = -1000

// AllReduce and AwaitReduced.

func (d *back) allReduce(o *gpu.AllReduce) {
	r := d.ranks
	if d.fault.err != nil || o.X.N == 0 || r.lib == nil {
		return
	}
	m, off := o.X.Place()
	a := m.(*allocation)
	if a.summed == 0 {
		r.summed++
		a.summed = r.summed
	}
	n := len(r.round)
	if n == len(r.ready) {
		e, err := d.makeEvent(cu.DisableTiming)
		if err != nil {
			return // the device has failed
		}
		r.ready = append(r.ready, e)
	}
	r.round = append(r.round, term{
		a.summed, off, d.ptr(o.X), o.X.N, r.wire == collective.BFloat16 && !o.Exact,
	})
	d.recordEvent(C.record_event, r.ready[n])
}

// recordEvent queues that the stream records an event, or waits for it.
func (d *back) recordEvent(kind uint16, e cu.Event) {
	mark := C.uint64_t(d.fault.label<<16 | 0xFFFF) // no kernel's; a failure is told of the layer
	at := C.uint64_t(uintptr(unsafe.Pointer(event(e))))
	record(d, C.dns_header{kind: C.uint16_t(kind), mark: mark}, C.dns_event_args{event: at})
}

// s is the stream of sums as C has it.
func (r *ranks) s() C.CUstream { return *(*C.CUstream)(unsafe.Pointer(&r.stream)) }

func (d *back) awaitReduced() {
	r := d.ranks
	defer func() { r.round = r.round[:0] }()
	if d.fault.err != nil || len(r.round) == 0 {
		return
	}
	d.flush()
	if !d.roomForWire() || !r.enter() {
		return
	}
	if r.watcher != nil {
		r.watcher.Entered()
	}
	err := d.launchRound()
	if err == nil && d.fault.err == nil {
		d.check(C.dns_record(d.c(), event(r.done), r.s()), summing)
		d.check(C.dns_wait_for(d.c(), d.s(), event(r.done)), summing)
	}
	r.mu.Unlock()
	if err != nil {
		r.group.Fail("cannot sum over the ranks: " + err.Error())
	}
}

// summing is what the driver was about.
const summing = "summing over the ranks"

// launchRound hands the round to the stream of sums. What it returns is NCCL's failure; the driver's is the device's.
func (d *back) launchRound() error {
	r := d.ranks
	known, first := r.find()
	if !first && known.graph == nil && !known.bare && r.graphs {
		if err := d.captureRound(known); err != nil || r.failed() {
			return err
		}
	}
	if known.graph != nil {
		d.check(C.dns_launch_graph(d.c(), known.graph, r.s()), summing)
		return nil
	}
	var failed C.size_t
	words, blocking := d.emitRound(), C.int(0)
	if d.opts.Blocking {
		blocking = 1
	}
	at, n := (*C.uint64_t)(unsafe.Pointer(&words[0])), C.size_t(len(words))
	return d.summed(C.dns_run(at, n, d.c(), r.s(), C.uint64_t(d.scratch.quiet), blocking, &failed))
}

// captureRound makes the round's graph, unless a rank cannot: then none does.
func (d *back) captureRound(known *round) error {
	defer d.during("capturing")()
	r := d.ranks
	var graph C.CUgraphExec
	var failed C.size_t
	words, quiet := d.emitRound(), C.uint64_t(d.scratch.quiet)
	at, n := (*C.uint64_t)(unsafe.Pointer(&words[0])), C.size_t(len(words))
	code := C.dns_capture(at, n, d.c(), r.s(), quiet, quiet, &graph, &failed)
	if code >= C.dns_nccl_failed {
		return d.summed(code)
	}
	answer := []byte{0}
	if code == 0 {
		known.graph, answer[0] = graph, 1
		r.captured++
	}
	answers, err := r.group.Gather(answer)
	if err == nil && !slices.ContainsFunc(answers, func(a []byte) bool { return len(a) != 1 || a[0] != 1 }) {
		return nil
	}
	known.bare = true
	known.drop(r)
	if err == nil {
		d.notices = append(d.notices, "sums over the ranks are launched one by one: a driver captured no graph of them")
	}
	return nil // the group's own failure is told by Await
}

// summed keeps the driver's failure, and returns NCCL's.
func (d *back) summed(code C.CUresult) error {
	if code >= C.dns_nccl_failed {
		return d.ranks.lib.result(int(code) - C.dns_nccl_failed)
	}
	d.check(code, summing)
	return nil
}

// find returns the round as it is known, and whether it came for the first time.
func (r *ranks) find() (known *round, first bool) {
	r.clock++
	r.key = r.key[:0]
	for _, t := range r.round {
		rounded := uint64(0)
		if t.rounded {
			rounded = 1
		}
		r.key = append(r.key, t.memory, uint64(t.offset), uint64(t.n)<<1|rounded)
	}
	for _, k := range r.rounds {
		if slices.Equal(k.key, r.key) {
			k.used = r.clock
			return k, false
		}
	}
	if len(r.rounds) == maxRounds {
		oldest := slices.MinFunc(r.rounds, func(a, b *round) int { return cmp.Compare(a.used, b.used) })
		oldest.drop(r)
		r.rounds = slices.DeleteFunc(r.rounds, func(k *round) bool { return k == oldest })
	}
	known = &round{key: slices.Clone(r.key), used: r.clock}
	r.rounds = append(r.rounds, known)
	return known, true
}

func (k *round) drop(r *ranks) {
	if k.graph != nil {
		C.cuGraphExecDestroy(k.graph)
		k.graph = nil
		r.captured--
	}
}

// emitRound returns the round's records, for the stream of sums; they are good until the next is queued.
func (d *back) emitRound() []uint64 {
	r, q := d.ranks, &d.queue
	blocking := d.opts.Blocking
	d.opts.Blocking = false // which would hand each record over
	for i, t := range r.round {
		d.recordEvent(C.record_wait, r.ready[i])
		if t.rounded {
			d.emitRounded(t)
			continue
		}
		record(d, C.dns_header{kind: C.record_sum}, C.dns_sum_args{
			call: r.function("ncclAllReduce"), comm: C.uint64_t(r.comm), at: C.uint64_t(t.at), n: C.uint64_t(t.n),
		})
	}
	d.opts.Blocking = blocking
	words := q.words
	q.words, q.last = q.words[:0], lastOp{}
	return words
}

func (r *ranks) function(name string) C.uint64_t { return C.uint64_t(r.lib.functions[name]) }

// NCCL would add bf16 numbers in bf16, and round at each rank that they pass. So where gradients travel in bf16 each
// rank gets its piece of all others', adds them in float32 in the order of the ranks, and gives the sums, rounded, to
// all.

// wires is the memory in which numbers travel in bf16: of the largest tensor, for one after the other. It grows, and
// what was is kept: captured graphs have its address.
type wires struct {
	words                int     // of each of the first two
	mine, theirs, pieces address // what a rank sends, or all sums; what it gets; its piece of the sums
}

// pieceWords is how many words of two numbers each rank sums of n numbers.
func (r *ranks) pieceWords(n int) int {
	ranks := r.group.Size()
	words := (n + 1) / 2
	return ((words+ranks-1)/ranks + 3) &^ 3
}

// roomForWire makes room for what the round rounds; it reports false where there is none.
func (d *back) roomForWire() bool {
	r, most := d.ranks, 0
	for _, t := range r.round {
		if t.rounded {
			most = max(most, r.pieceWords(t.n)*r.group.Size())
		}
	}
	if most <= r.wires.words {
		return true
	}
	w := wires{words: most}
	for _, a := range []struct {
		at    *address
		words int
	}{{&w.mine, most}, {&w.theirs, most}, {&w.pieces, most / r.group.Size()}} {
		b, err := d.memory.get(d, 4*int64(a.words))
		if err != nil {
			r.group.Fail("has no memory for sums that travel in bf16: " + err.Error())
			return false
		}
		*a.at = b.addr
	}
	r.wires = w
	return true
}

// emitRounded queues the sum of a tensor that travels in bf16.
func (d *back) emitRounded(t term) {
	r := d.ranks
	w, ranks, piece := r.wires, r.group.Size(), r.pieceWords(t.n)
	all := piece * ranks
	elements := func(n int) grid { return grid{(n + 1023) / 1024, 1, 1} }
	launch(d, kPackBf16, elements(all), packBf16Args{n: int32(t.n), words: int32(all), x: t.at, y: w.mine})
	d.exchange(w.mine, piece, w.theirs, piece)
	launch(
		d,
		kSumBf16,
		elements(piece),
		sumBf16Args{words: int32(piece), parts: int32(ranks), x: w.theirs, y: w.pieces},
	)
	d.exchange(w.pieces, 0, w.mine, piece)
	launch(d, kUnpackBf16, elements(t.n), unpackBf16Args{n: int32(t.n), x: w.mine, y: t.at})
}

// exchange queues that each rank r gets the words at from + r·step of this one, and this one those of each r at to +
// r·words.
func (d *back) exchange(from address, step int, to address, words int) {
	r := d.ranks
	record(d, C.dns_header{kind: C.record_exchange}, C.dns_exchange_args{
		start: r.function("ncclGroupStart"), end: r.function("ncclGroupEnd"),
		send: r.function("ncclSend"), receive: r.function("ncclRecv"), comm: C.uint64_t(r.comm),
		from: C.uint64_t(from), step: C.uint64_t(step), to: C.uint64_t(to), words: C.uint64_t(words),
		ranks: C.int32_t(r.group.Size()),
	})
}
