//go:build !amd64

package host

import "dns-tui/gpu"

// These do nothing here.
func sumVectors([]float32) (sum float32, done int)                      { return 0, 0 }
func dotVectors(_, _ []float32) (dot float32, done int)                 { return 0, 0 }
func deviationsVectors([]float32, float32) (sum float32, done int)      { return 0, 0 }
func sumDotVectors(_, _ []float32) (sum, dot float32, done int)         { return 0, 0, 0 }
func scaleVectors(_, _ []float32, _, _ float32) int                     { return 0 }
func normalizeVectors(_, _ []float32, _, _ float32) int                 { return 0 }
func normalizeBackwardVectors(_, _, _ []float32, _, _, _ float32) int   { return 0 }
func dropoutVectors(_, _ []float32, _ int, _, _ float32, _ gpu.Key) int { return 0 }
func expVectors(_, _ []float32, _ float32) int                          { return 0 }
func sigmoidVectors(_, _ []float32) int                                 { return 0 }
func tanhVectors(_, _ []float32) int                                    { return 0 }
func largestVector([]float32) (top float32, done int)                   { return 0, 0 }
func cellVectors(_, _ *gates, _, _, _, _, _ []float32) int              { return 0 }
