package model

import (
	"math"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// Surgeon does the surgery of a run: it draws when, and redraws masks (Guo, Yao, Chen, NIPS 2016, algorithm 1).
type Surgeon struct {
	device gpu.Device
	seed   uint64
	layers []*patient
	params gpu.SurgeryParams
	gate   *gpu.Tensor // behind which surgery changes nothing; nil on a device without a lag
}

// patient is one layer that can be pruned.
type patient struct {
	PrunableLayer
	measured  bool // paper rule: mu and sigma are fixed
	mu, sigma float32
	lastIter  int // of the last surgery; -1 before the first
	result    gpu.SurgeryResult
	pruned    int // in the last surgery
	spliced   int
	ruleNow   gpu.Rule // by which reach was measured
	reach     reach
	norms     Norms
}

// Norms are Euclidean norms of a layer's weights in one iteration.
type Norms struct {
	Iter     int // -1 before the first
	Weights  float64
	Gradient float64 // without decay, over the iteration's passes
	Step     float64 // what the update took off the weights
}

func newSurgeon(d gpu.Device, n *Net, seed uint64) *Surgeon {
	s := &Surgeon{device: d, seed: seed}
	for _, l := range n.Prunable() {
		s.layers = append(s.layers, &patient{PrunableLayer: l, lastIter: -1, norms: Norms{Iter: -1}})
	}
	return s
}

// LayerStats is the counts and statistics of a layer that can be pruned, as a person sees them.
type LayerStats struct {
	Name, Type string
	Rule       gpu.Rule
	Weights    int // entries that the rule looks at: weights, and the bias under the paper rule
	Kept       int
	Mu, Sigma  float64
	Pruned     int // in the last surgery
	Spliced    int
	LastIter   int // of the last surgery; -1 before the first
	Masked     bool
	// Outputs are the filters or neurons; Dead of them have no weight left. Dead is -1 where that is not known.
	Outputs, Dead int
	Norms         Norms
	Kernel        [2]int // of a convolution's filters, height and width; else 0
	History       Series // share of the weights kept, by surgery
	Operations    []Operated
	// Histogram of distances by gpu.HistogramWidth, of kept and of pruned entries; nil until it was measured. Shared
	// by snapshots and never changed.
	Histogram *Histogram
}

// streamSurgery numbers the draws of the seed rule; those of the paper rule are the layer's own.
const streamSurgery = 0x5EED5EED

// Due reports whether surgery happens: (1 + gamma·i)^(-power) > r and i < stop, r in [0,1).
func Due(iter int, gamma, power float64, stop int, r float32) bool {
	if iter >= stop {
		return false
	}
	return math.Pow(1+gamma*float64(iter), -power) > float64(r)
}

// due reports whether a layer's mask is redrawn in an iteration. The draw depends on seed, iteration and layer only.
func (s *Surgeon) due(p *patient, h *config.Hyper, l *config.LayerHyper, iter int) bool {
	if !l.Prune || l.Frozen {
		return false
	}
	if l.Rule == gpu.SeedRule {
		r := gpu.Key{Seed: s.seed, Stream: streamSurgery, Iter: uint64(iter)}.Uniform(0)
		return Due(iter, h.Gamma, h.Power, h.Stop, r)
	}
	r := gpu.Key{Seed: s.seed, Stream: layer.Stream(p.Name) ^ streamSurgery, Iter: uint64(iter)}.Uniform(0)
	return Due(iter, l.Gamma, l.Power, l.Stop, r)
}

// prepare gives forward weights to the layers that take part in surgery.
func (s *Surgeon) prepare(h *config.Hyper) error {
	for _, p := range s.layers {
		l := h.Layer(p.Name)
		if l == nil || !l.Prune ||
			p.Weights.Masked != nil && (p.Bias == nil || l.Rule == gpu.SeedRule || p.Bias.Masked != nil) {
			continue
		}
		if err := p.Weights.EnsureMask(s.device); err != nil {
			return err
		}
		if l.Rule == gpu.PaperRule && p.Bias != nil {
			if err := p.Bias.EnsureMask(s.device); err != nil {
				return err
			}
		}
	}
	return nil
}

// operation is a surgery whose result may still be on its way.
type operation struct {
	p    *patient
	rule gpu.Rule
	iter int
	r    gpu.SurgeryResult
}

// operate redraws the mask of one layer. What it found is in o once the device has been waited for; absorb takes it in.
func (s *Surgeon) operate(p *patient, l *config.LayerHyper, iter int, o *operation) {
	*o = operation{p: p, rule: l.Rule, iter: iter}
	s.run(p, l, true, false, &o.r)
	if l.Rule == gpu.PaperRule && !p.measured && s.device.Sync() == nil {
		p.measured, p.mu, p.sigma = true, o.r.Mu, o.r.Sigma // once: the next surgery goes by them
	}
}

// absorb takes in what an operation found.
func (s *Surgeon) absorb(o *operation) {
	p := o.p
	kept, masked := p.result.KeptAt, p.result.MaskedAt
	p.result = o.r
	p.result.KeptAt, p.result.MaskedAt = kept, masked
	if p.lastIter != o.iter {
		p.pruned, p.spliced = 0, 0
	}
	// A second surgery in one iteration, asked for, adds to what the first did.
	p.pruned, p.spliced, p.lastIter = p.pruned+o.r.Pruned, p.spliced+o.r.Spliced, o.iter
}

// examine counts and measures all layers without changing them; histogram asks for their distances too.
func (s *Surgeon) examine(h *config.Hyper, histogram bool) {
	for _, p := range s.layers {
		l := h.Layer(p.Name)
		if p.Weights.Masked == nil {
			p.result.Total, p.result.Kept = p.Weights.Data.N, p.Weights.Data.N
			if l.Rule == gpu.PaperRule && p.Bias != nil {
				p.result.Total += p.Bias.Data.N
				p.result.Kept += p.Bias.Data.N
			}
			if !histogram {
				continue
			}
		}
		s.run(p, l, false, histogram, &p.result)
	}
	if s.device.Sync() != nil || !histogram { // the next iteration tells of a failure
		return
	}
	for _, p := range s.layers {
		p.ruleNow = h.Layer(p.Name).Rule
		s.measureReach(p)
	}
	s.device.Sync()
}

func (s *Surgeon) run(p *patient, l *config.LayerHyper, redraw, histogram bool, r *gpu.SurgeryResult) {
	s.params = gpu.SurgeryParams{
		Rule:      l.Rule,
		Threshold: float32(l.Threshold),
		Measured:  p.measured,
		Mu:        p.mu,
		Sigma:     p.sigma,
		Redraw:    redraw,
		Histogram: histogram,
		Gate:      s.gate,
	}
	var b, mb *gpu.Tensor
	if l.Rule == gpu.PaperRule && p.Bias != nil {
		b, mb = p.Bias.Data, p.Bias.Forward()
	}
	s.device.Surgery(&s.params, p.Weights.Data, p.Weights.Forward(), b, mb, r)
}

// stats returns a layer's counts; g is its histogram, or nil, h what became of it.
func (p *patient) stats(l *config.LayerHyper, g *Histogram, h *layerHistory) LayerStats {
	st := LayerStats{Name: p.Name, Type: p.Type, Rule: l.Rule, Weights: p.result.Total, Kept: p.result.Kept,
		Mu: float64(
			p.result.Mu,
		), Sigma: float64(p.result.Sigma), Pruned: p.pruned, Spliced: p.spliced, LastIter: p.lastIter,
		Masked: p.Weights.Masked != nil, Outputs: p.Outputs.Outputs, Dead: -1, Norms: p.norms, Histogram: g,
		History: h.kept.share(), Operations: h.recent()}
	if p.reach.values[0] != nil {
		st.Dead = p.dead()
	}
	if s := p.Weights.Shape; len(s) == 4 {
		st.Kernel = [2]int{s[2], s[3]}
	}
	return st
}

// Kept returns how many entries each layer that can be pruned keeps, by name.
func (s *Solver) Kept() map[string]int {
	kept := map[string]int{}
	for _, p := range s.surgeon.layers {
		kept[p.Name] = p.result.Kept
	}
	return kept
}
