package host

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:noescape
func combineAVX(terms *term, n int, x, y *float32, length int, last float32)

// combineVectors is combine where the processor has AVX.
func combineVectors(terms []term, x, y []float32, last float32) bool {
	if !cpu.X86.HasAVX {
		return false
	}
	combineAVX(unsafe.SliceData(terms), len(terms), unsafe.SliceData(x), unsafe.SliceData(y), len(y), last)
	return true
}
