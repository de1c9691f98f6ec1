package tui

import (
	"fmt"
	"math"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/session"
)

// journalLines are the newest lines of what happened and what is pending, n at most, oldest first.
func journalLines(e *env, n int) []string {
	t := &e.theme
	events, pending := e.snap.Events, e.snap.Pending
	pending = pending[max(0, len(pending)-n):]
	events = events[max(0, len(events)-(n-len(pending))):]
	lines := make([]string, 0, len(events)+len(pending)+1)
	add := func(iter int, status, text, by string) {
		if by != "" && len(e.snap.Viewers) > 1 {
			text += "  (" + by + ")"
		}
		lines = append(lines, " "+t.dim.Render(human.Count(iter))+" "+status+t.text(text))
	}
	for _, ev := range events {
		status := ""
		switch ev.Status() {
		case session.Applied:
			status = t.good.Render("applied ")
		case session.Rejected:
			status = t.warn.Render("REJECTED ")
		case session.Pending:
			status = t.warn.Render("planned ")
		}
		add(ev.Iter, status, e.eventText(ev.What), ev.By)
		if begun, ok := ev.What.(session.RunBegun); ok {
			if keys := e.firstKeys(begun); keys != "" {
				add(ev.Iter, "", keys, "")
			}
		}
	}
	for _, c := range pending {
		add(c.Iter, t.warn.Render("pending "), c.String(), c.By)
	}
	return lines[max(0, len(lines)-n):]
}

// eventText is what happened, with the keys of this viewer.
func (e *env) eventText(what session.Payload) string {
	if w, ok := what.(session.SnapshotWritten); ok && w.Guard {
		return w.Before() + e.naming(": %s goes back to it", &e.allKeys.Run.LastGood)
	}
	return what.String()
}

// journalPaneView is the newest lines, on the main screen.
func journalPaneView(e *env, w, h int) []string {
	return e.theme.box("Journal", journalLines(e, max(0, h-2)), w, h)
}

// journal is the whole journal, oldest first, of the lines that a filter lets through; long ones go on below. It opens
// at its end, and stays there as lines come, until one scrolls up.
type journal struct {
	*env
	keys    *textKeys
	search  string
	list    list
	follows bool
	lines   []string // as they are shown
	entry   []int    // of each of these, which entry it is of, from 1 on; 0: of none
	entries int      // that the filter lets through
	all     int
	w, h    int
}

// Update implements screen.
func (j *journal) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		j.list.reset()
		j.follows = true
	case travel:
		j.list.scroll(msg.by(j.h - 2))
		j.follows = j.list.top == j.list.last
	case action:
		if msg.binding == &j.keys.Search {
			return typeLine{purpose: searchLine{text: &j.search, list: &j.list}, value: j.search}
		}
		j.keys.scroll(&j.list, msg.binding)
		j.follows = j.list.top == j.list.last
	case tea.MouseMsg:
		scrollByWheel(&j.list, msg)
		j.follows = j.list.top == j.list.last
	}
	return nil
}

// scroll scrolls a text by its keys.
func (k *textKeys) scroll(l *list, b *binding) {
	switch b {
	case &k.Up:
		l.scroll(-1)
	case &k.Down:
		l.scroll(1)
	}
}

// scrollByWheel scrolls a text by the mouse.
func scrollByWheel(l *list, msg tea.MouseMsg) {
	const lines = 3
	switch msg.Mouse().Button {
	case tea.MouseWheelUp:
		l.scroll(-lines)
	case tea.MouseWheelDown:
		l.scroll(lines)
	}
}

// Arrange implements screen.
func (j *journal) Arrange(w, h int) {
	all := journalLines(j.env, math.MaxInt)
	j.lines, j.entry, j.entries, j.all, j.w, j.h = j.lines[:0], j.entry[:0], 0, len(all), w, h
	add := func(line string, entry int) {
		j.lines = append(j.lines, folded(line, w-2)...)
		for len(j.entry) < len(j.lines) {
			j.entry = append(j.entry, entry)
		}
	}
	search := strings.ToLower(j.search)
	if n := j.snap.EventsDropped(); n > 0 && search == "" {
		text := fmt.Sprintf(" %s earlier events are in the file alone", human.Count(n))
		add(j.theme.dim.Render(text), 0)
	}
	for _, l := range all {
		if search == "" || strings.Contains(strings.ToLower(ansi.Strip(l)), search) {
			j.entries++
			add(l, j.entries)
		}
	}
	j.list.reach(len(j.lines) - (h - 2))
	if j.follows {
		j.list.top = j.list.last
	}
}

// View implements screen.
func (j *journal) View() []string {
	from, to := j.list.window(len(j.lines), j.h-2)
	title := "Journal"
	if to > 0 {
		title = titled(title, readTo(j.entry[to-1], j.entries, j.list.last > 0))
	}
	if j.search != "" {
		title += fmt.Sprintf("  /%s  %s of %d", j.theme.text(j.search), count(j.entries, "line"), j.all)
	}
	if j.snap.Journal != "" {
		title += "  " + j.theme.text(j.snap.Journal)
	}
	return j.theme.box(title, j.lines[from:to], j.w, j.h)
}

// foldIndent is how far the second part of a long line stands to the right.
const foldIndent = "   "

// folded is a line in as many as it takes in a width; one, cut, where there is no room to speak of.
func folded(line string, width int) []string {
	if width < 20 || ansi.StringWidth(line) <= width {
		return []string{line}
	}
	parts := strings.Split(lipgloss.Wrap(line, width-len(foldIndent), ""), "\n")
	for i := range parts[1:] {
		parts[1+i] = foldIndent + parts[1+i]
	}
	return parts
}
