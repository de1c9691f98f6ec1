package host

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:noescape
func combineAVX(terms *term, n int, x, y *float32, length int, last float32)

// combineVectors is combine of as many elements of y as it returns: of all where the processor has AVX.
func combineVectors(terms []term, x, y []float32, last float32) int {
	if !cpu.X86.HasAVX {
		return 0
	}
	combineAVX(unsafe.SliceData(terms), len(terms), unsafe.SliceData(x), unsafe.SliceData(y), len(y), last)
	return len(y)
}
