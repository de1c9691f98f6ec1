package tui

import (
	"fmt"
	"slices"
	"time"

	"dns-tui/config"
	"dns-tui/model/session"
)

// flight is a command that was sent and not answered yet. A run answers between two iterations, which may take seconds:
// the screen shows at once that a key was taken.
type flight struct {
	id  int
	cmd session.Command
}

// flights are the commands on their way, oldest first.
type flights struct {
	list []flight
	last int // id
}

// begin takes in a command that is sent, and returns the number that its answer comes with.
func (f *flights) begin(c session.Command) int {
	f.last++
	f.list = append(f.list, flight{f.last, c})
	return f.last
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
			if edit.Field == of {
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

// doing says what the newest command on its way asks for; "" of none, and of one that the run shows itself.
func (e *env) doing() string {
	for _, f := range slices.Backward(e.flights.list) {
		if text := f.doing(e.snap); text != "" {
			return text
		}
	}
	return ""
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
		case s.State == session.Paused && len(s.Pending) > 0: // a surgery to come answers it, as the row says
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

// quiet is how long a run may say nothing before the screen says so.
const quiet = 3 * time.Second

// noNews says for how long a run that trains, or owes an answer, has said nothing; "" where that is no wonder.
func (e *env) noNews() string {
	s, patience := e.snap, quiet
	if s.PerSecond > 0 { // two iterations of a slow net
		patience = max(patience, time.Duration(2/s.PerSecond*float64(time.Second)))
	}
	works := s.State == session.Running || s.State == session.Testing || e.doing() != ""
	if e.silence < patience || !works || s.State.Ended() {
		return ""
	}
	if e.silence < 2*time.Minute {
		return fmt.Sprintf("no news for %d s", int(e.silence.Seconds()))
	}
	return "no news for " + eta(e.silence)
}
