package tui

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/model/session"
)

// Runs are chosen from the journals beside this one's; what cannot be read is said, and not drawn.
func TestCompareWithOthers(t *testing.T) {
	for _, c := range []struct {
		keys  []string
		names string
		says  string
	}{
		{[]string{"space"}, "lenet_slow", ""},
		{[]string{"enter"}, "lenet_slow", ""},
		{[]string{"space", "down", "space"}, "lenet_slow lenet_seed2", ""},
		{[]string{"space", "down", "space", "up", "space"}, "lenet_seed2", ""},
		{[]string{"space", "space"}, "", ""},
		{[]string{"down", "down", "space"}, "", "d/broken.journal:1: is not a journal entry"},
		{[]string{"end", "space"}, "", "d/empty.journal: it does not tell how the run did"},
		{[]string{"end", "home", "space"}, "lenet_slow", ""},
	} {
		a, _ := open(t, scene(), look{})
		press(a, "v", "c")
		press(a, c.keys...)
		var names []string
		for _, o := range a.compare {
			names = append(names, o.Name)
		}
		if got := strings.Join(names, " "); got != c.names || !strings.Contains(a.notice.text, c.says) {
			t.Errorf("%v: %q are compared, wanted %q; it says %q", c.keys, got, c.names, a.notice.text)
		}
		press(a, "esc")
		text := ansi.Strip(frame(a, 120, 40))
		for i, name := range strings.Fields(c.names) {
			if want := letter(i) + " " + name; !strings.Contains(text, want) {
				t.Errorf("the legend has no %q:\n%s", want, text)
			}
		}
	}
}

// A folder that cannot be read is said in the dialog; so is one without another journal.
func TestCompareWithNone(t *testing.T) {
	for _, c := range []struct {
		journals Journals
		want     string
	}{
		{Journals{Beside: func(string) ([]string, error) { return nil, errors.New("d: permission denied") }},
			"d: permission denied"},
		{Journals{Beside: func(string) ([]string, error) { return nil, nil }}, "no other journal"},
	} {
		a, _ := openWith(t, scene(), look{}, Options{Journals: c.journals})
		press(a, "v", "c", "space", "down", "space")
		if text := ansi.Strip(frame(a, 120, 40)); !strings.Contains(text, c.want) {
			t.Errorf("no %q in\n%s", c.want, text)
		}
	}
}

// A run of the command line that lies elsewhere can be dropped too, and a list that is long scrolls.
func TestCompareManyJournals(t *testing.T) {
	var paths []string
	for i := range 60 {
		paths = append(paths, fmt.Sprintf("d/run%02d.journal", i))
	}
	a, _ := openWith(t, scene(), look{}, Options{
		Journals: Journals{Beside: func(string) ([]string, error) { return paths, nil }, Read: otherRuns().Read},
		Compare:  []Compared{{"far", &session.History{}, "e/far.journal"}},
	})
	press(a, "v", "c", "end")
	if text := ansi.Strip(frame(a, 80, 24)); !strings.Contains(text, "[x] far") || !strings.Contains(text, "61 of 61") {
		t.Errorf("the last is not shown:\n%s", text)
	}
	press(a, "space")
	if len(a.compare) != 0 {
		t.Errorf("%d are compared", len(a.compare))
	}
	press(a, "home", "pgdown", "space")
	if len(a.compare) != 1 {
		t.Errorf("%d are compared", len(a.compare))
	}
}

// Opening, reading and leaving do not wait: what is read after the dialog has closed is drawn all the same.
func TestCompareInBackground(t *testing.T) {
	a, _ := open(t, scene(), look{})
	press(a, "v", "c")
	cmd := a.readJournal("d/lenet_slow.journal")
	press(a, "esc")
	a.Update(cmd())
	if len(a.compare) != 1 || a.dialog != nil {
		t.Errorf("%d are compared, dialog %v", len(a.compare), a.dialog)
	}
}
