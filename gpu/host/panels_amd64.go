package host

import "golang.org/x/sys/cpu"

//go:noescape
func product32(t *productTile)

//go:noescape
func product32Half(t *productTile)

//go:noescape
func product16(t *productTile)

//go:noescape
func productAVX2(t *productTile)

//go:noescape
func copyRows32(src *float32, srcStep int, dst *float32, dstStep, rows int)

//go:noescape
func copyRowsOf(src *float32, srcStep int, dst *float32, dstStep, rows, n int)

// tileOfProduct makes the sums of tilePositions rows, of which the first rows are wanted, and 16·panels columns.
func tileOfProduct(t *productTile, rows, panels int) {
	switch {
	case hasAVX512 && panels == 2 && rows <= 4:
		product32Half(t)
	case hasAVX512 && panels == 2:
		product32(t)
	case hasAVX512:
		product16(t)
	case hasFMA:
		productAVX2(t)
	default:
		tileOfProductGo(t, panels)
	}
}

// copyRowsVectors is copyRows where the processor has AVX.
func copyRowsVectors(src []float32, srcStep int, dst []float32, dstStep, rows, n int) bool {
	if !cpu.X86.HasAVX {
		return false
	}
	if n == 32 {
		copyRows32(&src[0], 4*srcStep, &dst[0], 4*dstStep, rows)
	} else {
		copyRowsOf(&src[0], 4*srcStep, &dst[0], 4*dstStep, rows, n)
	}
	return true
}
