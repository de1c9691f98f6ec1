package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

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
	// Notices are told as the run's first events.
	Notices []string
	// Events gets the run's events. The loop never waits for it: what does not fit is dropped and counted.
	Events chan<- Event
	// Progress gets a line every display iterations, in the same way.
	Progress chan<- Progress
}

// Progress is what a display line says.
type Progress struct {
	Iter      int
	Loss      float64 // smoothed
	Rate      float64
	PerSecond float64
	Kept      int
	Total     int
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
	closing  sync.Once
	dropped  atomic.Int64

	// What follows belongs to the loop.
	state     State
	problem   string
	steps     int       // left before a pause; -1: none
	deferred  []request // surgery asked for during a test
	stopping  bool
	save      bool
	pending   []waiting
	undo      []done
	seq       int // of the last change asked for
	events    []Event
	losses    Series
	accuracy  Series
	testLoss  Series
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
	t := &Trainer{run: run, opts: o, requests: make(chan request, 64), done: make(chan struct{}), steps: -1, testedAt: -1}
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
	if t.journal, err = openJournal(run.JournalPath()); err != nil {
		t.solver.Close()
		return nil, err
	}
	for _, line := range t.solver.pending {
		var c Change
		if json.Unmarshal(line, &c) == nil {
			t.pending = append(t.pending, waiting{Change: c, reply: make(chan reply, 1)})
		}
	}
	t.hist = make([]*Histogram, len(t.solver.surgeon.layers))
	t.describe()
	if o.Paused {
		t.state = Paused
	}
	if err := t.journal.write(Change{Iter: t.solver.Iter, Field: fieldRun, New: run.SolverPath, Seed: t.solver.Seed}); err != nil {
		t.solver.Close()
		return nil, err
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

// Dropped counts events and progress lines that nobody read in time.
func (t *Trainer) Dropped() int64 { return t.dropped.Load() }

// Snapshot implements Session.
func (t *Trainer) Snapshot() *Snapshot { return t.latest.Load() }

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
	t.histNext = time.Now()
	for {
		t.obey()
		if t.stopping {
			t.state = Stopped
			if t.save {
				t.saveSnapshot()
			}
			return
		}
		if t.solver.Iter >= int(t.run.Solver.GetMaxIter()) {
			if !t.finish() {
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
	t.publish()
	t.journal.close()
	t.solver.Close()
	close(t.done)
}

// fail ends the run with an error; weights that are good are saved.
func (t *Trainer) fail(err error) {
	t.err, t.state, t.problem = err, Failed, err.Error()
	t.note(Event{Iter: t.solver.Iter, Text: "failed: " + err.Error()})
	var unstable *UnstableError
	if !errors.As(err, &unstable) {
		t.saveSnapshot()
	}
}

// obey carries out the commands that have come; while paused or finished it waits for them.
func (t *Trainer) obey() {
	if t.steps == 0 && t.state == Running {
		t.steps, t.state = -1, Paused
	}
	waits := func() bool { return (t.state == Paused || t.state == Finished) && !t.stopping }
	for {
		if waits() {
			t.refreshHistograms(true)
			t.publish()
			t.carryOut(<-t.requests)
			continue
		}
		select {
		case r := <-t.requests:
			t.carryOut(r)
		default:
			return
		}
	}
}

// iterate does one iteration with what surrounds it in Caffe's Solver::Step: the test before, the snapshot after.
func (t *Trainer) iterate() error {
	s, p := t.solver, t.run.Solver
	t.replayChanges()
	if n := int(p.GetTestInterval()); n > 0 && s.Iter%n == 0 && (s.Iter > 0 || p.GetTestInitialization()) && t.testedAt != s.Iter {
		t.testedAt = s.Iter
		if err := t.testAll(); err != nil || t.stopping || t.state == Paused {
			return err
		}
	}
	t.applyPending(t.dueNow)
	loss, err := s.Step()
	var unstable *UnstableError
	if errors.As(err, &unstable) && t.opts.Interactive {
		t.state, t.problem = Paused, err.Error()
		t.note(Event{Iter: s.Iter, Text: "paused: " + err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	if t.steps > 0 {
		t.steps--
	}
	t.lastLoss = loss
	t.losses.Add(s.Iter-1, loss)
	t.speed.tick(s.Iter)
	if d := int(p.GetDisplay()); d > 0 && (s.Iter-1)%d == 0 {
		t.progress()
	}
	if n := int(p.GetSnapshot()); n > 0 && s.Iter%n == 0 {
		t.saveSnapshot()
	}
	if time.Since(t.published) >= publishEvery {
		t.refreshHistograms(false)
		t.publish()
	}
	return nil
}

// finish does what follows the last iteration, and reports whether the loop goes on to wait for commands.
func (t *Trainer) finish() bool {
	if t.state != Finished {
		t.state = Running
		p := t.run.Solver
		if n := int(p.GetSnapshot()); p.GetSnapshotAfterTrain() && (n == 0 || t.solver.Iter%n != 0) && t.savedIter != t.solver.Iter {
			t.saveSnapshot()
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

// carryOut does one command and answers it, unless it is a change that waits for surgery.
func (t *Trainer) carryOut(r request) {
	ack := Ack{Iter: t.solver.Iter}
	var err error
	switch c := r.cmd; c.Kind {
	case Set:
		if t.stage(c, r.reply, false) {
			return
		}
		ack, err = t.set(c)
	case Pause:
		t.state, err = t.pausable()
	case Resume, Step:
		err = t.resume(c)
	case SurgeryNow:
		err = t.surgeryNow()
	case TestNow:
		if len(t.solver.Tests) == 0 {
			err = errors.New("the solver has no test net")
		} else if err = t.testAll(); err == nil {
			ack.Detail = t.testText()
		}
	case SnapshotNow:
		if err = t.saveSnapshot(); err == nil {
			ack.Detail = t.saved
		}
	case Undo:
		ack.Detail, err = t.takeBack(r.reply)
		if err == nil && ack.Detail == "" {
			return // waits
		}
	case Stop:
		t.stopping, t.save = true, c.Save
	default:
		err = fmt.Errorf("unknown command %d", c.Kind)
	}
	if err != nil && r.cmd.Kind != Undo {
		t.note(Event{Iter: t.solver.Iter, Status: Rejected, Text: r.cmd.String() + ": " + err.Error()})
	}
	t.publish() // first: who has the answer sees its effect
	r.reply <- reply{ack, err}
}

func (t *Trainer) pausable() (State, error) {
	if t.state.Ended() {
		return t.state, fmt.Errorf("the run is %s", t.state)
	}
	return Paused, nil
}

func (t *Trainer) resume(c Command) error {
	if t.state.Ended() {
		return fmt.Errorf("the run is %s", t.state)
	}
	t.steps = -1
	if c.Kind == Step {
		if c.Count < 1 {
			return fmt.Errorf("step %d: wanted at least 1 iteration", c.Count)
		}
		t.steps = c.Count
	}
	t.state, t.problem = Running, ""
	t.speed.reset()
	return nil
}

// stage puts a threshold change on the list of those that wait for surgery, and reports whether it did. A value that
// would be rejected, and one for a layer without further surgery, are left to set.
func (t *Trainer) stage(c Command, to chan reply, undo bool) bool {
	if !config.IsThreshold(c.Field) || t.state == Finished {
		return false
	}
	_, old, err := t.solver.hyper.Set(c.Field, c.Value)
	if err != nil || !t.moreSurgery(c.Field) {
		return false
	}
	for i, w := range t.pending {
		if w.Field == c.Field {
			w.reply <- reply{err: ErrReplaced}
			t.pending = append(t.pending[:i], t.pending[i+1:]...)
			break
		}
	}
	t.seq++
	t.pending = append(t.pending, waiting{Change{Iter: t.solver.Iter, Field: c.Field, Old: old, New: c.Value}, to, t.seq, undo})
	t.publish()
	return true
}

// moreSurgery reports whether the layer of a field will be operated on again.
func (t *Trainer) moreSurgery(field string) bool {
	name, _ := config.SplitField(field)
	h := t.solver.hyper
	l := h.Layer(name)
	if l == nil || !l.Prune || l.Frozen {
		return false
	}
	stop := h.Stop
	if l.Rule == gpu.PaperRule {
		stop = l.Stop
	}
	return stop == 0 || t.solver.Iter < stop
}

// applyPending puts the waiting changes in force whose layers are operated on now.
func (t *Trainer) applyPending(now func(field string) bool) {
	if len(t.pending) == 0 {
		return
	}
	left := t.pending[:0]
	for _, w := range t.pending {
		if !now(w.Field) {
			left = append(left, w)
			continue
		}
		ack, err := t.set(Command{Kind: Set, Field: w.Field, Value: w.New})
		if err == nil && w.undo {
			t.undo = t.undo[:len(t.undo)-1]
		} else if err == nil {
			t.undo[len(t.undo)-1].seq = w.seq
		}
		w.reply <- reply{ack, err}
	}
	clear(t.pending[len(left):])
	t.pending = left
}

func (t *Trainer) dueNow(field string) bool {
	name, _ := config.SplitField(field)
	for _, p := range t.solver.surgeon.layers {
		if p.Name == name {
			return t.solver.surgeryDue(p)
		}
	}
	return false
}

// set puts a change in force now, and records it.
func (t *Trainer) set(c Command) (Ack, error) {
	h, old, err := t.solver.hyper.Set(c.Field, c.Value)
	if err != nil {
		return Ack{}, err
	}
	if err := t.solver.setHyper(h); err != nil {
		return Ack{}, err
	}
	ch := Change{Iter: t.solver.Iter, Field: c.Field, Old: old, New: c.Value}
	t.record(ch)
	t.seq++
	t.undo = append(t.undo, done{ch, t.seq})
	if len(t.undo) > maxEvents {
		t.undo = t.undo[1:]
	}
	detail := fmt.Sprintf("%s %s → %s", ch.Field, ch.Old, ch.New)
	t.note(Event{Iter: ch.Iter, Status: Applied, Text: detail})
	return Ack{Iter: ch.Iter, Detail: detail}, nil
}

// record writes a change to the journal; a journal that cannot be written does not stop the run.
func (t *Trainer) record(c Change) {
	if err := t.journal.write(c); err != nil {
		t.note(Event{Iter: c.Iter, Text: "journal: " + err.Error()})
	}
}

// takeBack undoes the change that was asked for last: one that waits is dropped, one in force is changed back. It
// returns "" where the change back waits for surgery; to is answered then.
func (t *Trainer) takeBack(to chan reply) (string, error) {
	at, last := -1, -1 // among pending; sequence number of the last change in force
	for i, w := range t.pending {
		if !w.undo {
			at = i
		}
	}
	n := len(t.undo)
	if n > 0 {
		last = t.undo[n-1].seq
	}
	if at >= 0 && t.pending[at].seq > last {
		w := t.pending[at]
		t.pending = append(t.pending[:at], t.pending[at+1:]...)
		w.reply <- reply{err: ErrUndone}
		return fmt.Sprintf("%s stays %s", w.Field, w.Old), nil
	}
	if n == 0 {
		return "", ErrNothingToUndo
	}
	c := Command{Kind: Set, Field: t.undo[n-1].Field, Value: t.undo[n-1].Old}
	t.undo = t.undo[:n-1]
	if t.stage(c, to, true) {
		return "", nil
	}
	ack, err := t.set(c)
	if err == nil {
		t.undo = t.undo[:len(t.undo)-1] // set made the change back one that could be taken back
	}
	return ack.Detail, err
}

// surgeryNow redraws all masks between two iterations. Thresholds that wait for the layers' surgery are put in force.
func (t *Trainer) surgeryNow() error {
	if t.state.Ended() && t.state != Finished {
		return fmt.Errorf("the run is %s", t.state)
	}
	t.applyPending(t.moreSurgery)
	// After the changes that it brings into force, so that a replay meets them in this order.
	t.record(Change{Iter: t.solver.Iter, Field: fieldSurgery, New: "now"})
	t.note(Event{Iter: t.solver.Iter, Status: Applied, Text: fmt.Sprintf("surgery on %d layers", t.solver.OperateAll())})
	t.histNext = time.Time{}
	return nil
}

// replayChanges puts the changes of a replayed journal in force that took effect at this iteration.
func (t *Trainer) replayChanges() {
	for len(t.replay) > 0 && t.replay[0].Iter <= t.solver.Iter {
		c := t.replay[0]
		t.replay = t.replay[1:]
		if c.Iter < t.solver.Iter || c.Field == fieldRun {
			continue
		}
		if c.Field == fieldSurgery {
			t.surgeryNow()
			continue
		}
		if _, err := t.set(Command{Kind: Set, Field: c.Field, Value: c.New}); err != nil {
			t.note(Event{Iter: c.Iter, Status: Rejected, Text: "replay: " + err.Error()})
		}
	}
}

// testAll evaluates every test net. Commands that come meanwhile are carried out between batches where they only set
// something; one that stops or pauses ends the test.
func (t *Trainer) testAll() error {
	before := t.state
	t.state = Testing
	defer func() {
		if t.state == Testing {
			t.state = before
		}
		t.tested, t.toTest = 0, 0
		for _, r := range t.deferred {
			t.carryOut(r)
		}
		t.deferred = nil
	}()
	results := make([]TestResult, 0, len(t.solver.Tests))
	t.toTest = 0
	for i := range t.solver.Tests {
		t.toTest += int(t.run.Solver.TestIter[i])
	}
	t.tested = 0
	for i := range t.solver.Tests {
		r, err := t.solver.Test(i, t.interrupted)
		if errors.Is(err, ErrStopped) {
			t.note(Event{Iter: t.solver.Iter, Text: "test interrupted"})
			return nil
		}
		if err != nil {
			return err
		}
		results = append(results, *r)
	}
	t.tests = results
	for i := range results {
		if a, ok := results[i].Accuracy(); ok && i == 0 {
			t.accuracy.Add(t.solver.Iter, a)
		}
		for _, o := range results[i].Outputs {
			if o.LossWeight != 0 && i == 0 {
				t.testLoss.Add(t.solver.Iter, o.Value)
				break
			}
		}
	}
	t.note(Event{Iter: t.solver.Iter, Text: t.testText()})
	t.speed.reset()
	t.publish()
	return nil
}

// interrupted looks at the commands between two batches of a test.
func (t *Trainer) interrupted() bool {
	t.tested++
	if time.Since(t.published) >= publishEvery {
		t.publish()
	}
	for {
		select {
		case r := <-t.requests:
			switch r.cmd.Kind {
			case TestNow:
				r.reply <- reply{err: errors.New("a test is running")}
			case SurgeryNow:
				t.deferred = append(t.deferred, r) // a test sees one set of masks
			case Resume, Step:
				r.reply <- reply{ack: Ack{Iter: t.solver.Iter}}
			case Pause:
				t.state = Paused
				t.publish()
				r.reply <- reply{ack: Ack{Iter: t.solver.Iter}}
				return true
			default:
				t.carryOut(r)
				if t.stopping {
					return true
				}
			}
		default:
			return false
		}
	}
}

func (t *Trainer) testText() string {
	s := "test"
	for _, r := range t.tests {
		for _, o := range r.Outputs {
			s += fmt.Sprintf("  %s %.4f", o.Name, o.Value)
		}
	}
	return s
}

// saveSnapshot writes a snapshot. Where that fails training goes on, and the snapshot before stays.
func (t *Trainer) saveSnapshot() error {
	var pending [][]byte
	for _, w := range t.pending {
		if line, err := json.Marshal(w.Change); err == nil {
			pending = append(pending, line)
		}
	}
	name, err := t.solver.Save(t.run.SnapshotPrefix(), pending)
	if err != nil {
		t.note(Event{Iter: t.solver.Iter, Text: "snapshot failed: " + err.Error()})
		return err
	}
	t.saved, t.savedIter = name, t.solver.Iter
	t.note(Event{Iter: t.solver.Iter, Text: "snapshot " + name})
	t.speed.reset()
	return nil
}

// note keeps an event for the snapshots and passes it on without waiting.
func (t *Trainer) note(e Event) {
	if len(t.events) >= maxEvents {
		copy(t.events, t.events[1:])
		t.events = t.events[:maxEvents-1]
	}
	t.events = append(t.events, e)
	if t.opts.Events != nil {
		select {
		case t.opts.Events <- e:
		default:
			t.dropped.Add(1)
		}
	}
}

func (t *Trainer) progress() {
	if t.opts.Progress == nil {
		return
	}
	p := Progress{Iter: t.solver.Iter - 1, Loss: t.solver.SmoothedLoss(), Rate: t.solver.Rate(), PerSecond: t.speed.perSecond()}
	for _, l := range t.solver.surgeon.layers {
		p.Kept += l.result.Kept
		p.Total += l.result.Total
	}
	select {
	case t.opts.Progress <- p:
	default:
		t.dropped.Add(1)
	}
}

// refreshHistograms measures the layers anew, at most once a second and for at most half a hundredth of the time.
func (t *Trainer) refreshHistograms(now bool) {
	if !t.opts.Histograms || !now && time.Now().Before(t.histNext) {
		return
	}
	begin := time.Now()
	for i, p := range t.solver.surgeon.layers {
		l := t.solver.hyper.Layer(p.Name)
		pruned, spliced := p.result.Pruned, p.result.Spliced
		t.solver.surgeon.examine(p, l, true)
		p.result.Pruned, p.result.Spliced = pruned, spliced
		t.hist[i] = NewHistogram(l.Rule, &p.result)
	}
	cost := time.Since(begin)
	t.histNext = time.Now().Add(max(time.Second, 200*cost))
}

// publish makes a snapshot the latest.
func (t *Trainer) publish() {
	s := t.solver
	t.published = time.Now()
	sn := &Snapshot{Net: s.Net.Name, Source: t.source, Device: s.device.Name(), State: t.state, Problem: t.problem,
		Iter: s.Iter, MaxIter: int(t.run.Solver.GetMaxIter()), Rate: s.Rate(), Loss: t.lastLoss, Smoothed: s.SmoothedLoss(),
		PerSecond: t.speed.perSecond(), BatchSize: t.batchSize * int(t.run.Solver.GetIterSize()), Memory: s.device.Allocated(), Hyper: s.hyper,
		Losses: t.losses.copy(), Accuracy: t.accuracy.copy(), TestLoss: t.testLoss.copy(), Tests: append([]TestResult(nil), t.tests...),
		Tested: t.tested, ToTest: t.toTest, Events: append([]Event(nil), t.events...), Saved: t.saved, SavedIter: t.savedIter, Published: t.published}
	if sn.PerSecond > 0 {
		sn.Remaining = time.Duration(float64(sn.MaxIter-sn.Iter) / sn.PerSecond * float64(time.Second))
	}
	for i, p := range s.surgeon.layers {
		sn.Layers = append(sn.Layers, p.stats(s.hyper.Layer(p.Name), t.hist[i]))
	}
	for _, w := range t.pending {
		sn.Pending = append(sn.Pending, w.Change)
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

// tick notes an iteration, at most four times a second.
func (m *speedometer) tick(iter int) {
	now := time.Now()
	if now.Before(m.every) {
		return
	}
	m.every = now.Add(250 * time.Millisecond)
	m.at[m.n%len(m.at)], m.iter[m.n%len(m.at)] = now, iter
	m.n++
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
