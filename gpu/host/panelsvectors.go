package host

// tileOfProduct makes the sums of tilePositions rows, of which the first rows are wanted, and 16·panels columns.
func tileOfProduct(t *productTile, rows, panels int) {
	switch set := best[vecProduct]; {
	case set == AVX512Set && panels == 2 && rows <= 4:
		product32Half(t)
	case set == AVX512Set && panels == 2:
		product32(t)
	case set == AVX512Set:
		product16(t)
	case set == AVX2Set:
		productAVX2(t)
	case set == NEONSet:
		productNEON(t)
	default:
		tileOfProductGo(t, panels)
	}
}

// copyRowsVectors is copyRows where the processor has AVX or NEON.
func copyRowsVectors(src []float32, srcStep int, dst []float32, dstStep, rows, n int) bool {
	if !has(vecCopyRows) {
		return false
	}
	if n == 32 {
		copyRows32(&src[0], 4*srcStep, &dst[0], 4*dstStep, rows)
	} else {
		copyRowsOf(&src[0], 4*srcStep, &dst[0], 4*dstStep, rows, n)
	}
	return true
}

// thinVectors takes every other element of src, eight at a time, and returns how many it took.
func thinVectors(src, dst []float32) int {
	n := min(len(src)/16, len(dst)/8)
	if !has(vecThin) || n == 0 {
		return 0
	}
	thin8(&src[0], &dst[0], n)
	return 8 * n
}

// widenVectors puts a zero behind each element of src, eight at a time, and returns how many it did.
func widenVectors(src, dst []float32) int {
	n := min(len(src)/8, len(dst)/16)
	if !has(vecThin) || n == 0 {
		return 0
	}
	widen8(&src[0], &dst[0], n)
	return 8 * n
}
