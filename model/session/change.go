package session

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
)

// order is a command that changes settings, until the last of its edits has taken effect: a threshold waits for the
// surgery of its layer.
type order struct {
	seq        int
	iter       int // at which it was asked for
	by         string
	reply      chan reply
	waits      int    // edits that wait
	done       []Edit // those in force
	err        error  // of one that failed
	undo, redo bool   // it takes another back, or repeats it
}

// waiting is an edit that waits for its surgery.
type waiting struct {
	Edit
	of *order
}

// change is the entry of a waiting edit as snapshots show it.
func (w *waiting) change() Change {
	return Change{Iter: w.of.iter, Field: w.Field, Old: w.Old, New: w.New, By: w.of.by, Seq: w.of.seq}
}

// settle answers an order of which nothing waits any more; why is what became of the last edit, where that was not
// put in force.
func (o *order) settle(iter int, why error) {
	if why != nil {
		o.err = why
	}
	if o.waits > 0 {
		return
	}
	if len(o.done) == 0 {
		o.reply <- reply{Ack{}, o.err}
		return
	}
	o.reply <- reply{Ack{Iter: iter, Detail: EditsText(o.done)}, nil}
}

// edits are a command's, by their full names, the last of each field.
func (t *Trainer) edits(c Command) []Edit {
	of := c.Edits
	if len(of) == 0 {
		of = []Edit{{Field: c.Field, New: c.Value}}
	}
	out := make([]Edit, 0, len(of))
	for _, e := range of {
		e = Edit{Field: t.solver.Hyper().Canonical(e.Field), New: e.New}
		out = append(slices.DeleteFunc(out, func(o Edit) bool { return o.Field == e.Field }), e)
	}
	return out
}

// try returns the settings after some edits, and the edits with what was before; an error where one is refused.
func (t *Trainer) try(edits []Edit) (*config.Hyper, []Edit, error) {
	h, out := t.solver.Hyper(), make([]Edit, len(edits))
	for i, e := range edits {
		changed, old, err := h.Set(e.Field, e.New)
		if err != nil {
			return nil, nil, err
		}
		now, _ := changed.Get(e.Field) // as it is in force: what was typed may have been another form of it
		h, out[i] = changed, Edit{e.Field, old, now}
	}
	return h, out, nil
}

// change carries out a command's edits, all or none: at once, or, thresholds, at their layers' next surgery. Then it
// reports that the command waits; its caller is answered later. plan is the plan that makes the change, or 0.
func (t *Trainer) change(edits []Edit, o *order, plan int) (ack Ack, waits bool, err error) {
	_, edits, err = t.try(edits)
	if err != nil {
		return Ack{}, false, err
	}
	kills := ""
	if !o.undo {
		t.guard(edits)
		if kills = t.foretell(edits); kills != "" {
			t.note(Event{Iter: t.solver.Iter, Text: kills, By: o.by})
			kills = "; " + kills
		}
	}
	var ended []Plan
	for _, e := range edits {
		ended = append(ended, t.endRamps(e.Field)...)
		t.replaceWaiting(e.Field)
	}
	t.seq++
	o.seq, o.iter = t.seq, t.solver.Iter
	switch d := (deed{Seq: o.seq, Edits: append([]Edit(nil), edits...), Plan: plan, Ended: ended}); {
	case o.undo:
	case o.redo:
		t.past.again(d)
	default:
		t.past.did(d)
	}
	var now, later []Edit
	for _, e := range edits {
		if config.IsThreshold(e.Field) {
			later = append(later, e)
		} else {
			now = append(now, e)
		}
	}
	refused := func(err error) (Ack, bool, error) {
		for _, e := range edits {
			t.past.forget(o.seq, e.Field)
		}
		return Ack{}, false, err
	}
	// What is in force at once may say which layers will be operated on.
	if err := t.putInForce(o, now); err != nil {
		return refused(err)
	}
	now = now[:0]
	for _, e := range later {
		if t.waitsForSurgery(e.Field) {
			o.waits++
			t.pending = append(t.pending, waiting{e, o})
		} else {
			now = append(now, e)
		}
	}
	if err := t.putInForce(o, now); err != nil {
		return refused(err)
	}
	if o.waits > 0 {
		t.publish()
		return Ack{}, true, nil
	}
	return Ack{Iter: t.solver.Iter, Detail: EditsText(o.done) + t.noneDue(now) + kills}, false, nil
}

// noneDue is what to add to the answer to thresholds that are in force though no surgery will go by them.
func (t *Trainer) noneDue(edits []Edit) string {
	for _, e := range edits {
		name, _ := config.SplitField(e.Field)
		if why := NoSurgery(t.solver.Hyper(), name, t.solver.Iter, t.state == Finished); config.IsThreshold(e.Field) &&
			why != "" {
			return "; no surgery is due: " + why
		}
	}
	return ""
}

// waitsForSurgery reports whether a change of a field takes effect with a surgery to come.
func (t *Trainer) waitsForSurgery(field string) bool {
	return config.IsThreshold(field) && t.state != Finished && t.moreSurgery(field)
}

// replaceWaiting drops the change of a field that waits, for a later one.
func (t *Trainer) replaceWaiting(field string) {
	for i, w := range t.pending {
		if w.Field == field {
			t.pending = append(t.pending[:i:i], t.pending[i+1:]...)
			t.past.forget(w.of.seq, field)
			w.of.waits--
			w.of.settle(t.solver.Iter, ErrReplaced)
			return
		}
	}
}

// moreSurgery reports whether the layer of a field will be operated on again.
func (t *Trainer) moreSurgery(field string) bool {
	name, _ := config.SplitField(field)
	return NoSurgery(t.solver.Hyper(), name, t.solver.Iter, false) == ""
}

// NoSurgery says why a layer will not be operated on again by itself, and what would change that; "" where it will.
func NoSurgery(h *config.Hyper, layer string, iter int, finished bool) string {
	l := h.Layer(layer)
	switch {
	case l == nil:
		return "not a layer that can be pruned"
	case finished:
		return "the run is finished: S redraws the masks"
	case !l.Prune:
		return "left out of surgery: p prunes it"
	case l.Frozen:
		return "its mask is frozen: f lets it go"
	case l.Rule == gpu.PaperRule && iter >= l.Stop:
		return fmt.Sprintf("iter_stop is %d: `:%s.stop never` resumes surgery, S redraws the masks once", l.Stop, layer)
	case l.Rule != gpu.PaperRule && iter >= h.Stop:
		return fmt.Sprintf("surgery_stop_iter is %d: `:stop never` resumes surgery, S redraws the masks once", h.Stop)
	}
	return ""
}

// applyPending puts the waiting changes in force whose layers are operated on now: those of one command together.
func (t *Trainer) applyPending(now func(field string) bool) {
	if len(t.pending) == 0 {
		return
	}
	left := make([]waiting, 0, len(t.pending))
	var due []waiting
	for _, w := range t.pending {
		if now(w.Field) {
			due = append(due, w)
		} else {
			left = append(left, w)
		}
	}
	t.pending = left
	for len(due) > 0 {
		o := due[0].of
		var edits []Edit
		rest := due[:0:0]
		for _, w := range due {
			if w.of == o {
				edits = append(edits, w.Edit)
			} else {
				rest = append(rest, w)
			}
		}
		due = rest
		o.waits -= len(edits)
		err := t.putInForce(o, edits)
		if err != nil {
			for _, e := range edits {
				t.past.forget(o.seq, e.Field)
			}
		}
		o.settle(t.solver.Iter, err)
	}
}

func (t *Trainer) dueNow(field string) bool {
	name, _ := config.SplitField(field)
	for _, p := range t.solver.Layers() {
		if p.Name == name {
			return t.solver.SurgeryDue(p)
		}
	}
	return false
}

// putInForce puts edits of an order in force now, together: one line of the journal, one event, one mark.
func (t *Trainer) putInForce(o *order, edits []Edit) error {
	if len(edits) == 0 {
		return nil
	}
	edits, err := t.setQuietly(edits)
	if err != nil {
		return err
	}
	for _, e := range edits {
		t.past.took(o.seq, e)
	}
	c := changeOf(t.solver.Iter, edits, o.by)
	t.record(c)
	t.mark(c)
	o.done = append(o.done, edits...)
	t.note(Event{Iter: c.Iter, Status: Applied, Text: c.Text(), By: o.by})
	return nil
}

// setQuietly puts edits in force, all or none. Journal, marks, events and Undo do not know of it.
func (t *Trainer) setQuietly(edits []Edit) ([]Edit, error) {
	h, edits, err := t.try(edits)
	if err != nil {
		return nil, err
	}
	if err := t.solver.SetHyper(h); err != nil {
		return nil, err
	}
	t.histNext = time.Time{}
	t.edited()
	return edits, nil
}

// mark keeps a change for the plots.
func (t *Trainer) mark(c Change) {
	if len(t.changes) >= maxEvents {
		t.changes = append(make([]Change, 0, 2*maxEvents), t.changes[maxEvents/4:]...) // snapshots share the old
	}
	t.changes = append(t.changes, c)
}

// record writes a change to the journal; a journal that cannot be written does not stop the run.
func (t *Trainer) record(c Change) {
	if c.IsSetting() {
		if n := len(t.lately); n > 0 && t.lately[n-1].Iter != c.Iter {
			t.lately = nil // a snapshot's list may share it
		}
		t.lately = append(t.lately, c)
	}
	t.written(t.journal.write(c))
}

// takeBack undoes the change that was asked for last: of its edits those that wait are dropped, those in force are
// changed back; a plan is dropped. It returns "" where the change back waits for surgery; to is answered then.
func (t *Trainer) takeBack(to chan reply, by string) (string, error) {
	d, ok := t.past.back()
	if !ok {
		return "", ErrNothingToUndo
	}
	if d.Plan != 0 {
		text, err := t.cancel(d.Plan)
		if len(d.Edits) == 0 {
			if err != nil { // it has been carried out, or dropped: what it did has its own place among the changes
				return t.takeBack(to, by)
			}
			return text, nil
		}
	}
	dropped := map[string]bool{}
	left := make([]waiting, 0, len(t.pending))
	for _, w := range t.pending {
		if w.of.seq != d.Seq || w.of.undo {
			left = append(left, w)
			continue
		}
		dropped[w.Field] = true
		w.of.waits--
		w.of.settle(t.solver.Iter, ErrUndone)
	}
	t.pending = left
	text := t.resumeRamps(d.Ended)
	var back, stay []Edit
	for _, e := range d.reversed() {
		switch {
		case slices.ContainsFunc(d.Ended, func(p Plan) bool { return p.Field == e.Field }): // its ramp takes it on
		case dropped[e.Field]:
			stay = append(stay, e)
		default:
			back = append(back, e)
		}
	}
	if len(back) == 0 {
		t.past.undone(d)
		switch {
		case text != "":
			return text, nil
		case len(stay) == 1:
			return fmt.Sprintf("%s stays %s", stay[0].Field, stay[0].New), nil
		}
		return fmt.Sprintf("%d settings stay as they are", len(stay)), nil
	}
	ack, waits, err := t.change(back, &order{by: by, reply: to, undo: true}, 0)
	if err != nil {
		return "", err
	}
	t.past.undone(d)
	if waits {
		return "", nil
	}
	if text != "" {
		return ack.Detail + "; " + text, nil
	}
	return ack.Detail, nil
}

// resumeRamps goes on with ramps that a change had ended, and says so; "" where there are none.
func (t *Trainer) resumeRamps(ended []Plan) string {
	var names []string
	for _, p := range ended {
		t.plans = append(t.plans, p)
		t.record(Change{Iter: t.solver.Iter, Field: fieldPlan, Old: p.Old, New: p.String(), By: p.By, Plan: &p})
		names = append(names, fmt.Sprintf("%s goes on: %s", planName(p.ID), p))
		t.note(Event{Iter: t.solver.Iter, Status: Applied, Text: names[len(names)-1], By: p.By})
	}
	return strings.Join(names, "; ")
}

// repeat does again what was taken back last. It returns "" where that waits for surgery; to is answered then.
func (t *Trainer) repeat(to chan reply, by string) (string, error) {
	d, ok := t.past.forth()
	if !ok {
		return "", ErrNothingToRedo
	}
	ack, waits, err := t.change(d.Edits, &order{by: by, reply: to, redo: true}, 0)
	if err != nil {
		t.past.undone(d)
		return "", err
	}
	if waits {
		return "", nil
	}
	return ack.Detail, nil
}

// endRamps drops the ramps of a field that a person, or another plan, takes in hand.
func (t *Trainer) endRamps(field string) (ended []Plan) {
	for _, p := range append([]Plan(nil), t.plans...) {
		if p.Field == field && p.Begun {
			t.cancel(p.ID)
			ended = append(ended, p)
		}
	}
	return ended
}

// anySurgery reports whether some layer will be operated on again.
func (t *Trainer) anySurgery() bool {
	for _, p := range t.solver.Layers() {
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
		if c.Iter < t.solver.Iter || !c.IsSetting() {
			continue
		}
		if err := t.replayOne(c); err != nil {
			t.replayRejected++
			t.note(Event{Iter: c.Iter, Status: Rejected, Text: "replay: " + c.Text() + ": " + err.Error()})
		}
	}
}

func (t *Trainer) replayOne(c Change) error {
	switch c.Field {
	case fieldSurgery:
		return t.surgeryNow(c.Layers)
	case fieldPlan:
		return t.replayRamp(c)
	}
	edits := c.All()
	if _, _, err := t.try(edits); err != nil {
		return err
	}
	t.seq++
	o := &order{seq: t.seq, iter: t.solver.Iter, by: c.By, reply: make(chan reply, 1)}
	t.past.did(deed{Seq: o.seq, Edits: append([]Edit(nil), edits...)})
	return t.putInForce(o, edits)
}
