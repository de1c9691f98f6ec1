package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"time"

	"dns-tui/config"
	"dns-tui/model/solver"
)

// recorder writes the journal of a run: where it begins, what is changed, and now and then how it does. A journal that
// cannot be written does not stop the run: lines wait, and that is told.
type recorder struct {
	solver  *solver.Solver
	run     *config.Run
	events  *events
	journal *journal
	backoff backoff
	// iterChanges are settings and surgeries of one iteration: where that is this one, a snapshot carries them.
	iterChanges []Change
	// switched tells that the journal has gone over to a course that was left.
	switched bool

	measuredIter int // of the last measure
	measuredAt   time.Time
	loss         float64 // summed since
	n            int
}

// A journal gets measures at as many places of a run as recordPoints, and one at least every recordEvery.
const (
	recordPoints = 500
	recordEvery  = 30 * time.Second
)

// newRecorder returns the recorder of a run whose journal is open.
func newRecorder(s *solver.Solver, run *config.Run, e *events, j *journal) recorder {
	return recorder{solver: s, run: run, events: e, journal: j}
}

// close ends the journal; what could not be written was told.
func (r *recorder) close() {
	if r.journal != nil {
		_ = r.journal.close()
	}
}

// problem is why the journal cannot be written, while it cannot.
func (r *recorder) problem() error { return r.backoff.failed() }

// restore takes the changes of a snapshot's iteration.
func (r *recorder) restore(changes []Change) { r.iterChanges = changes }

// recent are the settings and surgeries of the last iteration that had some.
func (r *recorder) recent() []Change { return r.iterChanges }

// switchedCourse reports whether the journal has gone over to a course that was left, when the run began or went back
// last.
func (r *recorder) switchedCourse() bool { return r.switched }

// move continues with the journal at another place, where that is not the same, and records where snapshots go.
func (r *recorder) move(from, to string, moved Change) error {
	if from != to {
		j, err := r.journal.copyTo(to)
		if err != nil {
			return err
		}
		r.journal.closeMoved(moved)
		r.journal = j
	}
	r.write(moved)
	return nil
}

// write records a change.
func (r *recorder) write(c Change) {
	if c.IsSetting() {
		if n := len(r.iterChanges); n > 0 && r.iterChanges[n-1].Iter != c.Iter {
			r.iterChanges = nil // a snapshot's list may share it
		}
		r.iterChanges = append(r.iterChanges, c)
	}
	r.report(r.journal.write(c))
}

// surgery records one beside those of the schedule, of some layers, or of all, nil.
func (r *recorder) surgery(layers []string) {
	r.write(Change{Iter: r.solver.Iter, Surgery: &Surgery{layers}})
}

// sync brings what was written to the disk.
func (r *recorder) sync() { r.report(r.journal.sync()) }

// report takes in what became of a line, and tells of it where it is time.
func (r *recorder) report(err error) {
	switch {
	case err == nil:
		if r.backoff.succeed() {
			r.events.note(Event{Iter: r.solver.Iter, What: JournalWritten{r.journal.lostLines()}})
		}
	case r.backoff.fail(err, time.Now()):
		r.events.note(
			Event{Iter: r.solver.Iter, What: JournalFailed{err.Error(), r.journal.waiting(), r.journal.lostLines()}},
		)
	}
}

// ofIteration are the settings and surgeries of this iteration.
func (r *recorder) ofIteration() []Change {
	if n := len(r.iterChanges); n == 0 || r.iterChanges[n-1].Iter != r.solver.Iter {
		return nil
	}
	return r.iterChanges
}

// begin writes where the run begins, or is resumed from a snapshot, and what was changed in this very iteration before
// it: a reader drops what the journal holds from this iteration on. back is the iteration that was left for it, by
// going back, and left what that left behind; else 0.
func (r *recorder) begin(from string, back int, left []string, planned []Plan, told *Autopilot) error {
	s := r.solver
	source, batch := s.Net.DataSource()
	st := &Start{
		Run: s.ID, Net: s.Net.Name, Device: s.Device().Name(), ComputedBy: s.ComputedBy(), Source: source,
		Batch: batch, Ranks: len(s.RankDevices()),
		MaxIter: int(r.run.Solver.GetMaxIter()), Weights: r.run.Weights, From: from, Back: back,
		Settings: s.FileHyper(), Layers: startLayers(s),
	}
	if back > 0 {
		st.Left = left
	}
	r.switched = false
	err := r.switchCourse(st, from)
	iterChanges := r.ofIteration()
	missing := r.unrecorded(iterChanges, planned, told)
	r.measuredIter, r.measuredAt, r.loss, r.n = s.Iter, time.Now(), 0, 0
	if err == nil {
		err = r.journal.write(r.started(s.Iter, st))
	}
	// What was edited in the files since stays behind what was set before the snapshot.
	set := map[config.Field]bool{}
	for _, c := range iterChanges {
		for _, e := range c.Edits {
			set[e.Field] = true
		}
	}
	var all, later []Change
	for _, c := range missing {
		if len(c.Edits) > 0 && set[c.Edits[0].Field] {
			later = append(later, c)
		} else {
			all = append(all, c)
		}
	}
	r.iterChanges = append(append(all, iterChanges...), later...)
	for _, c := range r.iterChanges {
		if err == nil {
			err = r.journal.write(c)
		}
	}
	if err == nil {
		err = r.journal.sync() // a crash must not bring back what the run has left
	}
	return err
}

// started is the line of a start.
func (r *recorder) started(iter int, st *Start) Change {
	return Change{Iter: iter, Time: time.Now().Unix(), Began: &Began{r.run.SolverPath, r.solver.Seed, st}}
}

// switchCourse makes the journal's course that of a snapshot which the run resumes from, where that is of a course
// which the run had left: from where the two part, what led to the snapshot is written again.
func (r *recorder) switchCourse(st *Start, from string) error {
	if from == "" {
		return nil
	}
	path, iter := r.run.JournalPath(), r.solver.Iter
	course := courseOf(path, from)
	past, err := ReadCourse(path)
	if course == nil || err != nil {
		return nil
	}
	led, now := changesBefore(course.Changes, iter), changesBefore(past.Changes, iter)
	a, b := onlySettings(led), onlySettings(now)
	n := 0
	for n < len(a) && n < len(b) && sameLine(a[n], b[n]) {
		n++
	}
	// another run was begun since
	anew := past.run() != course.run() && len(led) > 0 && led[0].Began != nil && led[0].Iter == 0
	if n == len(a) && n == len(b) && !anew {
		return nil
	}
	part := iter
	for _, rest := range [][]Change{a[n:], b[n:]} {
		if len(rest) > 0 {
			part = min(part, rest[0].Iter)
		}
	}
	r.switched = true
	copied := *st
	start := r.started(part, &copied)
	if anew {
		part, start = 0, led[0]
	}
	if err := r.journal.write(start); err != nil {
		return err
	}
	for _, c := range led {
		if c.Iter >= part && c.Began == nil {
			if err := r.journal.write(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func sameLine(a, b Change) bool {
	x, errX := a.line()
	y, errY := b.line()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// changesBefore are the entries of the iterations before one; nil of none.
func changesBefore(all []Change, iter int) []Change {
	if all == nil {
		return nil
	}
	out := []Change{}
	for _, c := range all {
		if c.Iter < iter {
			out = append(out, c)
		}
	}
	return out
}

func onlySettings(all []Change) []Change {
	var out []Change
	for _, c := range all {
		if c.IsSetting() {
			out = append(out, c)
		}
	}
	return out
}

// unrecorded returns the changes that lead from what the journal says before this iteration to the settings of now
// before those of this iteration, iterChanges: what was made outside this journal. planned are the plans of now,
// told is what the autopilot is told now.
func (r *recorder) unrecorded(iterChanges []Change, planned []Plan, told *Autopilot) []Change {
	iter := r.solver.Iter
	past, err := ReadJournal(r.run.JournalPath())
	if err != nil {
		past = nil
	}
	h := r.solver.FileHyper()
	if began := beganWith(past); began != nil && past[0].Iter < iter { // a replay begins with these
		h, _, _ = config.Merge(began, nil, h, config.BySnapshot)
	}
	ramps := map[config.Field]Plan{} // under way
	found := map[config.Field]bool{} // by the autopilot, so that no line has them
	var autopilot *Autopilot
	apply := func(c Change) {
		if c.Autopilot != nil {
			autopilot = c.Autopilot.New
			for _, e := range c.Autopilot.Edits {
				found[resolveField(h, e.Field)] = true
			}
			if changed, _, err := h.Apply(editsOf(c.Autopilot.Edits)...); err == nil {
				h = changed
			}
			for _, e := range c.Autopilot.Edits {
				found[resolveField(h, e.Field)] = true
			}
		}
		if c.Ramp != nil {
			f := resolveField(h, c.Ramp.Plan.Field)
			delete(ramps, f)
			if !c.Ramp.Ended {
				ramps[f] = c.Ramp.Plan
			}
		}
		for _, e := range c.Edits {
			if changed, _, err := h.Apply(e.Edit); err == nil {
				h = changed
			}
			delete(ramps, resolveField(h, e.Field))
			delete(found, resolveField(h, e.Field))
		}
	}
	for _, c := range changesBefore(past, iter) {
		apply(c)
	}
	for _, c := range iterChanges {
		apply(c)
	}
	var out []Change
	if !sameAutopilot(autopilot, told) {
		out = append(out, Change{Iter: iter, Autopilot: &AutopilotChange{Old: autopilot, New: told}})
	}
	for _, p := range planned { // a ramp that another journal saw begin
		if q, ok := ramps[p.Field]; p.Begun && (!ok || q.ID != p.ID) {
			out = append(out, Change{Iter: iter, Ramp: &Ramp{Plan: p}})
		}
		if p.Begun {
			ramps[p.Field] = p
		}
	}
	for _, f := range h.Fields() {
		now, err := r.solver.Hyper().Get(f)
		if err != nil || found[f] {
			continue
		}
		q, ramped := ramps[f]
		if ramped && slices.ContainsFunc(
			planned, func(p Plan) bool { return p.Begun && p.ID == q.ID && p.Field == f },
		) {
			continue // the ramp says it
		}
		if old, _ := h.Get(f); now != old && !(ramped && now == q.Value) {
			if ramped {
				out = append(out, Change{Iter: iter, Ramp: &Ramp{Plan: q, Ended: true}})
			}
			e := config.Edited{Edit: config.Edit{Field: f, Value: now}, Old: old, OldKnown: true}
			out = append(out, Change{Iter: iter, Edits: []config.Edited{e}})
		}
	}
	return out
}

// sameAutopilot reports whether two are told the same.
func sameAutopilot(a, b *Autopilot) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// resolveField is a field by its full name, or as it is where it is not known.
func resolveField(h *config.Hyper, f config.Field) config.Field {
	if known, err := h.Resolve(f); err == nil {
		return known
	}
	return f
}

// measure writes how the run does, when it is time for it or where now is set and something happened since. perSecond
// is its speed, or 0.
func (r *recorder) measure(now bool, loss, perSecond float64) {
	iter := r.solver.Iter
	if !math.IsNaN(loss) && !math.IsInf(loss, 0) && iter > r.measuredIter {
		r.loss, r.n = r.loss+loss, r.n+1
	}
	every := max(1, int(r.run.Solver.GetMaxIter())/recordPoints)
	if iter == r.measuredIter || !now && iter%every != 0 && time.Since(r.measuredAt) < recordEvery {
		return
	}
	m := &Measure{Device: deviceOf(r.solver.Device().Health())}
	if r.n > 0 {
		loss := r.loss / float64(r.n)
		m.Loss = &loss
	}
	rate := r.solver.Rate(iter)
	m.Rate = &rate
	if perSecond > 0 {
		speed := perSecond // not the parameter, which would be on the heap in each iteration
		m.Speed = &speed
	}
	for _, p := range r.solver.Layers() {
		m.Kept = append(m.Kept, p.Kept())
	}
	r.writeMeasure(m)
	r.measuredIter, r.measuredAt, r.loss, r.n = iter, time.Now(), 0, 0
}

// tested writes what a test gave.
func (r *recorder) tested(results []solver.TestResult) {
	m := &Measure{}
	if len(results) > 0 {
		if a, ok := results[0].Accuracy(); ok {
			m.Accuracy = &a
		}
		if l := results[0].Loss; !math.IsNaN(l) && !math.IsInf(l, 0) {
			m.TestLoss = &l
		}
	}
	r.writeMeasure(m)
}

func (r *recorder) writeMeasure(m *Measure) {
	r.write(Change{Iter: r.solver.Iter, Time: time.Now().Unix(), Measure: m})
}

// readPast reads the run's journal as it was before this start; nil where there is none. problem is what to tell of it.
func (r *recorder) readPast() (past *Course, problem string) {
	past, err := ReadCourse(r.run.JournalPath())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && r.solver.Iter > 0 {
			problem = "the plots begin here: " + err.Error()
		}
		return nil, problem
	}
	if r.run.Snapshot != "" && past.run() != "" && past.run() != r.solver.ID {
		return r.ownPast(past), past.Notice()
	}
	return past, past.Notice()
}

// ownPast is what a journal tells of the run that a snapshot is of, where another run was begun at its prefix since.
func (r *recorder) ownPast(past *Course) *Course {
	own := courseOf(past.Path, r.run.Snapshot)
	if own == nil || own.run() != r.solver.ID {
		own = &Course{Path: past.Path}
	}
	own.Left = past.Left
	own.Saved = slices.DeleteFunc(own.Saved, func(s RestorePoint) bool { // the other run's now
		return slices.ContainsFunc(past.Saved, func(o RestorePoint) bool {
			return filepath.Base(o.Path) == filepath.Base(s.Path)
		})
	})
	return own
}

// startLayers are the layers that can be pruned, as a journal tells of them.
func startLayers(s *solver.Solver) []StartLayer {
	var out []StartLayer
	for _, p := range s.Layers() {
		l := s.Hyper().Layer(p.Name)
		out = append(out, StartLayer{
			Name: p.Name, Type: p.Type, Rule: config.RuleName(l.Rule), Weights: p.Total(), Entries: p.Entries(),
			Threshold: l.Threshold,
		})
	}
	return out
}
