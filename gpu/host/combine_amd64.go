package host

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

//go:noescape
func combine64(terms *term, n int, x, y *float32, last float32)

//go:noescape
func combine32(terms *term, n int, x, y *float32, last float32)

//go:noescape
func combine8(terms *term, n int, x, y *float32, last float32)

// combineVectors is combine where the processor has AVX and y at least eight elements. The last
// block of a vector may begin within the one before it: what both make is the same.
func combineVectors(terms []term, x, y []float32, last float32) bool {
	if !cpu.X86.HasAVX || len(y) < 8 {
		return false
	}
	n, end := len(terms), len(y)
	if n == 0 {
		x = y // nothing of it is read
	}
	for at := 0; at < end; {
		switch rest := end - at; {
		case end >= 64 && rest > 32:
			at = min(at, end-64)
			combine64(unsafe.SliceData(terms), n, &x[at], &y[at], last)
			at += 64
		case end >= 32 && rest > 8:
			at = min(at, end-32)
			combine32(unsafe.SliceData(terms), n, &x[at], &y[at], last)
			at += 32
		default:
			at = min(at, end-8)
			combine8(unsafe.SliceData(terms), n, &x[at], &y[at], last)
			at += 8
		}
	}
	return true
}
