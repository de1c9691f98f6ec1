package tui

import (
	"dns-tui/config"
	"dns-tui/human"
	"dns-tui/model/session"
)

// rowState is where a layer's threshold stands.
type rowState int

const (
	unchanged rowState = iota
	preview            // chosen here, and not sent
	sent               // on its way: not answered yet
	pending            // taken, and waiting for the layer's next surgery
	applied            // the last change, which took effect
	ramping            // moved by a plan, step by step
	driven             // found by the autopilot
	stopped            // no surgery will come
	frozen             // the mask is kept as it is
	off                // left out of surgery
)

func (r rowState) String() string {
	return [...]string{
		"", "preview", "sent", "pending", "applied", "ramping", "autopilot", "stopped", "frozen", "off",
	}[r]
}

// mark stands before a prediction where there is no room for the word.
func (r rowState) mark() string {
	return [...]string{"", "?", "*", "*", "", "", "", "", "", ""}[r]
}

// isChosen reports a threshold that is to come in place of the one of now.
func (r rowState) isChosen() bool { return r == preview || r == sent || r == pending }

// state says where a layer's threshold stands, and the iteration that belongs to it: of the surgery that a pending one
// waits for, of the change that was applied, of the end of a ramp, of the stop; negative: none, or not known.
func (c *choices) state(l *session.LayerStats) (rowState, int) {
	h, field := c.snap.Hyper.Layer(l.Name), c.thresholdField(l)
	_, drafted := c.draft[l.Name]
	_, underWay := c.sentValue(field)
	_, waits := c.pendingThreshold(l)
	switch {
	case drafted:
		return preview, -1
	case underWay:
		return sent, -1
	case waits:
		return pending, c.nextSurgery(l)
	case !h.Prune:
		return off, -1
	case h.MaskFrozen:
		return frozen, -1
	case c.drives(l.Name):
		return driven, -1
	case c.snap.State.Ended():
		return stopped, -1
	case c.snap.Iter >= c.snap.Hyper.StopOf(h):
		return stopped, c.snap.Hyper.StopOf(h)
	}
	if p := c.ramp(field); p != nil {
		return ramping, p.At + p.Over
	}
	if at := c.lastChange(field); at >= 0 {
		return applied, at
	}
	return unchanged, -1
}

// nextSurgery is the iteration of a layer's next surgery, where it is so far off that it can be read; else -1.
func (e *env) nextSurgery(l *session.LayerStats) int {
	if f := l.Forecast; f.Known && e.canBeRead(f.Next) {
		return f.Next
	}
	return -1
}

// soon is within how many seconds the iteration of a surgery would change before it is read.
const soon = 5

// canBeRead reports whether an iteration to come stays long enough on the screen; a negative one is none.
func (e *env) canBeRead(iter int) bool {
	s := e.snap
	return iter >= 0 && (s.State == session.Paused || float64(iter-s.Iter) > soon*s.PerSecond)
}

// lastChange is the iteration of the last change of a field that took effect; -1 of none.
func (e *env) lastChange(f config.Field) int {
	for i := len(e.snap.Changes) - 1; i >= 0; i-- {
		if c := &e.snap.Changes[i]; c.Edit(f) != nil {
			return c.Iter
		}
	}
	return -1
}

// ramp is the plan that moves a field at the moment; nil of none.
func (e *env) ramp(f config.Field) *session.Plan {
	for i := range e.snap.Plans {
		if p := &e.snap.Plans[i]; p.Begun && p.Field == f {
			return p
		}
	}
	return nil
}

// standing is where a layer stands, worked out once a row.
type standing struct {
	state rowState
	at    int     // the iteration that belongs to the state; negative: none
	next  float64 // the sparsity after the next surgery
	comes bool    // next is known
}

func (c *choices) standing(l *session.LayerStats) (s standing) {
	s.state, s.at = c.state(l)
	s.next, s.comes = c.next(l)
	return s
}

// String is the state in words.
func (s standing) String() string {
	if s.at >= 0 {
		return s.state.String() + " " + human.Count(s.at)
	}
	return s.state.String()
}

// stateCell is the state in words, in their colour.
func (m *mainScreen) stateCell(s standing) string {
	t := &m.theme
	switch s.state {
	case preview, sent, pending:
		return t.warn.Render(s.String())
	case applied:
		return t.good.Render(s.String())
	case driven, ramping:
		return t.accent.Render(s.String())
	}
	return t.dim.Render(s.String())
}
