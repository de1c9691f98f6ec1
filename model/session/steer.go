package session

import (
	"errors"
	"fmt"
	"path/filepath"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/human"
	"dns-tui/model/solver"
)

// carryOut does one command and answers it, unless it is a change that waits for surgery.
func (t *Trainer) carryOut(r request) {
	c := r.Command
	ack, waits, err := t.do(c, r.Reply)
	if err == nil && c.revises() {
		t.saver.edited()
	}
	if waits {
		t.publish()
		return
	}
	if c.ReadsOnly() && err == nil {
		r.Reply <- reply{ack, nil} // it changed nothing that a snapshot shows
		return
	}
	// What cannot be is told to who asked for it; what was tried and failed is told to all.
	quiet := !c.tries() || errors.Is(err, ErrHalted) || errors.Is(err, ErrTaken)
	if err != nil && !quiet {
		t.events.note(Event{Iter: t.solver.Iter, By: c.By, What: CommandRejected{c.String(), err.Error()}})
	}
	t.publish() // first: who has the answer sees its effect
	r.Reply <- reply{ack, err}
}

// do does one command. It reports that a change waits for surgery; to is answered then.
func (t *Trainer) do(c Command, to chan reply) (ack Ack, waits bool, err error) {
	iter := t.solver.Iter
	if err := t.besideSearch(c); err != nil {
		return Ack{Iter: iter}, false, err
	}
	switch c.Kind {
	case Set:
		ack, waits, err = t.settings.change(c.Edits, &pendingCommand{By: c.By, Reply: to}, 0)
		ack.Iter = iter
		return ack, waits, err
	case MovePrefix:
		ack.Detail, err = t.saver.move(c.Path, c.By)
	case Pause:
		if err = t.control.running(); err == nil {
			t.control.halt(t.searching())
		}
	case Resume, Step, StepSurgery:
		if t.searching() && c.By != BySearch {
			t.control.goOn()
		} else {
			err = t.control.resume(c, t.settings.noSurgery())
		}
		if err == nil {
			t.display.interrupted()
		}
	case SurgeryNow:
		if err = t.surgeryNow(nil); err == nil && t.collapse.blockedAt() != "" {
			ack.Detail = fmt.Sprintf("nothing passes %s any more; B goes back", t.collapse.blockedAt())
		}
	case TestNow:
		if len(t.solver.Tests) == 0 {
			err = errors.New("the solver has no test net")
		} else if err = t.testAll(); err == nil {
			ack.Detail = t.tests.text()
		}
	case SnapshotNow:
		save := t.saver.save
		if c.By == BySearch {
			save = t.saver.saveForSearch
		}
		if err = save("asked for"); err == nil {
			ack.Detail = t.saver.lastSaved()
		}
	case Undo:
		ack.Detail, waits, err = t.settings.undo(to, c.By)
	case Redo:
		ack.Detail, waits, err = t.settings.redo(to, c.By)
	case Schedule:
		ack.Detail, err = t.settings.schedule(c.Plan, c.By)
	case Cancel:
		ack.Detail, err = t.settings.cancel(c.Count)
	case GoBack:
		ack.Detail, err = t.goBack(c.Path)
		iter = t.solver.Iter
	case TakeBranch:
		ack.Detail, err = t.takeBranch(c.Path, c.By)
		iter = t.solver.Iter
	case Steer:
		if err = t.control.running(); err == nil {
			ack.Detail, ack.Prediction, err = t.pilot.request(c.Autopilot, &pendingCommand{By: c.By, Reply: to})
		}
	case Probe:
		ack.Detail, err = t.prober.begin(c.Off)
	case Weigh:
		ack.Detail, err = t.weigher.ask(c)
	case Look:
		ack.Picture, err = t.pictures.read(t.solver, c.Layer, c.Area)
	case Stop:
		t.stopping.clear()
		// Though this iteration may have a snapshot already: settings and masks can have changed since, while paused.
		if c.Save {
			err = t.saver.save("before the stop")
		}
		// A run whose snapshot failed continues: its weights are nowhere else.
		if err == nil {
			t.control.stop()
		}
	default:
		err = fmt.Errorf("unknown command %d", c.Kind)
	}
	ack.Iter = iter
	return ack, waits, err
}

// surgeryNow redraws the masks of some layers, or of all, nil, between two iterations. Thresholds that wait for the
// layers' surgery are applied.
func (t *Trainer) surgeryNow(layers []string) error {
	if err := t.control.operable(); err != nil {
		return err
	}
	for _, name := range layers {
		if t.solver.Hyper().Layer(name) == nil {
			return fmt.Errorf("no layer %q that can be pruned", name)
		}
	}
	t.settings.applyPending(t.settings.moreSurgery)
	// After the changes that it applies, so that a replay meets them in this order.
	t.saver.operated()
	t.rec.surgery(layers)
	t.note(SurgeryDone{t.solver.OperateAll(layers)})
	t.curves.operated(t.solver)
	t.masksRedrawn()
	var collapsed *CollapseError
	if err := t.checkCollapse(true); errors.As(err, &collapsed) { // it was asked for: told, and no end
		t.note(Collapsed{collapsed.What, false})
	} else if err != nil {
		return err
	}
	return nil
}

// masksRedrawn has what is known of the masks measured anew.
func (t *Trainer) masksRedrawn() {
	t.hist.stale()
	t.weigher.redrawn()
}

// goBack takes the run back to a snapshot, of this run or another of the same net; "" is the last good one. What is
// now is saved first, so that going back once more returns to it. The run then waits.
func (t *Trainer) goBack(path string) (string, error) {
	s := &t.saver
	path, state, err := s.target(path)
	if err != nil {
		return "", err
	}
	if err := t.solver.Drain(); err != nil {
		return "", err
	}
	from := t.solver.Iter
	present, err := s.keepPresent(path)
	if err != nil && t.control.Problem == "" { // a loss that went wrong is worth leaving without
		return "", fmt.Errorf("what is now could not be saved, so the run stays where it is: %w", err)
	}
	if err := t.rewind(path, state, from); err != nil {
		return "", err
	}
	t.control.wentBack()
	done := WentBack{From: from, To: t.solver.Iter, Path: filepath.Base(path), Returns: present != ""}
	t.note(done)
	s.promoteGuard(path)
	s.setReturn(present)
	return done.String(), nil
}

// rewind takes the run back to a snapshot, and has every part of it stand there. from is the iteration that is left.
func (t *Trainer) rewind(path string, state *caffepb.SolverState, from int) error {
	if err := t.solver.Device().Shortage(); err != nil { // which Rewind would note where nobody looks any more
		t.note(Warning{"before going back: " + err.Error()})
	}
	if err := t.solver.Rewind(path, state); err != nil {
		return err
	}
	t.settings.cancelPending(ErrUndone)
	t.settings.restore(t.solver.SessionData())
	iter := t.solver.Iter
	t.curves.cut(iter - 1)
	t.tests.rewound()
	t.settings.keepMarks()
	t.rec.report(t.saver.wentBack(path, from))
	t.collapse.restart()
	t.pilot.rewound()
	t.masksRedrawn()
	t.display.interrupted()
	// the curves were those of the course that is left now
	if past, err := ReadCourse(t.run.JournalPath()); t.rec.switchedCourse() && err == nil && iter > 0 {
		t.curves.cut(-1)
		t.settings.markAll(t.curves.load(past, t.solver, t.rec.recent()))
	}
	return nil
}

// retreat takes a descent that has gone wrong back to its last good snapshot, and on at half the pace. It reports that
// it could not: then the descent is paused.
func (t *Trainer) retreat(why string) (ok bool) {
	if !t.pilot.descending() {
		return false
	}
	path, next := t.pilot.retreatTo()
	if path == "" {
		t.note(Warning{t.pilot.giveUp(why)})
		return false
	}
	from := t.solver.Iter
	_, state, err := t.saver.target(path)
	if err == nil {
		err = t.solver.Drain()
	}
	var unstable *solver.UnstableError
	if err == nil || errors.As(err, &unstable) {
		err = t.rewind(path, state, from)
	}
	if err == nil {
		err = t.pilot.slower(&next)
	}
	if err != nil {
		t.note(Warning{t.pilot.giveUp(fmt.Sprintf("%s, and going back failed: %v", why, err))})
		return false
	}
	left := next.Descent.Settings.Retries - next.Retreat
	done := AutopilotRetreated{From: from, To: t.solver.Iter, Why: why, Left: left}
	t.pilot.did(done.String())
	t.note(done)
	return true
}

// ShowSearch has snapshots show a search from now on; of one of which a branch was taken, that it has ended so.
func (t *Trainer) ShowSearch(s *Search) {
	t.changeSearch(func(now *Search) {
		taken := now.Taken
		if *now = *s; taken != "" {
			now.took(taken)
		}
	})
}

// changeSearch changes what snapshots show of the search, which both it and the training loop do.
func (t *Trainer) changeSearch(change func(now *Search)) {
	for {
		now, next := t.search.Load(), Search{}
		if now != nil {
			next = *now
		}
		change(&next)
		if t.search.CompareAndSwap(now, &next) {
			return
		}
	}
}

// findSearch shows the search that was made at the run's prefix, where one was.
func (t *Trainer) findSearch() {
	s, err := ReadSearch(SearchPath(t.run.SnapshotPrefix()))
	if err != nil {
		t.note(Notice{err.Error()})
	}
	if s != nil {
		s.Taken = "" // that was another run
		t.search.Store(s)
	}
}

// searching reports that a search steers the run.
func (t *Trainer) searching() bool {
	s := t.search.Load()
	return s != nil && s.Running
}

// besideSearch is why a command is refused where there is a search: while it steers the run, it alone trains it and
// changes settings; once a branch of it was taken, it has nothing to say any more.
func (t *Trainer) besideSearch(c Command) error {
	switch s := t.search.Load(); {
	case c.By == BySearch && s != nil && s.Taken != "":
		return ErrTaken
	case !t.searching():
	case c.By == BySearch:
		if t.control.Halted && (c.Kind == Step || c.Kind == TestNow) {
			return ErrHalted
		}
	case c.ReadsOnly():
	default:
		switch c.Kind {
		case Pause, Resume, TestNow, SnapshotNow, Probe, Weigh, TakeBranch, Stop:
		default:
			return errSearching
		}
	}
	return nil
}

// takeBranch makes a branch of the search the run: a search that is under way ends, and the run goes back to the
// branch's snapshot, and waits.
func (t *Trainer) takeBranch(path, by string) (string, error) {
	s := t.search.Load()
	if s == nil {
		return "", ErrNoSearch
	}
	b := s.Branch(path)
	switch {
	case b == nil:
		return "", fmt.Errorf("the search has no branch %s", path)
	case !caffe.Exists(path):
		return "", fmt.Errorf("the branch that keeps %s cannot be taken: its snapshot %s is gone",
			human.Count(b.Kept), path)
	}
	back, err := t.goBack(path)
	if err != nil {
		return "", err
	}
	t.changeSearch(func(now *Search) { now.took(path) })
	if err := t.search.Load().Save(SearchPath(t.run.SnapshotPrefix())); err != nil {
		t.note(Warning{fmt.Sprintf("that the branch was taken is not in the state of the search: %v", err)})
	}
	_ = t.saver.save("a branch was taken") // the run's own, which --resume finds; a failure is told
	c := Change{Iter: t.solver.Iter, By: by, Taken: &Taken{filepath.Base(path)}}
	t.rec.write(c)
	t.events.note(Event{Iter: c.Iter, By: by, What: ChangeApplied{c}})
	return fmt.Sprintf("took %s of %s kept; %s", human.Count(b.Kept), human.Count(b.Total), back), nil
}
