package tui

import (
	"dns-tui/human"
	"dns-tui/model/autopilot"
)

// The net line: what the whole net costs who ships it, now and as it is to become, below the table of layers.

// netCost are the costs in words, the most wanted first.
func (m *mainScreen) netCost() []string {
	now, then, known := m.costs()
	text := func(c autopilot.Cost, of func(amounts) float64) string {
		s := c.Format(of(now))
		if known {
			s += " → " + c.Format(of(then))
		}
		return s
	}
	out := []string{"file about " + text(autopilot.ByteCost, func(a amounts) float64 { return a.bytes })}
	if bytes, words := m.fileBytes(); words != "" {
		out[0] = "file " + words
		if known && now.bytes > 0 { // as far from the estimate as the file of now is
			out[0] += " → about " + autopilot.ByteCost.Format(then.bytes*bytes/now.bytes)
		}
	}
	if now.macs >= 0 {
		out = append(out, text(autopilot.MACCost, func(a amounts) float64 { return a.macs }))
	}
	if live := m.liveOutputs(); live != "" {
		out = append(out, live)
	}
	return out
}

// freshSeconds is how long what was weighed is shown after a surgery, while the run trains: where surgery follows upon
// surgery, it is weighed again before that.
const freshSeconds = 10

// fileBytes are the bytes of the compact file, to the byte, and in words, with the iteration where it is one before; ""
// where that is not known, or is of masks that are long gone.
func (m *mainScreen) fileBytes() (bytes float64, words string) {
	x, s := m.snap.Shipped, m.snap
	if x == nil || x.Now == nil {
		return 0, ""
	}
	if x.Redrawn && s.PerSecond > 0 && float64(s.Iter-x.Now.Iter) > freshSeconds*s.PerSecond {
		return 0, ""
	}
	words = human.Count(int(x.Now.Bytes.Compact)) + " bytes"
	if x.Now.Iter != s.Iter {
		words += " at " + human.Count(x.Now.Iter)
	}
	return float64(x.Now.Bytes.Compact), words
}

// liveOutputs are the filters and neurons that have a weight left, and those that would have one after the next
// surgery; "" where that is not known.
func (m *mainScreen) liveOutputs() string {
	live, dying, all := 0, 0, 0
	for i := range m.snap.Layers {
		l := &m.snap.Layers[i]
		if l.Dead < 0 || l.Outputs == 0 {
			return ""
		}
		live, all, dying = live+l.Outputs-l.Dead, all+l.Outputs, dying+m.choices.dying(l)
	}
	s := human.Count(live)
	if dying > 0 {
		s += " → " + human.Count(live-dying)
	}
	return "live outputs " + s + " of " + human.Count(all)
}

// costs are what the layers cost now, and what they would with all that is chosen and pending, or at the autopilot's
// target; known tells whether that is.
func (m *mainScreen) costs() (now, then amounts, known bool) {
	a := m.snap.Autopilot
	o := outlookOf(m.snap, nil, autopilot.Settings{})
	if a != nil && !a.Done && !m.anyChosen() {
		if o.atTarget == nil {
			return o.now(), amounts{}, false
		}
		return o.now(), o.then(), true
	}
	layers := o.whole()
	for i := range m.snap.Layers {
		l := &m.snap.Layers[i]
		if _, comes := m.choices.next(l); comes {
			layers[i].Kept = l.Histogram.Total() - l.Histogram.Pruned(m.choices.threshold(l))
			known = true
		}
	}
	return o.now(), sumUp(layers), known
}
