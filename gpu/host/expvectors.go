package host

// expVectors, sigmoidVectors and tanhVectors do eight elements at a time, and return how many they did.
func expVectors(x, y []float32, top float32) int {
	n := vectorsOf(vecExp, y, 8)
	if n > 0 {
		_ = x[:8*n]
		exp8(&x[0], &y[0], n, top)
	}
	return 8 * n
}

func sigmoidVectors(x, y []float32) int {
	n := vectorsOf(vecSigmoid, y, 8)
	if n > 0 {
		_ = x[:8*n]
		sigmoid8(&x[0], &y[0], n)
	}
	return 8 * n
}

func tanhVectors(x, y []float32) int {
	n := vectorsOf(vecTanH, y, 8)
	if n > 0 {
		_ = x[:8*n]
		tanh8(&x[0], &y[0], n)
	}
	return 8 * n
}

// largestVector is the largest of as many elements as it returns, a multiple of eight; where some are NaN it may be
// any.
func largestVector(x []float32) (top float32, done int) {
	n := vectorsOf(vecLargest, x, 8)
	if n == 0 {
		return 0, 0
	}
	return largest8(&x[0], n), 8 * n
}

// forwardOperands are those of gates.forward. The assembler knows their order.
type forwardOperands struct{ i, f, o, g, before, c, h *float32 }

// cellForwardVectors is gates.forward, of streams that go on, of eight cells at a time. It returns how many it did.
func cellForwardVectors(x *gates, before, c, h []float32) int {
	n := vectorsOf(vecCellForward, h, 8)
	if n == 0 {
		return 0
	}
	for _, s := range [][]float32{x.i, x.f, x.o, x.g, before, c} {
		_ = s[:8*n]
	}
	cellForward8(&forwardOperands{&x.i[0], &x.f[0], &x.o[0], &x.g[0], &before[0], &c[0], &h[0]}, n)
	return 8 * n
}

// cellOperands are those of gates.backward. The assembler knows their order.
type cellOperands struct {
	i, f, o, g, t, dh, dc, before, dbefore, di, df, do, dg *float32
}

// cellVectors is gates.backward of eight cells at a time, of which t has tanh c. It returns how many it did.
func cellVectors(x, d *gates, before, dc, dh, dbefore, t []float32) int {
	n := vectorsOf(vecCell, t, 8)
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
