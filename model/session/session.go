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
	"time"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/solver"
)

// Session is a run that can be watched and steered while it trains.
type Session interface {
	// Snapshot returns the latest state; never nil, never waits.
	Snapshot() *Snapshot
	// Do hands a command to the run and waits until it took effect, was rejected, or ctx ended. The command stays
	// in force when ctx ends.
	Do(ctx context.Context, c Command) (Ack, error)
}

// Options say how a run is kept.
type Options struct {
	Name        string // by which dns-tui attach finds the run; "" where nobody can attach
	Interactive bool   // stay for commands after the last iteration; pause on a bad loss instead of failing
	Histograms  bool   // keep the layers' histograms fresh, for predictions
	Paused      bool   // wait for Resume before the first iteration
	Served      bool   // commands can come: a run that is done but could not be saved waits for a place to save to
	// StopOnCollapse ends a run that can learn nothing more with a CollapseError; without it is told, and an
	// interactive run pauses.
	StopOnCollapse bool
	Guard          int // how many snapshots to keep of those that are written before risky changes; 0 writes none
	// Notices are told as the run's first events.
	Notices []string
	// Events gets the run's events, and every display iterations one with Progress. The loop never waits for it: what
	// does not fit is dropped and counted.
	Events chan<- Event
	// CaffeEnd ends the run as Caffe does: with the loss of the weights after the last update, where the last
	// iteration is one that is displayed, and with a test only where one is due.
	CaffeEnd bool
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
	Outputs   []model.Output // of the train net, in the last pass
	// Seconds and Iters are the time and the iterations since the line before.
	Seconds float64
	Iters   int
	// Last is the line that ends a run: the loss after the last update, and nothing else.
	Last bool
}

// Trainer is the Session of a Solver in this process: its loop runs in a goroutine of its own.
type Trainer struct {
	solver         *solver.Solver
	run            *config.Run
	opts           Options
	journal        *journal
	lock           *prefixLock
	replay         []Change
	replayRejected int // changes of the journal that could not be repeated

	requests chan request
	latest   atomic.Pointer[Snapshot]
	done     chan struct{}
	err      error // why the run failed; set before done is closed
	dropped  atomic.Int64
	// stopAsked is when a stop was asked for that has not been carried out, in nanoseconds since 1970; 0: none was.
	stopAsked atomic.Int64

	// What follows belongs to the loop.
	noticed   int // of the device's notices, those that were told
	state     State
	problem   string
	steps     int       // left before a pause; -1: none
	deferred  []request // surgery asked for during a test
	stopping  bool
	pending   []waiting
	past      past
	seq       int      // of the last change asked for
	lately    []Change // settings and surgeries of one iteration: where that is this one, a snapshot carries them
	plans     []Plan
	planID    int  // of the last plan
	toSurgery bool // pause after the next surgery
	events    []Event
	eventSeq  int
	changes   []Change // in force, for marks
	states    []SavedState
	left      map[string]bool // base names of the solverstates that going back left behind
	here      place           // but for the iteration
	versions  int             // of the last change
	courses   int             // how often the run went back
	origins   map[int]place   // where a course began
	returnTo  detour
	bridged   bool // the journal has gone over to a course that was left
	disk      disk
	watch     lossWatch
	stuck     string // what the watch has seen and is not told yet
	flow      flow
	// hasOperated is set when an iteration with surgery was settled, until that was looked at.
	hasOperated bool
	curves      curves
	surgeries   int // iterations that operated
	recorded    recorder
	probing     *prober
	looker      looker
	tests       []solver.TestResult
	tested      int
	toTest      int
	lastLoss    float64
	saved       string
	savedIter   int
	savedAt     place
	startIter   int // the least iteration at which it began, or to which it went back
	testedAt    int // iteration of the last scheduled test; -1 before the first
	speed       speedometer
	published   time.Time
	exported    int64     // bytes of what export makes of the net
	shown       time.Time // the last progress line, or the start
	shownIter   int       // iteration of the last progress line; -1 before the first
	hist        []*solver.Histogram
	histNext    time.Time
	histIter    int // iteration of the last histograms
	source      string
	batchSize   int
}

// maxEvents bounds the events that a snapshot carries.
const maxEvents = 200

// NewTrainer prepares a run: nets, weights, journal, and a check that snapshots can be written. Start begins it.
func NewTrainer(run *config.Run, d *gpu.Device, o Options) (_ *Trainer, err error) {
	if err := run.CheckSnapshotFolder(); err != nil {
		return nil, err
	}
	prefix := run.SnapshotPrefix()
	lock, err := lockPrefix(prefix, o.Name)
	switch {
	case errors.Is(err, errNoLocks):
		o.Notices = append(o.Notices, fmt.Sprintf("a second run at %s would not be noticed: %v", prefix, err))
	case err != nil:
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.release()
		}
	}()
	found, err := resume(run)
	if err != nil {
		return nil, err
	}
	o.Notices = append(o.Notices, found...)
	t := &Trainer{
		lock:      lock,
		run:       run,
		opts:      o,
		requests:  make(chan request, 64),
		done:      make(chan struct{}),
		steps:     -1,
		testedAt:  -1,
		savedIter: -1,
		shownIter: -1,
		left:      map[string]bool{},
		origins:   map[int]place{},
	}
	if run.Replay != "" {
		course, err := ReadCourse(run.Replay)
		if err != nil {
			return nil, err
		}
		if n := course.Notice(); n != "" {
			o.Notices = append(o.Notices, n)
		}
		t.replay = course.Changes
		if seed, ok := JournalSeed(t.replay); ok {
			run.Seed = &seed
		}
	}
	if t.solver, err = solver.New(run, d); err != nil {
		return nil, err
	}
	o.Notices = append(o.Notices, otherThanReplayed(t.replay, run, startLayers(t.solver))...)
	t.exported = t.solver.Net.ExportBytes()
	if began := beganWith(t.replay); began != nil && run.Snapshot == "" {
		if err := t.solver.StartAs(began); err != nil {
			t.solver.Close()
			return nil, fmt.Errorf("%s: %w", run.Replay, err)
		}
	}
	if run.Solver.GetDebugInfo() && o.Debug != nil {
		for _, n := range append([]*model.Net{t.solver.Net}, t.solver.Tests...) {
			n.SetDebug(o.Debug)
		}
	}
	var cut int64
	if t.journal, cut, err = openJournal(run.JournalPath()); err != nil {
		t.solver.Close()
		return nil, err
	}
	if cut > 0 {
		o.Notices = append(
			o.Notices,
			fmt.Sprintf("%s: its last line was cut short, and is cut off (%d bytes)", run.JournalPath(), cut),
		)
	}
	t.startIter = t.solver.Iter
	t.adopt()
	t.skipReplayed()
	t.curves.layers = make([]layerHistory, len(t.solver.Layers()))
	t.hist = make([]*solver.Histogram, len(t.solver.Layers()))
	t.describe()
	t.solver.OnSettled, t.solver.Interrupted = t.settled, t.stopWaits
	t.noticed = len(d.Capabilities().Notices) // what it said at its opening is told by who opened it
	if o.Paused {
		t.state = Paused
	}
	past := t.readPast()
	t.loadHistory(past)
	t.loadEvents(past)
	t.findStates(past)
	if err := t.recordStart(run.Snapshot, 0); err != nil {
		t.solver.Close()
		return nil, err
	}
	o.Notices = append(o.Notices, t.elsewhere()...)
	for _, f := range append([]*caffe.NetFile{run.Train}, run.Tests...) {
		if len(f.Upgraded) > 0 && (f == run.Train || f.Path != run.Train.Path) {
			o.Notices = append(
				o.Notices,
				fmt.Sprintf(
					"%s was upgraded: %s (dns-tui upgrade writes it so)",
					f.Path,
					strings.Join(f.Upgraded, "; "),
				),
			)
		}
	}
	solver.DropPrevious(prefix)
	o.Notices = append(append(o.Notices, t.solver.Notices...), t.solver.Net.IdleKeys(run.Solver)...)
	if n := t.solver.Net.SharedLosses(); n != "" {
		o.Notices = append(o.Notices, n)
	}
	if n := olderSnapshots(prefix, t.solver.Iter, run.Snapshot != ""); n != "" {
		o.Notices = append(o.Notices, n)
	}
	if most := int(run.Solver.GetMaxIter()); t.solver.Iter >= most && run.Snapshot != "" {
		o.Notices = append(
			o.Notices,
			fmt.Sprintf(
				"nothing is left to train: the snapshot is of iteration %d, and max_iter is %d",
				t.solver.Iter,
				most,
			),
		)
	}
	for _, n := range o.Notices {
		t.note(Event{Iter: t.solver.Iter, Text: n})
	}
	if h := t.solver.Hyper(); len(h.Layers) > 0 && !solver.AsksForSurgery(run.Solver, t.solver.Net.Prunable()) {
		t.note(
			Event{
				Iter: t.solver.Iter,
				Text: "no surgery will be done: neither solver (surgery_iter_gamma) nor layers (threshold) ask for it",
			},
		)
	}
	t.publish()
	return t, nil
}

// skipReplayed drops the changes of a replay that the snapshot holds from which the run goes on.
func (t *Trainer) skipReplayed() {
	iter, n := t.solver.Iter, 0
	same := func(c Change) string {
		line, _ := c.line()
		return string(line)
	}
	for len(t.replay) > 0 && (t.replay[0].Iter < iter || !t.replay[0].IsSetting()) {
		t.replay = t.replay[1:]
	}
	for _, c := range t.lately {
		for n < len(t.replay) && !t.replay[n].IsSetting() {
			n++
		}
		if n == len(t.replay) || same(t.replay[n]) != same(c) {
			return
		}
		n++
	}
	t.replay = t.replay[n:]
}

// elsewhere tells of files that were not where solver and nets say, each once.
func (t *Trainer) elsewhere() []string {
	lines := slices.Clone(t.run.Found)
	for _, n := range append([]*model.Net{t.solver.Net}, t.solver.Tests...) {
		for _, line := range n.Found() {
			if !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// describe finds the name of the data and the batch size.
func (t *Trainer) describe() {
	t.source, t.batchSize = t.solver.Net.DataSource()
}

// Notice tells something that users should know as an event of the run, like Options.Notices. It may be called
// before Start alone.
func (t *Trainer) Notice(text string) {
	t.note(Event{Iter: t.solver.Iter, Text: text})
	t.publish()
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
	if h := t.solver.Device().Health(); h != s.Health {
		now := *s
		now.Health = h
		return &now
	}
	return s
}

// Do implements Session.
func (t *Trainer) Do(ctx context.Context, c Command) (Ack, error) {
	r := request{cmd: c, reply: make(chan reply, 1)}
	if c.Kind == Stop {
		t.stopAsked.CompareAndSwap(0, time.Now().UnixNano())
	}
	select {
	case <-t.done:
		return Ack{}, ErrEnded
	case <-ctx.Done():
		if c.Kind == Stop {
			t.stopAsked.Store(0) // it will not come: no iteration is given up for it
		}
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

// InternalError is a mistake of the program that ended the run.
type InternalError struct {
	Cause any
	Stack []byte
}

func (e *InternalError) Error() string { return fmt.Sprintf("internal error: %v", e.Cause) }
