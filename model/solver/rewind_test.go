package solver_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model/solver"
)

// failing is the host as a device that fails while err is set.
type failing struct {
	gpu.Back
	err error
}

func (b *failing) Await(m gpu.Mark) error {
	if err := b.Back.Await(m); err != nil {
		return err
	}
	return b.err
}

// Where the device fails while a run goes back its weights are of no one iteration: nothing is trained or saved until
// the run is back after all.
func TestRewindFails(t *testing.T) {
	dir := t.TempDir()
	b := &failing{Back: host.NewBack(host.Options{Threads: 1})}
	d := gpu.NewDevice(b, nil)
	defer d.Close()
	s, err := solver.New(ranksRun(t, dir, 1, true), d)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	one := func() {
		t.Helper()
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
	}
	one()
	path, err := s.Save(filepath.Join(dir, "x"), solver.SessionData{})
	if err != nil {
		t.Fatal(err)
	}
	state, err := caffe.ReadSolverState(path)
	if err != nil {
		t.Fatal(err)
	}
	saved := dataOf(s, false)
	one()
	b.err = errors.New("no memory for a test")
	err = s.Rewind(path, state)
	b.err = nil
	const why = "failed half-way, and the weights are of no one iteration: no memory for a test"
	_, saving := s.Save(filepath.Join(dir, "y"), solver.SessionData{})
	for what, e := range map[string]error{"going back": err, "an iteration": s.Advance(), "saving": saving} {
		if e == nil || !strings.Contains(e.Error(), why) {
			t.Errorf("%s: got %v", what, e)
		}
	}
	if s.Iter != 2 {
		t.Errorf("it stands at iteration %d", s.Iter)
	}
	if err := s.Rewind(path, state); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(dataOf(s, false), saved) || s.Iter != 1 {
		t.Errorf("other weights than the snapshot's, or iteration %d", s.Iter)
	}
	one()
}
