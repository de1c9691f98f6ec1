package session

import (
	"fmt"
	"math"

	"dns-tui/caffe"
	"dns-tui/human"
)

// retreats are the snapshots that a descent may go back to, the first one first.
type retreats struct {
	saver *saver
	list  []retreatPoint
	// trouble is the iteration in which the net was found to be bad last: up to there nothing is known to be good.
	trouble int
}

// retreatPoint is a snapshot of a descent, where all was well.
type retreatPoint struct {
	path       string
	iter, kept int
}

func newRetreats(s *saver) retreats { return retreats{saver: s, trouble: -1} }

// keep writes a snapshot, of a net with so many kept entries.
func (r *retreats) keep(iter, kept int, before string) {
	if path := r.saver.guardNow(before); path != "" {
		r.list = append(r.list, retreatPoint{path, iter, kept})
	}
}

// keepFew writes one where a descent has come so much further that it is worth it: at the 0.7th of what was kept.
func (r *retreats) keepFew(iter, kept int) {
	n := len(r.list)
	if iter <= r.trouble || n > 0 && float64(kept) > math.Sqrt2/2*float64(r.list[n-1].kept) {
		return
	}
	r.keep(iter, kept, fmt.Sprintf("more is pruned, of %s kept", human.Count(kept)))
}

// troubled notes that the net was found to be bad.
func (r *retreats) troubled(iter int) { r.trouble = max(r.trouble, iter) }

// next is the snapshot to go back to; "" where there is none. Each serves once, but for the first.
func (r *retreats) next() string {
	for n := len(r.list); n > 0; n-- {
		last := r.list[n-1]
		if n > 1 {
			r.list = r.list[:n-1]
		}
		if caffe.Exists(last.path) {
			return last.path
		}
	}
	return ""
}

// rewound forgets the snapshots behind the iteration to which the run went back.
func (r *retreats) rewound(iter int) {
	for n := len(r.list); n > 0 && r.list[n-1].iter > iter; n = len(r.list) {
		r.list = r.list[:n-1]
	}
}
