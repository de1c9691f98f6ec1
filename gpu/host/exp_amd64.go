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

//go:noescape
func largest8(x *float32, n int) float32

// largestVector is the largest of as many elements as it returns, a multiple of eight; where some are NaN it may be
// any.
func largestVector(x []float32) (top float32, done int) {
	n := vectors(x, 8)
	if n == 0 {
		return 0, 0
	}
	return largest8(&x[0], n), 8 * n
}

// cellOperands are those of gates.backward. The assembler knows their order.
type cellOperands struct {
	i, f, o, g, t, dh, dc, before, dbefore, di, df, do, dg *float32
}

//go:noescape
func cell8(x *cellOperands, n int)

// cellVectors is gates.backward of eight cells at a time, of which t has tanh c. It returns how many it did.
func cellVectors(x, d *gates, before, dc, dh, dbefore, t []float32) int {
	n := vectors(t, 8)
	if n == 0 {
		return 0
	}
	for _, s := range [][]float32{
		x.i, x.f, x.o, x.g, before, dc, dh, dbefore, d.i, d.f, d.o, d.g,
	} {
		_ = s[:8*n]
	}
	cell8(&cellOperands{
		&x.i[0], &x.f[0], &x.o[0], &x.g[0], &t[0], &dh[0], &dc[0], &before[0], &dbefore[0], &d.i[0], &d.f[0], &d.o[0],
		&d.g[0],
	}, n)
	return 8 * n
}
