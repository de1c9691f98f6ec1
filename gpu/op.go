package gpu

import (
	"fmt"
	"reflect"
)

// An Op describes an operation: a pointer to a struct that is named after the Device's method and holds its operands.
// A Back finds out which by a type switch.
type Op interface {
	// operands shows each tensor to v, with its name and the number of elements that it must have.
	operands(v *operands)
}

// operands goes over the tensors of an operation. It checks their sizes, or where visit is set calls that instead.
type operands struct {
	op    Op
	visit func(t **Tensor, how Access)
}

// Access is what an operation does with an operand.
type Access int

// The accesses.
const (
	Reads   Access = iota // its numbers, and nothing else
	Updates               // writes it, and reads it or leaves some of it as it was
	Sets                  // writes all of it; what it held before is not read, unless it is another operand too
)

func (v *operands) operand(name string, t **Tensor, n int, how Access) {
	if v.visit != nil {
		v.visit(t, how)
		return
	}
	if *t == nil || (*t).N != n {
		wantLen(nameOf(v.op), name, *t, n)
	}
}

// in shows an operand that is read, out one that is written in part or read before that, and set one that is written
// whole and not read. The optional ones may be nil.
func (v *operands) in(name string, t **Tensor, n int)  { v.operand(name, t, n, Reads) }
func (v *operands) out(name string, t **Tensor, n int) { v.operand(name, t, n, Updates) }
func (v *operands) set(name string, t **Tensor, n int) { v.operand(name, t, n, Sets) }

// to is set, or out where what was there counts.
func (v *operands) to(name string, t **Tensor, n int, counts bool) {
	if counts {
		v.out(name, t, n)
	} else {
		v.set(name, t, n)
	}
}

func (v *operands) inOptional(name string, t **Tensor, n int) {
	if *t != nil {
		v.in(name, t, n)
	}
}

func (v *operands) outOptional(name string, t **Tensor, n int) {
	if *t != nil {
		v.out(name, t, n)
	}
}

func (v *operands) setOptional(name string, t **Tensor, n int) {
	if *t != nil {
		v.set(name, t, n)
	}
}

// wantLen panics where t does not have n elements: a mistake of the caller. op is the operation and arg its operand.
func wantLen(op, arg string, t *Tensor, n int) {
	if t == nil || t.N != n {
		have := 0
		if t != nil {
			have = t.N
		}
		panic(fmt.Sprintf("gpu: %s: %s has %d elements, wanted %d", op, arg, have, n))
	}
}

// nameOf returns the name of the Device's method: "ReLU".
func nameOf(op Op) string { return reflect.TypeOf(op).Elem().Name() }

// A Visitor calls a function with the tensors of operations.
type Visitor struct{ v operands }

// NewVisitor returns one. Optional operands that an operation lacks are passed over.
func NewVisitor(f func(*Tensor, Access)) *Visitor {
	return &Visitor{operands{visit: func(t **Tensor, how Access) { f(*t, how) }}}
}

// Visit calls the function with each tensor of op, and what op does with it.
func (v *Visitor) Visit(op Op) { op.operands(&v.v) }
