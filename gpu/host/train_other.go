//go:build !amd64

package host

// These do nothing here.
func sgdVectors(_, _, _ []float32, _, _, _, _ float32, _ uint32) int       { return 0 }
func redrawSeedVectors(_, _ []float32, _, _ float32) (c redrawn, done int) { return c, 0 }
func redrawCutVectors(_, _ []float32, _ float32) (c redrawn, done int)     { return c, 0 }
