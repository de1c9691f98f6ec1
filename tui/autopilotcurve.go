package tui

import (
	"charm.land/lipgloss/v2"

	"dns-tui/human"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// schedule draws what is to come beside what was kept so far, in a logarithmic scale.
func (s *autopilotScreen) schedule(w, h int) []string {
	t, o := &s.theme, &s.outlook
	d := plotted{unit: percentUnit, span: 0.5, fraction: true, nothing: "no values yet"}
	title, words := "Schedule", "the curve to come is drawn here once there is a target"
	win := steady(extent(&s.snap.KeptFraction))
	if o.descent != nil {
		plan := s.plan()
		end := plan.End + plan.Anneal
		win = window{from: min(win.from, plan.Begin), to: max(end, s.snap.Iter, plan.End+1)}
		if title += "  entries kept"; o.descent.Budget.Cost != autopilot.CountCost {
			title += " so far, " + costWords(o.descent.Budget.Cost) + " to come"
		}
		words = scheduleWords(&plan)
		d.curves = append(d.curves, curve{name: "to come", series: s.toCome(plan, win.to), style: t.warn, char: "."})
		d.ruler = func(win window) ruler { return s.scheduleRuler(win, plan) }
	}
	d.curves = append(d.curves, curve{name: "kept so far", series: s.snap.KeptFraction, style: t.accent, char: "*"})
	rows := h - 2
	if rows >= 7 {
		rows--
	}
	lines := padded(s.plotter.draw(d, win, area{w - 2, rows, true, true, -1}), rows)
	if rows < h-2 {
		lines = append(lines, " "+t.dim.Render(t.plain(words)))
	}
	return t.box(t.plain(title), lines, w, h)
}

// plan is the schedule to come: where the descent is paused, as it would be if it went on now.
func (s *autopilotScreen) plan() autopilot.Schedule {
	plan := s.outlook.descent.Schedule
	if a := s.snap.Autopilot; a != nil && a.Held >= 0 && !s.outlook.asked && !a.Done {
		begin := plan.Begin
		plan = plan.Delayed(max(0, s.snap.Iter-max(a.Held, begin)))
		plan.Anneal = max(0, min(plan.Anneal, s.snap.MaxIter-plan.End))
	}
	return plan
}

// toCome is the curve of a schedule from now on, as a part of all: of the entries, where it counts them, beside those
// that are left out; else of what the layers cost dense.
func (s *autopilotScreen) toCome(plan autopilot.Schedule, last int) session.Series {
	const points = 400
	cost := s.outlook.descent.Budget.Cost
	layers := s.outlook.whole()
	dense, out := cost.Dense(layers), 0.0
	if cost == autopilot.CountCost {
		dense = 0
		for i := range layers {
			l := &layers[i]
			dense += float64(l.Total)
			if l.Excluded {
				out += float64(l.Kept)
			}
		}
	}
	first := max(s.snap.Iter, plan.Begin)
	var c session.Series
	if first > last || dense <= 0 {
		return c
	}
	n := max(2, min(points, last-first+1))
	for i, b := range plan.Curve(nil, first, last, n) {
		c.Add(first+(last-first)*i/(n-1), (b+out)/dense)
	}
	return c
}

func costWords(c autopilot.Cost) string {
	if c == autopilot.ByteCost {
		return "bytes"
	}
	return "multiply-accumulates"
}

// scheduleRuler has a tick where the descent begins and ends, where the anneal ends, and now, with the iterations below
// as far as they have room.
func (s *autopilotScreen) scheduleRuler(win window, plan autopilot.Schedule) ruler {
	t := &s.theme
	r := t.ruler(win.cols)
	marked := map[int]bool{}
	put := func(iter int, glyph string, style lipgloss.Style) {
		col := win.column(iter)
		if col < 0 || marked[col] {
			return
		}
		marked[col] = true
		r.mark(col, glyph, style)
		r.label(col, human.Count(iter))
	}
	put(s.snap.Iter, t.glyph.handle, t.marked)
	put(plan.End, t.glyph.tick, t.title)
	put(s.outlook.descent.Schedule.Begin, t.glyph.tick, t.title)
	put(plan.End+plan.Anneal, t.glyph.tick, t.title)
	return r
}
