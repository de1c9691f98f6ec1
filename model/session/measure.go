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
	next   time.Time           // of the next; zero where something changed that they do not show yet
}

func newHistograms(s *solver.Solver) histograms {
	h := histograms{solver: s, index: map[string]int{}, layers: make([]*solver.Histogram, len(s.Layers()))}
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

// refresh measures the layers anew, at most once a second and for at most half a hundredth of the time; now does not
// wait for its time.
func (h *histograms) refresh(now bool) {
	if !now && time.Now().Before(h.next) {
		return
	}
	// While paused nothing moves but by surgery and pruning switched on, which make them stale.
	if h.iter == h.solver.Iter && !h.next.IsZero() {
		return
	}
	begin := time.Now()
	if !h.measure() {
		return // the next iteration tells
	}
	h.solver.MeasureNorms()
	cost := time.Since(begin)
	h.next = time.Now().Add(max(time.Second, 200*cost))
}

// stale has the next refresh measure.
func (h *histograms) stale() { h.next = time.Time{} }

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
