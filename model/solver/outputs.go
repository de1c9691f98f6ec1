package solver

import (
	"math"
	"slices"
	"sort"

	"dns-tui/gpu"
)

// outputExtremes are, of each output of a layer, filter or neuron, the distances of the farthest kept and of the
// farthest pruned weight: they decide at which threshold the output is left without a weight.
type outputExtremes struct {
	onDevice [2]*gpu.Tensor // kept, pruned
	values   [2][]float32
}

// measureOutputs asks the device for the largest distances of a layer's outputs; they are there after the next Sync.
func (s *Surgeon) measureOutputs(p *Layer) {
	r := &p.extremes
	for i := range r.onDevice {
		if r.onDevice[i] == nil {
			t, err := gpu.NewTensor(s.device, p.Outputs.Outputs)
			if err != nil {
				*r = outputExtremes{} // no memory for a statistic: it is not known
				return
			}
			r.onDevice[i], r.values[i] = t, make([]float32, t.N)
		}
	}
	center := float32(0)
	if p.outputRule.Centered() {
		center = p.result.Mu
	}
	s.device.Farthest(p.Outputs, center, p.Weights.Data, p.Weights.Masked, r.onDevice[0], r.onDevice[1])
	for i := range r.onDevice {
		s.device.Fetch(r.values[i], r.onDevice[i])
	}
}

// dead counts the outputs that have no weight left.
func (p *Layer) dead() int {
	n := 0
	for _, v := range p.extremes.values[0] {
		if v < 0 {
			n++
		}
	}
	return n
}

// deathThresholds returns, sorted, the threshold of each output from which on the next surgery leaves it without a
// weight. Under the seed rule an output dies where t·sigma > max |w - mu|, under the soft rule where t·sigma >= max
// |w|; under the paper rule where 0.9·c reaches its largest kept weight and 1.1·c its largest pruned one, c = mu +
// c_rate·sigma.
func (p *Layer) deathThresholds(rule gpu.Rule) []float32 {
	kept, pruned := p.extremes.values[0], p.extremes.values[1]
	mu, sigma := float64(p.result.Mu), float64(p.result.Sigma)
	out := make([]float32, len(kept))
	for o := range out {
		k, m := float64(kept[o]), float64(pruned[o])
		switch {
		case sigma <= 0:
			out[o] = float32(math.Inf(1))
		case rule != gpu.PaperRule:
			out[o] = float32(max(k, m) / sigma)
		default:
			out[o] = float32((max(k/0.9, m/1.1) - mu) / sigma)
		}
	}
	slices.Sort(out)
	return out
}

// Dead predicts how many outputs a surgery with this threshold leaves without a weight.
func (h *Histogram) Dead(threshold float64) int {
	t := float32(threshold)
	return sort.Search(len(h.DeathThresholds), func(i int) bool {
		if h.Rule == gpu.SeedRule {
			return h.DeathThresholds[i] >= t
		}
		return h.DeathThresholds[i] > t
	})
}
