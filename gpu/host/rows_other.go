//go:build !amd64

package host

// rowsVectors is for processors with AVX alone.
func rowsVectors(*weightRows, int, int, []float32, []float32) bool { return false }
