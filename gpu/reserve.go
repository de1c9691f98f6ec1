package gpu

import "fmt"

// Reserved is memory that is promised: tensors of it can be made, viewed and handed about, and used once Give has said
// where it lies. So an array can be given the place of another that nobody reads any more, after all who hold it were
// set up.
//
// An element of it takes four bytes, or two (Narrow) on a device that stores it as bf16. Those bytes are the device's
// own affair: whoever reads the tensor, or writes it, does so in float32.
type Reserved struct {
	n   int
	in  Memory // nil until it is given
	off int

	narrow bool
	stored bool   // as bf16, once at least, since it was made narrow
	aside  Memory // nil until it is wanted
}

// Reserve returns a tensor whose memory, a *Reserved, is given later.
func Reserve(shape ...int) (*Tensor, error) {
	if overflows(shape) {
		return nil, fmt.Errorf("an array of the shape %s: no machine has so much memory", format(shape))
	}
	n := Elements(shape)
	return &Tensor{Mem: &Reserved{n: n}, N: n, Shape: append([]int(nil), shape...)}, nil
}

// Len implements Memory.
func (r *Reserved) Len() int { return r.n }

// Words is how much of the memory that it is given it takes, in elements of four bytes.
func (r *Reserved) Words() int {
	if r.narrow {
		return (r.n + 1) / 2
	}
	return r.n
}

// Free implements Memory: what it was given stays with who gave it.
func (r *Reserved) Free() {
	r.in = nil
	if r.aside != nil {
		r.aside.Free()
		r.aside = nil
	}
}

// Narrow reports whether an element takes two bytes.
func (r *Reserved) Narrow() bool { return r.narrow }

// Store tells that the device has stored it as bf16.
func (r *Reserved) Store() { r.stored = true }

// Aside returns the memory, of a size that is told alloc, in which the numbers of narrow memory are where they cannot
// be bf16: it is allocated when it is asked for first.
func (r *Reserved) Aside(alloc func(n int) (Memory, error)) (Memory, error) {
	if r.aside == nil {
		var err error
		if r.aside, err = alloc(r.n); err != nil {
			r.aside = nil
			return nil, err
		}
	}
	return r.aside, nil
}

// Written reports whether narrow memory ever had numbers in the memory aside.
func (r *Reserved) Written() bool { return r.aside != nil }

// Widen tells in a rehearsal that the device stores it with four bytes an element, in an order of its own.
func (r *Reserved) Widen() { r.narrow = false }

func (r *Reserved) setNarrow(narrow bool) {
	r.Free()
	r.narrow, r.stored = narrow, false
}

// Given reports whether the memory has been given.
func (r *Reserved) Given() bool { return r.in != nil }

// Give places the memory at the elements of in from off on. It may be given again: what it held is lost.
func (r *Reserved) Give(in Memory, off int) {
	if _, twice := in.(*Reserved); twice || off < 0 || off+r.Words() > in.Len() {
		panic(fmt.Sprintf("gpu: %d elements at %d of a memory of %d", r.Words(), off, in.Len()))
	}
	r.in, r.off = in, off
}

// Place returns the memory that a tensor lies in, as the back end allocated it, and its first element there. That of
// narrow memory is where all of it is; where some of it is has no place.
func (t *Tensor) Place() (Memory, int) {
	r, ok := t.Mem.(*Reserved)
	switch {
	case !ok:
		return t.Mem, t.Off
	case r.in == nil:
		panic(fmt.Sprintf("gpu: a tensor of the shape %s is used before it has memory", format(t.Shape)))
	}
	return r.in, r.off + t.Off
}
