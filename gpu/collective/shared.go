package collective

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shared adds in memory that the ranks of a machine have in common.
//
// An array goes through it in chunks. Each rank copies its chunk there; when all have, each adds a slice of the chunk
// over all ranks, in their order, and when all have done that, each copies the sums back. Three chunks are under way at
// once, so that a rank waits only for others that are a chunk behind it; what is copied and added stays in the
// processor's caches. Bytes a rank moves between memory and processor: those of the array, read and written once.
//
// A rank waits in the kernel (a futex) after a short look, so ranks that wait take no core from those that compute.
type shared struct {
	rank, size int
	data       []byte
	total      []float32 // of a chunk, before it is rounded
	ranks      []*counters
	chunks     uint64 // of all sums so far
	sums       uint64
	halted     atomic.Bool
	progress   *atomic.Uint64
}

// counters is what a rank says to the others, a cache line for each number that they wait for.
type counters struct {
	ready word // chunks that it has copied there
	done  word // chunks of which it has added its slice

	sum    atomic.Uint64 // which sum it has begun
	length atomic.Uint64 // of what it adds
	wire   atomic.Uint64
	_      [40]byte
}

// word is a number that processes wait for.
type word struct {
	n        atomic.Uint32
	sleepers atomic.Uint32
	_        [56]byte
}

const (
	slots      = 3
	chunkSize  = 64 << 10 // numbers
	headerRoom = 4096
	// looks is how often a rank looks for what it waits for before it sleeps: some microseconds, about as long as it
	// takes to wake a process.
	looks = 4000
)

// sharedSize is the length of the file for n ranks: a page that names it, the counters, and slots for what the ranks
// bring and for their sums.
func sharedSize(n int) int {
	return headerRoom + n*int(unsafe.Sizeof(counters{})) + slots*(n+1)*4*chunkSize
}

// sharedFile makes memory without a name for n ranks, which begins with a token.
func sharedFile(n int, token []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("dns-tui-ranks", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory in common: %v", err)
	}
	f := os.NewFile(uintptr(fd), "memory in common")
	if err := f.Truncate(int64(sharedSize(n))); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("memory in common: %v", err)
	}
	if _, err := f.WriteAt(token, 0); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("memory in common: %v", err)
	}
	return f, nil
}

// newShared maps the file, which must begin with the token.
func newShared(s *star, f *os.File, token []byte) (*shared, error) {
	size := sharedSize(s.size)
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("memory in common: %v", err)
	}
	if info.Size() != int64(size) {
		return nil, fmt.Errorf("memory in common has %d bytes: wanted %d", info.Size(), size)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("memory in common: %v", err)
	}
	e := &shared{rank: s.rank, size: s.size, data: data, total: make([]float32, chunkSize), progress: &s.progress}
	if string(data[:len(token)]) != string(token) {
		e.close()
		return nil, errors.New("memory in common is another group's")
	}
	for r := range s.size {
		e.ranks = append(e.ranks, (*counters)(unsafe.Pointer(&data[headerRoom+r*int(unsafe.Sizeof(counters{}))])))
	}
	return e, nil
}

func (e *shared) name() string { return "shared memory" }

// slot returns the room for a chunk: of what a rank brings, or, for e.size, of the sums.
func (e *shared) slot(r int, chunk uint64) []byte {
	at := headerRoom + e.size*int(unsafe.Sizeof(counters{})) + (r*slots+int(chunk%slots))*4*chunkSize
	return e.data[at : at+4*chunkSize]
}

var errHalted = errors.New("halted")

// until waits until w has come to n, modulo 2³².
func (e *shared) until(w *word, n uint32) error {
	for look := 0; ; look++ {
		is := w.n.Load()
		if int32(is-n) >= 0 {
			return nil
		}
		if e.halted.Load() {
			return errHalted
		}
		if look < looks {
			continue
		}
		w.sleepers.Add(1)
		// The time-out is for a halt between the look above and the sleep.
		wait := unix.Timespec{Nsec: 50e6}
		_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w.n)), 0 /* FUTEX_WAIT */, uintptr(is),
			uintptr(unsafe.Pointer(&wait)), 0, 0)
		w.sleepers.Add(^uint32(0))
	}
}

func wake(w *word) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&w.n)), 1 /* FUTEX_WAKE */, 1<<30, 0, 0, 0)
}

// say has w come to n.
func (w *word) say(n uint32) {
	w.n.Store(n)
	if w.sleepers.Load() != 0 {
		wake(w)
	}
}

// slice is which of m numbers rank r of n adds: whole cache lines, but at the end.
func slice(m, r, n int) (from, to int) {
	edge := func(r int) int {
		if r == n {
			return m
		}
		return int(int64(m)*int64(r)/int64(n)) &^ 15
	}
	return edge(r), edge(r + 1)
}

// part is chunk k of x.
func part(x []float32, k uint64) []float32 {
	from := min(len(x), int(k)*chunkSize)
	return x[from:min(len(x), from+chunkSize)]
}

func (e *shared) add(x []float32, wire Wire) error {
	mine := e.ranks[e.rank]
	e.sums++
	mine.length.Store(uint64(len(x)))
	mine.wire.Store(uint64(wire))
	mine.sum.Store(e.sums)
	n := uint64(max(1, (len(x)+chunkSize-1)/chunkSize)) // an empty array is a chunk, too: all must have one
	first := e.chunks
	for k := range n + 2 {
		at := first + k
		if k < n {
			e.bring(part(x, k), at, wire)
			mine.ready.say(uint32(at + 1))
		}
		if k >= 1 && k <= n {
			if err := e.sum(part(x, k-1), at-1, wire, k == 1); err != nil {
				return err
			}
			mine.done.say(uint32(at))
		}
		if k >= 2 {
			if err := e.collect(part(x, k-2), at-2, wire); err != nil {
				return err
			}
		}
		e.progress.Add(1)
	}
	e.chunks += n
	return nil
}

// bring copies this rank's chunk to where others find it, but for the slice that is its own to add. The slot is free:
// what was in it three chunks ago has been added by all, or the chunk before last could not have been collected.
func (e *shared) bring(x []float32, chunk uint64, wire Wire) {
	b := e.slot(e.rank, chunk)
	if wire == BFloat16 {
		round(halves(b)[:len(x)], x)
		return
	}
	from, to := slice(len(x), e.rank, e.size)
	all := floats(b)
	copy(all[:from], x[:from])
	copy(all[to:len(x)], x[to:])
}

// sum adds this rank's slice of a chunk over all ranks.
func (e *shared) sum(x []float32, chunk uint64, wire Wire, first bool) error {
	for r, c := range e.ranks {
		if err := e.until(&c.ready, uint32(chunk+1)); err != nil {
			return err
		}
		if first {
			if err := e.compare(r, c, wire); err != nil {
				return err
			}
		}
	}
	from, to := slice(len(x), e.rank, e.size)
	if wire == BFloat16 {
		total := e.total[:to-from]
		widen(total, halves(e.slot(0, chunk))[from:to])
		for r := 1; r < e.size; r++ {
			addHalves(total, halves(e.slot(r, chunk))[from:to])
		}
		round(halves(e.slot(e.size, chunk))[from:to], total)
		return nil
	}
	of := func(r int) []float32 {
		if r == e.rank {
			return x[from:to]
		}
		return floats(e.slot(r, chunk))[from:to]
	}
	total := floats(e.slot(e.size, chunk))[from:to]
	addTo(total, of(0), of(1))
	for r := 2; r < e.size; r++ {
		addTo(total, total, of(r))
	}
	return nil
}

// compare says whether a rank has begun the same sum as this one. It cannot have begun the next: that waits for this
// one's slices.
func (e *shared) compare(r int, c *counters, wire Wire) error {
	length, theirs := c.length.Load(), Wire(c.wire.Load())
	mine := e.ranks[e.rank].length.Load()
	if n := c.sum.Load(); n == e.sums && length == mine && theirs == wire {
		return nil
	}
	return unequal(e.rank, r, e.sums, mine, length, wire, theirs)
}

// unequal is the error of two ranks that add different things: of the higher, as rank 0 is who has the session.
func unequal(mine, theirs int, sum, length, other uint64, wire, otherWire Wire) error {
	if theirs < mine {
		mine, theirs, length, other, wire, otherWire = theirs, mine, other, length, otherWire, wire
	}
	return &differs{rank: theirs, reason: fmt.Sprintf("adds %d numbers (%v) in sum %d, where rank %d adds %d (%v)",
		other, otherWire, sum, mine, length, wire)}
}

// collect copies the sums back.
func (e *shared) collect(x []float32, chunk uint64, wire Wire) error {
	for _, c := range e.ranks {
		if err := e.until(&c.done, uint32(chunk+1)); err != nil {
			return err
		}
	}
	if wire == BFloat16 {
		widen(x, halves(e.slot(e.size, chunk))[:len(x)])
		return nil
	}
	copy(x, floats(e.slot(e.size, chunk)))
	return nil
}

func (e *shared) halt() {
	if !e.halted.Swap(true) {
		for _, c := range e.ranks {
			wake(&c.ready)
			wake(&c.done)
		}
	}
}

func (e *shared) close() {
	_ = unix.Munmap(e.data)
	e.data, e.ranks = nil, nil
}
