package session

import (
	"dns-tui/gpu"
	"dns-tui/model/solver"
)

// LayerStats is the counts and statistics of a layer that can be pruned, as a person sees them.
type LayerStats struct {
	Name, Type string
	Rule       gpu.Rule
	Weights    int // entries that the rule looks at: weights, and the bias under the paper rule
	Kept       int
	Positions  int // how often a pass multiplies a weight for one image; 0: not known
	Mu, Sigma  float64
	Pruned     int // in the last surgery
	Spliced    int
	LastIter   int // of the last surgery; -1 before the first
	Forecast   solver.Forecast
	Masked     bool
	// Outputs are the filters or neurons; Dead of them have no weight left. Dead is -1 where that is not known.
	Outputs, Dead int
	Norms         solver.Norms
	Kernel        [2]int // of a convolution's filters, height and width; else 0
	History       Series // fraction of the weights kept, by surgery
	Operations    []Operated
	// Histogram of distances by gpu.HistogramWidth, of kept and of pruned entries; nil until it was measured. Shared
	// by snapshots and never changed.
	Histogram *solver.Histogram
}
