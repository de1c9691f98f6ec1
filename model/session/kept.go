package session

import (
	"encoding/json"

	"dns-tui/model/solver"
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

// carried is what a snapshot made now keeps of the session.
func carried(s *settings) solver.Carried {
	c := solver.Carried{Plans: s.plans.saved()}
	for _, ch := range s.ledger.changes() {
		if line, err := ch.line(); err == nil {
			c.Pending = append(c.Pending, line)
		}
	}
	k := kept{Lately: s.rec.ofIteration(), PlanID: s.plans.last, Seq: s.ledger.seq}
	k.Past.Undo, k.Past.Redo = s.ledger.undo, s.ledger.redo
	c.Session, _ = json.Marshal(k) // of these types nothing fails
	return c
}
