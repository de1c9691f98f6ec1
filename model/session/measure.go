package session

import (
	"time"

	"dns-tui/model/solver"
)

// histograms are the layers' distances from their means, as they were measured last: what a threshold would prune is
// read off them.
type histograms struct {
	solver *solver.Solver
	index  map[string]int      // of a layer, by its name
	layers []*solver.Histogram // in the order of solver.Layers; nil before the first
	iter   int                 // of the last measurement
	last   time.Time           // of it; zero where something changed that they do not show yet
	cost   time.Duration       // of it
	now    func() time.Time
}

func newHistograms(s *solver.Solver) histograms {
	h := histograms{solver: s, index: map[string]int{}, layers: make([]*solver.Histogram, len(s.Layers())),
		now: time.Now}
	for i, l := range s.Layers() {
		h.index[l.Name] = i
	}
	return h
}

// list are the histograms in the order of solver.Layers; nil of a layer before the first measurement.
func (h *histograms) list() []*solver.Histogram { return h.layers }

// measure measures the layers as they are; false where the device failed.
func (h *histograms) measure() bool {
	h.iter = h.solver.Iter
	layers, err := h.solver.Histograms()
	if err != nil {
		return false
	}
	h.layers = layers
	return true
}

// How many times as long as a measurement took passes before the next: half a hundredth of the time, or, before a
// surgery that somebody may be looking at the prediction of, two hundredths.
const (
	restFactor     = 200
	restBeforeNext = 50
)

// refresh measures the layers anew, at most once a second and for a small part of the time; now does not wait for its
// time. Where the next iteration operates, it has less patience: what is predicted of a surgery is to be of the weights
// that it meets, not of those that the surgery before met.
func (h *histograms) refresh(now, operates bool) {
	rest := max(time.Second, restFactor*h.cost)
	if operates {
		rest = restBeforeNext * h.cost
	}
	begin := h.now()
	if !now && begin.Sub(h.last) < rest {
		return
	}
	// While paused nothing moves but by surgery and pruning switched on, which make them stale.
	if h.iter == h.solver.Iter && !h.last.IsZero() {
		return
	}
	if !h.measure() {
		return // the next iteration tells
	}
	h.solver.MeasureNorms()
	h.last = h.now()
	h.cost = h.last.Sub(begin)
}

// stale has the next refresh measure.
func (h *histograms) stale() { h.last = time.Time{} }

// of measures a layer now; nil where it is none that can be pruned, or the device failed.
func (h *histograms) of(name string) *solver.Histogram {
	i, ok := h.index[name]
	if !ok {
		return nil
	}
	if h.layers[i] == nil || h.iter != h.solver.Iter {
		h.measure()
	}
	return h.layers[i]
}
