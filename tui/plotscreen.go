package tui

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"dns-tui/model/session"
)

// plotScreen is one plot, large, with a cursor that reads values.
func (a *App) plotScreen(w, h int) []string {
	k := plotKinds[a.plot.index]
	p := a.gather(k)
	win := a.plotWindow()
	title := fmt.Sprintf("%s  %s", p.title, p.note)
	if a.plot.log {
		title += "  log"
	}
	if a.plot.to == 0 {
		title += "  whole run"
	}
	info := 2
	if h < 9 {
		info = 0
	}
	lines := filled(a.draw(p, win, w-2, h-2-info, a.plot.log, a.plot.to == 0, a.plot.cursor), h-2-info)
	if info > 0 {
		lines = append(lines, a.reading(p, win)...)
	}
	return a.theme.box(title, lines, w, h)
}

// plotWindow is what the plot screen shows.
func (a *App) plotWindow() window {
	from, to := extent(a.gather(plotKinds[a.plot.index]).curves)
	win := steady(from, to)
	if a.plot.to > 0 {
		win = window{from: a.plot.from, to: a.plot.to}
	}
	win.cols = max(4, a.width-2-axisRoom)
	return win
}

// reading says the values at the cursor and the change nearest to it; without a cursor, which line is which.
func (a *App) reading(p plotted, win window) []string {
	t := &a.theme
	at := a.plot.cursor
	if at < 0 {
		var names []string
		for i, c := range p.curves {
			name := c.style.Render(c.name)
			if t.ascii || t.mono && i < len(p.curves)-1 {
				name = c.char + " " + c.name
			}
			names = append(names, name)
		}
		return []string{" " + strings.Join(names, "   "), t.dim.Render(t.plain(" ←→ reads values; ▲ marks changes"))}
	}
	text := " at " + Thousands(at) + ":"
	step := max(1, (win.to-win.from)/max(1, win.cols))
	for _, c := range p.curves {
		if near := nearest(c.series.Iters, at); near >= 0 &&
			(at-c.series.Iters[near] > step || c.series.Iters[near]-at > step) {
			// The line between two tests was not measured.
			text += fmt.Sprintf("  %s %s at %s", c.name, number(c.series.Values[near]), Thousands(c.series.Iters[near]))
			continue
		}
		v := window{at - step, at + step, 3}.sample(&c.series, 3)[1]
		if !math.IsNaN(v) {
			text += "  " + c.name + " " + number(v)
		}
	}
	var near *session.Change
	for i := range a.snap.Changes {
		c := &a.snap.Changes[i]
		if near == nil || math.Abs(float64(c.Iter-at)) <= math.Abs(float64(near.Iter-at)) {
			near = c
		}
	}
	change := " no change so far"
	if near != nil {
		change = fmt.Sprintf(" nearest change, at %s: %s", Thousands(near.Iter), near.Text())
	}
	return []string{t.marked.Render(text), t.text(change)}
}

// nearest is the index of the iteration nearest to one; -1 of none.
func nearest(iters []int, at int) int {
	i := sort.SearchInts(iters, at)
	if i == len(iters) || i > 0 && at-iters[i-1] <= iters[i]-at {
		i--
	}
	return i
}

func (a *App) turnPlot(by int) {
	n := len(plotKinds)
	a.plot.index = (a.plot.index + by + n) % n
}

// moveCursor moves the reading by a column.
func (a *App) moveCursor(by int) {
	w := a.plotWindow()
	if a.plot.cursor < 0 {
		_, last := extent(a.gather(plotKinds[a.plot.index]).curves)
		a.plot.cursor = min(w.to, last)
		return
	}
	a.plot.cursor = w.iter(max(0, min(w.cols-1, max(0, w.column(a.plot.cursor))+by)))
}

// pan shows what is earlier, or later, by a quarter.
func (a *App) pan(by int) {
	w := a.plotWindow()
	from, to := extent(a.gather(plotKinds[a.plot.index]).curves)
	d := by * max(1, (w.to-w.from)/4)
	d = max(from-w.from, min(d, to-w.to))
	a.plot.from, a.plot.to = w.from+d, w.to+d
}

// zoom halves what is shown, or doubles it; what is under the cursor stays where it is.
func (a *App) zoom(by int) {
	w := a.plotWindow()
	from, to := extent(a.gather(plotKinds[a.plot.index]).curves)
	mid := (w.from + w.to) / 2
	if a.plot.cursor >= w.from && a.plot.cursor <= w.to {
		mid = a.plot.cursor
	}
	span := max(4, (w.to-w.from)/2)
	if by < 0 {
		span = 2 * (w.to - w.from)
	}
	if span >= to-from {
		a.plot.from, a.plot.to = 0, 0
		return
	}
	first := mid - int(float64(mid-w.from)/float64(max(1, w.to-w.from))*float64(span))
	first = max(from, min(first, to-span))
	a.plot.from, a.plot.to = first, first+span
}
