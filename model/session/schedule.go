package session

import (
	"fmt"
	"strings"

	"dns-tui/config"
)

// What settings do with plans: changes at an iteration to come, and ramps over some.

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
