package session

import (
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/solver"
)

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
	Norms         solver.Norms
	Kernel        [2]int // of a convolution's filters, height and width; else 0
	History       Series // share of the weights kept, by surgery
	Operations    []Operated
	// Histogram of distances by gpu.HistogramWidth, of kept and of pruned entries; nil until it was measured. Shared
	// by snapshots and never changed.
	Histogram *solver.Histogram
}

// layerStats returns a layer's counts; g is its histogram, or nil, h its history.
func layerStats(p *solver.Layer, l *config.LayerHyper, g *solver.Histogram, h *layerHistory) LayerStats {
	mu, sigma := p.Statistics()
	st := LayerStats{
		Name: p.Name, Type: p.Type, Rule: l.Rule, Weights: p.Total(), Kept: p.Kept(), Mu: float64(mu), Sigma: float64(sigma),
		Pruned: p.Pruned(), Spliced: p.Spliced(), LastIter: p.LastSurgery(), Masked: p.Weights.Masked != nil,
		Outputs: p.Outputs.Outputs, Dead: p.Dead(), Norms: p.Norms(),
		Histogram: g, History: h.kept.view(), Operations: h.recent(),
	}
	if s := p.Weights.Shape; len(s) == 4 {
		st.Kernel = [2]int{s[2], s[3]}
	}
	return st
}
