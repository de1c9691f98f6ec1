package solver

import (
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/layer"
)

// Surgeon does the surgery of a run: it draws when, and redraws masks (Guo, Yao, Chen, NIPS 2016, algorithm 1).
type Surgeon struct {
	device     *gpu.Device
	seed       uint64
	layers     []*Layer
	byName     map[string]*Layer
	params     gpu.SurgeryParams
	gate       *gpu.Tensor  // behind which surgery changes nothing; nil on a device without a lag
	next       int          // the iteration at which driven layers are operated on; -1: none
	magnitudes []Magnitudes // what Magnitudes returned last
}

// Layer is one layer that can be pruned.
type Layer struct {
	model.PrunableLayer
	rule       gpu.Rule
	measured   bool // paper and soft rule: mu and sigma are known, and stay
	mu, sigma  float32
	lastIter   int // of the last surgery; -1 before the first
	result     gpu.SurgeryResult
	pruned     int // in the last surgery
	spliced    int
	outputRule gpu.Rule // by which extremes were measured
	extremes   outputExtremes
	norms      Norms
	driven     bool // see Solver.Drive
	forecast   forecast
	weighed    gpu.SurgeryResult
}

// Norms are Euclidean norms of a layer's weights in one iteration.
type Norms struct {
	Iter     int // -1 before the first
	Weights  float64
	Gradient float64 // without decay, over the iteration's passes
	Step     float64 // what the update took off the weights
}

func newSurgeon(d *gpu.Device, n *model.Net, seed uint64) *Surgeon {
	s := &Surgeon{device: d, seed: seed, byName: map[string]*Layer{}, next: -1}
	for _, l := range n.Prunable() {
		p := &Layer{PrunableLayer: l, rule: l.Pruning.Rule, lastIter: -1, norms: Norms{Iter: -1}}
		s.layers, s.byName[l.Name] = append(s.layers, p), p
	}
	return s
}

// streamSurgery numbers the draws of the seed and the soft rule; those of the paper rule are the layer's own.
const streamSurgery = 0x5EED5EED

// Due reports whether surgery happens: (1 + gamma·i)^(-power) > r and i < stop, r in [0,1).
func Due(iter int, gamma, power float64, stop int, r float32) bool {
	return Chance(iter, gamma, power, stop) > float64(r)
}

// due reports whether a layer's mask is redrawn in an iteration. The draw depends on seed, iteration and layer only.
func (s *Surgeon) due(p *Layer, h *config.Hyper, l *config.LayerHyper, iter int) bool {
	if !l.Prune || l.MaskFrozen {
		return false
	}
	if p.driven {
		return iter == s.next
	}
	stream := uint32(streamSurgery)
	if l.Rule == gpu.PaperRule {
		stream ^= layer.Stream(p.Name)
	}
	gamma, power, stop := h.Dice(l)
	return Due(iter, gamma, power, stop, gpu.Key{Seed: s.seed, Stream: stream, Iter: uint64(iter)}.Uniform(0))
}

// prepare gives forward weights to the layers that take part in surgery, and has them go by their rules.
func (s *Surgeon) prepare(h *config.Hyper) error {
	for _, p := range s.layers {
		l := h.Layer(p.Name)
		if l == nil {
			continue
		}
		if l.Prune {
			if err := p.Weights.EnsureMask(s.device); err != nil {
				return err
			}
			if l.Rule.PrunesBias() && p.Bias != nil {
				if err := p.Bias.EnsureMask(s.device); err != nil {
					return err
				}
			}
		}
		s.adopt(p, l)
	}
	return nil
}

// adopt has a layer go by the rule of its settings. What was measured under another means nothing under this one, and
// a bias that this one does not prune is whole again.
func (s *Surgeon) adopt(p *Layer, l *config.LayerHyper) {
	changed := p.rule != l.Rule
	if changed {
		p.rule, p.measured = l.Rule, false
		if p.Bias != nil && p.Bias.Masked != nil && !l.Rule.PrunesBias() {
			p.Bias.Soft = gpu.Soft{}
			p.Bias.SetMask(s.device, nil)
		}
	}
	p.setSoft(l.Soft(p.Weights.Soft.Cut))
	if changed { // another rule may look at other entries
		s.run(p, l, look, &p.result)
		_ = s.device.Sync() // the next iteration tells of a failure
	}
}

// setSoft says what the forward weights are from the next update or surgery on.
func (p *Layer) setSoft(soft gpu.Soft) {
	p.Weights.Soft = soft
	if p.Bias != nil && p.Bias.Masked != nil {
		p.Bias.Soft = soft
	}
}

// operation is a surgery whose result may still be on its way.
type operation struct {
	p    *Layer
	rule gpu.Rule
	iter int
	r    gpu.SurgeryResult
}

// operate redraws the mask of one layer. What it found is in o once the device has been waited for; record takes it in.
func (s *Surgeon) operate(p *Layer, l *config.LayerHyper, iter int, o *operation) {
	*o = operation{p: p, rule: l.Rule, iter: iter}
	if l.Rule == gpu.SoftRule {
		if !p.measured { // its cut follows from sigma
			s.run(p, l, look, &o.r)
			s.measured(p, &o.r)
		}
		p.setSoft(l.Soft(p.cut(l.Threshold)))
	}
	s.run(p, l, redraw, &o.r)
	if l.Rule == gpu.PaperRule && !p.measured {
		s.measured(p, &o.r)
	}
}

// measured waits for the statistics of a layer's first surgery, by which the next ones go. Weights that are all the
// same have none yet.
func (s *Surgeon) measured(p *Layer, r *gpu.SurgeryResult) {
	if s.device.Sync() == nil {
		p.takeStatistics(r)
	}
}

// takeStatistics keeps what was measured at a layer's first surgery.
func (p *Layer) takeStatistics(r *gpu.SurgeryResult) {
	if r.Sigma > 0 || p.rule == gpu.PaperRule {
		p.measured, p.mu, p.sigma = true, r.Mu, r.Sigma
	}
}

// cut is c of the soft rule at a threshold: t·sigma, with the sigma of the first surgery, or before it that of now.
func (p *Layer) cut(threshold float64) float32 {
	if !p.measured {
		return float32(threshold * float64(p.result.Sigma))
	}
	return float32(threshold * float64(p.sigma))
}

// record takes in what an operation found.
func (s *Surgeon) record(o *operation) {
	p := o.p
	kept, pruned := p.result.KeptAt, p.result.PrunedAt
	p.result = o.r
	p.result.KeptAt, p.result.PrunedAt = kept, pruned
	if p.lastIter != o.iter {
		p.pruned, p.spliced = 0, 0
	}
	// A second surgery in one iteration, asked for, adds to what the first did.
	p.pruned, p.spliced, p.lastIter = p.pruned+o.r.Pruned, p.spliced+o.r.Spliced, o.iter
}

// rewriteForward has the forward weights be those of the settings, after weights and masks were loaded.
func (s *Surgeon) rewriteForward(h *config.Hyper) {
	for _, p := range s.layers {
		if l := h.Layer(p.Name); l != nil && p.Weights.Masked != nil && !p.Weights.Soft.Hard() {
			var r gpu.SurgeryResult
			s.run(p, l, rewrite, &r)
			_ = s.device.Sync() // the next iteration tells of a failure
		}
	}
}

// examine counts and measures all layers without changing them; histogram asks for their distances too.
func (s *Surgeon) examine(h *config.Hyper, histogram bool) {
	for _, p := range s.layers {
		l := h.Layer(p.Name)
		if p.Weights.Masked == nil {
			p.result.Total, p.result.Kept = p.Weights.Data.N, p.Weights.Data.N
			if l.Rule.PrunesBias() && p.Bias != nil {
				p.result.Total += p.Bias.Data.N
				p.result.Kept += p.Bias.Data.N
			}
			if !histogram {
				continue
			}
		}
		what := look
		if histogram {
			what = count
		}
		s.run(p, l, what, &p.result)
	}
	if s.device.Sync() != nil || !histogram { // the next iteration tells of a failure
		return
	}
	for _, p := range s.layers {
		p.outputRule = h.Layer(p.Name).Rule
		s.measureOutputs(p)
	}
	_ = s.device.Sync() // the next iteration tells of a failure
}

// purpose is what a pass over a layer is for.
type purpose uint8

const (
	look    purpose = iota // counts and measures
	count                  // makes histograms too
	weigh                  // makes histograms by magnitude
	redraw                 // the mask
	rewrite                // the forward weights, for the mask as it is
)

func (s *Surgeon) run(p *Layer, l *config.LayerHyper, what purpose, r *gpu.SurgeryResult) {
	s.params = gpu.SurgeryParams{
		Rule:        l.Rule,
		Threshold:   float32(l.Threshold),
		Soft:        p.Weights.Soft,
		Measured:    p.measured && p.rule == l.Rule,
		Mu:          p.mu,
		Sigma:       p.sigma,
		Redraw:      what == redraw,
		Rewrite:     what == rewrite,
		Histogram:   what == count || what == weigh,
		ByMagnitude: what == weigh || l.Rule == gpu.SoftRule,
		Gate:        s.gate,
	}
	var b, mb *gpu.Tensor
	if l.Rule.PrunesBias() && p.Bias != nil {
		b, mb = p.Bias.Data, p.Bias.Forward()
	}
	s.device.Surgery(&s.params, p.Weights.Data, p.Weights.Forward(), b, mb, r)
}

// Kept is how many of the entries that the rule looks at are kept: weights, and the bias where the rule prunes it.
func (p *Layer) Kept() int { return p.result.Kept }

// Total is how many entries the rule looks at.
func (p *Layer) Total() int { return p.result.Total }

// Statistics are mean and deviation of the entries as they were measured last, by the layer's rule.
func (p *Layer) Statistics() (mu, sigma float32) { return p.result.Mu, p.result.Sigma }

// LastSurgery is the iteration of the last surgery; -1 before the first.
func (p *Layer) LastSurgery() int { return p.lastIter }

// Pruned is how many entries the last surgery pruned.
func (p *Layer) Pruned() int { return p.pruned }

// Spliced is how many entries the last surgery spliced.
func (p *Layer) Spliced() int { return p.spliced }

// Norms are the layer's, in the iteration that measured them last.
func (p *Layer) Norms() Norms { return p.norms }

// Dead counts the outputs, filters or neurons, that have no weight left; -1 where that was not measured.
func (p *Layer) Dead() int {
	if p.extremes.values[0] == nil {
		return -1
	}
	return p.dead()
}

// Layers are the layers that can be pruned, in the net's order.
func (s *Solver) Layers() []*Layer { return s.surgeon.layers }

// Layer returns a layer that can be pruned by its name, or nil.
func (s *Solver) Layer(name string) *Layer { return s.surgeon.byName[name] }

// Histograms waits for the device and measures all layers, in the order of Layers, without changing them.
func (s *Solver) Histograms() ([]*Histogram, error) {
	if err := s.Drain(); err != nil {
		return nil, err
	}
	s.surgeon.examine(s.hyper, true)
	out := make([]*Histogram, len(s.surgeon.layers))
	for i, p := range s.surgeon.layers {
		rule := s.hyper.Layer(p.Name).Rule
		out[i] = NewHistogram(rule, &p.result)
		out[i].DeathThresholds = p.deathThresholds(rule)
	}
	return out, nil
}

// TryThreshold redraws the mask of a copy of a layer's forward weights w, and of its bias b, which is nil where the
// rule passes over it, and returns what that prunes. The layer stays as it is.
func (s *Solver) TryThreshold(p *Layer, threshold float64, w, b *gpu.Tensor) (gpu.SurgeryResult, error) {
	var r gpu.SurgeryResult
	var bias *gpu.Tensor
	if b != nil {
		bias = p.Bias.Data
	}
	l := s.hyper.Layer(p.Name)
	s.device.Surgery(&gpu.SurgeryParams{
		Rule:      l.Rule,
		Threshold: float32(threshold),
		Soft:      l.Soft(p.cut(threshold)),
		Measured:  p.measured,
		Mu:        p.mu,
		Sigma:     p.sigma,
		Redraw:    true,
	}, p.Weights.Data, w, bias, b, &r)
	return r, s.device.Sync()
}

// Kept returns how many entries each layer that can be pruned keeps, by name.
func (s *Solver) Kept() map[string]int {
	kept := map[string]int{}
	for _, p := range s.surgeon.layers {
		kept[p.Name] = p.result.Kept
	}
	return kept
}
