package session_test

import (
	"encoding/json"

	"dns-tui/config"
	"dns-tui/model/session"
)

// edits are fields and values as they are typed, in turn.
func edits(pairs ...string) []config.Edit {
	var out []config.Edit
	for i := 0; i < len(pairs); i += 2 {
		e, err := config.Parse(pairs[i], pairs[i+1])
		if err != nil {
			panic(err)
		}
		out = append(out, e)
	}
	return out
}

// set is the command that sets fields to values, as they are typed, in turn.
func set(pairs ...string) session.Command { return session.SetOf(edits(pairs...)...) }

// plan is p for a field and a value as they are typed.
func plan(field, value string, p session.Plan) session.Plan {
	p.Edit = edits(field, value)[0]
	return p
}

// fieldOf is what a journal's line calls a change.
func fieldOf(c session.Change) string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	var line struct{ Field string }
	if err := json.Unmarshal(b, &line); err != nil {
		panic(err)
	}
	return line.Field
}

// happened are the events that an observer of a run has, which has ended.
func happened(o *session.Observer) []session.Event {
	var out []session.Event
	for {
		select {
		case e := <-o.Events():
			out = append(out, e)
		default:
			return out
		}
	}
}
