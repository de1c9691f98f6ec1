package host

// maxPool2Vectors does the windows of two rows, the first of which begins at the position first, four at a time. It
// returns how many it did.
func maxPool2Vectors(r0, r1, y, argmax []float32, first int) int {
	n := vectorsOf(vecMaxPool2, y, 4)
	if n == 0 {
		return 0
	}
	_, _ = r1[:8*n], argmax[:4*n]
	maxPool2Rows(&r0[0], &r1[0], &y[0], &argmax[0], n, float32(first), float32(len(r0)))
	return 4 * n
}

// maxima2 takes the largest of windows of 2×2 of two rows, and of floor, four at a time. It returns how many it did.
func maxima2(r0, r1, y []float32, floor float32) int {
	n := vectorsOf(vecMaxima2, y, 4)
	if n == 0 {
		return 0
	}
	_, _ = r0[:8*n], r1[:8*n]
	maxima2Rows(&r0[0], &r1[0], &y[0], n, floor)
	return 4 * n
}

// largestVectors is poolTaps.largest. Positions are step apart, and rowStep from one row to the
// next.
func largestVectors(a *tapArea, step, rowStep int, laid, y, argmax []float32) bool {
	if !has(vecLargestRows) {
		return false
	}
	v, y, argmax := laid[a.element:], y[a.output:], argmax[a.output:]
	outputs := (a.rows-1)*a.outputs + a.columns
	_, _, _ = v[:(a.rows-1)*a.elements+a.columns], y[:outputs], argmax[:outputs]
	largestRows(&v[0], &y[0], &argmax[0], a.elements, a.outputs, a.rows, a.columns, float32(a.position), float32(step),
		float32(rowStep))
	return true
}

// addRowsVectors is addRows, whose slices are long enough.
func addRowsVectors(x []float32, xStride int, y []float32, yStride, rows, columns int) bool {
	if !has(vecAddRows) {
		return false
	}
	addRows8(&x[0], &y[0], xStride, yStride, rows, columns)
	return true
}

// splitVectors puts even and odd elements of x apart, sixteen at a time, and returns how many of each it did.
func splitVectors(x, even, odd []float32) int {
	n := vectorsOf(vecSplit, x, 16)
	if n == 0 {
		return 0
	}
	_, _ = even[:8*n], odd[:8*n]
	split8(&x[0], &even[0], &odd[0], n)
	return 8 * n
}

// joinVectors is the reverse of splitVectors.
func joinVectors(even, odd, x []float32) int {
	n := vectorsOf(vecSplit, x, 16)
	if n == 0 {
		return 0
	}
	_, _ = even[:8*n], odd[:8*n]
	join8(&even[0], &odd[0], &x[0], n)
	return 8 * n
}
