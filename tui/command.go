package tui

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dns-tui/config"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// set is the command that makes edits, as one change; nil of none.
func set(edits ...config.Edit) intent {
	if len(edits) == 0 {
		return nil
	}
	return send{session.SetOf(edits...)}
}

// steer is what a key that steers the run sends; nil for other keys.
func steer(k *runKeys, e *env, b *binding) intent {
	s := e.snap
	rate := func(by float64) intent {
		return set(config.Edit{Field: config.Field{Param: config.LRMult}, Value: s.Hyper.LRMult * by})
	}
	switch b {
	case &k.Pause:
		if e.pausing() {
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
	weighWord:      {Kind: session.Weigh},
}

// commandWords are what can be typed beside the names of settings.
var commandWords = []struct{ word, form, meaning string }{
	{"surgery", "", "redraw all masks now"},
	{"test", "", "evaluate the test nets"},
	{"snapshot", "", "write a snapshot"},
	{"pause", "", "after the iteration in hand"},
	{"resume", "", "train on"},
	{"undo", "", "undo the last change"},
	{"redo", "", "redo what was undone"},
	{"back", "[FILE]", "go back to a snapshot, or to the last good one, and pause"},
	{"sensitivity", "", "measure how accuracy falls with each layer's sparsity"},
	{weighWord, "[TARGET]", "measure what you ship: bytes, the smaller net, ms of a pass"},
	{"next-surgery", "", "train to the next surgery, then pause"},
	{"step", "[N]", "train N iterations, then pause"},
	{"cancel", "PLAN", "cancel a plan, by its number"},
	{"snapshot_prefix", "DIR/NAME", "where snapshots and the journal go from now on"},
	{autopilotWord, "TARGET OPTIONS", "thresholds for a target: 310x, 0.9%, 20KB; pause, resume, off"},
	{targetWord, "TARGET", "the same: begins a descent, or changes its target"},
	{"quit", "", "stop, or detach, after a question"},
}

// weighWord measures what is shipped.
const weighWord = "weigh"

var errQuit = errors.New("quit")

const commandForms = "wanted FIELD VALUE [at N | at +N], FIELD [FROM] to VALUE over N [at N], step N, cancel PLAN, " +
	"surgery, test, snapshot, pause, resume, undo, redo, back, next-surgery, sensitivity, weigh [TARGET], " +
	"snapshot_prefix DIR/NAME, " +
	"autopilot TARGET or quit"

// parseCommand reads a command line for a run as it is; errQuit is its answer to "quit".
//
//	conv2.t 1.6                      now: see parseEdits
//	lr 0.001 at 20000                at an iteration
//	conv2.t 1.6 at +500              500 iterations from now
//	conv2.t 0.9 to 1.6 over 2000     a ramp; "at" says where it begins, without a first value it begins where it is
//	weigh 310x                       what the net would come to for who ships it
//	autopilot 310x end_iter 20000    a descent: see parseAutopilot
func parseCommand(run *session.Snapshot, text string) (*session.Command, error) {
	if word, rest := firstWord(text); word == autopilotWord || word == targetWord {
		request, err := parseAutopilot(word, rest)
		return &session.Command{Kind: session.Steer, Autopilot: request}, err
	}
	if word, rest := firstWord(text); word == weighWord && rest != "" {
		target, err := autopilot.ParseTarget(rest)
		return &session.Command{Kind: session.Weigh, Target: target}, err
	}
	w := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(text, "=", " "), " %", "%"))
	if len(w) > 0 && w[0] == "set" {
		w = w[1:]
	}
	if len(w) > 1 && (w[0] == "snapshot_prefix" || w[0] == "back") { // a path, as it stands
		_, path, _ := strings.Cut(text, w[0])
		path = strings.TrimSpace(strings.TrimLeft(path, " ="))
		if w[0] == "back" {
			return &session.Command{Kind: session.GoBack, Path: path}, nil
		}
		return &session.Command{Kind: session.MovePrefix, Path: path}, nil
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
		edits, err := parseEdits(run, w[0], w[1])
		if err == nil { // what the run would reject is said while the text still stands
			_, _, err = run.Hyper.Apply(edits...)
		}
		if err != nil {
			return nil, err
		}
		set := session.SetOf(edits...)
		return &set, nil
	}
	p, err := parsePlan(run, w)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return &session.Command{Kind: session.Schedule, Plan: p}, nil
}

// planWords are the words of FIELD [FROM] [to VALUE over N] [at N].
type planWords struct {
	from, value    string
	over, at       int
	relative, ramp bool
}

// parsePlan reads FIELD [FROM] [to VALUE over N] [at N].
func parsePlan(run *session.Snapshot, w []string) (session.Plan, error) {
	words, err := parsePlanWords(w[1:])
	if err != nil {
		return session.Plan{}, err
	}
	layer, name := splitField(w[0])
	switch {
	case matching(run, layer) != nil:
		return session.Plan{}, errSeveral
	case run.Layer(layer) != nil && (name == sparsityWord || name == keptWord):
		return session.Plan{}, fmt.Errorf("%s is of the weights of then, which are not known now; "+
			"a plan wants the threshold itself: %s.t", name, layer)
	}
	f, err := run.Hyper.ParseField(w[0])
	if err != nil {
		return session.Plan{}, err
	}
	p := session.Plan{Edit: config.Edit{Field: f}, Over: words.over, At: words.at, Relative: words.relative}
	if p.Value, err = f.ParseValue(words.value); err != nil {
		return p, err
	}
	if words.from != "" {
		from, err := f.ParseValue(words.from)
		if err != nil {
			return p, err
		}
		p.From = &from
	}
	return p, nil
}

func parsePlanWords(rest []string) (planWords, error) {
	p := planWords{relative: true}
	if len(rest) > 0 && rest[0] != "to" {
		p.value, rest = rest[0], rest[1:]
	}
	for len(rest) > 0 {
		if len(rest) == 1 {
			return p, errors.New(commandForms)
		}
		word, value := rest[0], rest[1]
		rest = rest[2:]
		switch word {
		case "to":
			p.from, p.value, p.ramp = p.value, value, true
		case "over", "at":
			text, relative := strings.CutPrefix(value, "+")
			n, err := strconv.Atoi(text)
			if err != nil || n < 0 || word == "over" && (relative || n == 0) {
				return p, fmt.Errorf("%s %s: wanted a number of iterations", word, value)
			}
			if word == "over" {
				p.over = n
			} else {
				p.at, p.relative = n, relative
			}
		default:
			return p, errors.New(commandForms)
		}
	}
	for _, v := range []string{p.from, p.value} {
		if strings.HasSuffix(v, "%") {
			return p, fmt.Errorf(
				"%s is a sparsity; a plan wants the value itself, since what gives that sparsity then is not known now",
				v,
			)
		}
	}
	if p.value == "" || p.ramp != (p.over > 0) {
		return p, errors.New(commandForms)
	}
	return p, nil
}
