package tui

import (
	"fmt"
	"slices"
	"strings"

	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// Words that begin a command to the autopilot.
const (
	autopilotWord = "autopilot"
	targetWord    = "target"
)

// firstWord is the first word of a line, and the rest.
func firstWord(text string) (word, rest string) {
	text = strings.TrimSpace(text)
	i := strings.IndexAny(text, " =")
	if i < 0 {
		return text, ""
	}
	return text[:i], strings.TrimLeft(text[i:], " =")
}

// parseAutopilot reads a command to the autopilot, behind its first word.
//
//	autopilot 310x                          begins a descent, or changes the target of the one under way
//	autopilot target 400x end_iter 20000    any options, with their values: autopilot.ParseSettings
//	autopilot predict 100x                  says what that would come to
//	autopilot pause                         or resume, or off
//	target 310x                             the same as autopilot 310x
func parseAutopilot(word, rest string) (session.AutopilotRequest, error) {
	var r session.AutopilotRequest
	first, after := firstWord(rest)
	if action, ok := session.AutopilotActionOf(first); ok && word == autopilotWord {
		r.Action, rest = action, after
		switch action {
		case session.AutopilotSet, session.AutopilotPredict:
		default:
			if rest != "" {
				return r, fmt.Errorf("autopilot %s: %q behind it; wanted nothing", first, rest)
			}
			return r, nil
		}
		if action == session.AutopilotPredict && rest == "" {
			return r, nil
		}
	}
	var err error
	r.Settings, err = autopilot.ParseSettings(rest)
	if err != nil {
		err = fmt.Errorf("%s: %w", word, err)
	}
	return r, err
}

// completeCommand is how a command may go on: by commands and settings, or by options of the autopilot and their
// values.
func completeCommand(run *session.Snapshot, text string) []string {
	word, rest := firstWord(text)
	if word != autopilotWord && word != targetWord || !strings.ContainsAny(text, " =") {
		var words []string
		for _, f := range run.Hyper.Fields() {
			words = append(words, f.String())
		}
		for _, w := range commandWords {
			words = append(words, w.word)
		}
		return words
	}
	done := strings.FieldsFunc(rest[:strings.LastIndexAny(" "+rest, " ,")], isBlank) // all words but the last
	option, values := "", 0
	for _, w := range done {
		if o, err := autopilot.FindOption(w); err == nil {
			option, values = o.Name, 0
		} else {
			values++
		}
	}
	var words []string
	if o, err := autopilot.FindOption(option); err == nil {
		words = o.Completions(layerNames(run))
		if values == 0 {
			return completeWord(text, words)
		}
	}
	if len(done) == 0 && word == autopilotWord {
		words = append(words, session.AutopilotActionNames()...)
	}
	for _, o := range autopilot.Options {
		if !slices.Contains(done, o.Name) {
			words = append(words, o.Name)
		}
	}
	return completeWord(text, words)
}
