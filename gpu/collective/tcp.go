package collective

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// mesh adds over connections between each two ranks.
//
// Each rank adds a slice of an array: all send it their part of that, and it sends all the sum. So a rank sends, and
// receives, 2·(n−1)/n·B bytes of an array of B, as by a ring, and each number is added in the order of the ranks. It is
// done in pieces: while one is added the next are on their way, and the sums of those before.
type mesh struct {
	rank, size int
	links      []*link // by rank; nil its own
	listener   net.Listener
	sums       uint64
	total      []float32 // of a piece
	other      []byte    // what came
	rounded    [pieces][]byte
	headers    [headerSumSize]byte
	flight     [pieces]sync.WaitGroup // of what is being sent from each buffer
	progress   *atomic.Uint64

	mu     sync.Mutex
	halted bool
	tasks  sync.WaitGroup
}

// link is a connection to another rank. A goroutine sends, so that two ranks that send to each other do not wait for
// each other.
type link struct {
	rank int
	conn net.Conn
	jobs chan job
}

// job is what is to be sent. Its array is not touched before that is done.
type job struct {
	b    []byte
	done *sync.WaitGroup
}

const (
	meshPiece = 64 << 10 // numbers that a rank adds at once
	// ahead is how many pieces a rank sends before it needs the others' first: the connections have something to carry
	// while it adds.
	ahead = 2
	// pieces is how many have a buffer. What is in one is on its way until those for whom it is have added it, at the
	// latest when the sums of 2·ahead pieces before have come.
	pieces        = 2*ahead + 2
	headerSumSize = 24
)

// newMesh connects each two ranks. Each listens at the address by which it reached rank 0, and lower ranks dial.
func newMesh(s *star, secret []byte) (*mesh, error) {
	e := &mesh{rank: s.rank, size: s.size, links: make([]*link, s.size), total: make([]float32, meshPiece),
		other: make([]byte, 4*meshPiece), progress: &s.progress}
	for i := range e.rounded {
		e.rounded[i] = make([]byte, 2*meshPiece*s.size)
	}
	s.mu.Lock()
	s.halt = e.halt
	s.mu.Unlock()
	key := prove(secret, s.session)
	address := ""
	if s.rank != 0 {
		host, _, err := net.SplitHostPort(s.peers[0].conn.LocalAddr().String())
		if err == nil {
			e.listener, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
		}
		if err != nil {
			return nil, e.undone(s, s.rank, fmt.Sprintf("cannot listen for the others: %v", err))
		}
		address = e.listener.Addr().String()
	}
	all, err := s.Gather([]byte(address))
	if err != nil {
		return nil, e.undone(s, -1, "")
	}
	var tasks sync.WaitGroup
	for r := s.rank + 1; r < s.size; r++ {
		where := string(all[r])
		tasks.Go(func() {
			if err := e.dial(s, r, where, key); err != nil {
				s.accuse(r, fmt.Sprintf("cannot be reached by rank %d at %s: %v", s.rank, clean(where), err))
			}
		})
	}
	if s.rank != 0 {
		e.accept(s, key)
		_ = e.listener.Close()
	}
	tasks.Wait()
	// All wait until all are connected, or one says that it isn't.
	if _, err := s.Gather(nil); err != nil {
		return nil, e.undone(s, -1, "")
	}
	for _, l := range e.links {
		if l != nil {
			e.tasks.Go(l.send)
		}
	}
	return e, nil
}

// undone is a mesh that did not come to be: the group ends.
func (e *mesh) undone(s *star, rank int, reason string) error {
	if rank >= 0 {
		s.accuse(rank, reason)
	}
	<-s.failed
	e.halt()
	return s.Err()
}

// keep takes a connection.
func (e *mesh) keep(rank int, c net.Conn) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.halted || e.links[rank] != nil {
		_ = c.Close()
		return fmt.Errorf("rank %d is connected already, or the group has ended", rank)
	}
	c.SetDeadline(time.Time{})
	e.links[rank] = &link{rank: rank, conn: c, jobs: make(chan job, 4*pieces)}
	return nil
}

// dial connects to a higher rank.
func (e *mesh) dial(s *star, rank int, where string, key []byte) error {
	end := time.Now().Add(s.timeout)
	c, err := (&net.Dialer{Deadline: end}).Dial("tcp", where)
	if err != nil {
		return err
	}
	c.SetDeadline(end)
	err = func() error {
		challenge, err := readFrame(c, kindChallenge, nonceSize)
		if err != nil {
			return err
		}
		n := hexed(nonce())
		b, err := json.Marshal(hello{Program: programName, Rank: s.rank, Size: s.size, Nonce: string(n)})
		if err != nil {
			return err
		}
		if err := writeFrame(c, header{kind: kindHello}, sealed(key, challenge, b)); err != nil {
			return err
		}
		answer, err := readFrame(c, kindWelcome, maxHello)
		if err != nil {
			return err
		}
		_, err = unseal(key, n, answer)
		return err
	}()
	if err != nil {
		_ = c.Close()
		return err
	}
	return e.keep(rank, c)
}

// accept takes the connections of the lower ranks. Who is none is told of and sent away.
func (e *mesh) accept(s *star, key []byte) {
	var tasks sync.WaitGroup
	missing := make(chan struct{}, s.rank)
	done := make(chan struct{})
	tasks.Go(func() { // until all are there, or the group has ended
		for range s.rank {
			select {
			case <-missing:
			case <-s.failed:
			}
		}
		close(done)
		_ = e.listener.Close()
	})
	for {
		c, err := e.listener.Accept()
		if err != nil {
			select {
			case <-done:
				tasks.Wait()
				return
			case <-time.After(10 * time.Millisecond): // too many open files
				continue
			}
		}
		tasks.Go(func() {
			c.SetDeadline(time.Now().Add(min(helloTime, s.timeout)))
			rank, err := greet(c, key, s.size)
			if err == nil && rank >= s.rank {
				err = fmt.Errorf("says that it is rank %d", rank)
			}
			if err == nil {
				err = e.keep(rank, c)
			}
			if err != nil {
				s.log(fmt.Sprintf("ranks: who connects from %v is refused: it %v", c.RemoteAddr(), err))
				_ = c.Close()
				return
			}
			missing <- struct{}{}
		})
	}
}

// greet finds out which rank has connected.
func greet(c net.Conn, key []byte, size int) (int, error) {
	challenge := nonce()
	if err := writeFrame(c, header{kind: kindChallenge}, challenge); err != nil {
		return 0, err
	}
	b, err := readFrame(c, kindHello, maxHello)
	if err != nil {
		return 0, err
	}
	message, err := unseal(key, challenge, b)
	if err != nil {
		return 0, err
	}
	h, err := parseHello(message)
	if err != nil {
		return 0, err
	}
	if h.Size != size || h.Rank < 0 {
		return 0, fmt.Errorf("says that it is rank %d of %d", h.Rank, h.Size)
	}
	return h.Rank, writeFrame(c, header{kind: kindWelcome}, sealed(key, []byte(h.Nonce), []byte("{}")))
}

func (e *mesh) name() string { return "TCP" }

// send sends what there is to be sent. What cannot be is seen by who reads.
func (l *link) send() {
	var err error
	for j := range l.jobs {
		if err == nil {
			if _, err = l.conn.Write(j.b); err != nil {
				_ = l.conn.Close()
			}
		}
		j.done.Done()
	}
}

// put has a link send b.
func (e *mesh) put(l *link, k int, b []byte) {
	if len(b) > 0 {
		e.flight[k%pieces].Add(1)
		l.jobs <- job{b, &e.flight[k%pieces]}
	}
}

// get reads what is due of a link.
func (l *link) get(b []byte) error {
	if _, err := io.ReadFull(l.conn, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errEnded
		}
		return &apart{l.rank, err}
	}
	return nil
}

func (e *mesh) add(x []float32, wire Wire) error {
	e.sums++
	err := e.compare(len(x), wire)
	n := 0
	for r := range e.size {
		from, to := slice(len(x), r, e.size)
		n = max(n, (to-from+meshPiece-1)/meshPiece)
	}
	for k := 0; k < n+2*ahead && err == nil; k++ {
		e.flight[k%pieces].Wait()
		if k < n {
			e.scatter(x, k, wire)
		}
		if j := k - ahead; j >= 0 && j < n {
			err = e.sum(x, j, k, wire)
		}
		if j := k - 2*ahead; j >= 0 && err == nil {
			err = e.gather(x, j, wire)
		}
		e.progress.Add(1)
	}
	if err != nil {
		e.halt() // what is being sent is done with
	}
	for k := range e.flight { // x is the caller's again
		e.flight[k].Wait()
	}
	return err
}

// compare says to all what is added, and hears it of them.
func (e *mesh) compare(length int, wire Wire) error {
	binary.LittleEndian.PutUint64(e.headers[:], e.sums)
	binary.LittleEndian.PutUint64(e.headers[8:], uint64(length))
	binary.LittleEndian.PutUint64(e.headers[16:], uint64(wire))
	for _, l := range e.links {
		if l != nil {
			e.put(l, pieces-1, e.headers[:])
		}
	}
	for r, l := range e.links {
		if l == nil {
			continue
		}
		b := e.other[:headerSumSize]
		if err := l.get(b); err != nil {
			return err
		}
		sum, theirs, format := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]),
			binary.LittleEndian.Uint64(b[16:])
		if sum != e.sums || theirs != uint64(length) || format != uint64(wire) {
			return unequal(e.rank, r, e.sums, uint64(length), theirs, wire, Wire(format))
		}
	}
	return nil
}

// piece is the k-th that rank r adds of x.
func (e *mesh) piece(x []float32, r, k int) []float32 {
	from, to := slice(len(x), r, e.size)
	from = min(to, from+k*meshPiece)
	return x[from:min(to, from+meshPiece)]
}

// scatter sends each rank its piece of this rank's numbers.
func (e *mesh) scatter(x []float32, k int, wire Wire) {
	for r, l := range e.links {
		if l == nil {
			continue
		}
		p := e.piece(x, r, k)
		b := Bytes(p)
		if wire == BFloat16 {
			b = e.rounded[k%pieces][2*meshPiece*r:][:2*len(p)]
			round(halves(b), p)
		}
		e.put(l, k, b)
	}
}

// sum adds this rank's piece over all ranks, and sends all the sum. turn says which buffers are free.
func (e *mesh) sum(x []float32, k, turn int, wire Wire) error {
	mine := e.piece(x, e.rank, k)
	total := e.total[:len(mine)]
	for r, l := range e.links {
		other := mine
		switch {
		case l == nil && wire == BFloat16:
			other = floats(e.other)[:len(mine)]
			h := halves(e.rounded[turn%pieces][2*meshPiece*e.rank:])[:len(mine)]
			round(h, mine)
			widen(other, h)
		case l == nil:
		case wire == BFloat16:
			// They come to the end of the buffer's room: each is read before its place is written.
			b := e.other[2*len(mine):][:2*len(mine)]
			if err := l.get(b); err != nil {
				return err
			}
			other = floats(e.other)[:len(mine)]
			widen(other, halves(b))
		default:
			if err := l.get(e.other[:4*len(mine)]); err != nil {
				return err
			}
			other = floats(e.other)[:len(mine)]
		}
		if r == 0 {
			copy(total, other)
		} else {
			addTo(total, total, other)
		}
	}
	b := Bytes(mine)
	if wire == BFloat16 {
		b = e.rounded[turn%pieces][2*meshPiece*e.rank:][:2*len(mine)]
		round(halves(b), total)
		widen(mine, halves(b))
	} else {
		copy(mine, total)
	}
	for _, l := range e.links {
		if l != nil {
			e.put(l, turn, b)
		}
	}
	return nil
}

// gather takes in the sums of the others' pieces.
func (e *mesh) gather(x []float32, k int, wire Wire) error {
	e.flight[k%pieces].Wait() // what comes takes the place of what was sent
	for r, l := range e.links {
		if l == nil {
			continue
		}
		p := e.piece(x, r, k)
		b := Bytes(p)
		if wire == BFloat16 {
			b = e.other[:2*len(p)]
		}
		if err := l.get(b); err != nil {
			return err
		}
		if wire == BFloat16 {
			widen(p, halves(b))
		}
	}
	return nil
}

func (e *mesh) halt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.halted = true
	if e.listener != nil {
		_ = e.listener.Close()
	}
	for _, l := range e.links {
		if l != nil {
			_ = l.conn.Close()
		}
	}
}

func (e *mesh) close() {
	for _, l := range e.links {
		if l != nil {
			close(l.jobs)
		}
	}
	e.tasks.Wait()
}
