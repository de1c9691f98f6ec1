package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dns-tui/config"
	"dns-tui/model/solver"
)

// settings are the live hyperparameters of a run and how they come to change: by commands, at once or with a layer's
// next surgery; by plans; by undo and redo; and by a journal that is replayed. Each change is one line of the
// journal, one mark of the plots, one event, and one step of undo.
type settings struct {
	solver  *solver.Solver
	events  *events
	rec     *recorder
	hist    *histograms
	ledger  ledger
	plans   plans
	marks   marks
	descent *descent
	end     int // the run's last iteration
	hooks
}

// hooks are what the settings ask of the run.
type hooks struct {
	Finished func() bool         // no surgery will come any more
	Guard    func([]config.Edit) // writes a snapshot before edits that are risky
	Changed  func()              // is told that settings have changed
}

func newSettings(
	s *solver.Solver, run *config.Run, e *events, rec *recorder, hist *histograms, d *descent, h hooks,
) settings {
	return settings{
		solver: s, events: e, rec: rec, hist: hist, end: int(run.Solver.GetMaxIter()), hooks: h, descent: d,
	}
}

// resolve returns a command's edits by their full names, the last of each field, with what they would change now.
func (s *settings) resolve(edits []config.Edit) ([]config.Edited, error) {
	_, all, err := s.solver.Hyper().Apply(edits...)
	if err != nil {
		return nil, err
	}
	last := map[config.Field]int{} // of each field, where it stands among all
	for i, e := range all {
		if first, ok := last[e.Field]; ok { // what was before is before the first
			all[i].Old = all[first].Old
		}
		last[e.Field] = i
	}
	out := all[:0]
	for i, e := range all {
		if last[e.Field] == i {
			out = append(out, e)
		}
	}
	return out, nil
}

// editsOf are edits without the values before.
func editsOf(edits []config.Edited) []config.Edit {
	out := make([]config.Edit, len(edits))
	for i, e := range edits {
		out[i] = e.Edit
	}
	return out
}

// change carries out a command's edits, all or none: at once, or, thresholds, at their layers' next surgery. Then it
// reports that the command waits; its caller is answered later. plan is the plan that makes the change, or 0.
func (s *settings) change(edits []config.Edit, c *pendingCommand, plan int) (ack Ack, waits bool, err error) {
	all, err := s.resolve(edits)
	if err == nil && len(all) == 0 {
		err = errors.New("set: no settings given")
	}
	if err != nil {
		return Ack{}, false, err
	}
	warning := ""
	if c.Origin != undone {
		s.Guard(editsOf(all))
		if warning = surgeryWarnings(s.solver.Hyper(), s.hist, editsOf(all)); warning != "" {
			s.events.note(Event{Iter: s.solver.Iter, By: c.By, What: Notice{warning}})
			warning = "; " + warning
		}
	}
	ended := s.overrule(all)
	c.Seq, c.Iter = s.ledger.next(), s.solver.Iter
	done := step{Seq: c.Seq, Plan: plan, Ended: ended}
	if c.Origin != undone {
		if done.Autopilot, err = s.takeFromAutopilot(all, c.By); err != nil {
			return Ack{}, false, err
		}
	}
	// What takes effect at once may say which layers will be operated on.
	var now, later []config.Edited
	for _, e := range all {
		if e.WaitsForSurgery() {
			later = append(later, e)
		} else {
			now = append(now, e)
		}
	}
	if now, err = s.apply(c, now); err != nil {
		return Ack{}, false, err
	}
	done.Edits = append(done.Edits, now...)
	var atOnce, waiting []config.Edited
	for _, e := range later {
		if s.waitsForSurgery(e.Field) {
			waiting = append(waiting, e)
		} else {
			atOnce = append(atOnce, e)
		}
	}
	if atOnce, err = s.apply(c, atOnce); err != nil {
		s.accept(c, done)
		if len(done.Edits) > 0 {
			err = fmt.Errorf("%w; applied all the same: %s", err, EditsText(done.Edits))
		}
		return Ack{}, false, err
	}
	done.Edits = append(append(done.Edits, atOnce...), waiting...)
	s.accept(c, inOrder(done, all))
	if waiting != nil {
		s.ledger.wait(c, waiting)
		return Ack{}, true, nil
	}
	return Ack{Iter: s.solver.Iter, Detail: EditsText(c.Applied) + s.noneDue(atOnce) + warning}, false, nil
}

// overrule ends the ramps of settings that are set, and the changes of them that wait.
func (s *settings) overrule(edits []config.Edited) (ended []Plan) {
	for _, e := range edits {
		ended = append(ended, s.endRamps(e.Field)...)
	}
	s.ledger.replace(edits, s.solver.Iter)
	return ended
}

// inOrder sorts the edits of a step as they were asked for.
func inOrder(s step, asked []config.Edited) step {
	index := make(map[config.Field]int, len(asked))
	for i, e := range asked {
		index[e.Field] = i
	}
	slices.SortStableFunc(s.Edits, func(a, b config.Edited) int { return index[a.Field] - index[b.Field] })
	return s
}

// accept makes what a command did a step of undo.
func (s *settings) accept(c *pendingCommand, done step) {
	switch {
	case len(done.Edits) == 0 && done.Autopilot == nil:
	case c.Origin == asked:
		s.ledger.accept(done)
	case c.Origin == redone:
		s.ledger.redone(done)
	}
}

// noneDue is what to add to the answer to thresholds that took effect though no surgery will go by them.
func (s *settings) noneDue(edits []config.Edited) string {
	for _, e := range edits {
		if why := NoSurgery(s.solver.Hyper(), e.Layer, s.solver.Iter, s.Finished()); why != "" {
			return "; no surgery is due: " + why
		}
	}
	return ""
}

// waitsForSurgery reports whether a change of a field takes effect with a surgery to come.
func (s *settings) waitsForSurgery(f config.Field) bool {
	return f.WaitsForSurgery() && !s.Finished() && s.moreSurgery(f.Layer)
}

// moreSurgery reports whether a layer will be operated on again.
func (s *settings) moreSurgery(layer string) bool {
	return s.descent.drivesLayer(layer) || NoSurgery(s.solver.Hyper(), layer, s.solver.Iter, false) == ""
}

// noSurgery says why no layer will be operated on again; "" where one will.
func (s *settings) noSurgery() string {
	layers := s.solver.Layers()
	if slices.ContainsFunc(layers, func(l *solver.Layer) bool { return s.moreSurgery(l.Name) }) {
		return ""
	}
	if len(layers) == 0 {
		return ": no layer of this net can be pruned"
	}
	name := layers[0].Name
	return ": " + name + ": " + NoSurgery(s.solver.Hyper(), name, s.solver.Iter, false)
}

// dueNow reports whether a layer is operated on in the next iteration.
func (s *settings) dueNow(layer string) bool {
	l := s.solver.Layer(layer)
	return l != nil && s.solver.SurgeryDue(l)
}

// applyPending applies the pending edits whose layers are operated on now: those of one command together.
func (s *settings) applyPending(now func(layer string) bool) {
	if s.ledger.idle() {
		return
	}
	for _, t := range s.ledger.takePending(func(p pendingEdit) bool { return now(p.Layer) }) {
		_, err := s.apply(t.Of, t.Edits)
		if err != nil {
			s.ledger.forget(t.Of.Seq, t.Edits)
		}
		t.Of.settle(s.solver.Iter, err)
	}
}

// runEnded answers all commands that wait, of a run that ends.
func (s *settings) runEnded() { s.ledger.settleAll(s.solver.Iter, ErrEnded) }

// cancelPending answers all commands that wait, whose edits will not take effect.
func (s *settings) cancelPending(why error) {
	for _, t := range s.ledger.takePending(func(pendingEdit) bool { return true }) {
		t.Of.settle(s.solver.Iter, why)
	}
}

// apply applies edits of a command now, together: one line of the journal, one event, one mark.
func (s *settings) apply(c *pendingCommand, edits []config.Edited) ([]config.Edited, error) {
	if len(edits) == 0 {
		return nil, nil
	}
	edits, err := s.set(editsOf(edits))
	if err != nil {
		return nil, err
	}
	s.ledger.applied(c.Seq, edits)
	ch := Change{Iter: s.solver.Iter, Edits: edits, By: c.By}
	s.rec.write(ch)
	s.marks.add(ch)
	c.Applied = append(c.Applied, edits...)
	s.events.note(Event{Iter: ch.Iter, By: c.By, What: ChangeApplied{ch}})
	return edits, nil
}

// set applies edits, all or none. Journal, marks, events and undo do not know of it.
func (s *settings) set(edits []config.Edit) ([]config.Edited, error) {
	h, done, err := s.solver.Hyper().Apply(edits...)
	if err != nil {
		return nil, err
	}
	if err := s.solver.SetHyper(h); err != nil {
		return nil, err
	}
	s.Changed()
	return done, nil
}

// undo undoes the step that was asked for last: of its edits those that wait are canceled, those that were applied
// are changed back; a plan is canceled. It reports that the change back waits for surgery; to is answered then.
func (s *settings) undo(to chan reply, by string) (text string, waits bool, err error) {
	last, ok := s.ledger.last()
	if !ok {
		return "", false, ErrNothingToUndo
	}
	if last.Plan != 0 {
		text, err := s.cancel(last.Plan)
		if len(last.Edits) == 0 {
			s.ledger.undone()
			if err != nil { // it has been carried out, or canceled: what it did is a step of its own
				return s.undo(to, by)
			}
			return text, false, nil
		}
	}
	canceled := s.ledger.takePending(func(p pendingEdit) bool { return p.Of.Seq == last.Seq && p.Of.Origin != undone })
	for _, t := range canceled {
		t.Of.settle(s.solver.Iter, ErrUndone)
	}
	wasPending := map[config.Field]bool{}
	for _, t := range canceled {
		for _, e := range t.Edits {
			wasPending[e.Field] = true
		}
	}
	text = s.resumeRamps(last.Ended)
	if a := last.Autopilot; a != nil {
		told := &AutopilotChange{Old: s.descent.current(), New: a.Old} // that has paused itself since, perhaps
		s.record(told, by)
		text = joined(told.String(), text)
	}
	var back []config.Edit
	var stay []config.Edited
	for _, e := range last.back() {
		switch {
		case s.descent.drives(e.Field): // the autopilot takes it on
		case slices.ContainsFunc(last.Ended, func(p Plan) bool { return p.Field == e.Field }): // its ramp takes it on
		case wasPending[e.Field]:
			stay = append(stay, e)
		default:
			back = append(back, e.Edit)
		}
	}
	if len(back) == 0 {
		s.ledger.undone()
		switch {
		case text != "":
			return text, false, nil
		case len(stay) == 1:
			return fmt.Sprintf("%s stays %s", stay[0].Field, stay[0].Text()), false, nil
		}
		return fmt.Sprintf("%d settings stay as they are", len(stay)), false, nil
	}
	ack, waits, err := s.change(back, &pendingCommand{By: by, Reply: to, Origin: undone}, 0)
	if err != nil {
		if slices.ContainsFunc(back, s.isGone) { // what was done before it can still be undone
			s.ledger.discard()
		}
		return "", false, err
	}
	s.ledger.undone()
	return joined(ack.Detail, text), waits, nil
}

// joined are two parts of an answer, of which either may be "".
func joined(a, b string) string {
	if a != "" && b != "" {
		return a + "; " + b
	}
	return a + b
}

// isGone reports that an edit is of a layer or a setting that the net no longer has, as after a resume with another.
func (s *settings) isGone(e config.Edit) bool {
	_, err := s.solver.Hyper().Resolve(e.Field)
	return err != nil
}

// redo makes the step again that was undone last. waits tells that it waits for surgery; to is answered then.
func (s *settings) redo(to chan reply, by string) (text string, waits bool, err error) {
	last, ok := s.ledger.lastUndone()
	if !ok {
		return "", false, ErrNothingToRedo
	}
	c := &pendingCommand{By: by, Reply: to, Origin: redone}
	if a := last.Autopilot; a != nil && !a.ByHand {
		told := &AutopilotChange{Old: a.Old, New: a.New}
		return told.String(), false, s.tellAutopilot(told, editsOf(last.Edits), c)
	}
	ack, waits, err := s.change(editsOf(last.Edits), c, 0)
	return ack.Detail, waits, err
}

// schedule takes a plan in, checked whole against the settings of now.
func (s *settings) schedule(p Plan, by string) (string, error) {
	p.By, p.Begun, p.Start, p.Old, p.OldKnown = by, false, 0, 0, false
	f, err := s.solver.Hyper().Resolve(p.Field)
	if err != nil && p.Param != config.NoParam {
		return "", err
	}
	p.Field = f
	if p.Relative && p.At <= int(config.Never) {
		p.At, p.Relative = p.At+s.solver.Iter, false
	}
	if err := p.check(s.solver.Hyper(), s.solver.Iter, s.end); err != nil {
		return "", err
	}
	if p, err = s.plans.add(p); err != nil {
		return "", err
	}
	s.ledger.accept(step{Seq: s.ledger.next(), Plan: p.ID})
	s.events.note(Event{Iter: s.solver.Iter, By: by, What: PlanMade{p}})
	text := fmt.Sprintf("%s: %s", planName(p.ID), p)
	if warning := surgeryWarnings(s.solver.Hyper(), s.hist, []config.Edit{p.Edit}); warning != "" {
		text += "; with the weights of now " + warning
	}
	return text, nil
}

// cancel cancels a plan. A ramp stops where it is.
func (s *settings) cancel(id int) (string, error) {
	p, ok := s.plans.find(id)
	if !ok {
		return "", fmt.Errorf("there is no plan %d", id)
	}
	s.plans.remove(id)
	if p.Begun {
		s.rec.write(Change{Iter: s.solver.Iter, Ramp: &Ramp{Plan: p, Ended: true}})
	}
	s.events.note(Event{Iter: s.solver.Iter, What: PlanCanceled{p}})
	return planName(id) + " is canceled", nil
}

// endRamps cancels the ramps of a field that a person, or another plan, takes in hand.
func (s *settings) endRamps(f config.Field) []Plan {
	ended := s.plans.rampsOf(f)
	for _, p := range ended {
		_, _ = s.cancel(p.ID) // it is there
	}
	return ended
}

// resumeRamps continues with ramps that a change had ended, and says so; "" where there are none.
func (s *settings) resumeRamps(ended []Plan) string {
	var texts []string
	for _, p := range ended {
		if _, ok := s.plans.find(p.ID); ok {
			continue // an undo before has failed behind it
		}
		s.plans.put(p)
		s.rec.write(Change{Iter: s.solver.Iter, By: p.By, Ramp: &Ramp{Plan: p}})
		s.events.note(Event{Iter: s.solver.Iter, By: p.By, What: RampResumed{p}})
		texts = append(texts, RampResumed{p}.String())
	}
	return strings.Join(texts, "; ")
}

// followPlans makes the planned changes of this iteration.
func (s *settings) followPlans() {
	for _, p := range s.plans.due(s.solver.Iter) {
		p, ok := s.plans.find(p.ID)
		if !ok {
			continue // another plan took its field in hand
		}
		done := true
		var err error
		if p.Over == 0 {
			s.plans.remove(p.ID)
			_, _, err = s.change([]config.Edit{p.Edit}, unanswered(p.By), p.ID)
		} else {
			done, err = s.ramp(p)
		}
		if err != nil {
			s.events.note(Event{Iter: s.solver.Iter, What: PlanRejected{p, err.Error()}})
		}
		if done {
			s.plans.remove(p.ID)
		}
	}
}

// ramp takes a ramp to where it is at this iteration, and reports whether it is done. It is one line of the journal,
// when it begins.
func (s *settings) ramp(p Plan) (done bool, err error) {
	// A threshold takes effect with surgery, so a ramp moves when there is one.
	if p.WaitsForSurgery() && s.moreSurgery(p.Layer) && !s.dueNow(p.Layer) {
		return false, nil
	}
	if !p.Begun {
		if p, err = s.beginRamp(p); err != nil {
			return true, err
		}
	}
	v, last := p.valueAt(s.solver.Iter)
	if now, _ := s.solver.Hyper().Get(p.Field); now != v {
		if _, err := s.set([]config.Edit{{Field: p.Field, Value: v}}); err != nil {
			return true, err
		}
	}
	if last {
		s.events.note(Event{Iter: s.solver.Iter, By: p.By, What: RampDone{p}})
	}
	return last, nil
}

// beginRamp notes where a ramp starts, for one undo of it all.
func (s *settings) beginRamp(p Plan) (Plan, error) {
	old, err := s.solver.Hyper().Get(p.Field)
	if err != nil {
		return p, err
	}
	start := old
	if p.From != nil {
		start = *p.From
	}
	s.Guard([]config.Edit{p.Edit})
	ended := s.endRamps(p.Field)
	s.ledger.replace([]config.Edited{{Edit: p.Edit}}, s.solver.Iter)
	return s.begun(p, start, old, ended), nil
}

// begun records a ramp that begins.
func (s *settings) begun(p Plan, start, old float64, ended []Plan) Plan {
	p = s.plans.begin(p.ID, start, old)
	e := config.Edited{Edit: p.Edit, Old: old, OldKnown: true}
	s.ledger.accept(step{Seq: s.ledger.next(), Edits: []config.Edited{e}, Plan: p.ID, Ended: ended})
	s.rec.write(Change{Iter: s.solver.Iter, By: p.By, Ramp: &Ramp{Plan: p}})
	s.marks.add(Change{Iter: s.solver.Iter, By: p.By, Edits: []config.Edited{e}})
	s.events.note(Event{Iter: s.solver.Iter, By: p.By, What: RampBegun{p}})
	return p
}

// tellAutopilot tells the autopilot something else, with edits of settings: one line of the journal, one step of undo.
func (s *settings) tellAutopilot(told *AutopilotChange, edits []config.Edit, c *pendingCommand) error {
	all, err := s.resolve(edits)
	if err != nil {
		return err
	}
	ended := s.overrule(all)
	if told.Edits, err = s.set(editsOf(all)); err != nil {
		return err
	}
	c.Seq, c.Iter = s.ledger.next(), s.solver.Iter
	s.record(told, c.By)
	done := step{Seq: c.Seq, Ended: ended, Autopilot: &toldAutopilot{Old: told.Old, New: told.New}}
	for _, e := range told.Edits { // another rule may have another name for it when it is undone
		if e.WaitsForSurgery() {
			e.Param = config.AnyThreshold
		}
		done.Edits = append(done.Edits, e)
	}
	s.accept(c, done)
	return nil
}

// record has the autopilot go by what it is told now, and writes that down.
func (s *settings) record(told *AutopilotChange, by string) {
	s.descent.install(told.New)
	ch := Change{Iter: s.solver.Iter, By: by, Autopilot: told}
	s.rec.write(ch)
	s.marks.add(ch)
	s.events.note(Event{Iter: ch.Iter, By: by, What: AutopilotChanged{*told}})
}

// takeFromAutopilot pins the layers whose thresholds a person takes in hand.
func (s *settings) takeFromAutopilot(edits []config.Edited, by string) (*toldAutopilot, error) {
	told, err := s.descent.takes(edits)
	if told == nil || err != nil {
		return nil, err
	}
	s.record(told, by)
	return &toldAutopilot{Old: told.Old, New: told.New, ByHand: true}, nil
}

// replayAutopilot tells the autopilot what a replayed journal told it.
func (s *settings) replayAutopilot(told *AutopilotChange, by string) error {
	if err := s.descent.check(told.New); err != nil {
		return err
	}
	again, c := &AutopilotChange{Old: s.descent.current(), New: told.New}, unanswered(by)
	if by == autopilotName && again.pauses() {
		c.Origin = byItself
	}
	return s.tellAutopilot(again, editsOf(told.Edits), c)
}

// replayEdits makes a change of a replayed journal.
func (s *settings) replayEdits(c Change) error {
	edits, err := s.resolve(editsOf(c.Edits))
	if err != nil {
		return err
	}
	of := &pendingCommand{Seq: s.ledger.next(), Iter: s.solver.Iter, By: c.By, Reply: make(chan reply, 1)}
	applied, err := s.apply(of, edits)
	if err == nil {
		s.ledger.accept(step{Seq: of.Seq, Edits: applied})
	}
	return err
}

// replayRamp begins a ramp of a replayed journal, or ends one.
func (s *settings) replayRamp(r *Ramp) error {
	p := r.Plan
	if r.Ended {
		_, err := s.cancel(p.ID)
		return err
	}
	f, err := s.solver.Hyper().Resolve(p.Field)
	if err != nil {
		return err
	}
	p.Field = f
	for _, v := range []float64{p.Value, p.Start} {
		if _, _, err := s.solver.Hyper().Apply(config.Edit{Field: f, Value: v}); err != nil {
			return err
		}
	}
	if p.Over < 1 {
		return fmt.Errorf("%s: over %d iterations; wanted at least 1", p.Field, p.Over)
	}
	if !p.OldKnown {
		p.Old, _ = s.solver.Hyper().Get(f)
	}
	s.plans.put(p)
	s.begun(p, p.Start, p.Old, nil)
	return nil
}

// sessionData is what a snapshot made now keeps of the session.
func (s *settings) sessionData() solver.SessionData {
	c := solver.SessionData{Plans: s.plans.saved()}
	for _, ch := range s.ledger.changes() {
		if line, err := ch.line(); err == nil {
			c.Pending = append(c.Pending, line)
		}
	}
	k := savedSession{IterChanges: s.rec.ofIteration(), PlanID: s.plans.lastID(), Descent: s.descent.saved(),
		AutopilotFile: s.descent.file(), Random: s.descent.beganRandom()}
	k.Past.Undo, k.Past.Redo, k.Seq = s.ledger.history()
	c.Session, _ = json.Marshal(k) // of these types nothing fails
	return c
}

// restore takes what a snapshot carries of the settings, and tells what of it is not known.
func (s *settings) restore(c solver.SessionData) {
	saved, unknown := parseSavedSession(c.Session)
	s.ledger.restoreSteps(saved.Past.Undo, saved.Past.Redo, saved.Seq)
	s.rec.restore(saved.IterChanges)
	s.descent.restore(saved.Descent, saved.AutopilotFile, saved.Random)
	unknown = append(unknown, s.ledger.restore(c.Pending)...)
	unknown = append(unknown, s.plans.restore(c.Plans, saved.PlanID)...)
	for _, u := range unknown {
		s.events.note(Event{Iter: s.solver.Iter, What: Warning{u}})
	}
}

// reserve keeps ids of plans up to one for a journal that is repeated.
func (s *settings) reserve(id int) { s.plans.reserve(id) }

// planned are the plans as they are now.
func (s *settings) planned() []Plan { return s.plans.view() }

// markAll makes changes the marks of the plots, of a run that is resumed.
func (s *settings) markAll(list []Change) { s.marks.list = list }

// keepMarks keeps the marks of the iterations before this one, and of it those that led to its snapshot.
func (s *settings) keepMarks() {
	s.marks.list = keepChanges(s.marks.list, s.solver.Iter, s.rec.recent())
}

// show puts the settings, and what is pending, planned and undoable, into a snapshot.
func (s *settings) show(sn *Snapshot) {
	sn.Hyper, sn.Pending, sn.Plans, sn.Changes = s.solver.Hyper(), s.ledger.changes(), s.plans.view(), s.marks.view()
	sn.Undo, sn.Redo = s.ledger.texts()
}

// marks are the changes that were applied, for the plots. Lists that were handed out are never changed.
type marks struct{ list []Change }

func (m *marks) add(c Change) {
	if len(m.list) >= maxEvents {
		m.list = append(make([]Change, 0, 2*maxEvents), m.list[maxEvents/4:]...)
	}
	m.list = append(m.list, c)
}

// view is the list as it is now.
func (m *marks) view() []Change { return slices.Clip(m.list) }
