package devicetest

import (
	"fmt"
	"math"

	"dns-tui/gpu"
)

// masked returns forward weights of w with every third entry pruned, and the mask.
func masked(w []float32) (m []float32, mask []bool) {
	m, mask = make([]float32, len(w)), make([]bool, len(w))
	for i := range w {
		mask[i] = i%3 != 0
		m[i] = gpu.Pruned
		if mask[i] {
			m[i] = gpu.Kept(w[i])
		}
	}
	return m, mask
}

// checkMasked compares forward weights bit for bit: where pruned -0, else the weight.
func (b *bench) checkMasked(what string, t *gpu.Tensor, w []float32, mask []bool) {
	b.Helper()
	for i, v := range b.values(t) {
		switch {
		case gpu.IsPruned(v) == mask[i]:
			b.Fatalf("%s[%d] is %g: pruned %t, wanted %t", what, i, v, gpu.IsPruned(v), !mask[i])
		case mask[i] && v != w[i]:
			b.Fatalf("%s[%d] is %g, wanted the weight %g", what, i, v, w[i])
		}
	}
}

func update(b *bench) {
	for _, n := range sizes {
		for _, l1 := range []bool{false, true} {
			for _, withMask := range []bool{false, true} {
				p := gpu.UpdateParams{Rate: 0.1, Momentum: 0.9, Decay: 0.01, L1: l1, Scale: 0.5, Theta: 1}
				w, g, h := b.random(n), b.random(n), b.random(n)
				w[0] = 0
				tw, tg, th := b.tensor(w), b.tensor(g), b.tensor(h)
				m, mask := masked(w)
				var tm *gpu.Tensor
				if withMask {
					tm = b.tensor(m)
				}
				p.KeepStep = n == sizes[0]
				b.d.Update(p, tw, tg, th, nil, tm)
				hist := each(n, func(i int) float64 {
					dec := 0.01 * float64(w[i])
					if l1 {
						dec = 0.01 * float64(sign(w[i]))
					}
					return 0.1*(0.5*float64(g[i])+dec) + 0.9*float64(h[i])
				})
				b.check("Update history", th, hist)
				b.check("Update weights", tw, each(n, func(i int) float64 { return float64(w[i]) - hist[i] }))
				left := make([]float64, n)
				if p.KeepStep {
					left = hist
				}
				b.check("Update gradient", tg, left)
				if withMask {
					b.checkMasked("Update masked", tm, b.values(tw), mask)
				}
			}
		}
	}
}

// methods checks the steps of the solvers other than SGD, over three updates.
func methods(b *bench) {
	const n = 20001
	for _, method := range []gpu.Method{gpu.Nesterov, gpu.AdaGrad, gpu.RMSProp, gpu.AdaDelta, gpu.Adam} {
		for _, withMask := range []bool{false, true} {
			p := gpu.UpdateParams{
				Method:     method,
				Rate:       0.1,
				Momentum:   0.9,
				Delta:      0.01,
				Decay2:     0.99,
				Correction: 0.7,
				Decay:      0.01,
				Scale:      0.5,
				Theta:      1,
			}
			w := b.random(n)
			m, mask := masked(w)
			tw, th, th2 := b.tensor(w), b.tensor(make([]float32, n)), b.tensor(make([]float32, n))
			var tm *gpu.Tensor
			if withMask {
				tm = b.tensor(m)
			}
			want, h, h2 := wide(w), make([]float64, n), make([]float64, n)
			for step := range 3 {
				g := b.random(n)
				tg := b.tensor(g)
				p.KeepStep = step == 1
				b.d.Update(p, tw, tg, th, th2, tm)
				left := make([]float64, n)
				for i := range want {
					d := methodStep(method, 0.5*float64(g[i])+0.01*want[i], &h[i], &h2[i])
					want[i] -= d
					if p.KeepStep {
						left[i] = d
					}
				}
				b.check("Update gradient", tg, left)
			}
			name := fmt.Sprintf("method %d", method)
			b.check(name+" weights", tw, want)
			b.check(name+" history", th, h)
			if method.Histories() > 1 {
				b.check(name+" second history", th2, h2)
			}
			if withMask {
				b.checkMasked(name+" masked", tm, b.values(tw), mask)
			}
		}
	}
}

// methodStep is one step of a method with the numbers of methods, by Caffe's formulas.
func methodStep(m gpu.Method, g float64, h, h2 *float64) float64 {
	const rate, mom, delta, decay2, correction = 0.1, 0.9, 0.01, 0.99, 0.7
	switch m {
	case gpu.Nesterov:
		before := *h
		*h = mom*before + rate*g
		return *h + mom*(*h-before)
	case gpu.AdaGrad:
		*h += g * g
		return rate * g / (math.Sqrt(*h) + delta)
	case gpu.RMSProp:
		*h = decay2*(*h) + (1-decay2)*g*g
		return rate * g / (math.Sqrt(*h) + delta)
	case gpu.AdaDelta:
		*h = mom*(*h) + (1-mom)*g*g
		u := g * math.Sqrt((*h2+delta)/(*h+delta))
		*h2 = mom*(*h2) + (1-mom)*u*u
		return rate * u
	}
	*h = mom*(*h) + (1-mom)*g
	*h2 = decay2*(*h2) + (1-decay2)*g*g
	return rate * correction * *h / (math.Sqrt(*h2) + delta)
}

func sign(v float32) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

func seedSurgery(b *bench) {
	for _, n := range []int{5, 1000, 70001} {
		for _, t := range []float32{0, 0.6, 1.281, 5} {
			w := b.random(n)
			w[1] = 0
			m, mask := masked(w)
			tw, tm := b.tensor(w), b.tensor(m)
			mean, std := moments(w)
			var r gpu.SurgeryResult
			b.surgery(
				&gpu.SurgeryParams{Rule: gpu.SeedRule, Threshold: t, Redraw: true, Histogram: true},
				tw,
				tm,
				nil,
				nil,
				&r,
			)
			b.checkValues("Surgery mean and sigma", []float32{r.Mu, r.Sigma}, []float64{mean, std})
			low, high := (&gpu.SurgeryParams{Rule: gpu.SeedRule, Threshold: t}).Limits(r.Mu, r.Sigma)
			kept, pruned, spliced := 0, 0, 0
			for i, v := range w {
				keep := !(float32(low) < v && v < float32(high))
				kept += count(keep)
				pruned += count(mask[i] && !keep)
				spliced += count(!mask[i] && keep)
				mask[i] = keep
			}
			b.checkCounts(&r, n, kept, pruned, spliced)
			b.checkMasked("Surgery", tm, w, mask)
			b.checkHistogram(&r, w, mask, float64(r.Mu))
			// Looking changes nothing.
			b.surgery(&gpu.SurgeryParams{Rule: gpu.SeedRule, Threshold: 9}, tw, tm, nil, nil, &r)
			b.checkCounts(&r, n, kept, 0, 0)
			b.checkMasked("Surgery without Redraw", tm, w, mask)
		}
	}
}

// surgery does one and waits for its result.
func (b *bench) surgery(p *gpu.SurgeryParams, w, masked, c, maskedC *gpu.Tensor, r *gpu.SurgeryResult) {
	b.Helper()
	b.d.Surgery(p, w, masked, c, maskedC, r)
	if err := b.d.Sync(); err != nil {
		b.Fatal(err)
	}
}

func moments(w []float32) (mean, std float64) {
	for _, v := range w {
		mean += float64(v) / float64(len(w))
	}
	for _, v := range w {
		std += math.Pow(float64(v)-mean, 2) / float64(len(w))
	}
	return mean, math.Sqrt(std)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (b *bench) checkCounts(r *gpu.SurgeryResult, total, kept, pruned, spliced int) {
	b.Helper()
	if r.Total != total || r.Kept != kept || r.Pruned != pruned || r.Spliced != spliced {
		b.Fatalf(
			"Surgery: total %d kept %d pruned %d spliced %d, wanted %d %d %d %d",
			r.Total,
			r.Kept,
			r.Pruned,
			r.Spliced,
			total,
			kept,
			pruned,
			spliced,
		)
	}
}

// checkHistogram checks the sums of the bins, and the bins but for entries that lie within rounding of an edge.
func (b *bench) checkHistogram(r *gpu.SurgeryResult, w []float32, mask []bool, mu float64) {
	b.Helper()
	sums := [2]int{}
	for i := range r.KeptAt {
		sums[0] += int(r.KeptAt[i])
		sums[1] += int(r.PrunedAt[i])
	}
	kept, below, edge := 0, 0, 0
	const at = 1.2 // standard deviations
	for i, v := range w {
		kept += count(mask[i])
		d := math.Abs(float64(v)-mu) / float64(r.Sigma)
		below += count(d < at)
		edge += count(math.Abs(d-at) < 1e-5)
	}
	if sums[0] != kept || sums[1] != len(w)-kept {
		b.Fatalf("histogram: %d kept and %d pruned, wanted %d and %d", sums[0], sums[1], kept, len(w)-kept)
	}
	have := 0
	for i := range int(math.Round(at / gpu.HistogramWidth)) {
		have += int(r.KeptAt[i] + r.PrunedAt[i])
	}
	if have < below-edge || have > below+edge {
		b.Fatalf("histogram: %d entries within %g sigma, wanted %d", have, at, below)
	}
}

func paperSurgery(b *bench) {
	for _, n := range []int{6, 1000, 50001} {
		for _, rate := range []float32{-10, -0.5, 0.2, 1} {
			w, c := b.random(n), b.random(n/3)
			w[1] = 0
			mw, maskW := masked(w)
			mc, maskC := masked(c)
			tw, tmw, tc, tmc := b.tensor(w), b.tensor(mw), b.tensor(c), b.tensor(mc)
			mu, sigma := absMoments(
				append(append([]float32(nil), w...), c...),
				append(append([]bool(nil), maskW...), maskC...),
			)
			var r gpu.SurgeryResult
			p := gpu.SurgeryParams{Rule: gpu.PaperRule, Threshold: rate, Redraw: true}
			b.surgery(&p, tw, tmw, tc, tmc, &r)
			b.checkValues("Surgery mean and sigma of |x|", []float32{r.Mu, r.Sigma}, []float64{mu, sigma})
			low, high := p.Limits(r.Mu, r.Sigma)
			kept, pruned, spliced := 0, 0, 0
			redraw := func(v []float32, mask []bool) {
				for i, x := range v {
					a := math.Abs(float64(x))
					switch {
					case mask[i] && a <= low:
						mask[i] = false
						pruned++
					case !mask[i] && a > high:
						mask[i] = true
						spliced++
					}
					kept += count(mask[i])
				}
			}
			redraw(w, maskW)
			redraw(c, maskC)
			b.checkCounts(&r, len(w)+len(c), kept, pruned, spliced)
			b.checkMasked("Surgery weights", tmw, w, maskW)
			b.checkMasked("Surgery bias", tmc, c, maskC)
			// Statistics that were measured before are used, not measured again.
			p = gpu.SurgeryParams{Rule: gpu.PaperRule, Measured: true, Mu: 0.25, Sigma: 0.125, Threshold: 1}
			b.surgery(&p, tw, tmw, tc, tmc, &r)
			if r.Mu != 0.25 || r.Sigma != 0.125 {
				b.Fatalf("Surgery measured mu %g sigma %g again", r.Mu, r.Sigma)
			}
		}
	}
}

// absMoments are the mean and standard deviation of |x| over the unmasked non-zero entries.
func absMoments(v []float32, mask []bool) (mu, sigma float64) {
	n := 0.0
	for i, x := range v {
		if mask[i] && x != 0 {
			n++
			mu += math.Abs(float64(x))
		}
	}
	mu /= math.Max(n, 1)
	for i, x := range v {
		if mask[i] && x != 0 {
			sigma += math.Pow(math.Abs(float64(x))-mu, 2)
		}
	}
	return mu, math.Sqrt(sigma / math.Max(n, 1))
}

// gates checks that a loss that is not finite stops updates and surgery, and that nothing else does.
func gates(b *bench) {
	for _, c := range []struct {
		value float64
		open  bool
	}{{0, true}, {-3, true}, {math.NaN(), false}, {math.Inf(1), false}, {math.Inf(-1), false}} {
		const n = 3000
		w, g, h := b.random(n), b.random(n), b.random(n)
		m, mask := masked(w)
		gate := b.tensor([]float32{float32(c.value)})
		tw, tg, th, tm := b.tensor(w), b.tensor(g), b.tensor(h), b.tensor(m)
		b.d.Update(gpu.UpdateParams{Rate: 0.1, Momentum: 0.5, Scale: 1, Theta: 1, Gate: gate}, tw, tg, th, nil, tm)
		b.check("Update gradient", tg, make([]float64, n))
		b.check("Update weights", tw, each(n, func(i int) float64 {
			if !c.open {
				return float64(w[i])
			}
			return float64(w[i]) - 0.1*float64(g[i]) - 0.5*float64(h[i])
		}))
		var r gpu.SurgeryResult
		b.surgery(
			&gpu.SurgeryParams{Rule: gpu.SeedRule, Threshold: 100, Redraw: true, Gate: gate},
			tw,
			tm,
			nil,
			nil,
			&r,
		)
		if c.open != (r.Kept == 0) {
			b.Errorf("Surgery with gate %g kept %d", c.value, r.Kept)
		}
		if !c.open {
			b.checkMasked("Surgery behind a gate", tm, w, mask)
		}
	}
}

// batches checks that updates and surgeries in a row do not meet, whatever their number.
func batches(b *bench) {
	const parameters = 170
	type layer struct {
		w, c        []float32
		tw, tg, th  *gpu.Tensor
		tm, tc, tcm *gpu.Tensor
		rate, t     float32
		result      gpu.SurgeryResult
	}
	layers := make([]layer, parameters)
	for i := range layers {
		n := 10 + 37*i
		l := layer{w: b.random(n), c: b.random(3), rate: 0.01 * float32(i), t: 0.02 * float32(i)}
		l.tw, l.tg, l.th, l.tm = b.tensor(l.w), b.tensor(l.w), b.tensor(make([]float32, n)), b.tensor(l.w)
		l.tc, l.tcm = b.tensor(l.c), b.tensor(l.c)
		layers[i] = l
	}
	for i := range layers {
		l := &layers[i]
		b.d.Update(gpu.UpdateParams{Rate: l.rate, Scale: 1, Theta: 1}, l.tw, l.tg, l.th, nil, l.tm)
	}
	for i := range layers {
		l := &layers[i]
		p := gpu.SurgeryParams{Rule: gpu.Rule(i % 3), Threshold: l.t, Redraw: true, Histogram: i > parameters/2}
		if p.Rule == gpu.SoftRule {
			p.Soft, p.ByMagnitude = gpu.Soft{Cut: l.t, Exponent: 3}, i%2 == 0
		}
		b.d.Surgery(&p, l.tw, l.tm, l.tc, l.tcm, &l.result)
	}
	if err := b.d.Sync(); err != nil {
		b.Fatal(err)
	}
	for i := range layers {
		l := &layers[i]
		b.check(
			fmt.Sprint("Update of parameter ", i),
			l.tw,
			each(len(l.w), func(k int) float64 { return float64(l.w[k]) * (1 - float64(l.rate)) }),
		)
		kept := 0
		for _, v := range b.values(l.tm) {
			kept += count(!gpu.IsPruned(v))
		}
		bias := gpu.Rule(i % 3).PrunesBias()
		if bias {
			for _, v := range b.values(l.tcm) {
				kept += count(!gpu.IsPruned(v))
			}
		}
		if i > parameters/2 {
			binned := 0
			for _, n := range l.result.KeptAt {
				binned += int(n)
			}
			if binned != kept {
				b.Errorf("surgery of layer %d: its histogram has %d kept entries, wanted %d", i, binned, kept)
			}
		}
		if total := len(l.w) + count(bias)*len(l.c); l.result.Total != total || l.result.Kept != kept {
			b.Errorf(
				"surgery of layer %d: total %d kept %d, wanted %d and %d",
				i,
				l.result.Total,
				l.result.Kept,
				total,
				kept,
			)
		}
	}
}

// farthest checks the largest distances of each output, of rows and of columns.
func farthest(b *bench) {
	for _, g := range []gpu.Outputs{
		{Outputs: 1, Inputs: 1}, {Outputs: 20, Inputs: 25}, {Outputs: 7, Inputs: 1500},
		{Outputs: 300, Inputs: 33, Transposed: true},
	} {
		for _, center := range []float32{0, 0.25} {
			n := g.Outputs * g.Inputs
			w := b.random(n)
			m, mask := masked(w)
			at := func(o, i int) int {
				if g.Transposed {
					return i*g.Outputs + o
				}
				return o*g.Inputs + i
			}
			for i := range g.Inputs { // an output with nothing left, and one with nothing pruned
				m[at(0, i)], mask[at(0, i)] = gpu.Pruned, false
				if g.Outputs > 1 {
					m[at(1, i)], mask[at(1, i)] = gpu.Kept(w[at(1, i)]), true
				}
			}
			none := func(int) float64 { return -1 }
			kept, pruned, all := each(g.Outputs, none), each(g.Outputs, none), each(g.Outputs, none)
			for o := range g.Outputs {
				for i := range g.Inputs {
					d := math.Abs(float64(w[at(o, i)]) - float64(center))
					all[o] = max(all[o], d)
					if mask[at(o, i)] {
						kept[o] = max(kept[o], d)
					} else {
						pruned[o] = max(pruned[o], d)
					}
				}
			}
			tw, tk, tp := b.tensor(w), b.tensor(make([]float32, g.Outputs)), b.tensor(make([]float32, g.Outputs))
			b.d.Farthest(g, center, tw, b.tensor(m), tk, tp)
			b.check("Farthest kept", tk, kept)
			b.check("Farthest pruned", tp, pruned)
			b.d.Farthest(g, center, tw, nil, tk, tp)
			b.check("Farthest without a mask", tk, all)
		}
	}
}
