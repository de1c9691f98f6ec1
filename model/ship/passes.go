package ship

import (
	"errors"
	"fmt"
	"time"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
)

// Passes are a net with different weights, on the CPU, to time passes forward: on one image of random numbers, or as
// many as layers ask for, dense and with zeros left out. They have a device of their own; whatever else a program
// computes stays as it is.
type Passes struct {
	device *gpu.Device
	nets   []*model.Net
}

// NewPasses builds a net for each of some stored weights, whose masks are applied; path is for errors. Options say the
// state of the net, and what stands in for its data: see model.StandIn. A net that writes a file is refused.
func NewPasses(
	f *caffe.NetFile, o model.NetOptions, path string, weights ...*caffepb.NetParameter,
) (_ *Passes, err error) {
	layers, err := model.LayersOfFile(f, o.State)
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		if l.Type == "HDF5Output" {
			return nil, f.Errorf(l.Index(), "(HDF5Output) writes %s, which timing would overwrite",
				f.Net.Layer[l.Index()].GetHdf5OutputParam().GetFileName())
		}
	}
	p := &Passes{device: host.New(host.Options{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	o.Device, o.Reuse = p.device, true
	for _, w := range weights {
		n, err := model.NewNetOfFew(f, 1, o)
		if err != nil {
			return nil, err
		}
		p.nets = append(p.nets, n)
		if _, err := n.LoadWeights(path, w, model.LoadOptions{}); err != nil {
			return nil, err
		}
		n.FillInputLayers()
		n.Prepare() // the host does
	}
	return p, nil
}

// Batch is how many images a pass has.
func (p *Passes) Batch() int { return p.nets[0].BatchSize() }

// Time measures so many passes of each kind and of all nets in turn. The first passes of all are not worth counting:
// they allocate, and find how products with prepared weights are done fastest.
func (p *Passes) Time(passes int, stop func() bool) ([]model.ForwardTimes, error) {
	return model.TimePasses(p.nets, passes, stop)
}

// The least and the most passes of TimeFor.
const (
	leastPasses = 3
	mostPasses  = 50
)

// TimeFor measures passes for about so long, behind two that are not counted, and returns how many of each kind.
func (p *Passes) TimeFor(d time.Duration, stop func() bool) (times []model.ForwardTimes, passes int, err error) {
	var one time.Duration
	for range 2 {
		begin := time.Now()
		if _, err := p.Time(1, stop); err != nil {
			return nil, 0, err
		}
		one = time.Since(begin)
	}
	passes = max(leastPasses, min(int(d/max(1, one)), mostPasses))
	times, err = p.Time(passes, stop)
	return times, passes, err
}

// Close lets go of the nets and their device.
func (p *Passes) Close() error {
	var errs []error
	for i, n := range p.nets {
		if err := n.Close(); err != nil {
			errs = append(errs, fmt.Errorf("net %d: %w", i, err))
		}
	}
	p.device.Close()
	return errors.Join(errs...)
}
