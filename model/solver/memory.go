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
func adviseMemory(run *config.Run, err error) error {
	var full outOfMemory
	if !errors.As(err, &full) {
		return err
	}
	batch := trainBatch(run.Train)
	need, e := memoryOf(run, batch)
	if e != nil || batch == 0 {
		return err
	}
	room := full.Room()
	if batch > 1 {
		small, e := memoryOf(run, 1)
		if perImage := float64(need-small) / float64(batch-1); e == nil && perImage > 0 && room > small {
			// A fifth stays for sizes that are rounded up and for shares of products.
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

// memoryOf counts the bytes that a run takes on a device with a batch: nothing is allocated.
func memoryOf(run *config.Run, batch int) (int64, error) {
	var held int64
	small := *run
	f := *run.Train
	f.Net = proto.CloneOf(run.Train.Net)
	for _, l := range f.Net.Layer {
		if b := batchField(l); b != nil && *b != nil {
			*b = proto.Uint32(uint32(batch))
		}
	}
	small.Train = &f
	s := &Solver{
		run:    &small,
		param:  run.Solver,
		device: gpu.NewDry(&held),
		clock:  &layer.Clock{},
		method: methods[caffe.SolverName(run.Solver)],
	}
	defer s.Close()
	if err := s.build(); err != nil {
		return 0, err
	}
	for _, p := range s.surgeon.layers { // forward weights
		if s.hyper.Layer(p.Name).Prune {
			held += 4 * int64(p.Weights.Data.N)
		}
	}
	return held, nil
}
