package session_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
)

// blockSnapshots makes snapshots of the iterations fail, for root too: folders stand at their names.
func blockSnapshots(t *testing.T, run *config.Run, iters ...string) {
	t.Helper()
	for _, i := range iters {
		if err := os.MkdirAll(run.SnapshotPrefix()+"_iter_"+i+".caffemodel/x", 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func count(s *session.Snapshot, text string) int {
	n := 0
	for _, e := range s.Events {
		if strings.Contains(e.What.String(), text) {
			n++
		}
	}
	return n
}

// Snapshots that fail are one notice, with what is lost; another folder takes them, and the journal with them, and a
// replay is the same.
func TestSnapshotsGoElsewhere(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) {
		lively(r)
		r.Solver.MaxIter, r.Solver.Snapshot = proto.Int32(12), proto.Int32(2)
	})
	blockSnapshots(t, run, "2", "4", "6", "8", "10", "12")
	tr := start(t, run, 1)
	stepTo(t, tr, 7)
	must(t, tr, set("lr_mult", "0.5"))
	s := stepTo(t, tr, 11)
	if n := count(s, "snapshot failed"); n != 1 || count(s, "are in memory alone") != 1 ||
		!strings.Contains(s.WriteProblem, "not saved") ||
		s.Unsaved != 11 {
		t.Errorf("%d notices, trouble %q, %d unsaved", n, s.WriteProblem, s.Unsaved)
	}
	must(t, tr, session.Command{Kind: session.Resume})
	if s = settle(t, tr); s.State != session.Finished || count(s, "finished, not saved") != 1 {
		t.Errorf("%s, trouble %q: wanted \"finished, not saved\"", s.State, s.WriteProblem)
	}
	ctx := context.Background()
	for _, bad := range []string{"", filepath.Join(t.TempDir(), "none", "run")} {
		if _, err := tr.Do(ctx, session.Command{Kind: session.MovePrefix, Path: bad}); err == nil {
			t.Errorf("snapshots go to %q", bad)
		}
	}
	elsewhere := filepath.Join(t.TempDir(), "other")
	must(t, tr, session.Command{Kind: session.MovePrefix, Path: elsewhere, By: "anna"})
	s = tr.Snapshot()
	if s.WriteProblem != "" || s.Saved != elsewhere+"_iter_12.solverstate" || s.Prefix != elsewhere ||
		s.Journal != elsewhere+".journal" {
		t.Errorf("trouble %q, saved %s, prefix %s, journal %s", s.WriteProblem, s.Saved, s.Prefix, s.Journal)
	}
	stop(tr)
	changes, err := session.ReadJournal(elsewhere + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, c := range session.NewHistory(changes).Changes {
		texts = append(texts, c.String())
	}
	if got := strings.Join(texts, ", "); !strings.HasPrefix(got, "lr_mult 1 → 0.5, snapshot_prefix ") {
		t.Errorf("the journal tells of %s", got)
	}
	again := mini(t, "dns_seed_mini", func(r *config.Run) { lively(r); r.Replay = elsewhere + ".journal" })
	if got, _ := weightsAt(t, again, 1, 12); !bytes.Equal(got, read(t, elsewhere+"_iter_12.caffemodel")) {
		t.Error("the replay has other weights")
	}
}

// A snapshot that is due is tried, whenever the last one failed: a folder that is there again is used at once.
func TestSnapshotsGoOnWhenTheyCan(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) {
		lively(r)
		r.Solver.MaxIter, r.Solver.Snapshot = proto.Int32(12), proto.Int32(2)
	})
	blockSnapshots(t, run, "2", "4")
	tr := start(t, run, 1)
	s := stepTo(t, tr, 5)
	if s.WriteProblem == "" || s.Saved != "" {
		t.Fatalf("trouble %q, saved %s", s.WriteProblem, s.Saved)
	}
	s = stepTo(t, tr, 7)
	if want := run.SnapshotPrefix() + "_iter_6.solverstate"; s.Saved != want || s.WriteProblem != "" || s.Unsaved != 1 {
		t.Errorf("saved %s, trouble %q, %d unsaved; wanted %s", s.Saved, s.WriteProblem, s.Unsaved, want)
	}
	if n := count(s, "snapshot failed"); n != 1 || count(s, ", after a failure") != 1 {
		t.Errorf("%d notices of a failure, %d of its end", n, count(s, ", after a failure"))
	}
}

// What is in no snapshot counts from where a resumed run went back to.
func TestUnsavedAfterGoingBack(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	tr := start(t, run, 2)
	for _, i := range []int{5, 10} {
		stepTo(t, tr, i)
		save(t, tr)
	}
	stop(tr)
	tr = resumed(t, run, "run_iter_10.solverstate", session.Options{})
	must(t, tr, session.Command{Kind: session.GoBack, Path: run.SnapshotPrefix() + "_iter_5.solverstate"})
	if s := stepTo(t, tr, 12); s.Unsaved != 7 {
		t.Errorf("%d iterations unsaved, wanted 7", s.Unsaved)
	}
}

// A run that can be reached waits, done but not saved, for a place to save to, and then ends.
func TestServedRunWaitsForAPlace(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) { r.Solver.MaxIter = proto.Int32(3) })
	blockSnapshots(t, run, "3")
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	tr, err := session.NewTrainer(run, d, session.Options{Served: true})
	if err != nil {
		t.Fatal(err)
	}
	tr.Start()
	modeltest.Eventually(t, "the run is finished", func() bool { return tr.Snapshot().State == session.Finished })
	elsewhere := filepath.Join(t.TempDir(), "other")
	must(t, tr, session.Command{Kind: session.MovePrefix, Path: elsewhere})
	if err := tr.Err(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(elsewhere + "_iter_3.solverstate"); err != nil {
		t.Error(err)
	}
}

// Whoever resumes at the prefix that a run has left is told where it went on; at the new one nothing is said.
func TestResumeAtAPrefixThatWasLeft(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) { r.Solver.Snapshot = proto.Int32(2) })
	tr := start(t, run, 1)
	stepTo(t, tr, 3)
	left, elsewhere := run.SnapshotPrefix(), filepath.Join(t.TempDir(), "other")
	must(t, tr, session.Command{Kind: session.MovePrefix, Path: elsewhere})
	stepTo(t, tr, 5)
	stop(tr)
	for prefix, want := range map[string]string{left: "the run went on at " + elsewhere, elsewhere: ""} {
		path, notices, err := session.FindSnapshot(prefix, prefix+".journal")
		if all := strings.Join(notices, "\n"); err != nil || !strings.HasPrefix(path, prefix) ||
			(want == "") != (all == "") ||
			!strings.Contains(all, want) {
			t.Errorf("%s, said %q, %v; wanted %q", path, notices, err, want)
		}
	}
}

// A value is told as it is in force, in whatever form it was typed; a replay that leaves something out says so at its
// end.
func TestFormsAndReplaysThatLeaveOut(t *testing.T) {
	run := mini(t, "dns_seed_mini", nil)
	tr := start(t, run, 1)
	for value, want := range map[string]string{"0.50": "lr_mult 1 → 0.5", "5e-1": "lr_mult 0.5 → 0.5"} {
		if ack, err := tr.Do(context.Background(), set("lr_mult", value)); err != nil ||
			!strings.HasSuffix(ack.Detail, "→ 0.5") {
			t.Errorf("%s: %q, %v, wanted %q", value, ack.Detail, err, want)
		}
	}
	stop(tr)
	journal := run.JournalPath()
	put(t, journal, append(read(t, journal), []byte(`{"iter":1,"field":"no_such","old":"1","new":"2"}`+"\n")...))
	again := mini(t, "dns_seed_mini", func(r *config.Run) { r.Replay, r.Solver.MaxIter = journal, proto.Int32(2) })
	tr = start(t, again, 1)
	must(t, tr, session.Command{Kind: session.Resume})
	if s := settle(t, tr); count(s, "the replay is not the journal's run: 1 of its changes were rejected") != 1 {
		t.Errorf("events %v", s.Events)
	}
}
