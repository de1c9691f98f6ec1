package host

// rowsVectors is multiply where the processor has AVX or NEON.
func rowsVectors(w *weightRows, lo, hi int, x, y []float32) bool {
	if !has(vecRows) || len(w.values) == 0 || lo == hi {
		return false
	}
	_ = y[lo:hi]
	rows(&w.starts[lo], hi-lo, &w.inputs[0], &w.values[0], &x[0], &y[lo])
	return true
}
