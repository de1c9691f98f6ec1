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
	path := must(t, tr, session.Command{Kind: session.SnapshotNow, By: session.BySearch}).Detail
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
	// It is the run's own snapshot, which a resume finds.
	if found, _, err := session.FindSnapshot(run.SnapshotPrefix(), run.JournalPath()); err != nil ||
		filepath.Base(found) != "run_iter_5.solverstate" {
		t.Errorf("a resume finds %s, %v", found, err)
	}
	if s, err := session.ReadSearch(session.SearchPath(tr.Snapshot().Prefix)); err != nil || s.Taken != path {
		t.Errorf("the state of the search, %v, does not say that %s was taken: %+v", err, path, s)
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

// While a search steers the run it alone trains and changes it; a person pauses both, also where the search is between
// two steps.
func TestBesideSearch(t *testing.T) {
	tr := startWith(t, mini(t, "dns_seed_mini", lasting), 2, session.Options{Guard: 3})
	defer stop(tr)
	stepTo(t, tr, 2)
	tr.ShowSearch(searchOf("none"))
	do := func(c session.Command, by string) error {
		c.By = by
		_, err := tr.Do(context.Background(), c)
		return err
	}
	for _, c := range []session.Command{
		set("base_lr", "0.1"), {Kind: session.Step, Count: 1}, {Kind: session.SurgeryNow}, {Kind: session.Undo},
		{Kind: session.MovePrefix, Path: filepath.Join(t.TempDir(), "other")}, {Kind: session.GoBack},
		{Kind: session.Steer, Autopilot: session.AutopilotRequest{Action: session.AutopilotOff}},
	} {
		if err := do(c, "anna"); err == nil || !strings.Contains(err.Error(), "a search steers the run") {
			t.Errorf("%s: %v", c, err)
		}
	}
	if sn := tr.Snapshot(); sn.Iter != 2 || len(sn.Changes) > 0 {
		t.Errorf("what was refused took the run to %d, with changes %v", sn.Iter, sn.Changes)
	}
	step := session.Command{Kind: session.Step, Count: 1}
	if err := do(session.Command{Kind: session.Pause}, "anna"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []session.Command{step, {Kind: session.TestNow}} {
		if err := do(c, session.BySearch); !errors.Is(err, session.ErrHalted) {
			t.Errorf("%s of the search, paused: %v", c, err)
		}
	}
	if err := do(session.Command{Kind: session.Resume}, "anna"); err != nil {
		t.Error(err)
	}
	if err := do(step, session.BySearch); err != nil {
		t.Error(err)
	}
	if sn := settle(t, tr); sn.Iter != 3 {
		t.Errorf("the search's step ends at %d", sn.Iter)
	}
	// What the search saves is no snapshot of the run's prefix, which would be replaced by the next of that iteration.
	if err := do(session.Command{Kind: session.SnapshotNow}, session.BySearch); err != nil {
		t.Error(err)
	}
	if sn := tr.Snapshot(); sn.Saved != session.SearchPrefix(sn.Prefix)+"_iter_3.solverstate" {
		t.Errorf("the search saves %s", sn.Saved)
	}
}
