package solver

import (
	"fmt"
	"math"

	"dns-tui/gpu"
)

// Histogram is a layer's distances, summed up: how many kept and how many pruned entries lie closer than a distance. It
// predicts what a threshold does. It is never changed.
type Histogram struct {
	Rule      gpu.Rule
	Mu, Sigma float64
	// KeptBelow[i] are the kept entries in the bins below i, PrunedBelow[i] the pruned ones. A bin is of
	// gpu.HistogramWidth standard deviations, under the soft rule one by magnitude.
	KeptBelow   []uint32
	PrunedBelow []uint32
	// DeathThresholds are the thresholds from which on an output has no weight left, sorted; empty where they are not
	// known.
	DeathThresholds []float32
}

// NewHistogram sums up the bins of a surgery that was asked for a histogram.
func NewHistogram(rule gpu.Rule, r *gpu.SurgeryResult) *Histogram {
	cum := func(bins []uint32) []uint32 {
		c := make([]uint32, len(bins)+1)
		for i, v := range bins {
			c[i+1] = c[i] + v
		}
		return c
	}
	return &Histogram{
		Rule:        rule,
		Mu:          float64(r.Mu),
		Sigma:       float64(r.Sigma),
		KeptBelow:   cum(r.KeptAt),
		PrunedBelow: cum(r.PrunedAt),
	}
}

// countBelow returns the cumulative count below a distance in standard deviations. Bins by magnitude have no edge at
// each threshold: there it goes by the part of the bin that lies below.
func (h *Histogram) countBelow(c []uint32, distance float64) int {
	if h.Rule != gpu.SoftRule {
		bin := int(math.Round(distance / gpu.HistogramWidth))
		return int(c[max(0, min(bin, len(c)-2))])
	}
	if distance <= 0 || h.Sigma <= 0 {
		return 0
	}
	x := distance * h.Sigma
	bin := gpu.MagnitudeBin(float32(x))
	if bin == gpu.HistogramBins-1 {
		return int(c[bin])
	}
	lo, hi := float64(gpu.MagnitudeEdge(bin)), float64(gpu.MagnitudeEdge(bin+1))
	part := max(0, min((x-lo)/(hi-lo), 1))
	return int(c[bin]) + int(math.Round(part*float64(c[bin+1]-c[bin])))
}

// Total returns the number of entries.
func (h *Histogram) Total() int {
	return int(h.KeptBelow[len(h.KeptBelow)-1] + h.PrunedBelow[len(h.PrunedBelow)-1])
}

// Pruned predicts how many entries a surgery with this threshold (t, or c_rate) leaves pruned.
func (h *Histogram) Pruned(threshold float64) int {
	if h.Rule != gpu.PaperRule {
		return h.countBelow(h.KeptBelow, threshold) + h.countBelow(h.PrunedBelow, threshold)
	}
	if h.Sigma <= 0 {
		return int(h.PrunedBelow[len(h.PrunedBelow)-1])
	}
	c := max(h.Mu/h.Sigma+threshold, 0)
	return h.countBelow(h.KeptBelow, 0.9*c) + h.countBelow(h.PrunedBelow, 1.1*c)
}

// Sparsity predicts the fraction of entries that a surgery with this threshold leaves pruned.
func (h *Histogram) Sparsity(threshold float64) float64 {
	return Fraction(h.Pruned(threshold), h.Total())
}

// thresholdStep is the resolution of Threshold, that of the bins.
const thresholdStep = gpu.HistogramWidth

// Threshold is the inverse of Pruned: the threshold, a multiple of 0.001, that leaves the number of entries pruned
// which is nearest to n; the lower of equals. It lies in Range.
func (h *Histogram) Threshold(n int) float64 {
	lo, hi := h.Range()
	first, last := int(math.Ceil(lo/thresholdStep-1e-9)), int(math.Floor(hi/thresholdStep+1e-9))
	value := func(i int) float64 { return math.Round(float64(i)*thresholdStep*1000) / 1000 }
	for first < last { // the first that prunes n or more
		mid := first + (last-first)/2
		if h.Pruned(value(mid)) >= n {
			last = mid
		} else {
			first = mid + 1
		}
	}
	above := h.Pruned(value(first)) - n
	if below := n - h.Pruned(value(first-1)); value(first-1) >= lo && below >= 0 && below <= above {
		// Of the thresholds that prune as many as the one before, the lowest.
		return h.Threshold(n - below)
	}
	return value(first)
}

// Range returns the thresholds between which predictions differ, in the units of the rule: from pruning nothing to the
// histogram's end.
func (h *Histogram) Range() (lo, hi float64) {
	end := float64(gpu.HistogramBins-1) * gpu.HistogramWidth
	switch {
	case h.Sigma <= 0 || h.Rule == gpu.SeedRule:
		return 0, end
	case h.Rule == gpu.SoftRule:
		return 0, max(end, h.largest()/h.Sigma)
	}
	from := -h.Mu / h.Sigma
	return from, from + end/1.1
}

// largest is a magnitude that no entry lies beyond, by the bins of the soft rule.
func (h *Histogram) largest() float64 {
	for bin := gpu.HistogramBins - 1; bin > 0; bin-- {
		if h.KeptBelow[bin+1] > h.KeptBelow[bin] || h.PrunedBelow[bin+1] > h.PrunedBelow[bin] {
			return float64(min(gpu.MagnitudeEdge(bin+1), math.MaxFloat32))
		}
	}
	return 0
}

// Bars cuts [0, limit) standard deviations into n bars, of kept and of pruned entries.
func (h *Histogram) Bars(n int, limit float64) (kept, pruned []int) {
	kept, pruned = make([]int, n), make([]int, n)
	for i := range n {
		lo, hi := limit*float64(i)/float64(n), limit*float64(i+1)/float64(n)
		kept[i] = h.countBelow(h.KeptBelow, hi) - h.countBelow(h.KeptBelow, lo)
		pruned[i] = h.countBelow(h.PrunedBelow, hi) - h.countBelow(h.PrunedBelow, lo)
	}
	return kept, pruned
}

// Cut returns the distance below which the next surgery prunes kept entries, in standard deviations.
func (h *Histogram) Cut(threshold float64) float64 {
	if h.Rule != gpu.PaperRule {
		return threshold
	}
	if h.Sigma <= 0 {
		return 0
	}
	return 0.9 * max(h.Mu/h.Sigma+threshold, 0)
}

// Fraction is n of so many; 0 of none.
func Fraction(n, of int) float64 { return float64(n) / float64(max(1, of)) }

// Warning says that a surgery with a threshold would leave a layer so few weights that nothing, or next to nothing,
// passes; "" where it would not.
func (h *Histogram) Warning(name string, threshold float64) string {
	kept, dead, of := h.Total()-h.Pruned(threshold), h.Dead(threshold), len(h.DeathThresholds)
	switch {
	case kept <= 0, of > 0 && dead == of:
		return fmt.Sprintf("surgery would leave %s no weight: nothing passes it", name)
	case of > 1 && 10*dead >= 9*of:
		return fmt.Sprintf(
			"surgery would leave %d of the %d outputs of %s a weight: next to nothing passes it",
			of-dead,
			of,
			name,
		)
	}
	return ""
}
