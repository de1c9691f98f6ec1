//go:build !amd64

package host

// These do nothing here.
func normalizeScaleVectors(_, _, _ []float32, _ *channelNumbers) int { return 0 }
func gradientsVectors(_, _, _ []float32, _ *channelNumbers) int      { return 0 }
func gradientSumsVectors(_, _ []float32, _ *channelNumbers) (sum, dot float32, done int) {
	return 0, 0, 0
}
