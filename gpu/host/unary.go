package host

import "dns-tui/gpu"

// Elementwise functions go by AVX2 or NEON, in float32 but for powers, which are the float64 of gpu.UnaryFunc. The
// largest errors, relative to the function where no other is said, are those of TestUnaryVectors:
//
//	Sigmoid, BNLL        3e-7; from -87 down absolute, 1e-37
//	TanH                 2e-7
//	ELU, Exp, Swish      3e-7
//	Log                  2e-7, or 1e-7 of C where it is less
//	their gradients      3e-7 of the largest term
//	Abs                  none: the bits of Go
//	Pow                  none: the powers -1, -1/2, 1/2, 2, 3, and the gradients of all but -1/2; others are Go's
//
// Numbers of which a function leaves float32's normal ones, infinities and NaN are done by Go, with those beside them.

func (d *back) unary(o *gpu.Unary) {
	launch(d, &d.kernels.unary, unaryKernel{slice(o.X), slice(o.Y), o.Func}, o.Y.N, grain/4)
}

type unaryKernel struct {
	x, y []float32
	f    gpu.UnaryFunc
}

func (k *unaryKernel) run(lo, hi, _ int) {
	x, y, f, of := k.x[lo:hi], k.y[lo:hi], k.f, newUnaryNumbers(k.f)
	for i := 0; i < len(x); {
		i += unaryVectors(f, &of, x[i:], y[i:])
		for end := min(i+8, len(x)); i < end; i++ {
			y[i] = f.At(x[i])
		}
	}
}

func (d *back) unaryBackward(o *gpu.UnaryBackward) {
	k := unaryBackwardKernel{slice(o.X), slice(o.Y), slice(o.DY), slice(o.DX), o.Func}
	launch(d, &d.kernels.unaryBackward, k, o.DX.N, grain/4)
}

type unaryBackwardKernel struct {
	x, y, dy, dx []float32
	f            gpu.UnaryFunc
}

func (k *unaryBackwardKernel) run(lo, hi, _ int) {
	x, y, dy, dx, f, of := k.x[lo:hi], k.y[lo:hi], k.dy[lo:hi], k.dx[lo:hi], k.f, newUnaryNumbers(k.f)
	for i := 0; i < len(x); {
		i += unaryBackwardVectors(f, &of, x[i:], y[i:], dy[i:], dx[i:])
		for end := min(i+8, len(x)); i < end; i++ {
			dx[i] = dy[i] * f.Slope(x[i], y[i])
		}
	}
}

// unaryNumbers are those of a function. The assembler knows their offsets.
type unaryNumbers struct {
	a, b, c              float32
	_                    float32
	shift, scale, factor float64 // of powers: factor·(shift + scale·x)^e
}

func newUnaryNumbers(f gpu.UnaryFunc) unaryNumbers {
	return unaryNumbers{
		a: f.A, b: f.B, c: f.C, shift: float64(f.C), scale: float64(f.B), factor: float64(f.A) * float64(f.B),
	}
}

// unaryVectors does whole vectors of eight from the front, up to one that is Go's, and returns how many elements.
func unaryVectors(f gpu.UnaryFunc, of *unaryNumbers, x, y []float32) int {
	n := vectorsOf(vecUnary, y, 8)
	if n == 0 {
		return 0
	}
	_ = x[:8*n]
	switch f.Op {
	case gpu.Sigmoid:
		sigmoid8(&x[0], &y[0], n)
	case gpu.TanH:
		tanh8(&x[0], &y[0], n)
	case gpu.Abs:
		n = abs8(&x[0], &y[0], n, of)
	case gpu.BNLL:
		n = bnll8(&x[0], &y[0], n, of)
	case gpu.ELU:
		n = elu8(&x[0], &y[0], n, of)
	case gpu.Exp:
		n = expOf8(&x[0], &y[0], n, of)
	case gpu.Log:
		n = logOf8(&x[0], &y[0], n, of)
	case gpu.Swish:
		n = swish8(&x[0], &y[0], n, of)
	case gpu.Pow:
		switch f.A {
		case 2:
			n = square8(&x[0], &y[0], n, of)
		case 3:
			n = cube8(&x[0], &y[0], n, of)
		case 0.5:
			n = root8(&x[0], &y[0], n, of)
		case -0.5:
			n = inverseRoot8(&x[0], &y[0], n, of)
		case -1:
			n = inverse8(&x[0], &y[0], n, of)
		default:
			return 0
		}
	default:
		return 0
	}
	return 8 * n
}

// unaryBackwardVectors is unaryVectors of gradients.
func unaryBackwardVectors(f gpu.UnaryFunc, of *unaryNumbers, x, y, dy, dx []float32) int {
	n := vectorsOf(vecUnarySlope, dx, 8)
	if n == 0 {
		return 0
	}
	_, _, _ = x[:8*n], y[:8*n], dy[:8*n]
	switch f.Op {
	case gpu.Sigmoid:
		n = sigmoidSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
	case gpu.TanH:
		n = tanhSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
	case gpu.Abs:
		n = absSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
	case gpu.BNLL:
		n = bnllSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
	case gpu.ELU:
		n = eluSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
	case gpu.Exp:
		n = expSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
	case gpu.Log:
		n = logSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
	case gpu.Swish:
		n = swishSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
	case gpu.Pow:
		if f.B == 0 {
			return 0
		}
		switch f.A {
		case 2:
			n = squareSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
		case 3:
			n = cubeSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
		case 0.5:
			n = rootSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
		case -1:
			n = inverseSlope8(&x[0], &y[0], &dy[0], &dx[0], n, of)
		default:
			return 0
		}
	default:
		return 0
	}
	return 8 * n
}
