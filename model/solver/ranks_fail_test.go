package solver_test

import (
	"fmt"
	"sync"
	"testing"

	"dns-tui/gpu/collective"
	"dns-tui/gpu/host"
	"dns-tui/model/layer"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// dataOf are the parameters of a net, or its running statistics.
func dataOf(s *solver.Solver, statistics bool) []float32 {
	var all []float32
	for _, p := range s.Net.Params() {
		if p.Statistics == statistics {
			all = append(all, modeltest.Values(s.Device(), p.Data)...)
		}
	}
	return all
}

// A rank that fails in the midst of an iteration leaves rank 0 with all of what was before the iteration: weights, the
// running statistics, and the place in the data.
func TestRankFailsWithinIteration(t *testing.T) {
	for _, iterSize := range []int{1, 2} {
		t.Run(fmt.Sprintf("iter_size %d", iterSize), func(t *testing.T) {
			dir := t.TempDir()
			ranksRun(t, dir, iterSize, true)
			groups := collective.InProcess(2)
			var wg sync.WaitGroup
			for rank, g := range groups {
				wg.Go(func() {
					d := host.New(host.Options{Threads: 1})
					defer d.Close()
					s, err := solver.NewRank(ranksRun(t, dir, iterSize, true), d, g)
					if err != nil {
						t.Error(err)
						g.Fail(err.Error())
						return
					}
					defer s.Close()
					if rank == 1 {
						_ = s.Follow() // it fails, as rank 0 does
						return
					}
					for range 3 {
						if _, err := s.Step(); err != nil {
							t.Error(err)
						}
					}
					weights, statistics, read := dataOf(s, false), dataOf(s, true), s.Net.Sources()[0].Records()
					s.Net.OnGradient(func(*layer.Param) { groups[1].Fail("has died") })
					if _, err := s.Step(); err == nil {
						t.Error("an iteration without the others' sums is done")
					}
					if d := difference(dataOf(s, false), weights); d != 0 {
						t.Errorf("weights differ by %g", d)
					}
					if d := difference(dataOf(s, true), statistics); d != 0 {
						t.Errorf("running statistics differ by %g", d)
					}
					if n := s.Net.Sources()[0].Records(); n != read || s.Iter != 3 {
						t.Errorf("at iteration %d and record %d; wanted 3, %d", s.Iter, n, read)
					}
				})
			}
			wg.Wait()
		})
	}
}
