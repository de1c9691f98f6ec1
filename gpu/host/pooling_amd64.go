package host

import "golang.org/x/sys/cpu"

//go:noescape
func maxPool2Rows(r0, r1, y, argmax *float32, n int, first, width float32)

// maxPool2Vectors does the windows of two rows, the first of which begins at the position first, four at a time. It
// returns how many it did.
func maxPool2Vectors(r0, r1, y, argmax []float32, first int) int {
	n := len(y) / 4
	if n == 0 || !cpu.X86.HasAVX {
		return 0
	}
	_, _ = r1[:8*n], argmax[:4*n]
	maxPool2Rows(&r0[0], &r1[0], &y[0], &argmax[0], n, float32(first), float32(len(r0)))
	return 4 * n
}

//go:noescape
func maxima2Rows(r0, r1, y *float32, n int, floor float32)

// maxima2 takes the largest of windows of 2×2 of two rows, and of floor, four at a time. It returns how many it did.
func maxima2(r0, r1, y []float32, floor float32) int {
	n := len(y) / 4
	if n == 0 || !cpu.X86.HasAVX {
		return 0
	}
	_, _ = r0[:8*n], r1[:8*n]
	maxima2Rows(&r0[0], &r1[0], &y[0], n, floor)
	return 4 * n
}
