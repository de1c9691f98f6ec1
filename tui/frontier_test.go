package tui

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/model/session"
)

// total is how many entries the net of the searches has.
const total = 431080

// branch is one of a search's, of so many kept entries.
func branch(kept int, accuracy float64, inside bool) session.SearchBranch {
	return session.SearchBranch{
		Asked: kept, Kept: kept, Total: total, From: 400, Iters: 300, Accuracy: accuracy, Inside: inside,
		Path: fmt.Sprintf("d/lenet_iter_%d.solverstate", 20000-kept%9999),
	}
}

// beginning is a run of which a search has not done anything yet.
func beginning(s *session.Snapshot) {
	s.Search = &session.Search{Phase: "beginning", Budget: 0.002, Images: 6000, Running: true}
}

// searchDescends is a run that a search takes down, beside its first branch.
func searchDescends(s *session.Snapshot) {
	beginning(s)
	descending(s)
	s.Search.Phase, s.Search.Dense = "descending to 500x", 0.9908
	s.Search.Branches = []session.SearchBranch{branch(total, 0.9908, true)}
	for _, kept := range []int{total, 96392, 60120, 40001} {
		s.Search.Points = append(s.Search.Points, session.SearchPoint{Kept: kept, Total: total, Iter: total / kept})
	}
}

// searching is a run that a search bisects.
func searching(s *session.Snapshot) {
	searchDescends(s)
	now := s.Search
	now.Descended, now.Phase = true, "branch 6: 1,389 kept, from iteration 11,900"
	now.Branches = append(now.Branches, branch(9650, 0.9905, true), branch(862, 0.9721, false),
		branch(2400, 0.9893, true), branch(1100, 0.9879, false))
	now.Points = append(now.Points, session.SearchPoint{Kept: 862, Total: total, Iter: 15000})
	now.Trying = &session.SearchTry{
		Asked: 1389, Total: total, From: 11900, Freezes: 12000, Ends: 13000, IfWithin: 1236, IfOutside: 1825,
	}
	s.Autopilot = nil
}

// searchDone is one whose search is over.
func searchDone(s *session.Snapshot) {
	searching(s)
	now := s.Search
	best := branch(1389, 0.9889, true)
	now.Branches = append(now.Branches, best)
	now.Running, now.Trying, now.Done, now.Phase = false, nil, true, "done: "+now.Describe(&best)
	s.State = session.Paused
}

// searchTaken is one of which a branch was taken.
func searchTaken(s *session.Snapshot) {
	searching(s)
	s.Search.Running, s.Search.Trying, s.Search.Taken = false, nil, branch(9650, 0, true).Path
}

// searchCutOff is one that another run was at, until it was killed.
func searchCutOff(s *session.Snapshot) {
	searching(s)
	s.Search.Running, s.Search.Trying = false, nil
}

// searchFailed is one that has ended over an error.
func searchFailed(s *session.Snapshot) {
	searchCutOff(s)
	s.Search.Failed = "the run has paused at iteration 12480: the loss is NaN"
}

// screenOf is the frontier's frame, as text.
func screenOf(a *App, w, h int) string { return ansi.Strip(frame(a, w, h)) }

// A branch is taken after a question; one that is not finished, and a search that is not there, are refused.
func TestTakeBranch(t *testing.T) {
	for _, c := range []struct {
		name   string
		scene  func(*session.Snapshot)
		keys   []string
		path   string // of the command; "": none
		notice string
	}{
		{"no search", nil, []string{"enter"}, "", "no search steers this run"},
		{"no branch", beginning, []string{"enter"}, "", "no branch is finished yet"},
		{"the best", searching, []string{"enter", "y"}, branch(2400, 0, true).Path, ""},
		{"canceled", searching, []string{"enter", "c"}, "", ""},
		{"the largest", searching, []string{"k", "k", "k", "enter", "enter"}, branch(total, 0, true).Path, ""},
		{"next", searching, []string{"j", "enter"}, "", "not finished: next, if this is outside"},
		{"under way", searching, []string{"j", "j", "enter"}, "", "not finished: annealing 48 %"},
		{"outside", searchDone, []string{"j", "enter", "y"}, branch(1100, 0, false).Path, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := scene()
			if c.scene != nil {
				c.scene(s)
			}
			a, f := open(t, s, look{})
			press(a, "A")
			press(a, c.keys...)
			switch {
			case c.path == "" && len(f.got) > 0:
				t.Errorf("sent %v", f.got)
			case c.path != "" && (len(f.got) != 1 || f.got[0].Kind != session.TakeBranch || f.got[0].Path != c.path):
				t.Errorf("sent %v, wanted the branch %s", f.got, c.path)
			}
			if !strings.Contains(a.notice.text, c.notice) {
				t.Errorf("says %q, wanted %q", a.notice.text, c.notice)
			}
		})
	}
}

// Why a branch cannot be taken stands in the last line; a viewer that only reads is told so.
func TestTakeBranchRefused(t *testing.T) {
	s := scene()
	searching(s)
	a, f := open(t, s, look{})
	f.err = errors.New("the branch that keeps 2,400 cannot be taken: its snapshot d/x is gone")
	press(a, "A", "enter", "y")
	if text := screenOf(a, 120, 24); !strings.Contains(text, "its snapshot d/x is gone") {
		t.Errorf("the screen says\n%s", text)
	}
	a, f = openWith(t, s, look{}, Options{ReadOnly: true})
	press(a, "A", "enter")
	if len(f.got) > 0 || a.dialog != nil || !strings.Contains(a.notice.text, "read-only") {
		t.Errorf("read-only: sent %v, says %q", f.got, a.notice.text)
	}
}

// The UI opens on the frontier of a search that is under way, and stays with the selected branch when others come.
func TestFrontierFollowsSearch(t *testing.T) {
	s := scene()
	searching(s)
	a, f := open(t, s, look{})
	if a.open != frontierID {
		t.Fatalf("the UI opens on %v", a.open)
	}
	press(a, "k") // the branch of 9,650
	more := *s
	now := *s.Search
	now.Branches = append([]session.SearchBranch{branch(20000, 0.9906, true)}, now.Branches...)
	more.Search = &now
	f.snap = &more
	a.Update(tickMsg{})
	press(a, "enter", "y")
	if want := branch(9650, 0, true).Path; len(f.got) != 1 || f.got[0].Path != want {
		t.Errorf("sent %v, wanted the branch %s", f.got, want)
	}
	done := scene()
	searchDone(done)
	if a, _ := open(t, done, look{}); a.open != mainID {
		t.Errorf("of a search that is over the UI opens on %v", a.open)
	}
}

// Clicks select branches, where they stand.
func TestFrontierMouse(t *testing.T) {
	for _, size := range [][2]int{{40, 12}, {80, 24}, {120, 40}} {
		s := scene()
		searchDone(s)
		a, f := open(t, s, look{})
		a.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		press(a, "A")
		a.Update(tea.MouseClickMsg{X: 5, Y: lineOf(t, a, " 1,100 "), Button: tea.MouseLeft})
		press(a, "enter", "y")
		if want := branch(1100, 0, false).Path; len(f.got) != 1 || f.got[0].Path != want {
			t.Errorf("%v: sent %v, wanted the branch %s", size, f.got, want)
		}
	}
}
