package collective

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A star is the connections between rank 0 and each other rank, which are there for the whole of a group's life. Over
// them go messages, signs of life, and what ends the group: rank 0 judges, and all others say what it says.
type star struct {
	rank, size int
	timeout    time.Duration
	interval   time.Duration // between signs of life
	members    []Member
	machines   []string
	session    []byte  // what the ranks' own connections prove
	peers      []*peer // of rank 0: all, by rank, nil its own; of others: rank 0 alone
	log        func(string)
	exited     func(rank int) string // how a child ended; may be nil
	child      bool                  // rank 0 has started this process

	entered  atomic.Uint64 // collective calls
	progress atomic.Uint64 // what says that a call goes on
	waits    atomic.Int32  // calls that wait, and may wait for the time-out
	waited   atomic.Int64  // ns
	about    about

	mu      sync.Mutex
	cond    sync.Cond
	started bool // all are there
	err     *RankError
	closed  bool
	halt    func() // has an engine's calls return

	failed chan struct{}
	told   chan struct{} // closed when the others have been told of err, as far as they can be
	quit   chan struct{}
	tasks  sync.WaitGroup

	sent, taken, acked uint64 // bytes of broadcasts: of rank 0; of this rank, and what rank 0 knows of it
	all                [][]byte
	reply              []byte
}

// peer is the other end of a connection.
type peer struct {
	s    *star
	rank int
	conn net.Conn

	out    sync.Mutex // a frame at a time
	broken bool       // a frame was cut off

	heard atomic.Bool // since the monitor last looked

	// Of the star's mutex:
	inbox   []message
	held    []byte // what a caller has, until its next call
	free    []byte
	seen    time.Time
	silent  time.Duration
	entered uint64
	waiting time.Duration
	told    []byte
	taken   uint64
	bye     bool
	gone    bool
}

type message struct {
	kind kind
	body []byte
}

// window is how many bytes of broadcasts rank 0 sends before the others have taken them.
const window = 64 << 20

// farewell is how long a rank that has ended waits for the other end of a connection to end, too.
const farewell = 2 * time.Second

// grace is how long who has seen something wrong waits for rank 0's word about it.
const grace = 5 * time.Second

func newStar(rank, size int, o Options) *star {
	s := &star{rank: rank, size: size, timeout: o.Timeout, log: o.Log, all: make([][]byte, size),
		failed: make(chan struct{}), told: make(chan struct{}), quit: make(chan struct{})}
	if s.timeout <= 0 {
		s.timeout = DefaultTimeout
	}
	if s.log == nil {
		s.log = func(string) {}
	}
	s.interval = min(max(s.timeout/10, 5*time.Millisecond), time.Second)
	s.halt = func() {}
	s.cond.L = &s.mu
	return s
}

// start begins to exchange signs of life, when all are there.
func (s *star) start() {
	s.mu.Lock()
	s.started = true
	gone := -1
	for _, p := range s.peers {
		if p != nil {
			p.seen = time.Now()
			s.tasks.Go(p.beat)
			if p.gone && gone < 0 {
				gone = p.rank
			}
		}
	}
	s.tasks.Go(s.watch)
	s.mu.Unlock()
	if gone >= 0 {
		s.end(gone, "has died")
	}
}

func (s *star) Rank() int               { return s.rank }
func (s *star) Size() int               { return s.size }
func (s *star) Members() []Member       { return s.members }
func (s *star) Failed() <-chan struct{} { return s.failed }

func (s *star) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return nil
	}
	return s.err
}

// heardReader notes that something has come: a long message is a sign of life.
type heardReader struct{ p *peer }

func (r heardReader) Read(b []byte) (int, error) {
	n, err := r.p.conn.Read(b)
	if n > 0 {
		r.p.heard.Store(true)
	}
	return n, err
}

// write sends a frame.
func (p *peer) write(k kind, flags uint8, body []byte) error {
	p.out.Lock()
	defer p.out.Unlock()
	if p.broken {
		return net.ErrClosed
	}
	err := writeFrame(p.conn, header{kind: k, flags: flags}, body)
	p.broken = err != nil
	return err
}

// send sends a message in pieces. That it cannot be sent is seen where the connection is read.
func (p *peer) send(k kind, body []byte) {
	for {
		n := min(len(body), pieceSize)
		flags := uint8(0)
		if n == len(body) {
			flags = last
		}
		if p.write(k, flags, body[:n]) != nil || flags == last {
			return
		}
		body = body[n:]
	}
}

// read takes in what comes until the connection ends.
func (p *peer) read() error {
	r := heardReader{p}
	var head [headerSize]byte
	var partial, scratch []byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		h, err := parseHeader(head[:], maxFrame)
		if err != nil {
			return &wrong{err}
		}
		if h.kind == kindBroadcast || h.kind == kindGather {
			if partial == nil {
				p.s.mu.Lock()
				partial, p.free = p.free[:0], nil
				p.s.mu.Unlock()
			}
			if partial, err = readMore(r, partial, h.size); err != nil {
				return err
			}
			p.s.progress.Add(1)
			if h.flags == last {
				p.take(message{h.kind, partial})
				partial = nil
			}
			continue
		}
		if scratch, err = readMore(r, scratch[:0], h.size); err != nil {
			return err
		}
		if err := p.control(h.kind, scratch); err != nil {
			return &wrong{err}
		}
	}
}

// wrong is what a rank sends that none would.
type wrong struct{ error }

// readMore appends n bytes of r to b, which grows as they come.
func readMore(r io.Reader, b []byte, n int) ([]byte, error) {
	for n > 0 {
		piece := min(n, pieceSize)
		from := len(b)
		if cap(b)-from < piece {
			b = append(make([]byte, 0, max(2*cap(b), from+piece)), b...)
		}
		b = b[:from+piece]
		if _, err := io.ReadFull(r, b[from:]); err != nil {
			return b, err
		}
		n -= piece
	}
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

func (p *peer) take(m message) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.inbox = append(p.inbox, m)
	p.s.cond.Broadcast()
}

// control does what a short frame says.
func (p *peer) control(k kind, b []byte) error {
	s := p.s
	numbers := func(n int) ([]uint64, error) {
		if len(b) != 8*n {
			return nil, fmt.Errorf("sends %d bytes as %d: wanted %d", len(b), k, 8*n)
		}
		all := make([]uint64, n)
		for i := range all {
			all[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		return all, nil
	}
	switch k {
	case kindBeat:
		if len(b) < 16 || len(b) > 16+mostTold {
			return fmt.Errorf("sends %d bytes as a sign of life: wanted 16, and %d more at most", len(b), mostTold)
		}
		s.mu.Lock()
		p.told = slices.Clone(b[16:])
		p.entered = binary.LittleEndian.Uint64(b)
		p.waiting = time.Duration(binary.LittleEndian.Uint64(b[8:]))
		s.mu.Unlock()
	case kindTaken:
		n, err := numbers(1)
		if err != nil {
			return err
		}
		s.mu.Lock()
		p.taken = n[0]
		s.cond.Broadcast()
		s.mu.Unlock()
	case kindBye:
		s.mu.Lock()
		p.bye = true
		s.cond.Broadcast()
		s.mu.Unlock()
	case kindLate:
		n, err := numbers(2)
		if err != nil {
			return err
		}
		if s.rank == 0 {
			s.mu.Lock()
			p.entered = max(p.entered, n[0])
			s.mu.Unlock()
			s.late(p.rank, time.Duration(n[1]))
		}
	case kindAccuse, kindVerdict:
		if len(b) < 8 {
			return errors.New("sends no rank with a failure")
		}
		rank, reason := binary.LittleEndian.Uint64(b), clean(string(b[8:]))
		if rank >= uint64(s.size) {
			return fmt.Errorf("says that rank %d of %d failed", rank, s.size)
		}
		if (k == kindVerdict) != (s.rank != 0) {
			return errors.New("judges, which rank 0 does")
		}
		s.end(int(rank), reason) // also of rank 0 itself, which was stopped and given up
	default:
		return fmt.Errorf("says %d where it cannot be", k)
	}
	return nil
}

// follow reads until the end, and judges that.
func (p *peer) follow() {
	err := p.read()
	s := p.s
	s.mu.Lock()
	p.gone = true
	over := p.bye || s.closed || s.err != nil || !s.started
	s.cond.Broadcast()
	s.mu.Unlock()
	if over {
		return
	}
	var bad *wrong
	switch {
	case errors.As(err, &bad):
		s.end(p.rank, bad.Error())
	case dead(err):
		reason := "has died"
		if s.exited != nil {
			if how := s.exited(p.rank); how != "" {
				reason += ": " + how
			}
		}
		s.end(p.rank, reason)
	default:
		s.end(p.rank, fmt.Sprintf("cannot be reached: %v", err))
	}
}

// enter counts a collective call.
func (s *star) enter() error {
	s.entered.Add(1)
	s.progress.Add(1)
	return s.Err()
}

// await waits until done says so, with the mutex held, or the group has ended. timed says that it may take the
// time-out.
func (s *star) await(timed bool, done func() bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && !done() {
		began := time.Now()
		if timed {
			s.progress.Add(1)
			s.waits.Add(1)
			defer s.waits.Add(-1)
		}
		for s.err == nil && !done() {
			s.cond.Wait()
		}
		s.waited.Add(int64(time.Since(began)))
	}
	if s.err != nil {
		return s.err
	}
	return nil
}

// leave waits until all ranks leave.
func (s *star) leave() error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.rank != 0 {
		_ = s.peers[0].write(kindBye, 0, nil)
		return s.await(true, func() bool { return s.peers[0].bye })
	}
	err := s.await(true, func() bool {
		for _, p := range s.peers[min(1, len(s.peers)):] {
			if !p.bye {
				return false
			}
		}
		return true
	})
	if err == nil {
		for _, p := range s.peers[min(1, len(s.peers)):] {
			_ = p.write(kindBye, 0, nil)
		}
	}
	return err
}

// shut ends the connections, when the group has ended in one way or the other.
func (s *star) shut() {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	ended := s.err != nil
	s.cond.Broadcast()
	s.mu.Unlock()
	if already {
		return
	}
	close(s.quit)
	if ended {
		<-s.told
	}
	for _, p := range s.peers {
		if p != nil {
			p.finish()
		}
	}
	s.tasks.Wait()
	for _, p := range s.peers {
		if p != nil {
			_ = p.conn.Close()
		}
	}
}
