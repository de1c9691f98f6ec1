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
	driven             // found by the autopilot
	stopped            // no surgery will come
	frozen             // the mask is kept as it is
	off                // left out of surgery
)

func (r rowState) String() string {
	return [...]string{"", "preview", "sent", "pending", "applied", "autopilot", "stopped", "frozen", "off"}[r]
}

// mark stands before a prediction where there is no room for the word.
func (r rowState) mark() string {
	return [...]string{"", "?", "*", "*", "", "", "", "", ""}[r]
}

// state says where a layer's threshold stands, and the iteration that belongs to it: of the surgery that a pending one
// waits for, of the change that was applied, of the stop; negative: none, or not known.
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
	if at := c.lastChange(field); at >= 0 {
		return applied, at
	}
	return unchanged, -1
}

// nextSurgery is the iteration of a layer's next surgery, where it is so far off that it can be read; else -1.
func (e *env) nextSurgery(l *session.LayerStats) int {
	s, f := e.snap, l.Forecast
	if f.Known && f.Next >= 0 && (s.State == session.Paused || float64(f.Next-s.Iter) > soon*s.PerSecond) {
		return f.Next
	}
	return -1
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

// stateCell is the state in words.
func (m *mainScreen) stateCell(l *session.LayerStats) string {
	t := &m.theme
	state, at := m.choices.state(l)
	text := state.String()
	if at >= 0 {
		text += " " + human.Count(at)
	}
	switch state {
	case preview, sent, pending:
		return t.warn.Render(text)
	case applied:
		return t.good.Render(text)
	case driven:
		return t.accent.Render(text)
	}
	return t.dim.Render(text)
}
