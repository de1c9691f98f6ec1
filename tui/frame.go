package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"dns-tui/escape"
)

// View implements tea.Model. It changes nothing.
func (a *App) View() tea.View {
	v := tea.NewView(a.held)
	if a.held == "" {
		if v.Content = a.frames.shown; v.Content == "" {
			v.Content = a.frame()
		}
		if a.prefs.GetMouse() {
			v.MouseMode = tea.MouseModeCellMotion
		}
	}
	v.AltScreen, v.ReportFocus = true, true
	v.WindowTitle = escape.Line(a.alerts.title(a.opts.Name))
	return v
}

// frames bounds how many frames are drawn while keys come faster than anybody types, as those of a paste into a
// terminal that does not say that it is one: Bubble Tea asks for a frame after each message.
type frames struct {
	every time.Duration // the least time between two; 0: a frame for each message
	last  time.Time     // when the last key came
	shown string        // the frame that stands until the next is due; "" where each message has one
}

// paceFrames has a frame stand where the last key came just before.
func (a *App) paceFrames(msg tea.Msg) tea.Cmd {
	f := &a.frames
	switch msg.(type) {
	case frameDue, tea.WindowSizeMsg:
		f.shown = ""
		return nil
	case tea.KeyPressMsg:
	default:
		return nil
	}
	before := f.last
	f.last = a.clock()
	if f.shown != "" || f.last.Sub(before) >= f.every {
		return nil
	}
	f.shown = a.frame()
	return tea.Tick(f.every, func(time.Time) tea.Msg { return frameDue{} })
}

// frame is the whole screen, all lines of the terminal with all their cells.
func (a *App) frame() string {
	w, h := a.width, a.height
	if w <= 0 || h <= 0 {
		return ""
	}
	lines := padded(a.draw(), h)[:h]
	for i := range lines {
		lines[i] = a.theme.fit(lines[i], w)
	}
	return strings.Join(lines, "\n")
}

// padded adds empty lines up to n, so that what follows stands below.
func padded(lines []string, n int) []string {
	for len(lines) < n {
		lines = append(lines, "")
	}
	return lines
}

// smallWidth and smallHeight are below which a screen has no room for anything but the layers.
const smallWidth, smallHeight = 30, 8

// tiny reports whether the terminal is smaller.
func (e *env) tiny() bool { return e.width < smallWidth || e.height < smallHeight }

// hasHeader reports whether there is room for the first line.
func (a *App) hasHeader() bool { return a.height >= 6 }

// room is what the open screen has: between header and footer, but for the help and a tiny main screen.
func (a *App) room() (w, h int) {
	switch {
	case a.open == helpID || a.open == mainID && a.tiny():
		return a.width, a.height
	case a.hasHeader():
		return a.width, a.height - 2
	}
	return a.width, a.height - 1
}

// draw is the lines of the screen, with what is over it.
func (a *App) draw() []string {
	if a.snap == nil {
		return a.loading()
	}
	lines := a.screens[a.open].View()
	switch {
	case a.open == helpID:
		return lines
	case a.open == mainID && a.tiny():
		if a.line != nil || a.dialog != nil || a.notice.text != "" {
			lines = append([]string{a.footer()}, lines...)
		}
		return lines
	}
	_, h := a.room()
	lines = append(padded(lines, h)[:max(0, h)], a.footer())
	if a.hasHeader() {
		lines = append([]string{a.header(a.width)}, lines...)
	}
	if a.tiny() {
		return lines
	}
	switch {
	case a.dialog != nil:
		a.overlay(lines, a.dialog.View(a.width))
	case a.line != nil:
		a.overlay(lines, a.line.Box(a.width))
	}
	return lines
}

// loading is the screen before the session is there.
func (a *App) loading() []string {
	dots := strings.Repeat(".", 1+a.ticks%3)
	return []string{
		a.theme.fit(a.theme.title.Render("dns-tui")+"  "+a.theme.text(a.opts.Name), a.width),
		"",
		"  loading the net and its weights" + dots,
		"",
		a.theme.dim.Render("  q ends it"),
	}
}

// overlay puts a box in the middle of the screen.
func (a *App) overlay(lines, box []string) {
	top := max(0, (a.height-len(box))/2)
	for i, l := range box {
		if top+i < len(lines) {
			lines[top+i] = a.theme.fit(l, a.width)
		}
	}
}

// firstLines are at most so many of some lines.
func firstLines(lines []string, n int) []string { return lines[:max(0, min(n, len(lines)))] }
