package model

import (
	"encoding/json"
	"fmt"
	"math"
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

// schedule takes a plan in, checked against the settings of now.
func (t *Trainer) schedule(c Command) (string, error) {
	p := c.Plan
	p.Field, p.By = t.solver.hyper.Canonical(p.Field), c.By
	if p.Relative {
		p.At, p.Relative = p.At+t.solver.Iter, false
	}
	switch {
	case len(t.plans) >= maxPlans:
		return "", fmt.Errorf("%d changes are planned already", maxPlans)
	case p.At < t.solver.Iter:
		return "", fmt.Errorf("%s: iteration %d is over", p.Field, p.At)
	case p.At >= int(t.run.Solver.GetMaxIter()):
		return "", fmt.Errorf("%s: at iteration %d; the run ends at %d", p.Field, p.At, t.run.Solver.GetMaxIter())
	case p.Over < 0:
		return "", fmt.Errorf("%s: over %d iterations; wanted at least 1", p.Field, p.Over)
	}
	for _, v := range []string{p.Value, p.From} {
		if v == p.From && v == "" {
			continue // from where it will be
		}
		if _, _, err := t.solver.hyper.Set(p.Field, v); err != nil {
			return "", err
		}
		if _, err := strconv.ParseFloat(v, 64); p.Over > 0 && err != nil {
			return "", fmt.Errorf("%s: %q is not a number, so there is nothing between", p.Field, v)
		}
	}
	t.planID++
	p.ID, p.Begun = t.planID, false
	t.plans = append(t.plans, p)
	t.seq++
	t.did(done{plan: p.ID, seq: t.seq})
	t.note(Event{Iter: t.solver.Iter, Status: Waiting, Text: fmt.Sprintf("plan %d: %s", p.ID, p), By: c.By})
	return fmt.Sprintf("plan %d: %s", p.ID, p), nil
}

// cancel drops a plan. A ramp stops where it is.
func (t *Trainer) cancel(id int) (string, error) {
	for i := range t.plans {
		if p := t.plans[i]; p.ID == id {
			t.plans = append(t.plans[:i:i], t.plans[i+1:]...)
			t.note(Event{Iter: t.solver.Iter, Text: fmt.Sprintf("plan %d is dropped: %s", id, p)})
			return fmt.Sprintf("plan %d is dropped", id), nil
		}
	}
	return "", fmt.Errorf("there is no plan %d", id)
}

// followPlans makes the planned changes of this iteration.
func (t *Trainer) followPlans() {
	if len(t.plans) == 0 {
		return
	}
	left := make([]Plan, 0, len(t.plans))
	for _, p := range t.plans {
		if t.solver.Iter < p.At || !t.follow(&p) {
			left = append(left, p)
		}
	}
	t.plans = left
}

// follow does what a plan wants now, and reports whether it is done.
func (t *Trainer) follow(p *Plan) bool {
	threshold := config.IsThreshold(p.Field)
	if p.Over == 0 {
		c := Command{Kind: Set, Field: p.Field, Value: p.Value, By: p.By}
		t.guard(c)
		if t.stage(c, make(chan reply, 1), false, false) {
			return true
		}
		if _, err := t.set(c); err != nil {
			t.note(Event{Iter: t.solver.Iter, Status: Rejected, Text: fmt.Sprintf("plan %d: %v", p.ID, err)})
		} else {
			t.undo[len(t.undo)-1].plan = p.ID
		}
		return true
	}
	// A threshold takes effect with surgery, so a ramp moves when there is one.
	if threshold && t.moreSurgery(p.Field) && !t.dueNow(p.Field) {
		return false
	}
	if !p.Begun && !t.beginRamp(p) {
		return true
	}
	v, last := p.rampValue(t.solver.Iter)
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if now, _ := t.solver.hyper.Get(p.Field); now != text {
		if err := t.setQuietly(Change{Field: p.Field, New: text, By: p.By}); err != nil {
			t.note(Event{Iter: t.solver.Iter, Status: Rejected, Text: fmt.Sprintf("plan %d: %v", p.ID, err)})
			return true
		}
	}
	if last {
		t.note(Event{Iter: t.solver.Iter, Status: Applied, Text: fmt.Sprintf("%s %s → %s, the end of plan %d", p.Field, p.Old, text, p.ID), By: p.By})
	}
	return last
}

// beginRamp notes where a ramp starts, so that one step of Undo takes it back.
func (t *Trainer) beginRamp(p *Plan) bool {
	old, err := t.solver.hyper.Get(p.Field)
	start := p.From
	if start == "" {
		start = old
	}
	v, err2 := strconv.ParseFloat(start, 64)
	if err != nil || err2 != nil {
		return false
	}
	t.guard(Command{Kind: Set, Field: p.Field, Value: p.Value})
	p.Begun, p.Start, p.Old = true, v, old
	t.seq++
	t.did(done{Change: Change{Iter: t.solver.Iter, Field: p.Field, Old: old, New: p.Value}, plan: p.ID, seq: t.seq})
	t.note(Event{Iter: t.solver.Iter, Status: Applied, Text: fmt.Sprintf("plan %d begins: %s", p.ID, p), By: p.By})
	return true
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
