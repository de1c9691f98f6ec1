package autopilot

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"dns-tui/gpu"
	"dns-tui/human"
)

// Bound says what decided what a layer keeps.
type Bound uint8

// The bounds.
const (
	Free         Bound = iota // the threshold of the whole net
	AtFloor                   // it would keep less
	AtCeiling                 // it would keep more
	AtMost                    // the largest threshold that its settings hold
	HeldPinned                // a person
	HeldFrozen                // its mask is frozen
	LeftExcluded              // it does not count
)

var boundNames = []string{
	"free", "at its floor", "at its ceiling", "at the largest threshold", "pinned", "mask frozen", "excluded",
}

// String is the bound as people read it.
func (b Bound) String() string { return nameOf(boundNames, int(b), "Bound") }

// LayerCut is what a search found for a layer.
type LayerCut struct {
	Cut       float32 // entries up to it are pruned
	Threshold float64 // the setting of the layer's rule that has this cut: Layer.ThresholdAt
	Kept      int     // entries that a surgery leaves, where the weights stay as they are
	Bound     Bound
}

// Solution is the thresholds that meet a budget, and what comes of them. Sums leave out layers that are excluded.
type Solution struct {
	Tau              float64    // the threshold of the whole net, in the terms of the scale
	Layers           []LayerCut // in the order in which they were given
	Kept, Total      int
	MACs, DenseMACs  float64
	Bytes, FullBytes float64 // by FileBytes, and of float32 without zeros left out
}

// Times is how many times the kept entries all entries are.
func (s *Solution) Times() float64 { return float64(s.Total) / float64(max(1, s.Kept)) }

// Clone returns a copy that the solver does not write to.
func (s *Solution) Clone() *Solution {
	c := *s
	c.Layers = slices.Clone(s.Layers)
	return &c
}

// Unreachable is the error of a budget that limits do not allow.
type Unreachable struct {
	Budget Budget
	Least  float64 // what the layers cost at least
	Held   []Held  // which layers, the dearest first
}

// Held is a layer that limits keep from being pruned further.
type Held struct {
	Name  string
	Bound Bound
	Kept  int
	cost  float64
}

// mostHeld is how many layers an error names.
const mostHeld = 5

func (e *Unreachable) Error() string {
	var why []string
	ones := 0
	for _, h := range e.Held {
		switch {
		case h.Bound == AtFloor && h.Kept <= DefaultFloor:
			ones++
		case len(why) == mostHeld:
			why = append(why, "and more")
		case len(why) < mostHeld:
			why = append(why, h.String())
		}
	}
	if len(why) == 0 {
		why = append(why, fmt.Sprintf("%d layers have a floor of %d", ones, DefaultFloor))
	}
	return fmt.Sprintf("wanted at most %s; limits allow no less than %s: %s", e.Budget,
		e.Budget.Cost.Format(math.Ceil(e.Least)), strings.Join(why, ", "))
}

// String says what holds the layer.
func (h Held) String() string {
	n := human.Count(h.Kept)
	switch h.Bound {
	case AtFloor:
		return h.Name + " has a floor of " + n
	case AtMost:
		return h.Name + " keeps " + n + " at the largest threshold"
	case HeldFrozen:
		return h.Name + " keeps " + n + " in a frozen mask"
	}
	return h.Name + " is pinned and keeps " + n
}

// Solver finds thresholds. The zero value is ready; what it works with is kept for the next time, so that it allocates
// nothing then. It is not for several goroutines at once.
type Solver struct {
	budget   Budget
	views    []view
	solution Solution
}

// Solve finds the cuts that keep the most within a budget, by the layers' histograms: the smallest tau (see Scale) with
// which the layers cost no more. Inside a bin entries are taken to be spread evenly, so that what a layer keeps is
// exact to what lies in one bin, a 128th of an octave or less. A cost rises with what is kept and that falls with tau,
// so tau is found by bisection, to the last bit: the same for the same on every machine. The error is an *Unreachable.
//
// What it returns is the solver's, until the next search.
func (s *Solver) Solve(layers []Layer, b Budget, scale Scale) (*Solution, error) {
	s.begin(layers, b)
	for i := range s.views {
		s.views[i].fromCounts(&layers[i], scale)
	}
	return s.solve()
}

// SolveExact is Solve by the entries themselves: their magnitudes, in the order of layers, as Layer.Counts counts them;
// under the paper rule a 0.9th of them where an entry is kept, a 1.1th where it is pruned. Where no two entries are
// equally far from their cut, just so many are kept as a budget of entries allows. Of entries that are, all are pruned:
// surgery prunes |x| <= c, so it can keep all of equals or none, and then fewer are kept. The scores of LAMPScale stay
// those of the bins. Entries of layers that are excluded or frozen are not looked at.
func (s *Solver) SolveExact(layers []Layer, entries [][]float32, b Budget, scale Scale) (*Solution, error) {
	s.begin(layers, b)
	for i := range s.views {
		s.views[i].fromEntries(&layers[i], entries[i], scale)
	}
	defer s.forget()
	return s.solve()
}

func (s *Solver) begin(layers []Layer, b Budget) {
	s.budget = b
	s.views = slices.Grow(s.views[:0], len(layers))[:len(layers)]
}

// forget lets go of the entries, which may be many.
func (s *Solver) forget() {
	for i := range s.views {
		v := &s.views[i]
		v.entries, v.bins = nil, [2]bin{}
	}
}

func (s *Solver) solve() (*Solution, error) {
	for i := range s.views {
		s.views[i].limit()
	}
	lo, hi := uint64(0), math.Float64bits(math.MaxFloat64)
	if !s.within(math.MaxFloat64) {
		return nil, s.unreachable()
	}
	for lo < hi { // the bits of numbers from 0 on are in their order
		mid := lo + (hi-lo)/2
		if s.within(math.Float64frombits(mid)) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return s.conclude(math.Float64frombits(lo)), nil
}

// within reports whether the layers cost no more than the budget at a threshold of the whole net.
func (s *Solver) within(tau float64) bool {
	least, most := 0.0, 0.0
	for i := range s.views {
		v := &s.views[i]
		if v.fixed == LeftExcluded {
			continue
		}
		few, many := v.between(v.cut(tau))
		least += s.budget.Cost.of(v.layer, few)
		if many == few {
			most += s.budget.Cost.of(v.layer, few)
		} else {
			most += s.budget.Cost.of(v.layer, many)
		}
	}
	switch {
	case most <= s.budget.Limit:
		return true
	case least > s.budget.Limit:
		return false
	}
	return s.cost(tau) <= s.budget.Limit
}

// cost is what the layers cost at a threshold of the whole net.
func (s *Solver) cost(tau float64) float64 {
	sum := 0.0
	for i := range s.views {
		v := &s.views[i]
		if v.fixed != LeftExcluded {
			sum += s.budget.Cost.of(v.layer, v.kept(v.cut(tau)))
		}
	}
	return sum
}

// conclude says what a threshold of the whole net comes to.
func (s *Solver) conclude(tau float64) *Solution {
	out := &s.solution
	*out = Solution{Tau: tau, Layers: out.Layers[:0]}
	for i := range s.views {
		v := &s.views[i]
		l := v.layer
		c := LayerCut{Cut: v.cut(tau), Threshold: l.Threshold, Bound: v.bound(tau)}
		c.Kept = v.kept(c.Cut)
		if v.fixed == Free {
			c.Threshold = l.ThresholdAt(c.Cut)
		}
		out.Layers = append(out.Layers, c)
		if v.fixed == LeftExcluded {
			continue
		}
		out.Kept += c.Kept
		out.Total += l.Total
		out.MACs += MACCost.of(l, c.Kept)
		out.DenseMACs += MACCost.of(l, l.Total)
		out.Bytes += ByteCost.of(l, c.Kept)
		out.FullBytes += valueBytes * float64(l.Total)
	}
	return out
}

// unreachable says what keeps the layers from costing less.
func (s *Solver) unreachable() error {
	e := &Unreachable{Budget: s.budget, Least: s.cost(math.MaxFloat64)}
	for i := range s.views {
		v := &s.views[i]
		h := Held{Name: v.layer.Name, Bound: v.bound(math.MaxFloat64), Kept: v.kept(v.cut(math.MaxFloat64))}
		h.cost = s.budget.Cost.of(v.layer, h.Kept)
		if h.Bound != LeftExcluded && h.Kept > 0 {
			e.Held = append(e.Held, h)
		}
	}
	slices.SortStableFunc(e.Held, func(a, b Held) int {
		switch {
		case a.cost > b.cost:
			return -1
		case a.cost < b.cost:
			return 1
		}
		return 0
	})
	return e
}

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
