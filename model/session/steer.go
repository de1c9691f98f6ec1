package session

import (
	"errors"
	"fmt"
	"time"
)

// carryOut does one command and answers it, unless it is a change that waits for surgery.
func (t *Trainer) carryOut(r request) {
	ack := Ack{Iter: t.solver.Iter}
	var err error
	quiet := false // its refusal is no event
	switch c := r.cmd; c.Kind {
	case Set:
		if c.Field == fieldPrefix && len(c.Edits) == 0 {
			ack.Detail, err = t.movePrefix(c.Value, c.By)
			break
		}
		var waits bool
		if ack, waits, err = t.change(t.edits(c), &order{by: c.By, reply: r.reply}, 0); waits {
			return
		}
	case Pause:
		t.state, err = t.pausable()
	case Resume, Step, StepSurgery:
		err = t.resume(c)
	case SurgeryNow:
		if err = t.surgeryNow(nil); err == nil && t.flow.blocked != "" {
			ack.Detail = fmt.Sprintf("nothing passes %s any more; B goes back", t.flow.blocked)
		}
	case TestNow:
		if len(t.solver.Tests) == 0 {
			err = errors.New("the solver has no test net")
		} else if err = t.testAll(); err == nil {
			ack.Detail = t.testText()
		}
	case SnapshotNow:
		if err = t.saveSnapshot("asked for"); err == nil {
			ack.Detail = t.saved
		}
	case Undo:
		quiet = true
		ack.Detail, err = t.takeBack(r.reply, c.By)
		if err == nil && ack.Detail == "" {
			return // waits
		}
	case Redo:
		quiet = true
		ack.Detail, err = t.repeat(r.reply, c.By)
		if err == nil && ack.Detail == "" {
			return
		}
	case Schedule:
		ack.Detail, err = t.schedule(c)
	case Cancel:
		ack.Detail, err = t.cancel(c.Count)
	case GoBack:
		ack.Detail, err = t.goBack(c.Value)
		ack.Iter = t.solver.Iter
	case Probe:
		ack.Detail, err = t.probe(c.Value)
	case Look:
		quiet = true
		ack.Picture, err = t.look(c.Field, c.Area)
		if err == nil {
			r.reply <- reply{ack, nil} // it changed nothing that a snapshot shows
			return
		}
	case Stop:
		t.stopAsked.Store(0)
		// Though this iteration may have a snapshot already: settings and masks can have changed since, while paused.
		if c.Save {
			err = t.saveSnapshot("before the stop")
		}
		// A run whose snapshot failed goes on: its weights are nowhere else.
		t.stopping = err == nil
	default:
		err = fmt.Errorf("unknown command %d", c.Kind)
	}
	if err != nil && !quiet {
		t.note(Event{Iter: t.solver.Iter, Status: Rejected, Text: r.cmd.String() + ": " + err.Error(), By: r.cmd.By})
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
	t.steps, t.toSurgery = -1, c.Kind == StepSurgery
	if t.toSurgery && !t.anySurgery() {
		t.toSurgery = false
		why := ""
		if layers := t.solver.Hyper().Layers; len(layers) > 0 {
			why = ": " + layers[0].Name + ": " + NoSurgery(t.solver.Hyper(), layers[0].Name, t.solver.Iter, false)
		}
		return errors.New("no layer will be operated on again" + why)
	}
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

// surgeryNow redraws the masks of some layers, or of all, nil, between two iterations. Thresholds that wait for the
// layers' surgery are put in force.
func (t *Trainer) surgeryNow(layers []string) error {
	if t.state.Ended() && t.state != Finished {
		return fmt.Errorf("the run is %s", t.state)
	}
	for _, name := range layers {
		if t.solver.Hyper().Layer(name) == nil {
			return fmt.Errorf("no layer %q that can be pruned", name)
		}
	}
	t.applyPending(t.moreSurgery)
	// After the changes that it brings into force, so that a replay meets them in this order.
	t.surgeryDone(layers)
	t.note(
		Event{
			Iter:   t.solver.Iter,
			Status: Applied,
			Text:   fmt.Sprintf("surgery on %d layers", t.solver.OperateAll(layers)),
		},
	)
	for i, p := range t.solver.Layers() {
		if p.LastSurgery() == t.solver.Iter {
			t.curves.layers[i].note(p)
		}
	}
	t.histNext = time.Time{}
	var collapse *CollapseError
	if err := t.checkFlow(true); errors.As(err, &collapse) { // it was asked for: told, and no end
		t.note(Event{Iter: t.solver.Iter, Text: "WARNING: " + collapse.What})
	} else if err != nil {
		return err
	}
	return nil
}

// surgeryDone records a surgery beside those of the schedule.
func (t *Trainer) surgeryDone(layers []string) {
	t.edited()
	t.here.masks = t.here.version
	t.record(Change{Iter: t.solver.Iter, Field: fieldSurgery, New: "now", Layers: layers})
}
