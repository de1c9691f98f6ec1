package host

//go:noescape
func normalizeScale8(x, norm, y *float32, n int, of *channelNumbers)

//go:noescape
func gradientSums8(norm, dy *float32, n int, of *channelNumbers) (sum, dot float32)

//go:noescape
func gradients8(norm, dy, dx *float32, n int, of *channelNumbers)

// normalizeScaleVectors, gradientSumsVectors and gradientsVectors are channelNumbers.normalize, sums and gradient of
// eight elements at a time. They return how many they did.
func normalizeScaleVectors(x, norm, y []float32, of *channelNumbers) int {
	n := vectors(y, 8)
	if n > 0 {
		_, _ = x[:8*n], norm[:8*n]
		normalizeScale8(&x[0], &norm[0], &y[0], n, of)
	}
	return 8 * n
}

func gradientSumsVectors(norm, dy []float32, of *channelNumbers) (sum, dot float32, done int) {
	n := vectors(dy, 8)
	if n == 0 {
		return 0, 0, 0
	}
	_ = norm[:8*n]
	sum, dot = gradientSums8(&norm[0], &dy[0], n, of)
	return sum, dot, 8 * n
}

func gradientsVectors(norm, dy, dx []float32, of *channelNumbers) int {
	n := vectors(dx, 8)
	if n > 0 {
		_, _ = norm[:8*n], dy[:8*n]
		gradients8(&norm[0], &dy[0], &dx[0], n, of)
	}
	return 8 * n
}
