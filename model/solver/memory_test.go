package solver_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// What MemoryOf says before a run is what a device has allocated in it, to the byte, with test nets or without, under
// each update rule and surgery, and by several passes an iteration.
func TestMemoryIsWhatIsAllocated(t *testing.T) {
	for _, c := range []struct {
		net, method string
		test        int // batch of a test net; 0: none
		passes      int32
	}{
		{"lenet_dns", "SGD", 0, 1},
		{"lenet_dns", "Adam", 300, 1},
		{"cifar10_full", "SGD", 4, 2},
		{"squeezenet_1.1", "SGD", 1, 1},
		{"lstm", "RMSProp", 0, 1},
		{"siamese", "SGD", 0, 1},
		{"mobilenet", "SGD", 1, 1},
	} {
		d := host.New(host.Options{})
		var run *config.Run
		s := modeltest.Solver(t, d, c.net, 4, modeltest.Find(t, c.net).Classes, func(r *config.Run) {
			run = r
			r.Solver.Type, r.Solver.IterSize = proto.String(c.method), proto.Int32(c.passes)
			if c.method != "SGD" {
				r.Solver.Momentum, r.Solver.WeightDecay = nil, nil
			}
			if c.test > 0 {
				r.Tests = []*caffe.NetFile{modeltest.ReadNet(t, c.net, c.test)}
				r.Solver.TestIter = []int32{1}
			}
		})
		m, err := solver.MemoryOf(run, d, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		if c.test > 0 {
			if _, err := s.Test(0, nil); err != nil {
				t.Fatal(err)
			}
		}
		if have := d.Allocated(); m.Total() != have {
			t.Errorf("%s: %d bytes, by MemoryOf %d: %+v", c.net, have, m.Total(), *m)
		}
		if m.Least > m.Shared || m.Own <= 0 || m.Weights <= 0 || m.Gradients > m.Weights ||
			(m.Forward > 0) != slices.Contains([]string{"lenet_dns"}, c.net) {
			t.Errorf("%s: %+v", c.net, *m)
		}
		d.Close()
	}
}

// A batch can be asked for that the run does not have.
func TestMemoryOfABatch(t *testing.T) {
	d := host.New(host.Options{})
	defer d.Close()
	run := &config.Run{SolverPath: "s", Solver: &caffepb.SolverParameter{},
		Inputs: nil, Train: modeltest.ReadNet(t, "lenet", 2)}
	one, err := solver.MemoryOf(run, d, 1)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := solver.MemoryOf(run, d, 0); err != nil || same.Total() != one.Total() {
		t.Errorf("%v, %+v; wanted %+v: an Input says its own batch", err, same, one)
	}
}
