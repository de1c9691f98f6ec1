package gpu

import "fmt"

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
func NewTensor(d Device, shape ...int) (*Tensor, error) {
	n := Elements(shape)
	mem, err := d.Alloc(n)
	if err != nil {
		return nil, err
	}
	return &Tensor{Mem: mem, N: n, Shape: append([]int(nil), shape...)}, nil
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

// Want panics where t does not have n elements: a mistake of the caller. op is the kernel and arg its operand.
func Want(op, arg string, t *Tensor, n int) {
	if t == nil || t.N != n {
		have := 0
		if t != nil {
			have = t.N
		}
		panic(fmt.Sprintf("gpu: %s: %s has %d elements, wanted %d", op, arg, have, n))
	}
}

// WantOptional is Want for an operand that may be nil.
func WantOptional(op, arg string, t *Tensor, n int) {
	if t != nil {
		Want(op, arg, t, n)
	}
}

// FormatBytes returns a number of bytes as a person reads it: "1.5 GiB".
func FormatBytes(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v := float64(n)
	for len(units) > 1 && (v >= 1023.5 || v <= -1023.5) {
		v, units = v/1024, units[1:]
	}
	if units[0] == "B" || v >= 100 {
		return fmt.Sprintf("%.0f %s", v, units[0])
	}
	return fmt.Sprintf("%.1f %s", v, units[0])
}
