//go:build cuda

package cuda

import (
	"slices"

	"dns-tui/gpu"
)

// Where products are on tensor cores, the activations between convolutions, and their gradients, are stored with
// channels last: x[n][h][w][c], as those read them; with --precision bf16 as bf16, which are half the bytes. Nobody
// outside knows: layouts keeps which tensors have their numbers in their memory in another layout than float32 in
// Caffe's order. Operations that have kernels for such activations (nhwc.go) leave them in that layout; before any
// other operation, and before anybody reads or writes a tensor from outside, it is brought back.
//
// A tensor has memory for float32, in which it is brought back, too; but for those of narrow memory (gpu.Reserved),
// which have as much as bf16 takes: all operations that a net does with them leave them so. Where one does not after
// all, the numbers go to memory aside, which is allocated then.
//
// What is stored as bf16 is rounded to 8 bits of mantissa. Weights, their gradients, masks, statistics and losses never
// are.

// order is how a tensor's numbers lie in its memory where it is not float32 in Caffe's order.
type order int

const (
	halves  order = iota // bf16, channels last, in the first half of the bytes, or in all that there are
	singles              // float32, channels last; the places of maxima always
)

// size is how many bytes a number has.
func (o order) size() int64 { return [...]int64{2, 4}[o] }

// chunk is how many numbers are 16 bytes.
func (o order) chunk() int { return 16 / int(o.size()) }

// stored is how activations are, where they have channels last.
func (d *back) stored() order {
	if d.precision == BF16 {
		return halves
	}
	return singles
}

// lastKernel is the kernel for the kind of numbers that is stored. What is given is that for bf16; those for float32
// are in the same order.
func lastKernel[A any](d *back, k kernel[A]) kernel[A] { return kernelFor(d.stored(), k) }

func kernelFor[A any](o order, k kernel[A]) kernel[A] {
	if o == singles {
		k.id += kNhwcFromPlanesF32.id - kNhwcFromPlanesBf16.id
	}
	return k
}

// pixels is the shape of an activation.
type pixels struct{ images, channels, plane int }

func (p pixels) count() int { return p.images * p.channels * p.plane }

// layout is a tensor whose numbers lie otherwise.
type layout struct {
	span
	order order
	pixels
	in gpu.Memory // whose they are
}

// span is a piece of memory.
type span struct {
	at    address
	bytes int64
}

func (s span) end() address { return s.at + address(s.bytes) }

func (s span) extent() span { return s }

// spanOf is the memory of n numbers of four bytes.
func spanOf(at address, n int) span { return span{at, 4 * int64(n)} }

// overlapping returns which of a list lie in a piece of memory, at least in part. The list is by address, and so are
// its ends.
func overlapping[T interface{ extent() span }](list []T, s span) (from, to int) {
	from, _ = slices.BinarySearchFunc(list, s.at, func(e T, at address) int {
		if e.extent().end() <= at {
			return -1
		}
		return 1
	})
	for to = from; to < len(list) && list[to].extent().at < s.end(); to++ {
	}
	return from, to
}

// home is the memory in which a tensor is where it has another layout; it has no bytes for a part of narrow memory,
// which is never stored so.
func (d *back) home(t *gpu.Tensor) span {
	if r := narrowOf(t); r != nil && (t.Off != 0 || t.N != r.Len()) {
		return span{}
	}
	return d.around(t)
}

// around is the memory whose layouts concern a tensor: its home, or that of the narrow memory of which it is a part.
func (d *back) around(t *gpu.Tensor) span {
	m, off := t.Place()
	at := m.(*allocation).addr
	if r := narrowOf(t); r != nil {
		return spanOf(at+4*address(off-t.Off), r.Words())
	}
	return spanOf(at+4*address(off), t.N)
}

// narrowOf is a tensor's memory, where that is narrow; or nil.
func narrowOf(t *gpu.Tensor) *gpu.Reserved {
	if r, ok := t.Mem.(*gpu.Reserved); ok && r.Narrow() {
		return r
	}
	return nil
}

// owns reports whether narrow memory is this back end's. Operands of a rehearsal may be another's, which it leaves as
// they are.
func (d *back) owns(r *gpu.Reserved) bool {
	m, _ := (&gpu.Tensor{Mem: r}).Place()
	return m.(*allocation).dev == d
}

// aside is where narrow memory is where it is not bf16.
func (d *back) aside(r *gpu.Reserved) address {
	if !d.owns(r) {
		return d.memory.pretended
	}
	m, err := r.Aside(d.Alloc)
	if err != nil {
		d.lacks(err)
		return 0
	}
	return m.(*allocation).addr
}

// foreign reports whether a layout is not of the memory to, and both are gpu.Reserved: of two with a place in common
// one at most is in use at a time.
func (f *layout) foreign(to gpu.Memory) bool {
	if f.in == to {
		return false
	}
	_, was := f.in.(*gpu.Reserved)
	_, is := to.(*gpu.Reserved)
	return was && is
}

// layouts are those of a device.
type layouts struct {
	list []layout // by address; none lies in another's memory

	// Scratch memory for what is brought into another layout: the two operands of an operation, and gradients of
	// weights by a library; and for what is brought back. It grows, and what was is kept: captured graphs have its
	// address.
	first, second, gradients, settling growing

	settler, overwriter *gpu.Visitor // of settleAll
}

// growing is a piece of scratch memory.
type growing struct {
	at    address
	bytes int64
}

// room returns so many bytes. Where there is no memory it returns 0, and the device fails; but not where a way of a
// product is only tried, which is passed over.
func (g *growing) room(d *back, bytes int64) address {
	if bytes > g.bytes {
		b, err := d.memory.get(d, max(bytes, g.bytes+g.bytes/2))
		if err != nil {
			b, err = d.memory.get(d, bytes)
		}
		if err != nil { // an activation cannot be brought into the layout that an operation wants
			if !d.memory.trying {
				d.lacks(err)
			}
			return 0
		}
		g.at, g.bytes = b.addr, b.bytes
	}
	return g.at
}

// within returns which layouts lie in a piece of memory, at least in part.
func (l *layouts) within(s span) (from, to int) { return overlapping(l.list, s) }

// layoutOf returns the layout of exactly a tensor's elements; nil where they are float32 in Caffe's order.
func (d *back) layoutOf(t *gpu.Tensor) *layout {
	l, home := &d.layouts, d.home(t)
	if from, to := l.within(home); to == from+1 && l.list[from].span == home && l.list[from].count() == t.N {
		return &l.list[from]
	}
	return nil
}

// forget is told that a piece of memory has no content any more.
func (l *layouts) forget(s span) {
	from, to := l.within(s)
	l.list = slices.Delete(l.list, from, to)
}

// settle brings a tensor, and all that lies in its memory, back to float32 in Caffe's order, for an operation that
// reads it. What is foreign stays as it is: the tensor is an operand by name only, whose numbers count for nothing.
func (d *back) settle(t *gpu.Tensor) { d.settleWithin(t, false, false) }

// overwrites forgets the layouts in a tensor all of which is about to be written. What lies there in part only is
// settled.
func (d *back) overwrites(t *gpu.Tensor) { d.settleWithin(t, true, true) }

// settleWithin takes the layouts in a tensor's elements away, and brings those back whose numbers may still be read:
// not foreign ones where the tensor is written, and where it is written whole none that lies in it. A conversion may
// allocate, and so take back memory whose layouts are forgotten: the list is looked at anew each time.
func (d *back) settleWithin(t *gpu.Tensor, written, whole bool) {
	l := &d.layouts
	if t == nil || len(l.list) == 0 {
		return
	}
	home, around := d.home(t), d.around(t)
	for passed := 0; ; {
		from, to := l.within(around)
		if from += passed; from >= to {
			return
		}
		f := l.list[from]
		foreign := f.foreign(t.Mem)
		if foreign && !written {
			passed++
			continue
		}
		l.list = slices.Delete(l.list, from, from+1)
		if !foreign && (!whole || f.at < home.at || f.end() > home.end()) {
			d.toPlanes(f)
		}
	}
}

// settleAll settles the operands of an operation that has no kernel for other layouts: those that it reads first, as an
// operand may be one that it overwrites, too.
func (d *back) settleAll(op gpu.Op) {
	l := &d.layouts
	if len(l.list) == 0 {
		return
	}
	if l.settler == nil {
		l.settler = gpu.NewVisitor(func(t *gpu.Tensor, how gpu.Access) {
			if how != gpu.Sets {
				d.settleWithin(t, how == gpu.Updates, false)
			}
		})
		l.overwriter = gpu.NewVisitor(func(t *gpu.Tensor, how gpu.Access) {
			if how == gpu.Sets {
				d.overwrites(t)
			}
		})
	}
	l.settler.Visit(op)
	l.overwriter.Visit(op)
}

// toPlanes brings the numbers of a layout back.
func (d *back) toPlanes(f layout) {
	if r, ok := f.in.(*gpu.Reserved); ok && r.Narrow() {
		if to := d.aside(r); to != 0 {
			d.planes(f, to)
		}
		return
	}
	n := f.count()
	scratch := d.layouts.settling.room(d, 4*int64(n))
	if scratch == 0 {
		return
	}
	d.planes(f, scratch)
	each(d, kCopy, n, copyArgs{n: int32(n), x: scratch, y: f.at})
}

// planes queues that the numbers of a layout are copied as float32, in Caffe's order.
func (d *back) planes(f layout, to address) {
	g := grid{(f.plane + 31) / 32, (f.channels + 31) / 32, f.images}
	launch(d, kernelFor(f.order, kNhwcToPlanesBf16), g, nhwcToPlanesArgs{
		channels: int32(f.channels), plane: int32(f.plane), x: f.at, y: to,
	})
}

// inPlanes hands out a tensor as float32 in Caffe's order, in pieces and in order, for who reads it from outside: that
// leaves the tensor as it is, so that no result depends on who looks on, and takes little memory.
func (d *back) inPlanes(t *gpu.Tensor, read func(at address, n int)) {
	f := d.layoutOf(t)
	if f == nil {
		d.settle(t)
		read(d.ptr(t), t.N)
		return
	}
	all, image := *f, f.channels*f.plane
	images := int(max(1, d.layouts.settling.bytes/(4*int64(image))))
	for i := 0; i < all.images; i += images {
		piece := all
		piece.at += address(all.order.size()) * address(i*image)
		piece.images = min(images, all.images-i)
		to := d.layouts.settling.room(d, 4*int64(piece.count()))
		if to == 0 {
			return
		}
		d.planes(piece, to)
		read(to, piece.count())
	}
}

// alignable reports whether a tensor may be stored with channels last: kernels read 16 bytes at a time.
func (d *back) alignable(t *gpu.Tensor, p pixels) bool { return d.alignableAs(t, d.stored(), p) }

func (d *back) alignableAs(t *gpu.Tensor, o order, p pixels) bool {
	if r := narrowOf(t); r != nil && o != halves && d.dry && d.owns(r) {
		r.Widen()
	}
	home := d.home(t)
	return home.at%16 == 0 && home.bytes >= o.size()*int64(t.N) && p.channels%8 == 0 && p.images <= maxGrid &&
		(p.channels+31)/32 <= maxGrid
}

// lastAt returns where a tensor is stored with channels last and of this shape; 0 where it is not.
func (d *back) lastAt(t *gpu.Tensor, p pixels) address {
	if t == nil {
		return 0
	}
	if f := d.layoutOf(t); f != nil && f.order == d.stored() && f.pixels == p {
		return f.at
	}
	return 0
}

// channelsLast returns where a tensor is with channels last: its own memory where it is stored so, and else a copy in
// scratch memory, with channels filled up to width.
func (d *back) channelsLast(t *gpu.Tensor, p pixels, width int, scratch *growing) address {
	if at := d.lastAt(t, p); at != 0 && width == p.channels {
		return at
	}
	d.settle(t)
	bytes := d.stored().size() * int64(p.images) * int64(p.plane) * int64(width)
	to := scratch.room(d, bytes)
	if to == 0 {
		return 0
	}
	d.fromPlanes(d.ptr(t), p, width, to)
	return to
}

// fromPlanes queues a copy with channels last of float32 numbers in Caffe's order.
func (d *back) fromPlanes(x address, p pixels, width int, to address) {
	g := grid{(p.plane + 31) / 32, (width + 31) / 32, p.images}
	launch(d, lastKernel(d, kNhwcFromPlanesBf16), g, nhwcFromPlanesArgs{
		channels: int32(p.channels), plane: int32(p.plane), width: int32(width), x: x, y: to,
	})
}

// turn stores a tensor with channels last, with the numbers that it has.
func (d *back) turn(t *gpu.Tensor, p pixels) address {
	if at := d.lastAt(t, p); at != 0 {
		d.layoutOf(t).in = t.Mem // of another until now: what is not written yet is nobody's
		return at
	}
	if r := narrowOf(t); r != nil && !r.Written() { // nor is this
		return d.becomes(t, d.stored(), p)
	}
	x := d.channelsLast(t, p, p.channels, &d.layouts.settling)
	y := d.becomes(t, d.stored(), p)
	d.copyLast(t.N, x, y)
	return y
}

// copyLast copies n numbers that are stored with channels last.
func (d *back) copyLast(n int, x, y address) {
	words := int(int64(n) * d.stored().size() / 4)
	each(d, kCopy, words, copyArgs{n: int32(words), x: x, y: y})
}

// becomes notes that an operation writes all of a tensor in a layout, and returns its address. It is called when the
// operands are known, and before its kernel is queued.
func (d *back) becomes(t *gpu.Tensor, o order, p pixels) address {
	home := d.home(t)
	d.overwrites(t)
	if r := narrowOf(t); r != nil {
		r.Store()
	}
	i, _ := d.layouts.within(home)
	d.layouts.list = slices.Insert(d.layouts.list, i, layout{span: home, order: o, pixels: p, in: t.Mem})
	return home.at
}
