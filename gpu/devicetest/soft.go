package devicetest

import (
	"math"
	"slices"

	"dns-tui/gpu"
)

// softs are forward weights of every kind: hard, by a cut of 0, by p = ∞, and by exponents with code of their own and
// without.
var softs = []gpu.Soft{{}, {Exponent: 3}, {Cut: 0.4}, {Cut: 0.4, Exponent: 1}, {Cut: 0.4, Exponent: 2},
	{Cut: 0.4, Exponent: 3}, {Cut: 0.4, Exponent: 1.7}, {Cut: 0.01, Exponent: 1.1}, {Cut: 0.4, Exponent: 100}}

// around are weights where forward weights lose digits most easily: next to a cut, and a little off.
func around(cut float32) []float32 {
	next := math.Nextafter32(cut, 2)
	return []float32{cut, -cut, next, -next, math.Nextafter32(next, 2), cut * (1 + 1e-5), -cut * (1 + 1e-3), 0}
}

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
				L1: at%2 == 1, Scale: 0.5, Theta: []float32{0, 0.25, 1}[at%3], Rest: at%4 > 1, Soft: s,
				KeepStep: at%5 > 2,
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
			plain.Theta, plain.Soft, plain.Rest = 1, gpu.Soft{}, false
			tw, tg, th, th2, tm := b.tensor(w), b.tensor(g), b.tensor(h), b.tensor(h2), b.tensor(m)
			ew, eg, eh, eh2 := b.tensor(w), b.tensor(scaled), b.tensor(h), b.tensor(h2)
			if method.Histories() == 1 {
				th2, eh2 = nil, nil
			}
			b.d.Update(p, tw, tg, th, th2, tm)
			b.d.Update(plain, ew, eg, eh, eh2, nil)
			stays := func(before []float32, after *gpu.Tensor) []float64 { // what rests is as before
				want := widen(b.values(after))
				for i := range want {
					if p.Rest && !mask[i] {
						want[i] = float64(before[i])
					}
				}
				return want
			}
			b.checkValues("Update with theta", b.values(tw), stays(w, ew))
			b.checkValues("Update step with theta", b.values(tg), stays(make([]float32, n), eg))
			b.checkValues("Update history with theta", b.values(th), stays(h, eh))
			if th2 != nil {
				b.checkValues("Update second history with theta", b.values(th2), stays(h2, eh2))
			}
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
			copy(w[1:], around(s.Cut))
			copy(c, around(s.Cut))
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
	softRepeats(b)
	softRow(b)
}

// softRepeats does the same work several times with another cut, exponent and theta: a device that records its work
// may not record them.
func softRepeats(b *bench) {
	const n = 5000
	w, c := b.random(n), b.random(50)
	mw, maskW := masked(w)
	mc, maskC := masked(c)
	tw, tmw, tc, tmc := b.tensor(w), b.tensor(mw), b.tensor(c), b.tensor(mc)
	tg, th, gate := b.tensor(make([]float32, n)), b.tensor(make([]float32, n)), b.tensor([]float32{0})
	for round := range 5 {
		s := gpu.Soft{Cut: 0.1 * float32(round+1), Exponent: []float32{1, 3, 0, 2, 1.5}[round]}
		p := gpu.SurgeryParams{Rule: gpu.SoftRule, Soft: s, Measured: true, Redraw: true, Gate: gate}
		var r gpu.SurgeryResult
		b.surgery(&p, tw, tmw, tc, tmc, &r)
		for at, v := range [][]float32{b.values(tw), c} {
			for i, x := range v {
				[][]bool{maskW, maskC}[at][i] = !(math.Abs(float64(x)) <= float64(s.Cut))
			}
		}
		b.checkForward("weights of a round", tmw, s, b.values(tw), maskW)
		b.checkForward("bias of a round", tmc, s, c, maskC)
		s.Exponent, s.Cut = 4-s.Exponent, s.Cut/2
		p.Soft, p.Redraw, p.Rewrite = s, false, true
		b.surgery(&p, tw, tmw, tc, tmc, &r)
		b.checkForward("rewritten weights of a round", tmw, s, b.values(tw), maskW)
		theta := 0.25 * float32(round)
		before, g := b.values(tw), b.random(n)
		b.d.Upload(tg, g)
		b.d.Fill(th, 0)
		b.d.Update(gpu.UpdateParams{Rate: 1, Scale: 0.5, Theta: theta, Soft: s, Gate: gate}, tw, tg, th, nil, tmw)
		b.check("Update of a round", tw, each(n, func(i int) float64 {
			if maskW[i] {
				return float64(before[i]) - 0.5*float64(g[i])
			}
			return float64(before[i]) - 0.5*float64(theta)*float64(g[i])
		}))
		b.checkForward("Update of a round", tmw, s, b.values(tw), maskW)
		// Behind a gate nothing moves.
		b.d.Upload(gate, []float32{float32(math.Inf(1))})
		p.Soft = gpu.Soft{}
		b.surgery(&p, tw, tmw, tc, tmc, &r)
		b.d.Update(gpu.UpdateParams{Rate: 1, Scale: 1, Theta: 1, Gate: gate}, tw, tg, th, nil, tmw)
		b.checkForward("behind a gate", tmw, s, b.values(tw), maskW)
		b.d.Upload(gate, []float32{0})
	}
}

// softRow does surgeries of one layer in a row, and of others between them, without waiting: each must find what the
// one before it left, whatever a device makes one of.
func softRow(b *bench) {
	const n = 3000
	w, other := b.random(n), b.random(n)
	m, mask := masked(w)
	tw, tm, to, tom := b.tensor(w), b.tensor(m), b.tensor(other), b.tensor(other)
	cut := gpu.Soft{Cut: 0.5, Exponent: 3}
	var r [5]gpu.SurgeryResult
	for i, p := range []gpu.SurgeryParams{
		{Rule: gpu.SoftRule, Measured: true, Sigma: 1},
		{Rule: gpu.SoftRule, Soft: cut, Redraw: true, Measured: true, Sigma: 1},
		{Rule: gpu.SoftRule, Soft: gpu.Soft{Cut: 0.25, Exponent: 1}, Redraw: true, Measured: true, Sigma: 1},
		{Rule: gpu.SoftRule, Measured: true, Sigma: 1},
		{Rule: gpu.SoftRule, Soft: gpu.Soft{Cut: 0.125, Exponent: 2}, Rewrite: true, Measured: true, Sigma: 1},
	} {
		b.d.Surgery(&p, tw, tm, nil, nil, &r[i])
		if i == 2 {
			b.d.Surgery(
				&gpu.SurgeryParams{Rule: gpu.SoftRule, Soft: cut, Redraw: true},
				to,
				tom,
				nil,
				nil,
				new(gpu.SurgeryResult),
			)
		}
	}
	if err := b.d.Sync(); err != nil {
		b.Fatal(err)
	}
	keptBy := func(c float64) (kept int) {
		for _, v := range w {
			kept += count(math.Abs(float64(v)) > c)
		}
		return kept
	}
	before, pruned, spliced := 0, 0, 0
	for i, v := range w {
		before += count(mask[i])
		pruned += count(mask[i] && !(math.Abs(float64(v)) > 0.5))
		spliced += count(!mask[i] && math.Abs(float64(v)) > 0.5)
		mask[i] = math.Abs(float64(v)) > 0.25
	}
	half, quarter := keptBy(0.5), keptBy(0.25)
	b.checkCounts(&r[0], n, before, 0, 0)
	b.checkCounts(&r[1], n, half, pruned, spliced)
	b.checkCounts(&r[2], n, quarter, 0, quarter-half)
	b.checkCounts(&r[3], n, quarter, 0, 0)
	b.checkCounts(&r[4], n, quarter, 0, 0)
	b.checkForward("after surgeries in a row", tm, gpu.Soft{Cut: 0.125, Exponent: 2}, w, mask)
	for i := range mask {
		mask[i] = math.Abs(float64(other[i])) > 0.5
	}
	b.checkForward("a layer between them", tom, cut, other, mask)
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
