package session

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"dns-tui/config"
	"dns-tui/model/solver"
)

// SavedState is a snapshot that the run can go back to.
type SavedState struct {
	Path string `json:"path"`
	Iter int    `json:"iter"`
	Why  string `json:"why,omitempty"`
	// written before a risky change or before going back; only the last few are kept
	Guard    bool    `json:"guard,omitempty"`
	Left     bool    `json:"left,omitempty"` // of a course that the run has left by going back
	Smoothed float64 `json:"loss"`
	Accuracy float64 `json:"accuracy"` // of the last test before it; -1 where there was none
	Kept     int     `json:"kept"`
	Total    int     `json:"total"`

	place place
}

// place is where a state stands among those of a process: an iteration can have several, with changes between them.
type place struct {
	course  int // counts how often the run went back
	iter    int
	version int // counts changes and surgeries asked for; -1 where that is not known
	masks   int // the version of the last surgery that was asked for
}

// maxStates bounds the states that a run remembers.
const maxStates = 200

// guardSuffix is added to the prefix of the snapshots that are written before risky changes.
const guardSuffix = "_guard"

// edited counts a change of settings or masks.
func (t *Trainer) edited() {
	t.versions++
	t.here.version = t.versions
}

// place is where the run stands: on the course that it went back to, until something happens.
func (t *Trainer) place() place {
	t.here.iter = t.solver.Iter
	at := t.here
	for o, ok := t.origins[at.course]; ok && o.iter == at.iter && o.version == at.version; o, ok = t.origins[at.course] {
		at = o
	}
	return at
}

// passed reports whether the course of the run leads over a place.
func (t *Trainer) passed(p place) bool {
	for at, more := t.place(), true; more; at, more = t.origins[at.course] {
		if p.course == at.course {
			return p.iter < at.iter || p.iter == at.iter && p.version <= at.version
		}
	}
	return false
}

// remember puts a snapshot among the states that the run can go back to, and into the journal.
func (t *Trainer) remember(path, why string, guard bool) {
	s := SavedState{
		Path:     path,
		Iter:     t.solver.Iter,
		Why:      why,
		Guard:    guard,
		Smoothed: t.solver.SmoothedLoss(),
		Accuracy: -1,
		place:    t.place(),
	}
	if math.IsNaN(s.Smoothed) || math.IsInf(s.Smoothed, 0) {
		s.Smoothed = 0
	}
	if _, v, ok := t.curves.accuracy.Last(); ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
		s.Accuracy = v
	}
	for _, p := range t.solver.Layers() {
		s.Kept, s.Total = s.Kept+p.Kept(), s.Total+p.Total()
	}
	t.list(s)
	delete(t.left, filepath.Base(path))
	m := &Measure{Snapshot: &s}
	if !guard {
		m.Saved = path
	}
	t.writeMeasure(m)
}

// list adds a state to those that are known, in place of one of the same file.
func (t *Trainer) list(s SavedState) {
	states := make([]SavedState, 0, len(t.states)+1) // snapshots share the old
	for _, o := range t.states {
		if o.Path != s.Path {
			states = append(states, o)
		}
	}
	if len(states) >= maxStates {
		states = states[1:]
	}
	t.states = append(states, s)
}

// findStates lists what is on disk of the run's past: the states that its journal tells of, and those at its prefix
// that no journal knows.
func (t *Trainer) findStates(past *Course) {
	at := t.place()
	from := ""
	if t.run.Snapshot != "" {
		from = filepath.Base(t.run.Snapshot)
	}
	add := func(s SavedState) {
		if _, err := os.Stat(s.Path); err != nil || s.Iter > at.iter && !s.Left {
			return
		}
		s.place = place{iter: s.Iter, version: -1, masks: -1}
		if s.Left {
			s.place.course = -1
		} else if filepath.Base(s.Path) == from {
			s.place = at
		}
		t.list(s)
	}
	if past == nil {
		past = &Course{}
	}
	if past.Left != nil {
		t.left = past.Left
	}
	if t.run.Snapshot == "" {
		return // begun anew: what is there is another run's
	}
	known := map[string]bool{}
	for _, s := range past.Saved {
		known[filepath.Base(s.Path)] = true
	}
	files, _ := solver.Snapshots(t.run.SnapshotPrefix()) // the folder was written to
	slices.Reverse(files)
	for _, f := range files { // before the run's own, of which the last is where going back leads
		if name := filepath.Base(f.Path); !known[name] {
			add(SavedState{Path: f.Path, Iter: f.Iter, Why: "found beside the run", Left: t.left[name], Accuracy: -1})
		}
	}
	for _, s := range past.Saved {
		s.Left = past.Left[filepath.Base(s.Path)]
		add(s)
	}
}

// guard writes a snapshot before a change that may spoil the run, unless one is there that serves: of this iteration,
// with the masks of now. What was set since then can be taken back without it.
func (t *Trainer) guard(edits []Edit) {
	if t.opts.Guard <= 0 || t.state.Ended() {
		return
	}
	why := t.risk(edits)
	if why == "" {
		return
	}
	here := t.place()
	for _, s := range t.states {
		if p := s.place; !s.Left && p.iter == here.iter && p.masks == here.masks {
			return
		}
	}
	name, err := t.save(t.run.SnapshotPrefix() + guardSuffix)
	if err != nil {
		// the change itself was asked for
		t.note(Event{Iter: t.solver.Iter, Text: fmt.Sprintf("not saved before %s: %v", why, err)})
		return
	}
	t.remember(name, "before "+why, true)
	t.note(Event{Iter: t.solver.Iter, Text: fmt.Sprintf("saved before %s: B goes back to it", why), Saved: name})
	t.dropOldGuards("")
}

// dropOldGuards removes the oldest snapshots that nobody asked for, but not keep.
func (t *Trainer) dropOldGuards(keep string) {
	n := 0
	for _, s := range t.states {
		if s.Guard {
			n++
		}
	}
	states := make([]SavedState, 0, len(t.states))
	for _, s := range t.states {
		if s.Guard && n > max(1, t.opts.Guard) && s.Path != keep {
			n--
			os.Remove(s.Path)
			os.Remove(solver.WeightsName(s.Path))
			continue
		}
		states = append(states, s)
	}
	t.states = states
}

// risk says what is risky about edits, or "".
func (t *Trainer) risk(edits []Edit) string {
	var risky []Edit
	why := ""
	for _, e := range edits {
		if w := t.riskOf(e.Field, e.New); w != "" {
			old, _ := t.solver.Hyper().Get(e.Field)
			risky, why = append(risky, Edit{e.Field, old, e.New}), w
		}
	}
	if len(risky) > 1 {
		return EditsText(risky)
	}
	return why
}

// riskOf says what is risky about a change, or "".
func (t *Trainer) riskOf(fieldName, value string) string {
	h, old, err := t.solver.Hyper().Set(fieldName, value)
	if err != nil || old == value {
		return ""
	}
	was, _ := strconv.ParseFloat(old, 64)
	now, _ := strconv.ParseFloat(value, 64)
	name, field := config.SplitField(fieldName)
	change := fmt.Sprintf("%s %s → %s", fieldName, old, value)
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
		l := t.solver.Hyper().Layer(name)
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
		live := len(g.Deaths) - g.Dead(was)
		if die := g.Dead(now) - g.Dead(was); die > 0 && manyOutputs*die >= live {
			return fmt.Sprintf("%s, which leaves %d of %d outputs without a weight", change, die, live)
		}
	}
	return ""
}

// A threshold that takes the last weight of one output in manyOutputs, or more, is risky.
const manyOutputs = 50

// histogramOf measures a layer now.
func (t *Trainer) histogramOf(name string) *solver.Histogram {
	for i, p := range t.solver.Layers() {
		if p.Name == name {
			if t.hist[i] == nil || t.histIter != t.solver.Iter {
				t.measure()
			}
			return t.hist[i]
		}
	}
	return nil
}
