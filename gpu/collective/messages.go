package collective

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// next waits for the next message of a peer. What it returned before is taken back.
func (s *star) next(p *peer, k kind, timed bool) ([]byte, error) {
	s.mu.Lock()
	if p.held != nil && cap(p.held) <= 4*pieceSize {
		p.free = p.held
	}
	p.held = nil
	s.mu.Unlock()
	var m message
	err := s.await(timed, func() bool {
		if len(p.inbox) == 0 {
			return false
		}
		m = p.inbox[0]
		n := copy(p.inbox, p.inbox[1:])
		p.inbox = p.inbox[:n]
		p.held = m.body
		return true
	})
	if err != nil {
		return nil, err
	}
	if m.kind != k {
		s.accuse(
			s.rank,
			fmt.Sprintf("and rank %d make calls in another order: one broadcasts where the other gathers", p.rank),
		)
		<-s.failed
		return nil, s.Err()
	}
	return m.body, nil
}

// Broadcast implements Group.
func (s *star) Broadcast(message []byte) ([]byte, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	if s.rank != 0 {
		b, err := s.next(s.peers[0], kindBroadcast, false)
		if err != nil {
			return nil, err
		}
		if s.taken += uint64(len(b)); s.taken-s.acked >= 1<<20 {
			s.acked = s.taken
			_ = s.peers[0].write(kindTaken, 0, binary.LittleEndian.AppendUint64(nil, s.taken))
		}
		return b, nil
	}
	if err := s.await(true, func() bool {
		for _, p := range s.peers[1:] {
			if s.sent-p.taken > window {
				return false
			}
		}
		return true
	}); err != nil {
		return nil, err
	}
	s.sent += uint64(len(message))
	s.scatter(kindBroadcast, message)
	return message, s.Err()
}

// scatter sends a message to all ranks, a piece at a time to each.
func (s *star) scatter(k kind, message []byte) {
	for body := message; ; {
		n := min(len(body), pieceSize)
		flags := uint8(0)
		if n == len(body) {
			flags = last
		}
		for _, p := range s.peers[1:] {
			_ = p.write(k, flags, body[:n]) // the reader sees what is wrong with the connection
		}
		if flags == last {
			return
		}
		body = body[n:]
		s.progress.Add(1)
	}
}

// Gather implements Group.
func (s *star) Gather(message []byte) ([][]byte, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	if s.rank != 0 {
		s.peers[0].send(kindGather, message)
		b, err := s.next(s.peers[0], kindGather, true)
		if err != nil {
			return nil, err
		}
		if err := unpack(b, s.all); err != nil {
			s.accuse(0, err.Error())
			<-s.failed
			return nil, s.Err()
		}
		return s.all, nil
	}
	s.reply = append(s.reply[:0], message...)
	s.all[0] = s.reply
	for r := 1; r < s.size; r++ {
		b, err := s.next(s.peers[r], kindGather, true)
		if err != nil {
			return nil, err
		}
		s.all[r] = b
	}
	if s.size > 1 {
		s.scatter(kindGather, pack(s.all))
	}
	return s.all, s.Err()
}

// pack is messages one after the other, each behind its length.
func pack(all [][]byte) []byte {
	n := 0
	for _, m := range all {
		n += 8 + len(m)
	}
	b := make([]byte, 0, n)
	for _, m := range all {
		b = append(binary.LittleEndian.AppendUint64(b, uint64(len(m))), m...)
	}
	return b
}

// unpack is its reverse, into a slice for each.
func unpack(b []byte, all [][]byte) error {
	for r := range all {
		if len(b) < 8 {
			return errors.New("sends messages that end early")
		}
		n := binary.LittleEndian.Uint64(b)
		b = b[8:]
		if n > uint64(len(b)) {
			return fmt.Errorf("sends a message of %d bytes, of which %d came", n, len(b))
		}
		all[r], b = b[:n:n], b[n:]
	}
	if len(b) != 0 {
		return fmt.Errorf("sends %d bytes behind the messages", len(b))
	}
	return nil
}
