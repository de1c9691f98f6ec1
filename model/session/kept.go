package session

import (
	"encoding/json"
)

// kept is what a snapshot keeps of the session, beside what the solver needs: as JSON in RunState.
type kept struct {
	// Lately are the changes of the snapshot's iteration that were made before it: a journal that goes on from here
	// begins with them.
	Lately []Change `json:"lately,omitempty"`
	Past   struct {
		Undo []step `json:"undo,omitempty"`
		Redo []step `json:"redo,omitempty"`
	} `json:"past"`
	PlanID int `json:"plan_id,omitempty"` // of the last plan
	Seq    int `json:"seq,omitempty"`     // of the last command
}

// parseKept reads what a snapshot keeps; one of an older program keeps nothing.
func parseKept(data []byte) kept {
	var k kept
	if json.Unmarshal(data, &k) != nil {
		return kept{}
	}
	return k
}
