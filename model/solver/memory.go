package solver

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model/layer"
)

// outOfMemory is an error of a device that is full. Room is the bytes that tensors may take there.
type outOfMemory interface {
	Room() int64
}

// adviseMemory adds to the error of a device that was too small for a run how much the run needs, and which batch would
// fit. Any other error it returns as it is.
func adviseMemory(run *config.Run, d *gpu.Device, err error) error {
	var full outOfMemory
	if !errors.As(err, &full) {
		return err
	}
	batch := trainBatch(run.Train)
	need, e := memoryOf(run, d, batch)
	if e != nil || batch == 0 {
		return err
	}
	room := full.Room()
	if batch > 1 {
		small, e := memoryOf(run, d, 1)
		if perImage := float64(need-small) / float64(batch-1); e == nil && perImage > 0 && room > small {
			// A fifth stays for sizes that are rounded up, for buffers of uploads, and for slices that are measured.
			if fits := 1 + int(0.8*float64(room-small)/perImage); fits < batch {
				return fmt.Errorf(
					"%w; the run needs about %s with a batch of %d, and a batch of %d would fit",
					err,
					human.Bytes(need),
					batch,
					fits,
				)
			}
		}
	}
	return fmt.Errorf("%w; the run needs about %s", err, human.Bytes(need))
}

// trainBatch is the batch of the first layer that reads data; 0 where none says one.
func trainBatch(f *caffe.NetFile) int {
	for _, l := range f.Net.Layer {
		if b := batchField(l); b != nil && *b != nil {
			return int(**b)
		}
	}
	return 0
}

// batchField is where a layer says its batch, or nil.
func batchField(l *caffepb.LayerParameter) **uint32 {
	switch {
	case l.DataParam != nil:
		return &l.DataParam.BatchSize
	case l.ImageDataParam != nil:
		return &l.ImageDataParam.BatchSize
	case l.WindowDataParam != nil:
		return &l.WindowDataParam.BatchSize
	case l.MemoryDataParam != nil:
		return &l.MemoryDataParam.BatchSize
	case l.Hdf5DataParam != nil:
		return &l.Hdf5DataParam.BatchSize
	}
	return nil
}

// memoryOf counts the bytes that a run takes on a device with a batch, beside what the device had taken before: nothing
// is allocated.
func memoryOf(run *config.Run, d *gpu.Device, batch int) (int64, error) {
	m, err := MemoryOf(run, d, batch)
	if err != nil {
		return 0, err
	}
	return m.Total() + m.Work, nil
}

// Memory is what a run takes on a device, in bytes. What the host needs for its own work is not in it: columns of
// convolutions, parts of sums, workspaces of libraries.
type Memory struct {
	Weights   int64 // biases and running statistics, too
	Gradients int64 // of weights
	Forward   int64 // weights with what is pruned left out, of layers that surgery works on
	History   int64 // of the update rule: two for each weight, one or none
	// Shared is what blobs of all nets lie in, data and gradients, and what layers keep, one after the other.
	Shared int64
	// Own is what blobs have by themselves (data, labels, outputs), and what layers have for themselves for good.
	Own int64
	// Instead is what the blobs in Shared would take with memory of their own.
	Instead int64
	// Least is the most of the train net's blobs in Shared that is in use at one time: they cannot take less.
	Least int64

	// Opened is what a GPU takes for its own work when it is opened: workspaces of libraries, parts of sums. Work is
	// what comes to it as the run goes on: slices of products, and copies in other layouts. Neither is known of other
	// devices (0), nor all of Work of a net that takes shapes from data. Both are what is asked for, to the byte where
	// kernels are not measured; where they are, slices may be others than were counted. The driver is asked for up to
	// an eighth more, as sizes are rounded up. Buffers of uploads are not counted, as they are given back where memory
	// is short.
	Opened, Work int64
}

// Total is the sum of what nets and the solver take.
func (m *Memory) Total() int64 {
	return m.Weights + m.Gradients + m.Forward + m.History + m.Shared + m.Own
}

// MemoryOf finds what a run takes on a device with a batch; 0 is its own. Nothing is allocated there.
func MemoryOf(run *config.Run, d *gpu.Device, batch int) (*Memory, error) {
	var held int64
	dry := gpu.NewDryLike(d, &held)
	opened := dry.Allocated()
	small := *run
	f := *run.Train
	f.Net = proto.CloneOf(run.Train.Net)
	for _, l := range f.Net.Layer {
		if b := batchField(l); batch > 0 && b != nil && *b != nil {
			*b = proto.Uint32(uint32(batch))
		}
	}
	small.Train = &f
	s := &Solver{
		run:    &small,
		param:  run.Solver,
		device: dry,
		clock:  &layer.Clock{},
		method: methods[caffe.SolverName(run.Solver)],
	}
	defer s.Close()
	if err := s.build(); err != nil {
		return nil, err
	}
	if err := s.surgeon.prepare(s.hyper); err != nil {
		return nil, err
	}
	m := &Memory{Opened: opened}
	held = dry.Allocated() - opened
	for _, p := range s.Net.Params() {
		m.Weights += bytesOf(p.Data)
		m.Gradients += bytesOf(p.Diff)
		m.Forward += bytesOf(p.Masked)
	}
	for _, h := range s.history {
		m.History += bytesOf(h[0]) + bytesOf(h[1])
	}
	train := s.Net.Shared()
	m.Shared, m.Instead, m.Least = train.Bytes, train.Instead, train.Least
	for _, t := range s.Tests {
		m.Instead += t.Shared().Instead
	}
	m.Own = held - m.Total()
	if dry.Rehearses() {
		s.rehearse()
		m.Work = dry.Allocated() - opened - held
	}
	return m, nil
}

// provide has a device whose own work takes memory keep that from the start, so that a run for which there is not
// enough does not begin.
func (s *Solver) provide() error {
	if err := s.device.Provide(s.device.Rehearse(s.rehearse)); err != nil {
		return fmt.Errorf("scratch memory for the run: %w", err)
	}
	return nil
}

// rehearse goes through the passes of an iteration, and of its tests.
func (s *Solver) rehearse() {
	s.Net.Rehearse(true)
	for _, t := range s.Tests {
		t.Rehearse(false)
	}
}

func bytesOf(t *gpu.Tensor) int64 {
	if t == nil {
		return 0
	}
	return 4 * int64(t.N)
}
