package tui

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"dns-tui/escape"
	"dns-tui/model/session"
)

// startLine opens the line at the bottom.
func (a *App) startLine(m mode, prompt, value string, suggestions []string) tea.Cmd {
	a.under, a.mode = a.mode, m
	a.input.Reset()
	a.input.Prompt = a.theme.text(prompt)
	a.input.SetValue(value)
	// A name that has to be escaped cannot be typed.
	a.input.SetSuggestions(slices.DeleteFunc(suggestions, func(s string) bool { return escape.Line(s) != s }))
	a.input.SetWidth(max(1, a.width-len([]rune(prompt))-2))
	return a.input.Focus()
}

// lineKey edits the line.
func (a *App) lineKey(k tea.KeyPressMsg, name string) tea.Cmd {
	switch {
	case name == "esc":
		m := a.mode
		a.mode = a.under
		switch m {
		case filtering:
			a.filter = ""
		case searching:
			a.search = ""
		case valuing:
			return a.drop()
		}
		return nil
	case name == "enter":
		return a.entered()
	case a.mode == choosing && (name == "up" || name == "down" || name == "ctrl+p" || name == "ctrl+n"):
		a.movePalette(name == "down" || name == "ctrl+n")
		return nil
	case a.mode == valuing && name == "tab":
		a.nextHandle()
		a.input.Prompt = a.theme.text(a.handlePrompt(a.layer()))
		a.typed()
		return nil
	}
	var cmd tea.Cmd
	a.input, cmd = a.input.Update(k)
	a.typed()
	return cmd
}

// typed follows what stands in the line.
func (a *App) typed() {
	text := a.input.Value()
	a.notice = ""
	switch a.mode {
	case filtering:
		a.filter = text
		a.move(0)
	case searching:
		a.search, a.top = text, 0
	case choosing:
		a.item = 0
	case valuing:
		if text == "" {
			return
		}
		if err := a.chooseTyped(text); err != nil {
			a.say(err.Error())
		}
	case editing:
		if text == "" {
			return
		}
		value, err := a.sparsity(a.field, text)
		if err == nil {
			_, _, err = a.snap.Hyper.Set(a.field, value)
		}
		if err != nil {
			a.say(err.Error())
		}
	}
}

// entered carries out the line. A value that is wrong stays to be mended.
func (a *App) entered() tea.Cmd {
	text, m := a.input.Value(), a.mode
	switch m {
	case valuing:
		if text != "" {
			if err := a.chooseTyped(text); err != nil {
				a.say(err.Error())
				return nil
			}
		}
		a.mode = a.under
		return a.apply()
	case editing:
		value, err := a.sparsity(a.field, text)
		if err == nil {
			_, _, err = a.snap.Hyper.Set(a.field, value)
		}
		if err != nil {
			a.say(err.Error())
			return nil
		}
		a.mode = a.under
		return a.do(session.Command{Kind: session.Set, Field: a.field, Value: value})
	case choosing:
		a.mode = a.under
		if found := a.paletteItems(text); a.item < len(found) {
			return a.run(found[a.item])
		}
		return nil
	case typing:
		a.mode = a.under
		c, err := parseCommand(text)
		if errors.Is(err, errQuit) {
			a.mode = quitting
			return nil
		}
		if err == nil && c.Kind == session.Set && c.Field != "snapshot_prefix" {
			c.Value, err = a.sparsity(c.Field, c.Value)
		}
		if err != nil {
			a.say(err.Error())
			return nil
		}
		if c.Kind == session.GoBack {
			return a.askBack(c.Value, "")
		}
		return a.do(*c)
	}
	a.mode = a.under
	return nil
}

// simpleCommands are commands of one word.
var simpleCommands = map[string]session.Command{
	"surgery": {
		Kind: session.SurgeryNow,
	}, "test": {Kind: session.TestNow}, "snapshot": {Kind: session.SnapshotNow}, "pause": {Kind: session.Pause}, "resume": {Kind: session.Resume},
	"undo": {
		Kind: session.Undo,
	}, "redo": {Kind: session.Redo}, "back": {Kind: session.GoBack}, "sensitivity": {Kind: session.Probe}, "next-surgery": {Kind: session.StepSurgery},
}

// commandWords are offered for completion beside the names of settings.
var commandWords = []string{
	"surgery",
	"test",
	"snapshot",
	"pause",
	"resume",
	"undo",
	"redo",
	"back",
	"sensitivity",
	"next-surgery",
	"step",
	"cancel",
	"snapshot_prefix",
	"quit",
}

var errQuit = errors.New("quit")

const commandForms = "wanted FIELD VALUE [at N | at +N], FIELD [FROM] to VALUE over N [at N], step N, cancel PLAN, surgery, test, snapshot, pause, resume, undo, redo, back, next-surgery, sensitivity, snapshot_prefix DIR/NAME or quit"

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
