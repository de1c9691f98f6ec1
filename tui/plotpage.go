package tui

import (
	"fmt"
	"strings"

	"dns-tui/human"
)

// The least room of a plot on a page of several.
const (
	pageWidth  = 30
	pageHeight = 8
)

// page draws several plots beside each other and above each other, of the same iterations, as many as have room. A
// cursor reads all of them.
func (p *plots) page() []string {
	kinds := p.kinds()
	across := min(2, max(1, p.w/pageWidth))
	down := min((len(kinds)+across-1)/across, max(1, p.h/pageHeight))
	var lines []string
	for row := range down {
		h := p.h*(row+1)/down - p.h*row/down
		line := make([]string, h)
		for col := range across {
			i := row*across + col
			w := p.w*(col+1)/across - p.w*col/across
			left := 0
			if i == across*down-1 {
				left = len(kinds) - across*down
			}
			for k, text := range p.small(kinds[i], w, h, left) {
				line[k] += text
			}
		}
		lines = append(lines, line...)
	}
	return lines
}

// small draws one plot of a page, and says how many have no room after it.
func (p *plots) small(k plotKind, w, h, left int) []string {
	d := p.plotter.gather(k)
	win := p.window()
	title := d.title + "  " + d.note
	if p.cursor >= 0 {
		title = d.title + "  at " + human.Count(p.cursor) + ":"
		step := max(1, (win.to-win.from)/max(1, w-2-axisRoom))
		for i := range d.curves {
			d.curves[i].name = "" // the title has it
			title += " " + strings.TrimSpace(d.curves[i].reading(p.cursor, step, d.reads()))
		}
	}
	if left > 0 {
		title += fmt.Sprintf("  (no room for %d more)", left)
	}
	a := area{w - 2, h - 2, p.logScale, p.to == 0, p.cursor}
	return p.theme.box(strings.TrimRight(title, " "), p.plotter.draw(d, win, a), w, h)
}
