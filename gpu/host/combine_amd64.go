package host

import "golang.org/x/sys/cpu"

//go:noescape
func combine64(terms *term, n int, x, y *float32)

//go:noescape
func combine32(terms *term, n int, x, y *float32)

//go:noescape
func combine8(terms *term, n int, x, y *float32)

// combineVectors is combine of one term or more where the processor has AVX and y at least eight elements. The last
// block of a vector may begin within the one before it: what both make is the same.
func combineVectors(terms []term, x, y []float32) bool {
	if !cpu.X86.HasAVX || len(y) < 8 {
		return false
	}
	at, end := 0, len(y)
	for end-at >= 64 {
		combine64(&terms[0], len(terms), &x[at], &y[at])
		at += 64
	}
	if end >= 64 && end-at > 32 {
		combine64(&terms[0], len(terms), &x[end-64], &y[end-64])
		return true
	}
	for end-at >= 32 {
		combine32(&terms[0], len(terms), &x[at], &y[at])
		at += 32
	}
	if end >= 32 && end-at > 8 {
		combine32(&terms[0], len(terms), &x[end-32], &y[end-32])
		return true
	}
	for end-at >= 8 {
		combine8(&terms[0], len(terms), &x[at], &y[at])
		at += 8
	}
	if end > at {
		combine8(&terms[0], len(terms), &x[end-8], &y[end-8])
	}
	return true
}
