package host

import (
	"math"

	"dns-tui/gpu"
)

// Update implements gpu.Train.
func (d *Device) Update(u gpu.UpdateParams, w, grad, h, h2, masked *gpu.Tensor) {
	gpu.Want("Update", "grad", grad, w.N)
	gpu.Want("Update", "h", h, w.N)
	if u.Method.Histories() > 1 {
		gpu.Want("Update", "h2", h2, w.N)
	}
	gpu.WantOptional("Update", "masked", masked, w.N)
	if shut(u.Gate) {
		d.Fill(grad, 0)
		return
	}
	p := d.start()
	p.x, p.y, p.z, p.v, p.u, p.update = slice(w), slice(grad), slice(h), slice(h2), slice(masked), u
	fn := kernel(updateAny)
	switch {
	case u.Method == gpu.SGD && masked == nil:
		fn = updateDense
	case u.Method == gpu.SGD:
		fn = updateMasked
	}
	d.pool.run(w.N, grain, fn, p)
}

// shut reports whether a gate is not finite.
func shut(gate *gpu.Tensor) bool {
	if gate == nil {
		return false
	}
	v := slice(gate)[0]
	return v-v != 0
}

// updateAny is Update for the methods other than SGD.
func updateAny(p *args, lo, hi, _ int) {
	u := p.update
	w, grad, hist := p.x[lo:hi], p.y[lo:hi], p.z[lo:hi]
	stay := keepBits(u.KeepStep)
	for i, v := range w {
		g := u.Scale * grad[i]
		if u.L1 {
			g += decayTerm(&u, v)
		} else {
			g += u.Decay * v
		}
		var second *float32
		if p.v != nil {
			second = &p.v[lo+i]
		}
		d := step(&u, g, &hist[i], second)
		v -= d
		w[i], grad[i] = v, keep(d, stay)
		if p.u != nil && !gpu.IsPruned(p.u[lo+i]) {
			p.u[lo+i] = gpu.Kept(v)
		}
	}
}

// step returns what a method takes off a weight with gradient g, and moves its history on. See gpu.Method.
func step(u *gpu.UpdateParams, g float32, h, h2 *float32) float32 {
	m := u.Momentum
	switch u.Method {
	case gpu.Nesterov:
		before := *h
		*h = u.Rate*g + m*before
		return (1+m)**h - m*before
	case gpu.AdaGrad:
		*h += g * g
		return u.Rate * g / (sqrt(*h) + u.Delta)
	case gpu.RMSProp:
		*h = u.Decay2**h + (1-u.Decay2)*g*g
		return u.Rate * g / (sqrt(*h) + u.Delta)
	case gpu.AdaDelta:
		*h = m**h + (1-m)*g*g
		d := g * sqrt((*h2+u.Delta)/(*h+u.Delta))
		*h2 = m**h2 + (1-m)*d*d
		return u.Rate * d
	case gpu.Adam:
		*h = m**h + (1-m)*g
		*h2 = u.Decay2**h2 + (1-u.Decay2)*g*g
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

func updateDense(p *args, lo, hi, _ int) {
	u := p.update
	w, grad, hist := p.x[lo:hi], p.y[lo:hi], p.z[lo:hi]
	stay := keepBits(u.KeepStep)
	if u.L1 {
		for i, v := range w {
			h := u.Rate*(u.Scale*grad[i]+decayTerm(&u, v)) + u.Momentum*hist[i]
			hist[i], w[i], grad[i] = h, v-h, keep(h, stay)
		}
		return
	}
	for i, v := range w {
		h := u.Rate*(u.Scale*grad[i]+u.Decay*v) + u.Momentum*hist[i]
		hist[i], w[i], grad[i] = h, v-h, keep(h, stay)
	}
}

func updateMasked(p *args, lo, hi, _ int) {
	u := p.update
	w, grad, hist, masked := p.x[lo:hi], p.y[lo:hi], p.z[lo:hi], p.u[lo:hi]
	stay := keepBits(u.KeepStep)
	for i, v := range w {
		var dec float32
		if u.L1 {
			dec = decayTerm(&u, v)
		} else {
			dec = u.Decay * v
		}
		h := u.Rate*(u.Scale*grad[i]+dec) + u.Momentum*hist[i]
		v -= h
		hist[i], w[i], grad[i] = h, v, keep(h, stay)
		if !gpu.IsPruned(masked[i]) {
			masked[i] = gpu.Kept(v)
		}
	}
}

// Surgery implements gpu.Train.
func (d *Device) Surgery(s *gpu.SurgeryParams, w, masked, b, maskedB *gpu.Tensor, r *gpu.SurgeryResult) {
	gpu.Want("Surgery", "masked", masked, w.N)
	if b != nil {
		gpu.Want("Surgery", "maskedB", maskedB, b.N)
	}
	*r = gpu.SurgeryResult{KeptAt: r.KeptAt, MaskedAt: r.MaskedAt, Mu: s.Mu, Sigma: s.Sigma}
	if !s.Measured || s.Rule == gpu.SeedRule {
		if s.Rule == gpu.SeedRule {
			r.Mu, r.Sigma = d.seedStats(w)
		} else {
			r.Mu, r.Sigma = d.paperStats(w, masked, b, maskedB)
		}
	}
	low, high := gpu.Limits(s.Rule, s.Threshold, r.Mu, r.Sigma)
	d.redraw(s, low, high, w, masked, r)
	if s.Rule == gpu.PaperRule && b != nil {
		d.redraw(s, low, high, b, maskedB, r)
	}
	if s.Histogram {
		if len(r.KeptAt) != gpu.HistogramBins {
			r.KeptAt, r.MaskedAt = make([]uint32, gpu.HistogramBins), make([]uint32, gpu.HistogramBins)
		}
		clear(r.KeptAt)
		clear(r.MaskedAt)
		histogram(s.Rule, r, slice(w), slice(masked))
		if s.Rule == gpu.PaperRule && b != nil {
			histogram(s.Rule, r, slice(b), slice(maskedB))
		}
	}
}

// seedStats returns the mean and the population standard deviation of w.
func (d *Device) seedStats(w *gpu.Tensor) (mu, sigma float32) {
	p := d.start()
	p.x = slice(w)
	pieces := (w.N + grain - 1) / grain
	p.partial = d.partials(pieces)
	d.pool.run(w.N, grain, func(p *args, lo, hi, _ int) { p.partial[lo/p.grain] = sum32(p.x[lo:hi]) }, p)
	mu = float32(sum(p.partial) / float64(w.N))
	p.a = mu
	d.pool.run(w.N, grain, func(p *args, lo, hi, _ int) { p.partial[lo/p.grain] = squares32(p.x[lo:hi], p.a) }, p)
	return mu, float32(math.Sqrt(sum(p.partial) / float64(w.N)))
}

// paperStats returns the mean and standard deviation of |x| over the unmasked non-zero entries of weights and bias.
func (d *Device) paperStats(w, masked, b, maskedB *gpu.Tensor) (mu, sigma float32) {
	var n, s, sq float64
	for _, t := range [2][2]*gpu.Tensor{{w, masked}, {b, maskedB}} {
		if t[0] == nil {
			continue
		}
		p := d.start()
		p.x, p.y = slice(t[0]), slice(t[1])
		pieces := (t[0].N + grain - 1) / grain
		p.partial = d.partials(3 * pieces)
		d.pool.run(t[0].N, grain, func(p *args, lo, hi, _ int) {
			var n, s, sq float64
			for i := lo; i < hi; i++ {
				if v := float64(p.x[i]); v != 0 && !gpu.IsPruned(p.y[i]) {
					n++
					s += math.Abs(v)
					sq += v * v
				}
			}
			at := 3 * (lo / p.grain)
			p.partial[at], p.partial[at+1], p.partial[at+2] = n, s, sq
		}, p)
		for i := 0; i < len(p.partial); i += 3 {
			n, s, sq = n+p.partial[i], s+p.partial[i+1], sq+p.partial[i+2]
		}
	}
	if n == 0 {
		return 0, 0
	}
	m := s / n
	return float32(m), float32(math.Sqrt(max(sq/n-m*m, 0)))
}

// redraw counts one array's entries, and redraws its mask where s asks for it.
func (d *Device) redraw(s *gpu.SurgeryParams, low, high float64, w, masked *gpu.Tensor, r *gpu.SurgeryResult) {
	p := d.start()
	p.x, p.y = slice(w), slice(masked)
	p.partial2 = append(d.limits[:0], low, high)
	pieces := (w.N + grain - 1) / grain
	p.partial = d.partials(3 * pieces)
	fn := kernel(countKept)
	switch {
	case shut(s.Gate):
	case s.Redraw && s.Rule == gpu.SeedRule:
		fn = redrawSeed
	case s.Redraw:
		fn = redrawPaper
	}
	d.pool.run(w.N, grain, fn, p)
	for i := 0; i < len(p.partial); i += 3 {
		r.Kept += int(p.partial[i])
		r.Pruned += int(p.partial[i+1])
		r.Spliced += int(p.partial[i+2])
	}
	r.Total += w.N
}

func (p *args) setCounts(lo, kept, pruned, spliced int) {
	at := 3 * (lo / p.grain)
	p.partial[at], p.partial[at+1], p.partial[at+2] = float64(kept), float64(pruned), float64(spliced)
}

func countKept(p *args, lo, hi, _ int) {
	n := 0
	for _, m := range p.y[lo:hi] {
		if !gpu.IsPruned(m) {
			n++
		}
	}
	p.setCounts(lo, n, 0, 0)
}

// redrawSeed and redrawPaper decide without branches: which weights are pruned cannot be predicted.
func redrawSeed(p *args, lo, hi, _ int) {
	low, high := float32(p.partial2[0]), float32(p.partial2[1])
	w, masked := p.x[lo:hi], p.y[lo:hi]
	var keep, pruned, spliced uint32
	for i, v := range w {
		drop := bit(low < v) & bit(v < high)
		was := bit(!gpu.IsPruned(masked[i]))
		masked[i] = forward(v, drop)
		keep += 1 - drop
		pruned += drop & was
		spliced += (1 - drop) &^ was
	}
	p.setCounts(lo, int(keep), int(pruned), int(spliced))
}

func redrawPaper(p *args, lo, hi, _ int) {
	low, high := p.partial2[0], p.partial2[1]
	w, masked := p.x[lo:hi], p.y[lo:hi]
	var keep, pruned, spliced uint32
	for i, v := range w {
		abs := math.Abs(float64(v))
		was := bit(!gpu.IsPruned(masked[i]))
		drop := was&bit(abs <= low) | (1-was)&(1-bit(abs > high))
		masked[i] = forward(v, drop)
		keep += 1 - drop
		pruned += drop & was
		spliced += (1 - drop) &^ was
	}
	p.setCounts(lo, int(keep), int(pruned), int(spliced))
}

// bit is 1 for true; the compiler makes it one instruction.
func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// forward is gpu.Pruned where drop is 1, gpu.Kept(v) where it is 0.
func forward(v float32, drop uint32) float32 {
	const sign = 1 << 31
	all := -drop
	return math.Float32frombits(math.Float32bits(v+0)&^all | sign&all)
}

// histogram adds the distances of one array.
func histogram(rule gpu.Rule, r *gpu.SurgeryResult, w, masked []float32) {
	mu := r.Mu
	if rule == gpu.PaperRule {
		mu = 0
	}
	perBin := 0.0
	if r.Sigma > 0 {
		perBin = 1 / (float64(r.Sigma) * gpu.HistogramWidth)
	}
	for i, v := range w {
		bin := gpu.HistogramBins - 1
		if at := math.Abs(float64(v)-float64(mu)) * perBin; at < gpu.HistogramBins { // false for NaN
			bin = min(int(at), bin)
		}
		if !gpu.IsPruned(masked[i]) {
			r.KeptAt[bin]++
		} else {
			r.MaskedAt[bin]++
		}
	}
}
