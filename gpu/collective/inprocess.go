package collective

import (
	"os"
	"slices"
	"sync"
	"time"
)

// InProcess returns the ranks of a group of n within this process, each for a goroutine of its own: for tests.
func InProcess(n int) []Group {
	m := &meeting{here: make([]any, n), failed: make(chan struct{})}
	m.cond.L = &m.mu
	groups := make([]Group, n)
	for r := range groups {
		groups[r] = &inProcess{meeting: m, rank: r}
	}
	return groups
}

// meeting is where ranks of one process bring what they have; the last that comes serves all.
type meeting struct {
	mu     sync.Mutex
	cond   sync.Cond
	here   []any
	came   int
	round  uint64
	failed chan struct{}
	err    error
}

type inProcess struct {
	*meeting
	rank  int
	begun []sum
	told  about
}

// sum is one that was started.
type sum struct {
	x     []float32
	exact bool
}

// meet brings what a rank has. serve is called by the last, with what all have, by rank.
func (g *inProcess) meet(mine any, serve func(all []any)) error {
	m := g.meeting
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.here[g.rank] = mine
	m.came++
	if m.came == len(m.here) {
		serve(m.here)
		m.came, m.round = 0, m.round+1
		m.cond.Broadcast()
		return nil
	}
	for round := m.round; m.round == round && m.err == nil; {
		m.cond.Wait()
	}
	return m.err
}

func (g *inProcess) Rank() int      { return g.rank }
func (g *inProcess) Size() int      { return len(g.here) }
func (g *inProcess) Engine() string { return "one process" }

func (g *inProcess) Members() []Member {
	host, _ := os.Hostname()
	return slices.Repeat([]Member{{Host: host, PID: os.Getpid()}}, g.Size())
}

func (g *inProcess) Broadcast(message []byte) ([]byte, error) {
	all, err := g.Gather(message)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func (g *inProcess) Gather(message []byte) ([][]byte, error) {
	type slot struct {
		message []byte
		all     [][]byte
	}
	mine := &slot{message: slices.Clone(message)}
	err := g.meet(mine, func(all []any) {
		messages := make([][]byte, len(all))
		for r, a := range all {
			messages[r] = a.(*slot).message
		}
		for _, a := range all {
			a.(*slot).all = messages
		}
	})
	return mine.all, err
}

func (g *inProcess) Reduce(x []float32, exact bool) { g.begun = append(g.begun, sum{x, exact}) }

func (g *inProcess) Wait() error {
	for _, s := range g.begun {
		if err := g.meet(s.x, func(all []any) {
			total := slices.Clone(all[0].([]float32))
			for _, a := range all[1:] {
				for i, v := range a.([]float32) {
					total[i] += v
				}
			}
			for _, a := range all {
				copy(a.([]float32), total)
			}
		}); err != nil {
			return err
		}
	}
	g.begun = g.begun[:0]
	return nil
}

func (g *inProcess) Fail(reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = &RankError{Rank: g.rank, Reason: reason}
		close(g.failed)
		g.cond.Broadcast()
	}
}

func (g *inProcess) Failed() <-chan struct{} { return g.failed }

func (g *inProcess) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

func (g *inProcess) Status() []Status {
	all := slices.Repeat([]Status{{Seen: time.Now()}}, g.Size())
	all[g.rank].Told = g.told.say()
	return all
}

func (g *inProcess) Tell(of func() []byte) { g.told.Tell(of) }

func (g *inProcess) Close() error { return nil }
