//go:build cuda

package cuda

import (
	"slices"

	"dns-tui/gpu"
)

// With --precision bf16 the activations between convolutions, and their gradients, are stored as bf16 with channels last:
// x[n][h][w][c]. Half the bytes, and what tensor cores read. Nobody outside knows: a tensor has the memory that it always
// had, and forms keeps which tensors have their numbers in it in another form than float32 in Caffe's order. Operations
// that have kernels for such activations (nhwc.go) leave them in that form; before any other operation, and before
// anybody reads or writes a tensor from outside, it is brought back.
//
// What is stored so is rounded to 8 bits of mantissa. Weights, their gradients, masks, statistics and losses never are.

// layout is how a tensor's numbers lie in its memory where it is not float32 in Caffe's order.
type layout int

const (
	halves layout = iota // bf16, channels last, in the first half of the bytes
	places               // of maxima: float32, channels last
)

// pixels is the shape of an activation.
type pixels struct{ images, channels, plane int }

func (p pixels) count() int { return p.images * p.channels * p.plane }

// form is a tensor whose numbers lie otherwise.
type form struct {
	at     address
	layout layout
	pixels
}

func (f *form) end() address { return f.at + 4*address(f.count()) }

// forms are those of a device.
type forms struct {
	list []form // by address; none lies in another's memory

	// Scratch memory for what is brought into another form: the two operands of an operation, and weights; and for what
	// is brought back. It grows, and what was is kept: captured graphs have its address.
	first, second, filters, settling growing

	settler *gpu.Visitor // of settleAll
}

// growing is a piece of scratch memory.
type growing struct {
	at    address
	bytes int64
}

// room returns so many bytes, or 0 where there is no memory.
func (g *growing) room(d *back, bytes int64) address {
	if bytes > g.bytes {
		b, err := d.memory.get(d, max(bytes, g.bytes+g.bytes/2))
		if err != nil {
			return 0
		}
		g.at, g.bytes = b.addr, b.bytes
	}
	return g.at
}

// within returns which forms lie in n elements from an address on, at least in part.
func (f *forms) within(at address, n int) (from, to int) {
	end := at + 4*address(n)
	from, _ = slices.BinarySearchFunc(f.list, at, func(f form, at address) int {
		if f.end() <= at {
			return -1
		}
		return 1
	})
	for to = from; to < len(f.list) && f.list[to].at < end; to++ {
	}
	return from, to
}

// of returns the form of exactly these elements; nil where they are float32 in Caffe's order.
func (f *forms) of(at address, n int) *form {
	if from, to := f.within(at, n); to == from+1 && f.list[from].at == at && f.list[from].count() == n {
		return &f.list[from]
	}
	return nil
}

// forget is told that a piece of memory has no content any more.
func (f *forms) forget(at address, n int) {
	from, to := f.within(at, n)
	f.list = slices.Delete(f.list, from, to)
}

// settle brings a tensor, and all that lies in its memory, back to float32 in Caffe's order.
func (d *back) settle(t *gpu.Tensor) {
	if t == nil || len(d.forms.list) == 0 {
		return
	}
	at := d.ptr(t)
	from, to := d.forms.within(at, t.N)
	for _, f := range d.forms.list[from:to] {
		d.toPlanes(f)
	}
	d.forms.list = slices.Delete(d.forms.list, from, to)
}

// settleAll settles the operands of an operation that has no kernel for other forms.
func (d *back) settleAll(op gpu.Op) {
	if len(d.forms.list) == 0 {
		return
	}
	if d.forms.settler == nil {
		d.forms.settler = gpu.NewVisitor(d.settle)
	}
	d.forms.settler.Visit(op)
}

// toPlanes brings the numbers of a form back.
func (d *back) toPlanes(f form) {
	n := f.count()
	scratch := d.forms.settling.room(d, 4*int64(n))
	if scratch == 0 {
		d.outOfScratch(4 * int64(n))
		return
	}
	d.closeBatches()
	g := grid{(f.plane + 31) / 32, (f.channels + 31) / 32, f.images}
	if f.layout == places {
		launch(d, kNhwcPlacesToPlanes, g, nhwcPlacesToPlanesArgs{
			channels: int32(f.channels), plane: int32(f.plane), x: f.at, y: scratch,
		})
	} else {
		launch(d, kNhwcToPlanes, g, nhwcToPlanesArgs{
			channels: int32(f.channels), plane: int32(f.plane), x: f.at, y: scratch,
		})
	}
	each(d, kCopy, n, copyArgs{n: int32(n), x: scratch, y: f.at})
}

// outOfScratch fails the device: an activation cannot be brought into the form that an operation wants.
func (d *back) outOfScratch(bytes int64) {
	if d.fault.err == nil {
		_, d.fault.err = d.memory.get(d, bytes)
	}
}

// alignedForm reports whether a tensor may be stored with channels last: kernels read 16 bytes at a time.
func alignedForm(at address, p pixels) bool {
	return at%16 == 0 && p.channels%8 == 0 && p.images <= maxGrid && (p.channels+31)/32 <= maxGrid
}

// halvesOf returns where a tensor is as bf16 with channels last and of this shape; 0 where it is not.
func (d *back) halvesOf(t *gpu.Tensor, p pixels) address {
	if t == nil {
		return 0
	}
	at := d.ptr(t)
	if f := d.forms.of(at, t.N); f != nil && f.layout == halves && f.pixels == p {
		return at
	}
	return 0
}

// narrowed returns a tensor as bf16 with channels last, its own memory where it is that, and else a copy in scratch
// memory, with channels filled up to width.
func (d *back) narrowed(t *gpu.Tensor, p pixels, width int, scratch *growing) address {
	if at := d.halvesOf(t, p); at != 0 && width == p.channels {
		return at
	}
	d.settle(t)
	bytes := 2 * int64(p.images) * int64(p.plane) * int64(width)
	to := scratch.room(d, bytes)
	if to == 0 {
		d.outOfScratch(bytes)
		return 0
	}
	d.fromPlanes(d.ptr(t), p, width, to)
	return to
}

// fromPlanes queues a copy of float32 numbers in Caffe's order as bf16 with channels last.
func (d *back) fromPlanes(x address, p pixels, width int, to address) {
	d.closeBatches()
	launch(d, kNhwcFromPlanes, grid{(p.plane + 31) / 32, (width + 31) / 32, p.images}, nhwcFromPlanesArgs{
		channels: int32(p.channels), plane: int32(p.plane), width: int32(width), x: x, y: to,
	})
}

// turn brings a tensor itself into the form of bf16 with channels last, with the numbers that it has.
func (d *back) turn(t *gpu.Tensor, p pixels) address {
	if at := d.halvesOf(t, p); at != 0 {
		return at
	}
	x, n := d.narrowed(t, p, p.channels, &d.forms.settling), t.N/2
	at := d.becomes(t, halves, p)
	each(d, kCopy, n, copyArgs{n: int32(n), x: x, y: at})
	return at
}

// overwrites is told that all of a tensor is written from outside, in Caffe's order.
func (d *back) overwrites(t *gpu.Tensor) {
	if len(d.forms.list) > 0 {
		d.vacate(d.ptr(t), t.N)
	}
}

// vacate forgets the forms in n elements that are about to be written. What lies there in part only is settled.
func (d *back) vacate(at address, n int) {
	f := &d.forms
	from, to := f.within(at, n)
	for _, o := range f.list[from:to] {
		if o.at < at || o.end() > at+4*address(n) {
			d.toPlanes(o)
		}
	}
	f.list = slices.Delete(f.list, from, to)
}

// becomes notes that an operation writes all of a tensor in a form, and returns its address. It is called when the
// operands are known, and before its kernel is queued.
func (d *back) becomes(t *gpu.Tensor, l layout, p pixels) address {
	at := d.ptr(t)
	d.vacate(at, t.N)
	i, _ := d.forms.within(at, t.N)
	d.forms.list = slices.Insert(d.forms.list, i, form{at: at, layout: l, pixels: p})
	return at
}
