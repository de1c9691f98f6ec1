package tui

import (
	"fmt"
	"slices"
	"time"

	"dns-tui/config"
	"dns-tui/human"
	"dns-tui/model/session"
)

// flight is a command that was sent and not answered yet. A run answers between two iterations, which may take seconds:
// the screen shows at once that a key was taken.
type flight struct {
	id      int
	cmd     session.Command
	pending int // the newest change that was pending when it was sent
}

// flights are the commands on their way, oldest first.
type flights struct {
	list []flight
	last int // id
}

// begin takes in a command that is sent, and returns the number that its answer comes with.
func (f *flights) begin(c session.Command, s *session.Snapshot) int {
	f.last++
	f.list = append(f.list, flight{f.last, c, newestPending(s)})
	return f.last
}

// newestPending is the command of the newest change that waits for a surgery.
func newestPending(s *session.Snapshot) int {
	if s == nil || len(s.Pending) == 0 {
		return 0
	}
	return s.Pending[len(s.Pending)-1].Seq
}

// end takes in its answer.
func (f *flights) end(id int) {
	for i := range f.list {
		if f.list[i].id == id {
			f.list = append(f.list[:i:i], f.list[i+1:]...)
			return
		}
	}
}

// sentValue is the value of a field in the newest command on its way; false where the run has it already, as a change
// that is pending.
func (e *env) sentValue(of config.Field) (float64, bool) {
	for _, f := range slices.Backward(e.flights.list) {
		for _, edit := range f.cmd.Edits {
			if edit.Field == of && f.cmd.Kind == session.Set {
				pending, ok := e.snap.PendingValue(of)
				return edit.Value, !ok || pending != edit.Value
			}
		}
	}
	return 0, false
}

// pausing reports whether the newest pause or resume on its way is a pause, or, where none is, whether the run is
// paused.
func (e *env) pausing() bool {
	for _, f := range slices.Backward(e.flights.list) {
		switch f.cmd.Kind {
		case session.Pause:
			return true
		case session.Resume, session.Step, session.StepSurgery:
			return false
		}
	}
	return e.snap.State == session.Paused
}

// doing says what the newest command on its way asks for, and how many more there are: "pausing… +2"; "" of none. One
// that the run shows itself does not count.
func (e *env) doing() string {
	newest, more := "", 0
	for _, f := range slices.Backward(e.flights.list) {
		switch text := f.doing(e.snap); {
		case text == "":
		case newest == "":
			newest = text
		default:
			more++
		}
	}
	if more == 0 {
		return newest
	}
	return fmt.Sprintf("%s +%d", newest, more)
}

// saves reports whether a command that writes a snapshot is on its way.
func (e *env) saves() bool {
	return slices.ContainsFunc(e.flights.list, func(f flight) bool { return f.cmd.Kind == session.SnapshotNow })
}

func (f *flight) doing(s *session.Snapshot) string {
	switch f.cmd.Kind {
	case session.Set:
		for _, edit := range f.cmd.Edits {
			if !isShown(s, edit) {
				return "sent…"
			}
		}
		return ""
	case session.Pause:
		return "pausing…"
	case session.Resume:
		return "resuming…"
	case session.Step:
		return "stepping…"
	case session.StepSurgery:
		return "to the next surgery…"
	case session.SurgeryNow:
		return "surgery…"
	case session.TestNow:
		if s.State == session.Testing {
			return ""
		}
		return "testing…"
	case session.SnapshotNow:
		return "saving…"
	case session.Undo, session.Redo:
		switch {
		case newestPending(s) != f.pending: // it was taken: a surgery to come answers it, as the row says
			return ""
		case f.cmd.Kind == session.Undo:
			return "undoing…"
		}
		return "redoing…"
	case session.GoBack, session.TakeBranch:
		return "going back…"
	case session.Stop:
		return "stopping…"
	case session.Probe:
		if s.Sensitivity != nil && s.Sensitivity.Running {
			return ""
		}
	}
	return "sent…"
}

// isShown reports whether a run has a value, or shows that it will.
func isShown(s *session.Snapshot, e config.Edit) bool {
	pending, waits := s.PendingValue(e.Field)
	now, err := s.Hyper.Get(e.Field)
	return waits && pending == e.Value || err == nil && now == e.Value
}

// How long a run may say nothing before the screen says so, at the least; one that has just begun, whose pace is not
// known, and one that writes a snapshot.
const (
	quiet     = 3 * time.Second
	quietBusy = 30 * time.Second
)

// noNews says for how long a run that trains, or owes an answer, has said nothing; "" where that is no wonder: two of
// its usual steps have not passed.
func (e *env) noNews() string {
	s, patience := e.snap, max(quiet, 2*e.pace)
	if e.pace == 0 || s.Saving {
		patience = max(patience, quietBusy)
	}
	works := s.State == session.Running || s.State == session.Testing || e.doing() != ""
	if e.silence < patience || !works || s.State.Ended() {
		return ""
	}
	if e.silence < 2*time.Minute {
		return fmt.Sprintf("no news for %d s", int(e.silence.Seconds()))
	}
	return "no news for " + human.Clock(e.silence)
}
