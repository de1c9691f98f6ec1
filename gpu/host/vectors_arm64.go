package host

import "unsafe"

// Every arm64 processor that Go runs on has NEON.

//go:noescape
func combineNEON(terms *term, n int, x, y *float32, length int, last float32)

//go:noescape
func relu8(x, y *float32, n int)

//go:noescape
func add8(x, y *float32, n int)

//go:noescape
func maxima2Rows(r0, r1, y *float32, n int, floor float32)

// combineVectors is combine of as many elements of y as it returns.
func combineVectors(terms []term, x, y []float32, last float32) int {
	n := len(y) &^ 3
	combineNEON(unsafe.SliceData(terms), len(terms), unsafe.SliceData(x), unsafe.SliceData(y), n, last)
	return n
}

// reluVectors sets y to max(x, 0), eight elements at a time, and returns how many it did.
func reluVectors(x, y []float32) int {
	n := len(y) / 8
	if n > 0 {
		_ = x[:8*n]
		relu8(&x[0], &y[0], n)
	}
	return 8 * n
}

// addVectors adds x to y, eight elements at a time, and returns how many it did.
func addVectors(x, y []float32) int {
	n := len(y) / 8
	if n > 0 {
		_ = x[:8*n]
		add8(&x[0], &y[0], n)
	}
	return 8 * n
}

// maxima2 takes the largest of windows of 2×2 of two rows, and of floor, four at a time. It returns how many it did.
func maxima2(r0, r1, y []float32, floor float32) int {
	n := len(y) / 4
	if n > 0 {
		_, _ = r0[:8*n], r1[:8*n]
		maxima2Rows(&r0[0], &r1[0], &y[0], n, floor)
	}
	return 4 * n
}

// maxPool2Vectors does no windows: their places are looked for in Go.
func maxPool2Vectors(_, _, _, _ []float32, _ int) int { return 0 }

// largestVectors, addRowsVectors, splitVectors and joinVectors do nothing here.
func largestVectors(*tapArea, int, int, []float32, []float32, []float32) bool { return false }
func addRowsVectors([]float32, int, []float32, int, int, int) bool            { return false }
func splitVectors(_, _, _ []float32) int                                      { return 0 }
func joinVectors(_, _, _ []float32) int                                       { return 0 }

// These do nothing here.
func mulVectors(_, _, _ []float32) int                     { return 0 }
func divideVectors(_, _, _ []float32) int                  { return 0 }
func weightedVectors(_, _, _ []float32, _, _ float32) int  { return 0 }
func axpbyVectors(_, _ []float32, _, _ float32) int        { return 0 }
func reluBackwardVectors(_, _, _ []float32, _ float32) int { return 0 }
func squaresVectors(_, _ []float32, _ float32) int         { return 0 }
func ratiosVectors(_, _, _, _ []float32) int               { return 0 }
func powerVectors(_, _ []float32, _, _, _ float32) int     { return 0 }

// LRN within channels is in Go here.
func normalizeWithinVectors(_, _, _ []float32, _ float32) int  { return 0 }
func withinGradientsVectors(_, _, _, _, _ []float32) int       { return 0 }
func subtractProductsVectors(_, _, _ []float32, _ float32) int { return 0 }
func sumShiftedVectors([]float32, int, int, int) int           { return 0 }
