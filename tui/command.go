package tui

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dns-tui/model/session"
)

// set is the command that makes changes, as one.
func set(edits ...session.Edit) intent {
	switch len(edits) {
	case 0:
		return nil
	case 1:
		return send{session.Command{Kind: session.Set, Field: edits[0].Field, Value: edits[0].New}}
	}
	return send{session.Command{Kind: session.Set, Edits: edits}}
}

// steer is what a key that steers the run sends; nil for other keys.
func steer(k *runKeys, e *env, b *binding) intent {
	s := e.snap
	rate := func(by float64) intent {
		return set(session.Edit{Field: "lr_mult", New: strconv.FormatFloat(s.Hyper.LRMult*by, 'g', -1, 64)})
	}
	switch b {
	case &k.Pause:
		if s.State == session.Paused {
			return send{session.Command{Kind: session.Resume}}
		}
		return send{session.Command{Kind: session.Pause}}
	case &k.Step:
		return send{session.Command{Kind: session.Step, Count: 1}}
	case &k.StepSurgery:
		return send{session.Command{Kind: session.StepSurgery}}
	case &k.Surgery:
		return send{session.Command{Kind: session.SurgeryNow}}
	case &k.Undo:
		return send{session.Command{Kind: session.Undo}}
	case &k.Redo:
		return send{session.Command{Kind: session.Redo}}
	case &k.LastGood:
		return askBack(e, "", "B")
	case &k.HalveRate:
		return rate(0.5)
	case &k.DoubleRate:
		return rate(2)
	case &k.Snapshot:
		return send{session.Command{Kind: session.SnapshotNow}}
	case &k.Test:
		return send{session.Command{Kind: session.TestNow}}
	}
	return nil
}

// simpleCommands are commands of one word.
var simpleCommands = map[string]session.Command{
	"surgery":      {Kind: session.SurgeryNow},
	"test":         {Kind: session.TestNow},
	"snapshot":     {Kind: session.SnapshotNow},
	"pause":        {Kind: session.Pause},
	"resume":       {Kind: session.Resume},
	"undo":         {Kind: session.Undo},
	"redo":         {Kind: session.Redo},
	"back":         {Kind: session.GoBack},
	"sensitivity":  {Kind: session.Probe},
	"next-surgery": {Kind: session.StepSurgery},
}

// commandWords are offered for completion beside the names of settings.
var commandWords = []string{
	"surgery", "test", "snapshot", "pause", "resume", "undo", "redo", "back", "sensitivity", "next-surgery", "step",
	"cancel", "snapshot_prefix", "quit",
}

var errQuit = errors.New("quit")

const commandForms = "wanted FIELD VALUE [at N | at +N], FIELD [FROM] to VALUE over N [at N], step N, cancel PLAN, " +
	"surgery, test, snapshot, pause, resume, undo, redo, back, next-surgery, sensitivity, snapshot_prefix DIR/NAME " +
	"or quit"

// parseCommand reads a command line; errQuit is its answer to "quit".
//
//	conv2.t 1.6                      now
//	lr 0.001 at 20000                at an iteration
//	conv2.t 1.6 at +500              500 iterations from now
//	conv2.t 0.9 to 1.6 over 2000     a ramp; "at" says where it begins, without a first value it begins where it is
func parseCommand(s string) (*session.Command, error) {
	w := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(s, "=", " "), " %", "%"))
	if len(w) > 0 && w[0] == "set" {
		w = w[1:]
	}
	if len(w) > 1 && (w[0] == "snapshot_prefix" || w[0] == "back") { // a path, as it stands
		_, path, _ := strings.Cut(s, w[0])
		path = strings.TrimSpace(strings.TrimLeft(path, " ="))
		if w[0] == "back" {
			return &session.Command{Kind: session.GoBack, Value: path}, nil
		}
		return &session.Command{Kind: session.Set, Field: "snapshot_prefix", Value: path}, nil
	}
	if len(w) == 0 {
		return nil, errors.New("nothing typed: " + commandForms)
	}
	c, ok := simpleCommands[w[0]]
	switch {
	case len(w) == 1 && (w[0] == "quit" || w[0] == "q"):
		return nil, errQuit
	case ok && len(w) == 1:
		return &c, nil
	case (w[0] == "step" || w[0] == "cancel") && len(w) <= 2:
		kind, n := session.Step, 1
		if w[0] == "cancel" {
			kind = session.Cancel
		}
		if len(w) == 2 {
			var err error
			if n, err = strconv.Atoi(w[1]); err != nil {
				return nil, fmt.Errorf("%s %s: wanted a whole number", w[0], w[1])
			}
		}
		return &session.Command{Kind: kind, Count: n}, nil
	case len(w) == 2:
		return &session.Command{Kind: session.Set, Field: w[0], Value: w[1]}, nil
	}
	p, err := parsePlan(w)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", s, err)
	}
	return &session.Command{Kind: session.Schedule, Plan: p}, nil
}

// parsePlan reads FIELD [FROM] [to VALUE over N] [at N].
func parsePlan(w []string) (session.Plan, error) {
	p := session.Plan{Field: w[0], Relative: true}
	rest, ramp := w[1:], false
	if len(rest) > 0 && rest[0] != "to" {
		p.Value, rest = rest[0], rest[1:]
	}
	for len(rest) > 0 {
		if len(rest) == 1 {
			return p, errors.New(commandForms)
		}
		word, value := rest[0], rest[1]
		rest = rest[2:]
		switch word {
		case "to":
			p.From, p.Value, ramp = p.Value, value, true
		case "over", "at":
			text, relative := strings.CutPrefix(value, "+")
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || word == "over" && (relative || n == 0) {
				return p, fmt.Errorf("%s %s: wanted a number of iterations", word, value)
			}
			if word == "over" {
				p.Over = n
			} else {
				p.At, p.Relative = n, relative
			}
		default:
			return p, errors.New(commandForms)
		}
	}
	for _, v := range []string{p.From, p.Value} {
		if strings.HasSuffix(v, "%") {
			return p, fmt.Errorf(
				"%s is a sparsity; a plan wants the value itself, since what gives that sparsity then is not known now",
				v,
			)
		}
	}
	if p.Value == "" || ramp != (p.Over > 0) {
		return p, errors.New(commandForms)
	}
	return p, nil
}
