package session

import (
	"time"

	"dns-tui/model/solver"
)

// note keeps an event for the snapshots and passes it on without waiting.
func (t *Trainer) note(e Event) { t.send(t.keep(e)) }

// keep keeps an event for the snapshots.
func (t *Trainer) keep(e Event) Event {
	if len(t.events) >= maxEvents {
		copy(t.events, t.events[1:])
		t.events = t.events[:maxEvents-1]
	}
	t.eventSeq++
	e.Seq = t.eventSeq
	t.events = append(t.events, e)
	return e
}

func (t *Trainer) send(e Event) {
	if t.opts.Events == nil {
		return
	}
	select {
	case t.opts.Events <- e:
	default:
		t.dropped.Add(1)
	}
}

// progress passes on what a display line says.
func (t *Trainer) progress() {
	if t.opts.Events == nil {
		return
	}
	p := Progress{
		Iter:      t.solver.Iter - 1,
		Loss:      t.solver.SmoothedLoss(),
		Rate:      t.solver.Rate(t.solver.Iter - 1),
		PerSecond: t.speed.perSecond(),
		Outputs:   t.solver.Net.Outputs(),
	}
	now := time.Now()
	p.Seconds, p.Iters = now.Sub(t.shown).Seconds(), max(0, p.Iter-max(t.startIter, t.shownIter))
	t.shown, t.shownIter = now, p.Iter
	for _, l := range t.solver.Layers() {
		p.Kept += l.Kept()
		p.Total += l.Total()
	}
	t.send(Event{Iter: p.Iter, Progress: &p})
}

// showLastLoss tells the loss of the weights after the last update, as Caffe does at the end of a run that shows its
// iterations: it takes one more batch, after the last snapshot.
func (t *Trainer) showLastLoss() error {
	if t.opts.Events == nil || !due(int(t.run.Solver.GetDisplay()), t.solver.Iter) {
		return nil
	}
	if err := t.solver.LossNow(); err != nil {
		return err
	}
	t.send(
		Event{Iter: t.solver.Iter, Progress: &Progress{Iter: t.solver.Iter, Loss: t.solver.SmoothedLoss(), Last: true}},
	)
	return nil
}

// refreshHistograms measures the layers anew, at most once a second and for at most half a hundredth of the time.
func (t *Trainer) refreshHistograms(now bool) {
	if !t.opts.Histograms || !now && time.Now().Before(t.histNext) {
		return
	}
	// While paused nothing moves but by surgery and pruning switched on, which clear histNext.
	if t.histIter == t.solver.Iter && !t.histNext.IsZero() {
		return
	}
	begin := time.Now()
	if !t.measure() {
		return // the next iteration tells
	}
	t.solver.Observe()
	cost := time.Since(begin)
	t.histNext = time.Now().Add(max(time.Second, 200*cost))
}

// measure measures the layers as they are; false where the device failed.
func (t *Trainer) measure() bool {
	t.histIter = t.solver.Iter
	hist, err := t.solver.Histograms()
	if err != nil {
		return false
	}
	t.hist = hist
	return true
}

// publish makes a snapshot the latest.
func (t *Trainer) publish() {
	s := t.solver
	t.published = time.Now()
	for _, n := range s.Device().Capabilities().Notices[t.noticed:] { // a library that was turned off, say
		t.note(Event{Iter: s.Iter, Text: n})
		t.noticed++
	}
	c := &t.curves
	sn := &Snapshot{Net: s.Net.Name, Source: t.source, Device: s.Device().Name(), State: t.state, Problem: t.problem,
		Iter: s.Iter, MaxIter: int(t.run.Solver.GetMaxIter()), Rate: s.Rate(s.Iter), Loss: t.lastLoss, Smoothed: s.SmoothedLoss(),
		PerSecond: t.speed.perSecond(), BatchSize: t.batchSize * int(t.run.Solver.GetIterSize()), Memory: s.Device().Allocated(), Hyper: s.Hyper(),
		Surgeries: t.surgeries, Losses: c.loss.view(), Smooth: c.smoothed.view(), Accuracy: c.accuracy.view(), TestLoss: c.testLoss.view(),
		Rates: c.rate.view(), Share: c.kept.view(), Speed: c.speed.view(), Tests: append([]solver.TestResult(nil), t.tests...),
		Tested: t.tested, ToTest: t.toTest, Events: append([]Event(nil), t.events...), Changes: t.changes[:len(t.changes):len(t.changes)],
		Plans: append(
			[]Plan(nil),
			t.plans...), States: t.states, Sensitivity: t.probing.result(), Path: t.run.SolverPath,
		Prefix: t.run.SnapshotPrefix(), Journal: t.run.JournalPath(), Saved: t.saved, SavedIter: t.savedIter, Exported: t.exported, Published: t.published}
	sn.Undo, sn.Redo = t.past.texts()
	if back := t.lastGood(); back != nil {
		sn.Back = back.Path
	}
	sn.Trouble, sn.Unsaved = t.disk.text(), t.unsavedIters()
	sn.Health = s.Device().Health()
	if sn.PerSecond > 0 {
		sn.Remaining = time.Duration(float64(sn.MaxIter-sn.Iter) / sn.PerSecond * float64(time.Second))
	}
	for i, p := range s.Layers() {
		sn.Layers = append(sn.Layers, layerStats(p, s.Hyper().Layer(p.Name), t.hist[i], &c.layers[i]))
	}
	for i := range t.pending {
		sn.Pending = append(sn.Pending, t.pending[i].change())
	}
	t.latest.Store(sn)
}

// speedometer measures iterations a second over the last few seconds.
type speedometer struct {
	at    [16]time.Time
	iter  [16]int
	n     int
	every time.Time
}

// tick notes an iteration, at most four times a second, and reports whether it did.
func (m *speedometer) tick(iter int) bool {
	now := time.Now()
	if now.Before(m.every) {
		return false
	}
	m.every = now.Add(250 * time.Millisecond)
	m.at[m.n%len(m.at)], m.iter[m.n%len(m.at)] = now, iter
	m.n++
	return true
}

func (m *speedometer) reset() { m.n, m.every = 0, time.Time{} }

func (m *speedometer) perSecond() float64 {
	if m.n < 2 {
		return 0
	}
	last := (m.n - 1) % len(m.at)
	first := 0
	if m.n > len(m.at) {
		first = m.n % len(m.at)
	}
	d := m.at[last].Sub(m.at[first]).Seconds()
	if d <= 0 {
		return 0
	}
	return float64(m.iter[last]-m.iter[first]) / d
}
