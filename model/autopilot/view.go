package autopilot

import (
	"math"
	"slices"
	"sort"

	"dns-tui/gpu"
)

// view is a layer in a search.
type view struct {
	layer *Layer
	scale Scale
	s     float64 // the scale's s_l
	fixed Bound   // what keeps the layer as it is, or Free
	// above[i] are the entries in bin i and those behind it, of kept ones alone under the paper rule; then abovePruned
	// are those of pruned ones.
	above, abovePruned []uint32
	apart              bool      // abovePruned counts
	squares            []float64 // squares[i] is the sum of those in bin i and behind it, of LAMPScale
	entries            []float32 // of an exact search
	bins               [2]bin    // looked at last
	lowest, highest    float32   // cut, by ceiling and by floor and settings
	floored            bool      // highest is that of the floor
}

// bin is the entries of one bin, sorted.
type bin struct {
	number  int // 1 more than it; 0 is none
	entries []float32
}

func (v *view) begin(l *Layer, scale Scale) {
	v.layer, v.scale, v.entries = l, scale, nil
	v.bins[0].number, v.bins[1].number = 0, 0
	switch v.s = 1; scale {
	case SigmaScale:
		v.s = float64(l.Sigma)
	case PositionScale:
		v.s = math.Sqrt(float64(l.positions()))
	}
	switch v.fixed = Free; {
	case l.Excluded:
		v.fixed = LeftExcluded
	case l.MaskFrozen:
		v.fixed = HeldFrozen
	case l.Pinned:
		v.fixed = HeldPinned
	}
}

// counted reports whether what the layer keeps must be counted.
func (v *view) counted() bool { return v.fixed == Free || v.fixed == HeldPinned }

func (v *view) fromCounts(l *Layer, scale Scale) {
	v.begin(l, scale)
	if !v.counted() {
		return
	}
	v.apart = l.Rule == gpu.PaperRule && l.PrunedCounts != nil
	v.above = sums(v.above, l.Counts)
	if v.apart {
		v.abovePruned = sums(v.abovePruned, l.PrunedCounts)
		for i, n := range v.abovePruned {
			v.above[i] -= n
		}
	}
	v.weigh(l.Counts)
}

func (v *view) fromEntries(l *Layer, entries []float32, scale Scale) {
	v.begin(l, scale)
	if !v.counted() {
		return
	}
	v.apart, v.entries = false, entries
	counts := make([]uint32, gpu.HistogramBins)
	for _, x := range entries {
		counts[gpu.MagnitudeBin(x)]++
	}
	v.above = sums(v.above, counts)
	v.weigh(counts)
}

// sums makes of counts those of a bin and all behind it.
func sums(dst, counts []uint32) []uint32 {
	dst = slices.Grow(dst[:0], gpu.HistogramBins+1)[:gpu.HistogramBins+1]
	counts = counts[:gpu.HistogramBins]
	sum := uint32(0)
	dst[gpu.HistogramBins] = 0
	for i := len(counts) - 1; i >= 0; i-- {
		sum += counts[i]
		dst[i] = sum
	}
	return dst
}

// weigh finds the sums of squares that LAMP's scores go by.
func (v *view) weigh(counts []uint32) {
	if v.scale != LAMPScale {
		return
	}
	v.squares = slices.Grow(v.squares[:0], gpu.HistogramBins+1)[:gpu.HistogramBins+1]
	counts = counts[:gpu.HistogramBins]
	sum := 0.0
	v.squares[gpu.HistogramBins] = 0
	for i := len(counts) - 1; i >= 0; i-- {
		if n := counts[i]; n > 0 {
			lo := float64(gpu.MagnitudeEdge(i))
			mid := lo
			if i < gpu.HistogramBins-1 {
				mid = (lo + float64(gpu.MagnitudeEdge(i+1))) / 2
			}
			sum += float64(n) * (mid * mid)
		}
		v.squares[i] = sum
	}
}

// score is LAMP's at the edge of a bin: its square by the sum of squares from there on; +Inf behind all entries.
func (v *view) score(i int) float64 {
	if v.squares[i] <= 0 {
		return math.Inf(1)
	}
	lo := float64(gpu.MagnitudeEdge(i))
	return lo * lo / v.squares[i]
}

// limit finds the cuts between which floor, ceiling and settings leave the layer.
func (v *view) limit() {
	if v.fixed != Free {
		return
	}
	v.lowest, v.highest, v.floored = v.layer.leastCut(), v.layer.MostCut(), false
	if c := v.layer.Ceiling; c > 0 && c < v.layer.Total {
		v.lowest = max(v.lowest, v.keepingAtMost(c))
	}
	if f := v.layer.Floor; f > 0 {
		if c := max(0, math.Nextafter32(v.keepingAtMost(f-1), -1)); c < v.highest {
			v.highest, v.floored = c, true
		}
	}
}

// cut is the layer's at a threshold of the whole net. Where floor and ceiling contradict each other, among equal
// entries, the floor holds.
func (v *view) cut(tau float64) float32 {
	if v.fixed != Free {
		return v.layer.CutAt(v.layer.Threshold)
	}
	return min(max(v.free(tau), v.lowest), v.highest)
}

// free is cut without limits.
func (v *view) free(tau float64) float32 {
	if v.scale != LAMPScale {
		return float32(min(tau*v.s, math.MaxFloat32))
	}
	i := sort.Search(
		gpu.HistogramBins,
		func(i int) bool { return v.score(i) >= tau },
	) // the first edge that reaches tau
	if i == 0 {
		return 0
	}
	lo, hi := float64(gpu.MagnitudeEdge(i-1)), float64(gpu.MagnitudeEdge(i))
	below, at := v.score(i-1), min(v.score(i), 1)
	if tau >= at || at <= below {
		return float32(min(hi, math.MaxFloat32))
	}
	return float32(lo + (hi-lo)*((tau-below)/(at-below)))
}

func (v *view) bound(tau float64) Bound {
	if v.fixed != Free {
		return v.fixed
	}
	switch c := v.free(tau); {
	case max(c, v.lowest) > v.highest && v.floored:
		return AtFloor
	case max(c, v.lowest) > v.highest:
		return AtMost
	case c < v.lowest:
		return AtCeiling
	}
	return Free
}

// keepingAtMost is the least cut that leaves no more than n entries.
func (v *view) keepingAtMost(n int) float32 {
	lo, hi := int64(0), ordered(math.MaxFloat32)
	for lo < hi {
		mid := lo + (hi-lo)/2
		c := unordered(mid)
		few, many := v.between(c)
		if many <= n || few <= n && v.kept(c) <= n {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return unordered(lo)
}

// between returns bounds of kept that cost nothing to find.
func (v *view) between(cut float32) (few, many int) {
	if !v.counted() || v.entries == nil {
		n := v.kept(cut)
		return n, n
	}
	i := gpu.MagnitudeBin(cut)
	return int(v.above[i+1]), int(v.above[i])
}

// kept is how many entries a surgery leaves that prunes up to a cut.
func (v *view) kept(cut float32) int {
	switch {
	case !v.counted():
		return v.layer.Kept
	case cut <= 0 && v.layer.Rule == gpu.SeedRule: // nothing lies within 0 of the mean
		return v.layer.Total
	case v.entries != nil:
		return v.keptExactly(cut)
	case v.apart:
		return beyond(v.above, 0.9*float64(cut)) + beyond(v.abovePruned, 1.1*float64(cut))
	case v.layer.Rule == gpu.PaperRule:
		return beyond(v.above, 0.9*float64(cut))
	}
	return beyond(v.above, float64(cut))
}

// beyond is how many entries are larger than x. What is in the first bin is as good as 0, and is not.
func beyond(above []uint32, x float64) int {
	i := gpu.MagnitudeBin(float32(x))
	rest := int(above[i+1])
	n := int(above[i]) - rest
	switch {
	case i == 0 || n == 0:
		return rest
	case i == gpu.HistogramBins-1:
		return rest + n
	}
	lo, hi := float64(gpu.MagnitudeEdge(i)), float64(gpu.MagnitudeEdge(i+1))
	return rest + int(max(0, min((hi-x)/(hi-lo), 1))*float64(n))
}

func (v *view) keptExactly(cut float32) int {
	i := gpu.MagnitudeBin(cut)
	if v.above[i] == v.above[i+1] {
		return int(v.above[i])
	}
	upTo, _ := slices.BinarySearchFunc(v.bin(i), cut, func(x, cut float32) int {
		if x > cut {
			return 1
		}
		return -1
	})
	return int(v.above[i]) - upTo
}

// bin returns the entries of a bin, sorted, without those that are no number: no cut prunes them. A bisection comes
// back to one or two bins.
func (v *view) bin(i int) []float32 {
	if v.bins[0].number != i+1 {
		v.bins[0], v.bins[1] = v.bins[1], v.bins[0]
	}
	b := &v.bins[0]
	if b.number == i+1 {
		return b.entries
	}
	b.number, b.entries = i+1, b.entries[:0]
	for _, x := range v.entries {
		if gpu.MagnitudeBin(x) == i && x == x {
			b.entries = append(b.entries, x)
		}
	}
	slices.Sort(b.entries)
	return b.entries
}
