package session

import (
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/files"
)

// trouble is something that cannot be written, a full disk say: said once, and again at growing intervals.
type trouble struct {
	err  error
	next time.Time // of the next word, and of the next try where that costs
	wait time.Duration
}

// A trouble is told of again after firstWait, and each time after twice as long, up to lastWait.
const (
	firstWait = 30 * time.Second
	lastWait  = time.Hour
)

// fails takes in a failure, and reports whether it is time to speak of it.
func (b *trouble) fails(err error, now time.Time) bool {
	fresh := b.err == nil
	b.err = err
	switch {
	case fresh:
		b.wait = firstWait
	case now.Before(b.next):
		return false
	default:
		b.wait = min(2*b.wait, lastWait)
	}
	b.next = now.Add(b.wait)
	return true
}

// over takes in a success, and reports whether there was trouble before.
func (b *trouble) over() bool {
	was := b.err != nil
	*b = trouble{}
	return was
}

// due reports whether it is time to try again what failed.
func (b *trouble) due(now time.Time) bool { return b.err != nil && !now.Before(b.next) }

// disk is the trouble with what a run writes.
type disk struct {
	journal, snapshot trouble
	why               string // of the snapshot that is owed
}

// text is what cannot be written, and why; "" where all can.
func (d *disk) text() string {
	switch {
	case d.snapshot.err != nil:
		return "not saved: " + caffe.Cause(d.snapshot.err).Error()
	case d.journal.err != nil:
		return "journal not written: " + caffe.Cause(d.journal.err).Error()
	}
	return ""
}

// written takes in what became of a line of the journal.
func (t *Trainer) written(err error) {
	b := &t.disk.journal
	if err == nil {
		if b.over() {
			text := "the journal is written again, with every line that waited"
			if n := t.journal.lost; n > 0 {
				text += fmt.Sprintf("; %d did not fit, and are lost", n)
			}
			t.note(Event{Iter: t.solver.Iter, Text: text})
		}
		return
	}
	if b.fails(err, time.Now()) {
		text := fmt.Sprintf(
			"journal: %v; %d lines wait in memory, and are lost if the run ends before they can be written",
			err,
			t.journal.n,
		)
		if n := t.journal.lost; n > 0 {
			text += fmt.Sprintf("; %d did not fit, and are lost", n)
		}
		t.note(Event{Iter: t.solver.Iter, Text: text})
	}
}

// saveSnapshot writes a snapshot. Where that fails training goes on, the snapshot before stays, and it is tried again.
func (t *Trainer) saveSnapshot(why string) error {
	t.written(t.journal.sync()) // what led to this snapshot is on the disk before it is
	name, err := t.save(t.run.SnapshotPrefix())
	b := &t.disk.snapshot
	if err != nil {
		t.disk.why = why
		if b.fails(err, time.Now()) {
			text := fmt.Sprintf(
				"snapshot failed: %v; %s; it is tried again with each snapshot that is due, and in %s at the latest",
				err,
				t.unsaved(),
				b.wait,
			)
			if t.opts.Interactive || t.opts.Served {
				text += "; `:snapshot_prefix DIR/NAME` saves elsewhere at once"
			}
			t.note(Event{Iter: t.solver.Iter, Text: text})
		}
		return err
	}
	again := ""
	if b.over() {
		again = ", after a failure"
	}
	t.saved, t.savedIter, t.savedAt = name, t.solver.Iter, t.place()
	t.remember(name, why, false)
	t.written(t.journal.sync())
	t.note(Event{Iter: t.solver.Iter, Text: "snapshot " + name + again, Saved: name})
	return nil
}

// unsaved says what would be lost if the run ended now.
func (t *Trainer) unsaved() string {
	return fmt.Sprintf("%d iterations, since %d, are in memory alone", t.unsavedIters(), t.solver.Iter-t.unsavedIters())
}

// unsavedIters counts the iterations since the last snapshot, or since the start.
func (t *Trainer) unsavedIters() int { return max(0, t.solver.Iter-max(t.savedIter, t.startIter)) }

// save writes a snapshot at a prefix.
func (t *Trainer) save(prefix string) (string, error) {
	name, err := t.solver.Save(prefix, t.carried())
	t.speed.reset()
	return name, err
}

// saveOwed tries again to write the snapshot that failed, when it is time.
func (t *Trainer) saveOwed() {
	if t.disk.snapshot.due(time.Now()) {
		t.saveSnapshot(t.disk.why)
	}
}

// finishedUnsaved says what a run that is done but not saved waits for.
func (t *Trainer) finishedUnsaved() string {
	return fmt.Sprintf(
		"finished, not saved: %v; %s; `:snapshot_prefix DIR/NAME` saves elsewhere",
		t.disk.snapshot.err,
		t.unsaved(),
	)
}

// await waits for a command, or for the next try to save.
func (t *Trainer) await() {
	b := &t.disk.snapshot
	if b.err == nil {
		t.carryOut(<-t.requests)
		return
	}
	timer := time.NewTimer(time.Until(b.next))
	defer timer.Stop()
	select {
	case r := <-t.requests:
		t.carryOut(r)
	case <-timer.C:
		t.saveOwed()
	}
}

// movePrefix makes snapshots, and a journal beside them, go elsewhere from now on.
func (t *Trainer) movePrefix(prefix, by string) (string, error) {
	s := t.run.Solver
	was, old := s.SnapshotPrefix, t.run.SnapshotPrefix()
	journalWas := t.run.JournalPath()
	if prefix == "" {
		return "", fmt.Errorf("snapshot_prefix: nothing given; wanted DIR/NAME")
	}
	s.SnapshotPrefix = proto.String(prefix)
	now := t.run.SnapshotPrefix()
	err := t.run.CheckSnapshotFolder()
	var j *journal
	var lock *prefixLock
	if err == nil && now != old {
		if lock, err = lockPrefix(now, t.opts.Name); errors.Is(err, errNoLocks) {
			err = nil
		}
	}
	if path := t.run.JournalPath(); err == nil && path != journalWas {
		j, err = t.moveJournal(journalWas, path)
	}
	if err != nil {
		s.SnapshotPrefix = was
		lock.release()
		return "", err
	}
	if lock != nil {
		t.lock.release()
		t.lock = lock
	}
	moved := Change{Iter: t.solver.Iter, Field: fieldPrefix, Old: old, New: now, By: by}
	if j != nil {
		t.journal.leave(moved)
		t.journal = j
	}
	t.written(t.journal.write(moved))
	t.note(Event{Iter: t.solver.Iter, Status: Applied, Text: fmt.Sprintf("snapshot_prefix %s → %s", old, now), By: by})
	if t.disk.snapshot.err != nil {
		if err := t.saveSnapshot(t.disk.why); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("snapshots go to %s", now), nil
}

// moveJournal goes on with the journal at another place: what it holds is copied, what waits goes with it.
func (t *Trainer) moveJournal(from, to string) (*journal, error) {
	if caffe.Exists(to) {
		return nil, &caffe.FileError{Path: to, Msg: "is the journal of another run; wanted a prefix of its own"}
	}
	past, err := os.ReadFile(from)
	if err != nil {
		return nil, err
	}
	f, err := files.OpenAppend(to)
	if err != nil {
		return nil, err
	}
	j := &journal{f: f, waits: t.journal.waits, n: t.journal.n, lost: t.journal.lost}
	if _, err = f.Write(past); err == nil {
		_, err = j.mend()
	}
	if err != nil {
		f.Close()
		os.Remove(to)
		return nil, err
	}
	return j, nil
}
