package session

import (
	"encoding/json"
	"fmt"

	"dns-tui/model/autopilot"
)

// savedSession is what a snapshot keeps of the session, beside what the solver needs: as JSON in RunState.
type savedSession struct {
	// IterChanges are the changes of the snapshot's iteration that were made before it: a journal that resumes here
	// begins with them.
	IterChanges []Change `json:"lately,omitempty"`
	Past        struct {
		Undo []step `json:"undo,omitempty"`
		Redo []step `json:"redo,omitempty"`
	} `json:"past"`
	PlanID int `json:"plan_id,omitempty"` // of the last plan
	Seq    int `json:"seq,omitempty"`     // of the last command
	// The autopilot; nil where it never was on.
	Descent *savedDescent `json:"descent,omitempty"`
	// What the solver's file said of the autopilot: one that was edited since is known by it.
	AutopilotFile []autopilot.Setting `json:"autopilot_file,omitempty"`
	// Random: the run began with weights that start random. One that was saved before it trained begins with them
	// still.
	Random bool `json:"random,omitempty"`
}

// parseSavedSession reads what a snapshot keeps; one of a program that kept nothing has none. A step, or a change, that
// this version does not know is left out, and told of; the rest is taken.
func parseSavedSession(data []byte) (k savedSession, unknown []string) {
	var raw struct {
		IterChanges []Change `json:"lately"`
		Past        struct {
			Undo []json.RawMessage `json:"undo"`
			Redo []json.RawMessage `json:"redo"`
		} `json:"past"`
		PlanID        int                 `json:"plan_id"`
		Seq           int                 `json:"seq"`
		Descent       json.RawMessage     `json:"descent"`
		AutopilotFile []autopilot.Setting `json:"autopilot_file"`
		Random        bool                `json:"random"`
	}
	if len(data) == 0 {
		return k, nil
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return k, []string{fmt.Sprintf("what the snapshot keeps of the session cannot be read: %v", err)}
	}
	k.IterChanges, k.PlanID, k.Seq, k.AutopilotFile = raw.IterChanges, raw.PlanID, raw.Seq, raw.AutopilotFile
	k.Random = raw.Random
	if raw.Descent != nil {
		if err := json.Unmarshal(raw.Descent, &k.Descent); err != nil {
			unknown = append(unknown, fmt.Sprintf("the autopilot of the snapshot is not known, and is off: %v", err))
			k.Descent = nil
		}
	}
	steps := func(what string, lines []json.RawMessage) (out []step) {
		for _, line := range lines {
			var s step
			if err := json.Unmarshal(line, &s); err != nil {
				unknown = append(unknown, fmt.Sprintf("a change of the snapshot cannot be %s: %v", what, err))
				continue
			}
			out = append(out, s)
		}
		return out
	}
	k.Past.Undo, k.Past.Redo = steps("undone", raw.Past.Undo), steps("redone", raw.Past.Redo)
	return k, unknown
}
