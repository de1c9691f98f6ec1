package session

// deed is what one step of Undo takes back: a command's edits, of one field or of many, or a plan.
type deed struct {
	Seq   int    `json:"seq"` // of the command
	Edits []Edit `json:"edits,omitempty"`
	Plan  int    `json:"plan,omitempty"`  // that made the edits, or, without edits, the plan that was made
	Ended []Plan `json:"ended,omitempty"` // ramps under way that ended for it
}

// reversed are the edits that take it back. No two are of one field.
func (d deed) reversed() []Edit {
	out := make([]Edit, len(d.Edits))
	for i, e := range d.Edits {
		out[i] = Edit{Field: e.Field, Old: e.New, New: e.Old}
	}
	return out
}

// past is what can be taken back and what can be repeated, the newest last. A snapshot carries it.
type past struct {
	Undo []deed `json:"undo,omitempty"`
	Redo []deed `json:"redo,omitempty"`
}

// did adds what was asked for; what was taken back before is a thing of the past then.
func (p *past) did(d deed) {
	p.again(d)
	p.Redo = nil
}

// again adds what is repeated.
func (p *past) again(d deed) {
	p.Undo = append(p.Undo, d)
	if len(p.Undo) > maxEvents {
		p.Undo = append([]deed(nil), p.Undo[1:]...)
	}
}

// back takes the newest off. What it did can be repeated once undone is told.
func (p *past) back() (deed, bool) {
	n := len(p.Undo)
	if n == 0 {
		return deed{}, false
	}
	d := p.Undo[n-1]
	p.Undo = p.Undo[:n-1]
	return d, true
}

func (p *past) undone(d deed) { p.Redo = append(p.Redo, d) }

// forth takes the newest off what can be repeated.
func (p *past) forth() (deed, bool) {
	n := len(p.Redo)
	if n == 0 {
		return deed{}, false
	}
	d := p.Redo[n-1]
	p.Redo = p.Redo[:n-1]
	return d, true
}

// took notes what an edit of a command changed, when it takes effect.
func (p *past) took(seq int, e Edit) {
	if d := p.find(seq); d != nil {
		for i := range d.Edits {
			if d.Edits[i].Field == e.Field {
				d.Edits[i].Old = e.Old
			}
		}
	}
}

// forget drops an edit that will not take effect, and its command where that was all.
func (p *past) forget(seq int, field string) {
	d := p.find(seq)
	if d == nil {
		return
	}
	var left []Edit
	for _, e := range d.Edits {
		if e.Field != field {
			left = append(left, e)
		}
	}
	d.Edits = left
	if len(left) > 0 {
		return
	}
	for i := range p.Undo {
		if p.Undo[i].Seq == seq {
			p.Undo = append(p.Undo[:i:i], p.Undo[i+1:]...)
			return
		}
	}
}

func (p *past) find(seq int) *deed {
	for i := len(p.Undo) - 1; i >= 0; i-- {
		if p.Undo[i].Seq == seq {
			return &p.Undo[i]
		}
	}
	return nil
}

// texts say what Undo and Redo would do; "" is nothing.
func (p *past) texts() (undo, redo string) {
	if n := len(p.Undo); n > 0 {
		d := p.Undo[n-1]
		if undo = planName(d.Plan); len(d.Edits) > 0 {
			undo = EditsText(d.reversed())
		}
	}
	if n := len(p.Redo); n > 0 {
		redo = EditsText(p.Redo[n-1].Edits)
	}
	return undo, redo
}
