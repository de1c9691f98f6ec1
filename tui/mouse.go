package tui

import (
	tea "charm.land/bubbletea/v2"
)

// rowOf says on which line of the screen a layer stands.
type rowOf struct{ line, layer int }

// geometry is where the last frame of the main screen had what a mouse can touch. Drawing writes it.
type geometry struct {
	rows     []rowOf
	top      int    // line of the table
	right    int    // end of its column
	slider   [2]int // first cell inside the editor's frame, and how many
	sliderAt int    // line; 0 is none
}

// mouse selects layers by clicks and the wheel, and moves the slider's handle.
func (a *App) mouse(m tea.MouseMsg) tea.Cmd {
	e := m.Mouse()
	if a.mode != browsing || a.snap == nil || a.still != "" {
		if a.mode == reading || a.mode == helping {
			switch e.Button {
			case tea.MouseWheelUp:
				a.scrollText(-3)
			case tea.MouseWheelDown:
				a.scrollText(3)
			}
		}
		return nil
	}
	switch e.Button {
	case tea.MouseWheelUp:
		return a.move(-1)
	case tea.MouseWheelDown:
		return a.move(1)
	case tea.MouseLeft:
		if _, ok := m.(tea.MouseReleaseMsg); ok {
			return nil
		}
		g := &a.layout
		for _, r := range g.rows {
			if e.Y == g.top+r.line && e.X < g.right {
				a.selected = r.layer
				return nil
			}
		}
		if l := a.layer(); l != nil && g.sliderAt > 0 && e.Y == g.sliderAt && !a.opts.ReadOnly {
			cell := e.X - 2 - g.slider[0]
			if cell >= 0 && cell < g.slider[1] {
				lo, hi := a.scale(l)
				a.choose(l, lo+float64(cell)/float64(max(1, g.slider[1]-1))*(hi-lo))
			}
		}
	}
	return nil
}
