package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu/collective"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// followed returns rank 0 of a group of n, of which the others follow in this process until the test ends.
func followed(t testing.TB, run *config.Run, n int) collective.Group {
	t.Helper()
	groups := collective.InProcess(n)
	for rank := 1; rank < n; rank++ {
		g, own := groups[rank], *run
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			follow(t, &own, g)
		}()
		t.Cleanup(func() { <-ended })
	}
	return groups[0]
}

// follow is a rank other than 0.
func follow(t testing.TB, run *config.Run, g collective.Group) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	s, err := solver.NewRank(run, d, g)
	if err != nil {
		g.Fail(err.Error())
		return
	}
	defer s.Close()
	err = s.Follow()
	s.End(err)
	var parted *collective.RankError
	if err != nil && !errors.As(err, &parted) {
		t.Errorf("rank %d: %v", g.Rank(), err)
	}
}

// A session of several ranks is steered as one of a rank with as many times the iter_size, and comes to the same
// weights and masks.
func TestSessionOfRanks(t *testing.T) {
	const n = 2
	ctx := t.Context()
	steer := func(t *testing.T, tr *session.Trainer, run *config.Run) ([]byte, *session.Snapshot) {
		step := func(n int) {
			t.Helper()
			must(t, tr, session.Command{Kind: session.Step, Count: n})
			settle(t, tr)
		}
		step(4)
		go func() { _, _ = tr.Do(ctx, set("conv2.threshold", "1.5")) }()
		modeltest.Eventually(t, "the threshold waits", func() bool { return len(tr.Snapshot().Pending) > 0 })
		must(t, tr, set("lr_mult", "0.5"))
		step(3)
		must(t, tr, session.Command{Kind: session.SurgeryNow})
		must(t, tr, session.Command{Kind: session.SnapshotNow})
		must(t, tr, set("ip1.frozen", "on"))
		must(t, tr, session.Command{Kind: session.Probe})
		step(3)
		must(t, tr, session.Command{Kind: session.Undo})
		must(t, tr, session.Command{Kind: session.TestNow})
		step(2)
		must(t, tr, session.Command{Kind: session.GoBack})
		must(t, tr, set("ip2.rule", "soft"))
		step(3)
		must(t, tr, session.Command{Kind: session.SnapshotNow})
		s := tr.Snapshot()
		return read(t, fmt.Sprintf("%s_iter_%d.caffemodel", run.SnapshotPrefix(), s.Iter)), s
	}
	start := func(iterSize int) *config.Run {
		return mini(t, "dns_seed_mini", func(r *config.Run) {
			lively(r)
			r.Solver.IterSize = proto.Int32(int32(iterSize))
			r.Tests, r.Solver.TestIter, r.Solver.TestInterval = []*caffe.NetFile{r.Train}, []int32{3}, proto.Int32(1000)
		})
	}
	run := start(1)
	ranks := startWith(t, run, 1, session.Options{Group: followed(t, run, n), Guard: 3})
	got, s := steer(t, ranks, run)
	alone := start(n)
	want, of := steer(t, startWith(t, alone, 1, session.Options{Guard: 3}), alone)
	if !bytes.Equal(got, want) {
		t.Errorf("%d ranks have other weights than one with iter_size %d", n, n)
	}
	if s.Iter != of.Iter || s.Loss != of.Loss || s.BatchSize != of.BatchSize {
		t.Errorf("iteration %d, loss %g, %d images; alone %d, %g, %d", s.Iter, s.Loss, s.BatchSize, of.Iter, of.Loss,
			of.BatchSize)
	}
	if len(s.Ranks) != n || len(of.Ranks) != 0 {
		t.Errorf("%d ranks are shown, alone %d", len(s.Ranks), len(of.Ranks))
	}
	repeated := start(1) // by as many ranks
	repeated.Replay = run.JournalPath()
	again := startWith(t, repeated, 1, session.Options{Group: followed(t, repeated, n), Guard: 3})
	must(t, again, session.Command{Kind: session.Step, Count: s.Iter})
	settle(t, again)
	must(t, again, session.Command{Kind: session.SnapshotNow})
	if !bytes.Equal(read(t, fmt.Sprintf("%s_iter_%d.caffemodel", repeated.SnapshotPrefix(), s.Iter)), got) {
		t.Error("the replay by as many ranks has other weights")
	}
}

// A rank that fails ends the run, which says which it was, and saves what it has.
func TestRankFails(t *testing.T) {
	for name, paused := range map[string]bool{"training": false, "paused": true} {
		t.Run(name, func(t *testing.T) {
			run := mini(t, "dns_seed_mini", lively)
			groups := collective.InProcess(2)
			own := *run
			go follow(t, &own, groups[1])
			tr := startWith(t, run, 1, session.Options{Group: groups[0]})
			must(t, tr, session.Command{Kind: session.Step, Count: 3})
			s := settle(t, tr)
			if !paused {
				must(t, tr, session.Command{Kind: session.Resume})
				modeltest.Eventually(t, "it trains", func() bool { return tr.Snapshot().Iter > s.Iter })
			}
			groups[1].Fail("has died")
			if err := tr.Err(); err == nil || !strings.Contains(err.Error(), "rank 1 has died") {
				t.Errorf("error %v", err)
			}
			s = tr.Snapshot()
			if s.State != session.Failed || s.SavedIter != s.Iter || s.Saved == "" {
				t.Errorf("%s at %d, saved %q at %d", s.State, s.Iter, s.Saved, s.SavedIter)
			}
		})
	}
}

// A run that cannot begin ends its other ranks with its reason.
func TestRankZeroCannotBegin(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) {
		r.Solver.SnapshotPrefix = proto.String("nowhere/at/all/run")
	})
	groups := collective.InProcess(2)
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	if _, err := session.NewTrainer(run, d, session.Options{Group: groups[0]}); err == nil {
		t.Fatal("it begins without a folder for its snapshots")
	}
	if err := groups[1].Err(); err == nil || !strings.Contains(err.Error(), "rank 0 cannot go on: ") {
		t.Errorf("rank 1 hears %v", err)
	}
}
