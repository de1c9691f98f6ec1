package session

import (
	"errors"
	"fmt"
)

// Kind is what a command asks for.
type Kind int

// The commands.
const (
	// Field = Value, or all of Edits; thresholds at the layer's next surgery, all others at the next iteration
	Set         Kind = iota
	Pause            // after the iteration in hand
	Resume           //
	Step             // Count iterations, then pause
	SurgeryNow       // redraw all masks before the next iteration
	TestNow          // evaluate the test nets
	SnapshotNow      // write a snapshot
	Undo             // take back the last change
	Stop             // end the run; Save writes a snapshot first, and where that fails the run goes on
	StepSurgery      // train up to and with the next iteration that operates, then pause
	Redo             // repeat the change that was taken back last
	Schedule         // Plan: Field = Value at an iteration, or over many
	Cancel           // drop plan number Count
	GoBack           // to the snapshot Value, or the last good state; then pause
	Probe            // measure the sensitivity of all layers, beside the training; Value "off" ends it
	Look             // return the weights of layer Field that Area wants
)

// kindNames are short names of the kinds, for commands that are written down or sent.
var kindNames = [...]string{
	"set",
	"pause",
	"resume",
	"step",
	"surgery",
	"test",
	"snapshot",
	"undo",
	"stop",
	"next-surgery",
	"redo",
	"plan",
	"cancel",
	"back",
	"sensitivity",
	"look",
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
func (k Kind) ReadsOnly() bool { return k == Look }

// Command is an order to a session.
type Command struct {
	Kind  Kind
	Field string
	Value string
	Edits []Edit // of Set: several fields as one change, in place of Field and Value
	Count int
	Save  bool
	Plan  Plan // of Schedule
	Area  Area // of Look
	By    string
}

func (c Command) String() string {
	switch c.Kind {
	case Set:
		if len(c.Edits) > 0 {
			return EditsText(c.Edits)
		}
		return c.Field + " " + c.Value
	case Schedule:
		return c.Plan.String()
	case Cancel:
		return fmt.Sprintf("cancel plan %d", c.Count)
	case GoBack:
		if c.Value != "" {
			return "go back to " + c.Value
		}
	case Probe:
		if c.Value == "off" {
			return "stop measuring sensitivity"
		}
	case Look:
		return "look at " + c.Field
	case Step:
		return fmt.Sprintf("step %d", c.Count)
	case Stop:
		if c.Save {
			return "stop after a snapshot"
		}
		return "stop"
	}
	return [...]string{"set", "pause", "resume", "step", "surgery now", "test now", "snapshot now", "undo", "stop",
		"step to the next surgery", "redo", "schedule", "cancel", "go back to the last good state", "measure sensitivity", "look"}[c.Kind]
}

// Ack says that a command took effect, and when.
type Ack struct {
	Iter    int
	Detail  string
	Picture *Picture // of Look
}

// Sentinel errors of Session.Do.
var (
	// ErrEnded is returned when the session's loop has ended.
	ErrEnded = errors.New("the run has ended")
	// ErrNothingToUndo is returned by Undo when no change is left to take back.
	ErrNothingToUndo = errors.New("nothing to undo")
	// ErrNothingToRedo is returned by Redo when no change was taken back, or another was made since.
	ErrNothingToRedo = errors.New("nothing to redo")
	// ErrUndone is returned for a change that was taken back before it took effect.
	ErrUndone = errors.New("taken back before it took effect")
	// ErrReplaced is returned for a waiting change when a later one of the same field took its place.
	ErrReplaced = errors.New("replaced by a later change before it took effect")
)

// request is a command with the place where its caller waits.
type request struct {
	cmd   Command
	reply chan reply // of capacity 1: the loop never waits for a caller
}

type reply struct {
	ack Ack
	err error
}
