package host

import (
	"errors"

	"dns-tui/gpu"
	"dns-tui/gpu/collective"
)

// ranks is the group that sums go over.
type ranks struct {
	group collective.Group // nil before Join
	err   error            // the first failure
}

// Join implements gpu.Joiner.
func (d *back) Join(g collective.Group) error {
	if d.ranks.group != nil {
		return errors.New("the host device has joined a group already")
	}
	d.ranks.group = g
	return nil
}

// Leave implements gpu.Joiner.
func (d *back) Leave() { d.ranks.err = nil }

func (d *back) allReduce(o *gpu.AllReduce) { d.ranks.group.Reduce(slice(o.X), o.Exact) }

func (d *back) awaitReduced() {
	if err := d.ranks.group.Wait(); err != nil && d.ranks.err == nil {
		d.ranks.err = err
	}
}
