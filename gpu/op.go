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
	visit func(t **Tensor, written bool)
}

func (v *operands) operand(name string, t **Tensor, n int, written bool) {
	if v.visit != nil {
		v.visit(t, written)
		return
	}
	if *t == nil || (*t).N != n {
		wantLen(nameOf(v.op), name, *t, n)
	}
}

// in shows an operand that is read, out one that is written, and perhaps read. The optional ones may be nil.
func (v *operands) in(name string, t **Tensor, n int)  { v.operand(name, t, n, false) }
func (v *operands) out(name string, t **Tensor, n int) { v.operand(name, t, n, true) }

func (v *operands) inOptional(name string, t **Tensor, n int) {
	if *t != nil {
		v.operand(name, t, n, false)
	}
}

func (v *operands) outOptional(name string, t **Tensor, n int) {
	if *t != nil {
		v.operand(name, t, n, true)
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

// NewVisitor returns one; f gets nil for an optional operand that an operation lacks.
func NewVisitor(f func(*Tensor)) *Visitor {
	return &Visitor{operands{visit: func(t **Tensor, _ bool) { f(*t) }}}
}

// Visit calls the function with each tensor of op.
func (v *Visitor) Visit(op Op) { op.operands(&v.v) }
