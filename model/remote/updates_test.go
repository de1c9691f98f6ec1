package remote

import (
	"testing"
	"time"

	"dns-tui/model/session"
)

// A state is encoded once for all viewers that have the same one before, and anew for the others.
func TestFramesAreShared(t *testing.T) {
	f := newFake()
	s := NewServer(f, "lenet-1", "test")
	frame := func(from *session.Snapshot) ([]byte, *session.Snapshot) {
		t.Helper()
		b, at, err := s.frame(from)
		if err != nil {
			t.Fatal(err)
		}
		return b, at
	}
	a, first := frame(nil)
	b, again := frame(nil)
	if &a[0] != &b[0] || first != again {
		t.Error("the same state was encoded twice")
	}
	next := *f.Snapshot()
	next.Iter, next.Published = 7, next.Published.Add(time.Second)
	f.latest.Store(&next)
	diff, second := frame(first)
	whole, _ := frame(nil)
	if second == first || second.Iter != 7 || len(diff) >= len(whole) {
		t.Errorf(
			"at %d, %d bytes for a viewer with the state before, %d for one with none",
			second.Iter,
			len(diff),
			len(whole),
		)
	}
	if c, _ := frame(first); &c[0] != &diff[0] {
		t.Error("the difference was encoded twice")
	}
	select {
	case <-s.changedSince(first):
	default:
		t.Error("a viewer with an older state waits")
	}
	select {
	case <-s.changedSince(second):
		t.Error("nothing is new")
	default:
	}
}
