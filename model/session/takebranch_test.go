package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/model/session"
)

// searchOf is a search with one branch, of a snapshot.
func searchOf(path string) *session.Search {
	return &session.Search{
		Phase: "branch 2: 10 kept, from iteration 3", Images: 100, Running: true,
		Trying:   &session.SearchTry{Asked: 10, Total: 100},
		Branches: []session.SearchBranch{{Asked: 20, Kept: 20, Total: 100, Inside: true, Path: path}},
	}
}

// A branch that is taken becomes the run: the run stands at its snapshot, the journal has it, and the search that was
// under way steers the run no more.
func TestTakeBranch(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 3})
	defer stop(tr)
	stepTo(t, tr, 5)
	path := must(t, tr, session.Command{Kind: session.SnapshotNow}).Detail
	stepTo(t, tr, 8)
	take := session.Command{Kind: session.TakeBranch, Path: path, By: "anna"}
	refused := func(c session.Command, want string) {
		t.Helper()
		if _, err := tr.Do(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; wanted %q", c, err, want)
		}
		if sn := tr.Snapshot(); sn.Iter != 8 {
			t.Fatalf("%s goes to iteration %d", c, sn.Iter)
		}
	}
	refused(take, "no search steers this run")
	gone := searchOf(path + ".gone")
	tr.ShowSearch(gone)
	refused(take, "has no branch")
	refused(session.Command{Kind: session.TakeBranch, Path: path + ".gone"}, "keeps 20 cannot be taken: its snapshot")
	if sn := tr.Snapshot(); sn.Search.Taken != "" || !sn.Search.Running {
		t.Errorf("what was refused left %+v", sn.Search)
	}
	tr.ShowSearch(searchOf(path))
	refused(session.Command{Kind: session.GoBack, Path: path, By: "anna"}, "a search steers the run")

	ack := must(t, tr, take)
	const said = "took 20 of 100 kept; from 8 back to 5, run_iter_5.solverstate; back once more returns"
	if ack.Iter != 5 || ack.Detail != said {
		t.Errorf("the answer is %+v", ack)
	}
	taken := func() {
		t.Helper()
		sn := tr.Snapshot()
		s := sn.Search
		if sn.Iter != 5 || sn.State != session.Paused || s.Taken != path || s.Running || s.Trying != nil {
			t.Errorf("the run is %s at %d, its search %+v", sn.State, sn.Iter, s)
		}
	}
	taken()
	tr.ShowSearch(searchOf(path)) // of a search that has not noticed yet
	taken()
	for _, k := range []session.Kind{session.Step, session.GoBack, session.TestNow} {
		c := session.Command{Kind: k, Count: 1, By: session.BySearch}
		if _, err := tr.Do(context.Background(), c); !errors.Is(err, session.ErrTaken) {
			t.Errorf("the search's %s: %v", c, err)
		}
	}
	taken()
	events := tr.Snapshot().Events
	last := events[len(events)-1]
	if last.By != "anna" || last.String() != "applied: branch run_iter_5.solverstate taken" {
		t.Errorf("the last event is %q by %q", last, last.By)
	}
	must(t, tr, session.Command{Kind: session.GoBack}) // as the answer says
	if sn := tr.Snapshot(); sn.Iter != 8 {
		t.Errorf("back once more goes to %d", sn.Iter)
	}
	must(t, tr, take)
	changes, err := session.ReadJournal(run.JournalPath())
	if err != nil {
		t.Fatal(err)
	}
	if c := changes[len(changes)-1]; c.Taken == nil || c.Iter != 5 || c.By != "anna" || c.IsSetting() {
		t.Errorf("the last line of the journal is %+v", c)
	}
}

// A run shows the search that was made at its prefix, and can take its branches; one that cannot be read is told.
func TestSearchOfLaterRun(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := startWith(t, run, 2, session.Options{Guard: 3})
	stepTo(t, tr, 5)
	path := must(t, tr, session.Command{Kind: session.SnapshotNow}).Detail
	stepTo(t, tr, 8)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	stop(tr)
	if tr.Snapshot().Search != nil {
		t.Error("a run without a search shows one")
	}
	state, err := json.Marshal(searchOf(path))
	if err != nil {
		t.Fatal(err)
	}
	file := session.SearchPath(run.SnapshotPrefix())
	if err := os.WriteFile(file, state, 0o644); err != nil {
		t.Fatal(err)
	}
	tr = resumed(t, run, "run_iter_8.solverstate", session.Options{Guard: 3})
	if s := tr.Snapshot().Search; s == nil || s.Running || s.Trying != nil || len(s.Branches) != 1 {
		t.Fatalf("the run shows %+v", s)
	}
	must(t, tr, session.Command{Kind: session.TakeBranch, Path: path})
	if sn := tr.Snapshot(); sn.Iter != 5 || sn.Search.Taken != path {
		t.Errorf("the run stands at %d, of %q", sn.Iter, sn.Search.Taken)
	}
	stop(tr)

	if err := os.WriteFile(file, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	tr = resumed(t, run, "run_iter_8.solverstate", session.Options{})
	defer stop(tr)
	told := false
	for _, e := range tr.Snapshot().Events {
		told = told || strings.Contains(e.String(), filepath.Base(file)+": is not the state of a search")
	}
	if !told || tr.Snapshot().Search != nil {
		t.Errorf("a file that is no search shows %+v, told: %t", tr.Snapshot().Search, told)
	}
}
