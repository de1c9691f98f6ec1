package solver

import (
	"math"
	"slices"

	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// Drive has its caller, in place of the schedule, say when some layers are operated on: OperateNext. nil gives all back
// to the schedule.
func (s *Solver) Drive(layers []string) {
	s.tell(driveOrder, layers)
	for _, p := range s.surgeon.layers {
		p.driven = slices.Contains(layers, p.Name)
	}
	s.surgeon.next = -1
}

// OperateNext has the layers that are driven operated on in the next iteration.
func (s *Solver) OperateNext() {
	s.tell(nextOrder, nil)
	s.surgeon.next = s.Iter
}

// SetRateFactor multiplies the rate of the solver's policy from the next iteration on; 1 leaves it as it is.
func (s *Solver) SetRateFactor(f float64) {
	if f != s.rateFactor {
		s.tell(rateOrder, f)
	}
	s.rateFactor = f
}

// Magnitudes is a layer's entries by their magnitude: its weights, and its biases where the rule prunes them.
type Magnitudes struct {
	Total, Kept int
	Mu, Sigma   float32 // by which the layer's threshold is a magnitude: those of its first surgery, or of now
	// Counts are all entries by gpu.MagnitudeBin, PrunedCounts those of them that are pruned.
	Counts, PrunedCounts []uint32
}

// Magnitudes waits for the device and counts the entries of all layers by their magnitude, |x|, or |w - mu| under the
// seed rule, in the order of Layers. rule says by which rule each layer is to be counted, given its own; nil is by its
// own. It fails where the device does. What it returns are the same arrays in each call.
func (s *Solver) Magnitudes(rule func(own gpu.Rule) gpu.Rule) ([]Magnitudes, error) {
	if err := s.Drain(); err != nil {
		return nil, err
	}
	g := s.surgeon
	for _, p := range g.layers {
		l := *s.hyper.Layer(p.Name)
		if rule != nil {
			l.Rule = rule(l.Rule)
		}
		g.run(p, &l, weigh, &p.weighed)
	}
	if err := s.device.Sync(); err != nil {
		return nil, err
	}
	out := g.magnitudes[:0]
	for _, p := range g.layers {
		r := &p.weighed
		for i, n := range r.PrunedAt {
			r.KeptAt[i] += n
		}
		out = append(out, Magnitudes{
			Total: r.Total, Kept: r.Kept, Mu: r.Mu, Sigma: r.Sigma, Counts: r.KeptAt, PrunedCounts: r.PrunedAt,
		})
	}
	g.magnitudes = out
	return out, nil
}

// KeepStatistics has layers whose rule goes by the statistics of their first surgery, and that had none yet, go by
// those that Magnitudes found last. The caller operates on them next.
func (s *Solver) KeepStatistics(layers []string) {
	var taken []layerStatistics
	for _, name := range layers {
		p := s.surgeon.byName[name]
		if !p.measured && !p.rule.Centered() {
			if p.takeStatistics(&p.weighed); p.measured {
				taken = append(taken, layerStatistics{name, p.mu, p.sigma})
			}
		}
	}
	if taken != nil {
		s.tell(statisticsOrder, taken)
	}
}

// Entries returns the magnitudes of a layer's entries, as Magnitudes counts them: a surgery keeps those that are larger
// than the cut. The paper rule prunes a kept entry up to 0.9 times its cut, and splices a pruned one beyond 1.1 times:
// by that they are divided.
func (s *Solver) Entries(name string) ([]float32, error) {
	p, l := s.surgeon.byName[name], s.hyper.Layer(name)
	x := make([]float32, p.Weights.Data.N, p.Weights.Data.N+p.biasEntries(l.Rule))
	s.device.Download(x, p.Weights.Data)
	if n := p.biasEntries(l.Rule); n > 0 {
		x = x[:len(x)+n]
		s.device.Download(x[len(x)-n:], p.Bias.Data)
	}
	center := float32(0)
	if l.Rule.Centered() {
		center = p.weighed.Mu
	}
	for i, v := range x {
		x[i] = float32(math.Abs(float64(v - center)))
	}
	if l.Rule == gpu.PaperRule {
		s.applyHysteresis(x[:p.Weights.Data.N], p.Weights)
		s.applyHysteresis(x[p.Weights.Data.N:], p.Bias)
	}
	return x, s.device.Sync()
}

// applyHysteresis divides magnitudes by what the paper rule multiplies the cut with.
func (s *Solver) applyHysteresis(x []float32, p *layer.Param) {
	if len(x) == 0 {
		return
	}
	forward := make([]float32, len(x))
	s.device.Download(forward, p.Forward())
	for i, v := range x {
		by := 0.9
		if gpu.IsPruned(forward[i]) {
			by = 1.1
		}
		x[i] = float32(float64(v) / by)
	}
}

// Entries is how many entries surgery may prune: weights and biases, whichever rule the layer goes by.
func (p *Layer) Entries() int { return p.Weights.Data.N + p.biasEntries(gpu.SoftRule) }

// biasEntries is how many biases a rule prunes.
func (p *Layer) biasEntries(r gpu.Rule) int {
	if p.Bias == nil || !r.PrunesBias() {
		return 0
	}
	return p.Bias.Data.N
}

// Harden makes what the forward pass sees of some layers their weights, W := M: what is pruned is 0, what the soft rule
// has shrunk stays so without it. Their momentum is 0 then, and their cut. What the net computes stays the same, to the
// bit.
func (s *Solver) Harden(layers []string) error {
	if err := s.Drain(); err != nil {
		return err
	}
	s.tell(hardenOrder, layers)
	for i, param := range s.Net.Params() {
		if !slices.Contains(layers, param.Layer) {
			continue
		}
		if param.Masked != nil {
			s.device.Copy(param.Data, param.Masked)
			param.Soft.Cut = 0
		}
		for _, h := range s.history[i] {
			if h != nil {
				s.device.Fill(h, 0)
			}
		}
	}
	return s.device.Sync()
}
