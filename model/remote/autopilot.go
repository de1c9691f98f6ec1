package remote

import (
	"fmt"

	"dns-tui/config"
	"dns-tui/model/autopilot"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

func encodeRequest(r session.AutopilotRequest) *remotepb.AutopilotRequest {
	return &remotepb.AutopilotRequest{Action: r.Action.String(), Settings: encodeSettingList(r.Settings)}
}

func decodeRequest(m *remotepb.AutopilotRequest) (session.AutopilotRequest, error) {
	action, ok := session.AutopilotActionOf(m.GetAction())
	if !ok {
		return session.AutopilotRequest{}, fmt.Errorf("the autopilot does not know %q", m.GetAction())
	}
	return session.AutopilotRequest{Action: action, Settings: decodeSettingList(m.GetSettings())}, nil
}

func encodeSettingList(list []autopilot.Setting) []*remotepb.Setting {
	var out []*remotepb.Setting
	for _, e := range list {
		out = append(out, &remotepb.Setting{Name: e.Name, Value: e.Value})
	}
	return out
}

func decodeSettingList(list []*remotepb.Setting) []autopilot.Setting {
	var out []autopilot.Setting
	for _, e := range list {
		out = append(out, autopilot.Setting{Name: e.GetName(), Value: e.GetValue()})
	}
	return out
}

// encodeSettings are settings that are not the defaults.
func encodeSettings(s autopilot.Settings) []*remotepb.Setting {
	return encodeSettingList(autopilot.DefaultSettings().Differences(s))
}

func decodeSettings(list []*remotepb.Setting) (autopilot.Settings, error) {
	return autopilot.DefaultSettings().With(decodeSettingList(list)...)
}

func encodeAutopilot(a *session.Autopilot) *remotepb.Autopilot {
	if a == nil {
		return nil
	}
	return &remotepb.Autopilot{
		Asked: encodeSettings(a.Asked), Descent: encodeDescent(&a.Descent), Held: int64(a.Held),
		Retreat: int64(a.Retreat),
	}
}

func decodeAutopilot(m *remotepb.Autopilot) (*session.Autopilot, error) {
	if m == nil {
		return nil, nil
	}
	asked, err := decodeSettings(m.GetAsked())
	if err != nil {
		return nil, err
	}
	d, err := decodeDescent(m.GetDescent())
	if err != nil {
		return nil, err
	}
	return &session.Autopilot{Asked: asked, Descent: d, Held: int(m.GetHeld()), Retreat: int(m.GetRetreat())}, nil
}

func encodeDescent(d *autopilot.Descent) *remotepb.Descent {
	s := &d.Schedule
	m := &remotepb.Descent{
		Settings: encodeSettings(d.Settings), Warnings: d.Warnings,
		Budget: &remotepb.Budget{Cost: int32(d.Budget.Cost), Limit: d.Budget.Limit},
		Schedule: &remotepb.Schedule{
			Shape: int32(s.Shape), Begin: int64(s.Begin), End: int64(s.End), Interval: int64(s.Interval),
			From: s.From, To: s.To, Cycles: int64(s.Cycles), Anneal: int64(s.Anneal),
		},
	}
	for _, r := range d.Derived {
		m.Derived = append(m.Derived, &remotepb.Derived{Name: r.Name, Value: r.Value, Why: r.Why})
	}
	return m
}

func decodeDescent(m *remotepb.Descent) (autopilot.Descent, error) {
	settings, err := decodeSettings(m.GetSettings())
	s, b := m.GetSchedule(), m.GetBudget()
	d := autopilot.Descent{
		Settings: settings, Warnings: m.GetWarnings(),
		Budget: autopilot.Budget{Cost: autopilot.Cost(b.GetCost()), Limit: b.GetLimit()},
		Schedule: autopilot.Schedule{
			Shape: autopilot.Shape(s.GetShape()), Begin: int(s.GetBegin()), End: int(s.GetEnd()),
			Interval: int(s.GetInterval()), From: s.GetFrom(), To: s.GetTo(), Cycles: int(s.GetCycles()),
			Anneal: int(s.GetAnneal()),
		},
	}
	if err == nil {
		err = d.Schedule.Validate()
	}
	for _, r := range m.GetDerived() {
		d.Derived = append(d.Derived, autopilot.Derived{Name: r.GetName(), Value: r.GetValue(), Why: r.GetWhy()})
	}
	return d, err
}

func encodeAutopilotChange(c *session.AutopilotChange) *remotepb.AutopilotChange {
	return &remotepb.AutopilotChange{
		Old: encodeAutopilot(c.Old), New: encodeAutopilot(c.New), Edits: encodeEdits(c.Edits),
	}
}

func decodeAutopilotChange(m *remotepb.AutopilotChange) (*session.AutopilotChange, error) {
	c := &session.AutopilotChange{Edits: decodeEdits(m.GetEdits())}
	var err error
	if c.Old, err = decodeAutopilot(m.GetOld()); err == nil {
		c.New, err = decodeAutopilot(m.GetNew())
	}
	return c, err
}

func encodeEdits(edits []config.Edited) []*remotepb.Edited {
	var out []*remotepb.Edited
	for _, e := range edits {
		out = append(out, &remotepb.Edited{Edit: encodeEdit(e.Edit), Old: e.Old, OldKnown: e.OldKnown})
	}
	return out
}

func decodeEdits(edits []*remotepb.Edited) []config.Edited {
	var out []config.Edited
	for _, e := range edits {
		out = append(out, config.Edited{Edit: decodeEdit(e.GetEdit()), Old: e.GetOld(), OldKnown: e.GetOldKnown()})
	}
	return out
}

func encodeAutopilotState(s *session.AutopilotState) *remotepb.AutopilotState {
	if s == nil {
		return nil
	}
	return &remotepb.AutopilotState{
		Autopilot: encodeAutopilot(&s.Autopilot), Phase: int32(s.Phase), Driven: s.Driven, Next: int64(s.Next),
		Progress: s.Progress, Now: s.Now, Planned: s.Planned, RateFactor: s.RateFactor, Note: s.Note,
		AtTarget: encodeCuts(s.AtTarget), Kept: int64(s.Kept), Total: int64(s.Total), Done: s.Done,
	}
}

func decodeAutopilotState(m *remotepb.AutopilotState) (*session.AutopilotState, error) {
	if m == nil {
		return nil, nil
	}
	a, err := decodeAutopilot(m.GetAutopilot())
	if err == nil && a == nil {
		err = fmt.Errorf("an autopilot without what it is told")
	}
	if err != nil {
		return nil, err
	}
	return &session.AutopilotState{
		Autopilot: *a, Phase: autopilot.Phase(m.GetPhase()), Driven: m.GetDriven(), Next: int(m.GetNext()),
		Progress: m.GetProgress(), Now: m.GetNow(), Planned: m.GetPlanned(), RateFactor: m.GetRateFactor(),
		Note: m.GetNote(), AtTarget: decodeCuts(m.GetAtTarget()), Kept: int(m.GetKept()), Total: int(m.GetTotal()),
		Done: m.GetDone(),
	}, nil
}

func encodeCuts(cuts []autopilot.LayerCut) []*remotepb.LayerCut {
	var out []*remotepb.LayerCut
	for _, c := range cuts {
		out = append(out, &remotepb.LayerCut{
			Cut: c.Cut, Threshold: c.Threshold, Kept: int64(c.Kept), Bound: int32(c.Bound),
		})
	}
	return out
}

func decodeCuts(cuts []*remotepb.LayerCut) []autopilot.LayerCut {
	var out []autopilot.LayerCut
	for _, c := range cuts {
		out = append(out, autopilot.LayerCut{
			Cut: c.GetCut(), Threshold: c.GetThreshold(), Kept: int(c.GetKept()), Bound: autopilot.Bound(c.GetBound()),
		})
	}
	return out
}

func encodePrediction(p *session.Prediction) *remotepb.Prediction {
	if p == nil {
		return nil
	}
	s := &p.Solution
	return &remotepb.Prediction{
		Descent: encodeDescent(&p.Descent), Tau: s.Tau, Cuts: encodeCuts(s.Layers), Kept: int64(s.Kept),
		Total: int64(s.Total), Macs: s.MACs, DenseMacs: s.DenseMACs, Bytes: s.Bytes, FullBytes: s.FullBytes,
		Layers: p.Layers, Totals: numbers(p.Totals),
	}
}

func decodePrediction(m *remotepb.Prediction) (*session.Prediction, error) {
	if m == nil {
		return nil, nil
	}
	d, err := decodeDescent(m.GetDescent())
	p := &session.Prediction{
		Descent: d, Layers: m.GetLayers(),
		Solution: autopilot.Solution{
			Tau: m.GetTau(), Layers: decodeCuts(m.GetCuts()), Kept: int(m.GetKept()), Total: int(m.GetTotal()),
			MACs: m.GetMacs(), DenseMACs: m.GetDenseMacs(), Bytes: m.GetBytes(), FullBytes: m.GetFullBytes(),
		},
	}
	for _, n := range m.GetTotals() {
		p.Totals = append(p.Totals, int(n))
	}
	if err == nil && (len(p.Layers) != len(p.Totals) || len(p.Layers) != len(p.Solution.Layers)) {
		err = fmt.Errorf(
			"a prediction of %d layers has %d totals and %d thresholds", len(p.Layers), len(p.Totals),
			len(p.Solution.Layers),
		)
	}
	return p, err
}
