package gpu

import "math"

// UnaryOp is the kind of an elementwise function: those of Caffe's neuron layers.
type UnaryOp int

// The functions; A, B and C are the numbers of UnaryFunc.
const (
	Abs       UnaryOp = iota // |x|
	BNLL                     // log(1 + exp(x))
	Clip                     // min(max(x, A), B)
	ELU                      // x > 0: x, else A·(exp(x) - 1)
	Exp                      // B·exp(A·x)
	Log                      // C·log(A·x + B)
	Pow                      // (C + B·x)^A
	Sigmoid                  // 1/(1 + exp(-x))
	Swish                    // x·sigmoid(A·x)
	TanH                     // tanh(x)
	Threshold                // x > A: 1, else 0; its gradient is 0
)

// UnaryFunc is an elementwise function with its numbers.
type UnaryFunc struct {
	Op      UnaryOp
	A, B, C float32
}

// At returns f(x).
func (f UnaryFunc) At(x float32) float32 {
	v, a, b, c := float64(x), float64(f.A), float64(f.B), float64(f.C)
	switch f.Op {
	case Abs:
		return float32(math.Abs(v))
	case BNLL:
		return float32(math.Max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))))
	case Clip:
		return min(max(x, f.A), f.B)
	case ELU:
		if x > 0 {
			return x
		}
		return float32(a * math.Expm1(v))
	case Exp:
		return float32(b * math.Exp(a*v))
	case Log:
		return float32(c * math.Log(float64(a*v)+b))
	case Pow:
		return float32(power(c+float64(b*v), a))
	case Sigmoid:
		return float32(sigmoid(v))
	case Swish:
		return float32(v * sigmoid(a*v))
	case TanH:
		return float32(math.Tanh(v))
	case Threshold:
		if x > f.A {
			return 1
		}
		return 0
	}
	panic("gpu: unknown unary function")
}

// Slope returns f'(x), given y = f(x).
func (f UnaryFunc) Slope(x, y float32) float32 {
	v, w, a, b, c := float64(x), float64(y), float64(f.A), float64(f.B), float64(f.C)
	switch f.Op {
	case Abs:
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return 0
	case BNLL:
		return float32(sigmoid(v))
	case Clip:
		if x < f.A || x > f.B {
			return 0
		}
		return 1
	case ELU:
		if y > 0 {
			return 1
		}
		return float32(w + a)
	case Exp:
		return float32(a * w)
	case Log:
		return float32(c * a / (float64(a*v) + b))
	case Pow:
		if a == 0 || b == 0 {
			return 0
		}
		return float32(a * b * power(c+float64(b*v), a-1))
	case Sigmoid:
		return float32(w * (1 - w))
	case Swish:
		s := sigmoid(a * v)
		return float32(float64(a*w) + float64(s*(1-float64(a*w))))
	case TanH:
		return float32(1 - float64(w*w))
	case Threshold:
		return 0
	}
	panic("gpu: unknown unary function")
}

// SlopeNeedsInput reports whether f' is computed from x; else y alone gives it, and a layer may work in place.
func (f UnaryFunc) SlopeNeedsInput() bool {
	switch f.Op {
	case ELU, Exp, Sigmoid, TanH, Threshold:
		return false
	}
	return true
}

// sigmoid is 1/(1 + e^-x), as exact where it is near 0 as where it is near 1.
func sigmoid(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

// power is x^e, exact for the exponents that nets use most.
func power(x, e float64) float64 {
	switch e {
	case 0:
		return 1
	case 1:
		return x
	case 2:
		return x * x
	}
	return math.Pow(x, e)
}
