package solver_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/gpu"
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

// scarce is the host as a device that says that it lacked memory, the second time that it is asked from now on: within
// an iteration.
type scarce struct {
	gpu.Back
	gpu.Joiner
	asked int // 0: it has memory
}

func (b *scarce) Shortage() error {
	if b.asked == 0 {
		return nil
	}
	if b.asked--; b.asked > 0 {
		return nil
	}
	return errors.New("no memory for a test")
}

// A rank that lacks memory ends the run of all, and has the weights and the running statistics before the iteration.
func TestRankFallsShort(t *testing.T) {
	dir := t.TempDir()
	ranksRun(t, dir, 1, true)
	var wg sync.WaitGroup
	for rank, g := range collective.InProcess(2) {
		wg.Go(func() {
			back := host.NewBack(host.Options{Threads: 1})
			b := &scarce{Back: back, Joiner: back.(gpu.Joiner)}
			d := gpu.NewDevice(b, nil)
			defer d.Close()
			s, err := solver.NewRank(ranksRun(t, dir, 1, true), d, g)
			if err != nil {
				t.Error(err)
				g.Fail(err.Error())
				return
			}
			defer s.Close()
			if rank == 1 {
				if err := s.Follow(); err == nil || !strings.Contains(err.Error(), "no memory for a test") {
					t.Errorf("the other rank ends with %v", err)
				}
				return
			}
			for range 2 {
				if _, err := s.Step(); err != nil {
					t.Error(err)
				}
			}
			weights, statistics, read := dataOf(s, false), dataOf(s, true), s.Net.Sources()[0].Records()
			b.asked = 2
			var short *solver.ShortError
			if _, err := s.Step(); !errors.As(err, &short) || short.Iter != 2 || short.Before {
				t.Errorf("got %v", err)
			}
			if !slices.Equal(dataOf(s, false), weights) || !slices.Equal(dataOf(s, true), statistics) {
				t.Error("weights or running statistics are not those before the iteration")
			}
			if n := s.Net.Sources()[0].Records(); n != read || s.Iter != 2 {
				t.Errorf("at iteration %d and record %d; wanted 2, %d", s.Iter, n, read)
			}
		})
	}
	wg.Wait()
}

// A test that ranks divide leaves each source of its net where one rank leaves it, whatever the batches of the others.
func TestRanksTestLeavesSources(t *testing.T) {
	dir := t.TempDir()
	run := func() *config.Run {
		r := ranksRun(t, dir, 1, false)
		test := *r.Tests[0]
		test.Net = proto.CloneOf(test.Net)
		first := proto.CloneOf(test.Net.Layer[1]) // the test data, in batches of 3
		first.Name, first.Top = proto.String("first"), []string{"first"}
		first.DataParam.BatchSize = proto.Uint32(2)
		test.Net.Layer = slices.Insert(test.Net.Layer, 0, first)
		r.Tests[0] = &test
		return r
	}
	places := func(s *solver.Solver) (read []uint64) {
		if _, err := s.Test(0, nil); err != nil {
			t.Error(err)
		}
		for _, src := range s.Tests[0].Sources() {
			read = append(read, src.Records())
		}
		return read
	}
	ranksRun(t, dir, 1, false)
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	alone, err := solver.New(run(), d)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	want, got := places(alone), []uint64(nil)
	together(t, 2, func(int) *config.Run { return run() }, func(s *solver.Solver) { got = places(s) })
	if len(want) != 2 || !slices.Equal(got, want) {
		t.Errorf("the sources have read %v records; wanted %v", got, want)
	}
}
