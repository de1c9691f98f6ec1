//go:build !amd64

package host

func tileOfProduct(t *productTile, _, panels int) { tileOfProductGo(t, panels) }

// copyRowsVectors is for processors with AVX alone.
func copyRowsVectors([]float32, int, []float32, int, int, int) bool { return false }

// thinVectors and widenVectors are for processors with AVX2 alone.
func thinVectors(_, _ []float32) int  { return 0 }
func widenVectors(_, _ []float32) int { return 0 }
