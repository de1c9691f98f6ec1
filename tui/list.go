package tui

import "fmt"

// list is a window onto more lines than there is room for. Every screen that scrolls has one, and what it selects and
// shows is clamped here alone.
type list struct {
	count  int // entries that can be selected
	chosen int // the selected one
	top    int // first line shown
	last   int // greatest top
}

// clamp is the number from 0 to last that is nearest to i; 0 where last is negative.
func clamp(i, last int) int { return max(0, min(i, last)) }

// fit says how many entries there are, a line each, and how many lines have room. The selected one stands in the middle
// as far as there are others around it.
func (l *list) fit(count, room int) {
	l.count = count
	l.move(0)
	l.centre(l.chosen, count, room)
}

// centre shows a line in the middle of the room.
func (l *list) centre(line, lines, room int) {
	l.top = 0
	l.reach(lines - room)
	l.scroll(line - room/2)
}

// reach says how far there is to scroll.
func (l *list) reach(last int) {
	l.last = max(0, last)
	l.scroll(0)
}

// move selects an entry that is so many further.
func (l *list) move(by int) { l.chosen = clamp(l.chosen+by, l.count-1) }

// scroll shows what is so many lines further.
func (l *list) scroll(by int) { l.top = clamp(l.top+by, l.last) }

// reset goes back to the beginning.
func (l *list) reset() { l.chosen, l.top = 0, 0 }

// window is the part of so many lines that is shown in a room: from the first line to before the last.
func (l *list) window(lines, room int) (from, to int) {
	from = min(l.top, lines)
	return from, min(from+max(0, room), lines)
}

// jump is a long way in a list.
type jump int

const (
	pageUp jump = iota
	pageDown
	toFirst
	toLast
)

// jumps are the jumps by the names of their keys, for dialogs and lines, which no preference binds.
var jumps = map[string]jump{"pgup": pageUp, "pgdown": pageDown, "home": toFirst, "end": toLast}

// by is how far a jump goes, where so much is a page.
func (j jump) by(page int) int {
	const far = 1 << 30
	return [...]int{-max(1, page), max(1, page), -far, far}[j]
}

// titled is a title with the place in a list.
func titled(title, place string) string {
	if place == "" {
		return title
	}
	return title + "  " + place
}

// readTo is the place in a text that scrolls: the last of its lines that is shown.
func readTo(line, lines int, scrolls bool) string {
	if !scrolls {
		return ""
	}
	return fmt.Sprintf("%d of %d", line, lines)
}

// position says which of the entries is selected, where not all have room: "12 of 54".
func (l *list) position(room int) string {
	return readTo(l.chosen+1, l.count, l.count > max(0, room))
}
