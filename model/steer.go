package model

import (
	"errors"
	"fmt"
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
)

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
		// Though this iteration may have a snapshot already: settings and masks can have changed since, while paused.
		if c.Save {
			err = t.saveSnapshot()
		}
		// A run whose snapshot failed goes on: its weights are nowhere else.
		t.stopping = err == nil
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
	t.histNext = time.Time{}
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
