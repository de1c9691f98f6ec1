package host

// tileOfOutputs makes the sums of tilePositions positions and 16·panels outputs.
func tileOfOutputs(t *directTile, panels int) {
	switch set := best[vecDirect]; {
	case set == AVX512Set && panels == 2:
		direct32(t)
	case set == AVX512Set:
		direct16(t)
	case set == AVX2Set:
		directAVX2(t)
	case set == NEONSet:
		directNEON(t)
	default:
		tileOfOutputsGo(t, panels)
	}
}

// tileOfGradients adds to the sums of tileElements elements of a run and 16·panels outputs.
func tileOfGradients(t *gradientTile, panels int) {
	switch set := best[vecGradient]; {
	case set == AVX512Set && panels == 2:
		gradient32(t)
	case set == AVX512Set:
		gradient16(t)
	case set == AVX2Set:
		gradientAVX2(t)
	case set == NEONSet:
		gradientNEON(t)
	default:
		tileOfGradientsGo(t, panels)
	}
}

// transposeVectors is transposeBlock where the processor has AVX or NEON.
func transposeVectors(src []float32, srcStep int, dst []float32, dstStep, m, n int) bool {
	if !has(vecTranspose) {
		return false
	}
	transpose8(&src[0], 4*srcStep, &dst[0], 4*dstStep, m, n, 0)
	return true
}

// transposeOver is transposeBlock where eight elements may be written of each row of dst: a masked store takes as long
// as ten others.
func transposeOver(src []float32, srcStep int, dst []float32, dstStep, m, n int) {
	if !has(vecTranspose) || len(dst) < (n-1)*dstStep+8 {
		transposeBlock(src, srcStep, dst, dstStep, m, n)
		return
	}
	_ = src[(m-1)*srcStep+n-1]
	transpose8(&src[0], 4*srcStep, &dst[0], 4*dstStep, m, n, 1)
}
