// Package search finds the smallest net within an accuracy budget. It steers a session, as a person could: one descent
// with snapshots on its way, and from some of them branches, which freeze the masks, anneal, and are tested on held-out
// images. What the accuracy of the moment is says little: with the same masks it is several times as far from the dense
// net's before the anneal as after it.
package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"dns-tui/caffe"
	"dns-tui/files"
	"dns-tui/human"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// Options say what is searched for, and how long.
type Options struct {
	Budget   float64 // the accuracy that may be lost, a fraction of 1
	Smallest autopilot.Target
	Descent  int // iterations of the descent to Smallest
	Anneal   int // iterations of a branch's anneal
	Branches int // at most
	Images   int // that are held out
	Settings []autopilot.Setting
	// State is the file that the search goes on from.
	State string
	// Log is told what happens, a line each.
	Log func(line string)
	// Show gets the search as it is, for viewers; nil shows nothing.
	Show func(*session.Search)
}

// ratio is how far apart, by what is kept, snapshots of the descent lie; fine is how near the last branch inside the
// budget and the first outside are to come.
const (
	ratio = math.Sqrt2
	fine  = 1.12
)

// search is one under way.
type search struct {
	Options
	run session.Session
	now session.Search
}

// Run searches until the last branch, and leaves the run at the smallest net within the budget. It goes on from
// Options.State where that is there. The session is paused, at its first iteration or at any snapshot of the search.
func Run(ctx context.Context, run session.Session, o Options) (*session.Search, error) {
	s := &search{Options: o, run: run}
	if err := s.load(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{s.begin, s.descend, s.bisect, s.refine, s.finish} {
		if err := step(ctx); err != nil {
			if len(s.now.Points) > 0 {
				_ = s.save() // the error that ends it is told
			}
			return &s.now, err
		}
	}
	return &s.now, nil
}

// load takes up a search that was cut off.
func (s *search) load() error {
	data, err := os.ReadFile(s.State)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.now.Budget = s.Budget
		return nil
	case err != nil:
		return err
	}
	if err := json.Unmarshal(data, &s.now); err != nil {
		return &caffe.FileError{Path: s.State, Msg: fmt.Sprintf("is not the state of a search: %v", err), Err: err}
	}
	if n := len(s.now.Branches); n > 0 || len(s.now.Points) > 0 {
		s.Log(fmt.Sprintf("going on with %s: %d snapshots of the descent, %d branches", filepath.Base(s.State),
			len(s.now.Points), n))
	}
	s.now.Budget = s.Budget
	for i := range s.now.Branches {
		b := &s.now.Branches[i]
		b.Inside = i == 0 || s.inside(b.Accuracy)
	}
	return nil
}

// save writes where the search is, and shows it.
func (s *search) save() error {
	if s.Show != nil {
		now := s.now
		now.Points, now.Branches = slices.Clone(now.Points), slices.Clone(now.Branches)
		s.Show(&now)
	}
	data, err := json.MarshalIndent(&s.now, "", " ")
	if err != nil {
		return err
	}
	return files.Write(s.State, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

func (s *search) phase(format string, args ...any) error {
	s.now.Phase = fmt.Sprintf(format, args...)
	return s.save()
}

// inside reports whether an accuracy lies within the budget.
func (s *search) inside(accuracy float64) bool { return accuracy >= s.now.Dense-s.Budget-1e-9 }

// begin tests the net as it is, saves it, and makes the branch that every other is compared with: of the same anneal,
// with next to nothing pruned. The net as it is may have been trained on the images that are held out now, and would be
// too good to compare with.
func (s *search) begin(ctx context.Context) error {
	if len(s.now.Points) == 0 {
		accuracy, _, err := s.test(ctx)
		if err != nil {
			return err
		}
		s.now.Before, s.now.Images = accuracy, s.Images
		kept, total := s.run.Snapshot().Kept()
		s.Log(fmt.Sprintf("as it is: accuracy %.4f on %s held-out images, %s of %s kept", accuracy,
			human.Count(s.Images), human.Count(kept), human.Count(total)))
		if err := s.point(ctx); err != nil {
			return err
		}
	}
	first := s.now.Points[0]
	b, err := s.branch(ctx, first, first.Kept-1)
	if err != nil {
		return err
	}
	s.now.Dense, b.Inside = b.Accuracy, true
	if b.Accuracy < s.now.Before-s.Budget {
		s.Log(
			fmt.Sprintf("unpruned, the same training comes to %.4f, not to %.4f: the weights may have been trained on "+
				"the held-out images; --held-out names others", b.Accuracy, s.now.Before),
		)
	}
	return s.save()
}

// test evaluates the held-out images.
func (s *search) test(ctx context.Context) (accuracy, loss float64, err error) {
	if _, err = s.run.Do(ctx, session.Command{Kind: session.TestNow}); err != nil {
		return 0, 0, err
	}
	sn := s.run.Snapshot()
	if len(sn.Tests) == 0 {
		return 0, 0, errors.New("no test of the held-out images")
	}
	a, ok := sn.Tests[0].Accuracy()
	if !ok {
		return 0, 0, errors.New("the test net has no Accuracy layer: there is no accuracy to search by")
	}
	return a, sn.Tests[0].Loss, nil
}

// point saves the run as it is, as a place to branch from.
func (s *search) point(ctx context.Context) error {
	path, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	sn := s.run.Snapshot()
	p := session.SearchPoint{Iter: sn.Iter, Path: path}
	p.Kept, p.Total = sn.Kept()
	if a := sn.Autopilot; a != nil {
		p.Kept, p.Total = a.Kept, a.Total
	}
	s.now.Points = append(s.now.Points, p)
	return s.save()
}

func (s *search) snapshot(ctx context.Context) (string, error) {
	ack, err := s.run.Do(ctx, session.Command{Kind: session.SnapshotNow})
	return ack.Detail, err
}

// steer tells the autopilot something.
func (s *search) steer(ctx context.Context, settings ...autopilot.Setting) error {
	_, err := s.run.Do(ctx, session.Command{
		Kind: session.Steer, Autopilot: session.AutopilotRequest{Settings: settings}, By: "search",
	})
	return err
}

// set is a setting of the autopilot.
func set(name string, value any) autopilot.Setting {
	return autopilot.Setting{Name: name, Value: fmt.Sprint(value)}
}

// train trains to an iteration.
func (s *search) train(ctx context.Context, to int) error {
	from := s.run.Snapshot().Iter
	if to <= from {
		return nil
	}
	if _, err := s.run.Do(ctx, session.Command{Kind: session.Step, Count: to - from}); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		sn := s.run.Snapshot()
		switch {
		case sn.State == session.Failed || sn.State == session.Stopped:
			return fmt.Errorf("the run is %s at iteration %d: %s", sn.State, sn.Iter, sn.Problem)
		case sn.State == session.Finished, sn.State == session.Paused && sn.Iter >= to:
			return nil
		case sn.State == session.Paused && sn.Problem != "":
			return fmt.Errorf("the run has paused at iteration %d: %s", sn.Iter, sn.Problem)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// descend goes down to the smallest net, with snapshots on the way.
func (s *search) descend(ctx context.Context) error {
	if s.now.Descended {
		return nil
	}
	last := s.now.Points[len(s.now.Points)-1]
	if err := s.back(ctx, last.Path); err != nil {
		return err
	}
	if s.run.Snapshot().Autopilot == nil {
		all := append(slices.Clone(s.Settings), set("target", s.Smallest), set("start_iter", last.Iter),
			set("end_iter", last.Iter+s.Descent), set("anneal_iter", 0))
		if err := s.steer(ctx, all...); err != nil {
			return err
		}
	}
	if err := s.phase("descending to %s", s.Smallest); err != nil {
		return err
	}
	s.Log(s.now.Phase)
	for {
		a := s.run.Snapshot().Autopilot
		if a == nil || a.Held >= 0 {
			return fmt.Errorf("the descent has stopped: %s", note(a))
		}
		schedule := &a.Descent.Schedule
		before := s.run.Snapshot().Iter
		if before > schedule.End-schedule.Interval {
			break
		}
		if err := s.train(ctx, min(before+schedule.Interval, schedule.End)); err != nil {
			return err
		}
		sn := s.run.Snapshot()
		if sn.Autopilot == nil || sn.Iter <= before { // a guard took it back
			continue
		}
		last := s.now.Points[len(s.now.Points)-1]
		if float64(sn.Autopilot.Kept) > float64(last.Kept)/ratio || sn.Iter <= last.Iter {
			continue
		}
		if err := s.point(ctx); err != nil {
			return err
		}
		s.Log(fmt.Sprintf("iteration %s: %s kept", human.Count(sn.Iter), human.Count(sn.Autopilot.Kept)))
	}
	last = s.now.Points[len(s.now.Points)-1]
	if sn := s.run.Snapshot(); sn.Autopilot != nil && float64(sn.Autopilot.Kept) < float64(last.Kept)/fine {
		if err := s.point(ctx); err != nil {
			return err
		}
	}
	s.now.Descended = true
	return s.save()
}

func note(a *session.AutopilotState) string {
	if a == nil {
		return "the autopilot is off"
	}
	return a.Note
}

// back goes to a snapshot, where the run does not stand there.
func (s *search) back(ctx context.Context, path string) error {
	sn := s.run.Snapshot()
	if sn.Saved == path && sn.Unsaved == 0 && sn.State == session.Paused && sn.Iter == sn.SavedIter {
		return nil
	}
	_, err := s.run.Do(ctx, session.Command{Kind: session.GoBack, Path: path, By: "search"})
	return err
}

// bisect finds, among the snapshots of the descent, the last whose branch lies within the budget.
func (s *search) bisect(ctx context.Context) error {
	lo, hi := 0, len(s.now.Points)
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		p := s.now.Points[mid]
		b, err := s.branch(ctx, p, p.Kept)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		if b.Inside {
			lo = mid
		} else {
			hi = mid
		}
	}
	return nil
}

// refine branches between the smallest net within the budget and the largest outside.
func (s *search) refine(ctx context.Context) error {
	for {
		within, outside := s.bounds()
		if within == 0 || outside == 0 || float64(within) <= fine*float64(outside) {
			return nil
		}
		kept := int(math.Sqrt(float64(within) * float64(outside)))
		from := s.now.Points[0]
		for _, p := range s.now.Points {
			if p.Kept > kept {
				from = p
			}
		}
		b, err := s.branch(ctx, from, kept)
		if b == nil || err != nil {
			return err
		}
	}
}

// bounds are what the smallest branch within the budget keeps and what the largest outside; 0 where there is none.
func (s *search) bounds() (within, outside int) {
	for _, b := range s.now.Branches {
		if b.Inside && (within == 0 || b.Kept < within) {
			within = b.Kept
		}
	}
	for _, b := range s.now.Branches {
		if !b.Inside && b.Kept < within && b.Kept > outside || !b.Inside && within == 0 && b.Kept > outside {
			outside = b.Kept
		}
	}
	return within, outside
}

// branch goes from a snapshot of the descent to so many kept entries, freezes the masks, anneals and tests. It returns
// the one that was made before, where there is one, and nil where there may be no more.
func (s *search) branch(ctx context.Context, from session.SearchPoint, kept int) (*session.SearchBranch, error) {
	for i := range s.now.Branches {
		if b := &s.now.Branches[i]; b.Asked == kept {
			return b, nil
		}
	}
	if len(s.now.Branches) >= s.Branches {
		return nil, nil
	}
	if err := s.phase("branch %d: %s kept, from iteration %s", len(s.now.Branches)+1, human.Count(kept),
		human.Count(from.Iter)); err != nil {
		return nil, err
	}
	if err := s.back(ctx, from.Path); err != nil {
		return nil, err
	}
	end := from.Iter + leastDescent
	if further := float64(from.Kept) / float64(kept); further > 1 { // as long as the descent would take, or so
		whole := float64(s.now.Points[0].Total) / float64(s.now.Points[len(s.now.Points)-1].Kept)
		end += int(float64(s.Descent) * math.Log(further) / math.Log(max(whole, 2)))
	}
	anneal := s.Anneal
	for caffe.Exists(s.snapshotName(end + anneal)) { // of another branch
		anneal++
	}
	err := s.steer(ctx, set("target", autopilot.Target{Unit: autopilot.KeptEntries, Value: float64(kept)}),
		set("start_iter", from.Iter), set("end_iter", end), set("anneal_iter", anneal))
	if err == nil {
		err = s.train(ctx, end+anneal)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.now.Phase, err)
	}
	b := session.SearchBranch{Asked: kept, From: from.Iter, Iters: end + anneal - from.Iter}
	if b.Accuracy, b.Loss, err = s.test(ctx); err != nil {
		return nil, err
	}
	if b.Path, err = s.snapshot(ctx); err != nil {
		return nil, err
	}
	if a := s.run.Snapshot().Autopilot; a != nil {
		b.Kept, b.Total = a.Kept, a.Total
	}
	b.Inside = s.inside(b.Accuracy)
	s.now.Branches = append(s.now.Branches, b)
	s.Log(fmt.Sprintf("%s: %s", s.now.Phase, s.now.Describe(&b)))
	return &s.now.Branches[len(s.now.Branches)-1], s.save()
}

// leastDescent is how many iterations a branch takes to freeze its masks, at least.
const leastDescent = 20

// snapshotName is the solverstate of an iteration.
func (s *search) snapshotName(iter int) string {
	return fmt.Sprintf("%s_iter_%d.solverstate", s.run.Snapshot().Prefix, iter)
}

// finish takes the run to the smallest net within the budget.
func (s *search) finish(ctx context.Context) error {
	best := s.now.Best()
	if best == nil {
		if err := s.phase("no branch lies within the budget"); err != nil {
			return err
		}
		return s.back(ctx, s.now.Points[0].Path)
	}
	if err := s.phase("done: %s", s.now.Describe(best)); err != nil {
		return err
	}
	return s.back(ctx, best.Path)
}
