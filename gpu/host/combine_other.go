//go:build !amd64

package host

// combineVectors is for processors with AVX alone.
func combineVectors([]term, []float32, []float32, float32) bool { return false }
