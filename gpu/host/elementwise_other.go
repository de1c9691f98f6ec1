//go:build !amd64 && !arm64

package host

// reluVectors and addVectors are for processors with AVX or NEON alone.
func reluVectors(_, _ []float32) int { return 0 }
func addVectors(_, _ []float32) int  { return 0 }

// These are for processors with AVX alone.
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
