package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"dns-tui/config"
)

// Plan is a change to come: of Field to Value at iteration At, or, where Over is not 0, in even steps over that many
// iterations from At on.
type Plan struct {
	ID    int     `json:"id"`
	Field string  `json:"field"`
	Value string  `json:"value"`
	From  string  `json:"from,omitempty"` // where a ramp starts; "" is the value in force then
	At    int     `json:"at"`
	Over  int     `json:"over,omitempty"`
	By    string  `json:"by,omitempty"`
	Begun bool    `json:"begun,omitempty"`
	Start float64 `json:"start,omitempty"` // of a ramp that has begun
	Old   string  `json:"old,omitempty"`   // the value before it
	// Relative, in a command, counts At from the iteration at which the command is carried out.
	Relative bool `json:"relative,omitempty"`
}

func (p Plan) String() string {
	at := fmt.Sprintf("at %d", p.At)
	if p.Relative {
		at = fmt.Sprintf("at +%d", p.At)
	}
	switch {
	case p.Over == 0:
		return fmt.Sprintf("%s %s %s", p.Field, p.Value, at)
	case p.From != "":
		return fmt.Sprintf("%s %s to %s over %d %s", p.Field, p.From, p.Value, p.Over, at)
	}
	return fmt.Sprintf("%s to %s over %d %s", p.Field, p.Value, p.Over, at)
}

// rampSteps is the most changes that a ramp makes: each is a line of the journal.
const rampSteps = 100

// rampValue is a ramp's value at an iteration, rounded to its steps.
func (p *Plan) rampValue(iter int) (float64, bool) {
	end, err := strconv.ParseFloat(p.Value, 64)
	if err != nil {
		return 0, false
	}
	done := min(1, float64(iter-p.At)/float64(p.Over))
	n := float64(min(rampSteps, p.Over))
	done = math.Floor(done*n+1e-9) / n
	if done >= 1 {
		return end, true
	}
	v := p.Start + (end-p.Start)*done
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	return r, false
}

// maxPlans bounds what a run plans.
const maxPlans = 200

// schedule takes a plan in, checked whole against the settings of now.
func (t *Trainer) schedule(c Command) (string, error) {
	p := c.Plan
	p.Field, p.By = t.solver.Hyper().Canonical(p.Field), c.By
	if p.Relative && p.At <= math.MaxInt32 {
		p.At, p.Relative = p.At+t.solver.Iter, false
	}
	if err := t.checkPlan(&p); err != nil {
		return "", err
	}
	t.planID++
	p.ID, p.Begun, p.Start, p.Old = t.planID, false, 0, ""
	t.plans = append(t.plans, p)
	t.seq++
	t.past.did(deed{Seq: t.seq, Plan: p.ID})
	t.note(Event{Iter: t.solver.Iter, Status: Waiting, Text: fmt.Sprintf("%s: %s", planName(p.ID), p), By: c.By})
	text := fmt.Sprintf("%s: %s", planName(p.ID), p)
	if kills := t.foretell([]Edit{{Field: p.Field, New: p.Value}}); kills != "" {
		text += "; with the weights of now " + kills
	}
	return text, nil
}

// checkPlan says what is wrong with a plan.
func (t *Trainer) checkPlan(p *Plan) error {
	end := int(t.run.Solver.GetMaxIter())
	switch {
	case len(t.plans) >= maxPlans:
		return fmt.Errorf("%d changes are planned already", maxPlans)
	case p.Field == "":
		return errors.New("a plan of no field; wanted one of the settings")
	case p.Value == "":
		return fmt.Errorf("%s: a plan without a value", p.Field)
	case p.At < t.solver.Iter:
		return fmt.Errorf("%s: iteration %d has passed", p.Field, p.At)
	case p.At >= end:
		return fmt.Errorf("%s: at iteration %d; the run ends at %d", p.Field, p.At, end)
	case p.Over < 0 || p.Over > math.MaxInt32:
		return fmt.Errorf("%s: over %d iterations; wanted at least 1", p.Field, p.Over)
	case p.From != "" && p.Over == 0:
		return fmt.Errorf("%s: from %s without iterations to go over; wanted at least 1", p.Field, p.From)
	}
	for _, v := range []string{p.Value, p.From} {
		if v == "" {
			continue // from where it will be
		}
		if _, _, err := t.solver.Hyper().Set(p.Field, v); err != nil {
			return err
		}
		if _, err := strconv.ParseFloat(v, 64); p.Over > 0 && err != nil {
			return fmt.Errorf("%s: %q is not a number, so there is nothing between", p.Field, v)
		}
	}
	return nil
}

// planName is what a plan is called; "" for none.
func planName(id int) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("plan %d", id)
}

// cancel drops a plan. A ramp stops where it is.
func (t *Trainer) cancel(id int) (string, error) {
	found := t.plan(id)
	if found == nil {
		return "", fmt.Errorf("there is no plan %d", id)
	}
	p := *found
	t.drop(id)
	if p.Begun {
		t.record(Change{Iter: t.solver.Iter, Field: fieldPlan, Old: p.String(), New: planOff, Plan: &p})
	}
	t.note(Event{Iter: t.solver.Iter, Text: fmt.Sprintf("%s is dropped: %s", planName(id), p)})
	return planName(id) + " is dropped", nil
}

// followPlans makes the planned changes of this iteration.
func (t *Trainer) followPlans() {
	if len(t.plans) == 0 {
		return
	}
	for _, p := range append([]Plan(nil), t.plans...) {
		if t.solver.Iter < p.At {
			continue
		}
		switch {
		case t.plan(p.ID) == nil: // another plan took its field in hand
		case p.Over == 0:
			t.drop(p.ID)
			t.planned(&p)
		case t.ramp(p.ID):
			t.drop(p.ID)
		}
	}
}

// plan finds a plan; nil where there is none. It is where it is until the next is made or dropped.
func (t *Trainer) plan(id int) *Plan {
	for i := range t.plans {
		if t.plans[i].ID == id {
			return &t.plans[i]
		}
	}
	return nil
}

// drop takes a plan off the list, in new memory.
func (t *Trainer) drop(id int) {
	t.plans = slices.DeleteFunc(append([]Plan(nil), t.plans...), func(p Plan) bool { return p.ID == id })
}

// planned makes the change of a plan.
func (t *Trainer) planned(p *Plan) {
	o := &order{by: p.By, reply: make(chan reply, 1)}
	if _, _, err := t.change([]Edit{{Field: p.Field, New: p.Value}}, o, p.ID); err != nil {
		t.note(Event{Iter: t.solver.Iter, Status: Rejected, Text: fmt.Sprintf("%s: %v", planName(p.ID), err)})
	}
}

// ramp takes a ramp to where it is at this iteration, and reports whether it is done. It is one line of the journal,
// when it begins.
func (t *Trainer) ramp(id int) bool {
	p := t.plan(id)
	// A threshold takes effect with surgery, so a ramp moves when there is one.
	if config.IsThreshold(p.Field) && t.moreSurgery(p.Field) && !t.dueNow(p.Field) {
		return false
	}
	if !p.Begun {
		if err := t.beginRamp(*p); err != nil {
			t.note(Event{Iter: t.solver.Iter, Status: Rejected, Text: fmt.Sprintf("%s: %v", planName(id), err)})
			return true
		}
		p = t.plan(id)
	}
	v, last := p.rampValue(t.solver.Iter)
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if now, _ := t.solver.Hyper().Get(p.Field); now != text {
		if _, err := t.setQuietly([]Edit{{Field: p.Field, New: text}}); err != nil {
			t.note(Event{Iter: t.solver.Iter, Status: Rejected, Text: fmt.Sprintf("%s: %v", planName(p.ID), err)})
			return true
		}
	}
	if last {
		t.note(
			Event{
				Iter:   t.solver.Iter,
				Status: Applied,
				Text:   fmt.Sprintf("%s %s → %s, the end of %s", p.Field, p.Old, text, planName(p.ID)),
				By:     p.By,
			},
		)
	}
	return last
}

// beginRamp notes where a ramp starts, so that one step of Undo takes it back.
func (t *Trainer) beginRamp(p Plan) error {
	old, err := t.solver.Hyper().Get(p.Field)
	if err != nil {
		return err
	}
	start := p.From
	if start == "" {
		start = old
	}
	v, err := strconv.ParseFloat(start, 64)
	if err != nil {
		return fmt.Errorf("%s starts at %q, which is not a number", p.Field, start)
	}
	t.guard([]Edit{{Field: p.Field, New: p.Value}})
	ended := t.endRamps(p.Field)
	t.replaceWaiting(p.Field)
	t.begun(t.plan(p.ID), v, old)
	t.past.Undo[len(t.past.Undo)-1].Ended = ended
	return nil
}

func (t *Trainer) begun(p *Plan, start float64, old string) {
	p.Begun, p.Start, p.Old = true, start, old
	t.seq++
	t.past.did(deed{Seq: t.seq, Edits: []Edit{{p.Field, old, p.Value}}, Plan: p.ID})
	kept := *p
	t.record(Change{Iter: t.solver.Iter, Field: fieldPlan, Old: old, New: p.String(), By: p.By, Plan: &kept})
	t.mark(Change{Iter: t.solver.Iter, Field: p.Field, Old: old, New: p.Value, By: p.By})
	t.note(Event{Iter: t.solver.Iter, Status: Applied, Text: fmt.Sprintf("%s begins: %s", planName(p.ID), p), By: p.By})
}

// replayRamp begins a ramp of a replayed journal, or ends one.
func (t *Trainer) replayRamp(c Change) error {
	if c.Plan == nil {
		return errors.New("a plan without its numbers")
	}
	if c.New == planOff {
		_, err := t.cancel(c.Plan.ID)
		return err
	}
	p := *c.Plan
	for _, v := range []string{p.Value, strconv.FormatFloat(p.Start, 'g', -1, 64)} {
		if _, _, err := t.solver.Hyper().Set(p.Field, v); err != nil {
			return err
		}
	}
	if p.Over < 1 {
		return fmt.Errorf("%s: over %d iterations; wanted at least 1", p.Field, p.Over)
	}
	t.planID = max(t.planID, p.ID)
	t.plans = append(t.plans, p)
	t.begun(&t.plans[len(t.plans)-1], p.Start, p.Old)
	return nil
}

// plansJSON is what a snapshot keeps of the plans.
func (t *Trainer) plansJSON() [][]byte {
	var out [][]byte
	for _, p := range t.plans {
		if line, err := json.Marshal(p); err == nil {
			out = append(out, line)
		}
	}
	return out
}

// restorePlans takes the plans of a snapshot.
func (t *Trainer) restorePlans(lines [][]byte) {
	t.plans = nil
	for _, line := range lines {
		var p Plan
		if json.Unmarshal(line, &p) == nil && p.Field != "" {
			t.plans = append(t.plans, p)
			t.planID = max(t.planID, p.ID)
		}
	}
}
