package session

import (
	"slices"
	"time"
)

// display is what a run shows of itself beside what its parts know.
type display struct {
	source    string // of the data
	batch     int
	exported  int64 // bytes of what export makes of the net
	noticed   int   // of the device's notices, those that were told
	loss      float64
	surgeries int // iterations that operated
	speed     speedometer
	published time.Time
	shown     time.Time // the last progress line, or the start
	shownIter int       // iteration of the last progress line; -1 before the first
}

// progress passes on what a display line says.
func (t *Trainer) progress() {
	if len(t.events.observers) == 0 {
		return
	}
	d, s := &t.display, t.solver
	p := Progress{
		Iter: s.Iter - 1, Loss: s.SmoothedLoss(), Rate: s.Rate(s.Iter - 1), PerSecond: d.speed.perSecond(),
		Outputs: s.Net.Outputs(),
	}
	now := time.Now()
	p.Seconds, p.Iters = now.Sub(d.shown).Seconds(), max(0, p.Iter-max(t.keeper.first, d.shownIter))
	d.shown, d.shownIter = now, p.Iter
	for _, l := range s.Layers() {
		p.Kept += l.Kept()
		p.Total += l.Total()
	}
	t.events.send(Event{Iter: p.Iter, What: p})
}

// showLastLoss tells the loss of the weights after the last update, as Caffe does at the end of a run that shows its
// iterations: it takes one more batch, after the last snapshot.
func (t *Trainer) showLastLoss() error {
	s := t.solver
	if len(t.events.observers) == 0 || !due(int(t.run.Solver.GetDisplay()), s.Iter) {
		return nil
	}
	if err := s.LossNow(); err != nil {
		return err
	}
	t.events.send(Event{Iter: s.Iter, What: Progress{Iter: s.Iter, Loss: s.SmoothedLoss(), Last: true}})
	return nil
}

// publish makes a snapshot the latest.
func (t *Trainer) publish() {
	s, d, k, c := t.solver, &t.display, &t.keeper, &t.curves
	d.published = time.Now()
	for _, n := range s.Device().Capabilities().Notices[d.noticed:] { // a library that was turned off, say
		t.note(Notice{n})
		d.noticed++
	}
	sn := &Snapshot{
		Net: s.Net.Name, Source: d.source, Device: s.Device().Name(), Memory: s.Device().Allocated(),
		State: t.state, Problem: t.problem, Iter: s.Iter, MaxIter: int(t.run.Solver.GetMaxIter()),
		Rate: s.Rate(s.Iter), Loss: d.loss, Smoothed: s.SmoothedLoss(), PerSecond: d.speed.perSecond(),
		BatchSize: d.batch * int(t.run.Solver.GetIterSize()), Surgeries: d.surgeries,

		Hyper: s.Hyper(), Pending: t.settings.ledger.changes(), Plans: t.settings.plans.list,
		Changes: t.settings.marks.view(), Events: slices.Clone(t.events.kept),

		Losses: c.loss.view(), Smooth: c.smoothed.view(), Accuracy: c.accuracy.view(), TestLoss: c.testLoss.view(),
		Rates: c.rate.view(), Share: c.kept.view(), Speed: c.speed.view(), Sensitivity: t.probing.result(),
		Tests: slices.Clone(t.tests.results), Tested: t.tests.done, ToTest: t.tests.total,

		Path: t.run.SolverPath, Prefix: t.run.SnapshotPrefix(), Journal: t.run.JournalPath(),
		States: k.points.list, Saved: k.last, SavedIter: k.lastIter, Exported: d.exported, Trouble: k.text(),
		Unsaved: k.unsaved(), Published: d.published,
	}
	sn.Undo, sn.Redo = t.settings.ledger.texts()
	if back := k.points.lastGood(s.Iter); back != nil {
		sn.Back = back.Path
	}
	sn.Health = s.Device().Health()
	if sn.PerSecond > 0 {
		sn.Remaining = time.Duration(float64(sn.MaxIter-sn.Iter) / sn.PerSecond * float64(time.Second))
	}
	for i, p := range s.Layers() {
		sn.Layers = append(sn.Layers, layerStats(p, s.Hyper().Layer(p.Name), t.hist.layers[i], &c.layers[i]))
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
