package gpu

import (
	"fmt"
	"strings"

	"dns-tui/memory"
)

// Memory is an allocation on a device, in float32 elements.
type Memory interface {
	Len() int
	Free()
}

// A Tensor is a shaped view of device memory.
type Tensor struct {
	Mem   Memory
	Off   int // first element
	N     int // number of elements
	Shape []int
}

// NewTensor allocates a zeroed tensor on d.
func NewTensor(d *Device, shape ...int) (*Tensor, error) {
	n := Elements(shape)
	if overflows(shape) { // the product may be a small number all the same
		return nil, fmt.Errorf("an array of the shape %s: no machine has so much memory", format(shape))
	}
	mem, err := d.Alloc(n)
	if err != nil {
		return nil, fmt.Errorf("an array of the shape %s: %w", format(shape), err)
	}
	return &Tensor{Mem: mem, N: n, Shape: append([]int(nil), shape...)}, nil
}

func format(shape []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(shape), "[]"), " ", "x")
}

func overflows(shape []int) bool {
	n := int64(1)
	for _, d := range shape {
		n = memory.Product(n, int64(d))
	}
	return n > 1<<50
}

// View returns the n elements from off on, in a new shape.
func (t *Tensor) View(off int, shape ...int) *Tensor {
	n := Elements(shape)
	if off < 0 || off+n > t.N {
		panic(fmt.Sprintf("gpu: view of %d elements at %d in a tensor of %d", n, off, t.N))
	}
	return &Tensor{Mem: t.Mem, Off: t.Off + off, N: n, Shape: append([]int(nil), shape...)}
}

// Elements returns the product of the extents; that of no extents is 1.
func Elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
