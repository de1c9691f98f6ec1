package host

// reluVectors sets y to max(x, 0), eight elements at a time, and returns how many it did.
func reluVectors(x, y []float32) int {
	n := vectorsOf(vecReLU, y, 8)
	if n == 0 {
		return 0
	}
	_ = x[:8*n]
	relu8(&x[0], &y[0], n)
	return 8 * n
}

// addVectors adds x to y, eight elements at a time, and returns how many it did.
func addVectors(x, y []float32) int {
	n := vectorsOf(vecAdd, y, 8)
	if n == 0 {
		return 0
	}
	_ = x[:8*n]
	add8(&x[0], &y[0], n)
	return 8 * n
}

// powerVectors sets y to (shift + scale·x)^e, eight elements at a time, where e is -0.75 or -1.75, up to eight of which
// one is not above 0. It returns how many it did.
func powerVectors(x, y []float32, scale, shift, e float32) int {
	n := vectorsOf(vecPowers, y, 8)
	if n == 0 || e != -0.75 && e != -1.75 {
		return 0
	}
	_ = x[:8*n]
	more := 0
	if e == -1.75 {
		more = 1
	}
	return 8 * power8(&x[0], &y[0], n, scale, shift, more)
}

// mulVectors sets z to x·y, eight elements at a time, and returns how many it did.
func mulVectors(x, y, z []float32) int {
	n := vectorsOf(vecMul, z, 8)
	if n == 0 {
		return 0
	}
	_, _ = x[:8*n], y[:8*n]
	mul8(&x[0], &y[0], &z[0], n)
	return 8 * n
}

// axpbyVectors sets y to a·x + b·y, eight elements at a time, and returns how many it did. y is not read where b is 0.
func axpbyVectors(x, y []float32, a, b float32) int {
	n := vectorsOf(vecAxpby, y, 8)
	if n == 0 {
		return 0
	}
	_ = x[:8*n]
	axpby8(&x[0], &y[0], n, a, b)
	return 8 * n
}

// reluBackwardVectors sets dx to dy where x is above 0, else to slope·dy, eight elements at a time, and returns how
// many it did.
func reluBackwardVectors(x, dy, dx []float32, slope float32) int {
	n := vectorsOf(vecReLUBackward, dx, 8)
	if n == 0 {
		return 0
	}
	_, _ = x[:8*n], dy[:8*n]
	reluBackward8(&x[0], &dy[0], &dx[0], n, slope)
	return 8 * n
}

// squaresVectors adds f·x² to y, eight elements at a time, and returns how many it did.
func squaresVectors(x, y []float32, f float32) int {
	n := vectorsOf(vecSquares, y, 8)
	if n == 0 {
		return 0
	}
	_ = x[:8*n]
	squares8(&x[0], &y[0], n, f)
	return 8 * n
}

// ratiosVectors adds x·y/z to sum, eight elements at a time, and returns how many it did.
func ratiosVectors(x, y, z, sum []float32) int {
	n := vectorsOf(vecRatios, sum, 8)
	if n == 0 {
		return 0
	}
	_, _, _ = x[:8*n], y[:8*n], z[:8*n]
	ratios8(&x[0], &y[0], &z[0], &sum[0], n)
	return 8 * n
}

// divideVectors sets z to x/y, eight elements at a time, and returns how many it did.
func divideVectors(x, y, z []float32) int {
	n := vectorsOf(vecDivide, z, 8)
	if n == 0 {
		return 0
	}
	_, _ = x[:8*n], y[:8*n]
	divide8(&x[0], &y[0], &z[0], n)
	return 8 * n
}

// normalizeWithinVectors, withinGradientsVectors and subtractProductsVectors do eight elements at a time of what is
// named so, the first two with a beta of 0.75, and return how many they did.
func normalizeWithinVectors(x, s, y []float32, f float32) int {
	n := vectorsOf(vecNormalizeWithin, y, 8)
	if n > 0 {
		_, _ = x[:8*n], s[:8*n]
		normalizeWithin8(&x[0], &s[0], &y[0], n, f)
	}
	return 8 * n
}

func withinGradientsVectors(x, s, dy, dx, t []float32) int {
	n := vectorsOf(vecWithinGradients, t, 8)
	if n > 0 {
		_, _, _, _ = x[:8*n], s[:8*n], dy[:8*n], dx[:8*n]
		withinGradients8(&x[0], &s[0], &dy[0], &dx[0], &t[0], n)
	}
	return 8 * n
}

func subtractProductsVectors(x, y, z []float32, f float32) int {
	n := vectorsOf(vecSubtractProducts, z, 8)
	if n > 0 {
		_, _ = x[:8*n], y[:8*n]
		subtractProducts8(&x[0], &y[0], &z[0], n, f)
	}
	return 8 * n
}

// sumShiftedVectors is sumShifted of vectors of eight, the last of which may reach beyond n.
func sumShiftedVectors(x []float32, n, step, count int) int {
	whole := vectorsOf(vecSumShifted, x[:roundedUp(n)], 8)
	if whole > 0 {
		sumShifted8(&x[0], whole, 4*step, count)
	}
	return 8 * whole
}

// weightedVectors sets z to a·x + b·y, eight elements at a time, and returns how many it did.
func weightedVectors(x, y, z []float32, a, b float32) int {
	n := vectorsOf(vecWeighted, z, 8)
	if n > 0 {
		_, _ = x[:8*n], y[:8*n]
		weighted8(&x[0], &y[0], &z[0], n, a, b)
	}
	return 8 * n
}

// leakyVectors sets y to max(x, 0) + slope·min(x, 0), eight elements at a time, and returns how many it did.
func leakyVectors(x, y []float32, slope float32) int {
	n := vectorsOf(vecLeaky, y, 8)
	if n > 0 {
		_ = x[:8*n]
		leaky8(&x[0], &y[0], n, slope)
	}
	return 8 * n
}

// dotBelowVectors is Σ x·y where x is not above 0, of as many elements as it returns, a multiple of eight.
func dotBelowVectors(x, y []float32) (dot float32, done int) {
	n := vectorsOf(vecDotBelow, x, 8)
	if n == 0 {
		return 0, 0
	}
	_ = y[:8*n]
	return dotBelow8(&x[0], &y[0], n), 8 * n
}
