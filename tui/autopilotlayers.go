package tui

import (
	"fmt"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/human"
	"dns-tui/model/autopilot"
)

// layerRows is how many layers a table of a height shows, beside frame, head and sum.
func layerRows(h int) int { return max(1, h-4) }

// layerColumns are the widths of the table's columns; 0 leaves one out.
type layerColumns struct{ name, count, atTarget, total, part, bar, bound int }

// layers draws what each layer keeps now and at the target, and what holds it there.
func (s *autopilotScreen) layers(w, h int) []string {
	t, o := &s.theme, &s.outlook
	c := s.layerColumns(w - 2)
	title := "Layers"
	if o.asked {
		title = "Layers, as asked"
	}
	if o.atTarget == nil {
		title += ", as they are"
	}
	now := o.now()
	atTarget, total := 0, now.total
	if o.atTarget != nil {
		then := o.then()
		atTarget, total = then.kept, then.total
	}
	title = titled(title, s.table.position(layerRows(h)))
	lines := []string{t.dim.Render(c.row(t, "", "layer", "entries", "now", "target", "", t.fit("of all", c.bar+2), ""))}
	from, to := s.table.window(len(s.sel.visible), layerRows(h))
	for _, i := range s.sel.visible[from:to] {
		if i < len(o.layers) {
			lines = append(lines, s.layerRow(c, i, now.kept, atTarget))
		}
	}
	then, part := "-", ""
	if o.atTarget != nil {
		then, part = human.Count(atTarget), percent(fraction(atTarget, total))
	}
	sum := timesSmaller(now.kept, now.total)
	if o.atTarget != nil {
		sum = fmt.Sprintf("%.4g → %s", autopilot.TimesSmaller(now.kept, now.total), timesSmaller(atTarget, total))
	}
	all := c.row(t, "", "all", human.Count(total), human.Count(now.kept), then, part, "", "")
	used := ansi.StringWidth(c.row(t, "", "", "", "", "", "", "", "")) - c.barRoom() - c.bound
	if used+ansi.StringWidth(sum) < w-2 {
		all = ansi.Truncate(all, used, "") + " " + t.plain(sum)
	}
	lines = append(padded(lines, h-3), all)
	return t.box(title, lines, w, h)
}

// layerColumns finds which columns have room.
func (s *autopilotScreen) layerColumns(inner int) layerColumns {
	total := 0
	for _, n := range s.outlook.totals {
		total += n
	}
	c := layerColumns{name: 8, count: max(8, len(human.Count(total))+1), bound: 9}
	for _, i := range s.sel.visible {
		c.name = max(c.name, min(ansi.StringWidth(s.theme.text(s.snap.Layers[i].Name))+1, inner/4))
		if i < len(s.outlook.layers) {
			c.bound = max(c.bound, min(len(s.outlook.bound(i))+1, inner/4))
		}
	}
	rest := inner - 2 - c.name - c.count - c.bound
	if c.atTarget = c.count; rest < c.atTarget {
		c.atTarget = 0
	}
	rest -= c.atTarget
	if rest >= c.count {
		c.total = c.count
		rest -= c.total
	}
	if rest >= 9 {
		c.part = 9
		rest -= c.part
	}
	if rest >= 8 {
		c.bar = min(rest-4, 24)
	}
	return c
}

// barRoom is the room of the bars with what stands around them.
func (c *layerColumns) barRoom() int {
	if c.bar == 0 {
		return 0
	}
	return c.bar + 4
}

func (c *layerColumns) row(t *theme, cursor, name, total, now, target, part, bar, bound string) string {
	line := t.fit(cursor, 2) + t.fit(name, c.name) + t.fitRight(total, c.total) + t.fitRight(now, c.count) +
		t.fitRight(target, c.atTarget) + t.fitRight(part, c.part)
	if c.bar > 0 {
		line += " " + t.fit(bar, c.bar+2) + " "
	}
	return line + " " + t.fit(bound, c.bound-1)
}

// layerRow is a layer: its bar is how much of all that is kept at the target is its own, the mark what is so now.
func (s *autopilotScreen) layerRow(c layerColumns, i, kept, atTarget int) string {
	t, o := &s.theme, &s.outlook
	l := &o.layers[i]
	cursor, name := " ", t.text(l.Name)
	if i == s.sel.index {
		cursor = t.glyph.cursor
		if s.onLayers {
			cursor, name = t.marked.Render(cursor), t.marked.Render(t.fit(name, c.name))
		} else {
			cursor = t.dim.Render(cursor)
		}
	}
	then, part, bar := "-", "", ""
	own, share := fraction(l.Kept, kept), fraction(l.Kept, kept)
	if o.atTarget != nil && !l.Excluded {
		n := o.atTarget[i].Kept
		then, part, share = human.Count(n), percent(fraction(n, o.totals[i])), fraction(n, atTarget)
	}
	if !l.Excluded {
		bar = t.glyph.barStart + t.bar(share, c.bar, own) + t.glyph.barEnd
	}
	bound := t.text(o.bound(i))
	if o.starves(i) {
		bound = t.warn.Render(bound + "!")
	} else {
		bound = t.dim.Render(bound)
	}
	return c.row(t, cursor, name, human.Count(o.totals[i]), human.Count(l.Kept), then, part, bar, bound)
}
