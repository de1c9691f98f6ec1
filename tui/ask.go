package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/model/session"
)

// few is how many iterations may be lost without a question.
const few = 10

// question is what the screen asks before something that gives work up.
type question struct {
	title string
	lines []string // what it means
	yes   string   // what is done
	key   string   // that says yes too: the one that asked
	do    func() tea.Cmd
	from  mode // where the answer goes back to
}

// ask asks.
func (a *App) ask(q question) tea.Cmd {
	q.from = a.mode
	if q.from.types() || q.from == quitting {
		q.from = browsing
	}
	a.question, a.mode = q, asking
	return nil
}

// answerKey answers the question.
func (a *App) answerKey(name string) tea.Cmd {
	q := a.question
	switch name {
	case "y", "enter", q.key:
		a.mode = q.from
		return q.do()
	case "n", "c", "esc", "q":
		a.mode = q.from
	}
	return nil
}

func (a *App) questionDialogue(w int) []string {
	t, q := &a.theme, &a.question
	width := min(w, 76)
	var said []string
	for _, l := range q.lines {
		said = append(said, strings.Split(ansi.Wrap(t.text(l), max(1, width-6), ""), "\n")...)
	}
	if len(said)+8 > a.height-2 { // between the header and the last line
		said = q.lines
	}
	lines := []string{""}
	for _, l := range said {
		lines = append(lines, "  "+t.text(l))
	}
	lines = append(lines, "", "  "+t.title.Render("y")+"  "+t.text(q.yes), "  "+t.title.Render("c")+"  cancel", "")
	return t.centred(q.title, lines, width, w)
}

// askBack asks before the run goes back to a state; "" is the one that the session would choose.
func (a *App) askBack(path, key string) tea.Cmd {
	if path == "" {
		path = a.snap.Back
	}
	if path == "" {
		a.say(session.ErrNoState.Error())
		return nil
	}
	to := session.SavedState{Path: path, Iter: -1}
	for _, s := range a.snap.States {
		if s.Path == path {
			to = s
		}
	}
	q := question{title: "Go back?", key: key, yes: "go back, and pause"}
	q.do = func() tea.Cmd { return a.do(session.Command{Kind: session.GoBack, Value: path}) }
	switch given := a.snap.Iter - to.Iter; {
	case to.Iter < 0:
		q.lines = append(q.lines, fmt.Sprintf("from iteration %s to %s", Thousands(a.snap.Iter), base(path)))
	case given > 0:
		q.lines = append(
			q.lines,
			fmt.Sprintf(
				"from iteration %s to %s: %s given up",
				Thousands(a.snap.Iter),
				Thousands(to.Iter),
				are(given, "iteration"),
			),
		)
	default:
		q.lines = append(q.lines, fmt.Sprintf("from iteration %s to %s", Thousands(a.snap.Iter), Thousands(to.Iter)))
	}
	if to.Why != "" {
		q.lines = append(q.lines, "the state "+to.Why)
	}
	q.lines = append(q.lines, "what is now is saved first: B once more returns to it")
	return a.ask(q)
}

// abandon stops without a snapshot; more than a few iterations that are nowhere else are asked about.
func (a *App) abandon() tea.Cmd {
	if a.snap == nil || a.snap.Unsaved <= few || a.opts.ReadOnly {
		return a.stop(false)
	}
	return a.ask(question{title: "Stop without a snapshot?", key: "a", yes: "stop without one",
		lines: []string{
			fmt.Sprintf(
				"%s, since %s, are in no snapshot and are lost",
				count(a.snap.Unsaved, "iteration"),
				Thousands(a.snap.Iter-a.snap.Unsaved),
			),
		},
		do: func() tea.Cmd { return a.stop(false) }})
}

// count is a number of things in words.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Thousands(n) + " " + what + "s"
}

// are is a number of things with its verb.
func are(n int, what string) string {
	if n == 1 {
		return count(n, what) + " is"
	}
	return count(n, what) + " are"
}

// stopsAs names the snapshot that a stop writes.
func (a *App) stopsAs() string {
	if a.snap == nil {
		return ""
	}
	return fmt.Sprintf("%s_iter_%d", base(a.snap.Prefix), a.snap.Iter)
}

// none says why no surgery of a layer is due; "" where one is.
func (a *App) none(l *session.LayerStats) string {
	return session.NoSurgery(a.snap.Hyper, l.Name, a.snap.Iter, a.snap.State.Ended())
}

// tellNone says so for what was chosen.
func (a *App) tellNone() {
	for _, l := range a.targets() {
		if why := a.none(l); why != "" {
			a.notice, a.noticeBad = l.Name+": no surgery is due: "+why, true
			return
		}
	}
}
