package tui

import (
	"fmt"
	"slices"
	"sort"

	tea "charm.land/bubbletea/v2"

	"dns-tui/human"
	"dns-tui/model/session"
)

// restorePoints lists the plans and, newest first, the restore points of the run.
type restorePoints struct {
	*env
	keys  *restoreKeys
	list  list
	lines int // of plans, restore points and their headings
	w, h  int
}

// restoreKeys are the keys of plans and restore points.
type restoreKeys struct {
	Up, Down, GoBack, Cancel binding
}

func defaultRestoreKeys() restoreKeys {
	return restoreKeys{
		Up:     act("state-up", "up", "up", "k"),
		Down:   act("state-down", "down", "down", "j"),
		GoBack: act("go-back", "go back to this restore point, and pause", "enter").footer("go back").steer(),
		Cancel: act("cancel-plan", "cancel this plan", "delete", "D").footer("cancel plan").steer(),
	}
}

// Update implements screen.
func (r *restorePoints) Update(msg tea.Msg) intent {
	switch msg := msg.(type) {
	case openedScreen:
		r.list.reset()
	case travel:
		r.list.move(msg.by(r.h - 2))
	case action:
		switch msg.binding {
		case &r.keys.Up:
			r.list.move(-1)
		case &r.keys.Down:
			r.list.move(1)
		case &r.keys.GoBack:
			return r.goBack()
		case &r.keys.Cancel:
			return r.cancel()
		}
	}
	return nil
}

// goBack asks for the way back to the selected restore point.
func (r *restorePoints) goBack() intent {
	points := r.points()
	i := r.list.chosen - len(r.snap.Plans)
	if i < 0 || i >= len(points) {
		return refuse("choose a restore point to go back to" + r.naming("; %s cancels a plan", &r.keys.Cancel))
	}
	return askBack(r.env, points[i].Path, "")
}

// cancel gives the selected plan up.
func (r *restorePoints) cancel() intent {
	if r.list.chosen >= len(r.snap.Plans) {
		return refuse("choose a plan to cancel")
	}
	return send{session.Command{Kind: session.Cancel, Count: r.snap.Plans[r.list.chosen].ID}}
}

// points are the restore points, newest first.
func (r *restorePoints) points() []session.RestorePoint {
	points := slices.Clone(r.snap.RestorePoints)
	slices.Reverse(points)
	return points
}

// Arrange implements screen.
func (r *restorePoints) Arrange(w, h int) {
	r.w, r.h = w, h
	plans, points := len(r.snap.Plans), len(r.snap.RestorePoints)
	r.list.fit(plans+points, h-2)
	// A heading, the plans or a line that says there are none, an empty line, and the same of the restore points.
	r.lines = 1 + max(1, plans) + 2 + max(1, points)
	line := 1 + r.list.chosen
	if r.list.chosen >= plans {
		line += 2 + max(0, 1-plans)
	}
	r.list.centre(line, r.lines, h-2)
}

// View implements screen.
func (r *restorePoints) View() []string {
	t := &r.theme
	entry := func(i int, text string) string {
		if i == r.list.chosen {
			return t.marked.Render(t.plain(t.glyph.cursor + " " + text))
		}
		return t.plain("  " + text)
	}
	plans, points := r.snap.Plans, r.points()
	lines := []string{t.dim.Render(" Plans")}
	for i, p := range plans {
		text := t.text(fmt.Sprintf("%d  %s", p.ID, p))
		if p.Begun {
			text += "  (under way)"
		}
		lines = append(lines, entry(i, text))
	}
	if len(plans) == 0 {
		way := r.naming("; `%slr 0.001 at 20000` makes one", &r.allKeys.App.Command)
		lines = append(lines, t.dim.Render("  none"+way))
	}
	lines = append(lines, "", t.dim.Render(" Restore points"))
	if len(points) == 0 {
		lines = append(lines, t.dim.Render("  none yet: snapshots, and one before each risky change"))
	}
	for i, p := range points {
		lines = append(lines, entry(len(plans)+i, r.describe(p)))
	}
	from, to := r.list.window(r.lines, r.lines)
	room := r.h - 2 - (r.lines - r.list.count) // beside the headings
	return t.box(titled("Plans and restore points", r.list.position(room)), lines[from:to], r.w, r.h)
}

// describe is a restore point in a line.
func (r *restorePoints) describe(p session.RestorePoint) string {
	t := &r.theme
	text := t.fitRight(human.Count(p.Iter), 9)
	if p.Total > 0 && p.Smoothed > 0 { // else it has no loss yet, or the run's journal did not tell of it
		text += "  loss " + number(p.Smoothed)
	}
	if p.Accuracy >= 0 {
		text += fmt.Sprintf("  accuracy %.2f %%", 100*p.Accuracy) + r.testedAt(p)
	}
	if p.Total > 0 {
		text += "  kept " + percent(fraction(p.Kept, p.Total))
	}
	if p.Left {
		text += "  left behind"
	}
	return text + "  " + t.text(base(p.Path)+"  "+p.Why)
}

// testedAt says at which iteration the accuracy of a restore point was measured, where that is another than its own:
// it is that of the last test before.
func (r *restorePoints) testedAt(p session.RestorePoint) string {
	iters := r.snap.Accuracy.Iters
	i := sort.SearchInts(iters, p.Iter+1) - 1
	switch {
	case i >= 0 && iters[i] == p.Iter:
		return ""
	case i >= 0:
		return " at " + human.Count(iters[i])
	}
	return " before"
}
