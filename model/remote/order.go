package remote

import (
	"encoding/json"
	"errors"
	"fmt"

	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

func encodeCommand(id uint64, c session.Command) (*remotepb.Order, error) {
	o := &remotepb.Order{
		Id:    id,
		Kind:  c.Kind.String(),
		Field: c.Field,
		Value: c.Value,
		Count: int64(c.Count),
		Save:  c.Save,
	}
	if c.Kind == session.Look {
		o.Area = encodeArea(c.Area)
	}
	var err error
	if c.Kind == session.Schedule {
		o.Plan, err = json.Marshal(c.Plan)
	}
	if len(c.Edits) > 0 {
		o.Edits, err = json.Marshal(c.Edits)
	}
	return o, err
}

func decodeCommand(o *remotepb.Order) (session.Command, error) {
	k, ok := session.KindOf(o.Kind)
	if !ok {
		return session.Command{}, fmt.Errorf("unknown order %q", o.Kind)
	}
	c := session.Command{
		Kind:  k,
		Field: o.Field,
		Value: o.Value,
		Count: int(o.Count),
		Save:  o.Save,
		Area:  decodeArea(o.Area),
	}
	if len(o.Plan) > 0 {
		if err := json.Unmarshal(o.Plan, &c.Plan); err != nil {
			return c, err
		}
	}
	if len(o.Edits) > 0 {
		if err := json.Unmarshal(o.Edits, &c.Edits); err != nil {
			return c, err
		}
	}
	return c, nil
}

func encodeArea(a session.Area) *remotepb.Area {
	return &remotepb.Area{
		Row:    int64(a.Row),
		Col:    int64(a.Col),
		Rows:   int64(a.Rows),
		Cols:   int64(a.Cols),
		Height: int64(a.Height),
		Width:  int64(a.Width),
	}
}

func decodeArea(a *remotepb.Area) session.Area {
	return session.Area{
		Row:    int(a.GetRow()),
		Col:    int(a.GetCol()),
		Rows:   int(a.GetRows()),
		Cols:   int(a.GetCols()),
		Height: int(a.GetHeight()),
		Width:  int(a.GetWidth()),
	}
}

// faults are the errors of a session that callers tell apart.
var faults = map[remotepb.Fault_Code]error{
	remotepb.Fault_ENDED: session.ErrEnded, remotepb.Fault_NOTHING_TO_UNDO: session.ErrNothingToUndo, remotepb.Fault_UNDONE: session.ErrUndone,
	remotepb.Fault_REPLACED: session.ErrReplaced, remotepb.Fault_NOTHING_TO_REDO: session.ErrNothingToRedo, remotepb.Fault_NO_STATE: session.ErrNoState,
}

func encodeAnswer(id uint64, ack session.Ack, err error) *remotepb.Answer {
	a := &remotepb.Answer{Id: id, Iter: int64(ack.Iter), Detail: ack.Detail}
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
			Layer: p.Layer,
			Rows:  int64(p.Rows),
			Cols:  int64(p.Cols),
			Area:  encodeArea(p.Area),
			Iter:  int64(p.Iter),
			Kept:  p.Kept,
			Mean:  make([]byte, len(p.Mean)),
			Max:   p.Max,
		}
		for i, v := range p.Mean {
			a.Picture.Mean[i] = byte(v)
		}
		for _, n := range p.Shape {
			a.Picture.Shape = append(a.Picture.Shape, int64(n))
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
	m := a.Picture
	if m == nil {
		return ack, nil
	}
	p := &session.Picture{
		Layer: m.Layer,
		Rows:  int(m.Rows),
		Cols:  int(m.Cols),
		Area:  decodeArea(m.Area),
		Iter:  int(m.Iter),
		Kept:  m.Kept,
		Mean:  make([]int8, len(m.Mean)),
		Max:   m.Max,
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
