package model

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"dns-tui/caffe"
	"dns-tui/config"
)

// SavedState is a snapshot that the run can go back to.
type SavedState struct {
	Path     string  `json:"path"`
	Iter     int     `json:"iter"`
	Why      string  `json:"why,omitempty"`
	Guard    bool    `json:"guard,omitempty"` // written before a risky change; only the last few are kept
	Smoothed float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"` // of the last test before it; -1 where there was none
	Kept     int     `json:"kept"`
	Total    int     `json:"total"`
	edits    int     // the run's count when it was saved: what was changed since, in the same iteration, makes it another state
}

// maxStates bounds the states that a run remembers.
const maxStates = 50

// guardSuffix is added to the prefix of the snapshots that are written before risky changes.
const guardSuffix = "_guard"

// saveSnapshot writes a snapshot. Where that fails training goes on, and the snapshot before stays.
func (t *Trainer) saveSnapshot(why string) error {
	name, err := t.save(t.run.SnapshotPrefix())
	if err != nil {
		return err
	}
	t.saved, t.savedIter = name, t.solver.Iter
	t.remember(name, why, false)
	t.note(Event{Iter: t.solver.Iter, Text: "snapshot " + name, Saved: name})
	return nil
}

func (t *Trainer) save(prefix string) (string, error) {
	pending := make([][]byte, 0, len(t.pending))
	for _, w := range t.pending {
		if line, err := w.Change.line(); err == nil {
			pending = append(pending, line)
		}
	}
	name, err := t.solver.Save(prefix, pending, t.plansJSON())
	if err != nil {
		t.note(Event{Iter: t.solver.Iter, Text: "snapshot failed: " + err.Error()})
	}
	t.speed.reset()
	return name, err
}

// remember puts a snapshot among the states that the run can go back to.
func (t *Trainer) remember(path, why string, guard bool) {
	s := SavedState{Path: path, Iter: t.solver.Iter, Why: why, Guard: guard, Smoothed: t.solver.SmoothedLoss(), Accuracy: -1, edits: t.edits}
	if _, v, ok := t.curves.accuracy.Last(); ok {
		s.Accuracy = v
	}
	for _, p := range t.solver.surgeon.layers {
		s.Kept, s.Total = s.Kept+p.result.Kept, s.Total+p.result.Total
	}
	states := make([]SavedState, 0, len(t.states)+1) // snapshots share the old
	for _, o := range t.states {
		if o.Path != path {
			states = append(states, o)
		}
	}
	if len(states) >= maxStates {
		states = states[1:]
	}
	t.states = append(states, s)
}

// guard writes a snapshot before a change that may spoil the run, unless this iteration has one.
func (t *Trainer) guard(c Command) {
	if t.opts.Guard <= 0 || t.state.Ended() {
		return
	}
	why := t.risk(c)
	if why == "" {
		return
	}
	for _, s := range t.states {
		if s.Iter == t.solver.Iter && s.edits == t.edits {
			return
		}
	}
	name, err := t.save(t.run.SnapshotPrefix() + guardSuffix)
	if err != nil {
		return // said; the change itself was asked for
	}
	t.remember(name, "before "+why, true)
	t.note(Event{Iter: t.solver.Iter, Text: fmt.Sprintf("saved before %s: B goes back to it", why), Saved: name})
	t.dropOldGuards()
}

// dropOldGuards removes the oldest snapshots that nobody asked for.
func (t *Trainer) dropOldGuards() {
	n := 0
	for _, s := range t.states {
		if s.Guard {
			n++
		}
	}
	states := make([]SavedState, 0, len(t.states))
	for _, s := range t.states {
		if s.Guard && n > t.opts.Guard {
			n--
			os.Remove(s.Path)
			os.Remove(strings.Replace(s.Path, ".solverstate", ".caffemodel", 1))
			continue
		}
		states = append(states, s)
	}
	t.states = states
}

// risk says what is risky about a change, or "".
func (t *Trainer) risk(c Command) string {
	h, old, err := t.solver.hyper.Set(c.Field, c.Value)
	if err != nil || old == c.Value {
		return ""
	}
	was, _ := strconv.ParseFloat(old, 64)
	now, _ := strconv.ParseFloat(c.Value, 64)
	name, field := config.SplitField(c.Field)
	change := fmt.Sprintf("%s %s → %s", c.Field, old, c.Value)
	switch field {
	case "base_lr", "lr_mult":
		if now >= 2*was {
			return change
		}
	case "momentum":
		if 1-now <= (1-was)/2 { // as good as twice the rate
			return change
		}
	case "weight_decay":
		if now >= 10*was && now > 0 {
			return change
		}
	case "prune":
		if h.Layer(name).Prune {
			return change
		}
	case "threshold", "c_rate":
		l := t.solver.hyper.Layer(name)
		if now <= was || !l.Prune || l.Frozen {
			return ""
		}
		g := t.histogramOf(name)
		if g == nil {
			return ""
		}
		kept, next := g.Total()-int(g.Masked[len(g.Masked)-1]), g.Total()-g.Pruned(now)
		if 2*next < kept {
			return fmt.Sprintf("%s, which keeps %d of %d weights", change, next, kept)
		}
	}
	return ""
}

// histogramOf measures a layer now.
func (t *Trainer) histogramOf(name string) *Histogram {
	for i, p := range t.solver.surgeon.layers {
		if p.Name == name {
			if t.hist[i] == nil || t.histIter != t.solver.Iter {
				t.measure()
			}
			return t.hist[i]
		}
	}
	return nil
}

// ErrNoState is returned by GoBack where there is nothing to go back to.
var ErrNoState = errors.New("no snapshot of this run to go back to")

// goBack takes the run back to a snapshot, of this run or another of the same net; "" is the last state that was saved
// before this iteration. The run then waits.
func (t *Trainer) goBack(path string) (string, error) {
	if path == "" {
		for i := len(t.states) - 1; i >= 0 && path == ""; i-- {
			if s := t.states[i]; s.Iter < t.solver.Iter || s.edits != t.edits {
				path = s.Path
			}
		}
		if path == "" {
			return "", ErrNoState
		}
	}
	state, err := caffe.ReadSolverState(path)
	if err != nil {
		return "", err
	}
	if rs := state.RunState; rs != nil && rs.Seed != nil && rs.GetSeed() != t.solver.Seed {
		return "", &caffe.FileError{Path: path, Msg: "is of another run, with another seed: wanted a snapshot of this one"}
	}
	from := t.solver.Iter
	if err := t.solver.Rewind(path, state); err != nil {
		return "", err
	}
	for _, w := range t.pending {
		w.reply <- reply{err: ErrUndone}
	}
	t.adoptPending()
	t.undo, t.redo = t.undo[:0], t.redo[:0]
	t.curves.cut(t.solver.Iter - 1)
	t.saved, t.savedIter, t.testedAt = path, t.solver.Iter, -1
	states := make([]SavedState, 0, len(t.states))
	for _, s := range t.states {
		if s.Iter <= t.solver.Iter {
			states = append(states, s)
		}
		if s.Path == path {
			t.edits = s.edits
		}
	}
	t.states = states
	t.changes = keepChanges(t.changes, t.solver.Iter)
	t.state, t.problem, t.steps, t.toSurgery = Paused, "", -1, false
	t.histNext = time.Time{}
	t.speed.reset()
	t.recordStart()
	text := fmt.Sprintf("from %d back to %d, %s", from, t.solver.Iter, filepath.Base(path))
	t.note(Event{Iter: t.solver.Iter, Status: Applied, Text: text})
	return text, nil
}

// keepChanges returns the changes up to an iteration, in new memory.
func keepChanges(all []Change, iter int) []Change {
	var out []Change
	for _, c := range all {
		if c.Iter <= iter {
			out = append(out, c)
		}
	}
	return out
}
