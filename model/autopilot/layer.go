package autopilot

import (
	"math"

	"dns-tui/config"
	"dns-tui/gpu"
)

// Layer is a layer as the search for thresholds sees it.
type Layer struct {
	Name      string
	Rule      gpu.Rule
	Total     int // entries under the mask: weights, and biases where the rule prunes them
	Kept      int // as they are now
	Positions int // how often a pass multiplies a weight for one image: 1 of an inner product; 0 is 1
	// Mu and Sigma are those by which the rule makes a magnitude of a threshold: see Cut. Without a Sigma above 0 no
	// threshold changes anything.
	Mu, Sigma float32
	// Counts are all entries, kept and pruned, by the gpu.MagnitudeBin of |x|, or of |w - mu| under the seed rule.
	Counts []uint32
	// PrunedCounts are those of Counts that are pruned now. The paper rule alone needs them: it splices an entry at
	// another magnitude than it prunes one. nil: none.
	PrunedCounts []uint32
	// Threshold is the layer's now: t, or c_rate under the paper rule.
	Threshold float64
	// MaskFrozen: surgery passes over the layer. Its kept entries count as they are.
	MaskFrozen bool
	Limits
}

// Limits are what a search for thresholds respects of a layer.
type Limits struct {
	Floor    int  // it keeps at least so many entries; 0 lets it be emptied
	Ceiling  int  // it keeps at most so many; 0 is all
	Pinned   bool // its threshold stays as a person set it; what it keeps counts
	Excluded bool // it is neither changed nor counted
}

// DefaultFloor is how many entries a layer keeps at least where nobody says otherwise: a layer with none passes nothing
// (layer-collapse: Tanaka, Kunin, Yamins, Ganguli, NeurIPS 2020).
const DefaultFloor = 1

func (l *Layer) positions() int { return max(1, l.Positions) }

// MostCut is the largest cut that the settings of the layer's rule allow.
func (l *Layer) MostCut() float32 {
	_, most := config.ThresholdRange(l.Rule)
	return l.CutAt(most)
}

// leastCut is the smallest.
func (l *Layer) leastCut() float32 {
	least, _ := config.ThresholdRange(l.Rule)
	return l.CutAt(least)
}

// CutAt returns the largest magnitude that the layer's next surgery prunes at a threshold, under the paper rule c, of
// which it is 0.9 and 1.1 times:
//
//	soft    t·sigma, in float64, then as float32
//	seed    the float32 before t·sigma: it prunes what lies within
//	paper   max(mu + c_rate·sigma, 0)
//
// The seed rule compares w with mu ∓ t·sigma in float32, so an entry that lies within the rounding of that may fall on
// the other side.
func (l *Layer) CutAt(threshold float64) float32 {
	t := float32(threshold)
	var c float32
	switch l.Rule {
	case gpu.SoftRule:
		c = float32(threshold * float64(l.Sigma))
	case gpu.PaperRule:
		c = max(l.Mu+float32(t*l.Sigma), 0)
	default:
		if c = t * l.Sigma; c > 0 {
			c = math.Nextafter32(c, 0)
		}
	}
	return min(c, math.MaxFloat32)
}

// ThresholdAt is the inverse of CutAt: the least threshold whose cut is at least c, in the terms of the layer's rule
// and within what its settings allow (config.ThresholdRange). Under the soft rule CutAt of it is c exactly, under the
// others it is c or, as they compute with float32, a little more.
func (l *Layer) ThresholdAt(c float32) float64 {
	least, most := config.ThresholdRange(l.Rule)
	switch {
	case !(l.Sigma > 0):
		return 0
	case l.Rule == gpu.SoftRule:
		return min(float64(max(c, 0))/float64(l.Sigma), most)
	case c > 0:
		return l.leastThreshold(c, ordered(float32(least)), ordered(float32(most)))
	case l.Rule == gpu.PaperRule:
		return max(float64(-l.Mu/l.Sigma), least)
	}
	return 0
}

// leastThreshold is the least float32 of a range whose cut is at least c, or its last.
func (l *Layer) leastThreshold(c float32, lo, hi int64) float64 {
	for lo < hi {
		mid := lo + (hi-lo)/2
		if l.CutAt(float64(unordered(mid))) >= c {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return float64(unordered(lo))
}

// ordered numbers the float32 in their order, 0 being 0; unordered is its inverse.
func ordered(x float32) int64 {
	if x < 0 {
		return -int64(math.Float32bits(-x))
	}
	return int64(math.Float32bits(x))
}

func unordered(i int64) float32 {
	if i < 0 {
		return -math.Float32frombits(uint32(-i))
	}
	return math.Float32frombits(uint32(i))
}
