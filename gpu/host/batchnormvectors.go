package host

// normalizeScaleVectors, gradientSumsVectors and gradientsVectors are channelNumbers.normalize, sums and gradient of
// eight elements at a time. They return how many they did.
func normalizeScaleVectors(x, norm, y []float32, of *channelNumbers) int {
	n := vectorsOf(vecNormalizeScale, y, 8)
	if n > 0 {
		_, _ = x[:8*n], norm[:8*n]
		normalizeScale8(&x[0], &norm[0], &y[0], n, of)
	}
	return 8 * n
}

func gradientSumsVectors(norm, dy []float32, of *channelNumbers) (sum, dot float32, done int) {
	n := vectorsOf(vecGradientSums, dy, 8)
	if n == 0 {
		return 0, 0, 0
	}
	_ = norm[:8*n]
	sum, dot = gradientSums8(&norm[0], &dy[0], n, of)
	return sum, dot, 8 * n
}

func gradientsVectors(norm, dy, dx []float32, of *channelNumbers) int {
	n := vectorsOf(vecGradients, dx, 8)
	if n > 0 {
		_, _ = norm[:8*n], dy[:8*n]
		gradients8(&norm[0], &dy[0], &dx[0], n, of)
	}
	return 8 * n
}
