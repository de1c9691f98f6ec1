package devicetest

import (
	"math"

	"dns-tui/gpu"
)

// setter is a back end that fills with NaN what an operation is about to set (gpu.Sets).
type setter struct {
	gpu.Back
	sets, uses []gpu.Tensor // operands of the operation
	visitor    *gpu.Visitor
}

// Setter returns a back end that does what b does, and before each operation fills with NaN the operands that it says
// it sets, but for those that it reads or updates as well: where an operation reads one of them all the same, or leaves
// some of it as it was, its result is wrong.
func Setter(b gpu.Back) gpu.Back {
	s := &setter{Back: b}
	s.visitor = gpu.NewVisitor(func(t *gpu.Tensor, how gpu.Access) {
		if how == gpu.Sets {
			s.sets = append(s.sets, *t)
		} else {
			s.uses = append(s.uses, *t)
		}
	})
	return s
}

// Do implements gpu.Back.
func (s *setter) Do(op gpu.Op) {
	s.sets, s.uses = s.sets[:0], s.uses[:0]
	s.visitor.Visit(op)
	for i := range s.sets {
		if t := &s.sets[i]; !s.used(t) {
			s.Back.Do(&gpu.Fill{Y: t, V: float32(math.NaN())})
		}
	}
	s.Back.Do(op)
}

// used reports whether an operand that is not set has elements in common with one that is.
func (s *setter) used(t *gpu.Tensor) bool {
	m, at := t.Place()
	for i := range s.uses {
		if other, from := s.uses[i].Place(); other == m && from < at+t.N && at < from+s.uses[i].N {
			return true
		}
	}
	return false
}
