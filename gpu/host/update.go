package host

import (
	"math"

	"dns-tui/gpu"
)

func (d *back) update(o *gpu.Update) {
	if shut(o.Params.Gate) {
		d.fill(&gpu.Fill{Y: o.Grad})
		return
	}
	k := updateKernel{o.Params, slice(o.W), slice(o.Grad), slice(o.H), nil, slice(o.Masked)}
	switch {
	case o.Params.Method.Histories() > 1:
		k.second = slice(o.H2)
		launch(d, &d.kernels.updateAny, updateAnyKernel{k}, o.W.N, grain)
	case o.Params.Method != gpu.SGD:
		launch(d, &d.kernels.updateAny, updateAnyKernel{k}, o.W.N, grain)
	case o.Masked == nil:
		launch(d, &d.kernels.updateDense, updateDenseKernel{k}, o.W.N, grain)
	default:
		launch(d, &d.kernels.updateMasked, updateMaskedKernel{k}, o.W.N, grain)
	}
}

// updateKernel has the operands of an update.
type updateKernel struct {
	params                           gpu.UpdateParams
	w, grad, history, second, masked []float32 // second and masked may be nil
}

// shut reports whether a gate is not finite.
func shut(gate *gpu.Tensor) bool {
	if gate == nil {
		return false
	}
	v := slice(gate)[0]
	return v-v != 0
}

// updateAnyKernel is an update by a method other than SGD.
type updateAnyKernel struct{ updateKernel }

func (k *updateAnyKernel) run(lo, hi, _ int) {
	u := k.params
	w, grad, history := k.w[lo:hi], k.grad[lo:hi], k.history[lo:hi]
	stay := keepBits(u.KeepStep)
	for i := k.stepVectors(lo, hi); i < len(w); i++ {
		v := w[i]
		g := u.Scale * grad[i]
		if k.masked != nil && gpu.IsPruned(k.masked[lo+i]) {
			if u.Rest {
				grad[i] = 0
				continue
			}
			g = u.Scale * u.Theta * grad[i]
		}
		if u.L1 {
			g += decayTerm(&u, v)
		} else {
			g += float32(u.Decay * v)
		}
		var second *float32
		if k.second != nil {
			second = &k.second[lo+i]
		}
		d := step(&u, g, &history[i], second)
		v -= d
		w[i], grad[i] = v, keep(d, stay)
	}
	if k.masked != nil {
		forwardKept(u.Soft, k.masked[lo:hi], w)
	}
}

// step returns what a method takes off a weight with gradient g, and moves its history on. See gpu.Method. Products are
// rounded before they are added, on every processor, as vectors do.
func step(u *gpu.UpdateParams, g float32, h, h2 *float32) float32 {
	m := u.Momentum
	switch u.Method {
	case gpu.Nesterov:
		before := *h
		*h = float32(u.Rate*g) + float32(m*before)
		return float32((1+m)**h) - float32(m*before)
	case gpu.AdaGrad:
		*h += float32(g * g)
		return u.Rate * g / (sqrt(*h) + u.Delta)
	case gpu.RMSProp:
		*h = float32(u.Decay2**h) + float32((1-u.Decay2)*g*g)
		return u.Rate * g / (sqrt(*h) + u.Delta)
	case gpu.AdaDelta:
		*h = float32(m**h) + float32((1-m)*g*g)
		d := g * sqrt((*h2+u.Delta)/(*h+u.Delta))
		*h2 = float32(m**h2) + float32((1-m)*d*d)
		return u.Rate * d
	case gpu.Adam:
		*h = float32(m**h) + float32((1-m)*g)
		*h2 = float32(u.Decay2**h2) + float32((1-u.Decay2)*g*g)
		return u.Rate * u.Correction * *h / (sqrt(*h2) + u.Delta)
	}
	panic("gpu: Update: unknown method")
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// decayTerm is the regulariser's gradient at w.
func decayTerm(u *gpu.UpdateParams, w float32) float32 {
	if !u.L1 {
		return u.Decay * w
	}
	switch {
	case w > 0:
		return u.Decay
	case w < 0:
		return -u.Decay
	}
	return 0
}

// keepBits is all ones where the step is to stay in the gradient; keep gives the step then, and else 0. The loops
// have no branch for it, and the same arithmetic either way: looking at a step does not change it.
func keepBits(stays bool) uint32 { return -bit(stays) }

func keep(step float32, bits uint32) float32 {
	return math.Float32frombits(math.Float32bits(step) & bits)
}

// updateDenseKernel is an update by SGD of a parameter without a mask.
type updateDenseKernel struct{ updateKernel }

func (k *updateDenseKernel) run(lo, hi, _ int) { k.sgd(lo, hi) }

// sgd steps, and leaves forward weights as they are.
func (k *updateKernel) sgd(lo, hi int) {
	u := &k.params
	w, grad, hist := k.w[lo:hi], k.grad[lo:hi], k.history[lo:hi]
	stay := keepBits(u.KeepStep)
	if u.L1 {
		unmasked := *k
		unmasked.masked = nil
		for i := unmasked.stepVectors(lo, hi); i < len(w); i++ {
			v := w[i]
			h := float32(u.Rate*(float32(u.Scale*grad[i])+decayTerm(u, v))) + float32(u.Momentum*hist[i])
			hist[i], w[i], grad[i] = h, v-h, keep(h, stay)
		}
		return
	}
	for i := sgdVectors(w, grad, hist, u.Rate, u.Scale, u.Decay, u.Momentum, stay); i < len(w); i++ {
		v := w[i]
		h := float32(u.Rate*(float32(u.Scale*grad[i])+float32(u.Decay*v))) + float32(u.Momentum*hist[i])
		hist[i], w[i], grad[i] = h, v-h, keep(h, stay)
	}
}

// sgdTheta is sgd with a theta that is not 1.
func (k *updateKernel) sgdTheta(lo, hi int) {
	u := &k.params
	w, grad, hist, masked := k.w[lo:hi], k.grad[lo:hi], k.history[lo:hi], k.masked[lo:hi]
	stay := keepBits(u.KeepStep)
	scales := [2]float32{u.Scale, u.Scale * u.Theta}
	for i := k.stepVectors(lo, hi); i < len(w); i++ {
		v := w[i]
		dec := float32(u.Decay * v)
		if u.L1 {
			dec = decayTerm(u, v)
		}
		h := float32(u.Rate*(float32(scales[bit(gpu.IsPruned(masked[i]))]*grad[i])+dec)) + float32(u.Momentum*hist[i])
		hist[i], w[i], grad[i] = h, v-h, keep(h, stay)
	}
}

// sgdKept is sgd of kept entries; the others rest. Few are kept where it counts, so most of the pass reads masked and
// writes grad: 8 bytes an entry, where sgd moves 20.
func (k *updateKernel) sgdKept(lo, hi int) {
	u := &k.params
	w, grad, hist, masked := k.w[lo:hi], k.grad[lo:hi], k.history[lo:hi], k.masked[lo:hi]
	stay := keepBits(u.KeepStep)
	for i, m := range masked {
		if gpu.IsPruned(m) {
			grad[i] = 0
			continue
		}
		v := w[i]
		h := float32(u.Rate*(float32(u.Scale*grad[i])+decayTerm(u, v))) + float32(u.Momentum*hist[i])
		hist[i], w[i], grad[i] = h, v-h, keep(h, stay)
	}
}

// updateMaskedKernel is an update by SGD of a parameter with a mask.
type updateMaskedKernel struct{ updateKernel }

func (k *updateMaskedKernel) run(lo, hi, _ int) {
	for ; lo < hi; lo += forwardPiece {
		end := min(lo+forwardPiece, hi)
		switch {
		case k.params.Rest:
			k.sgdKept(lo, end)
		case k.params.Theta == 1:
			k.sgd(lo, end)
		default:
			k.sgdTheta(lo, end)
		}
		forwardKept(k.params.Soft, k.masked[lo:end], k.w[lo:end])
	}
}
