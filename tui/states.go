package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"dns-tui/model/session"
)

// statesScreen lists the plans and, newest first, the states that the run can go back to.
func (a *App) statesScreen(w, h int) []string {
	t := &a.theme
	plans, states := a.snap.Plans, a.snap.States
	a.item = max(0, min(a.item, len(plans)+len(states)-1))
	line := func(i int, text string) string {
		if i == a.item {
			return t.marked.Render(t.plain(t.glyph.cursor + " " + text))
		}
		return t.plain("  " + text)
	}
	lines := []string{t.dim.Render(" Plans")}
	for i, p := range plans {
		text := t.text(fmt.Sprintf("%d  %s", p.ID, p))
		if p.Begun {
			text += "  (under way)"
		}
		lines = append(lines, line(i, text))
	}
	if len(plans) == 0 {
		lines = append(lines, t.dim.Render("  none; `:lr 0.001 at 20000` makes one"))
	}
	lines = append(lines, "", t.dim.Render(" States to go back to"))
	if len(states) == 0 {
		lines = append(lines, t.dim.Render("  none yet: snapshots, and one before each risky change"))
	}
	for i := range states {
		s := states[len(states)-1-i]
		text := t.fitRight(Thousands(s.Iter), 9)
		if s.Total > 0 { // else the run did not write it, or not while its journal was there
			text += "  loss " + number(s.Smoothed)
		}
		if s.Accuracy >= 0 {
			text += fmt.Sprintf("  accuracy %.2f %%", 100*s.Accuracy)
		}
		if s.Total > 0 {
			text += fmt.Sprintf("  kept %s", percent(share(s.Kept, s.Total)))
		}
		if s.Left {
			text += "  left behind"
		}
		lines = append(lines, line(len(plans)+i, text+"  "+t.text(base(s.Path)+"  "+s.Why)))
	}
	rows := h - 2
	at := a.item + 1
	if a.item >= len(plans) {
		at += 2 + max(0, 1-len(plans))
	}
	top := max(0, min(at-rows/2, len(lines)-rows))
	return t.box("Plans and states", lines[top:], w, h)
}

func (a *App) moveState(by int) { a.item = max(0, a.item+by) }

// goBack goes back to the chosen state.
func (a *App) goBack() tea.Cmd {
	i := a.item - len(a.snap.Plans)
	if i < 0 || i >= len(a.snap.States) {
		a.say("choose a state to go back to; D drops a plan")
		return nil
	}
	return a.askBack(a.snap.States[len(a.snap.States)-1-i].Path, "")
}

func (a *App) dropPlan() tea.Cmd {
	if a.item >= len(a.snap.Plans) {
		a.say("choose a plan to drop")
		return nil
	}
	return a.do(session.Command{Kind: session.Cancel, Count: a.snap.Plans[a.item].ID})
}
