package model

import (
	"errors"
	"time"
)

// ErrStopped is returned when a measurement's caller asked it to stop.
var ErrStopped = errors.New("stopped")

// LayerTime is how long a layer took, summed over passes.
type LayerTime struct {
	Name, Type        string
	Forward, Backward time.Duration
}

// Time runs passes forward and backward and measures each layer (Caffe's `caffe time`). A device that works
// asynchronously is waited for after every layer, so the sum is more than that of an undisturbed pass.
func (n *Net) Time(passes int, stop func() bool) ([]LayerTime, error) {
	times := n.newTimes()
	measure := func(sum *time.Duration, f func() error) error {
		begin := time.Now()
		if err := f(); err != nil {
			return err
		}
		err := n.device.Sync()
		*sum += time.Since(begin)
		return err
	}
	for range passes {
		if stop() {
			return nil, ErrStopped
		}
		for i := range n.nodes {
			if err := measure(&times[i].Forward, func() error { return n.forward(i) }); err != nil {
				return nil, err
			}
		}
		for i := len(n.nodes) - 1; i >= 0; i-- {
			nd := n.nodes[i]
			if !nd.backward {
				continue
			}
			if err := measure(&times[i].Backward, func() error { n.backward(nd); return nil }); err != nil {
				return nil, err
			}
		}
	}
	return times, nil
}

// newTimes has a LayerTime for each layer.
func (n *Net) newTimes() []LayerTime {
	times := make([]LayerTime, len(n.nodes))
	for i, nd := range n.nodes {
		times[i].Name, times[i].Type = nd.name, nd.typ
	}
	return times
}
