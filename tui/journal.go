package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/model/session"
)

// journalLines are what happened, what waits and what is planned, oldest first.
func (a *App) journalLines() []string {
	t := &a.theme
	var lines []string
	add := func(iter int, status, text, by string) {
		if by != "" && len(a.snap.Viewers) > 1 {
			text += "  (" + by + ")"
		}
		lines = append(lines, " "+t.dim.Render(Thousands(iter))+" "+status+t.text(text))
	}
	for _, e := range a.snap.Events {
		status := ""
		switch e.Status {
		case session.Applied:
			status = t.good.Render("applied ")
		case session.Rejected:
			status = t.warn.Render("REJECTED ")
		case session.Waiting:
			status = t.warn.Render("planned ")
		}
		add(e.Iter, status, e.Text, e.By)
	}
	for _, c := range a.snap.Pending {
		add(c.Iter, t.warn.Render("pending "), fmt.Sprintf("%s %s → %s", c.Field, c.Old, c.New), c.By)
	}
	return lines
}

// journal is the pane: the newest lines.
func (a *App) journal(w, h int) []string {
	lines := a.journalLines()
	return a.theme.box("Journal", lines[max(0, len(lines)-max(0, h-2)):], w, h)
}

// journalScreen is the whole journal, newest first, of the lines that the filter lets through; long ones go on below.
func (a *App) journalScreen(w, h int) []string {
	t := &a.theme
	all := a.journalLines()
	var lines []string
	entries := 0
	for i := len(all) - 1; i >= 0; i-- {
		if strings.Contains(strings.ToLower(ansi.Strip(all[i])), strings.ToLower(a.search)) {
			lines = append(lines, folded(all[i], w-2)...)
			entries++
		}
	}
	title := fmt.Sprintf("Journal  %d lines", entries)
	if a.search != "" {
		title = fmt.Sprintf("Journal  /%s  %d of %d lines", t.text(a.search), entries, len(all))
	}
	if a.snap.Journal != "" {
		title += "  " + t.text(a.snap.Journal)
	}
	a.top = max(0, min(a.top, len(lines)-1))
	return t.box(title, lines[min(a.top, len(lines)):], w, h)
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

func (a *App) scrollText(by int) { a.top = max(0, a.top+by) }
