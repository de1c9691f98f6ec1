package session

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/model/solver"
)

// keeper writes the snapshots of a run, at its prefix, and knows which of them it can go back to.
type keeper struct {
	solver   *solver.Solver
	run      *config.Run
	rec      *recorder
	events   *events
	hist     *histograms
	settings *settings
	curves   *curves
	display  *display
	lock     *prefixLock
	opts     *Options
	points   restorePoints

	last     string // the last solverstate that was written, or gone back to
	lastIter int    // of it; -1 before the first
	lastAt   moment
	first    int // the least iteration at which the run began, or to which it went back
	trouble  trouble
	owed     string // why the snapshot was to be written that failed
}

// newKeeper returns the keeper of a run that has saved nothing yet; k has what it works with.
func newKeeper(k keeper) keeper {
	k.lastIter, k.first, k.points = -1, k.solver.Iter, newRestorePoints()
	return k
}

// guardSuffix is added to the prefix of the snapshots that are written before risky changes.
const guardSuffix = "_guard"

// ErrNoState is returned by GoBack where there is nothing to go back to.
var ErrNoState = errors.New("no snapshot of this run to go back to")

// save writes a snapshot. Where that fails training goes on, the snapshot before stays, and it is tried again.
func (k *keeper) save(why string) error {
	k.rec.sync() // what led to this snapshot is on the disk before it is
	name, err := k.write(k.run.SnapshotPrefix())
	if err != nil {
		k.owed = why
		if k.trouble.fails(err, time.Now()) {
			text := fmt.Sprintf("%s; it is tried again with each snapshot that is due, and in %s at the latest",
				k.unsavedText(), k.trouble.every())
			if k.opts.Interactive || k.opts.Served {
				text += "; `:snapshot_prefix DIR/NAME` saves elsewhere at once"
			}
			k.events.note(Event{Iter: k.solver.Iter, What: SnapshotFailed{err.Error(), text}})
		}
		return err
	}
	retried := k.trouble.over()
	k.last, k.lastIter, k.lastAt = name, k.solver.Iter, k.points.now(k.solver.Iter)
	k.remember(name, why, false)
	k.rec.sync()
	k.events.note(Event{Iter: k.solver.Iter, What: SnapshotWritten{Path: name, Why: why, Retried: retried}})
	return nil
}

// write writes a snapshot at a prefix.
func (k *keeper) write(prefix string) (string, error) {
	name, err := k.solver.Save(prefix, k.settings.sessionData())
	k.display.interrupted()
	return name, err
}

// saved reports whether the last snapshot is of this very moment.
func (k *keeper) saved() bool {
	return k.lastIter == k.solver.Iter && k.lastAt == k.points.now(k.solver.Iter)
}

// retry writes the snapshot again that failed, when it is time.
func (k *keeper) retry() {
	if k.trouble.due(time.Now()) {
		_ = k.save(k.owed) // it is told
	}
}

// unsaved counts the iterations since the last snapshot, or since the start.
func (k *keeper) unsaved() int { return max(0, k.solver.Iter-max(k.lastIter, k.first)) }

// unsavedText says what would be lost if the run ended now.
func (k *keeper) unsavedText() string {
	return fmt.Sprintf("%d iterations, since %d, are in memory alone", k.unsaved(), k.solver.Iter-k.unsaved())
}

// waitsText says what a run that is done but not saved waits for; "" where it is saved.
func (k *keeper) waitsText() string {
	err := k.trouble.failed()
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%v; %s; `:snapshot_prefix DIR/NAME` saves elsewhere", err, k.unsavedText())
}

// remember puts a snapshot that was written now among those that the run can go back to, and into the journal.
func (k *keeper) remember(path, why string, guard bool) {
	s := SavedState{
		Path: path, Iter: k.solver.Iter, Why: why, Guard: guard, Smoothed: k.solver.SmoothedLoss(),
		Accuracy: k.curves.lastAccuracy(),
	}
	if math.IsNaN(s.Smoothed) || math.IsInf(s.Smoothed, 0) {
		s.Smoothed = 0
	}
	for _, p := range k.solver.Layers() {
		s.Kept, s.Total = s.Kept+p.Kept(), s.Total+p.Total()
	}
	k.points.written(s)
	m := &Measure{Snapshot: &s}
	if !guard {
		m.Saved = path
	}
	k.rec.writeMeasure(m)
}

// guard writes a snapshot before edits that may spoil the run, unless one is there that serves.
func (k *keeper) guard(edits []config.Edit) {
	why := risk(k.solver.Hyper(), k.hist, edits)
	if why == "" || k.points.guarded(k.solver.Iter) {
		return
	}
	name, err := k.write(k.run.SnapshotPrefix() + guardSuffix)
	if err != nil { // the change itself was asked for
		k.events.note(Event{Iter: k.solver.Iter, What: Warning{fmt.Sprintf("not saved before %s: %v", why, err)}})
		return
	}
	k.remember(name, "before "+why, true)
	k.events.note(Event{Iter: k.solver.Iter, What: SnapshotWritten{Path: name, Why: why, Guard: true}})
	k.points.dropGuards(k.opts.Guard, "")
}

// keepPresent makes sure that a snapshot of this very moment is there, and returns it. target is what the run goes back
// to.
func (k *keeper) keepPresent(target string) (string, error) {
	if path := k.points.present(k.solver.Iter); path != "" {
		return path, nil
	}
	name, err := k.write(k.run.SnapshotPrefix() + guardSuffix)
	if err != nil {
		return "", err
	}
	k.remember(name, "before going back", true)
	k.points.dropGuards(k.opts.Guard, target)
	return name, nil
}

// target is the snapshot that going back to a path means, read; "" is the last good one.
func (k *keeper) target(path string) (string, *caffepb.SolverState, error) {
	if path == "" {
		s := k.points.lastGood(k.solver.Iter)
		if s == nil {
			return "", nil, ErrNoState
		}
		path = s.Path
	}
	state, err := caffe.ReadSolverState(path)
	if err != nil {
		return "", nil, err
	}
	if rs := state.RunState; rs != nil && rs.Seed != nil && rs.GetSeed() != k.solver.Seed {
		return "", nil, &caffe.FileError{
			Path: path,
			Msg:  "is of another run, with another seed: wanted a snapshot of this one",
		}
	}
	return path, state, nil
}

// wentBack takes in that the run stands at a snapshot now, having left iteration from.
func (k *keeper) wentBack(path string, from int) error {
	iter := k.solver.Iter
	k.points.leave(path, k.run.SnapshotPrefix(), iter)
	k.last, k.lastIter, k.lastAt = path, iter, k.points.now(iter)
	k.first = min(k.first, iter) // what is unsaved counts from here
	return k.rec.begin(path, from, k.points.names(), k.settings.planned())
}

// promote gives a guard that the run went back to the name of a snapshot, where that is free: a run that is cut off
// goes on from it.
func (k *keeper) promote(path string) {
	guard, ok := k.points.guardOf(path)
	if !ok {
		return
	}
	all, err := solver.Snapshots(k.run.SnapshotPrefix())
	taken := func(f solver.SnapshotFile) bool { return f.Iter == k.solver.Iter }
	if err != nil || slices.ContainsFunc(all, taken) {
		return
	}
	if name, err := k.write(k.run.SnapshotPrefix()); err == nil {
		k.last, k.lastAt = name, k.points.now(k.solver.Iter)
		k.remember(name, guard.Why, false)
	}
}

// move makes snapshots, and a journal beside them, go elsewhere from now on.
func (k *keeper) move(prefix, by string) (string, error) {
	s := k.run.Solver
	was, old := s.SnapshotPrefix, k.run.SnapshotPrefix()
	journalWas := k.run.JournalPath()
	if prefix == "" {
		return "", fmt.Errorf("snapshot_prefix: nothing given; wanted DIR/NAME")
	}
	s.SnapshotPrefix = proto.String(prefix)
	now := k.run.SnapshotPrefix()
	err := k.run.CheckSnapshotFolder()
	var lock *prefixLock
	if err == nil && now != old {
		if lock, err = lockPrefix(now, k.opts.Name); errors.Is(err, errNoLocks) {
			err = nil
		}
	}
	moved := Change{Iter: k.solver.Iter, By: by, Moved: &Moved{old, now}}
	if err == nil {
		err = k.rec.move(journalWas, k.run.JournalPath(), moved)
	}
	if err != nil {
		s.SnapshotPrefix = was
		lock.release()
		return "", err
	}
	if lock != nil {
		k.lock.release()
		k.lock = lock
	}
	k.events.note(Event{Iter: k.solver.Iter, By: by, What: ChangeApplied{moved}})
	if k.trouble.failed() != nil {
		if err := k.save(k.owed); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("snapshots go to %s", now), nil
}

// text is what cannot be written, and why; "" where all can.
func (k *keeper) text() string {
	if err := k.trouble.failed(); err != nil {
		return "not saved: " + caffe.Cause(err).Error()
	}
	if err := k.rec.problem(); err != nil {
		return "journal not written: " + caffe.Cause(err).Error()
	}
	return ""
}

// find lists what the run can go back to; past is what its journal tells, or nil.
func (k *keeper) find(past *Course) {
	k.points.find(past, k.run.SnapshotPrefix(), k.run.Snapshot, k.solver.Iter)
}

// edited counts a change of settings, operated a surgery that was asked for: a snapshot before them is not of now.
func (k *keeper) edited()   { k.points.edited() }
func (k *keeper) operated() { k.points.operated() }

// canGoBack reports whether there is a last good snapshot.
func (k *keeper) canGoBack() bool { return k.points.lastGood(k.solver.Iter) != nil }

// returns has going back once more return to a snapshot, as long as nothing happens; "" is none.
func (k *keeper) returns(path string) { k.points.returns(k.solver.Iter, path) }

// lastSaved is the last solverstate that was written, or gone back to; "" before the first.
func (k *keeper) lastSaved() string { return k.last }

// savedThis reports whether the last snapshot is of this iteration.
func (k *keeper) savedThis() bool { return k.lastIter == k.solver.Iter }

// failing reports that the last snapshot could not be written.
func (k *keeper) failing() bool { return k.trouble.failed() != nil }

// untilRetry comes when it is time to try again to save; never, where nothing failed.
func (k *keeper) untilRetry() <-chan time.Time { return k.trouble.retry() }

// began is the least iteration at which the run began, or to which it went back.
func (k *keeper) began() int { return k.first }

// release lets another run have the prefix.
func (k *keeper) release() { k.lock.release() }

// show puts what is saved into a snapshot.
func (k *keeper) show(sn *Snapshot) {
	sn.Path, sn.Prefix, sn.Journal = k.run.SolverPath, k.run.SnapshotPrefix(), k.run.JournalPath()
	sn.States, sn.Saved, sn.SavedIter = k.points.view(), k.last, k.lastIter
	sn.Trouble, sn.Unsaved = k.text(), k.unsaved()
	if back := k.points.lastGood(k.solver.Iter); back != nil {
		sn.Back = back.Path
	}
}
