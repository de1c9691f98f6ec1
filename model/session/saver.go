package session

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/model/solver"
)

// saver writes the snapshots of a run, at its prefix, and knows which of them it can go back to.
type saver struct {
	saverParts
	points restorePoints

	last         string // the last solverstate that was written, or gone back to
	lastIter     int    // of it; -1 before the first
	lastRevision revision
	first        int // the least iteration at which the run began, or to which it went back
	backoff      backoff
	retryWhy     string // why the snapshot that failed was written
	saving       bool   // a snapshot is being written
}

// saverParts are what a saver works with.
type saverParts struct {
	Solver   *solver.Solver
	Run      *config.Run
	Rec      *recorder
	Events   *events
	Hist     *histograms
	Settings *settings
	Descent  *descent
	Curves   *curves
	Display  *display
	Lock     *prefixLock
	Opts     *Options
	// Publish shows the run as it is: before something that takes long.
	Publish func()
}

// newSaver returns the saver of a run that has saved nothing yet.
func newSaver(p saverParts) saver {
	return saver{saverParts: p, lastIter: -1, first: p.Solver.Iter, points: newRestorePoints()}
}

// descentGuards is how many snapshots a descent keeps, of a run that writes none before risky changes.
const descentGuards = 3

// guardSuffix is added to the prefix of the snapshots that are written before risky changes, and before going back;
// presentSuffix where going back is to a guard of this iteration, which what is now must not replace.
const (
	guardSuffix   = "_guard"
	presentSuffix = "_guard2"
)

// searchSuffix is added to the prefix of those that a search writes.
const searchSuffix = "_search"

// ErrNoRestorePoint is returned by GoBack where there is nothing to go back to.
var ErrNoRestorePoint = errors.New("no snapshot of this run to go back to")

// save writes a snapshot. Where that fails training continues, the snapshot before stays, and it is tried again.
func (s *saver) save(why string) error { return s.saveAt(s.Run.SnapshotPrefix(), why) }

// saveForSearch is save, of a snapshot that a search goes back to: no other snapshot of the run replaces it.
func (s *saver) saveForSearch(why string) error {
	return s.saveAt(SearchPrefix(s.Run.SnapshotPrefix()), why)
}

func (s *saver) saveAt(prefix, why string) error {
	s.Rec.sync() // what led to this snapshot is on the disk before it is
	name, err := s.write(prefix)
	if err != nil {
		s.retryWhy = why
		if s.backoff.fail(err, time.Now()) {
			text := fmt.Sprintf("%s; it is tried again with each snapshot that is due, and in %s at the latest",
				s.unsavedText(), s.backoff.every())
			if s.Opts.Interactive || s.Opts.Served {
				text += "; `:snapshot_prefix DIR/NAME` saves elsewhere at once"
			}
			s.Events.note(Event{Iter: s.Solver.Iter, What: SnapshotFailed{err.Error(), text}})
		}
		return err
	}
	retried := s.backoff.succeed()
	s.last, s.lastIter, s.lastRevision = name, s.Solver.Iter, s.points.now(s.Solver.Iter)
	s.remember(name, why, false)
	s.Rec.sync()
	s.Events.note(Event{Iter: s.Solver.Iter, What: SnapshotWritten{Path: name, Why: why, Retried: retried}})
	return nil
}

// write writes a snapshot at a prefix.
func (s *saver) write(prefix string) (string, error) {
	s.saving = true
	s.Publish()
	name, err := s.Solver.Save(prefix, s.Settings.sessionData())
	s.Display.interrupted()
	s.saving = false
	s.Publish()
	return name, err
}

// saved reports whether the last snapshot is of this very revision.
func (s *saver) saved() bool {
	return s.lastIter == s.Solver.Iter && s.lastRevision == s.points.now(s.Solver.Iter)
}

// retry writes the snapshot again that failed, when it is time.
func (s *saver) retry() {
	if s.backoff.due(time.Now()) {
		_ = s.save(s.retryWhy) // it is told
	}
}

// unsaved counts the iterations since the last snapshot, or since the start.
func (s *saver) unsaved() int { return max(0, s.Solver.Iter-max(s.lastIter, s.first)) }

// unsavedText says what would be lost if the run ended now.
func (s *saver) unsavedText() string {
	return fmt.Sprintf("%d iterations, since %d, are in memory alone", s.unsaved(), s.Solver.Iter-s.unsaved())
}

// waitsText says what a run that is done but not saved waits for; "" where it is saved.
func (s *saver) waitsText() string {
	err := s.backoff.failed()
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%v; %s; `:snapshot_prefix DIR/NAME` saves elsewhere", err, s.unsavedText())
}

// remember puts a snapshot that was written now among those that the run can go back to, and into the journal.
func (s *saver) remember(path, why string, guard bool) {
	point := RestorePoint{
		Path: path, Iter: s.Solver.Iter, Why: why, Guard: guard, Smoothed: s.Solver.SmoothedLoss(),
		Accuracy: s.Curves.lastAccuracy(),
	}
	if math.IsNaN(point.Smoothed) || math.IsInf(point.Smoothed, 0) {
		point.Smoothed = 0
	}
	for _, p := range s.Solver.Layers() {
		point.Kept, point.Total = point.Kept+p.Kept(), point.Total+p.Total()
	}
	s.points.written(point)
	m := &Measure{Snapshot: &point}
	if !guard {
		m.Saved = path
	}
	s.Rec.writeMeasure(m)
}

// guard writes a snapshot before edits that may spoil the run, unless one is there that serves.
func (s *saver) guard(edits []config.Edit) {
	why := risk(s.Solver.Hyper(), s.Hist, edits)
	if why == "" || s.points.guarded(s.Solver.Iter) {
		return
	}
	s.guardNow(why) // where that fails, the change itself was asked for
}

// guardNow writes a snapshot that nobody asked for, before something, and returns its name; "" where that failed, which
// is told. Only the last few are kept.
func (s *saver) guardNow(before string) string {
	name, err := s.write(s.Run.SnapshotPrefix() + guardSuffix)
	if err != nil {
		s.Events.note(Event{Iter: s.Solver.Iter, What: Notice{fmt.Sprintf("not saved before %s: %v", before, err)}})
		return ""
	}
	s.remember(name, "before "+before, true)
	s.Events.note(Event{Iter: s.Solver.Iter, What: SnapshotWritten{Path: name, Why: before, Guard: true}})
	few := s.Opts.Guard
	if few == 0 { // a descent's
		few = descentGuards
	}
	s.points.dropGuards(few, "")
	return name
}

// keepPresent makes sure that a snapshot of this very revision is there, and returns it. target is what the run goes
// back to.
func (s *saver) keepPresent(target string) (string, error) {
	if path := s.points.present(s.Solver.Iter); path != "" {
		return path, nil
	}
	prefix := s.Run.SnapshotPrefix() + guardSuffix
	if strings.HasPrefix(target, fmt.Sprintf("%s_iter_%d.", prefix, s.Solver.Iter)) {
		prefix = s.Run.SnapshotPrefix() + presentSuffix
	}
	name, err := s.write(prefix)
	if err != nil {
		return "", err
	}
	s.remember(name, "before going back", true)
	s.points.dropGuards(s.Opts.Guard, target)
	return name, nil
}

// target is the snapshot that going back to a path means, read; "" is the last good one.
func (s *saver) target(path string) (string, *caffepb.SolverState, error) {
	if path == "" {
		point := s.points.lastGood(s.Solver.Iter)
		if point == nil {
			return "", nil, ErrNoRestorePoint
		}
		path = point.Path
	}
	state, err := caffe.ReadSolverState(path)
	if err != nil {
		return "", nil, err
	}
	if rs := state.RunState; rs != nil && rs.Seed != nil && rs.GetSeed() != s.Solver.Seed {
		return "", nil, &caffe.FileError{
			Path: path,
			Msg:  "is of another run, with a different seed; wanted a snapshot of this one",
		}
	}
	return path, state, nil
}

// wentBack takes in that the run stands at a snapshot now, having left iteration from.
func (s *saver) wentBack(path string, from int) error {
	iter := s.Solver.Iter
	s.points.leaveCourse(path, s.Run.SnapshotPrefix(), iter)
	s.last, s.lastIter, s.lastRevision = path, iter, s.points.now(iter)
	s.first = min(s.first, iter) // what is unsaved counts from here
	return s.Rec.begin(path, from, s.points.names(), s.Settings.planned(), s.Descent.current())
}

// promoteGuard gives a guard that the run went back to the name of a snapshot, where that is free: a run that is cut
// off resumes from it.
func (s *saver) promoteGuard(path string) {
	guard, ok := s.points.guardOf(path)
	if !ok {
		return
	}
	all, err := solver.Snapshots(s.Run.SnapshotPrefix())
	taken := func(f solver.SnapshotFile) bool { return f.Iter == s.Solver.Iter }
	if err != nil || slices.ContainsFunc(all, taken) {
		return
	}
	if name, err := s.write(s.Run.SnapshotPrefix()); err == nil {
		s.last, s.lastRevision = name, s.points.now(s.Solver.Iter)
		s.remember(name, guard.Why, false)
	}
}

// move makes snapshots, and a journal beside them, go elsewhere from now on.
func (s *saver) move(prefix, by string) (string, error) {
	param := s.Run.Solver
	was, old := param.SnapshotPrefix, s.Run.SnapshotPrefix()
	journalWas := s.Run.JournalPath()
	if prefix == "" {
		return "", fmt.Errorf("snapshot_prefix: nothing given; wanted DIR/NAME")
	}
	param.SnapshotPrefix = proto.String(prefix)
	now := s.Run.SnapshotPrefix()
	err := s.Run.CheckSnapshotFolder()
	var lock *prefixLock
	if err == nil && now != old {
		if lock, err = lockPrefix(now, s.Opts.Name); errors.Is(err, errNoLocks) {
			err = nil
		}
	}
	moved := Change{Iter: s.Solver.Iter, By: by, Moved: &Moved{old, now}}
	if err == nil {
		err = s.Rec.move(journalWas, s.Run.JournalPath(), moved)
	}
	if err != nil {
		param.SnapshotPrefix = was
		lock.release()
		return "", err
	}
	if lock != nil {
		s.Lock.release()
		s.Lock = lock
	}
	s.Events.note(Event{Iter: s.Solver.Iter, By: by, What: ChangeApplied{moved}})
	if s.backoff.failed() != nil {
		if err := s.save(s.retryWhy); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("snapshots go to %s", now), nil
}

// problemText is what cannot be written, and why; "" where all can.
func (s *saver) problemText() string {
	if err := s.backoff.failed(); err != nil {
		return "not saved: " + caffe.Cause(err).Error()
	}
	if err := s.Rec.problem(); err != nil {
		return "journal not written: " + caffe.Cause(err).Error()
	}
	return ""
}

// find lists what the run can go back to; past is what its journal tells, or nil.
func (s *saver) find(past *Course) {
	s.points.find(past, s.Run.SnapshotPrefix(), s.Run.Snapshot, s.Solver.Iter)
}

// edited counts a change of settings, of what waits or of what is planned, operated a surgery that was asked for: a
// snapshot before them is not of now.
func (s *saver) edited()   { s.points.edited() }
func (s *saver) operated() { s.points.operated() }

// canGoBack reports whether there is a last good snapshot.
func (s *saver) canGoBack() bool { return s.points.lastGood(s.Solver.Iter) != nil }

// setReturn has going back once more return to a snapshot, as long as nothing happens; "" is none.
func (s *saver) setReturn(path string) { s.points.setReturn(s.Solver.Iter, path) }

// lastSaved is the last solverstate that was written, or gone back to; "" before the first.
func (s *saver) lastSaved() string { return s.last }

// savedThis reports whether the last snapshot is of this iteration.
func (s *saver) savedThis() bool { return s.lastIter == s.Solver.Iter }

// failing reports that the last snapshot could not be written.
func (s *saver) failing() bool { return s.backoff.failed() != nil }

// untilRetry comes when it is time to try again to save; never, where nothing failed.
func (s *saver) untilRetry() <-chan time.Time { return s.backoff.retry() }

// began is the least iteration at which the run began, or to which it went back.
func (s *saver) began() int { return s.first }

// release lets another run have the prefix.
func (s *saver) release() { s.Lock.release() }

// show puts what is saved into a snapshot.
func (s *saver) show(sn *Snapshot) {
	sn.Path, sn.Prefix, sn.Journal = s.Run.SolverPath, s.Run.SnapshotPrefix(), s.Run.JournalPath()
	sn.RestorePoints, sn.Saved, sn.SavedIter = s.points.view(), s.last, s.lastIter
	sn.WriteProblem, sn.Unsaved, sn.Saving = s.problemText(), s.unsaved(), s.saving
	if back := s.points.lastGood(s.Solver.Iter); back != nil {
		sn.Back = back.Path
	}
}
