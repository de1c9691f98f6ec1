package session

import (
	"fmt"
	"slices"

	"dns-tui/config"
	"dns-tui/model/autopilot"
	"dns-tui/model/solver"
)

// descent is what the autopilot is told, and how far it is. Of the settings; the pilot follows it.
type descent struct {
	solver *solver.Solver
	now    *Autopilot // nil: off. Never changed
	driven []string   // layers whose thresholds the pilot finds
	// hardened is the iteration in which the forward weights became the weights; -1 before. A descent that ends later
	// is not done by it.
	hardened int
	watch    descentWatch

	random bool                // the run began with weights that start random
	inFile autopilot.Settings  // what the solver's file says
	then   []autopilot.Setting // what it said when the snapshot was written
}

func newDescent(s *solver.Solver, run *config.Run) descent {
	inFile, _ := autopilot.FromSolver(run) // NewTrainer told its faults
	random := len(run.Weights) == 0 && run.Snapshot == ""
	return descent{solver: s, hardened: -1, inFile: inFile, random: random}
}

// file is what the solver's file says of the autopilot.
func (d *descent) file() []autopilot.Setting {
	return autopilot.DefaultSettings().Differences(d.inFile)
}

// asked are the settings that a command changes: those of the descent under way, or those of the solver's file.
func (d *descent) asked() autopilot.Settings {
	if d.now != nil {
		return d.now.Asked
	}
	return d.inFile
}

// edited is how the file was edited since the snapshot that the run resumed from.
func (d *descent) edited() ([]autopilot.Setting, error) {
	then, err := autopilot.DefaultSettings().With(d.then...)
	edits := then.Differences(d.inFile)
	if d.now != nil && then.Scale == autopilot.AutoScale && d.inFile.Scale == d.now.Descent.Settings.Scale {
		// A version that did not derive the scale left magnitude out; and what was derived may be written down.
		edits = slices.DeleteFunc(edits, func(e autopilot.Setting) bool { return e.Name == "scale" })
	}
	return edits, err
}

// current is what the autopilot is told; nil where it is off.
func (d *descent) current() *Autopilot { return d.now }

// layers are those that the pilot finds thresholds for.
func (d *descent) layers() []string { return d.driven }

// drives reports whether a threshold is the pilot's.
func (d *descent) drives(f config.Field) bool {
	return f.WaitsForSurgery() && d.drivesLayer(f.Layer)
}

// drivesLayer reports whether the pilot operates on a layer.
func (d *descent) drivesLayer(name string) bool {
	return d.now != nil && !d.done() && slices.Contains(d.driven, name)
}

// done reports whether the descent has ended, and its masks are frozen.
func (d *descent) done() bool { return d.now != nil && d.hardened >= d.now.Descent.Schedule.End }

// phase is where the descent stands, in words; "" where the autopilot is off.
func (d *descent) phase() string {
	switch {
	case d.now == nil:
		return ""
	case d.now.Held >= 0 && !d.done():
		return "paused"
	}
	return d.now.Descent.Schedule.Phase(d.solver.Iter).String()
}

// harden notes that the forward weights are the weights now.
func (d *descent) harden(iter int) {
	d.hardened = iter
	d.steer(iter)
}

// install has the pilot go by another value.
func (d *descent) install(a *Autopilot) {
	if was := d.now; a == nil || was == nil || a.Retreat != was.Retreat || a.Held < 0 && was.Held >= 0 {
		d.watch = descentWatch{}
	}
	d.now, d.driven = a, nil
	if a != nil {
		d.driven = a.drives(d.bare())
	}
	d.steer(d.solver.Iter)
}

// bare are the layers that can be pruned, as far as limits want to know.
func (d *descent) bare() []autopilot.Layer {
	all := d.solver.Layers()
	out := make([]autopilot.Layer, len(all))
	for i, p := range all {
		out[i] = autopilot.Layer{Name: p.Name, Total: p.Entries()}
	}
	return out
}

// check reports a value that this net has no layers for.
func (d *descent) check(a *Autopilot) error {
	if a == nil {
		return nil
	}
	return a.Descent.Settings.Bind(d.bare())
}

// steer has the solver leave the surgery of the driven layers to the pilot.
func (d *descent) steer(iter int) {
	d.setRate(iter)
	if d.now == nil || d.done() {
		d.solver.Drive(nil)
		return
	}
	d.solver.Drive(d.driven)
}

// setRate sets the rate of an iteration: once the descent has ended, it is annealed.
func (d *descent) setRate(iter int) {
	factor := 1.0
	if d.done() {
		factor = d.now.Descent.Schedule.RateFactor(iter)
	}
	d.solver.SetRateFactor(factor)
}

// savedDescent is what a snapshot keeps of it.
type savedDescent struct {
	Now      *Autopilot `json:"now,omitempty"`
	Hardened int        `json:"hardened"`

	Watch descentWatch `json:"watch"`
}

func (d *descent) saved() *savedDescent {
	if d.now == nil && d.hardened < 0 {
		return nil
	}
	return &savedDescent{d.now, d.hardened, d.watch}
}

// restore takes what a snapshot keeps; nil is that the autopilot was off. then is what the solver's file said.
func (d *descent) restore(s *savedDescent, then []autopilot.Setting, random bool) {
	d.then, d.random = then, d.random || random // a run that begins has no snapshot to tell
	if s == nil {
		s = &savedDescent{Hardened: -1}
	}
	d.hardened = s.Hardened
	d.install(s.Now)
	d.watch = s.Watch
}

// beganRandom reports whether the run began with weights that start random.
func (d *descent) beganRandom() bool { return d.random }

// trained reports whether weights were loaded, or trained here.
func (d *descent) trained() bool { return !d.random || d.solver.Iter > 0 }

// has reports whether a layer is one that the descent drives, or drove before it was done.
func (d *descent) has(layer string) bool { return slices.Contains(d.driven, layer) }

// takes is what becomes of the autopilot when a person changes settings by hand: a driven layer whose threshold, rule,
// mask or part in surgery is set is pinned from then on. nil is no change.
func (d *descent) takes(edits []config.Edited) (*AutopilotChange, error) {
	if d.now == nil || d.done() {
		return nil, nil
	}
	next := *d.now
	var names []string
	for _, e := range edits {
		switch e.Param {
		case config.Threshold, config.CRate, config.Rule, config.MaskFrozen, config.Prune:
		default:
			continue
		}
		if slices.Contains(d.driven, e.Layer) && !slices.Contains(names, e.Layer) {
			names = append(names, e.Layer)
		}
	}
	if names == nil {
		return nil, nil
	}
	var err error
	if next.Asked, err = next.Asked.Pin(names); err != nil {
		return nil, err
	}
	if next.Descent.Settings, err = next.Descent.Settings.Pin(names); err != nil {
		return nil, err
	}
	return &AutopilotChange{Old: d.now, New: &next}, nil
}

// descentWatch is how a descent does: the loss, averaged, and the accuracy of the tests that the solver asks for. A
// snapshot keeps it, so that a run that resumes goes back where the undisturbed one does.
type descentWatch struct {
	Losses int     `json:"losses,omitempty"` // so far
	Mean   float64 `json:"mean,omitempty"`   // exponential, of some meanLosses losses
	Best   float64 `json:"best,omitempty"`   // the least Mean
	// Accuracy is that of the last test, BestAccuracy the highest.
	Accuracy     float64 `json:"accuracy,omitempty"`
	BestAccuracy float64 `json:"best_accuracy,omitempty"`
}

const (
	meanLosses = 50
	// fewLosses are too few to judge by: the first surgery prunes much at once, and the net heals.
	fewLosses = 200
	// leastLoss is what a loss is compared with at least: that of a net that was trained may be next to nothing.
	leastLoss = 0.1
)

// settled takes in a loss of a descent that is under way.
func (d *descent) settled(iter int, loss float64) {
	if d.now == nil || d.done() || iter < d.now.Descent.Schedule.Begin {
		return
	}
	w := &d.watch
	w.Losses++
	w.Mean += (loss - w.Mean) / float64(min(w.Losses, meanLosses))
	if w.Losses == fewLosses || w.Losses > fewLosses && w.Mean < w.Best {
		w.Best = w.Mean
	}
}

// tested takes in a test that the solver asked for.
func (d *descent) tested(results []solver.TestResult) {
	if d.now == nil || d.done() || len(results) == 0 {
		return
	}
	if a, ok := results[0].Accuracy(); ok {
		d.watch.Accuracy, d.watch.BestAccuracy = a, max(d.watch.BestAccuracy, a)
	}
}

// wrong says what went wrong with a descent that is under way; "" is nothing.
func (d *descent) wrong() string {
	if d.now == nil || d.done() || d.now.Held >= 0 {
		return ""
	}
	w, s := &d.watch, &d.now.Descent.Settings
	if limit := s.LossFactor * max(w.Best, leastLoss); s.LossFactor > 0 && w.Losses > fewLosses && w.Mean > limit {
		return fmt.Sprintf("the loss is %.3g, averaged, and was %.3g", w.Mean, w.Best)
	}
	if s.AccuracyDrop > 0 && w.Accuracy < w.BestAccuracy-s.AccuracyDrop {
		return fmt.Sprintf("the test accuracy is %.4f, and was %.4f", w.Accuracy, w.BestAccuracy)
	}
	return ""
}

// cost is what the layers of a descent cost now, and how many of their entries are kept.
func (d *descent) cost(a *Autopilot) (cost float64, kept, total int) {
	layers := d.bare()
	for i, l := range d.solver.Layers() {
		layers[i].Kept, layers[i].Total, layers[i].Positions = l.Kept(), l.Total(), l.Positions
	}
	if a.Descent.Settings.Bind(layers) != nil {
		return 0, 0, 0
	}
	for i := range layers {
		if !layers[i].Excluded {
			kept, total = kept+layers[i].Kept, total+layers[i].Total
		}
	}
	return a.Descent.Budget.Cost.Now(layers), kept, total
}
