package host

import (
	"unsafe"
)

// combineVectors is combine of as many elements of y as it returns: of all where the processor has AVX, of fours where
// it has NEON.
func combineVectors(terms []term, x, y []float32, last float32) int {
	if !has(vecCombine) {
		return 0
	}
	n := len(y)
	if best[vecCombine] == NEONSet {
		n &^= 3
		combineNEON(unsafe.SliceData(terms), len(terms), unsafe.SliceData(x), unsafe.SliceData(y), n, last)
	} else {
		combineAVX(unsafe.SliceData(terms), len(terms), unsafe.SliceData(x), unsafe.SliceData(y), n, last)
	}
	return n
}
