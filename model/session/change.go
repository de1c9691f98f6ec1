package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dns-tui/config"
	"dns-tui/escape"
)

// Change is one thing that changed a run, or that its journal tells of it: a line of the journal. One of Edits,
// Surgery, Ramp, Autopilot, Moved, Taken, Began, Measure and Unknown says what.
type Change struct {
	Iter int    // at which it took effect
	By   string // who asked for it, where several may
	Seq  int    // in a snapshot: the command that a pending change is of
	Time int64  // of Began and Measure: seconds since 1970

	Edits   []config.Edited // settings that were changed together
	Surgery *Surgery        // masks were redrawn beside the schedule
	Ramp    *Ramp           // a ramp begins, or ends before its time
	Moved   *Moved          // snapshots go to another prefix
	Taken   *Taken          // a branch of a search became the run
	// The autopilot is told something else.
	Autopilot *AutopilotChange
	Began     *Began   // the run begins, or is resumed
	Measure   *Measure // how the run does

	Unknown *Unknown // a line of fields or values that this version does not know
}

// Unknown is a change that this version does not know: its line is kept as it is, and rejected where it is to be
// repeated.
type Unknown struct {
	Field, Value, Reason string
	line                 json.RawMessage // as it stands in the journal
}

// Surgery is one that was asked for.
type Surgery struct {
	Layers []string // nil: all
}

// Ramp is the begin of a ramp, or, where Ended is set, its end before its time.
type Ramp struct {
	Plan  Plan
	Ended bool
}

// Moved says where snapshots went and where they go.
type Moved struct{ From, To string }

// Taken says which branch of a search became the run: the base name of its snapshot.
type Taken struct{ Snapshot string }

// Began is the begin of a run, or of its being resumed.
type Began struct {
	Solver string
	Seed   uint64
	*Start // nil in a journal of an older version
}

// IsSetting reports whether the change is of settings, or a surgery that was asked for: what a replay repeats.
func (c *Change) IsSetting() bool {
	return c.Edits != nil || c.Surgery != nil || c.Ramp != nil || c.Autopilot != nil || c.Unknown != nil
}

// start is what the journal says of the run at its beginning; nil where the change is none, or of an older version.
func (c *Change) start() *Start {
	if c.Began == nil {
		return nil
	}
	return c.Began.Start
}

// Edit returns the edit of a field; nil where the change has none.
func (c *Change) Edit(f config.Field) *config.Edited {
	for i := range c.Edits {
		if c.Edits[i].Field == f {
			return &c.Edits[i]
		}
	}
	return nil
}

// String is the change as a person reads it.
func (c Change) String() string {
	switch {
	case c.Unknown != nil:
		return strings.TrimSpace(c.Unknown.Field + " " + c.Unknown.Value)
	case c.Surgery != nil && c.Surgery.Layers != nil:
		return "surgery on " + strings.Join(c.Surgery.Layers, ", ")
	case c.Surgery != nil:
		return "surgery now"
	case c.Ramp != nil && c.Ramp.Ended:
		return c.Ramp.Plan.String() + ", ended"
	case c.Ramp != nil:
		return c.Ramp.Plan.String()
	case c.Autopilot != nil:
		return c.Autopilot.String()
	case c.Moved != nil:
		return fmt.Sprintf("%s %s → %s", prefixField, c.Moved.From, c.Moved.To)
	case c.Taken != nil:
		return branchField + " " + c.Taken.Snapshot + " taken"
	case c.Began != nil:
		return "run " + c.Began.Solver
	}
	return EditsText(c.Edits)
}

// EditsText is what edits do together: "prune → on in conv1, conv2, conv3 and 50 more".
func EditsText(edits []config.Edited) string {
	const named = 3
	if len(edits) == 0 {
		return ""
	}
	first := edits[0]
	if len(edits) == 1 {
		return first.String()
	}
	more := ""
	if n := len(edits) - named; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	var texts []string
	other := func(e config.Edited) bool {
		return e.Layer == "" || e.Param != first.Param || e.Value != first.Value
	}
	if slices.ContainsFunc(edits, other) {
		for _, e := range edits[:min(named, len(edits))] {
			texts = append(texts, e.String())
		}
		return strings.Join(texts, ", ") + more
	}
	for _, e := range edits[:min(named, len(edits))] {
		texts = append(texts, e.Layer)
	}
	return fmt.Sprintf("%s → %s in %s%s", first.Param, first.Text(), strings.Join(texts, ", "), more)
}

// changeJSON is a line of the journal: docs/formats.md.
type changeJSON struct {
	Iter  int    `json:"iter"`
	Field string `json:"field"` // of config.Hyper; or one of those below
	Old   string `json:"old,omitempty"`
	New   string `json:"new"`
	Seed  uint64 `json:"seed,omitempty"`
	By    string `json:"by,omitempty"`
	Time  int64  `json:"time,omitempty"`

	Edits   json.RawMessage `json:"edits,omitempty"` // of a change of several fields
	Plan    json.RawMessage `json:"plan,omitempty"`
	Layers  []string        `json:"layers,omitempty"` // of a surgery that was not on all
	Seq     int             `json:"seq,omitempty"`
	Start   *Start          `json:"start,omitempty"`
	Measure *Measure        `json:"measure,omitempty"`

	// Of the autopilot: what it was told before and is told now; null is off.
	AutopilotWas json.RawMessage `json:"autopilot_was,omitempty"`
	Autopilot    json.RawMessage `json:"autopilot,omitempty"`
}

// The fields of a journal that are no hyperparameters.
const (
	runField       = "run"
	surgeryField   = "surgery"
	measureField   = "measure"
	editsField     = "edits"           // several fields at once
	autopilotField = "autopilot"       // what it is told
	planField      = "plan"            // a ramp begins, or, where New is "off", ends before its time
	prefixField    = "snapshot_prefix" //
	branchField    = "branch"          // of a search: its snapshot, to which the run goes back
	planOff        = "off"
)

// MarshalJSON implements json.Marshaler, in the form of the journal.
func (c Change) MarshalJSON() ([]byte, error) {
	l := changeJSON{Iter: c.Iter, By: c.By, Seq: c.Seq, Time: c.Time}
	var err error
	switch {
	case c.Unknown != nil && c.Unknown.line != nil:
		return c.Unknown.line, nil
	case c.Unknown != nil:
		l.Field, l.New = c.Unknown.Field, c.Unknown.Value
	case c.Surgery != nil:
		l.Field, l.New, l.Layers = surgeryField, "now", c.Surgery.Layers
	case c.Ramp != nil && c.Ramp.Ended:
		l.Field, l.Old, l.New = planField, c.Ramp.Plan.String(), planOff
		l.Plan, err = json.Marshal(c.Ramp.Plan)
	case c.Ramp != nil:
		l.Field, l.Old, l.New = planField, c.Ramp.Plan.OldText(), c.Ramp.Plan.String()
		l.Plan, err = json.Marshal(c.Ramp.Plan)
	case c.Autopilot != nil:
		a := c.Autopilot
		l.Field, l.Old, l.New = autopilotField, a.Old.String(), a.New.String()
		if l.AutopilotWas, err = json.Marshal(a.Old); err == nil {
			l.Autopilot, err = json.Marshal(a.New)
		}
		if err == nil && len(a.Edits) > 0 {
			l.Edits, err = json.Marshal(a.Edits)
		}
	case c.Moved != nil:
		l.Field, l.Old, l.New = prefixField, c.Moved.From, c.Moved.To
	case c.Taken != nil:
		l.Field, l.New = branchField, c.Taken.Snapshot
	case c.Began != nil:
		l.Field, l.New, l.Seed, l.Start = runField, c.Began.Solver, c.Began.Seed, c.Began.Start
	case c.Measure != nil:
		l.Field, l.Measure = measureField, c.Measure
	case len(c.Edits) == 1:
		e := c.Edits[0]
		l.Field, l.Old, l.New = e.Recorded(), e.OldText(), e.Text()
	case len(c.Edits) > 1:
		l.Field, l.New = editsField, EditsText(c.Edits)
		l.Edits, err = json.Marshal(c.Edits)
	default:
		err = errors.New("a change of nothing")
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(l)
}

// UnmarshalJSON implements json.Unmarshaler. A line of fields or values that this version does not know is kept as it
// is.
func (c *Change) UnmarshalJSON(data []byte) error {
	var l changeJSON
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	if l.Field == "" || l.Iter < 0 {
		return errors.New("no field, or no iteration")
	}
	*c = Change{Iter: l.Iter, By: l.By, Seq: l.Seq, Time: l.Time}
	var err error
	switch l.Field {
	case runField:
		c.Began = &Began{Solver: l.New, Seed: l.Seed, Start: l.Start}
	case measureField:
		if c.Measure = l.Measure; c.Measure == nil {
			c.Measure = &Measure{}
		}
	case surgeryField:
		c.Surgery = &Surgery{l.Layers}
	case prefixField:
		c.Moved = &Moved{l.Old, l.New}
	case branchField:
		c.Taken = &Taken{l.New}
	case planField:
		c.Ramp = &Ramp{Ended: l.New == planOff}
		if l.Plan == nil {
			err = errors.New("a plan without its numbers")
		} else {
			err = json.Unmarshal(l.Plan, &c.Ramp.Plan)
		}
	case autopilotField:
		c.Autopilot, err = parseAutopilot(&l)
	case editsField:
		if len(l.Edits) > 0 {
			err = json.Unmarshal(l.Edits, &c.Edits)
		}
		if err == nil && len(c.Edits) == 0 {
			err = errors.New("edits without their list")
		}
	default:
		c.Edits = make([]config.Edited, 1)
		c.Edits[0], err = config.ParseEdited(l.Field, l.Old, l.New)
	}
	if err != nil {
		unknown := &Unknown{Field: l.Field, Value: l.New, Reason: err.Error(), line: bytes.Clone(data)}
		*c = Change{Iter: l.Iter, By: l.By, Seq: l.Seq, Time: l.Time, Unknown: unknown}
	}
	return nil
}

// parseAutopilot reads a line of the autopilot.
func parseAutopilot(l *changeJSON) (*AutopilotChange, error) {
	if l.Autopilot == nil {
		return nil, errors.New("the autopilot without what it is told")
	}
	a := &AutopilotChange{}
	if l.AutopilotWas != nil {
		if err := json.Unmarshal(l.AutopilotWas, &a.Old); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(l.Autopilot, &a.New); err != nil {
		return nil, err
	}
	if len(l.Edits) > 0 {
		if err := json.Unmarshal(l.Edits, &a.Edits); err != nil {
			return nil, err
		}
	}
	if a.Old == nil && a.New == nil {
		return nil, errors.New("the autopilot is off, and was")
	}
	return a, nil
}

// line is the change as the journal has it.
func (c Change) line() ([]byte, error) {
	b, err := json.Marshal(c)
	return escape.JSON(b), err
}

func parseChange(line []byte) (Change, error) {
	var c Change
	return c, json.Unmarshal(line, &c)
}
