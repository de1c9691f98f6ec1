//go:build !amd64

package host

func tileOfProduct(t *productTile, _, panels int) { tileOfProductGo(t, panels) }

// copyRowsVectors is for processors with AVX alone.
func copyRowsVectors([]float32, int, []float32, int, int, int) bool { return false }
