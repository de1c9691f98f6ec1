package session

import (
	"fmt"

	"dns-tui/config"
	"dns-tui/human"
	"dns-tui/model/solver"
)

// Pruning is by what a run is pruned.
type Pruning int

// What prunes a run.
const (
	NothingPrunes    Pruning = iota // every layer is dense, or left as it is
	SchedulePrunes                  // surgery by the layers' rules and thresholds
	DescentPrunes                   // the autopilot, which finds the thresholds
	DescentPaused                   // the autopilot, which a person has paused
	DescentDone                     // a descent has ended: masks are frozen
	MasksFrozen                     // a person has frozen the masks of all layers that are pruned
	SurgeryIsStopped                // surgery_stop_iter, or iter_stop, is past
	SearchPrunes                    // a search, by branches of a descent
)

var pruningNames = [...]string{
	"none", "schedule", "descent", "descent_paused", "descent_done", "masks_frozen", "surgery_stopped", "search",
}

// String is the name that programs read.
func (p Pruning) String() string {
	if p < 0 || int(p) >= len(pruningNames) {
		return pruningNames[NothingPrunes]
	}
	return pruningNames[p]
}

// RunBegun tells of a run that begins, or goes on from a snapshot, what prunes it, and when. It is told at each start,
// and is no change: no journal has it.
type RunBegun struct {
	Resumed          bool
	Pruning          Pruning
	Layers, Prunable int // that are operated on, and that could be
	// Rule is that of the layers, "" where they have several; Chance is how likely surgery is in the iteration that
	// is next, 0 to 1; Stop is the first without any, or config.Never.
	Rule   string
	Chance float64
	Stop   int
	// Target, Interval and End are of a descent: what it leads to, iterations between two surgeries, the last of them.
	Target        string
	Interval, End int
}

func (RunBegun) payload() {}

// String is what prunes the run, and when.
func (w RunBegun) String() string {
	layers := fmt.Sprintf("%d of %d layers", w.Layers, w.Prunable)
	if w.Layers == w.Prunable {
		layers = fmt.Sprintf("%d layers", w.Layers)
	}
	switch w.Pruning {
	case SchedulePrunes:
		rule := "their rules prune"
		if w.Rule != "" {
			rule = "the " + w.Rule + " rule prunes"
		}
		text := fmt.Sprintf("%s %s, in each iteration", rule, layers)
		if w.Chance < 1 {
			text = fmt.Sprintf("%s %s, in %.3g %% of iterations now", rule, layers, 100*w.Chance)
		}
		if w.Stop < config.Never {
			text += ", up to " + human.Count(w.Stop)
		}
		return text
	case DescentPrunes:
		return fmt.Sprintf("a descent prunes %s to %s, every %d iterations up to %s",
			layers, w.Target, w.Interval, human.Count(w.End))
	case DescentPaused:
		return fmt.Sprintf("the descent to %s is paused: what is kept stays", w.Target)
	case DescentDone:
		return fmt.Sprintf("the descent to %s is done: masks stay as they are", w.Target)
	case MasksFrozen:
		return "the masks are frozen: nothing more is pruned"
	case SurgeryIsStopped:
		return fmt.Sprintf("surgery has stopped at %s: masks stay as they are", human.Count(w.Stop))
	case SearchPrunes:
		return "a search prunes: branches of a descent, each tested on held-out images"
	}
	return "nothing prunes: the net trains dense"
}

// begun says what prunes the run from here on.
func (t *Trainer) begun() RunBegun {
	h, iter := t.solver.Hyper(), t.solver.Iter
	w := RunBegun{Resumed: t.run.Snapshot != "", Prunable: len(h.Layers), Stop: config.Never}
	if t.search.Load() != nil {
		w.Pruning = SearchPrunes
		return w
	}
	if now := t.descent.current(); now != nil {
		s := &now.Descent.Schedule
		w.Pruning, w.Layers = DescentPrunes, len(t.descent.layers())
		w.Target, w.Interval, w.End = now.Descent.Settings.Target.String(), s.Interval, s.End
		switch {
		case t.descent.done():
			w.Pruning = DescentDone
		case now.Held >= 0:
			w.Pruning = DescentPaused
		}
		return w
	}
	w.bySchedule(h, iter)
	return w
}

// bySchedule says what the layers' own rules do.
func (w *RunBegun) bySchedule(h *config.Hyper, iter int) {
	frozen, stopped := false, 0
	var chances solver.AnyOf
	for i := range h.Layers {
		l := &h.Layers[i]
		gamma, power, stop := h.Dice(l)
		switch {
		case !l.Prune:
			continue
		case l.MaskFrozen:
			frozen = true
			continue
		case iter >= stop:
			stopped = max(stopped, stop)
			continue
		}
		rule := config.RuleName(l.Rule)
		switch {
		case w.Layers == 0:
			w.Rule, w.Stop = rule, stop
		case w.Rule != rule:
			w.Rule = ""
		}
		w.Layers++
		w.Stop = max(w.Stop, stop)
		chances.Add(l.Rule, solver.Chance(iter, gamma, power, stop))
	}
	w.Chance = chances.Chance()
	switch {
	case w.Layers > 0:
		w.Pruning = SchedulePrunes
	case stopped > 0:
		w.Pruning, w.Stop = SurgeryIsStopped, stopped
	case frozen:
		w.Pruning = MasksFrozen
	}
}
