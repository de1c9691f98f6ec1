package host

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A kernel is a small struct of named operands that does the items [lo, hi) of a call. worker tells the scratch space
// that it may use.
type kernel interface{ run(lo, hi, worker int) }

// launch does n items by a kernel, in pieces of grain. The kernel is in room while it runs, which the device has for
// each type of kernel, so that none is allocated.
func launch[K any, P interface {
	*K
	kernel
}](d *back, room *K, k K, n, grain int) {
	*room = k
	d.pool.run(n, grain, P(room))
	var none K
	*room = none
}

// workers runs kernels over ranges. How a range is cut depends on the call alone, never on the number of workers, so
// results do not depend on it either.
//
// Kernels of a small net take microseconds, and waking a sleeping thread takes as long as many of them. So a helper
// that has nothing to do looks for the next call for a while before it sleeps, and a call does not wait for a helper
// that comes when the work is done.
type workers struct {
	n     int
	do    kernel
	total int
	grain int
	next  atomic.Int64

	call   atomic.Uint64 // counts calls
	inside atomic.Int64  // helpers at work, and the bit closed between calls
	helper []helper
	ended  atomic.Bool
	spins  int // looks before a helper sleeps
	yield  int // looks before others are let run
}

// helper is a worker's place to sleep.
type helper struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte // a cache line of its own
}

// closed is the bit of workers.inside that is set while there is no call to join.
const closed = 1 << 40

// A helper looks for sleepAfter before it sleeps, and who waits lets other goroutines run every four times that. The
// latter is seldom: the goroutine of a run is bound to its thread, so to let others run is to wake another thread,
// which wakes this one again, some 20 µs each time and a processor that somebody else had.
const (
	sleepAfter = 25 * time.Microsecond
	tried      = 1 << 8  // looks whose time is taken
	fewLooks   = 1 << 8  // at least: the time may be of a processor that somebody else had
	manyLooks  = 1 << 16 // at most: the clock may not see so short a time
)

// looks is how many looks take about sleepAfter: a look takes a nanosecond on one processor and 50 on another, and a
// clock that is read in each would take as long. The fastest of some tries is right, some 30 µs in all on an EPYC. Only
// when threads sleep depends on it, and no result.
var looks = sync.OnceValue(func() int {
	var call atomic.Uint64
	best := time.Duration(1<<63 - 1)
	for range 4 {
		start := time.Now()
		for range tried {
			if call.Load() != 0 {
				break
			}
			relax()
		}
		best = min(best, time.Since(start))
	}
	return looksAt(best)
})

// looksAt is how many looks take about sleepAfter where tried looks take so long.
func looksAt(took time.Duration) int {
	return int(min(max(tried*sleepAfter/max(took, 1), fewLooks), manyLooks))
}

func newWorkers(n int) *workers {
	w := &workers{n: n, helper: make([]helper, n)}
	switch {
	case n > runtime.GOMAXPROCS(0): // who is waited for may want this one's processor, so others run at every look
		w.spins, w.yield = 1<<10, 1
	case n > 1:
		w.spins = looks()
		w.yield = 4 * w.spins
	}
	w.inside.Store(closed)
	for i := 1; i < n; i++ {
		w.helper[i].wake = make(chan struct{}, 1)
		go w.loop(i)
	}
	return w
}

func (w *workers) loop(id int) {
	seen := uint64(0)
	for !w.ended.Load() {
		seen = w.await(id, seen)
		if w.inside.Add(1)&closed == 0 {
			w.work(id)
		}
		w.inside.Add(-1)
	}
}

// await returns the number of a call after the one that was seen last.
func (w *workers) await(id int, seen uint64) uint64 {
	h := &w.helper[id]
	for i := 1; ; i++ {
		if c := w.call.Load(); c != seen {
			return c
		}
		if relax(); i%w.yield == 0 {
			runtime.Gosched()
		}
		if i < w.spins {
			continue
		}
		h.asleep.Store(true)
		if w.call.Load() != seen && h.asleep.CompareAndSwap(true, false) {
			continue // a call came in between, and did not see this helper asleep
		}
		<-h.wake
		i = 0
	}
}

// work takes pieces until none is left.
func (w *workers) work(id int) {
	for {
		lo := int(w.next.Add(int64(w.grain))) - w.grain
		if lo >= w.total {
			return
		}
		w.do.run(lo, min(lo+w.grain, w.total), id)
	}
}

// run does [0, total) by a kernel in pieces of grain items.
func (w *workers) run(total, grain int, do kernel) {
	pieces := (total + grain - 1) / grain
	if w.n == 1 || pieces <= 1 {
		for lo := 0; lo < total; lo += grain {
			do.run(lo, min(lo+grain, total), 0)
		}
		return
	}
	w.do, w.total, w.grain = do, total, grain
	w.next.Store(0)
	w.inside.And(^closed)
	w.announce(min(w.n, pieces) - 1)
	w.work(0)
	w.inside.Or(closed)
	for i := 1; w.inside.Load() != closed; i++ {
		if relax(); i%w.yield == 0 {
			runtime.Gosched()
		}
	}
}

// announce tells of a call, and wakes helpers that sleep.
func (w *workers) announce(helpers int) {
	w.call.Add(1)
	for i := 1; i <= helpers; i++ {
		if h := &w.helper[i]; h.asleep.CompareAndSwap(true, false) {
			h.wake <- struct{}{}
		}
	}
}

func (w *workers) close() {
	w.ended.Store(true)
	w.announce(w.n - 1)
}
