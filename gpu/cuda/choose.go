//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"gorgonia.org/cu"

	"dns-tui/gpu"
	"dns-tui/gpu/measured"
)

// Which kernel does a product: one of this program's, in a tile and a number of slices, or a library's. What a
// library does is first checked against a kernel of this program; one that differs is not used again.

// choice is how one product is done.
type choice struct {
	Library bool
	Tile    int
	Slices  int `json:"Shares"` // as the file has called them from the first
	// Algorithm is cuDNN's, plus 1; 0 for the default.
	Algorithm int `json:",omitempty"`
	// Engine is that of cuDNN's graphs, with its settings; Rectified is one that does a ReLU, too.
	Engine    string `json:",omitempty"`
	Rectified string `json:",omitempty"`
}

// library is the default of the library, where a kernel of this program would do a product so.
func (c choice) library() choice { return choice{Library: true, Tile: c.Tile, Slices: c.Slices} }

// choices are what was chosen, by product and shape. They are kept in a file, so that a run that goes on tomorrow
// adds its numbers up in the same order as today.
type choices struct {
	known  map[shape]choice
	stored map[string]choice // of the file, for this GPU, driver, libraries and precision
	dirty  bool
	file   *measured.File // nil: there is no place for one
	from   cu.Event
	to     cu.Event
}

// errHurried says that a choice was not made.
var errHurried = errors.New("somebody waits")

// shape is what a choice depends on.
type shape struct {
	what            product
	m, n, k, groups int
	biased          bool // of a convolution: a bias behind it, which a library's graph may add
	g               gpu.ConvGeometry
}

func (w *work) shape() shape {
	s := shape{what: w.what, m: w.m, n: w.n, k: w.k, groups: w.groups, biased: w.e.rowBias|w.e.columnBias != 0}
	if w.g != nil {
		s.g = *w.g
	}
	return s
}

// multiply queues a product the way that was chosen for its shape, and reports whether that is a kernel of this
// program, which others may be fused with.
func (d *back) multiply(w *work) bool {
	c := &d.choices
	s := w.shape()
	how, ok := c.known[s]
	if !ok {
		v := *w // what is kept of it while ways are compared is a copy: w stays with the caller, who allocates nothing
		var err error
		if how, err = d.choose(&v); err == nil && d.fault.err == nil { // a device that fails compares nothing
			c.known[s] = how
		}
	}
	if how.Library && d.emitLibrary(w, how) {
		if how.Rectified != "" {
			p, _ := d.plannedOf(w, true)
			d.queue.fusable(lastOp{kind: byPlan, out: w.y, n: w.out, rectifier: d.plan(p, how.Rectified)})
		}
		return false
	}
	if w.what == nhwcBackwardData && w.byInput == 0 { // a library was to do it, which is not used any more
		w.byInput = d.filtersOf(w.g, w.weights, true)
	}
	d.emit(w, d.planAs(w, how))
	return true
}

// planAs is the plan of a choice.
func (d *back) planAs(w *work, how choice) plan {
	t := tilesOf(d.precision)[how.Tile]
	length := (w.k + how.Slices - 1) / how.Slices
	length = max(t.step, (length+t.step-1)/t.step*t.step)
	count := max(1, (w.k+length-1)/length)
	return plan{
		tile:   how.Tile,
		size:   t.size,
		slices: count,
		length: length,
		grid:   grid{(w.n + t.size - 1) / t.size, (w.m + t.size - 1) / t.size, w.groups * count},
	}
}

// libraryWorth is the least number of multiplications for which a library is considered: a smaller product takes as
// long as its launch, and a kernel of this program adds the bias and the ReLU in the same one.
const libraryWorth = 1 << 24

// choose finds out how to do a product of a new shape. Where somebody does not want to wait for it, it is done as it is
// planned, which is an error: the next one finds out.
func (d *back) choose(w *work) (choice, error) {
	d.memory.trying = true
	defer func() { d.memory.trying = false }()
	p := d.planProduct(w.what, w.m, w.n, w.k, w.groups)
	own := choice{Tile: p.tile, Slices: p.slices}
	if stored, ok := d.choices.stored[w.shape().name()]; ok && stored.Tile < len(tilesOf(d.precision)) &&
		stored.Slices > 0 {
		if !stored.Library || d.dry || d.trusted(w, own, stored) {
			if stored.Rectified != "" && !d.dry {
				r := d.referRectified(w, own)
				defer r.free()
				if !r.rectifies(stored.Rectified) {
					stored.Rectified = ""
				}
			}
			return stored, nil
		}
		return own, nil
	}
	if d.dry {
		return own, nil // where a library does it, it takes no more
	}
	worth := float64(w.m)*float64(w.n)*float64(w.k)*float64(w.groups) >= libraryWorth
	if d.opts.Tune {
		phase := "choosing kernels"
		if of := d.labelled(d.fault.label); of != "" {
			phase += ": " + of
		}
		defer d.during(phase)()
		best, err := d.measure(w, own, worth)
		if err != nil {
			d.LeaveOff()
			return own, err
		}
		d.choices.dirty = true
		return best, nil
	}
	if worth && d.trusted(w, own, own.library()) {
		return own.library(), nil
	}
	return own, nil
}

// try returns the records that emit queues.
func (d *back) try(emit func() bool) []uint64 {
	q := &d.queue
	blocking := d.opts.Blocking
	d.opts.Blocking = false // which would hand each record over
	defer func() { d.opts.Blocking = blocking }()
	if !emit() {
		q.words, q.last = q.words[:0], lastOp{}
		return nil
	}
	words := slices.Clone(q.words)
	q.words, q.last = q.words[:0], lastOp{}
	return words
}

// into is a product with its result elsewhere: nothing is added to what was there.
func (w *work) into(y address) *work {
	v := *w
	v.y, v.e.beta = y, 0
	return &v
}

// narrow reports whether the result of a product is bf16.
func (d *back) narrow(w *work) bool {
	return (w.what == nhwcForward || w.what == nhwcBackwardData) && d.stored() == halves
}

// served reports whether there is a library for a product.
func (d *back) served(w *work) bool {
	if w.g == nil {
		return d.libs.blas != nil
	}
	return d.libs.dnn != nil
}

// trusted reports whether the library's result for a product, done in a way, is that of a kernel of this program. Where
// by its default it is not, or it fails, the library is not used any more; another way of a wrong result is not taken.
func (d *back) trusted(w *work, own, how choice) bool {
	if !d.served(w) {
		return false
	}
	r := d.refer(w, own)
	defer r.free()
	return r.trusts(how)
}

// reference is a product's result by a kernel of this program, which those of libraries are held against.
type reference struct {
	*back
	w             *work
	result, other block
	halves        block   // where a result of bf16 is made
	norm          float64 // ‖result‖²
	failed        bool    // there is no memory, or the device failed
}

// refer does a product by a kernel of this program.
func (d *back) refer(w *work, own choice) *reference {
	r := &reference{back: d, w: w}
	d.flush()
	var errA, errB, errC error
	r.result, errA = d.memory.get(d, 4*int64(w.out))
	r.other, errB = d.memory.get(d, 4*int64(w.out))
	if d.narrow(w) {
		r.halves, errC = d.memory.get(d, 2*int64(w.out))
	}
	if r.failed = errA != nil || errB != nil || errC != nil || d.fault.err != nil; r.failed {
		return r
	}
	if ms := r.make(r.result.addr, func(w *work) bool { d.emit(w, d.planAs(w, own)); return true }); ms < 0 {
		r.failed = true
		return r
	}
	r.norm = d.sumSquares(r.result.addr, w.out)
	return r
}

// noWay is what make returns where there is no such way; a negative number else is a failure.
const noWay = -2

// make does the product in a way that emit queues, with its result at an address as float32, in whatever order it has.
func (r *reference) make(at address, emit func(*work) bool) (ms float64) {
	d, n, to := r.back, r.w.out, at
	if r.halves.addr != 0 {
		to = r.halves.addr
	}
	d.clear(at, int64(n))
	d.flush()
	records := d.try(func() bool { return emit(r.w.into(to)) })
	if records == nil {
		return noWay
	}
	if ms = d.timed(records, 1); ms >= 0 && to != at {
		each(d, kUnpackBf16, n, unpackBf16Args{n: int32(n), x: to, y: at})
	}
	return ms
}

// free gives the reference's memory back.
func (r *reference) free() {
	for _, x := range []block{r.result, r.other, r.halves} {
		if x.addr != 0 {
			r.memory.put(r.back, x)
		}
	}
}

// trusts is trusted, for the product of the reference.
func (r *reference) trusts(how choice) bool {
	same, why := r.same(func(w *work) bool { return r.emitLibrary(w, how) })
	if why != "" {
		r.distrust(r.w, how, why)
	}
	return same
}

// same reports whether a library comes to the same, or else what is wrong; "" where that is not known.
func (r *reference) same(library func(*work) bool) (same bool, why string) {
	d, n := r.back, r.w.out
	if r.failed || d.fault.err != nil {
		return false, ""
	}
	switch ms := r.make(r.other.addr, library); {
	case ms == noWay:
		return false, ""
	case ms < 0:
		return false, "it failed"
	}
	each(d, kAxpby, n, axpbyArgs{n: int32(n), a: -1, x: r.result.addr, b: 1, y: r.other.addr})
	difference := math.Sqrt(d.sumSquares(r.other.addr, n) / math.Max(r.norm, 1e-30))
	if limit := map[Precision]float64{FP32: 1e-4, TF32: 5e-3, BF16: 5e-2}[d.precision]; !(difference <= limit) {
		return false, fmt.Sprintf("its result differs by %.2g of the norm", difference)
	}
	return true, ""
}

// distrust turns a library off, whose default failed.
func (d *back) distrust(w *work, how choice, why string) {
	if how != how.library() {
		return
	}
	l := &d.libs.blas
	if w.g != nil {
		l = &d.libs.dnn
	}
	d.notices = append(
		d.notices,
		fmt.Sprintf("%s is not used: %s in %s", (*l).version, why, d.labelled(d.fault.label)),
	)
	*l = nil
}

// timed runs records a number of times and returns ms for one; -1 where they fail. A library's failure is not the
// device's.
func (d *back) timed(words []uint64, times int) float64 {
	if d.fault.err != nil {
		return -1
	}
	var ms C.float
	r := C.dns_time(
		(*C.uint64_t)(unsafe.Pointer(&words[0])),
		C.size_t(len(words)),
		d.c(),
		d.s(),
		C.uint64_t(d.fault.begunAddr),
		C.uint64_t(d.scratch.quiet),
		C.int(times),
		event(d.choices.from),
		event(d.choices.to),
		&ms,
	)
	if r == C.CUresult(libraryFailed) {
		return -1
	}
	if r != 0 {
		d.check(r, "choosing kernels")
		return -1
	}
	return float64(ms) / float64(times)
}

// libraryFailed is library_failed of calls.c.
const libraryFailed = 998

// copiesFor is how many copies of a kernel are measured together, which took ms alone: twenty of a short one, as one of
// 5 µs is less than the noise of a launch; fewer of one that takes long.
func copiesFor(ms float64) int { return min(max(int(4/max(ms, 1e-3)), 3), 20) }

// measure tries every way of doing a product and returns the fastest. Before each it asks whether somebody waits.
func (d *back) measure(w *work, own choice, library bool) (choice, error) {
	best, left := own, false
	d.flush()
	out, err := d.memory.get(d, 4*int64(w.out))
	if err != nil {
		return best, nil
	}
	defer d.memory.put(d, out)
	d.clear(out.addr, int64(w.out))
	d.flush()
	v := w.into(out.addr)
	bestMS := math.Inf(1)
	waits := func() bool {
		left = left || d.Waits()
		return left
	}
	consider := func(c choice, emit func() bool) {
		if waits() {
			return
		}
		if ms := d.fastest(emit, bestMS); ms >= 0 && ms < bestMS {
			best, bestMS = c, ms
		}
	}
	for t := range tilesOf(d.precision) {
		best := d.planTile(w.what, t, w.m, w.n, w.k, w.groups)
		for _, slices := range []int{best.slices / 2, best.slices, best.slices * 2} {
			c := choice{Tile: t, Slices: slices}
			if slices < 1 || !sliceable(d.planAs(w, c), w.groups, slices) {
				continue
			}
			consider(c, func() bool { d.emit(v, d.planAs(w, c)); return true })
		}
	}
	if library && !left {
		d.measureLibrary(w, own, best, waits, func(c choice) {
			consider(c, func() bool { return d.emitLibrary(v, c) })
		})
	}
	if best.Engine != "" && !left {
		best.Rectified = d.rectified(v, own, best, waits)
	}
	if left {
		return own, errHurried
	}
	return best, nil
}

// measureLibrary calls consider with the ways of a library that come to what a kernel of this program does. Before it
// compares one it asks whether somebody waits.
func (d *back) measureLibrary(w *work, own, best choice, waits func() bool, consider func(choice)) {
	if !d.served(w) || waits() {
		return
	}
	r := d.refer(w, own)
	defer r.free()
	if !r.trusts(own.library()) {
		return
	}
	consider(best.library())
	for _, c := range d.alternatives(w, best) {
		if waits() {
			return
		}
		if r.trusts(c) {
			consider(c)
		}
	}
}

// fastest measures what emit queues; -1 where it queues nothing or fails. What the first time takes longer than four
// times as much as another is not measured again: the first time is slower, but not by so much.
func (d *back) fastest(emit func() bool, other float64) float64 {
	words := d.try(emit)
	if words == nil {
		return -1
	}
	first := d.timed(words, 1)
	if first < 0 || first > 4*other {
		return first
	}
	return d.timed(words, copiesFor(first))
}

// name names a product and its shape in the file.
func (s shape) name() string {
	switch {
	case !s.what.convolves():
		return fmt.Sprintf("gemm %d: %d %d %d", s.what, s.m, s.n, s.k)
	case s.biased:
		return fmt.Sprintf("conv %d: %+v, bias", s.what, s.g)
	}
	return fmt.Sprintf("conv %d: %+v", s.what, s.g)
}

// choicesName is what the choices in the file are for.
func (d *back) choicesName() string {
	return fmt.Sprintf("%s, driver %d, %s, %s", d.info.Name, d.driver, d.using(), sourceOf(compressedKernels))
}

func (d *back) openChoices() (err error) {
	c := &d.choices
	c.known = map[shape]choice{}
	if c.from, err = d.makeEvent(cu.DefaultEvent); err != nil {
		return err
	}
	if c.to, err = d.makeEvent(cu.DefaultEvent); err != nil {
		return err
	}
	if !d.opts.Tune {
		return nil
	}
	if c.file, err = measured.Open("kernels.json", d.choicesName()); err == nil {
		c.stored = measured.Read[choice](c.file)
	}
	return nil
}

// saveChoices adds what was measured to the file. A cache that cannot be written costs the next run the time to
// measure.
func (d *back) saveChoices() {
	c := &d.choices
	if !c.dirty || c.file == nil {
		return
	}
	c.dirty = false
	_ = measured.Update(c.file, func(all map[string]choice) bool {
		for s, how := range c.known {
			all[s.name()] = how
		}
		return true
	})
}
