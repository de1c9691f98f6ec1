package collective

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dns-tui/gpu/collective/mpi"
)

// viaMPI adds by messages of MPI's. It is done as by a mesh: each rank adds a slice, in the order of the ranks, so the
// bits do not depend on what a library's own MPI_Allreduce does.
type viaMPI struct {
	world      *mpi.World
	rank, size int
	sums       uint64
	total      []float32
	came       [2][]byte // pieces of the others, by turns
	rounded    [2][]byte // this rank's, for the others
	sent       [2][]byte // the sum of a piece, rounded
	spread     [2][]byte // the others' sums, rounded
	first      [2]*mpi.Requests
	second     [2]*mpi.Requests
	headers    []byte
	halted     atomic.Bool
	progress   *atomic.Uint64
	kept       []float32 // what MPI may still write to, after a halt

	stop chan struct{} // closed by halt
	once sync.Once
	job  func() error // adds x, on MPI's thread
	x    []float32
	wire Wire
}

const (
	tagHeader = iota + 1
	tagPart
	tagSum
	tagMeet
)

// mpiPiece is how many numbers a rank adds at once. Larger than a mesh's: a message is announced, and asked for.
const mpiPiece = 256 << 10

func newViaMPI(w *mpi.World, s *star) *viaMPI {
	e := &viaMPI{world: w, rank: s.rank, size: s.size, total: make([]float32, mpiPiece), progress: &s.progress,
		headers: make([]byte, headerSumSize*(s.size+1))}
	for i := range 2 {
		e.first[i], e.second[i] = w.NewRequests(2*s.size), w.NewRequests(2*s.size)
		e.came[i] = make([]byte, 4*mpiPiece*s.size)
		e.sent[i] = make([]byte, 2*mpiPiece)
		e.rounded[i] = make([]byte, 2*mpiPiece*s.size)
		e.spread[i] = make([]byte, 2*mpiPiece*s.size)
	}
	e.stop = make(chan struct{})
	e.job = func() error { return e.sum(e.x, e.wire) }
	return e
}

func (e *viaMPI) name() string { return e.world.Name() }

func (e *viaMPI) add(x []float32, wire Wire) error {
	e.sums++
	e.x, e.wire = x, wire
	err := e.world.Do(e.job, e.stop)
	if err != nil {
		e.kept = x
	}
	return err
}

func (e *viaMPI) sum(x []float32, wire Wire) error {
	if err := e.compare(len(x), wire); err != nil {
		return err
	}
	n := 0
	for r := range e.size {
		from, to := slice(len(x), r, e.size)
		n = max(n, (to-from+mpiPiece-1)/mpiPiece)
	}
	for k := range n + 2 {
		if k < n {
			if err := e.scatter(x, k, wire); err != nil {
				return err
			}
		}
		if k >= 1 && k <= n {
			if err := e.first[(k-1)%2].Wait(e.halted.Load); err != nil {
				return err
			}
			if err := e.combine(x, k-1, wire); err != nil {
				return err
			}
		}
		if k >= 2 {
			if err := e.second[k%2].Wait(e.halted.Load); err != nil {
				return err
			}
			e.collect(x, k-2, wire)
		}
		e.progress.Add(1)
	}
	return nil
}

// compare says to all what is added, and hears it of them.
func (e *viaMPI) compare(length int, wire Wire) error {
	mine := e.headers[headerSumSize*e.size:]
	binary.LittleEndian.PutUint64(mine, e.sums)
	binary.LittleEndian.PutUint64(mine[8:], uint64(length))
	binary.LittleEndian.PutUint64(mine[16:], uint64(wire))
	for r := range e.size {
		if r != e.rank {
			if err := e.first[0].Receive(e.headers[headerSumSize*r:][:headerSumSize], r, tagHeader); err != nil {
				return err
			}
			if err := e.first[0].Send(mine, r, tagHeader); err != nil {
				return err
			}
		}
	}
	if err := e.first[0].Wait(e.halted.Load); err != nil {
		return err
	}
	for r := range e.size {
		b := e.headers[headerSumSize*r:]
		if r == e.rank {
			continue
		}
		if sum, theirs, format := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]),
			binary.LittleEndian.Uint64(b[16:]); sum != e.sums || theirs != uint64(length) || format != uint64(wire) {
			return unequal(e.rank, r, e.sums, uint64(length), theirs, wire, Wire(format))
		}
	}
	return nil
}

// piece is the k-th that rank r adds of x.
func (e *viaMPI) piece(x []float32, r, k int) []float32 {
	from, to := slice(len(x), r, e.size)
	from = min(to, from+k*mpiPiece)
	return x[from:min(to, from+mpiPiece)]
}

// width is how many bytes of a number travel.
func width(wire Wire) int {
	if wire == BFloat16 {
		return 2
	}
	return 4
}

// scatter begins to send each rank its piece of this rank's numbers, and to receive theirs.
func (e *viaMPI) scatter(x []float32, k int, wire Wire) error {
	q, mine := e.first[k%2], e.piece(x, e.rank, k)
	for r := range e.size {
		if r == e.rank {
			continue
		}
		if len(mine) > 0 {
			if err := q.Receive(e.came[k%2][4*mpiPiece*r:][:width(wire)*len(mine)], r, tagPart); err != nil {
				return err
			}
		}
		p := e.piece(x, r, k)
		b := Bytes(p)
		if wire == BFloat16 {
			b = e.rounded[k%2][2*mpiPiece*r:][:2*len(p)]
			round(halves(b), p)
		}
		if len(p) > 0 {
			if err := q.Send(b, r, tagPart); err != nil {
				return err
			}
		}
	}
	return nil
}

// combine adds this rank's piece over all ranks, and begins to send all the sum, and to receive theirs.
func (e *viaMPI) combine(x []float32, k int, wire Wire) error {
	mine := e.piece(x, e.rank, k)
	total := e.total[:len(mine)]
	own := e.sent[k%2][:2*len(mine)]
	if wire == BFloat16 {
		round(halves(own), mine)
	}
	for r := range e.size {
		b := e.came[k%2][4*mpiPiece*r:]
		switch {
		case wire == BFloat16 && r == e.rank:
			b = own
			fallthrough
		case wire == BFloat16:
			if h := halves(b)[:len(mine)]; r == 0 {
				widen(total, h)
			} else {
				addHalves(total, h)
			}
		default:
			other := floats(b)[:len(mine)]
			if r == e.rank {
				other = mine
			}
			if r == 0 {
				copy(total, other)
			} else {
				addTo(total, total, other)
			}
		}
	}
	b := Bytes(mine)
	if wire == BFloat16 {
		b = own
		round(halves(b), total)
		widen(mine, halves(b))
	} else {
		copy(mine, total)
	}
	q := e.second[k%2]
	for r := range e.size {
		if r == e.rank {
			continue
		}
		p := e.piece(x, r, k)
		into := Bytes(p)
		if wire == BFloat16 {
			into = e.spread[k%2][2*mpiPiece*r:][:2*len(p)]
		}
		if len(p) > 0 {
			if err := q.Receive(into, r, tagSum); err != nil {
				return err
			}
		}
		if len(mine) > 0 {
			if err := q.Send(b, r, tagSum); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect takes in the others' sums.
func (e *viaMPI) collect(x []float32, k int, wire Wire) {
	if wire != BFloat16 {
		return // they have come to their places
	}
	for r := range e.size {
		if p := e.piece(x, r, k); r != e.rank {
			widen(p, halves(e.spread[k%2][2*mpiPiece*r:])[:len(p)])
		}
	}
}

func (e *viaMPI) halt() {
	e.halted.Store(true)
	e.once.Do(func() { close(e.stop) })
}

func (e *viaMPI) close() {}

// meeting point of the ranks of an MPI: what rank 0 tells the others.
type meetingPoint struct {
	Address string
	Secret  string
	Error   string
}

// openMPI joins the ranks of an MPI launcher. Beside MPI there is a star, by which failures are seen: MPI hands round
// its address and a secret that is made for this.
func openMPI(place Place, o Options) (Group, error) {
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	w, err := mpi.Open(
		mpi.Launched{By: place.Launcher, Family: place.family, Rank: place.Rank, Size: place.Size},
		timeout,
	)
	if err != nil {
		return nil, err
	}
	point, listener, err := meetByMPI(w, place, timeout)
	if err != nil {
		return nil, err
	}
	s := newStar(place.Rank, place.Size, o)
	key := []byte(point.Secret)
	if place.Rank == 0 {
		err = s.lead(o, key, listener, nil)
	} else {
		err = s.join(o, key, dialer(point.Address, key), point.Address)
	}
	if err != nil {
		return nil, err
	}
	e := newViaMPI(w, s)
	g := newGroup(s, e, o)
	g.after = w.Close
	return g, nil
}

// meetByMPI has rank 0 listen where the others can reach it, and tell them where.
func meetByMPI(w *mpi.World, place Place, timeout time.Duration) (p meetingPoint, l net.Listener, err error) {
	const room = 1024
	var late atomic.Bool
	timer := time.AfterFunc(timeout, func() { late.Store(true) })
	defer timer.Stop()
	b := make([]byte, room*place.Size)
	err = w.Do(func() error {
		q := w.NewRequests(place.Size)
		if place.Rank != 0 {
			copy(b, machine())
			if err := q.Send(b[:room], 0, tagMeet); err != nil {
				return err
			}
			if err := q.Wait(late.Load); err != nil {
				return err
			}
			if err := q.Receive(b[:room], 0, tagMeet); err != nil {
				return err
			}
			return q.Wait(late.Load)
		}
		for r := 1; r < place.Size; r++ {
			if err := q.Receive(b[room*r:][:room], r, tagMeet); err != nil {
				return err
			}
		}
		if err := q.Wait(late.Load); err != nil {
			return err
		}
		var machines []string
		for r := 1; r < place.Size; r++ {
			machines = append(machines, text(b[room*r:][:room]))
		}
		p = meetingPoint{Secret: string(hexed(nonce()))}
		if l, err = listenFor(place, machines, []byte(p.Secret)); err != nil {
			p = meetingPoint{Error: err.Error()}
		} else {
			p.Address = l.Addr().String()
		}
		answer, err := json.Marshal(p)
		if err != nil {
			return err
		}
		clear(b)
		copy(b[:room-1], answer)
		for r := 1; r < place.Size; r++ {
			if err := q.Send(b[:room], r, tagMeet); err != nil {
				return err
			}
		}
		return q.Wait(late.Load)
	}, nil)
	switch {
	case errors.Is(err, mpi.ErrStopped):
		return p, nil, fmt.Errorf("not all ranks said where they are within %v (%s)", timeout, w.Name())
	case err != nil:
		return p, nil, err
	}
	if place.Rank != 0 {
		if err := json.Unmarshal([]byte(text(b[:room])), &p); err != nil {
			return p, nil, fmt.Errorf("rank 0 says where it is by what cannot be read: %v", err)
		}
	}
	if p.Error != "" {
		return p, nil, errors.New(p.Error)
	}
	return p, l, nil
}

// listenFor has rank 0 listen for the others: within this machine where all are on it; where the user says; else at the
// address from which packets go to the first of them that is elsewhere.
func listenFor(place Place, machines []string, key []byte) (net.Listener, error) {
	if place.Address != "" || place.Listen != "" {
		if place.Address == "" {
			place.Address = "127.0.0.1:0" // for the port; Listen has the host
		}
		return listen(place, key)
	}
	for _, m := range machines {
		if m == machine() {
			continue
		}
		_, host, _ := strings.Cut(m, " ")
		c, err := net.Dial("udp", net.JoinHostPort(host, "9")) // sends nothing: asks for a route
		if err != nil {
			return nil, fmt.Errorf(
				"rank 0 finds no way to %s: %v; %s says at which of its addresses it is to listen",
				clean(host),
				err,
				envListen,
			)
		}
		here, _, err := net.SplitHostPort(c.LocalAddr().String())
		_ = c.Close()
		if err != nil {
			return nil, err
		}
		return net.Listen("tcp", net.JoinHostPort(here, "0"))
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// text is what stands before the first zero.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
