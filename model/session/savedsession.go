package session

import (
	"encoding/json"
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
}

// parseSavedSession reads what a snapshot keeps; one of an older program keeps nothing.
func parseSavedSession(data []byte) savedSession {
	var k savedSession
	if json.Unmarshal(data, &k) != nil {
		return savedSession{}
	}
	return k
}
