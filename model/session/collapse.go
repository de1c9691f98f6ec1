package session

import (
	"fmt"
	"math"

	"dns-tui/model/solver"
)

// A CollapseError says that a run can learn nothing more: no path is left through the net, or the loss is stuck.
type CollapseError struct {
	Iter int
	What string
}

func (e *CollapseError) Error() string { return fmt.Sprintf("iteration %d: %s", e.Iter, e.What) }

// lossMonitor notices a loss that is finite but stuck, far above where the run began.
type lossMonitor struct {
	started  int     // losses of the beginning so far
	start    float64 // the least of them
	high     int     // losses in a row that are far above it
	flat     int     // and that are saturated
	normal   int     // since it was reported, losses in a row that are neither
	reported bool
}

const (
	startLosses = 20 // losses that make the beginning
	farFactor   = 5  // times the beginning is far above; of one that is less than
	// times this: a net that was trained before may fall to chance, 6.9 of a thousand classes, and come back
	farFloor        = 1.5
	stuckLosses     = 100 // in a row are stuck
	saturatedLosses = 5   // saturated ones in a row are stuck
)

// saturated is what a softmax loss is where every right class has the probability 0: -log(FLT_MIN), 87.3365.
var saturated = -math.Log(0x1p-126)

// add takes in a loss, and says what is wrong when that begins to be so.
func (w *lossMonitor) add(loss float64) string {
	if w.started < startLosses {
		if w.started == 0 || loss < w.start {
			w.start = loss
		}
		w.started++
	}
	flat := math.Abs(loss-saturated) < 1e-2
	high := w.started == startLosses && loss > farFactor*max(w.start, farFloor)
	w.flat, w.high = streak(w.flat, flat), streak(w.high, high)
	if w.reported {
		if w.normal = streak(w.normal, !flat && !high); w.normal >= startLosses {
			w.reported, w.normal = false, 0
		}
		return ""
	}
	switch {
	case w.flat >= saturatedLosses:
		w.reported = true
		return fmt.Sprintf(
			"the loss is stuck at %.4f, -log of the smallest number: the right classes have no probability at all, "+
				"and nothing is learnt",
			loss,
		)
	case w.high >= stuckLosses:
		w.reported = true
		return fmt.Sprintf("the loss is stuck at %.4g for %d iterations; the run began at %.4g", loss, w.high, w.start)
	}
	return ""
}

// streak counts one more in a row, or begins anew.
func streak(n int, more bool) int {
	if more {
		return n + 1
	}
	return 0
}

// collapse notices a run that can learn nothing more: by its loss, and by what passes through the net.
type collapse struct {
	solver    *solver.Solver
	loss      lossMonitor
	stuckText string // what the watch of the loss has seen, until it is told
	operated  bool   // an iteration with surgery was settled, until that was checked
	signal    signal
}

func newCollapse(s *solver.Solver) collapse { return collapse{solver: s} }

// takeStuck returns what the watch of the loss has seen, once; "" is nothing.
func (c *collapse) takeStuck() string {
	what := c.stuckText
	c.stuckText = ""
	return what
}

// takeOperated reports, once, whether an iteration with surgery was settled.
func (c *collapse) takeOperated() bool {
	operated := c.operated
	c.operated = false
	return operated
}

// blockedAt is the layer that nothing passes, as far as is known; "" where something reaches the loss.
func (c *collapse) blockedAt() string { return c.signal.blockedAt }

// settled takes in an iteration.
func (c *collapse) settled(loss float64, operated bool) {
	if what := c.loss.add(loss); what != "" {
		c.stuckText = what
	}
	c.operated = c.operated || operated
}

// restart forgets what was seen, of a run that went back.
func (c *collapse) restart() {
	c.loss.high, c.loss.flat, c.stuckText, c.signal = 0, 0, "", signal{}
}

// signal is what is known of what passes from the data to the loss.
type signal struct {
	checked   bool   // there was a look
	kept      int    // at the last look
	layers    []int  // of each layer, then
	surgeries int    // since
	blockedAt string // the layer that nothing passes; "" where something reaches the loss
}

// signalEvery is how many surgeries lie between two looks at a net of few weights that loses them slowly.
const signalEvery = 50

// check finds out, after a surgery, whether the net still passes anything. It is dear, so that it is done at the first,
// where the weights of some layer have become fewer by a fifth, and now and then where few weights are left; now does
// it at once. lost says that nothing passes any more, since the last look; restored that something does again.
func (c *collapse) check(now bool) (lost string, restored bool, err error) {
	f, layers := &c.signal, c.solver.Layers()
	if f.layers == nil {
		f.layers = make([]int, len(layers))
	}
	kept, total, few, fewer := 0, 0, false, false
	for i, p := range layers {
		kept, total = kept+p.Kept(), total+p.Total()
		few = few || p.Kept() < 2*p.Outputs.Outputs
		fewer = fewer || 5*p.Kept() < 4*f.layers[i]
	}
	f.surgeries++
	if f.checked && kept == f.kept && !fewer && f.blockedAt == "" {
		return "", false, nil
	}
	if !now && f.checked && !fewer && !(few && f.surgeries >= signalEvery) {
		return "", false, nil
	}
	if err := c.solver.Drain(); err != nil {
		return "", false, err
	}
	f.checked, f.kept, f.surgeries = true, kept, 0
	for i, p := range layers {
		f.layers[i] = p.Kept()
	}
	was := f.blockedAt
	f.blockedAt = c.solver.Net.BlockedAt()
	if f.blockedAt != "" && was == "" {
		lost = fmt.Sprintf(
			"nothing passes %s any more: surgery has left no path from the data to the loss (%d of %d weights are "+
				"kept)",
			f.blockedAt, kept, total,
		)
	}
	return lost, f.blockedAt == "" && was != "", nil
}
