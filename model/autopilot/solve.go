package autopilot

import (
	"fmt"
	"math"
	"slices"
	"strings"

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
func (s *Solution) Times() float64 { return TimesSmaller(s.Kept, s.Total) }

// TimesSmaller is how many times the kept entries all entries are.
func TimesSmaller(kept, total int) float64 { return float64(total) / float64(max(1, kept)) }

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
