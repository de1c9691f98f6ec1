package session

import (
	"time"

	"dns-tui/caffe/caffepb"
	"dns-tui/model/solver"
)

// display is what a run shows of itself beside what its parts know, and when.
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

func newDisplay(s *solver.Solver) display {
	d := display{shownIter: -1, exported: s.Net.ExportBytes()}
	d.noticed = len(s.Device().Capabilities().Notices) // what it said at its opening is told by who opened it
	d.source, d.batch = s.Net.DataSource()
	return d
}

// begin starts the clock of the progress lines.
func (d *display) begin() { d.shown = time.Now() }

// settled takes in an iteration.
func (d *display) settled(loss float64, operated bool) {
	d.loss = loss
	if operated {
		d.surgeries++
	}
}

// ran takes in that the run has come to an iteration, and reports whether its speed was measured anew.
func (d *display) ran(iter int) bool { return d.speed.tick(iter) }

// perSecond is the speed, in iterations; 0 where it is not known.
func (d *display) perSecond() float64 { return d.speed.perSecond() }

// interrupted says that something else than training took time.
func (d *display) interrupted() { d.speed.reset() }

// stale reports that the last snapshot is so old that the next is due.
func (d *display) stale() bool { return time.Since(d.published) >= publishEvery }

// lossNow is the loss of the last iteration that was settled.
func (d *display) lossNow() float64 { return d.loss }

// line is what a display line says of the iteration before this one; first is where the run began.
func (d *display) line(s *solver.Solver, first int) Progress {
	p := Progress{
		Iter: s.Iter - 1, Loss: s.SmoothedLoss(), Rate: s.Rate(s.Iter - 1), PerSecond: d.speed.perSecond(),
		Outputs: s.Net.Outputs(), Surgeries: d.surgeries,
	}
	now := time.Now()
	p.Seconds, p.Iters = now.Sub(d.shown).Seconds(), max(0, p.Iter-max(first, d.shownIter))
	if p.PerSecond == 0 && p.Iters > 0 && p.Seconds > 0 { // tests and snapshots began the measure anew
		p.PerSecond = float64(p.Iters) / p.Seconds
	}
	d.shown, d.shownIter = now, p.Iter
	for _, l := range s.Layers() {
		p.Kept += l.Kept()
		p.Total += l.Total()
	}
	return p
}

// showed reports whether the last display line was of an iteration.
func (d *display) showed(iter int) bool { return d.shownIter == iter }

// deviceNotices are the device's notices that were not told yet: a library that was turned off, say.
func (d *display) deviceNotices(s *solver.Solver) []string {
	notices := s.Device().Capabilities().Notices[d.noticed:]
	d.noticed += len(notices)
	return notices
}

// show puts the run into a snapshot.
func (d *display) show(sn *Snapshot, s *solver.Solver, p *caffepb.SolverParameter) {
	d.published = time.Now()
	sn.Net, sn.Source, sn.Device, sn.Memory = s.Net.Name, d.source, s.Device().Name(), s.Device().Allocated()
	sn.Iter, sn.MaxIter, sn.Rate = s.Iter, int(p.GetMaxIter()), s.Rate(s.Iter)
	sn.Loss, sn.Smoothed = d.loss, s.SmoothedLoss()
	sn.PerSecond, sn.BatchSize, sn.Surgeries = d.speed.perSecond(), d.batch*int(p.GetIterSize()), d.surgeries
	sn.Exported, sn.Published, sn.Health = d.exported, d.published, s.Device().Health()
	if sn.PerSecond > 0 {
		sn.Remaining = time.Duration(float64(sn.MaxIter-sn.Iter) / sn.PerSecond * float64(time.Second))
	}
}

// progress tells what a display line says.
func (t *Trainer) progress() {
	if !t.events.observed() {
		return
	}
	line := t.display.line(t.solver, t.saver.began())
	line.MaxIter, line.Descent = int(t.run.Solver.GetMaxIter()), t.descent.phase()
	t.events.send(Event{Iter: line.Iter, What: line})
}

// lastLoss tells the loss of the weights after the last update, as Caffe does at the end of a run that shows its
// iterations, every so many: it takes one more batch, after the last snapshot.
func (d *display) lastLoss(s *solver.Solver, e *events, every int) error {
	if !e.observed() || !due(every, s.Iter) {
		return nil
	}
	if err := s.LossNow(); err != nil {
		return err
	}
	e.send(Event{Iter: s.Iter, What: Progress{Iter: s.Iter, Loss: s.SmoothedLoss(), Last: true}})
	return nil
}

// publish makes a snapshot the latest.
func (t *Trainer) publish() {
	for _, n := range t.display.deviceNotices(t.solver) {
		t.note(Notice{n})
	}
	sn := &Snapshot{
		State:       t.control.State,
		Problem:     t.control.Problem,
		Sensitivity: t.prober.result(),
		Search:      t.search.Load(),
		Shipped:     t.weigher.result(),
	}
	t.display.show(sn, t.solver, t.run.Solver)
	t.ranks.show(sn, sn.Published)
	t.settings.show(sn)
	t.events.show(sn)
	t.tests.show(sn)
	t.saver.show(sn)
	t.pilot.show(sn)
	t.curves.show(sn, t.solver, t.hist.list())
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
