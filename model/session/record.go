package session

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/solver"
)

// recorder decides when the journal gets a line of how the run does.
type recorder struct {
	iter int // of the last line
	at   time.Time
	loss float64 // summed since
	n    int
}

// A journal gets measures at as many places of a run as recordPoints, and one at least every recordEvery.
const (
	recordPoints = 500
	recordEvery  = 30 * time.Second
)

// recordStart writes where the run begins, or goes on from a snapshot, and what was changed in this very iteration
// before it: a reader drops what the journal holds from this iteration on. back is the iteration that was left for
// it, by going back; else 0.
func (t *Trainer) recordStart(from string, back int) error {
	s := t.solver
	st := &Start{
		Run:      s.ID,
		Net:      s.Net.Name,
		Device:   s.Device().Name(),
		Source:   t.source,
		Batch:    t.batchSize,
		MaxIter:  int(t.run.Solver.GetMaxIter()),
		Weights:  t.run.Weights,
		From:     from,
		Back:     back,
		Settings: s.FileHyper(),
	}
	if back > 0 {
		st.Left = t.leftNames()
	}
	st.Layers = startLayers(s)
	err := t.bridge(st, from)
	lately := t.sinceLately()
	missing := t.unrecorded(lately)
	t.recorded = recorder{iter: s.Iter, at: time.Now()}
	if err == nil {
		err = t.journal.write(t.startLine(s.Iter, st))
	}
	// What was edited in the files since stays behind what was set before the snapshot.
	set := map[string]bool{}
	for _, c := range lately {
		for _, e := range c.All() {
			set[e.Field] = true
		}
	}
	var all, later []Change
	for _, c := range missing {
		if set[c.Field] {
			later = append(later, c)
		} else {
			all = append(all, c)
		}
	}
	t.lately = append(append(all, lately...), later...)
	for _, c := range t.lately {
		if err == nil {
			err = t.journal.write(c)
		}
	}
	if err == nil {
		err = t.journal.sync() // a crash must not bring back what the run has left
	}
	return err
}

func (t *Trainer) startLine(iter int, st *Start) Change {
	return Change{
		Iter:  iter,
		Field: fieldRun,
		New:   t.run.SolverPath,
		Seed:  t.solver.Seed,
		Time:  time.Now().Unix(),
		Start: st,
	}
}

// bridge makes the journal's course that of a snapshot which the run goes on from, where that is of a course which
// the run had left: from where the two part, what led to the snapshot is written again.
func (t *Trainer) bridge(st *Start, from string) error {
	if from == "" {
		return nil
	}
	path, iter := t.run.JournalPath(), t.solver.Iter
	course := courseOf(path, from)
	past, err := ReadCourse(path)
	if course == nil || err != nil {
		return nil
	}
	led, now := before(course.Changes, iter), before(past.Changes, iter)
	same := func(a, b []Change) int {
		n := 0
		for n < len(a) && n < len(b) && sameLine(a[n], b[n]) {
			n++
		}
		return n
	}
	a, b := settings(led), settings(now)
	n := same(a, b)
	// another run was begun since
	anew := past.run() != course.run() && len(led) > 0 && led[0].Field == fieldRun && led[0].Iter == 0
	if n == len(a) && n == len(b) && !anew {
		return nil
	}
	part := iter
	for _, rest := range [][]Change{a[n:], b[n:]} {
		if len(rest) > 0 {
			part = min(part, rest[0].Iter)
		}
	}
	t.bridged = true
	copied := *st
	start := t.startLine(part, &copied)
	if anew {
		part, start = 0, led[0]
	}
	if err := t.journal.write(start); err != nil {
		return err
	}
	for _, c := range led {
		if c.Iter >= part && c.Field != fieldRun {
			if err := t.journal.write(c); err != nil {
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

// before are the entries of the iterations before one; nil of none.
func before(all []Change, iter int) []Change {
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

func settings(all []Change) []Change {
	var out []Change
	for _, c := range all {
		if c.IsSetting() {
			out = append(out, c)
		}
	}
	return out
}

func ruleName(r gpu.Rule) string {
	if r == gpu.PaperRule {
		return "paper"
	}
	return "seed"
}

// unrecorded returns the changes that lead from what the journal says before this iteration to the settings in force
// before those of this iteration, lately: what was made outside this journal.
func (t *Trainer) unrecorded(lately []Change) []Change {
	past, err := ReadJournal(t.run.JournalPath())
	if err != nil {
		past = nil
	}
	h := t.solver.FileHyper()
	if began := beganWith(past); began != nil && past[0].Iter < t.solver.Iter { // a replay begins with these
		h, _, _ = config.Merge(began, nil, h, config.BySnapshot)
	}
	ramps := map[string]Plan{} // under way, by field
	set := func(c Change) {
		if c.Field == fieldPlan && c.Plan != nil {
			delete(ramps, c.Plan.Field)
			if c.New != planOff {
				ramps[c.Plan.Field] = *c.Plan
			}
		}
		for _, e := range c.All() {
			if changed, _, err := h.Set(e.Field, e.New); err == nil {
				h = changed
			}
			delete(ramps, e.Field)
		}
	}
	for _, c := range past {
		if c.Iter < t.solver.Iter {
			set(c)
		}
	}
	for _, c := range lately {
		set(c)
	}
	var out []Change
	for i := range t.plans { // a ramp that another journal saw begin
		p := t.plans[i]
		if r, ok := ramps[p.Field]; p.Begun && (!ok || r.ID != p.ID) {
			out = append(out, Change{Iter: t.solver.Iter, Field: fieldPlan, Old: p.Old, New: p.String(), Plan: &p})
		}
		if p.Begun {
			ramps[p.Field] = p
		}
	}
	for _, f := range h.Fields() {
		now, err := t.solver.Hyper().Get(f)
		if err != nil {
			continue
		}
		r, ramped := ramps[f]
		if ramped &&
			slices.ContainsFunc(t.plans, func(p Plan) bool { return p.Begun && p.ID == r.ID && p.Field == f }) {
			continue // the ramp says it
		}
		if old, _ := h.Get(f); now != old && !(ramped && now == r.Value) {
			if ramped {
				out = append(
					out,
					Change{Iter: t.solver.Iter, Field: fieldPlan, Old: r.String(), New: planOff, Plan: &r},
				)
			}
			out = append(out, Change{Iter: t.solver.Iter, Field: f, Old: old, New: now})
		}
	}
	return out
}

// recordMeasure writes how the run does, when it is time for it or where now is set and something happened since.
func (t *Trainer) recordMeasure(now bool) {
	r, iter := &t.recorded, t.solver.Iter
	if l := t.lastLoss; !math.IsNaN(l) && !math.IsInf(l, 0) && iter > r.iter {
		r.loss, r.n = r.loss+l, r.n+1
	}
	every := max(1, int(t.run.Solver.GetMaxIter())/recordPoints)
	if iter == r.iter || !now && iter%every != 0 && time.Since(r.at) < recordEvery {
		return
	}
	m := &Measure{}
	if r.n > 0 {
		loss := r.loss / float64(r.n)
		m.Loss = &loss
	}
	rate, speed := t.solver.Rate(iter), t.speed.perSecond()
	m.Rate = &rate
	if speed > 0 {
		m.Speed = &speed
	}
	for _, p := range t.solver.Layers() {
		m.Kept = append(m.Kept, p.Kept())
	}
	t.writeMeasure(m)
	*r = recorder{iter: iter, at: time.Now()}
}

// recordTest writes what a test gave.
func (t *Trainer) recordTest(results []solver.TestResult) {
	m := &Measure{}
	if len(results) > 0 {
		if a, ok := results[0].Accuracy(); ok {
			m.Accuracy = &a
		}
		if l := results[0].Loss; !math.IsNaN(l) && !math.IsInf(l, 0) {
			m.TestLoss = &l
		}
	}
	t.writeMeasure(m)
}

// recordEnd writes how the run ended.
func (t *Trainer) recordEnd() {
	t.recordMeasure(true)
	t.writeMeasure(&Measure{State: t.state.String(), Saved: t.saved})
}

func (t *Trainer) writeMeasure(m *Measure) {
	t.record(Change{Iter: t.solver.Iter, Field: fieldMeasure, Time: time.Now().Unix(), Measure: m})
}

// readPast reads the run's journal as it was before this start; nil where there is none.
func (t *Trainer) readPast() *Course {
	past, err := ReadCourse(t.run.JournalPath())
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && t.solver.Iter > 0 {
			t.note(Event{Iter: t.solver.Iter, Text: "the plots begin here: " + err.Error()})
		}
		return nil
	}
	if n := past.Notice(); n != "" {
		t.note(Event{Iter: t.solver.Iter, Text: n})
	}
	if t.run.Snapshot != "" && past.run() != "" && past.run() != t.solver.ID {
		return t.ownPast(past)
	}
	return past
}

// ownPast is what a journal tells of the run that the snapshot is of, where another run was begun at its prefix since.
func (t *Trainer) ownPast(past *Course) *Course {
	own := courseOf(past.Path, t.run.Snapshot)
	if own == nil || own.run() != t.solver.ID {
		own = &Course{Path: past.Path}
	}
	own.Left = past.Left
	own.Saved = slices.DeleteFunc(own.Saved, func(s SavedState) bool { // the other run's now
		return slices.ContainsFunc(
			past.Saved,
			func(o SavedState) bool { return filepath.Base(o.Path) == filepath.Base(s.Path) },
		)
	})
	return own
}

// loadHistory fills the curves of a run that goes on with what its journal tells of the iterations before.
func (t *Trainer) loadHistory(past *Course) {
	if t.solver.Iter == 0 || past == nil {
		return
	}
	h := NewHistory(past.Changes)
	t.changes = keepChanges(h.Changes, t.solver.Iter, t.lately)
	c := &t.curves
	for _, p := range []struct{ to, from *Series }{{&c.loss, &h.Loss}, {&c.smoothed, &h.Loss}, {&c.rate, &h.Rate}, {&c.kept, &h.Kept}, {&c.speed, &h.Speed},
		{&c.accuracy, &h.Accuracy}, {&c.testLoss, &h.TestLoss}} {
		for i, iter := range p.from.Iters {
			if iter <= t.solver.Iter {
				p.to.Add(iter, p.from.Values[i])
			}
		}
	}
	for i, p := range t.solver.Layers() {
		if s := h.Layers[p.Name]; s != nil {
			for k, iter := range s.Iters {
				if iter <= t.solver.Iter {
					c.layers[i].kept.Add(iter, s.Values[k])
				}
			}
		}
	}
}

// loadEvents fills the events of a run that goes on with what its journal tells of before.
func (t *Trainer) loadEvents(past *Course) {
	if t.run.Snapshot == "" || past == nil {
		return
	}
	keep := func(c Change) {
		switch m := c.Measure; {
		case c.IsSetting():
			t.keep(Event{Iter: c.Iter, Status: Applied, Text: c.Text(), By: c.By})
		case c.Field == fieldRun && c.Start != nil && c.Start.Back > 0:
			t.keep(Event{Iter: c.Iter, Status: Applied, Text: fmt.Sprintf("from %d back to %d", c.Start.Back, c.Iter)})
		case m != nil && m.Snapshot != nil:
			t.keep(Event{Iter: c.Iter, Text: "snapshot " + m.Snapshot.Path, Saved: m.Snapshot.Path})
		case m != nil && m.Accuracy != nil:
			t.keep(Event{Iter: c.Iter, Text: fmt.Sprintf("test  accuracy %.4f", *m.Accuracy)})
		}
	}
	for _, c := range past.Changes {
		if c.Iter < t.solver.Iter || c.Field == fieldRun && c.Iter == t.solver.Iter {
			keep(c)
		}
	}
	for _, c := range t.lately {
		keep(c)
	}
}

// History is a run as its journal tells it.
type History struct {
	Starts                                      []Change           // where it began and went on
	Changes                                     []Change           // of settings, and surgeries asked for
	Loss, Rate, Speed, Kept, Accuracy, TestLoss Series             // Kept is the share of all weights
	Layers                                      map[string]*Series // the share that each layer keeps
	Last                                        Measure            // the newest of everything
	LastIter                                    int
	Begun, Ended                                time.Time
}

// NewHistory sorts the lines of a journal.
func NewHistory(lines []Change) *History {
	h := &History{Layers: map[string]*Series{}}
	var start *Start
	for _, c := range lines {
		h.LastIter = max(h.LastIter, c.Iter)
		if c.Time != 0 {
			at := time.Unix(c.Time, 0)
			if h.Begun.IsZero() {
				h.Begun = at
			}
			h.Ended = at
		}
		switch {
		case c.Field == fieldRun:
			h.Starts = append(h.Starts, c)
			if c.Start != nil {
				start = c.Start
			}
		case c.Measure != nil:
			h.measure(c.Iter, c.Measure, start)
		case c.IsSetting(), c.Field == fieldPrefix:
			h.Changes = append(h.Changes, c)
		}
	}
	return h
}

// Start returns what the journal says of the run; nil in a journal of an older version.
func (h *History) Start() *Start {
	for i := len(h.Starts) - 1; i >= 0; i-- {
		if h.Starts[i].Start != nil {
			return h.Starts[i].Start
		}
	}
	return nil
}

func (h *History) measure(iter int, m *Measure, start *Start) {
	for _, p := range []struct {
		to   *Series
		from *float64
		last **float64
	}{{&h.Loss, m.Loss, &h.Last.Loss}, {&h.Rate, m.Rate, &h.Last.Rate}, {&h.Speed, m.Speed, &h.Last.Speed}, {&h.Accuracy, m.Accuracy, &h.Last.Accuracy},
		{&h.TestLoss, m.TestLoss, &h.Last.TestLoss}} {
		if p.from != nil {
			p.to.Add(iter, *p.from)
			*p.last = p.from
		}
	}
	if m.State != "" {
		h.Last.State = m.State
	}
	if m.Saved != "" {
		h.Last.Saved = m.Saved
	}
	if start == nil || len(m.Kept) == 0 || len(m.Kept) != len(start.Layers) {
		return
	}
	h.Last.Kept = m.Kept
	kept, total := 0, 0
	for i, l := range start.Layers {
		s := h.Layers[l.Name]
		if s == nil {
			s = &Series{}
			h.Layers[l.Name] = s
		}
		s.Add(iter, solver.Fraction(m.Kept[i], l.Weights))
		kept, total = kept+m.Kept[i], total+l.Weights
	}
	h.Kept.Add(iter, solver.Fraction(kept, total))
}

// EditsAt are the settings that a change has led to by an iteration: of a ramp, where it is then.
func (c Change) EditsAt(iter int) []Edit {
	if c.Field != fieldPlan || c.Plan == nil || c.New == planOff || c.Plan.Over < 1 {
		return c.All()
	}
	v, _ := c.Plan.rampValue(iter)
	return []Edit{{c.Plan.Field, c.Old, strconv.FormatFloat(v, 'g', -1, 64)}}
}

// startLayers are the layers that can be pruned, as a journal tells of them.
func startLayers(s *solver.Solver) []StartLayer {
	var out []StartLayer
	for _, p := range s.Layers() {
		l := s.Hyper().Layer(p.Name)
		out = append(
			out,
			StartLayer{
				Name:      p.Name,
				Type:      p.Type,
				Rule:      ruleName(l.Rule),
				Weights:   p.Total(),
				Threshold: l.Threshold,
			},
		)
	}
	return out
}
