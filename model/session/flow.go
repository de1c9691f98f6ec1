package session

import (
	"fmt"
)

// A net whose masks leave no path from the data to a loss gives the same output for every image, and learns nothing
// but biases.

// checkFlow looks, after a surgery, whether the net still passes anything. It is dear, so that it is done at the
// first, where the weights of some layer have become fewer by a fifth, and now and then where few weights are left.
func (t *Trainer) checkFlow(now bool) error {
	f := &t.flow
	if f.layers == nil {
		f.layers = make([]int, len(t.solver.Layers()))
	}
	kept, few, fewer := 0, false, false
	for i, p := range t.solver.Layers() {
		kept += p.Kept()
		few = few || p.Kept() < 2*p.Outputs.Outputs
		fewer = fewer || 5*p.Kept() < 4*f.layers[i]
	}
	f.surgeries++
	if f.looked && kept == f.kept && !fewer && f.blocked == "" {
		return nil
	}
	if !now && f.looked && !fewer && !(few && f.surgeries >= flowEvery) {
		return nil
	}
	f.looked, f.kept, f.surgeries = true, kept, 0
	for i, p := range t.solver.Layers() {
		f.layers[i] = p.Kept()
	}
	if err := t.drain(); err != nil {
		return err
	}
	was := f.blocked
	f.blocked = t.solver.Net.BlockedAt()
	switch {
	case f.blocked != "" && was == "":
		total := 0
		for _, p := range t.solver.Layers() {
			total += p.Total()
		}
		return t.collapsed(
			fmt.Sprintf(
				"nothing passes %s any more: surgery has left no path from the data to the loss (%d of %d weights are kept)",
				f.blocked,
				kept,
				total,
			),
		)
	case f.blocked == "" && was != "":
		t.note(Event{Iter: t.solver.Iter, Text: "data passes to the loss again"})
	}
	return nil
}

// flowEvery is how many surgeries lie between two looks at a net of few weights that loses them slowly.
const flowEvery = 50

// flow is what checkFlow knows.
type flow struct {
	looked    bool   // there was a look
	kept      int    // at the last look
	layers    []int  // of each layer, then
	surgeries int    // since
	blocked   string // the layer that nothing passes
}
