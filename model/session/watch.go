package session

import (
	"fmt"
	"math"
	"strings"

	"dns-tui/config"
)

// A CollapseError says that a run can learn nothing more: no path is left through the net, or the loss is stuck.
type CollapseError struct {
	Iter int
	What string
}

func (e *CollapseError) Error() string { return fmt.Sprintf("iteration %d: %s", e.Iter, e.What) }

// lossWatch notices a loss that is finite but stuck, far above where the run began.
type lossWatch struct {
	n     int     // losses of the beginning
	start float64 // the least of them
	high  int     // losses in a row that are far above it
	flat  int     // and that are saturated
	calm  int     // since it was told, losses in a row that are neither
	told  bool
}

const (
	watchStart = 20 // losses that make the beginning
	watchFar   = 5  // times the beginning is far above; of one that is less than
	// times this: a net that was trained before may fall to chance, 6.9 of a thousand classes, and come back
	watchFloor = 1.5
	watchLong  = 100 // in a row are stuck
	watchFlat  = 5   // saturated ones in a row are stuck
)

// saturated is what a softmax loss is where every right class has the probability 0: -log(FLT_MIN), 87.3365.
var saturated = -math.Log(0x1p-126)

// see takes in a loss, and says what is wrong when that begins to be so.
func (w *lossWatch) see(loss float64) string {
	if w.n < watchStart {
		if w.n == 0 || loss < w.start {
			w.start = loss
		}
		w.n++
	}
	flat := math.Abs(loss-saturated) < 1e-2
	high := w.n == watchStart && loss > watchFar*max(w.start, watchFloor)
	w.flat, w.high = next(w.flat, flat), next(w.high, high)
	if w.told {
		if w.calm = next(w.calm, !flat && !high); w.calm >= watchStart {
			w.told, w.calm = false, 0
		}
		return ""
	}
	switch {
	case w.flat >= watchFlat:
		w.told = true
		return fmt.Sprintf(
			"the loss is stuck at %.4f, -log of the smallest number: the right classes have no probability at all, and nothing is learnt",
			loss,
		)
	case w.high >= watchLong:
		w.told = true
		return fmt.Sprintf("the loss is stuck at %.4g for %d iterations; the run began at %.4g", loss, w.high, w.start)
	}
	return ""
}

func next(n int, more bool) int {
	if more {
		return n + 1
	}
	return 0
}

// collapsed tells that the run can learn nothing more: one that somebody watches is paused, one that was told to stop
// ends.
func (t *Trainer) collapsed(what string) error {
	if t.opts.StopOnCollapse {
		return &CollapseError{t.solver.Iter, what}
	}
	if !t.opts.Interactive || t.state.Ended() {
		t.note(Event{Iter: t.solver.Iter, Text: "WARNING: " + what})
		return nil
	}
	t.state, t.problem = Paused, what
	if t.lastGood() != nil {
		t.problem += "; B goes back"
	}
	t.note(Event{Iter: t.solver.Iter, Text: "paused: " + what})
	return nil
}

// watchRun looks at what the last iteration brought.
func (t *Trainer) watchRun(operated bool) error {
	if what := t.stuck; what != "" {
		t.stuck = ""
		if err := t.collapsed(what); err != nil {
			return err
		}
	}
	if operated {
		return t.checkFlow(false)
	}
	return nil
}

// foretell says what thresholds would do at the next surgery that nobody can want; "" is nothing.
func (t *Trainer) foretell(edits []Edit) string {
	var out []string
	after, _, err := t.try(edits)
	if err != nil {
		return ""
	}
	for _, e := range edits {
		name, field := config.SplitField(e.Field)
		was, now := t.solver.Hyper().Layer(name), after.Layer(name)
		if !config.IsThreshold(e.Field) && field != "prune" || now == nil || !now.Prune || now.Frozen ||
			was.Prune && now.Threshold <= was.Threshold {
			continue
		}
		if g := t.histogramOf(name); g != nil {
			if s := g.Kills(name, now.Threshold); s != "" {
				out = append(out, s)
			}
		}
	}
	return strings.Join(out, "; ")
}
