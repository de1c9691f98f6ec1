package remote

import (
	"errors"
	"fmt"
	"slices"

	"dns-tui/config"
	"dns-tui/model/autopilot"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

func encodeCommand(id uint64, c session.Command) *remotepb.Command {
	m := &remotepb.Command{
		Id: id, Kind: c.Kind.String(), Count: int64(c.Count), Save: c.Save, Path: c.Path, Layer: c.Layer, Off: c.Off,
	}
	for _, e := range c.Edits {
		m.Edits = append(m.Edits, encodeEdit(e))
	}
	if c.Kind == session.Look {
		m.Area = encodeArea(c.Area)
	}
	if c.Kind == session.Schedule {
		m.Plan = encodePlan(&c.Plan)
	}
	if c.Target.Unit != autopilot.NoTarget {
		m.Target = c.Target.String()
	}
	if c.Kind == session.Steer {
		m.Autopilot = encodeRequest(c.Autopilot)
	}
	return m
}

func decodeCommand(m *remotepb.Command) (session.Command, error) {
	k, ok := session.KindOf(m.Kind)
	if !ok {
		return session.Command{}, fmt.Errorf("unknown command %q", m.Kind)
	}
	c := session.Command{
		Kind: k, Count: int(m.Count), Save: m.Save, Path: m.Path, Layer: m.Layer, Off: m.Off, Area: decodeArea(m.Area),
	}
	for _, e := range m.Edits {
		c.Edits = append(c.Edits, decodeEdit(e))
	}
	if m.Plan != nil {
		c.Plan = decodePlan(m.Plan)
	}
	if k == session.Steer {
		var err error
		if c.Autopilot, err = decodeRequest(m.Autopilot); err != nil {
			return c, err
		}
	}
	if m.Target != "" {
		var err error
		if c.Target, err = autopilot.ParseTarget(m.Target); err != nil {
			return c, err
		}
	}
	unknown := func(e config.Edit) bool { return e.Param == config.NoParam }
	if slices.ContainsFunc(c.Edits, unknown) || k == session.Schedule && unknown(c.Plan.Edit) {
		return c, fmt.Errorf("%s: an unknown parameter", k)
	}
	return c, nil
}

func encodeEdit(e config.Edit) *remotepb.Edit {
	return &remotepb.Edit{Layer: e.Layer, Param: remotepb.Param(e.Param), Value: e.Value}
}

func decodeEdit(m *remotepb.Edit) config.Edit {
	return config.Edit{
		Field: config.Field{Layer: m.GetLayer(), Param: decodeParam(m.GetParam())},
		Value: m.GetValue(),
	}
}

// decodeParam is the parameter of a number; NoParam, which nothing takes, where it is none.
func decodeParam(p remotepb.Param) config.Param {
	if _, ok := remotepb.Param_name[int32(p)]; !ok {
		return config.NoParam
	}
	return config.Param(p)
}

func encodePlan(p *session.Plan) *remotepb.Plan {
	return &remotepb.Plan{
		Id: int64(p.ID), Edit: encodeEdit(p.Edit), From: p.From, At: int64(p.At), Over: int64(p.Over), By: p.By,
		Begun: p.Begun, Start: p.Start, Old: p.Old, OldKnown: p.OldKnown, Relative: p.Relative,
	}
}

func decodePlan(m *remotepb.Plan) session.Plan {
	return session.Plan{
		ID: int(m.GetId()), Edit: decodeEdit(m.GetEdit()), From: m.From, At: int(m.GetAt()), Over: int(m.GetOver()),
		By: m.GetBy(), Begun: m.GetBegun(), Start: m.GetStart(), Old: m.GetOld(),
		OldKnown: m.GetOldKnown(), Relative: m.GetRelative(),
	}
}

func encodeArea(a session.Area) *remotepb.Area {
	return &remotepb.Area{
		Row: int64(a.Row), Col: int64(a.Col), Rows: int64(a.Rows), Cols: int64(a.Cols),
		Height: int64(a.Height), Width: int64(a.Width),
	}
}

func decodeArea(a *remotepb.Area) session.Area {
	return session.Area{
		Row: int(a.GetRow()), Col: int(a.GetCol()), Rows: int(a.GetRows()), Cols: int(a.GetCols()),
		Height: int(a.GetHeight()), Width: int(a.GetWidth()),
	}
}

// faults are the errors of a session that callers tell apart.
var faults = map[remotepb.Fault_Code]error{
	remotepb.Fault_ENDED:           session.ErrEnded,
	remotepb.Fault_NOTHING_TO_UNDO: session.ErrNothingToUndo,
	remotepb.Fault_UNDONE:          session.ErrUndone,
	remotepb.Fault_REPLACED:        session.ErrReplaced,
	remotepb.Fault_NOTHING_TO_REDO: session.ErrNothingToRedo,
	remotepb.Fault_NO_STATE:        session.ErrNoRestorePoint,
}

func encodeAnswer(id uint64, ack session.Ack, err error) *remotepb.Answer {
	a := &remotepb.Answer{
		Id: id, Iter: int64(ack.Iter), Detail: ack.Detail, Prediction: encodePrediction(ack.Prediction),
	}
	if err != nil {
		a.Fault = &remotepb.Fault{Text: err.Error()}
		for code, e := range faults {
			if errors.Is(err, e) {
				a.Fault.Code = code
			}
		}
		return a
	}
	if p := ack.Picture; p != nil {
		a.Picture = &remotepb.Picture{
			Layer: p.Layer, Shape: numbers(p.Shape), Rows: int64(p.Rows), Cols: int64(p.Cols), Area: encodeArea(p.Area),
			Iter: int64(p.Iter), Kept: p.Kept, Mean: make([]byte, len(p.Mean)), Max: p.Max,
		}
		for i, v := range p.Mean {
			a.Picture.Mean[i] = byte(v)
		}
	}
	return a
}

func decodeAnswer(a *remotepb.Answer) (session.Ack, error) {
	ack := session.Ack{Iter: int(a.Iter), Detail: a.Detail}
	if f := a.Fault; f != nil {
		if err, ok := faults[f.Code]; ok {
			return ack, err
		}
		return ack, errors.New(f.Text)
	}
	var err error
	if ack.Prediction, err = decodePrediction(a.Prediction); err != nil {
		return ack, err
	}
	m := a.Picture
	if m == nil {
		return ack, nil
	}
	p := &session.Picture{
		Layer: m.Layer, Rows: int(m.Rows), Cols: int(m.Cols), Area: decodeArea(m.Area), Iter: int(m.Iter),
		Kept: m.Kept, Mean: make([]int8, len(m.Mean)), Max: m.Max,
	}
	if n := p.Area.Height * p.Area.Width; len(p.Kept) != n || len(p.Mean) != n {
		return ack, fmt.Errorf("a picture of %d cells holds %d and %d", n, len(p.Kept), len(p.Mean))
	}
	for i, v := range m.Mean {
		p.Mean[i] = int8(v)
	}
	for _, n := range m.Shape {
		p.Shape = append(p.Shape, int(n))
	}
	ack.Picture = p
	return ack, nil
}

func numbers(of []int) []int64 {
	out := make([]int64, len(of))
	for i, n := range of {
		out[i] = int64(n)
	}
	return out
}
