package gpu

import "fmt"

// Reserved is memory that is promised: tensors of it can be made, viewed and handed about, and used once Give has said
// where it lies. So an array can be given the place of another that nobody reads any more, after all who hold it were
// set up.
type Reserved struct {
	n   int
	in  Memory // nil until it is given
	off int
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

// Free implements Memory: what it was given stays with who gave it.
func (r *Reserved) Free() { r.in = nil }

// Given reports whether the memory has been given.
func (r *Reserved) Given() bool { return r.in != nil }

// Give places the memory at the elements of in from off on. It may be given again: what it held is lost.
func (r *Reserved) Give(in Memory, off int) {
	if _, twice := in.(*Reserved); twice || off < 0 || off+r.n > in.Len() {
		panic(fmt.Sprintf("gpu: %d elements at %d of a memory of %d", r.n, off, in.Len()))
	}
	r.in, r.off = in, off
}

// Place returns the memory that a tensor lies in, as the back end allocated it, and its first element there.
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
