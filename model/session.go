package model

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu"
)

// Session is a run that can be watched and steered while it trains.
type Session interface {
	// Snapshot returns the latest state; never nil, never waits.
	Snapshot() *Snapshot
	// Do hands a command to the run and waits until it took effect, was rejected, or ctx ended. The command stays
	// in force when ctx ends.
	Do(ctx context.Context, c Command) (Ack, error)
}

// SessionOptions say how a run is kept.
type SessionOptions struct {
	Interactive bool // stay for commands after the last iteration; pause on a bad loss instead of failing
	Histograms  bool // keep the layers' histograms fresh, for predictions
	Paused      bool // wait for Resume before the first iteration
	Guard       int  // how many snapshots to keep of those that are written before risky changes; 0 writes none
	// Notices are told as the run's first events.
	Notices []string
	// Events gets the run's events, and every display iterations one with Progress. The loop never waits for it: what
	// does not fit is dropped and counted.
	Events chan<- Event
	// Debug gets the lines of the solver's debug_info. The loop waits for it.
	Debug func(line string)
}

// Progress is what a display line says.
type Progress struct {
	Iter      int
	Loss      float64 // smoothed
	Rate      float64
	PerSecond float64
	Kept      int
	Total     int
	Outputs   []Output // of the train net, in the last pass
}

// Trainer is the Session of a Solver in this process: its loop runs in a goroutine of its own.
type Trainer struct {
	solver  *Solver
	run     *config.Run
	opts    SessionOptions
	journal *journal
	replay  []Change

	requests chan request
	latest   atomic.Pointer[Snapshot]
	done     chan struct{}
	err      error // why the run failed; set before done is closed
	dropped  atomic.Int64

	// What follows belongs to the loop.
	noticed   int // of the device's notices, those that were told
	state     State
	problem   string
	steps     int       // left before a pause; -1: none
	deferred  []request // surgery asked for during a test
	stopping  bool
	pending   []waiting
	undo      []done
	seq       int // of the last change asked for
	redo      []Change
	plans     []Plan
	planID    int  // of the last plan
	toSurgery bool // pause after the next surgery
	events    []Event
	eventSeq  int
	changes   []Change // in force, for marks
	states    []SavedState
	edits     int // changes and surgeries asked for
	curves    curves
	surgeries int // iterations that operated
	recorded  recorder
	probing   *prober
	looker    looker
	tests     []TestResult
	tested    int
	toTest    int
	lastLoss  float64
	saved     string
	savedIter int
	testedAt  int // iteration of the last scheduled test; -1 before the first
	speed     speedometer
	published time.Time
	hist      []*Histogram
	histNext  time.Time
	histIter  int // iteration of the last histograms
	source    string
	batchSize int
}

// maxEvents bounds the events that a snapshot carries.
const maxEvents = 200

// publishEvery is the least time between two snapshots of a run that goes on.
const publishEvery = 100 * time.Millisecond

// NewTrainer prepares a run: nets, weights, journal, and a check that snapshots can be written. Start begins it.
func NewTrainer(run *config.Run, d gpu.Device, o SessionOptions) (*Trainer, error) {
	if err := run.CheckSnapshotFolder(); err != nil {
		return nil, err
	}
	t := &Trainer{run: run, opts: o, requests: make(chan request, 64), done: make(chan struct{}), steps: -1, testedAt: -1, savedIter: -1}
	if run.Replay != "" {
		changes, err := ReadJournal(run.Replay)
		if err != nil {
			return nil, err
		}
		t.replay = changes
		if seed, ok := JournalSeed(changes); ok {
			run.Seed = &seed
		}
	}
	var err error
	if t.solver, err = NewSolver(run, d); err != nil {
		return nil, err
	}
	if run.Solver.GetDebugInfo() && o.Debug != nil {
		for _, n := range append([]*Net{t.solver.Net}, t.solver.Tests...) {
			n.SetDebug(o.Debug)
		}
	}
	if t.journal, err = openJournal(run.JournalPath()); err != nil {
		t.solver.Close()
		return nil, err
	}
	t.adoptPending()
	t.curves.layers = make([]layerHistory, len(t.solver.surgeon.layers))
	t.hist = make([]*Histogram, len(t.solver.surgeon.layers))
	t.describe()
	t.solver.OnSettled = t.settled
	t.noticed = len(d.Capabilities().Notices) // what it said at its opening is told by who opened it
	if o.Paused {
		t.state = Paused
	}
	t.loadHistory()
	if err := t.recordStart(); err != nil {
		t.solver.Close()
		return nil, err
	}
	for _, f := range append([]*caffe.NetFile{run.Train}, run.Tests...) {
		if len(f.Upgraded) > 0 && (f == run.Train || f.Path != run.Train.Path) {
			o.Notices = append(o.Notices, fmt.Sprintf("%s was upgraded: %s (dns-tui upgrade writes it so)", f.Path, strings.Join(f.Upgraded, "; ")))
		}
	}
	for _, n := range o.Notices {
		t.note(Event{Iter: t.solver.Iter, Text: n})
	}
	if h := t.solver.hyper; len(h.Layers) > 0 && !AsksForSurgery(run.Solver, t.solver.Net.Prunable()) {
		t.note(Event{Iter: t.solver.Iter, Text: "nothing is pruned: neither solver (surgery_iter_gamma) nor layers (threshold) ask for surgery"})
	}
	t.publish()
	return t, nil
}

// adoptPending takes the changes and plans that the snapshot, from which the solver starts, carries.
func (t *Trainer) adoptPending() {
	t.pending = t.pending[:0]
	for _, line := range t.solver.pending {
		if c, err := parseChange(line); err == nil {
			t.pending = append(t.pending, waiting{Change: c, reply: make(chan reply, 1)})
		}
	}
	t.restorePlans(t.solver.plans)
}

// describe finds the name of the data and the batch size.
func (t *Trainer) describe() {
	for _, nd := range t.solver.Net.nodes {
		if p := nd.param.GetDataParam(); p != nil && t.source == "" {
			t.source, t.batchSize = p.GetSource(), int(p.GetBatchSize())
		}
	}
}

// Start begins the loop.
func (t *Trainer) Start() { go t.loop() }

// Done is closed when the loop has ended; Err then tells why, where it failed.
func (t *Trainer) Done() <-chan struct{} { return t.done }

// Err returns why the run failed, or nil. It waits for the loop to end.
func (t *Trainer) Err() error {
	<-t.done
	return t.err
}

// Dropped counts events that nobody read in time.
func (t *Trainer) Dropped() int64 { return t.dropped.Load() }

// Snapshot implements Session. How the device is shows at once, also while the loop waits for it.
func (t *Trainer) Snapshot() *Snapshot {
	s := t.latest.Load()
	if m, ok := t.solver.device.(gpu.Monitored); ok {
		if v := m.Vitals(); v != s.Vitals {
			now := *s
			now.Vitals = v
			return &now
		}
	}
	return s
}

// Do implements Session.
func (t *Trainer) Do(ctx context.Context, c Command) (Ack, error) {
	r := request{cmd: c, reply: make(chan reply, 1)}
	select {
	case <-t.done:
		return Ack{}, ErrEnded
	case <-ctx.Done():
		return Ack{}, ctx.Err()
	case t.requests <- r:
	}
	select {
	case a := <-r.reply:
		return a.ack, a.err
	case <-ctx.Done():
		return Ack{}, ctx.Err()
	case <-t.done:
		select {
		case a := <-r.reply:
			return a.ack, a.err
		default:
			return Ack{}, ErrEnded
		}
	}
}

// loop trains until the run ends.
func (t *Trainer) loop() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer t.end()
	defer func() {
		if r := recover(); r != nil {
			t.fail(&InternalError{Cause: r, Stack: debug.Stack()})
		}
	}()
	t.histNext = time.Time{}
	for {
		if err := t.obey(); err != nil {
			t.fail(err)
			return
		}
		if t.stopping {
			t.state = Stopped
			return
		}
		if t.solver.Iter >= int(t.run.Solver.GetMaxIter()) {
			iter := t.solver.Iter
			if err := t.drain(); err != nil {
				t.fail(err)
				return
			}
			if t.solver.Iter == iter && !t.finish() {
				return
			}
			continue
		}
		if err := t.iterate(); err != nil {
			t.fail(err)
			return
		}
	}
}

// InternalError is a mistake of the program that ended the run.
type InternalError struct {
	Cause any
	Stack []byte
}

func (e *InternalError) Error() string { return fmt.Sprintf("internal error: %v", e.Cause) }

// end publishes the last state and lets everybody go.
func (t *Trainer) end() {
	for _, w := range t.pending {
		w.reply <- reply{err: ErrEnded}
	}
	t.recordEnd()
	if err := t.solver.Close(); err != nil && t.err == nil { // a file that the net writes could not be finished
		t.err, t.state, t.problem = err, Failed, err.Error()
	}
	t.publish()
	t.journal.close()
	close(t.done)
}

// fail ends the run with an error; weights that are good are saved.
func (t *Trainer) fail(err error) {
	t.err, t.state, t.problem = err, Failed, err.Error()
	t.note(Event{Iter: t.solver.Iter, Text: "failed: " + err.Error()})
	var unstable *UnstableError
	if !errors.As(err, &unstable) && t.savedIter != t.solver.Iter && t.saveSnapshot("after a failure") != nil && t.saved != "" {
		t.note(Event{Iter: t.solver.Iter, Text: "the last snapshot is " + t.saved})
	}
}

// drain waits for the iterations that the device is at work on. Commands, tests and snapshots meet what they left.
func (t *Trainer) drain() error { return t.interrupt(t.solver.Drain()) }

// obey carries out the commands that have come; while paused or finished it waits for them.
func (t *Trainer) obey() error {
	if t.steps == 0 && t.state == Running {
		t.steps, t.state = -1, Paused
	}
	waits := func() bool { return (t.state == Paused || t.state == Finished) && !t.stopping }
	for n := 0; ; n++ {
		if waits() {
			if err := t.drain(); err != nil {
				return err
			}
			t.recordMeasure(true)
			t.refreshHistograms(true)
			t.publish()
			if t.probing.busy() {
				select {
				case r := <-t.requests:
					t.carryOut(r)
				default:
					t.probeNext()
				}
				continue
			}
			t.carryOut(<-t.requests)
			continue
		}
		if n == maxRequests {
			return nil // whoever asks without end does not keep the run from its next iteration
		}
		select {
		case r := <-t.requests:
			if err := t.drain(); err != nil {
				return err
			}
			t.carryOut(r)
		default:
			return nil
		}
	}
}

// maxRequests is how many commands are carried out between two iterations.
const maxRequests = 16

// iterate does one iteration with what surrounds it in Caffe's Solver::Step: the test before, the snapshot after.
func (t *Trainer) iterate() error {
	s, p := t.solver, t.run.Solver
	t.replayChanges()
	if n := int(p.GetTestInterval()); n > 0 && s.Iter%n == 0 && (s.Iter > 0 || p.GetTestInitialization()) && t.testedAt != s.Iter {
		iter := s.Iter
		if err := t.drain(); err != nil || s.Iter != iter {
			return err
		}
		t.testedAt = s.Iter
		if err := t.testAll(); err != nil || t.stopping || t.state == Paused {
			return err
		}
	}
	t.followPlans()
	t.applyPending(t.dueNow)
	operates := t.operates()
	shown := due(int(p.GetDisplay()), s.Iter)
	saves := due(int(p.GetSnapshot()), s.Iter+1)
	err := s.Advance()
	if err == nil && (shown || saves || t.steps > 0 || t.toSurgery && operates) {
		err = s.Drain() // a display line, a snapshot and a step show this very iteration
	}
	if err != nil {
		return t.interrupt(err)
	}
	if t.steps > 0 {
		t.steps--
	}
	if t.toSurgery && operates {
		t.steps, t.toSurgery = 0, false
	}
	if t.speed.tick(s.Iter) {
		if v := t.speed.perSecond(); v > 0 {
			t.curves.speed.Add(s.Iter, v)
		}
	}
	t.recordMeasure(false)
	if shown {
		t.progress()
	}
	if saves {
		t.saveSnapshot("by the solver's schedule")
	}
	if t.probing.due() {
		if err := t.drain(); err != nil {
			return err
		}
		t.probeNext()
	}
	if time.Since(t.published) >= publishEvery {
		t.refreshHistograms(false)
		t.publish()
	}
	return nil
}

// due reports whether something that is done every so many iterations is done in this one; every 0 is never.
func due(every, iter int) bool { return every > 0 && iter%every == 0 }

// interrupt pauses an interactive run whose loss went wrong; any other failure it returns.
func (t *Trainer) interrupt(err error) error {
	var unstable *UnstableError
	if !errors.As(err, &unstable) || !t.opts.Interactive {
		return err
	}
	t.state, t.problem = Paused, err.Error()
	t.note(Event{Iter: t.solver.Iter, Text: "paused: " + err.Error()})
	return nil
}

// settled takes in the loss of an iteration.
func (t *Trainer) settled(iter int, loss float64) {
	t.lastLoss = loss
	c := &t.curves
	c.loss.Add(iter, loss)
	c.smoothed.Add(iter, t.solver.SmoothedLoss())
	c.rate.Add(iter, t.solver.Rate(iter))
	kept, total, operated := 0, 0, false
	for i, p := range t.solver.surgeon.layers {
		kept, total = kept+p.result.Kept, total+p.result.Total
		if p.lastIter == iter {
			operated = true
			c.layers[i].note(p)
		}
	}
	if total > 0 {
		c.kept.Add(iter, share(kept, total))
	}
	if operated {
		t.surgeries++
		t.warnOfEmpty(iter)
	}
}

// operates reports whether the next iteration redraws a mask.
func (t *Trainer) operates() bool {
	for _, p := range t.solver.surgeon.layers {
		if t.solver.surgeryDue(p) {
			return true
		}
	}
	return false
}

// warnOfEmpty says when surgery has left a layer without any weight: nothing passes it, forward or backward.
func (t *Trainer) warnOfEmpty(iter int) {
	for _, p := range t.solver.surgeon.layers {
		if p.lastIter == iter && p.result.Kept == 0 && p.pruned > 0 {
			l := t.solver.hyper.Layer(p.Name)
			t.note(Event{Iter: p.lastIter, Text: fmt.Sprintf("%s keeps no weight, so nothing passes it: lower its %s, now %g", p.Name, l.ThresholdName(), l.Threshold)})
		}
	}
}

// finish does what follows the last iteration, and reports whether the loop goes on to wait for commands.
func (t *Trainer) finish() bool {
	if t.state != Finished {
		t.state = Running
		p := t.run.Solver
		if p.GetSnapshotAfterTrain() && t.savedIter != t.solver.Iter {
			if err := t.saveSnapshot("at the end"); err != nil && !t.opts.Interactive {
				t.fail(fmt.Errorf("the training is done, but its weights could not be saved: %w", err))
				return false
			}
		}
		if len(t.solver.Tests) > 0 && p.GetTestInterval() > 0 && t.testedAt != t.solver.Iter {
			t.testedAt = t.solver.Iter
			if err := t.testAll(); err != nil {
				t.fail(err)
				return false
			}
		}
		if t.stopping {
			return true
		}
		t.progress()
		t.state = Finished
		t.note(Event{Iter: t.solver.Iter, Text: "finished"})
	}
	return t.opts.Interactive
}
