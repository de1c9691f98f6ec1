package session

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dns-tui/config"
	"dns-tui/model"
	"dns-tui/model/solver"
)

// An observer gets what its filter lets through, in order; what finds no room is counted, and nobody waits.
func TestObserver(t *testing.T) {
	changes := NewObserver(2, func(e Event) bool { return e.Status() == Applied })
	all := NewObserver(100, nil)
	s := newEvents([]*Observer{changes, all})
	s.note(Event{Iter: 1, What: Notice{"a net was upgraded"}})
	for i := range 5 {
		s.note(Event{Iter: i, What: SurgeryDone{i}})
	}
	s.send(Event{Iter: 9, What: Progress{Iter: 9}})
	if n := len(changes.Events()); n != 2 || changes.Dropped() != 3 {
		t.Errorf("%d changes have room, %d are dropped; wanted 2 and 3", n, changes.Dropped())
	}
	if e := <-changes.Events(); e.What != (SurgeryDone{0}) || e.Seq != 2 {
		t.Errorf("%+v; wanted the first", e)
	}
	if n := len(all.Events()); n != 7 || all.Dropped() != 0 {
		t.Errorf("%d events of 7, %d dropped", n, all.Dropped())
	}
}

// A snapshot keeps the last events, and knows how many it does not have.
func TestSnapshotCountsEvents(t *testing.T) {
	s := newEvents(nil)
	for range maxEvents + 7 {
		s.note(Event{What: Notice{"x"}})
	}
	s.send(Event{What: Progress{}}) // is not kept, and not missed
	var sn Snapshot
	s.show(&sn)
	if len(sn.Events) != maxEvents || sn.EventsDropped() != 7 {
		t.Errorf("%d events, %d dropped; wanted %d and 7", len(sn.Events), sn.EventsDropped(), maxEvents)
	}
	missed := Snapshot{Events: append(sn.Events[:3:3], sn.Events[10:]...)} // by a viewer that was slow
	if n := missed.EventsDropped(); n != 14 {
		t.Errorf("%d dropped, wanted 14", n)
	}
	if n := (&Snapshot{}).EventsDropped(); n != 0 {
		t.Errorf("%d dropped of none", n)
	}
}

// What an event says, and what became of it.
func TestEventText(t *testing.T) {
	p := Plan{
		ID: 3, Edit: edited(field("conv2", config.Threshold), 1, 1.5).Edit, At: 7, Over: 20,
		Begun: true, Old: 0.6, OldKnown: true,
	}
	results := []solver.TestResult{
		{Outputs: []model.Output{{Name: "accuracy", Value: 0.99}, {Name: "loss", Value: 0.03}}},
	}
	for _, c := range []struct {
		what Payload
		want string
	}{
		{Warning{"x"}, "WARNING: x"},
		{CommandRejected{"step 0", "wanted 1"}, "rejected: step 0: wanted 1"},
		{SurgeryDone{3}, "applied: surgery on 3 layers"},
		{PlanMade{p}, "pending: plan 3: conv2.threshold to 1.5 over 20 at 7"},
		{PlanCanceled{p}, "plan 3 is canceled: conv2.threshold to 1.5 over 20 at 7"},
		{PlanRejected{p, "no memory"}, "rejected: plan 3: no memory"},
		{RampDone{p}, "applied: conv2.threshold 0.6 → 1.5, the end of plan 3"},
		{SnapshotWritten{Path: "a"}, "snapshot a"},
		{SnapshotWritten{Path: "a", Retried: true}, "snapshot a, after a failure"},
		{SnapshotWritten{Path: "a", Why: "lr 1 → 2", Guard: true}, "saved before lr 1 → 2: B goes back to it"},
		{JournalWritten{2}, "the journal is written again, with every line that waited; 2 did not fit, and are lost"},
		{TestDone{results}, "test  accuracy 0.9900  loss 0.0300"},
		{Collapsed{"stuck", true}, "paused: stuck"},
		{Collapsed{"stuck", false}, "WARNING: stuck"},
		{WentBack{From: 9, To: 5, Path: "a", Returns: true}, "applied: from 9 back to 5, a; back once more returns"},
		{RunFinished{}, "finished"},
		{RunFinished{"disk full"}, "finished, not saved: disk full"},
	} {
		if got := (Event{What: c.what}).String(); got != c.want {
			t.Errorf("%s says %q, wanted %q", reflect.TypeOf(c.what), got, c.want)
		}
	}
	if d := cmp.Diff("journal: full; 2 lines wait in memory, and are lost if the run ends before they can be written",
		JournalFailed{"full", 2, 0}.String()); d != "" {
		t.Error(d)
	}
	if s := (LayerEmptied{"ip1", "threshold", 5}).String(); !strings.HasSuffix(s, "lower its threshold, now 5") {
		t.Error(s)
	}
}
