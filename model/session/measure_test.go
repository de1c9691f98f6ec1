package session

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// miniSolver is a solver of the small reference net, each iteration of which operates.
func miniSolver(t *testing.T) *solver.Solver {
	t.Helper()
	run, err := config.LoadSolver(modeltest.Root("oracle", "solvers", "dns_seed_mini.solver.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	run.Weights = []string{modeltest.Root("oracle", "solvers", "dns_seed_mini_init.caffemodel")}
	run.Solver.SurgeryIterGamma = proto.Float32(0)
	d := host.New(host.Options{Threads: 1})
	t.Cleanup(func() { d.Close() })
	s, err := solver.New(run, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Where each iteration operates, what is predicted of the next surgery is what that does: the layers are measured after
// each iteration, though that takes a hundredth of its time.
func TestPredictionIsOfTheNextSurgery(t *testing.T) {
	s := miniSolver(t)
	h := newHistograms(s)
	var clock time.Time
	h.now = func() time.Time { clock = clock.Add(80 * time.Millisecond); return clock } // each look is so much later
	for range 6 {
		h.refresh(false, s.Operates())
		predicted := map[string]int{}
		for i, p := range s.Layers() {
			g := h.list()[i]
			predicted[p.Name] = g.Total() - g.Pruned(s.Hyper().Layer(p.Name).Threshold)
		}
		if err := s.Advance(); err != nil {
			t.Fatal(err)
		}
		if err := s.Drain(); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(8 * time.Second)
		for name, kept := range s.Kept() {
			if predicted[name] != kept {
				t.Errorf(
					"iteration %d: %s keeps %d, and was predicted to keep %d",
					s.Iter-1,
					name,
					kept,
					predicted[name],
				)
			}
		}
	}
	// Between surgeries that are far apart measurements are, too.
	clock = clock.Add(time.Hour)
	h.refresh(false, false)
	s.Iter++
	clock = clock.Add(8 * time.Second)
	if h.refresh(false, false); h.iter == s.Iter {
		t.Error("it is measured for a hundredth of the time, though nothing is due")
	}
}
