//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"hash/maphash"
	"slices"
	"unsafe"
)

// programs are the queues that were seen: the second time one comes it is captured as a graph.
type programs struct {
	seed   maphash.Seed
	known  map[uint64]*program
	clock  uint64 // counts runs
	graphs int

	surgeries int // new queues with surgery
}

type program struct {
	words []uint64
	graph C.CUgraphExec
	used  uint64
}

// A graph is worth capturing where it has more than one record. maxGraphs bounds what is kept: of nets whose shapes
// change all the time, the oldest go.
const maxGraphs = 128

// maxSurgeries is how many queues that differ in their surgery may be new before it is parted from them. Under the
// paper rule each layer is operated on by chance, so that L layers make 2^L queues, which no cache has room for.
const maxSurgeries = 8

func (p *programs) run(d *back, words []uint64) {
	if d.opts.Timeline != nil {
		d.runTimed(words)
		return
	}
	if d.opts.NoGraphs || d.opts.Blocking || len(words) > 1<<20 {
		d.runNow(words)
		return
	}
	if p.surgeries <= maxSurgeries {
		p.runWhole(d, words)
		return
	}
	from, to := surgeryIn(words)
	if from < to {
		if from > 0 {
			p.runWhole(d, words[:from])
		}
		d.runNow(words[from:to])
		words = words[to:]
	}
	if len(words) > 0 {
		p.runWhole(d, words)
	}
}

// surgeryIn returns where the records of surgery begin and end; the same where there are none.
func surgeryIn(words []uint64) (from, to int) {
	for at := 0; at < len(words); {
		h := headerAt(words, at)
		next := at + headerWords + int(h.words)
		if k := kernelID(h.mark & 0xFFFF); h.kind == C.record_kernel &&
			(k == kSurgeryMeasure.id || k == kSurgeryRedraw.id) {
			if to == 0 {
				from = at
			}
			to = next
		}
		at = next
	}
	return from, to
}

// runWhole runs records as one graph, from the second time on that they come.
func (p *programs) runWhole(d *back, words []uint64) {
	if p.known == nil {
		p.seed, p.known = maphash.MakeSeed(), map[uint64]*program{}
	}
	p.clock++
	h := maphash.Bytes(p.seed, unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words)))
	known := p.known[h]
	switch {
	case known == nil: // the first time
		if from, to := surgeryIn(words); from < to {
			p.surgeries++
		}
		p.known[h] = &program{used: p.clock}
		p.forget(d)
		d.runNow(words)
		return
	case known.graph == nil:
		known.used = p.clock
		if !p.capture(d, known, words) {
			d.runNow(words)
			return
		}
		p.forget(d)
	case !slices.Equal(known.words, words): // another queue with the same hash
		d.runNow(words)
		return
	}
	known.used = p.clock
	d.check(C.dns_launch_graph(d.c(), known.graph, d.s()), "launching a graph")
}

// runNow launches kernel by kernel.
func (d *back) runNow(words []uint64) {
	var failed C.size_t
	blocking := C.int(0)
	if d.opts.Blocking {
		blocking = 1
	}
	r := C.dns_run(
		(*C.uint64_t)(unsafe.Pointer(&words[0])),
		C.size_t(len(words)),
		d.c(),
		d.s(),
		C.uint64_t(d.fault.begunAddr),
		blocking,
		&failed,
	)
	if r != 0 {
		d.check(r, "launching "+d.describeMark(uint32(headerAt(words, int(failed)).mark)))
	}
}

func (p *programs) capture(d *back, to *program, words []uint64) bool {
	defer d.during("capturing")()
	d.saveChoices()
	var failed C.size_t
	var graph C.CUgraphExec
	r := C.dns_capture(
		(*C.uint64_t)(unsafe.Pointer(&words[0])),
		C.size_t(len(words)),
		d.c(),
		d.s(),
		C.uint64_t(d.fault.begunAddr),
		C.uint64_t(d.scratch.quiet),
		&graph,
		&failed,
	)
	if r != 0 {
		d.notices = append(d.notices, "kernels are launched one by one: the driver captured no graph of them")
		d.opts.NoGraphs = true
		return false
	}
	to.words, to.graph = slices.Clone(words), graph
	p.graphs++
	return true
}

// forget drops what was used longest ago, where there is too much.
func (p *programs) forget(d *back) {
	const maxKnown = 4096
	for p.graphs > maxGraphs || len(p.known) > maxKnown {
		var oldest uint64
		least := p.clock
		for h, k := range p.known {
			if k.used < least && (p.graphs <= maxGraphs || k.graph != nil) {
				oldest, least = h, k.used
			}
		}
		if least == p.clock {
			return
		}
		p.drop(p.known[oldest])
		delete(p.known, oldest)
	}
}

func (p *programs) drop(k *program) {
	if k.graph != nil {
		C.cuGraphExecDestroy(k.graph)
		p.graphs--
	}
}

func (p *programs) free(d *back) {
	for _, k := range p.known {
		p.drop(k)
	}
	p.known = nil
}
