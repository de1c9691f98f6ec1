package session

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"dns-tui/escape"
	"dns-tui/gpu/collective"
	"dns-tui/model/solver"
)

// publishEvery is the least time between two snapshots of a run that trains.
const publishEvery = 100 * time.Millisecond

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
	t.hist.stale()
	t.display.begin()
	for {
		if err := t.handleRequests(); err != nil {
			t.fail(err)
			return
		}
		if t.control.isStopping() {
			t.control.State = Stopped
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

// end publishes the last state and lets everybody go.
func (t *Trainer) end() {
	t.settings.runEnded()
	t.rec.measure(true, t.display.lossNow(), t.display.perSecond())
	t.solver.End(t.err)
	t.rec.writeMeasure(&Measure{State: t.control.State.String(), Saved: t.saver.lastSaved()})
	if err := t.solver.Close(); err != nil && t.err == nil { // a file that the net writes could not be finished
		t.err = err
		t.control.fail(escape.Error(err))
	}
	t.publish()
	t.rec.close()
	t.saver.release()
	t.weigher.close()
	close(t.done)
}

// fail ends the run with an error; weights that are good are saved.
func (t *Trainer) fail(err error) {
	var parted *collective.RankError
	if errors.As(err, &parted) && parted.Reason == collective.ToldToEnd {
		if err = t.toldToEnd(parted); err == nil {
			return
		}
	}
	t.err = err
	t.control.fail(escape.Error(err))
	t.note(RunFailed{err.Error()})
	_ = t.solver.Device().Shortage() // that is the error; the weights can be saved
	var unstable *solver.UnstableError
	var collapsed *CollapseError
	// What led to a loss that is not finite would lead there again: a run that goes on from the newest snapshot would
	// end where this one did.
	useless := errors.As(err, &unstable) || errors.As(err, &collapsed)
	if !useless && t.saver.savedThis() {
		return
	}
	if last := t.saver.lastSaved(); (useless || t.saver.save("after a failure") != nil) && last != "" {
		t.note(Notice{"the last snapshot is " + last})
	}
}

// toldToEnd ends a run of which another rank was told to end: as if it had been this one.
func (t *Trainer) toldToEnd(parted *collective.RankError) error {
	t.note(Notice{parted.Error()})
	if !t.saver.savedThis() {
		if err := t.saver.save("because a rank was told to end"); err != nil {
			return fmt.Errorf("%w, and the weights could not be saved: %w", parted, err)
		}
	}
	t.control.State = Stopped
	return nil
}

// drain waits for the iterations that the device is at work on. Commands, tests and snapshots meet what they left.
func (t *Trainer) drain() error { return t.interrupt(t.solver.Drain()) }

// maxRequests is how many commands are carried out between two iterations.
const maxRequests = 16

// handleRequests carries out the commands that have come; while paused or finished it waits for them.
func (t *Trainer) handleRequests() error {
	t.control.pauseAfterSteps()
	for n := 0; ; n++ {
		idle := t.control.State == Paused || t.control.State == Finished && t.waitsForCommands()
		if idle && !t.control.isStopping() {
			if err := t.wait(); err != nil {
				return err
			}
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

// wait waits for a command while nothing trains: it carries that out, measures sensitivity, takes in what was weighed,
// or tries to save again.
func (t *Trainer) wait() error {
	if err := t.drain(); err != nil {
		return err
	}
	t.rec.measure(true, t.display.lossNow(), t.display.perSecond())
	if t.opts.Histograms {
		t.hist.refresh(true, true)
	}
	if t.weigher.due(true) {
		t.weigher.begin()
	}
	t.publish()
	if t.prober.busy() {
		select {
		case r := <-t.requests:
			t.carryOut(r)
		case j := <-t.weigher.untilFinished():
			t.weighed(j)
		default:
			t.prober.step()
			t.publish()
		}
		return nil
	}
	select {
	case r := <-t.requests:
		t.carryOut(r)
	case j := <-t.weigher.untilFinished():
		t.weighed(j)
	case <-t.saver.untilRetry():
		t.saver.retry()
	case <-t.ranks.failed():
		return t.solver.Parted()
	}
	return nil
}

// iterate does one iteration with what surrounds it in Caffe's Solver::Step: the test before, the snapshot after.
func (t *Trainer) iterate() error {
	s, p := t.solver, t.run.Solver
	t.replayChanges()
	if t.tests.due(p, s.Iter) {
		iter := s.Iter
		if err := t.drain(); err != nil || s.Iter != iter {
			return err
		}
		t.tests.scheduled(s.Iter)
		if err := t.testAll(); err != nil || t.control.isStopping() || t.control.State == Paused {
			return err
		}
		t.descent.tested(t.tests.last())
	}
	t.settings.followPlans()
	t.settings.applyPending(t.settings.dueNow)
	// After the thresholds that a person sets, as a replay has them.
	if err := t.followDescent(); err != nil || t.control.isStopping() || t.control.State == Paused {
		return err
	}
	operates := s.Operates()
	shown := due(int(p.GetDisplay()), s.Iter)
	saves := due(int(p.GetSnapshot()), s.Iter+1)
	err := s.Advance()
	if err == nil && (shown || saves || t.control.settlesNext(operates)) {
		err = s.Drain() // a display line, a snapshot and a step show this very iteration
	}
	if err != nil {
		return t.interrupt(err)
	}
	t.control.stepped()
	if err := t.checkCollapse(false); err != nil {
		return err
	}
	if why := t.descent.wrong(); why != "" && !t.retreat(why) && t.opts.Interactive {
		t.control.pause(why)
	}
	if operates {
		t.control.operated()
	}
	return t.afterIteration(shown, saves)
}

// followDescent does the autopilot's part before an iteration.
func (t *Trainer) followDescent() error {
	ends, err := t.pilot.steer()
	if err != nil {
		return t.interrupt(err)
	}
	if !ends {
		return nil
	}
	return t.endDescent()
}

// endDescent does the last surgery of a descent, makes the forward weights the weights, and freezes the masks.
func (t *Trainer) endDescent() error {
	layers := t.descent.layers()
	t.saver.operated()
	t.solver.OperateAll(layers)
	t.curves.operated(t.solver)
	t.masksRedrawn()
	if err := t.checkCollapse(true); err != nil || t.control.State == Paused {
		return err
	}
	t.pilot.keep("the masks freeze")
	return t.pilot.harden(layers)
}

// afterIteration does what follows an iteration: it records, shows and saves.
func (t *Trainer) afterIteration(shown, saves bool) error {
	s, d := t.solver, &t.display
	if d.ran(s.Iter) {
		t.curves.ran(s.Iter, d.perSecond(), s.Device().Health())
	}
	t.rec.measure(false, d.lossNow(), d.perSecond())
	if shown {
		t.progress()
	}
	if saves {
		_ = t.saver.save("by the solver's schedule") // a failure is told, and tried again
	}
	t.saver.retry()
	if t.prober.due() {
		if err := t.drain(); err != nil {
			return err
		}
		t.prober.step()
		t.publish()
	}
	if j := t.weigher.finished(); j != nil {
		if err := t.drain(); err != nil {
			return err
		}
		t.weighed(j)
	}
	if d.stale() {
		if t.opts.Histograms {
			t.hist.refresh(false, s.Operates())
		}
		if t.weigher.due(false) {
			if err := t.drain(); err != nil {
				return err
			}
			t.weigher.begin()
		}
		t.publish()
	}
	return nil
}

// weighed takes in what was weighed beside the training; where passes of it are to be timed, the training waits.
func (t *Trainer) weighed(j *weighing) {
	if t.weigher.take(j) {
		t.publish()
		t.weigher.time(j, t.stopping.isAsked)
		t.display.interrupted()
	}
	t.publish()
}

// due reports whether something that is done every so many iterations is done in this one; every 0 is never.
func due(every, iter int) bool { return every > 0 && iter%every == 0 }

// interrupt continues after an iteration that was given up to stop, and pauses an interactive run whose loss went
// wrong; any other failure it returns.
func (t *Trainer) interrupt(err error) error {
	var unstable *solver.UnstableError
	var givenUp *solver.GivenUpError
	var parted *collective.RankError
	var short *solver.ShortError
	isUnstable, isGivenUp := errors.As(err, &unstable), errors.As(err, &givenUp)
	discarded := isUnstable || isGivenUp || errors.As(err, &parted) || errors.As(err, &short)
	if redrawn := t.solver.Redrawn(); discarded && len(redrawn) > 0 {
		// A run that resumes from here operates once more in this iteration, and so must its replay.
		t.saver.operated()
		t.rec.surgery(append([]string(nil), redrawn...))
	}
	switch {
	case isGivenUp:
		t.note(Notice{err.Error() + ", to stop"})
		return nil
	case isUnstable && t.retreat(escape.Error(err)):
		return nil
	case !isUnstable || !t.opts.Interactive:
		return err
	}
	t.control.pause(escape.Error(err))
	t.note(GateClosed{err.Error()})
	return nil
}

// settled takes in the loss of an iteration.
func (t *Trainer) settled(iter int, loss float64) {
	operated := t.curves.settled(t.solver, iter, loss)
	t.display.settled(loss, operated)
	t.collapse.settled(loss, operated)
	t.descent.settled(iter, loss)
	if !operated {
		return
	}
	t.weigher.redrawn()
	for _, p := range t.solver.Layers() { // nothing passes a layer without any weight, forward or backward
		if p.LastSurgery() == iter && p.Kept() == 0 && p.Pruned() > 0 {
			l := t.solver.Hyper().Layer(p.Name)
			empty := LayerEmptied{p.Name, l.ThresholdParam().String(), l.Threshold}
			t.events.note(Event{Iter: iter, What: empty})
		}
	}
}

// checkCollapse notices a run that can learn nothing more, after an iteration; after a surgery it looks at once whether
// anything passes through the net.
func (t *Trainer) checkCollapse(surgery bool) error {
	if !surgery {
		if what := t.collapse.takeStuck(); what != "" {
			if err := t.collapsed(what); err != nil {
				return err
			}
		}
		if !t.collapse.takeOperated() {
			return nil
		}
	}
	lost, restored, err := t.collapse.check(surgery)
	switch {
	case err != nil:
		return t.interrupt(err)
	case lost != "":
		return t.collapsed(lost)
	case restored:
		t.note(SignalRestored{})
	}
	return nil
}

// collapsed tells that the run can learn nothing more: one that somebody watches is paused, one that was told to stop
// ends.
func (t *Trainer) collapsed(what string) error {
	if t.retreat(what) {
		return nil
	}
	if t.opts.StopOnCollapse {
		return &CollapseError{t.solver.Iter, what}
	}
	pause := t.opts.Interactive && !t.control.State.Ended()
	if pause {
		problem := what
		if t.saver.canGoBack() {
			problem += BackHint
		}
		t.control.pause(problem)
	}
	t.note(Collapsed{what, pause})
	return nil
}

// waitsForCommands reports whether the loop waits for commands after the last iteration: for somebody who watches, or
// for a place to save to.
func (t *Trainer) waitsForCommands() bool {
	return t.opts.Interactive || t.opts.Served && t.saver.failing()
}

// finish does what follows the last iteration, and reports whether the loop continues to wait for commands.
func (t *Trainer) finish() bool {
	if t.control.State == Finished {
		return t.waitsForCommands()
	}
	t.control.State = Running
	t.replayChanges()
	if !t.opts.CaffeEnd && !t.display.showed(t.solver.Iter-1) { // before the snapshot and the test behind it
		t.progress()
	}
	if err := t.finalSteps(); err != nil {
		t.fail(err)
		return false
	}
	if t.control.isStopping() {
		return true
	}
	t.control.State = Finished
	if what := t.replay.verdict(); what != "" {
		t.note(Notice{what})
	}
	t.note(RunFinished{t.saver.waitsText()})
	return t.waitsForCommands()
}

// finalSteps saves, shows and tests after the last iteration.
func (t *Trainer) finalSteps() error {
	p := t.run.Solver
	if p.GetSnapshotAfterTrain() && !t.saver.saved() {
		if err := t.saver.save("at the end"); err != nil && !t.waitsForCommands() {
			return fmt.Errorf("finished, not saved: the training is done, but its weights could not be saved: %w", err)
		}
	}
	if t.opts.CaffeEnd {
		if err := t.display.lastLoss(t.solver, &t.events, int(p.GetDisplay())); err != nil {
			return err
		}
	}
	if len(t.solver.Tests) == 0 || !t.tests.dueAtEnd(p, t.solver.Iter, t.opts.CaffeEnd) {
		return nil
	}
	t.tests.scheduled(t.solver.Iter)
	return t.testAll()
}

// replayChanges makes the changes of a replayed journal that took effect at this iteration.
func (t *Trainer) replayChanges() {
	for _, c := range t.replay.due(t.solver.Iter) {
		var err error
		switch {
		case c.Unknown != nil:
			err = errors.New(c.Unknown.Reason)
		case c.Surgery != nil:
			err = t.surgeryNow(c.Surgery.Layers)
		case c.Ramp != nil:
			err = t.settings.replayRamp(c.Ramp)
		case c.Autopilot != nil:
			err = t.settings.replayAutopilot(c.Autopilot, c.By)
		default:
			err = t.settings.replayEdits(c)
		}
		if err != nil {
			t.replay.reject()
			t.events.note(Event{Iter: c.Iter, What: CommandRejected{"replay: " + c.String(), err.Error()}})
		}
	}
}
