package session

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"dns-tui/escape"
	"dns-tui/model/solver"
)

// publishEvery is the least time between two snapshots of a run that goes on.
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
	t.histNext, t.shown = time.Time{}, time.Now()
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

// end publishes the last state and lets everybody go.
func (t *Trainer) end() {
	for _, w := range t.pending {
		w.of.waits--
		w.of.settle(t.solver.Iter, ErrEnded)
	}
	t.recordEnd()
	if err := t.solver.Close(); err != nil && t.err == nil { // a file that the net writes could not be finished
		t.err, t.state, t.problem = err, Failed, escape.Error(err)
	}
	t.publish()
	t.journal.close()
	t.lock.release()
	close(t.done)
}

// fail ends the run with an error; weights that are good are saved.
func (t *Trainer) fail(err error) {
	t.err, t.state, t.problem = err, Failed, escape.Error(err)
	t.note(Event{Iter: t.solver.Iter, Text: "failed: " + err.Error()})
	var unstable *solver.UnstableError
	var collapse *CollapseError
	if !errors.As(err, &unstable) && !errors.As(err, &collapse) && t.savedIter != t.solver.Iter &&
		t.saveSnapshot("after a failure") != nil &&
		t.saved != "" {
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
	waits := func() bool {
		return (t.state == Paused || t.state == Finished && t.stays()) && !t.stopping
	}
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
			t.await()
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
	if n := int(p.GetTestInterval()); n > 0 && s.Iter%n == 0 && (s.Iter > 0 || p.GetTestInitialization()) &&
		t.testedAt != s.Iter {
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
	if operated := t.hasOperated; operated || t.stuck != "" {
		t.hasOperated = false
		if err := t.watchRun(operated); err != nil {
			return err
		}
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
	t.saveOwed()
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

// interrupt goes on after an iteration that was given up to stop, and pauses an interactive run whose loss went
// wrong; any other failure it returns.
func (t *Trainer) interrupt(err error) error {
	var unstable *solver.UnstableError
	var givenUp *solver.GivenUpError
	isUnstable, isGivenUp := errors.As(err, &unstable), errors.As(err, &givenUp)
	if (isUnstable || isGivenUp) && len(t.solver.Redrawn()) > 0 {
		// A run that goes on from here operates once more in this iteration, and so must its replay.
		t.surgeryDone(append([]string(nil), t.solver.Redrawn()...))
	}
	switch {
	case isGivenUp:
		t.note(Event{Iter: t.solver.Iter, Text: err.Error() + ", to stop"})
		return nil
	case !isUnstable || !t.opts.Interactive:
		return err
	}
	t.state, t.problem = Paused, escape.Error(err)
	t.note(Event{Iter: t.solver.Iter, Text: "paused: " + err.Error()})
	return nil
}

// stopPatience is how long a stop waits for the iteration in hand before that is given up between two passes.
const stopPatience = 2 * time.Second

// stopWaits reports whether a stop has waited long enough.
func (t *Trainer) stopWaits() bool {
	at := t.stopAsked.Load()
	return at != 0 && time.Since(time.Unix(0, at)) > stopPatience
}

// settled takes in the loss of an iteration.
func (t *Trainer) settled(iter int, loss float64) {
	t.lastLoss = loss
	c := &t.curves
	c.loss.Add(iter, loss)
	c.smoothed.Add(iter, t.solver.SmoothedLoss())
	c.rate.Add(iter, t.solver.Rate(iter))
	kept, total, operated := 0, 0, false
	for i, p := range t.solver.Layers() {
		kept, total = kept+p.Kept(), total+p.Total()
		if p.LastSurgery() == iter {
			operated = true
			c.layers[i].note(p)
		}
	}
	if total > 0 {
		c.kept.Add(iter, solver.Fraction(kept, total))
	}
	if what := t.watch.see(loss); what != "" {
		t.stuck = what
	}
	if operated {
		t.surgeries++
		t.hasOperated = true
		t.warnOfEmpty(iter)
	}
}

// operates reports whether the next iteration redraws a mask.
func (t *Trainer) operates() bool {
	for _, p := range t.solver.Layers() {
		if t.solver.SurgeryDue(p) {
			return true
		}
	}
	return false
}

// warnOfEmpty says when surgery has left a layer without any weight: nothing passes it, forward or backward.
func (t *Trainer) warnOfEmpty(iter int) {
	for _, p := range t.solver.Layers() {
		if p.LastSurgery() == iter && p.Kept() == 0 && p.Pruned() > 0 {
			l := t.solver.Hyper().Layer(p.Name)
			t.note(
				Event{
					Iter: p.LastSurgery(),
					Text: fmt.Sprintf(
						"%s keeps no weight, so nothing passes it: lower its %s, now %g",
						p.Name,
						l.ThresholdName(),
						l.Threshold,
					),
				},
			)
		}
	}
}

// stays reports whether the loop waits for commands after the last iteration: for somebody who watches, or for a
// place to save to.
func (t *Trainer) stays() bool {
	return t.opts.Interactive || t.opts.Served && t.disk.snapshot.err != nil
}

// finish does what follows the last iteration, and reports whether the loop goes on to wait for commands.
func (t *Trainer) finish() bool {
	if t.state != Finished {
		t.state = Running
		t.replayChanges()
		p := t.run.Solver
		if p.GetSnapshotAfterTrain() && (t.savedIter != t.solver.Iter || t.savedAt != t.place()) {
			if err := t.saveSnapshot("at the end"); err != nil && !t.stays() {
				t.fail(
					fmt.Errorf(
						"finished, not saved: the training is done, but its weights could not be saved: %w",
						err,
					),
				)
				return false
			}
		}
		if t.opts.CaffeEnd {
			if err := t.showLastLoss(); err != nil {
				t.fail(err)
				return false
			}
		}
		tests := p.GetTestInterval() > 0 && (!t.opts.CaffeEnd || due(int(p.GetTestInterval()), t.solver.Iter))
		if len(t.solver.Tests) > 0 && tests && t.testedAt != t.solver.Iter {
			t.testedAt = t.solver.Iter
			if err := t.testAll(); err != nil {
				t.fail(err)
				return false
			}
		}
		if t.stopping {
			return true
		}
		if !t.opts.CaffeEnd && t.shownIter != t.solver.Iter-1 { // once
			t.progress()
		}
		t.state = Finished
		if n := t.replayRejected; n > 0 {
			t.note(
				Event{
					Iter: t.solver.Iter,
					Text: fmt.Sprintf("the replay is not the journal's run: %d of its changes were rejected", n),
				},
			)
		}
		text := "finished"
		if t.disk.snapshot.err != nil {
			text = t.finishedUnsaved()
		}
		t.note(Event{Iter: t.solver.Iter, Text: text})
	}
	return t.stays()
}
