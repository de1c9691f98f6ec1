package collective

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// end ends the group by what is wrong with a rank, unless it has ended already, and tells the others: rank 0 all,
// others rank 0.
func (s *star) end(rank int, reason string) {
	reason = clean(reason)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.closed {
		return
	}
	s.err = &RankError{Rank: rank, Member: s.member(rank), Reason: reason}
	close(s.failed)
	s.cond.Broadcast()
	s.tasks.Go(s.halt)
	s.tasks.Go(func() {
		s.tell(rank, reason)
		close(s.told)
	})
}

func (s *star) member(rank int) Member {
	if rank < len(s.members) {
		return s.members[rank]
	}
	return Member{}
}

func failure(rank int, reason string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(rank)), reason...)
}

// tell tells the others of the end, and lets the connections run dry: what is closed while something is on its way to
// it may take back what it has sent last.
func (s *star) tell(rank int, reason string) {
	k := kindVerdict
	if s.rank != 0 {
		k = kindAccuse
	}
	var tasks sync.WaitGroup
	for _, p := range s.peers {
		if p != nil {
			tasks.Go(func() {
				p.conn.SetWriteDeadline(time.Now().Add(grace / 2)) // who writes now stops, too
				_ = p.write(k, 0, failure(rank, reason))
				p.finish()
			})
		}
	}
	tasks.Wait()
}

// finish says that nothing more comes, and has the reader end soon.
func (p *peer) finish() {
	if c, ok := p.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	p.conn.SetReadDeadline(time.Now().Add(farewell))
}

// accuse has rank 0 judge that something is wrong with a rank, and waits for its word.
func (s *star) accuse(rank int, reason string) {
	if s.rank == 0 {
		s.end(rank, reason)
		return
	}
	// Where rank 0 does not take it in the watch says so; the write deadline is one of this frame alone.
	p := s.peers[0]
	p.conn.SetWriteDeadline(time.Now().Add(grace))
	_ = p.write(kindAccuse, 0, failure(rank, reason))
}

// Fail implements Group.
func (s *star) Fail(reason string) {
	s.mu.Lock()
	over := s.closed || s.err != nil
	s.mu.Unlock()
	if !over {
		s.accuse(s.rank, reason)
		select {
		case <-s.failed:
		case <-s.quit:
		case <-time.After(grace):
			s.end(s.rank, reason)
		}
	}
	if s.Err() != nil {
		<-s.told
	}
}

// lost judges the end of a connection between two ranks that are not rank 0's star: a process that died is told of by
// the star, and that comes first.
func (s *star) lost(rank int, err error) {
	select {
	case <-s.failed:
		return
	case <-time.After(grace / 2):
	}
	s.accuse(rank, fmt.Sprintf("cannot be reached by rank %d: %v", s.rank, err))
}
