package host

import "golang.org/x/sys/cpu"

//go:noescape
func direct32(t *directTile)

//go:noescape
func direct16(t *directTile)

//go:noescape
func directAVX2(t *directTile)

//go:noescape
func gradient32(t *gradientTile)

//go:noescape
func gradient16(t *gradientTile)

//go:noescape
func gradientAVX2(t *gradientTile)

//go:noescape
func transpose8(src *float32, srcStep int, dst *float32, dstStep int, m, n, over int)

// The size of a tile: positions, or elements of a run, and panels of outputs.
var (
	hasAVX512     = cpu.X86.HasAVX512F
	hasFMA        = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	tilePositions = size(hasAVX512 || !hasFMA, 8, 6)
	tileElements  = tilePositions
	tilePanels    = size(hasAVX512, 2, 1)
)

func size(is bool, then, otherwise int) int {
	if is {
		return then
	}
	return otherwise
}

// tileOfOutputs makes the sums of tilePositions positions and 16·panels outputs.
func tileOfOutputs(t *directTile, panels int) {
	switch {
	case hasAVX512 && panels == 2:
		direct32(t)
	case hasAVX512:
		direct16(t)
	case hasFMA:
		directAVX2(t)
	default:
		tileOfOutputsGo(t, panels)
	}
}

// tileOfGradients adds to the sums of tileElements elements of a run and 16·panels outputs.
func tileOfGradients(t *gradientTile, panels int) {
	switch {
	case hasAVX512 && panels == 2:
		gradient32(t)
	case hasAVX512:
		gradient16(t)
	case hasFMA:
		gradientAVX2(t)
	default:
		tileOfGradientsGo(t, panels)
	}
}

// transposeVectors is transposeBlock where the processor has AVX.
func transposeVectors(src []float32, srcStep int, dst []float32, dstStep, m, n int) bool {
	if !cpu.X86.HasAVX {
		return false
	}
	transpose8(&src[0], 4*srcStep, &dst[0], 4*dstStep, m, n, 0)
	return true
}

// transposeOver is transposeBlock where eight elements may be written of each row of dst: a masked store takes as long
// as ten others.
func transposeOver(src []float32, srcStep int, dst []float32, dstStep, m, n int) {
	if !cpu.X86.HasAVX || len(dst) < (n-1)*dstStep+8 {
		transposeBlock(src, srcStep, dst, dstStep, m, n)
		return
	}
	_ = src[(m-1)*srcStep+n-1]
	transpose8(&src[0], 4*srcStep, &dst[0], 4*dstStep, m, n, 1)
}
