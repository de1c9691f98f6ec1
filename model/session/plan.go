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

// Plan is a change to come: an edit at iteration At, or, where Over is not 0, in even steps over that many iterations
// from At on.
type Plan struct {
	ID int
	config.Edit
	From     *float64 // where a ramp starts; nil is the value of then
	At, Over int
	By       string
	// Of a ramp that has begun: where it started, and the value before it.
	Begun      bool
	Start, Old float64
	OldKnown   bool // a journal that was written by hand may leave it out
	// Relative, in a command, counts At from the iteration at which the command is carried out.
	Relative bool
}

// String is the plan as it is typed.
func (p Plan) String() string {
	at := fmt.Sprintf("at %d", p.At)
	if p.Relative {
		at = fmt.Sprintf("at +%d", p.At)
	}
	switch {
	case p.Over == 0:
		return fmt.Sprintf("%s %s", p.Edit, at)
	case p.From != nil:
		return fmt.Sprintf("%s %s to %s over %d %s", p.Field, p.Format(*p.From), p.Text(), p.Over, at)
	}
	return fmt.Sprintf("%s to %s over %d %s", p.Field, p.Text(), p.Over, at)
}

// planJSON is a plan in journals and snapshots.
type planJSON struct {
	ID       int     `json:"id"`
	Field    string  `json:"field"`
	Value    string  `json:"value"`
	From     string  `json:"from,omitempty"`
	At       int     `json:"at"`
	Over     int     `json:"over,omitempty"`
	By       string  `json:"by,omitempty"`
	Begun    bool    `json:"begun,omitempty"`
	Start    float64 `json:"start,omitempty"`
	Old      string  `json:"old,omitempty"`
	Relative bool    `json:"relative,omitempty"`
}

// MarshalJSON implements json.Marshaler, in the form of journals.
func (p Plan) MarshalJSON() ([]byte, error) {
	l := planJSON{
		ID: p.ID, Field: p.Recorded(), Value: p.Text(), At: p.At, Over: p.Over, By: p.By, Begun: p.Begun,
		Start: p.Start,
		Old:   p.OldText(), Relative: p.Relative,
	}
	if p.From != nil {
		l.From = p.Format(*p.From)
	}
	return json.Marshal(l)
}

// OldText is the value before a ramp that has begun; "" before.
func (p *Plan) OldText() string {
	if !p.Begun || !p.OldKnown {
		return ""
	}
	return p.Format(p.Old)
}

// UnmarshalJSON implements json.Unmarshaler. It fails for a field or value that this version does not know.
func (p *Plan) UnmarshalJSON(data []byte) error {
	var l planJSON
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	edit, err := config.Parse(l.Field, l.Value)
	if err != nil {
		return err
	}
	*p = Plan{
		ID: l.ID, Edit: edit, At: l.At, Over: l.Over, By: l.By, Begun: l.Begun, Start: l.Start, Relative: l.Relative,
	}
	if l.From != "" {
		from, err := edit.ParseValue(l.From)
		if err != nil {
			return err
		}
		p.From = &from
	}
	if l.Old != "" {
		p.Old, err = edit.ParseValue(l.Old)
		p.OldKnown = err == nil
	}
	return err
}

// rampSteps is the most changes that a ramp makes.
const rampSteps = 100

// valueAt is a ramp's value at an iteration, rounded to its steps, and whether it is the last.
func (p *Plan) valueAt(iter int) (v float64, last bool) {
	done := min(1, float64(iter-p.At)/float64(p.Over))
	n := float64(min(rampSteps, p.Over))
	done = math.Floor(done*n+1e-9) / n
	if done >= 1 {
		return p.Value, true
	}
	v = p.Start + (p.Value-p.Start)*done
	if !p.IsNumber() {
		return math.Round(v), false
	}
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	return r, false
}

// check says what is wrong with a plan of a run with these settings at an iteration, which ends at end.
func (p *Plan) check(h *config.Hyper, iter, end int) error {
	switch {
	case p.Param == config.NoParam:
		return errors.New("a plan of no field; wanted one of the settings")
	case p.At < iter:
		return fmt.Errorf("%s: iteration %d has passed", p.Field, p.At)
	case p.At >= end:
		return fmt.Errorf("%s: at iteration %d; the run ends at %d", p.Field, p.At, end)
	case p.Over < 0 || p.Over > math.MaxInt32:
		return fmt.Errorf("%s: over %d iterations; wanted at least 1", p.Field, p.Over)
	case p.From != nil && p.Over == 0:
		return fmt.Errorf(
			"%s: from %s without iterations to go over; wanted at least 1", p.Field, p.Format(*p.From))
	}
	edits := []config.Edit{p.Edit}
	if p.From != nil {
		edits = append(edits, config.Edit{Field: p.Field, Value: *p.From})
	}
	for _, e := range edits {
		if _, _, err := h.Apply(e); err != nil {
			return err
		}
	}
	if p.Over > 0 && p.IsSwitch() {
		return fmt.Errorf("%s: %q is not a number, so there is nothing between", p.Field, p.Text())
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

// maxPlans bounds what a run plans.
const maxPlans = 200

// plans are the changes to come. Lists that were handed out are never changed.
type plans struct {
	list []Plan
	last int // the id that was given last
}

// add takes a plan in and gives it an id.
func (s *plans) add(p Plan) (Plan, error) {
	if len(s.list) >= maxPlans {
		return p, fmt.Errorf("%d changes are planned already", maxPlans)
	}
	s.last++
	p.ID = s.last
	s.put(p)
	return p, nil
}

// put takes a plan in that has its id: of a snapshot, of a journal, or one that continues.
func (s *plans) put(p Plan) {
	s.last = max(s.last, p.ID)
	s.list = append(slices.Clip(s.list), p)
}

// reserve keeps ids up to one for plans that are to come.
func (s *plans) reserve(id int) { s.last = max(s.last, id) }

// find returns a plan.
func (s *plans) find(id int) (Plan, bool) {
	i := slices.IndexFunc(s.list, func(p Plan) bool { return p.ID == id })
	if i < 0 {
		return Plan{}, false
	}
	return s.list[i], true
}

// remove takes a plan off the list.
func (s *plans) remove(id int) {
	s.list = slices.DeleteFunc(slices.Clone(s.list), func(p Plan) bool { return p.ID == id })
}

// begin notes where a ramp starts, and returns it.
func (s *plans) begin(id int, start, old float64) Plan {
	s.list = slices.Clone(s.list)
	for i := range s.list {
		if p := &s.list[i]; p.ID == id {
			p.Begun, p.Start, p.Old, p.OldKnown = true, start, old, true
			return *p
		}
	}
	return Plan{}
}

// view is the list as it is now.
func (s *plans) view() []Plan { return s.list }

// lastID is the id that was given last.
func (s *plans) lastID() int { return s.last }

// due are the plans whose iteration has come, in the order in which they were made.
func (s *plans) due(iter int) []Plan {
	var out []Plan
	for _, p := range s.list {
		if p.At <= iter {
			out = append(out, p)
		}
	}
	return out
}

// rampsOf are the ramps of a field that have begun.
func (s *plans) rampsOf(f config.Field) []Plan {
	var out []Plan
	for _, p := range s.list {
		if p.Begun && p.Field == f {
			out = append(out, p)
		}
	}
	return out
}

// saved is what a snapshot keeps of the plans, a line each.
func (s *plans) saved() [][]byte {
	var out [][]byte
	for _, p := range s.list {
		if line, err := json.Marshal(p); err == nil {
			out = append(out, line)
		}
	}
	return out
}

// restore takes the plans of a snapshot; last is the id that the run had given last. It returns those that this version
// does not know, with the reason.
func (s *plans) restore(lines [][]byte, last int) (unknown []string) {
	*s = plans{last: max(s.last, last)}
	for _, line := range lines {
		var p Plan
		if err := json.Unmarshal(line, &p); err != nil {
			unknown = append(unknown, fmt.Sprintf("a plan of the snapshot is not known, and is canceled: %v", err))
			continue
		}
		s.put(p)
	}
	return unknown
}
