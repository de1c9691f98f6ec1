package tui

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/session"
)

// dialog is a box over the screen that has all keys.
type dialog interface {
	String() string
	// Update takes in a key, and reports whether the dialog is still open.
	Update(name string) (intent, bool)
	// View is the box, in the middle of w cells.
	View(w int) []string
	// footer names the keys.
	footer(w int) string
}

// fewIterations is how many iterations may be lost without a question.
const fewIterations = 10

// question is what is asked before something that gives work up.
type question struct {
	*env
	title string
	lines []string // what it means
	yes   string   // what is done
	key   string   // that says yes too: the one that asked
	do    intent
}

func (*question) String() string { return "question" }

// Update implements dialog.
func (q *question) Update(name string) (intent, bool) {
	switch name {
	case "y", "enter", q.key:
		return q.do, false
	case "n", "c", "esc", "q":
		return nil, false
	}
	return nil, true
}

// View implements dialog.
func (q *question) View(w int) []string {
	t := &q.theme
	width := min(w, 76)
	var wrapped []string
	for _, l := range q.lines {
		wrapped = append(wrapped, strings.Split(ansi.Wrap(t.text(l), max(1, width-6), ""), "\n")...)
	}
	if len(wrapped)+8 > q.height-2 { // between the header and the last line
		wrapped = q.lines
	}
	lines := []string{""}
	for _, l := range wrapped {
		lines = append(lines, "  "+t.text(l))
	}
	lines = append(lines, "", "  "+t.title.Render("y")+"  "+t.text(q.yes), "  "+t.title.Render("c")+"  cancel", "")
	return t.centred(q.title, lines, width, w)
}

func (q *question) footer(w int) string {
	t := &q.theme
	return t.fit(" "+t.title.Render("y")+" "+t.text(q.yes)+"  "+t.title.Render("c")+" cancel", w)
}

// askBack asks before the run goes back to a restore point; "" is the one that the session would choose.
func askBack(e *env, path, key string) intent {
	s := e.snap
	if path == "" {
		path = s.Back
	}
	if path == "" {
		return refuse(session.ErrNoRestorePoint.Error())
	}
	to := session.RestorePoint{Path: path, Iter: -1}
	for _, p := range s.RestorePoints {
		if p.Path == path {
			to = p
		}
	}
	goal := base(path)
	if to.Iter >= 0 {
		goal = human.Count(to.Iter)
	}
	line := fmt.Sprintf("from iteration %s to %s", human.Count(s.Iter), goal)
	if given := s.Iter - to.Iter; to.Iter >= 0 && given > 0 {
		line += ": " + countAre(given, "iteration") + " given up"
	}
	lines := []string{line}
	if to.Why != "" {
		lines = append(lines, "the state "+to.Why)
	}
	lines = append(
		lines,
		"what is now is saved first"+e.naming(": %s once more returns to it", &e.allKeys.Run.LastGood),
	)
	return ask{&question{env: e, title: "Go back?", key: key, yes: "go back, and pause", lines: lines,
		do: send{session.Command{Kind: session.GoBack, Path: path}}}}
}

// quitDialog asks how to leave.
type quitDialog struct{ *env }

// askToLeave opens it, over the main screen.
func askToLeave(e *env) intent { return intents{show{mainID}, ask{&quitDialog{e}}} }

func (*quitDialog) String() string { return "quit" }

// Update implements dialog.
func (q *quitDialog) Update(name string) (intent, bool) {
	switch name {
	case "s", "enter":
		return stopRun{save: true}, false
	case "a":
		return q.abandon(), false
	case "d":
		return detach{}, false
	case "c", "esc", "q":
		return nil, false
	}
	return nil, true
}

// abandon stops without a snapshot; more than a few iterations that are nowhere else are asked about.
func (q *quitDialog) abandon() intent {
	if q.snap == nil || q.snap.Unsaved <= fewIterations || q.readOnly {
		return stopRun{}
	}
	lost := fmt.Sprintf("%s, since %s, are in no snapshot and are lost",
		count(q.snap.Unsaved, "iteration"), human.Count(q.snap.Iter-q.snap.Unsaved))
	return ask{&question{env: q.env, title: "Stop without a snapshot?", key: "a", yes: "stop without one",
		lines: []string{lost}, do: stopRun{}}}
}

// View implements dialog.
func (q *quitDialog) View(w int) []string {
	t := &q.theme
	item := func(key, text string) string { return "  " + t.title.Render(key) + "  " + text }
	if q.readOnly {
		lines := []string{"", item("d", "leave; the run goes on"), item("c", "cancel: stay"), ""}
		return t.centred("Leave?", lines, min(w, 54), w)
	}
	lines := []string{
		"",
		item("s", "stop and write a snapshot"),
		item("a", "abandon: stop without one"),
		item("d", "detach: the run goes on without this terminal"),
		item("c", "cancel: stay"),
		"",
	}
	if s := q.snap; s != nil {
		lines[1] += t.text(fmt.Sprintf(", %s_iter_%d.*", base(s.Prefix), s.Iter))
		lines = append(lines, t.dim.Render("  ctrl+c once more stops with that snapshot"))
		if s.Unsaved > 0 {
			lines = append(lines, t.dim.Render(t.text("  not in any snapshot: "+count(s.Unsaved, "iteration"))))
		}
		if s.Saved != "" {
			lines = append(lines, t.dim.Render("  last snapshot: "+t.text(s.Saved)))
		}
	}
	return t.centred("Leave?", lines, min(w, 60), w)
}

func (q *quitDialog) footer(w int) string {
	t := &q.theme
	switch {
	case q.readOnly:
		return t.hint("d", "leave") + t.hint("c", "cancel")
	case w < 42:
		return " leave? s a d c"
	}
	return t.hint("s", "save") + t.hint("a", "abandon") + t.hint("d", "detach") + t.hint("c", "cancel")
}

// count is a number of things in words.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return human.Count(n) + " " + what + "s"
}

// countAre is a number of things with its verb.
func countAre(n int, what string) string {
	if n == 1 {
		return count(n, what) + " is"
	}
	return count(n, what) + " are"
}
