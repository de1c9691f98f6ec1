package collective

import (
	"errors"
	"fmt"
	"time"
)

// An engine adds numbers up over the ranks.
type engine interface {
	name() string
	// add replaces x by its sum over the ranks, who all add the same number of sums of the same lengths. It is called
	// by one goroutine at a time.
	add(x []float32, wire Wire) error
	// halt has add return soon, with any error. It may be called from any goroutine, more than once.
	halt()
	close()
}

// differs is an error of an engine: a rank that adds something else than this one.
type differs struct {
	rank   int
	reason string
}

func (d *differs) Error() string { return fmt.Sprintf("rank %d %s", d.rank, d.reason) }

// apart is an error of an engine: a rank that it has lost.
type apart struct {
	rank int
	err  error
}

func (a *apart) Error() string { return fmt.Sprintf("rank %d: %v", a.rank, a.err) }

// joined is a group: a star, and an engine for the sums, which are added in the order in which they were started. A
// goroutine does that beside the caller's computing; where it has not come to it by then, the caller does it in Wait.
type joined struct {
	*star
	engine engine
	wire   Wire
	after  func() error // when all have left in good order; may be nil

	// Of the star's mutex:
	begun []sum
	taken int  // of them
	adds  bool // somebody is adding
	over  bool
}

func newGroup(s *star, e engine, o Options) *joined {
	g := &joined{star: s, engine: e, wire: o.Wire}
	s.mu.Lock()
	s.halt = e.halt
	ended := s.err != nil
	s.mu.Unlock()
	if ended {
		e.halt()
	}
	s.tasks.Go(g.work)
	return g
}

func (g *joined) Engine() string { return g.engine.name() }

// Reduce implements Group.
func (g *joined) Reduce(x []float32, exact bool) {
	if g.enter() != nil || len(x) == 0 && g.size == 1 {
		return
	}
	g.mu.Lock()
	g.begun = append(g.begun, sum{x, exact})
	g.mu.Unlock()
	g.cond.Broadcast()
}

// ready says, with the mutex held, whether there is a sum to be taken.
func (g *joined) ready() bool { return !g.adds && g.taken < len(g.begun) && g.err == nil }

// work adds what was started.
func (g *joined) work() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.err == nil && !g.over {
		if g.ready() {
			g.one()
		} else {
			g.cond.Wait()
		}
	}
}

// one adds the next sum, with the mutex held when it is called and when it returns.
func (g *joined) one() {
	next := g.begun[g.taken]
	g.taken++
	g.adds = true
	g.mu.Unlock()
	wire := g.wire
	if next.exact {
		wire = Float32
	}
	err := g.engine.add(next.x, wire)
	g.progress.Add(1)
	if err != nil {
		g.judge(err)
	}
	g.mu.Lock()
	g.adds = false
	g.cond.Broadcast()
}

// judge has rank 0 judge why a sum cannot be, and waits for that.
func (g *joined) judge(err error) {
	if g.Err() != nil { // the sum was halted by what ended the group: that is the reason, and not the sum
		return
	}
	var other *differs
	var gone *apart
	switch {
	case errors.As(err, &other):
		g.accuse(other.rank, other.reason)
	case errors.As(err, &gone):
		g.lost(gone.rank, gone.err)
	default:
		g.accuse(g.rank, fmt.Sprintf("cannot add: %v", err))
	}
	<-g.failed
}

// Wait implements Group.
func (g *joined) Wait() error {
	var err error
	for {
		err = g.await(true, func() bool { return !g.adds && (g.taken == len(g.begun) || g.ready()) })
		g.mu.Lock()
		if err != nil {
			for g.adds { // until then the array is not the caller's
				g.cond.Wait()
			}
			break
		}
		if g.ready() {
			began := time.Now()
			g.waits.Add(1)
			g.one()
			g.waits.Add(-1)
			g.waited.Add(int64(time.Since(began)))
		} else if !g.adds && g.taken == len(g.begun) {
			break
		}
		g.mu.Unlock()
	}
	clear(g.begun)
	g.begun, g.taken = g.begun[:0], 0
	g.mu.Unlock()
	return err
}

// Close implements Group.
func (g *joined) Close() error {
	err := g.Wait()
	if err == nil {
		err = g.leave()
	}
	g.mu.Lock()
	g.over = true
	g.cond.Broadcast()
	g.mu.Unlock()
	g.engine.halt()
	g.shut()
	g.engine.close()
	if err == nil && g.after != nil {
		err = g.after()
	}
	return err
}

// alone is the engine of one rank.
type alone struct{}

func (alone) name() string              { return "one process" }
func (alone) add([]float32, Wire) error { return nil }
func (alone) halt()                     {}
func (alone) close()                    {}
