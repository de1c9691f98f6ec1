package collective

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// beat sends signs of life. Where it cannot, the connection says so to who reads it.
func (p *peer) beat() {
	tick := time.NewTicker(p.s.interval)
	defer tick.Stop()
	var b []byte
	for {
		b = binary.LittleEndian.AppendUint64(b[:0], p.s.entered.Load())
		b = binary.LittleEndian.AppendUint64(b, uint64(p.s.waited.Load()))
		b = append(b, p.s.about.say()...)
		if p.write(kindBeat, 0, b) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-p.s.quit:
			return
		case <-p.s.failed:
			return
		}
	}
}

// watch looks whether all give signs of life, and whether what is waited for comes. It counts time by its own ticks, of
// which none counts for more than two intervals: a process that was stopped takes nobody else for dead when it goes on.
func (s *star) watch() {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	before, progress, late := time.Now(), uint64(0), time.Duration(0)
	for {
		select {
		case <-tick.C:
		case <-s.quit:
			return
		case <-s.failed:
			return
		}
		now := time.Now()
		passed := min(now.Sub(before), 2*s.interval)
		before = now
		if r := s.silent(now, passed); r >= 0 {
			s.end(r, fmt.Sprintf("gave no sign of life for %v", s.timeout))
			return
		}
		if p := s.progress.Load(); p != progress || s.waits.Load() == 0 {
			progress, late = p, 0
			continue
		}
		// Longer than for a sign of life, so that who gives none is named for that.
		if late += passed; late > s.timeout+2*s.interval {
			late = 0
			if s.rank == 0 {
				s.late(0, s.timeout)
				continue
			}
			var b [16]byte
			binary.LittleEndian.PutUint64(b[:], s.entered.Load())
			binary.LittleEndian.PutUint64(b[8:], uint64(s.timeout))
			_ = s.peers[0].write(kindLate, 0, b[:])
		}
	}
}

// silent returns the rank that was not heard of for too long, or -1.
func (s *star) silent(now time.Time, passed time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		switch {
		case p == nil || p.bye || p.gone:
		case p.heard.Swap(false):
			p.silent, p.seen = 0, now
		default:
			if p.silent += passed; p.silent > s.timeout {
				return p.rank
			}
		}
	}
	return -1
}

// late judges, on rank 0, who keeps a rank waiting: the first of those that have entered the fewest calls.
func (s *star) late(waits int, since time.Duration) {
	s.mu.Lock()
	entered := func(r int) uint64 {
		if r == 0 {
			return s.entered.Load()
		}
		return s.peers[r].entered
	}
	behind := 0
	for r := 1; r < s.size; r++ {
		if entered(r) < entered(behind) {
			behind = r
		}
	}
	mine, theirs := entered(waits), entered(behind)
	s.mu.Unlock()
	if theirs < mine {
		s.end(behind, fmt.Sprintf("keeps the others waiting: rank %d waits for %v in collective call %d, it entered %d",
			waits, since, mine, theirs))
		return
	}
	s.end(
		waits,
		fmt.Sprintf("waits for %v in collective call %d, which all ranks have entered: nothing passes between them",
			since, mine),
	)
}

// Status implements Group.
// mostTold is how many bytes a rank may tell of itself at a time.
const mostTold = 4 << 10

// about is what a rank tells of itself.
type about struct {
	mu sync.Mutex
	of func() []byte // nil: nothing
}

// Tell implements Group.
func (a *about) Tell(of func() []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of = of
}

// say is what it tells now.
func (a *about) say() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of == nil {
		return nil
	}
	b := a.of()
	return b[:min(len(b), mostTold)]
}

// Tell implements Group.
func (s *star) Tell(of func() []byte) { s.about.Tell(of) }

// Status implements Group.
func (s *star) Status() []Status {
	all := make([]Status, s.size)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if p != nil {
			seen := p.seen
			if p.heard.Load() {
				seen = time.Now()
			}
			all[p.rank] = Status{Seen: seen, Sums: p.entered, Waiting: p.waiting, Told: p.told}
		}
	}
	all[s.rank] = Status{
		Seen: time.Now(), Sums: s.entered.Load(), Waiting: time.Duration(s.waited.Load()), Told: s.about.say(),
	}
	return all
}
