package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"dns-tui/caffe"
	"dns-tui/model/solver"
)

// session is what a snapshot keeps of the session, beside what the solver needs: as JSON in RunState.
type session struct {
	// Lately are the changes of the snapshot's iteration that were made before it: a journal that goes on from here
	// begins with them.
	Lately []Change `json:"lately,omitempty"`
	Past   past     `json:"past"`
	PlanID int      `json:"plan_id,omitempty"` // of the last plan
	Seq    int      `json:"seq,omitempty"`     // of the last command
}

// carried is what a snapshot made now keeps of the session.
func (t *Trainer) carried() solver.Carried {
	c := solver.Carried{Plans: t.plansJSON()}
	for i := range t.pending {
		if line, err := t.pending[i].change().line(); err == nil {
			c.Pending = append(c.Pending, line)
		}
	}
	c.Session, _ = json.Marshal(session{t.sinceLately(), t.past, t.planID, t.seq}) // of these types nothing fails
	return c
}

// sinceLately are the changes of this iteration.
func (t *Trainer) sinceLately() []Change {
	if n := len(t.lately); n == 0 || t.lately[n-1].Iter != t.solver.Iter {
		return nil
	}
	return t.lately
}

// adopt takes what the snapshot carries, from which the solver goes on.
func (t *Trainer) adopt() {
	var s session
	known := json.Unmarshal(t.solver.Carried().Session, &s) == nil // an older program's has none
	t.lately, t.planID, t.seq = s.Lately, max(t.planID, s.PlanID), max(t.seq, s.Seq)
	if known {
		t.past = s.Past
	} else {
		t.past = past{}
	}
	t.pending = nil
	orders := map[int]*order{}
	for i, line := range t.solver.Carried().Pending {
		c, err := parseChange(line)
		if err != nil {
			continue
		}
		key := c.Seq
		if key == 0 {
			key = -1 - i
		}
		o := orders[key]
		if o == nil {
			o = &order{seq: c.Seq, iter: c.Iter, by: c.By, reply: make(chan reply, 1), undo: t.past.find(c.Seq) == nil}
			orders[key] = o
		}
		o.waits++
		t.pending = append(t.pending, waiting{Edit{c.Field, c.Old, c.New}, o})
	}
	t.restorePlans(t.solver.Carried().Plans)
}

// ErrNoState is returned by GoBack where there is nothing to go back to.
var ErrNoState = errors.New("no snapshot of this run to go back to")

// lastGood is the state that GoBack without a name means: the one that was left by going back, where nothing happened
// since; else the last one before what is now. nil where there is none.
func (t *Trainer) lastGood() *SavedState {
	here := t.place()
	returns := t.returnTo.path != "" && t.returnTo.from == here
	var last *SavedState
	for i := range t.states {
		switch s := &t.states[i]; {
		case returns && s.Path == t.returnTo.path:
			return s
		case !s.Left && (s.Iter < here.iter || s.place != here):
			last = s
		}
	}
	return last
}

// detour says how the last going back can be taken back.
type detour struct {
	from place
	path string
}

// keepPresent makes sure that a snapshot of this very state is there, and returns it.
func (t *Trainer) keepPresent(target string) (string, error) {
	here := t.place()
	for _, s := range t.states {
		if s.place == here && caffe.Exists(s.Path) {
			return s.Path, nil
		}
	}
	name, err := t.save(t.run.SnapshotPrefix() + guardSuffix)
	if err != nil {
		return "", err
	}
	t.remember(name, "before going back", true)
	t.dropOldGuards(target)
	return name, nil
}

// goBack takes the run back to a snapshot, of this run or another of the same net; "" is the last good state. What is
// now is saved first, so that going back once more returns to it. The run then waits.
func (t *Trainer) goBack(path string) (string, error) {
	if path == "" {
		s := t.lastGood()
		if s == nil {
			return "", ErrNoState
		}
		path = s.Path
	}
	state, err := caffe.ReadSolverState(path)
	if err != nil {
		return "", err
	}
	if rs := state.RunState; rs != nil && rs.Seed != nil && rs.GetSeed() != t.solver.Seed {
		return "", &caffe.FileError{
			Path: path,
			Msg:  "is of another run, with another seed: wanted a snapshot of this one",
		}
	}
	if err := t.solver.Drain(); err != nil {
		return "", err
	}
	from := t.solver.Iter
	present, err := t.keepPresent(path)
	if err != nil && t.problem == "" { // a loss that went wrong is worth leaving without
		return "", fmt.Errorf("what is now could not be saved, so the run stays where it is: %w", err)
	}
	if err := t.solver.Rewind(path, state); err != nil {
		return "", err
	}
	told := map[*order]bool{}
	for _, w := range t.pending {
		if !told[w.of] {
			told[w.of] = true
			w.of.waits = 0
			w.of.settle(t.solver.Iter, ErrUndone)
		}
	}
	t.adopt()
	t.leave(path)
	t.curves.cut(t.solver.Iter - 1)
	t.saved, t.savedIter, t.savedAt, t.testedAt = path, t.solver.Iter, t.place(), -1
	t.startIter = min(t.startIter, t.solver.Iter) // what is unsaved counts from here
	t.changes = keepChanges(t.changes, t.solver.Iter, t.lately)
	t.state, t.problem, t.steps, t.toSurgery = Paused, "", -1, false
	t.watch.high, t.watch.flat, t.stuck, t.flow = 0, 0, "", flow{}
	t.histNext = time.Time{}
	t.speed.reset()
	t.bridged = false
	t.written(t.recordStart(path, from))
	// the curves were those of the course that is left now
	if past, err := ReadCourse(t.run.JournalPath()); t.bridged && err == nil {
		t.curves.cut(-1)
		t.loadHistory(past)
	}
	text := fmt.Sprintf("from %d back to %d, %s", from, t.solver.Iter, filepath.Base(path))
	if present != "" {
		text += "; back once more returns"
	}
	t.note(Event{Iter: t.solver.Iter, Status: Applied, Text: text})
	t.promote(path)
	t.returnTo = detour{t.place(), present}
	return text, nil
}

// leave makes a state the place where the run stands, and marks the states of the course that it left.
func (t *Trainer) leave(path string) {
	at := place{course: t.here.course, iter: t.solver.Iter, version: -1, masks: -1}
	for _, s := range t.states {
		if s.Path == path {
			at = s.place
		}
	}
	t.courses++
	t.origins[t.courses] = at
	t.here = place{t.courses, t.solver.Iter, at.version, at.masks}
	states := append([]SavedState(nil), t.states...) // snapshots share the old
	for i := range states {
		s := &states[i]
		s.Left = !t.passed(s.place)
		if name := filepath.Base(s.Path); s.Left {
			t.left[name] = true
		} else {
			delete(t.left, name)
		}
	}
	known := map[string]bool{}
	for _, s := range states {
		known[s.Path] = true
	}
	files, _ := solver.Snapshots(t.run.SnapshotPrefix()) // the folder was written to
	for _, f := range files {
		if f.Iter > t.solver.Iter && !known[f.Path] { // of a run before this one
			t.left[filepath.Base(f.Path)] = true
		}
	}
	t.states = states
}

// leftNames are the names of the states that are left behind, in order.
func (t *Trainer) leftNames() []string { return slices.Sorted(maps.Keys(t.left)) }

// promote gives a guard that the run went back to the name of a snapshot, where that is free: a run that is cut off
// goes on from it.
func (t *Trainer) promote(path string) {
	i := slices.IndexFunc(t.states, func(s SavedState) bool { return s.Path == path && s.Guard })
	if i < 0 {
		return
	}
	why := t.states[i].Why
	files, err := solver.Snapshots(t.run.SnapshotPrefix())
	if err != nil || slices.ContainsFunc(files, func(f solver.SnapshotFile) bool { return f.Iter == t.solver.Iter }) {
		return
	}
	if name, err := t.save(t.run.SnapshotPrefix()); err == nil {
		t.saved, t.savedAt = name, t.place()
		t.remember(name, why, false)
	}
}

// keepChanges returns the changes before an iteration, and those of it that led to its snapshot, in new memory.
func keepChanges(all []Change, iter int, lately []Change) []Change {
	var out []Change
	for _, c := range all {
		if c.Iter < iter {
			out = append(out, c)
		}
	}
	for _, c := range lately {
		if len(c.All()) > 0 || c.Field == fieldPlan {
			out = append(out, c)
		}
	}
	return out
}
