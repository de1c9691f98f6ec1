package model

import (
	"fmt"
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
)

// stage puts a threshold change on the list of those that wait for surgery, and reports whether it did. A value that
// would be rejected, and one for a layer without further surgery, are left to set.
func (t *Trainer) stage(c Command, to chan reply, undo, redo bool) bool {
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
	t.pending = append(t.pending, waiting{Change{Iter: t.solver.Iter, Field: c.Field, Old: old, New: c.Value, By: c.By}, to, t.seq, undo, redo})
	if !undo && !redo {
		t.redo = t.redo[:0]
	}
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
	return t.solver.Iter < stop
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
		redo := append([]Change(nil), t.redo...)
		ack, err := t.set(Command{Kind: Set, Field: w.Field, Value: w.New, By: w.By})
		if err == nil && w.undo {
			t.undo = t.undo[:len(t.undo)-1]
		} else if err == nil {
			t.undo[len(t.undo)-1].seq = w.seq
		}
		t.redo = redo // what was taken back was dropped when the change was asked for
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
	ch := Change{Field: c.Field, New: c.Value, By: c.By}
	old, _ := t.solver.hyper.Get(c.Field)
	if err := t.setQuietly(ch); err != nil {
		return Ack{}, err
	}
	ch.Iter, ch.Old = t.solver.Iter, old
	t.seq++
	t.did(done{Change: ch, seq: t.seq})
	detail := fmt.Sprintf("%s %s → %s", ch.Field, ch.Old, ch.New)
	t.note(Event{Iter: ch.Iter, Status: Applied, Text: detail, By: c.By})
	return Ack{Iter: ch.Iter, Detail: detail}, nil
}

// setQuietly puts a change in force and writes it to the journal. Undo and the events do not know of it.
func (t *Trainer) setQuietly(c Change) error {
	h, old, err := t.solver.hyper.Set(c.Field, c.New)
	if err != nil {
		return err
	}
	if err := t.solver.setHyper(h); err != nil {
		return err
	}
	t.histNext = time.Time{}
	t.edits++
	c.Iter, c.Old = t.solver.Iter, old
	t.record(c)
	if len(t.changes) >= maxEvents {
		t.changes = append(make([]Change, 0, 2*maxEvents), t.changes[maxEvents/4:]...) // snapshots share the old
	}
	t.changes = append(t.changes, c)
	return nil
}

// did makes a change one that can be taken back, and those that were taken back before it things of the past.
func (t *Trainer) did(d done) {
	t.undo = append(t.undo, d)
	if len(t.undo) > maxEvents {
		t.undo = append(t.undo[:0], t.undo[1:]...)
	}
	t.redo = t.redo[:0]
}

// record writes a change to the journal; a journal that cannot be written does not stop the run.
func (t *Trainer) record(c Change) {
	if err := t.journal.write(c); err != nil {
		t.note(Event{Iter: c.Iter, Text: "journal: " + err.Error()})
	}
}

// lastWaiting finds the change that waits and was asked for last, and is no undoing itself; -1 where the last change is in
// force already, or there is none.
func (t *Trainer) lastWaiting() int {
	at := -1
	for i, w := range t.pending {
		if !w.undo {
			at = i
		}
	}
	if n := len(t.undo); at >= 0 && n > 0 && t.undo[n-1].seq > t.pending[at].seq {
		return -1
	}
	return at
}

// takeBack undoes the change that was asked for last: one that waits is dropped, one in force is changed back, a plan is
// dropped. It returns "" where the change back waits for surgery; to is answered then.
func (t *Trainer) takeBack(to chan reply) (string, error) {
	if at := t.lastWaiting(); at >= 0 {
		w := t.pending[at]
		t.pending = append(t.pending[:at], t.pending[at+1:]...)
		w.reply <- reply{err: ErrUndone}
		t.redo = append(t.redo, w.Change)
		return fmt.Sprintf("%s stays %s", w.Field, w.Old), nil
	}
	n := len(t.undo)
	if n == 0 {
		return "", ErrNothingToUndo
	}
	last := t.undo[n-1]
	t.undo = t.undo[:n-1]
	if last.plan != 0 {
		text, err := t.cancel(last.plan)
		if last.Field == "" {
			if err != nil { // it has been carried out, or dropped: what it did has its own place among the changes
				return t.takeBack(to)
			}
			return text, nil
		}
	}
	redo := append(t.redo, last.Change)
	c := Command{Kind: Set, Field: last.Field, Value: last.Old}
	if t.stage(c, to, true, false) {
		t.redo = redo
		return "", nil
	}
	ack, err := t.set(c)
	if err == nil {
		t.undo, t.redo = t.undo[:len(t.undo)-1], redo // set made the change back one that could be taken back
	}
	return ack.Detail, err
}

// repeat does again what was taken back last. It returns "" where that waits for surgery; to is answered then.
func (t *Trainer) repeat(to chan reply) (string, error) {
	n := len(t.redo)
	if n == 0 {
		return "", ErrNothingToRedo
	}
	last := t.redo[n-1]
	rest := append([]Change(nil), t.redo[:n-1]...)
	c := Command{Kind: Set, Field: last.Field, Value: last.New}
	t.guard(c)
	if t.stage(c, to, false, true) {
		t.redo = rest
		return "", nil
	}
	ack, err := t.set(c)
	if err == nil {
		t.redo = rest
	}
	return ack.Detail, err
}

// next says what Undo and Redo would do.
func (t *Trainer) next() (undo, redo string) {
	back := func(c Change) string { return fmt.Sprintf("%s %s → %s", c.Field, c.New, c.Old) }
	if at := t.lastWaiting(); at >= 0 {
		undo = back(t.pending[at].Change)
	} else if n := len(t.undo); n > 0 {
		if undo = back(t.undo[n-1].Change); t.undo[n-1].Field == "" {
			undo = fmt.Sprintf("plan %d", t.undo[n-1].plan)
		}
	}
	if n := len(t.redo); n > 0 {
		redo = fmt.Sprintf("%s %s → %s", t.redo[n-1].Field, t.redo[n-1].Old, t.redo[n-1].New)
	}
	return undo, redo
}

// endRamps drops the ramps of a field that a person takes in hand.
func (t *Trainer) endRamps(field string) {
	for _, p := range append([]Plan(nil), t.plans...) {
		if p.Field == field && p.Begun {
			t.cancel(p.ID)
		}
	}
}

// anySurgery reports whether some layer will be operated on again.
func (t *Trainer) anySurgery() bool {
	for _, p := range t.solver.surgeon.layers {
		if t.moreSurgery(p.Name + ".") {
			return true
		}
	}
	return false
}

// replayChanges puts the changes of a replayed journal in force that took effect at this iteration.
func (t *Trainer) replayChanges() {
	for len(t.replay) > 0 && t.replay[0].Iter <= t.solver.Iter {
		c := t.replay[0]
		t.replay = t.replay[1:]
		if c.Iter < t.solver.Iter || c.Field == fieldRun || c.Field == fieldMeasure {
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
