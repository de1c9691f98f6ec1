//go:build !amd64 && !arm64

package host

// maxPool2Vectors does no windows: there are no vector instructions here that it knows of.
func maxPool2Vectors(r0, r1, y, argmax []float32, first int) int { return 0 }

// maxima2 does no windows either.
func maxima2(r0, r1, y []float32, floor float32) int { return 0 }

// largestVectors, addRowsVectors, splitVectors and joinVectors do nothing here.
func largestVectors(*tapArea, int, int, []float32, []float32, []float32) bool { return false }
func addRowsVectors([]float32, int, []float32, int, int, int) bool            { return false }
func splitVectors(_, _, _ []float32) int                                      { return 0 }
func joinVectors(_, _, _ []float32) int                                       { return 0 }
