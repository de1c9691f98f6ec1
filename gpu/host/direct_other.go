//go:build !amd64

package host

// The size of a tile: positions, or elements of a run, and panels of outputs.
const (
	tilePositions = 8
	tileElements  = 8
	tilePanels    = 1
	hasFMA        = false // there is no assembler
)

func tileOfOutputs(t *directTile, panels int)     { tileOfOutputsGo(t, panels) }
func tileOfGradients(t *gradientTile, panels int) { tileOfGradientsGo(t, panels) }

// transposeVectors is for processors with AVX alone.
func transposeVectors([]float32, int, []float32, int, int, int) bool { return false }

// transposeOver is for processors with AVX, too.
func transposeOver(src []float32, srcStep int, dst []float32, dstStep, m, n int) {
	transposeBlock(src, srcStep, dst, dstStep, m, n)
}
