package devicetest

import (
	"math"
	"slices"

	"dns-tui/gpu"
)

// softs are forward weights of every kind: hard, by a cut of 0, by p = ∞, and by exponents with code of their own and
// without.
var softs = []gpu.Soft{{}, {Exponent: 3}, {Cut: 0.4}, {Cut: 0.4, Exponent: 1}, {Cut: 0.4, Exponent: 2},
	{Cut: 0.4, Exponent: 3}, {Cut: 0.4, Exponent: 1.7}}

// checkForward compares forward weights with those of s for the weights and the mask: which are pruned bit for bit,
// and, where the exponent has code of its own, their values too.
func (b *bench) checkForward(what string, t *gpu.Tensor, s gpu.Soft, w []float32, mask []bool) {
	b.Helper()
	exact := s.Hard() || s.Exponent == 1 || s.Exponent == 2 || s.Exponent == 3
	for i, v := range b.values(t) {
		want := gpu.Pruned
		if mask[i] {
			want = s.Forward(w[i])
		}
		same := math.Float32bits(v) == math.Float32bits(want)
		if !exact && gpu.IsPruned(v) == gpu.IsPruned(want) {
			same = same || math.Abs(float64(v-want)) <= 1e-5*math.Abs(float64(want))
		}
		if !same {
			b.Fatalf("%s with %+v: [%d] is %g of %g, wanted %g", what, s, i, v, w[i], want)
		}
	}
}

// softUpdate checks theta and the forward weights of Update by every method.
func softUpdate(b *bench) {
	for method := gpu.SGD; method <= gpu.Adam; method++ {
		for at, s := range softs {
			const n = 5000
			p := gpu.UpdateParams{
				Method: method, Rate: 0.1, Momentum: 0.9, Delta: 1e-3, Decay2: 0.99, Correction: 0.5, Decay: 0.01,
				L1: at%2 == 1, Scale: 0.5, Theta: []float32{0, 0.25, 1}[at%3], Soft: s,
			}
			w, g, h, h2 := b.random(n), b.random(n), b.random(n), make([]float32, n)
			w[0] = 0
			for i := range h { // sums of squares, for most
				h[i], h2[i] = h[i]*h[i], h[i]*h[i]*0.5
			}
			m, mask := masked(w)
			// What the gradient of a pruned weight is multiplied by must do what a smaller gradient does.
			scaled := make([]float32, n)
			for i := range g {
				scaled[i] = g[i]
				if !mask[i] {
					scaled[i] *= p.Theta
				}
			}
			plain := p
			plain.Theta, plain.Soft = 1, gpu.Soft{}
			tw, tg, th, th2, tm := b.tensor(w), b.tensor(g), b.tensor(h), b.tensor(h2), b.tensor(m)
			ew, eg, eh, eh2 := b.tensor(w), b.tensor(scaled), b.tensor(h), b.tensor(h2)
			if method.Histories() == 1 {
				th2, eh2 = nil, nil
			}
			b.d.Update(p, tw, tg, th, th2, tm)
			b.d.Update(plain, ew, eg, eh, eh2, nil)
			b.checkValues("Update with theta", b.values(tw), widen(b.values(ew)))
			b.checkValues("Update history with theta", b.values(th), widen(b.values(eh)))
			b.checkForward("Update", tm, s, b.values(tw), mask)
		}
	}
}

func widen(v []float32) []float64 {
	return each(len(v), func(i int) float64 { return float64(v[i]) })
}

// softSurgery checks the soft rule: masks, forward weights, counts, what is measured, bins by magnitude.
func softSurgery(b *bench) {
	for _, n := range []int{6, 1000, 50001} {
		for _, s := range softs {
			w, c := b.random(n), b.random(n/3)
			w[1], w[2] = 0, -s.Cut
			mw, maskW := masked(w)
			mc, maskC := masked(c)
			tw, tmw, tc, tmc := b.tensor(w), b.tensor(mw), b.tensor(c), b.tensor(mc)
			var r gpu.SurgeryResult
			p := gpu.SurgeryParams{Rule: gpu.SoftRule, Soft: s, Redraw: true, Histogram: true, ByMagnitude: true}
			b.surgery(&p, tw, tmw, tc, tmc, &r)
			mean, std := moments(w)
			b.checkValues("soft surgery: mean and sigma", []float32{r.Mu, r.Sigma}, []float64{mean, std})
			kept, pruned, spliced := 0, 0, 0
			redraw := func(v []float32, mask []bool) {
				for i, x := range v {
					keep := !(math.Abs(float64(x)) <= float64(s.Cut))
					kept += count(keep)
					pruned += count(mask[i] && !keep)
					spliced += count(!mask[i] && keep)
					mask[i] = keep
				}
			}
			redraw(w, maskW)
			redraw(c, maskC)
			b.checkCounts(&r, len(w)+len(c), kept, pruned, spliced)
			b.checkForward("soft surgery: weights", tmw, s, w, maskW)
			b.checkForward("soft surgery: bias", tmc, s, c, maskC)
			b.checkMagnitudes(&r, slices.Concat(w, c), slices.Concat(maskW, maskC), 0)
			// What is measured stays; forward weights are those of another cut, and masks as they are.
			other := gpu.Soft{Cut: 0.5, Exponent: 3}
			p = gpu.SurgeryParams{
				Rule: gpu.SoftRule, Soft: other, Measured: true, Mu: 0.25, Sigma: 0.125, Rewrite: true,
			}
			b.surgery(&p, tw, tmw, tc, tmc, &r)
			b.checkCounts(&r, len(w)+len(c), kept, 0, 0)
			b.checkForward("rewritten weights", tmw, other, w, maskW)
			b.checkForward("rewritten bias", tmc, other, c, maskC)
			if r.Mu != 0.25 || r.Sigma != 0.125 {
				b.Fatalf("soft surgery measured mu %g sigma %g again", r.Mu, r.Sigma)
			}
		}
	}
	seedMagnitudes(b)
}

// seedMagnitudes checks bins by magnitude under the seed rule: of distances from the mean.
func seedMagnitudes(b *bench) {
	w := b.random(20000)
	m, mask := masked(w)
	tw, tm := b.tensor(w), b.tensor(m)
	var r gpu.SurgeryResult
	b.surgery(&gpu.SurgeryParams{Histogram: true, ByMagnitude: true}, tw, tm, nil, nil, &r)
	b.checkMagnitudes(&r, w, mask, r.Mu)
}

// checkMagnitudes compares bins by magnitude with those of |w - center|.
func (b *bench) checkMagnitudes(r *gpu.SurgeryResult, w []float32, mask []bool, center float32) {
	b.Helper()
	kept, pruned := make([]uint32, gpu.HistogramBins), make([]uint32, gpu.HistogramBins)
	for i, v := range w {
		if mask[i] {
			kept[gpu.MagnitudeBin(v-center)]++
		} else {
			pruned[gpu.MagnitudeBin(v-center)]++
		}
	}
	for i := range kept {
		if r.KeptAt[i] != kept[i] || r.PrunedAt[i] != pruned[i] {
			b.Fatalf("bin %d by magnitude: %d kept, %d pruned, wanted %d and %d",
				i, r.KeptAt[i], r.PrunedAt[i], kept[i], pruned[i])
		}
	}
}
