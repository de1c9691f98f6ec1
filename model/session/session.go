// Package session is a run that a person steers: the training loop, what is asked of it and what becomes of that, and
// what it shows and records.
package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/solver"
)

// Session is a run that can be watched and steered while it trains.
type Session interface {
	// Snapshot returns the latest snapshot; never nil, never waits.
	Snapshot() *Snapshot
	// Do hands a command to the run and waits until it took effect, was rejected, or ctx ended. The command is
	// not canceled when ctx ends.
	Do(ctx context.Context, c Command) (Ack, error)
}

// Options say how a run is kept.
type Options struct {
	Name        string // by which dns-tui attach finds the run; "" where nobody can attach
	Interactive bool   // stay for commands after the last iteration; pause on a bad loss instead of failing
	Histograms  bool   // somebody may watch: keep histograms, and what the net comes to for who ships it, fresh
	Paused      bool   // wait for Resume before the first iteration
	Served      bool   // commands can come: a run that is done but could not be saved waits for a place to save to
	// StopOnCollapse ends a run that can learn nothing more with a CollapseError; without it that is told, and an
	// interactive run pauses.
	StopOnCollapse bool
	// Autopilot is settings beside those of the solver's file: of flags.
	Autopilot []autopilot.Setting
	Guard     int // how many snapshots to keep of those that are written before risky changes; 0 writes none
	// Notices are told as the run's first events.
	Notices []string
	// Observers get the run's events, and every display iterations a Progress.
	Observers []*Observer
	// CaffeEnd ends the run as Caffe does: with the loss of the weights after the last update, where the last
	// iteration is one that is displayed, and with a test only where one is due.
	CaffeEnd bool
	// Debug gets the lines of the solver's debug_info, each with its iteration. The loop waits for it.
	Debug func(iter int, line string)
	// Group is the ranks that train together, of which this process is rank 0; nil where it is alone. The Trainer ends
	// their run; its caller closes the group.
	Group collective.Group
}

// Trainer is the Session of a solver.Solver in this process: its loop runs in a goroutine of its own.
type Trainer struct {
	solver *solver.Solver
	run    *config.Run
	opts   Options

	requests chan request
	latest   atomic.Pointer[Snapshot]
	search   atomic.Pointer[Search] // that steers the run, as it is now
	done     chan struct{}
	err      error // why the run failed; set before done is closed
	stopping stopRequest

	// What follows belongs to the loop.
	control  control
	settings settings
	saver    saver
	rec      recorder
	events   events
	hist     histograms
	curves   curves
	collapse collapse
	replay   replay
	tests    tests
	display  display
	descent  descent
	pilot    pilot
	prober   prober
	weigher  weigher
	pictures pictureReader
	ranks    ranks
}

// NewTrainer prepares a run: nets, weights, journal, and a check that snapshots can be written. Start begins it.
func NewTrainer(run *config.Run, d *gpu.Device, o Options) (_ *Trainer, err error) {
	defer func() {
		if err != nil && o.Group != nil {
			o.Group.Fail(collective.CannotGoOn + err.Error())
		}
	}()
	if err := run.CheckSnapshotFolder(); err != nil {
		return nil, err
	}
	if _, err := autopilot.FromSolver(run); err != nil {
		return nil, err
	}
	notices := slices.Clone(o.Notices)
	lock, err := lockPrefix(run.SnapshotPrefix(), o.Name)
	switch {
	case errors.Is(err, errNoLocks):
		notices = append(notices, fmt.Sprintf("a second run at %s would not be noticed: %v", run.SnapshotPrefix(), err))
	case err != nil:
		return nil, err
	}
	t := &Trainer{
		run: run, opts: o, control: newControl(o.Paused), requests: make(chan request, 64), done: make(chan struct{}),
	}
	var j *journal
	defer func() {
		if err != nil {
			abandon(t.solver, j, lock)
		}
	}()
	found, err := resume(run)
	if err != nil {
		return nil, err
	}
	notices = append(notices, found...)
	read, err := t.replay.read(run)
	if err != nil {
		return nil, err
	}
	notices = append(notices, read...)
	if t.solver, err = solver.NewRank(run, d, o.Group); err != nil {
		return nil, err
	}
	notices = append(notices,
		t.replay.differs(run, len(t.solver.RankDevices()), startLayers(t.solver), t.solver.ComputedBy())...)
	if began := t.replay.settings(); began != nil && run.Snapshot == "" {
		if err := t.solver.StartAs(began); err != nil {
			return nil, fmt.Errorf("%s: %w", run.Replay, err)
		}
	}
	var cut int64
	if j, cut, err = openJournal(run.JournalPath()); err != nil {
		return nil, err
	}
	if cut > 0 {
		notices = append(notices, fmt.Sprintf(
			"%s: its last line was cut short, and is cut off (%d bytes)", run.JournalPath(), cut))
	}
	t.connect(j, lock)
	if err := t.restore(); err != nil {
		return nil, err
	}
	t.reportStart(notices)
	if err := t.pilot.start(t.opts.Autopilot); err != nil {
		return nil, err
	}
	t.publish()
	return t, nil
}

// connect makes the parts of a trainer, and gives them what they work with.
func (t *Trainer) connect(j *journal, lock *prefixLock) {
	s := t.solver
	if t.run.Solver.GetDebugInfo() && t.opts.Debug != nil {
		for _, n := range append([]*model.Net{s.Net}, s.Tests...) {
			n.SetDebug(func(line string) { t.opts.Debug(s.Iter, line) })
		}
	}
	t.ranks = newRanks(t.opts.Group, s.RankDevices(), s.Device().Capabilities().Sums)
	s.OnSettled, s.Interrupted = t.settled, t.stopping.overdue
	if t.opts.Group == nil { // ranks give no iteration up by themselves
		s.Device().HurryWhen(t.stopping.isAsked)
	}
	t.events, t.display, t.tests = newEvents(t.opts.Observers), newDisplay(s), newTests()
	t.hist, t.curves, t.collapse = newHistograms(s), newCurves(s), newCollapse(s)
	t.rec = newRecorder(s, t.run, &t.events, j)
	t.descent = newDescent(s, t.run)
	t.settings = newSettings(s, t.run, &t.events, &t.rec, &t.hist, &t.descent, hooks{
		Finished: func() bool { return t.control.State == Finished },
		Guard: func(edits []config.Edit) {
			if t.opts.Guard > 0 && !t.control.State.Ended() {
				t.saver.guard(edits)
			}
		},
		Changed: func() {
			t.hist.stale()
			t.saver.edited()
		},
	})
	t.saver = newSaver(saverParts{
		Solver: s, Run: t.run, Rec: &t.rec, Events: &t.events, Hist: &t.hist, Settings: &t.settings, Curves: &t.curves,
		Descent: &t.descent,
		Display: &t.display, Lock: lock, Opts: &t.opts, Publish: t.publish,
	})
	t.prober = newProber(s, t.run, &t.hist, &t.events)
	t.weigher = newWeigher(s, t.run, &t.hist, &t.descent, &t.events, t.opts.Histograms)
	t.pilot = newPilot(pilotParts{
		Solver: s, Run: t.run, Settings: &t.settings, Events: &t.events, Saver: &t.saver, Descent: &t.descent,
	})
}

// restore takes in what snapshot and journal tell of the run so far, and records where it continues.
func (t *Trainer) restore() error {
	t.settings.restore(t.solver.SessionData())
	iterChanges := t.rec.recent()
	t.replay.skip(t.solver.Iter, iterChanges)
	t.settings.reserve(t.replay.lastPlan())
	past, problem := t.rec.readPast()
	if problem != "" {
		t.note(Notice{problem})
	}
	if t.solver.Iter > 0 && past != nil {
		t.settings.markAll(t.curves.load(past, t.solver, iterChanges))
	}
	if t.run.Snapshot != "" && past != nil {
		t.events.restore(past, t.solver.Iter, iterChanges)
	}
	t.saver.find(past)
	t.findSearch()
	return t.rec.begin(t.run.Snapshot, 0, nil, t.settings.planned(), t.descent.current())
}

// reportStart reports what users should know of the start.
func (t *Trainer) reportStart(notices []string) {
	run, s := t.run, t.solver
	notices = append(notices, foundElsewhere(run, s)...)
	for _, f := range append([]*caffe.NetFile{run.Train}, run.Tests...) {
		if len(f.Upgraded) > 0 && (f == run.Train || f.Path != run.Train.Path) {
			notices = append(notices, fmt.Sprintf("%s was upgraded: %s (dns-tui upgrade writes it so)",
				f.Path, strings.Join(f.Upgraded, "; ")))
		}
	}
	solver.DropPrevious(run.SnapshotPrefix())
	notices = append(append(notices, s.Notices...), s.Net.IdleKeys(run.Solver)...)
	for _, n := range []string{
		s.Net.SharedLosses(),
		olderSnapshots(run.SnapshotPrefix(), s.Iter, run.Snapshot != ""),
	} {
		if n != "" {
			notices = append(notices, n)
		}
	}
	if most := int(run.Solver.GetMaxIter()); s.Iter >= most && run.Snapshot != "" {
		notices = append(notices, fmt.Sprintf(
			"nothing is left to train: the snapshot is of iteration %d, and max_iter is %d", s.Iter, most))
	}
	if len(s.Hyper().Layers) > 0 && !solver.AsksForSurgery(run.Solver, s.Net.Prunable()) &&
		!t.pilot.begins(t.opts.Autopilot) {
		notices = append(notices,
			"no surgery will be done: neither solver (surgery_iter_gamma) nor layers (threshold) ask for it")
	}
	if t.ranks.size() > 1 {
		notices = append(notices, t.ranks.describe(s.Net.BatchSize(), int(run.Solver.GetIterSize())))
	}
	for _, n := range notices {
		t.note(Notice{n})
	}
}

// foundElsewhere tells of files that were not where solver and nets say, each once.
func foundElsewhere(run *config.Run, s *solver.Solver) []string {
	lines := slices.Clone(run.Found)
	for _, n := range append([]*model.Net{s.Net}, s.Tests...) {
		for _, line := range n.Found() {
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// abandon lets go of what a run holds that does not begin.
func abandon(s *solver.Solver, j *journal, lock *prefixLock) {
	if s != nil {
		_ = s.Close() // the error that ends it is told
	}
	if j != nil {
		_ = j.close()
	}
	lock.release()
}

// note tells an event of this iteration.
func (t *Trainer) note(w Payload) { t.events.note(Event{Iter: t.solver.Iter, What: w}) }

// Notice tells something that users should know as an event of the run, like Options.Notices. It may be called
// before Start alone.
func (t *Trainer) Notice(text string) {
	t.note(Notice{text})
	t.publish()
}

// Start begins the loop. The first that it tells is what prunes the run.
func (t *Trainer) Start() {
	t.note(t.begun())
	t.publish()
	go t.loop()
}

// Done is closed when the loop has ended; Err then tells why, where it failed.
func (t *Trainer) Done() <-chan struct{} { return t.done }

// Err returns why the run failed, or nil. It waits for the loop to end.
func (t *Trainer) Err() error {
	<-t.done
	return t.err
}

// Snapshot implements Session. How the device is shows at once, also while the loop waits for it.
func (t *Trainer) Snapshot() *Snapshot {
	s := t.latest.Load()
	h, search := t.solver.Device().Health(), t.search.Load()
	if h != s.Health || search != s.Search {
		now := *s
		now.Health, now.Search = h, search
		return &now
	}
	return s
}

// Do implements Session.
func (t *Trainer) Do(ctx context.Context, c Command) (Ack, error) {
	r := request{Command: c, Reply: make(chan reply, 1)}
	if c.Kind == Stop {
		t.stopping.ask()
	}
	select {
	case <-t.done:
		return Ack{}, ErrEnded
	case <-ctx.Done():
		if c.Kind == Stop {
			t.stopping.clear() // it will not come: no iteration is given up for it
		}
		return Ack{}, ctx.Err()
	case t.requests <- r:
	}
	select {
	case a := <-r.Reply:
		return a.Ack, a.Err
	case <-ctx.Done():
		return Ack{}, ctx.Err()
	case <-t.done:
		select {
		case a := <-r.Reply:
			return a.Ack, a.Err
		default:
			return Ack{}, ErrEnded
		}
	}
}

// InternalError is a mistake of the program that ended the run.
type InternalError struct {
	Cause any
	Stack []byte
}

func (e *InternalError) Error() string { return fmt.Sprintf("internal error: %v", e.Cause) }
