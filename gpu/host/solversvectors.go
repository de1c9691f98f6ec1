package host

import (
	"math"

	"dns-tui/gpu"
)

// stepNumbers are those of an update, each eight times; l1, rest, stay and sign are bits. The assembler knows their
// order.
type stepNumbers struct {
	scale, theta, decay, l1, rest, stay, rate, m, m1, plus, d2, d21, delta, corrected, sign [8]float32
}

// stepArrays are what an update reads and writes. Without a mask masked is w, and its numbers are those of no mask.
type stepArrays struct{ w, grad, history, second, masked *float32 }

func eight(v float32) [8]float32 { return [8]float32{v, v, v, v, v, v, v, v} }

// bitsIf has all bits where it is asked for them.
func bitsIf(wanted bool) [8]float32 { return eight(math.Float32frombits(-bit(wanted))) }

func newStepNumbers(u *gpu.UpdateParams, masked bool) stepNumbers {
	n := stepNumbers{
		scale: eight(u.Scale), theta: eight(u.Scale), decay: eight(u.Decay), l1: bitsIf(u.L1), stay: bitsIf(u.KeepStep),
		rate: eight(u.Rate), m: eight(u.Momentum), m1: eight(1 - u.Momentum), plus: eight(1 + u.Momentum),
		d2: eight(u.Decay2), d21: eight(1 - u.Decay2), delta: eight(u.Delta), corrected: eight(u.Rate * u.Correction),
		sign: eight(gpu.Pruned),
	}
	if masked {
		n.theta, n.rest = eight(u.Scale*u.Theta), bitsIf(u.Rest)
	}
	return n
}

// stepVectors updates entries from lo on by any method, eight at a time, and returns how many it did.
func (k *updateKernel) stepVectors(lo, hi int) int {
	n := vectorsOf(vecStep, k.w[lo:hi], 8)
	if n == 0 {
		return 0
	}
	a := stepArrays{w: &k.w[lo], grad: &k.grad[lo], history: &k.history[lo], masked: &k.w[lo]}
	_, _ = k.grad[lo:hi], k.history[lo:hi]
	if k.second != nil {
		a.second = &k.second[lo:hi][0]
	}
	if k.masked != nil {
		a.masked = &k.masked[lo:hi][0]
	}
	u := newStepNumbers(&k.params, k.masked != nil)
	switch k.params.Method {
	case gpu.SGD:
		stepSGD8(&a, n, &u)
	case gpu.Nesterov:
		stepNesterov8(&a, n, &u)
	case gpu.AdaGrad:
		stepAdaGrad8(&a, n, &u)
	case gpu.RMSProp:
		stepRMSProp8(&a, n, &u)
	case gpu.AdaDelta:
		stepAdaDelta8(&a, n, &u)
	case gpu.Adam:
		stepAdam8(&a, n, &u)
	default:
		return 0
	}
	return 8 * n
}
