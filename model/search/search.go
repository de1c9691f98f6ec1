// Package search finds the smallest net within an accuracy budget. It steers a session, as a person could: one descent
// with snapshots on its way, and from some of them branches, which freeze the masks, anneal, and are tested on held-out
// images. What the accuracy of the moment is says little: with the same masks it is several times as far from the dense
// net's before the anneal as after it.
package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"dns-tui/caffe"
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

// ratio is how far apart, by what is kept, snapshots of the descent lie.
const ratio = math.Sqrt2

// search is one under way.
type search struct {
	Options
	run session.Session
	now session.Search
}

// Run searches until the last branch, and leaves the run at the smallest net within the budget. It goes on from
// Options.State where that is there. The session is paused, at its first iteration or at any snapshot of the search.
// session.ErrTaken says that a person took a branch, and with it the run.
func Run(ctx context.Context, run session.Session, o Options) (*session.Search, error) {
	s := &search{Options: o, run: run}
	if err := s.load(); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{s.begin, s.descend, s.branches, s.finish} {
		if err := step(ctx); err != nil {
			s.leave(ctx, err)
			return &s.now, err
		}
	}
	s.now.Running = false
	s.show()
	return &s.now, nil
}

// leave ends a search over an error, which is told.
func (s *search) leave(ctx context.Context, err error) {
	s.now.Running, s.now.Trying = false, nil
	switch sn := s.run.Snapshot(); {
	case errors.Is(err, session.ErrTaken):
		s.now.Taken = sn.Search.Taken
	case ctx.Err() == nil && sn.State != session.Stopped && !errors.Is(err, session.ErrEnded): // else it was stopped
		s.now.Failed = err.Error()
	}
	if len(s.now.Points) > 0 {
		_ = s.save()
		return
	}
	s.show()
}

// load takes up a search that was cut off.
func (s *search) load() error {
	found, err := session.ReadSearch(s.State)
	if err != nil {
		return err
	}
	s.now = *Begun(found, s.Budget, s.Images)
	if n := len(s.now.Branches); n > 0 || len(s.now.Points) > 0 {
		s.Log(fmt.Sprintf("going on with %s: %d snapshots of the descent, %d branches", filepath.Base(s.State),
			len(s.now.Points), n))
	}
	return nil
}

// Begun is a search that begins now, on so many held-out images; found is the one that it goes on with, or nil.
func Begun(found *session.Search, budget float64, images int) *session.Search {
	now := session.Search{Phase: "beginning", Images: images}
	if found != nil {
		now = *found
	}
	now.Running, now.Done, now.Failed, now.Taken, now.Budget = true, false, "", "", budget
	now.Branches = slices.Clone(now.Branches)
	for i := range now.Branches {
		b := &now.Branches[i]
		b.Inside = i == 0 || inside(&now, b.Accuracy)
	}
	return &now
}

// show shows viewers where the search is.
func (s *search) show() {
	if s.Show == nil {
		return
	}
	now := s.now
	now.Points, now.Branches = slices.Clone(now.Points), slices.Clone(now.Branches)
	s.Show(&now)
}

// save writes where the search is, and shows it.
func (s *search) save() error {
	s.show()
	return s.now.Save(s.State)
}

func (s *search) phase(format string, args ...any) error {
	s.now.Phase = fmt.Sprintf(format, args...)
	return s.save()
}

// inside reports whether an accuracy lies within the budget.
func inside(s *session.Search, accuracy float64) bool { return accuracy >= s.Least()-1e-9 }

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
	if len(s.now.Branches) == 0 {
		first := s.now.Points[0]
		if err := s.branch(ctx, first, first.Kept-1); err != nil {
			return err
		}
	}
	b := &s.now.Branches[0]
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
	for {
		if _, err = s.do(ctx, session.Command{Kind: session.TestNow}); err != nil {
			return 0, 0, err
		}
		sn := s.run.Snapshot()
		if len(sn.Tests) == 0 || sn.Tests[0].Iter != sn.Iter { // a pause has ended it
			continue
		}
		a, ok := sn.Tests[0].Accuracy()
		if !ok {
			return 0, 0, errors.New("the test net has no Accuracy layer: there is no accuracy to search by")
		}
		return a, sn.Tests[0].Loss, nil
	}
}

// point saves the run as it is, as a place to branch from.
func (s *search) point(ctx context.Context) error {
	path, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	sn := s.run.Snapshot()
	p := session.SearchPoint{Iter: sn.Iter, Path: path}
	p.Kept, p.Total = kept(sn)
	s.now.Points = append(s.now.Points, p)
	return s.save()
}

// kept is what is kept of the layers that the search is of: of all, as long as no descent says which.
func kept(sn *session.Snapshot) (kept, total int) {
	if a := sn.Autopilot; a != nil {
		return a.Kept, a.Total
	}
	return sn.Kept()
}

func (s *search) snapshot(ctx context.Context) (string, error) {
	ack, err := s.do(ctx, session.Command{Kind: session.SnapshotNow})
	return ack.Detail, err
}

// do steers the run. It waits while a person has it paused.
func (s *search) do(ctx context.Context, c session.Command) (session.Ack, error) {
	c.By = session.BySearch
	for {
		ack, err := s.run.Do(ctx, c)
		if !errors.Is(err, session.ErrHalted) {
			return ack, err
		}
		select {
		case <-ctx.Done():
			return ack, ctx.Err()
		case <-time.After(poll):
		}
	}
}

// poll is how often a search looks at a run that trains, or is paused.
const poll = 20 * time.Millisecond

// steer tells the autopilot something.
func (s *search) steer(ctx context.Context, settings ...autopilot.Setting) error {
	_, err := s.do(ctx, session.Command{Kind: session.Steer, Autopilot: session.AutopilotRequest{Settings: settings}})
	return err
}

// set is a setting of the autopilot.
func set(name string, value any) autopilot.Setting {
	return autopilot.Setting{Name: name, Value: fmt.Sprint(value)}
}

// train trains to an iteration. A person may pause the run meanwhile, and let it go on; a guard of the autopilot may
// take it back.
func (s *search) train(ctx context.Context, to int) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for retreats := -1; ; {
		sn := s.run.Snapshot()
		paused := sn.State == session.Paused
		switch {
		case sn.Search != nil && sn.Search.Taken != "":
			return session.ErrTaken
		case sn.State == session.Failed || sn.State == session.Stopped:
			return fmt.Errorf("the run is %s at iteration %d: %s", sn.State, sn.Iter, sn.Problem)
		case sn.State == session.Finished, paused && sn.Iter >= to:
			return nil
		case paused && sn.Problem != "" && retreats >= 0:
			return fmt.Errorf("the run has paused at iteration %d: %s", sn.Iter, sn.Problem)
		case paused && retreatsOf(sn) > retreats: // at the beginning, and where steps were lost by going back
			retreats = retreatsOf(sn)
			if _, err := s.do(ctx, session.Command{Kind: session.Step, Count: to - sn.Iter}); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// retreatsOf is how often a guard took the descent back.
func retreatsOf(sn *session.Snapshot) int {
	if sn.Autopilot == nil {
		return 0
	}
	return sn.Autopilot.Retreat
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
	_, err := s.do(ctx, session.Command{Kind: session.GoBack, Path: path})
	return err
}

// branches makes one branch after the other, as many as there may be.
func (s *search) branches(ctx context.Context) error {
	for len(s.now.Branches) < s.Branches {
		from, kept, ok := next(&s.now)
		if !ok {
			return nil
		}
		if err := s.branch(ctx, from, kept); err != nil {
			return err
		}
	}
	return nil
}

// branch goes from a snapshot of the descent to so many kept entries, freezes the masks, anneals and tests.
func (s *search) branch(ctx context.Context, from session.SearchPoint, kept int) error {
	try := session.SearchTry{Asked: kept, Total: from.Total, From: from.Iter}
	try.Freezes = from.Iter + leastDescent
	if further := float64(from.Kept) / float64(kept); further > 1 { // as long as the descent would take, or so
		whole := float64(s.now.Points[0].Total) / float64(s.now.Points[len(s.now.Points)-1].Kept)
		try.Freezes += int(float64(s.Descent) * math.Log(further) / math.Log(max(whole, 2)))
	}
	try.Ends = try.Freezes + s.Anneal
	for caffe.Exists(s.snapshotName(try.Ends)) { // of another branch
		try.Ends++
	}
	try.IfWithin, try.IfOutside = s.after(kept, true), s.after(kept, false)
	s.now.Trying = &try
	if err := s.phase("branch %d: %s kept, from iteration %s", len(s.now.Branches)+1, human.Count(kept),
		human.Count(from.Iter)); err != nil {
		return err
	}
	b, err := s.anneal(ctx, from.Path, &try)
	if err != nil {
		return err
	}
	s.now.Branches = append(s.now.Branches, *b)
	s.now.Trying = nil
	s.Log(fmt.Sprintf("%s: %s", s.now.Phase, s.now.Describe(b)))
	return s.save()
}

// anneal makes the branch that is tried, from a snapshot.
func (s *search) anneal(ctx context.Context, from string, try *session.SearchTry) (*session.SearchBranch, error) {
	if err := s.back(ctx, from); err != nil {
		return nil, err
	}
	err := s.steer(ctx, set("target", autopilot.Target{Unit: autopilot.KeptEntries, Value: float64(try.Asked)}),
		set("start_iter", try.From), set("end_iter", try.Freezes), set("anneal_iter", try.Ends-try.Freezes))
	for to := try.Ends; err == nil && s.run.Snapshot().Iter < to; to = s.end(to) {
		err = s.train(ctx, to)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.now.Phase, err)
	}
	b := &session.SearchBranch{Asked: try.Asked, From: try.From, Iters: try.Ends - try.From}
	if b.Accuracy, b.Loss, err = s.test(ctx); err != nil {
		return nil, err
	}
	if b.Path, err = s.snapshot(ctx); err != nil {
		return nil, err
	}
	b.Kept, b.Total = kept(s.run.Snapshot())
	b.Inside = inside(&s.now, b.Accuracy)
	return b, nil
}

// end is the iteration in which a descent that was to end at one ends, with its anneal: a guard may have halved its
// pace.
func (s *search) end(was int) int {
	sn := s.run.Snapshot()
	if a := sn.Autopilot; a != nil {
		was = max(was, a.Descent.Schedule.End+a.Descent.Schedule.Anneal)
	}
	return min(was, sn.MaxIter)
}

// leastDescent is how many iterations a branch takes to freeze its masks, at least.
const leastDescent = 20

// snapshotName is the solverstate of an iteration.
func (s *search) snapshotName(iter int) string {
	return fmt.Sprintf("%s_iter_%d.solverstate", session.SearchPrefix(s.run.Snapshot().Prefix), iter)
}

// finish takes the run to the smallest net within the budget, and saves it as the run's own.
func (s *search) finish(ctx context.Context) error {
	best := s.now.Best() // the first branch is always within
	s.now.Done = true
	if err := s.phase("done: %s", s.now.Describe(best)); err != nil {
		return err
	}
	if err := s.back(ctx, best.Path); err != nil {
		return err
	}
	_, err := s.run.Do(ctx, session.Command{Kind: session.SnapshotNow})
	return err
}
