package tui

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever keys a list gets and however its room changes, it selects an entry that is there, shows that one, and
// leaves no room empty while there is more to show.
func TestList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l list
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			l.move(rapid.IntRange(-30, 30).Draw(t, "by"))
			count, room := rapid.IntRange(0, 50).Draw(t, "entries"), rapid.IntRange(1, 20).Draw(t, "room")
			l.fit(count, room)
			from, to := l.window(count, room)
			switch {
			case from < 0 || to > count || from > to:
				t.Fatalf("%d entries: shows %d to %d", count, from, to)
			case to-from != min(count, room):
				t.Fatalf("%d entries in %d lines: shows %d to %d", count, room, from, to)
			case count > 0 && (l.chosen < from || l.chosen >= to):
				t.Fatalf("selects %d, shows %d to %d", l.chosen, from, to)
			case count == 0 && l.chosen != 0:
				t.Fatalf("selects %d of none", l.chosen)
			}
		}
	})
}

// A text scrolls from its first line to as far as it reaches, and back.
func TestListScrolls(t *testing.T) {
	var l list
	for _, c := range []struct{ last, by, top int }{
		{9, 3, 3}, {9, 10, 9}, {9, 1, 9}, {9, -10, 0}, {9, -1, 0}, {9, 7, 7}, {5, 0, 5}, {-3, 0, 0}, {9, 0, 0},
	} {
		l.reach(c.last)
		l.scroll(c.by)
		if l.top != c.top {
			t.Errorf("as far as %d, by %d: line %d, wanted %d", c.last, c.by, l.top, c.top)
		}
	}
}
