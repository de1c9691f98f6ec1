//go:build !amd64 && !arm64

package host

// maxPool2Vectors does no windows: there are no vector instructions here that it knows of.
func maxPool2Vectors(r0, r1, y, argmax []float32, first int) int { return 0 }

// maxima2 does no windows either.
func maxima2(r0, r1, y []float32, floor float32) int { return 0 }
