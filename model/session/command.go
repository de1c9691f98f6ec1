package session

import (
	"errors"
	"fmt"

	"dns-tui/config"
	"dns-tui/model/autopilot"
)

// Kind is what a command asks for.
type Kind int

// The commands.
const (
	// Edits, as one change; thresholds at the layer's next surgery, all others at the next iteration
	Set         Kind = iota
	Pause            // after the iteration in hand
	Resume           //
	Step             // Count iterations, then pause
	SurgeryNow       // redraw all masks before the next iteration
	TestNow          // evaluate the test nets
	SnapshotNow      // write a snapshot
	Undo             // undo the last change
	Stop             // end the run; Save writes a snapshot first, and where that fails the run continues
	StepSurgery      // train up to and with the next iteration that operates, then pause
	Redo             // make the change again that was undone last
	Schedule         // Plan: an edit at an iteration, or over many
	Cancel           // cancel plan number Count
	GoBack           // to the snapshot Path, or the last good one; then pause
	Probe            // measure the sensitivity of all layers, beside the training; Off ends it
	Look             // return the weights of Layer that Area wants
	Steer            // Autopilot: begins a descent, changes it, pauses it, or says what one would come to
	MovePrefix       // snapshots, and a journal beside them, go to the prefix Path from now on
	TakeBranch       // of a search, of the snapshot Path: it becomes the run; then pause
	Weigh            // measure what is shipped: now, and pruned to Target or with the thresholds of Edits
)

// kindNames are short names of the kinds, for commands that are written down or sent.
var kindNames = [...]string{
	"set", "pause", "resume", "step", "surgery", "test", "snapshot", "undo", "stop", "next-surgery", "redo", "plan",
	"cancel", "back", "sensitivity", "look", "autopilot", "move-prefix", "take-branch",
	"weigh",
}

func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return kindNames[k]
}

// KindOf is the inverse of String.
func KindOf(name string) (Kind, bool) {
	for i, n := range kindNames {
		if n == name {
			return Kind(i), true
		}
	}
	return 0, false
}

// ReadsOnly reports a command that changes nothing.
func (c *Command) ReadsOnly() bool {
	return c.Kind == Look || c.Kind == Steer && c.Autopilot.Action == AutopilotPredict
}

// revises reports a command that changes settings, what waits, or what is planned: a snapshot before it is not of now.
func (c *Command) revises() bool {
	switch c.Kind {
	case Set, Undo, Redo, Schedule, Cancel, Steer:
		return !c.ReadsOnly()
	}
	return false
}

// tries reports a command that does something which may fail, whatever is asked: it writes, reads or computes.
func (c *Command) tries() bool {
	switch c.Kind {
	case SurgeryNow, TestNow, SnapshotNow, Stop, GoBack, MovePrefix, TakeBranch:
		return true
	}
	return false
}

// Command is what is asked of a session.
type Command struct {
	Kind  Kind
	Edits []config.Edit // of Set and Weigh
	Plan  Plan          // of Schedule
	Count int           // of Step and Cancel
	Save  bool          // of Stop
	Off   bool          // of Probe
	Path  string        // of GoBack, MovePrefix and TakeBranch
	Layer string        // of Look
	Area  Area          // of Look
	By    string        // who asks

	Autopilot AutopilotRequest // of Steer
	// Target is that of Weigh; of none, and without Edits, it is the autopilot's, where a descent is under way.
	Target autopilot.Target
}

// SetOf is the command that sets one field, or several as one change.
func SetOf(edits ...config.Edit) Command { return Command{Kind: Set, Edits: edits} }

// String is the command as a person reads it.
func (c Command) String() string {
	switch c.Kind {
	case Set:
		asked := make([]config.Edited, len(c.Edits))
		for i, e := range c.Edits {
			asked[i].Edit = e
		}
		return EditsText(asked)
	case Pause, Resume, Undo, Redo:
		return c.Kind.String()
	case Step:
		return fmt.Sprintf("step %d", c.Count)
	case SurgeryNow, TestNow, SnapshotNow:
		return c.Kind.String() + " now"
	case Stop:
		if c.Save {
			return "stop after a snapshot"
		}
		return "stop"
	case StepSurgery:
		return "step to the next surgery"
	case Schedule:
		return c.Plan.String()
	case Cancel:
		return fmt.Sprintf("cancel plan %d", c.Count)
	case GoBack:
		if c.Path != "" {
			return "go back to " + c.Path
		}
		return "go back to the last good snapshot"
	case Probe:
		if c.Off {
			return "stop measuring sensitivity"
		}
		return "measure sensitivity"
	case Look:
		return "look at " + c.Layer
	case Steer:
		return c.Autopilot.String()
	case MovePrefix:
		return prefixField + " " + c.Path
	case TakeBranch:
		return "take the branch " + c.Path
	case Weigh:
		if c.Target.Unit != autopilot.NoTarget {
			return "measure what you ship, at " + c.Target.String()
		}
		return "measure what you ship"
	}
	return c.Kind.String()
}

// Ack says that a command took effect, and when.
type Ack struct {
	Iter    int
	Detail  string
	Picture *Picture // of Look
	// Of Steer: what its settings come to.
	Prediction *Prediction
}

// Sentinel errors of Session.Do.
var (
	// ErrEnded is returned when the session's loop has ended.
	ErrEnded = errors.New("the run has ended")
	// ErrNothingToUndo is returned by Undo when no change is left to undo.
	ErrNothingToUndo = errors.New("nothing to undo")
	// ErrNothingToRedo is returned by Redo when no change was undone, or another was made since.
	ErrNothingToRedo = errors.New("nothing to redo")
	// ErrUndone is returned for a change that was undone before it took effect.
	ErrUndone = errors.New("undone before it took effect")
	// ErrNoAutopilot is returned by Steer for a run of a program that has no autopilot.
	ErrNoAutopilot = errors.New("the run's program is of a version without an autopilot")
	// ErrReplaced is returned for a pending change when a later one of the same field took its place.
	ErrReplaced = errors.New("replaced by a later change before it took effect")
)

// request is a command with the place where its caller waits.
type request struct {
	Command Command
	Reply   chan reply // of capacity 1: the loop never waits for a caller
}

type reply struct {
	Ack Ack
	Err error
}
