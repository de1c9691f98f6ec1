package host

//go:noescape
func exp8(x, y *float32, n int, top float32)

//go:noescape
func sigmoid8(x, y *float32, n int)

//go:noescape
func tanh8(x, y *float32, n int)

// expVectors, sigmoidVectors and tanhVectors do eight elements at a time, and return how many they did.
func expVectors(x, y []float32, top float32) int {
	n := fusedVectors(x, y)
	if n > 0 {
		exp8(&x[0], &y[0], n, top)
	}
	return 8 * n
}

func sigmoidVectors(x, y []float32) int {
	n := fusedVectors(x, y)
	if n > 0 {
		sigmoid8(&x[0], &y[0], n)
	}
	return 8 * n
}

func tanhVectors(x, y []float32) int {
	n := fusedVectors(x, y)
	if n > 0 {
		tanh8(&x[0], &y[0], n)
	}
	return 8 * n
}

// fusedVectors is how many vectors of eight elements y has, and x too; 0 where the processor has no AVX2 and FMA.
func fusedVectors(x, y []float32) int {
	if !hasFMA {
		return 0
	}
	n := len(y) / 8
	_ = x[:8*n]
	return n
}
