package host

import "golang.org/x/sys/cpu"

//go:noescape
func relu8(x, y *float32, n int)

//go:noescape
func add8(x, y *float32, n int)

// vectors is how many whole vectors of some length x has; 0 where the processor has no AVX.
func vectors(x []float32, length int) int {
	if !cpu.X86.HasAVX {
		return 0
	}
	return len(x) / length
}

// reluVectors sets y to max(x, 0), eight elements at a time, and returns how many it did.
func reluVectors(x, y []float32) int {
	n := vectors(y, 8)
	if n == 0 {
		return 0
	}
	_ = x[:8*n]
	relu8(&x[0], &y[0], n)
	return 8 * n
}

// addVectors adds x to y, eight elements at a time, and returns how many it did.
func addVectors(x, y []float32) int {
	n := vectors(y, 8)
	if n == 0 {
		return 0
	}
	_ = x[:8*n]
	add8(&x[0], &y[0], n)
	return 8 * n
}

//go:noescape
func power4(x, y *float32, n int, scale, shift float32, more int) (done int)

// powerVectors sets y to (shift + scale·x)^e, four elements at a time, where e is -0.75 or -1.75, up to four of which
// one is not above 0. It returns how many it did.
func powerVectors(x, y []float32, scale, shift, e float32) int {
	n := vectors(y, 4)
	if n == 0 || e != -0.75 && e != -1.75 {
		return 0
	}
	_ = x[:4*n]
	more := 0
	if e == -1.75 {
		more = 1
	}
	return 4 * power4(&x[0], &y[0], n, scale, shift, more)
}

//go:noescape
func mul8(x, y, z *float32, n int)

//go:noescape
func axpby8(x, y *float32, n int, a, b float32)

//go:noescape
func reluBackward8(x, dy, dx *float32, n int, slope float32)

// mulVectors sets z to x·y, eight elements at a time, and returns how many it did.
func mulVectors(x, y, z []float32) int {
	n := vectors(z, 8)
	if n == 0 {
		return 0
	}
	_, _ = x[:8*n], y[:8*n]
	mul8(&x[0], &y[0], &z[0], n)
	return 8 * n
}

// axpbyVectors sets y to a·x + b·y, eight elements at a time, and returns how many it did. y is not read where b is 0.
func axpbyVectors(x, y []float32, a, b float32) int {
	n := vectors(y, 8)
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
	n := vectors(dx, 8)
	if n == 0 {
		return 0
	}
	_, _ = x[:8*n], dy[:8*n]
	reluBackward8(&x[0], &dy[0], &dx[0], n, slope)
	return 8 * n
}

//go:noescape
func squares8(x, y *float32, n int, f float32)

//go:noescape
func ratios8(x, y, z, sum *float32, n int)

// squaresVectors adds f·x² to y, eight elements at a time, and returns how many it did.
func squaresVectors(x, y []float32, f float32) int {
	n := vectors(y, 8)
	if n == 0 {
		return 0
	}
	_ = x[:8*n]
	squares8(&x[0], &y[0], n, f)
	return 8 * n
}

// ratiosVectors adds x·y/z to sum, eight elements at a time, and returns how many it did.
func ratiosVectors(x, y, z, sum []float32) int {
	n := vectors(sum, 8)
	if n == 0 {
		return 0
	}
	_, _, _ = x[:8*n], y[:8*n], z[:8*n]
	ratios8(&x[0], &y[0], &z[0], &sum[0], n)
	return 8 * n
}
