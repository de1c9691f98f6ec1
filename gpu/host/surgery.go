package host

import (
	"math"

	"dns-tui/gpu"
)

func (d *back) surgery(o *gpu.Surgery) {
	p, r := &o.Params, o.Result
	*r = gpu.SurgeryResult{KeptAt: r.KeptAt, PrunedAt: r.PrunedAt, Mu: p.Mu, Sigma: p.Sigma}
	switch {
	case p.Rule == gpu.SeedRule, p.Rule == gpu.SoftRule && !p.Measured:
		r.Mu, r.Sigma = d.seedStats(o.W)
	case !p.Measured:
		r.Mu, r.Sigma = d.paperStats(o)
	}
	low, high := p.Limits(r.Mu, r.Sigma)
	d.redraw(p, low, high, o.W, o.Masked, r)
	withBias := p.Rule.PrunesBias() && o.B != nil
	if withBias {
		d.redraw(p, low, high, o.B, o.MaskedB, r)
	}
	if !p.Histogram {
		return
	}
	if len(r.KeptAt) != gpu.HistogramBins {
		r.KeptAt, r.PrunedAt = make([]uint32, gpu.HistogramBins), make([]uint32, gpu.HistogramBins)
	}
	clear(r.KeptAt)
	clear(r.PrunedAt)
	count := histogram
	if p.ByMagnitude {
		count = magnitudes
	}
	count(p.Rule, r, slice(o.W), slice(o.Masked))
	if withBias {
		count(p.Rule, r, slice(o.B), slice(o.MaskedB))
	}
}

// seedStats returns the mean and the population standard deviation of w.
func (d *back) seedStats(w *gpu.Tensor) (mu, sigma float32) {
	sums := d.partials(pieces(w.N))
	launch(d, &d.kernels.sums, sumsKernel{slice(w), sums}, w.N, grain)
	mu = float32(sum(sums) / float64(w.N))
	launch(d, &d.kernels.squares, squaresKernel{slice(w), mu, sums}, w.N, grain)
	return mu, float32(math.Sqrt(sum(sums) / float64(w.N)))
}

// sumsKernel leaves Σ x of each piece.
type sumsKernel struct {
	x    []float32
	sums []float64
}

func (k *sumsKernel) run(lo, hi, _ int) { k.sums[lo/grain] = sum32(k.x[lo:hi]) }

// squaresKernel leaves Σ (x - mean)² of each piece.
type squaresKernel struct {
	x    []float32
	mean float32
	sums []float64
}

func (k *squaresKernel) run(lo, hi, _ int) { k.sums[lo/grain] = squares32(k.x[lo:hi], k.mean) }

// paperStats returns the mean and standard deviation of |x| over the unmasked non-zero entries of weights and bias.
func (d *back) paperStats(o *gpu.Surgery) (mu, sigma float32) {
	var n, s, sq float64
	for _, t := range [2][2]*gpu.Tensor{{o.W, o.Masked}, {o.B, o.MaskedB}} {
		if t[0] == nil {
			continue
		}
		sums := d.partials(3 * pieces(t[0].N))
		launch(d, &d.kernels.paperSums, paperSumsKernel{slice(t[0]), slice(t[1]), sums}, t[0].N, grain)
		for i := 0; i < len(sums); i += 3 {
			n, s, sq = n+sums[i], s+sums[i+1], sq+sums[i+2]
		}
	}
	if n == 0 {
		return 0, 0
	}
	m := s / n
	return float32(m), float32(math.Sqrt(max(sq/n-float64(m*m), 0)))
}

// paperSumsKernel leaves the number, Σ |w| and Σ w² of the entries of each piece that count under the paper rule. They
// are summed in eight lanes, in one order on every processor.
type paperSumsKernel struct {
	w, masked []float32
	sums      []float64 // three a piece
}

func (k *paperSumsKernel) run(lo, hi, _ int) {
	var lanes paperLanes
	w, masked := k.w[lo:hi], k.masked[lo:hi]
	n, done := paperSumsVectors(w, masked, &lanes)
	for i := done; i < len(w); i++ {
		if v := float64(w[i]); v != 0 && !gpu.IsPruned(masked[i]) {
			n++
			lanes[i%8] += math.Abs(v)
			lanes[8+i%8] += float64(v * v)
		}
	}
	at := 3 * (lo / grain)
	k.sums[at], k.sums[at+1], k.sums[at+2] = float64(n), sum(lanes[:8]), sum(lanes[8:])
}

// redraw counts one array's entries, and redraws its mask where p asks for it.
func (d *back) redraw(p *gpu.SurgeryParams, low, high float64, w, masked *gpu.Tensor, r *gpu.SurgeryResult) {
	k := redrawKernel{slice(w), slice(masked), low, high, d.partials(3 * pieces(w.N))}
	open := !shut(p.Gate)
	switch {
	case !p.Redraw && p.Rewrite && open:
		launch(d, &d.kernels.rewrite, rewriteKernel{k, p.Soft}, w.N, grain)
	case !p.Redraw || !open:
		launch(d, &d.kernels.countKept, countKeptKernel{k}, w.N, grain)
	case p.Rule == gpu.SeedRule:
		launch(d, &d.kernels.redrawSeed, redrawSeedKernel{k}, w.N, grain)
	case p.Rule == gpu.SoftRule:
		launch(d, &d.kernels.redrawSoft, redrawSoftKernel{k, p.Soft}, w.N, grain)
	default:
		launch(d, &d.kernels.redrawPaper, redrawPaperKernel{k}, w.N, grain)
	}
	for i := 0; i < len(k.counts); i += 3 {
		r.Kept += int(k.counts[i])
		r.Pruned += int(k.counts[i+1])
		r.Spliced += int(k.counts[i+2])
	}
	r.Total += w.N
}

// redrawKernel has the operands of redrawing.
type redrawKernel struct {
	w, masked []float32
	low, high float64   // SurgeryParams.Limits
	counts    []float64 // kept, pruned and spliced of each piece
}

func (k *redrawKernel) count(lo, kept, pruned, spliced int) {
	at := 3 * (lo / grain)
	k.counts[at], k.counts[at+1], k.counts[at+2] = float64(kept), float64(pruned), float64(spliced)
}

// countKeptKernel leaves the mask as it is.
type countKeptKernel struct{ redrawKernel }

func (k *countKeptKernel) run(lo, hi, _ int) {
	n := 0
	for _, m := range k.masked[lo:hi] {
		if !gpu.IsPruned(m) {
			n++
		}
	}
	k.count(lo, n, 0, 0)
}

// redrawSeedKernel and redrawPaperKernel decide without branches: which weights are pruned cannot be predicted.
type redrawSeedKernel struct{ redrawKernel }

func (k *redrawSeedKernel) run(lo, hi, _ int) {
	low, high := float32(k.low), float32(k.high)
	w, masked := k.w[lo:hi], k.masked[lo:hi]
	c, done := redrawSeedVectors(w, masked, low, high)
	for i := done; i < len(w); i++ {
		v := w[i]
		c.redraw(&masked[i], v, bit(low < v)&bit(v < high))
	}
	k.counted(lo, len(w), &c)
}

// redrawn counts entries that are pruned now, those of them that were not before, and those spliced.
type redrawn struct{ dropped, pruned, spliced uint32 }

// redraw prunes an entry v where drop is 1, and keeps it where it is 0.
func (c *redrawn) redraw(masked *float32, v float32, drop uint32) {
	was := bit(!gpu.IsPruned(*masked))
	*masked = forward(v, drop)
	c.dropped += drop
	c.pruned += drop & was
	c.spliced += (1 - drop) &^ was
}

// counted leaves the counts of a piece of n entries.
func (k *redrawKernel) counted(lo, n int, c *redrawn) {
	k.count(lo, n-int(c.dropped), int(c.pruned), int(c.spliced))
}

type redrawPaperKernel struct{ redrawKernel }

func (k *redrawPaperKernel) run(lo, hi, _ int) {
	// A magnitude is a float32, so it compares with the float32 below a limit as with the limit.
	low, high := below(k.low), below(k.high)
	w, masked := k.w[lo:hi], k.masked[lo:hi]
	c, done := redrawPaperVectors(w, masked, low, high)
	for i := done; i < len(w); i++ {
		v := w[i]
		abs := magnitude(v)
		was := bit(!gpu.IsPruned(masked[i]))
		c.redraw(&masked[i], v, was&bit(abs <= low)|(1-was)&(1-bit(abs > high)))
	}
	k.counted(lo, len(w), &c)
}

// below is the largest float32 that is not above x; NaN is itself.
func below(x float64) float32 {
	v := float32(x)
	if float64(v) > x {
		v = math.Nextafter32(v, float32(math.Inf(-1)))
	}
	return v
}

// redrawSoftKernel prunes entries up to the cut, and shrinks the others.
type redrawSoftKernel struct {
	redrawKernel
	soft gpu.Soft
}

func (k *redrawSoftKernel) run(lo, hi, _ int) {
	cut, piece, n := float32(k.low), lo, hi-lo
	var all redrawn
	for ; lo < hi; lo += forwardPiece {
		end := min(lo+forwardPiece, hi)
		w, masked := k.w[lo:end], k.masked[lo:end]
		c, done := redrawCutVectors(w, masked, cut)
		for i := done; i < len(w); i++ {
			c.redraw(&masked[i], w[i], bit(magnitude(w[i]) <= cut))
		}
		all.dropped, all.pruned, all.spliced = all.dropped+c.dropped, all.pruned+c.pruned, all.spliced+c.spliced
		if !k.soft.Hard() {
			forwardKept(k.soft, masked, w)
		}
	}
	k.counted(piece, n, &all)
}

// rewriteKernel leaves the mask as it is, and writes the forward weights of what it keeps.
type rewriteKernel struct {
	redrawKernel
	soft gpu.Soft
}

func (k *rewriteKernel) run(lo, hi, _ int) {
	masked := k.masked[lo:hi]
	forwardKept(k.soft, masked, k.w[lo:hi])
	k.count(lo, countKept(masked), 0, 0)
}

// magnitude is |v|.
func magnitude(v float32) float32 { return math.Float32frombits(math.Float32bits(v) &^ (1 << 31)) }

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
	mu := center(rule, r)
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
			r.PrunedAt[bin]++
		}
	}
}

// center is what a rule measures the distance of an entry from.
func center(rule gpu.Rule, r *gpu.SurgeryResult) float32 {
	if rule.Centered() {
		return r.Mu
	}
	return 0
}

// magnitudes adds the magnitudes of one array.
func magnitudes(rule gpu.Rule, r *gpu.SurgeryResult, w, masked []float32) {
	mu := center(rule, r)
	for i, v := range w {
		bin := gpu.MagnitudeBin(v - mu)
		if !gpu.IsPruned(masked[i]) {
			r.KeptAt[bin]++
		} else {
			r.PrunedAt[bin]++
		}
	}
}
