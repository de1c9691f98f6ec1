package remote

import (
	"slices"
	"sync"
	"time"

	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

// updates is the latest snapshot as all viewers see it, and the frames that lead to it: each is encoded once, whoever
// asks.
type updates struct {
	mu     sync.Mutex
	latest *session.Snapshot
	of     *session.Snapshot // the session's, with its viewers
	frames map[*session.Snapshot][]byte
	// coming is closed when there is a later snapshot; nil while nobody waits.
	coming chan struct{}
	asked  chan struct{} // somebody waits
}

func newUpdates() *updates {
	return &updates{frames: map[*session.Snapshot][]byte{}, asked: make(chan struct{}, 1)}
}

// refresh takes the session's latest snapshot, with its viewers. The same stays until something changes.
func (s *Server) refresh() {
	now, viewers := s.session.Snapshot(), s.Viewers()
	n := s.updates
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.latest != nil && (now == n.of || now.Published.Equal(n.of.Published) && now.Health == n.of.Health) &&
		slices.Equal(viewers, n.latest.Viewers) {
		return
	}
	if n.latest != nil && now.Published.Before(n.of.Published) {
		return // another was quicker to see a later one
	}
	c := *now
	c.Viewers = viewers
	n.latest, n.of = &c, now
	clear(n.frames)
	if n.coming != nil {
		close(n.coming)
		n.coming = nil
	}
}

// frame is what leads from a snapshot that a viewer has, or nil, to the latest, and that.
func (s *Server) frame(from *session.Snapshot) ([]byte, *session.Snapshot, error) {
	s.refresh()
	n := s.updates
	n.mu.Lock()
	defer n.mu.Unlock()
	if b, ok := n.frames[from]; ok {
		return b, n.latest, nil
	}
	b, err := delimited{}.frame(&remotepb.Reply{Kind: &remotepb.Reply_State{State: encodeSnapshot(n.latest, from)}})
	if err == nil {
		n.frames[from] = b
	}
	return b, n.latest, err
}

// changedSince is closed once there is another snapshot than the one that a viewer has.
func (s *Server) changedSince(has *session.Snapshot) <-chan struct{} {
	n := s.updates
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.latest != has || has == nil {
		return closedChannel
	}
	if n.coming == nil {
		n.coming = make(chan struct{})
	}
	select {
	case n.asked <- struct{}{}:
	default:
	}
	return n.coming
}

var closedChannel = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// poll looks for later snapshots while somebody waits for one: one for all.
func (s *Server) poll() {
	for {
		select {
		case <-s.closing:
			return
		case <-s.updates.asked:
		}
		for waits := true; waits; {
			select {
			case <-s.closing:
				return
			case <-time.After(pollInterval):
			}
			s.refresh()
			s.updates.mu.Lock()
			waits = s.updates.coming != nil
			s.updates.mu.Unlock()
		}
	}
}
