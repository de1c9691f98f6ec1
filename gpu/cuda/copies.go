//go:build cuda

package cuda

import (
	"cmp"
	"slices"

	"dns-tui/gpu"
)

// Convolutions with channels last read forward weights in two orders of their own, rounded, as bf16 or float32: forward
// as [o][tap][c], for the gradient of the inputs as [group][c][tap][o]. What a device holds is w[o][c][tap], float32.
// So weights have copies, which are made where a convolution wants them first, and when something has written the
// weights: an upload, a copy, any operation but two. The kernels of update and surgery, which write weights in each
// iteration, write the copies in the same pass. So neither a training iteration nor a test converts weights, but for
// such as convolutions share that read them in different orders (share_mode: PERMISSIVE; other groups, or depthwise): a
// pass writes the copies of one order, and those of the others are made at their next use.

// filterKind is what the numbers of a copy are, as filters.cuh has it.
type filterKind int32

const (
	copyF32 filterKind = iota
	copyTF32
	copyBF16
)

// filterOrder is how copies are made of weights: of groups of outputs, each with so many channels of taps; forward they
// are filled up to width.
type filterOrder struct {
	kind                           filterKind
	outputs, channels, taps, width int
}

// filterCopy are the copies of weights. Of each order there is one, if it was ever wanted.
type filterCopy struct {
	span             // of the weights
	order            filterOrder
	forward, byInput block
	current          bool // they hold what the weights are, when all that is queued is done
}

// size is how many bytes a number of a copy has.
func (o filterOrder) size() int64 {
	if o.kind == copyBF16 {
		return 2
	}
	return 4
}

// args is what kernels are told of copies.
func (c *filterCopy) args(forward, byInput address) cFilterCopy {
	o := c.order
	across := (o.channels*o.taps + 127) / 128 // blocks of 1024 elements for eight outputs
	return cFilterCopy{
		forward: forward, byInput: byInput, kind: int32(o.kind), outputs: int32(o.outputs), channels: int32(o.channels),
		taps: int32(o.taps), width: int32(o.width), across: int32(across),
		byAcross: divisor(across), byTaps: divisor(o.taps), byOutputs: divisor(o.outputs),
	}
}

// piecesOf is how many blocks of 1024 elements n weights are, with copies or without.
func piecesOf(c *cFilterCopy, n int) int {
	if c.across == 0 {
		return (n + 1023) / 1024
	}
	return n / int(c.channels*c.taps) / 8 * int(c.across)
}

// copies are those of a device.
type copies struct {
	list    []*filterCopy // by the address of the weights
	visitor *gpu.Visitor  // of wrote
}

// within returns which copies are of weights in a piece of memory, at least in part.
func (s *copies) within(weights span) []*filterCopy {
	from, to := overlapping(s.list, weights)
	return s.list[from:to]
}

// outdate is told that numbers were written otherwise than to their copies.
func (s *copies) outdate(weights span) {
	for _, c := range s.within(weights) {
		c.current = false
	}
}

// drop gives up the copies of numbers that are no weights any more.
func (s *copies) drop(d *back, weights span) {
	for found := s.within(weights); len(found) > 0; found = s.within(weights) {
		c := found[0]
		s.list = slices.DeleteFunc(s.list, func(other *filterCopy) bool { return other == c })
		for _, b := range []block{c.forward, c.byInput} {
			if b.addr != 0 {
				d.memory.put(d, b)
			}
		}
	}
}

// wrote outdates the copies of what an operation writes.
func (d *back) wrote(op gpu.Op) {
	s := &d.copies
	if len(s.list) == 0 {
		return
	}
	if s.visitor == nil {
		s.visitor = gpu.NewVisitor(func(t *gpu.Tensor, how gpu.Access) {
			if how != gpu.Reads && narrowOf(t) == nil { // an activation's, of which there are no copies
				s.outdate(spanOf(d.ptr(t), t.N))
			}
		})
	}
	s.visitor.Visit(op)
}

// keeping is wrote of an operation whose kernel writes the copies of w, too: it returns those, or none where none are
// current.
func (d *back) keeping(op gpu.Op, w *gpu.Tensor) cFilterCopy {
	if len(d.copies.list) == 0 {
		return cFilterCopy{}
	}
	weights := spanOf(d.ptr(w), w.N)
	var keep *filterCopy
	for _, c := range d.copies.within(weights) {
		if c.current && c.span == weights {
			keep = c
			break
		}
	}
	d.wrote(op)
	if keep == nil {
		return cFilterCopy{}
	}
	keep.current = true
	return keep.args(keep.forward.addr, keep.byInput.addr)
}

// find returns the copies of weights made in an order, which are made now if there are none.
func (s *copies) find(weights span, o filterOrder) *filterCopy {
	for _, c := range s.within(weights) {
		if c.span == weights && c.order == o {
			return c
		}
	}
	c := &filterCopy{span: weights, order: o}
	i, _ := slices.BinarySearchFunc(
		s.list,
		weights.at,
		func(c *filterCopy, at address) int { return cmp.Compare(c.at, at) },
	)
	s.list = slices.Insert(s.list, i, c)
	return c
}

// copyOf returns where the copy of weights is in one of the two orders, and queues that all copies of them are written
// where they are not current. Where there is no memory the device fails. One that has failed makes none: nothing would
// be written to it.
func (d *back) copyOf(w *gpu.Tensor, o filterOrder, byInput bool) address {
	if d.fault.err != nil {
		return 0
	}
	at := d.ptr(w)
	c := d.copies.find(spanOf(at, w.N), o)
	want, per := &c.forward, int64(o.width)
	if byInput {
		want, per = &c.byInput, int64(o.channels)
	}
	fresh := want.addr == 0
	if fresh {
		bytes := o.size() * int64(w.N/o.channels) * per
		b, err := d.memory.get(d, bytes)
		if err != nil {
			d.lacks(err)
			return 0
		}
		if *want = b; per != int64(o.channels) { // what is filled up is never written again
			d.clear(b.addr, bytes/4)
		}
	}
	switch {
	case !c.current:
		d.settle(w)
		d.copyFilters(c, c.forward.addr, c.byInput.addr)
		c.current = true
	case fresh && byInput:
		d.copyFilters(c, 0, want.addr)
	case fresh:
		d.copyFilters(c, want.addr, 0)
	}
	return want.addr
}

// copyFilters queues that copies are made at two addresses; 0 is for none.
func (d *back) copyFilters(c *filterCopy, forward, byInput address) {
	args := copyFiltersArgs{n: int32(c.bytes / 4), w: c.at, copy: c.args(forward, byInput)}
	launch(d, kCopyFilters, grid{piecesOf(&args.copy, int(args.n)), 1, 1}, args)
}

// orderOf is how copies are made of a convolution's weights.
func (d *back) orderOf(g *gpu.ConvGeometry) filterOrder {
	o := filterOrder{copyTF32, g.O / g.Groups, g.C / g.Groups, g.KH * g.KW, d.widthOf(g) / g.Groups}
	if d.stored() == halves {
		o.kind = copyBF16
	}
	return o
}

// filtersOf returns where the forward weights of a convolution are for its product forward, and for a library's
// gradient of its inputs; with byInput, for ours.
func (d *back) filtersOf(g *gpu.ConvGeometry, w *gpu.Tensor, byInput bool) address {
	return d.copyOf(w, d.orderOf(g), byInput)
}

// withoutByInput gives up the copy for our gradient of the inputs, where a library was chosen for it.
func (d *back) withoutByInput(g *gpu.ConvGeometry, w *gpu.Tensor) {
	c := d.copies.find(spanOf(d.ptr(w), w.N), d.orderOf(g))
	if b := c.byInput; b.addr != 0 {
		c.byInput = block{}
		d.memory.put(d, b)
	}
}

// tapsOf returns where the weights of a depthwise convolution are as w[tap][c]: its channels are outputs, here. They
// are not multiplied on tensor cores, so float32 is not rounded.
func (d *back) tapsOf(g *gpu.ConvGeometry, w *gpu.Tensor) address {
	o := filterOrder{copyF32, g.C, 1, g.KH * g.KW, 1}
	if d.stored() == halves {
		o.kind = copyBF16
	}
	return d.copyOf(w, o, true)
}
