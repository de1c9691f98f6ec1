package tui

import (
	"dns-tui/escape"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// View implements tea.Model.
func (a *App) View() tea.View {
	v := tea.NewView(a.still)
	if a.still == "" {
		v.Content = a.Frame(a.width, a.height)
		if a.opts.Preferences.GetMouse() {
			v.MouseMode = tea.MouseModeCellMotion
		}
	}
	v.AltScreen, v.ReportFocus = true, true
	v.WindowTitle = "dns-tui " + escape.Line(a.opts.Name)
	return v
}

// Frame draws the whole screen as h lines of w cells.
func (a *App) Frame(w, h int) string {
	if w <= 0 || h <= 0 {
		return ""
	}
	lines := filled(a.screen(w, h), h)[:h]
	for i := range lines {
		lines[i] = a.theme.fit(lines[i], w)
	}
	return strings.Join(lines, "\n")
}

// filled adds empty lines up to n, so that what follows stands below.
func filled(lines []string, n int) []string {
	for len(lines) < n {
		lines = append(lines, "")
	}
	return lines
}

// small is below which a screen has no room for anything but the layers.
const smallWidth, smallHeight = 30, 8

func (a *App) screen(w, h int) []string {
	a.layout = geometry{}
	if a.snap == nil {
		return a.loading(w, h)
	}
	under := a.mode
	if under.types() {
		under = a.under
	}
	if under == asking {
		under = a.question.from
	}
	tiny := w < smallWidth || h < smallHeight
	var lines []string
	switch {
	case under == helping:
		return a.help(w, h)
	case tiny && (under == browsing || under == quitting || under == asking):
		lines = a.tiny(w, h)
	case under == browsing || under == quitting:
		lines = a.main(w, h)
	default:
		lines = a.whole(under, w, h)
	}
	switch {
	case a.mode == quitting && !tiny:
		lines = a.overlay(lines, a.quitDialogue(w), w, h)
	case a.mode == asking && !tiny:
		lines = a.overlay(lines, a.questionDialogue(w), w, h)
	case a.mode == choosing && !tiny:
		lines = a.overlay(lines, a.palette(w, h), w, h)
	}
	return lines
}

// whole is a screen with one part: header, the part, footer.
func (a *App) whole(m mode, w, h int) []string {
	inner := h - 2
	var header []string
	if h < 6 {
		inner = h - 1
	} else {
		header = []string{a.header(w)}
	}
	var part []string
	switch m {
	case plotting:
		part = a.plotScreen(w, inner)
	case picturing:
		part = a.pictureScreen(w, inner)
	case sensing:
		part = a.sensitivityScreen(w, inner)
	case reading:
		part = a.journalScreen(w, inner)
	case forming:
		part = a.form(w, inner)
	case returning:
		part = a.statesScreen(w, inner)
	}
	return append(append(header, filled(part, inner)[:max(0, inner)]...), a.footer(w))
}

// loading is the screen before the session is there.
func (a *App) loading(w, _ int) []string {
	dots := strings.Repeat(".", 1+a.spin%3)
	return []string{
		a.theme.fit(a.theme.title.Render("dns-tui")+"  "+a.theme.text(a.opts.Name), w),
		"",
		"  loading the net and its weights" + dots,
		"",
		a.theme.dim.Render("  q ends it"),
	}
}

// overlay puts a box in the middle of the screen.
func (a *App) overlay(lines, box []string, w, h int) []string {
	lines = filled(lines, h)
	top := max(0, (h-len(box))/2)
	for i, l := range box {
		if top+i < len(lines) {
			lines[top+i] = a.theme.fit(l, w)
		}
	}
	return lines
}
