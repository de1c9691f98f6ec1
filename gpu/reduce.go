package gpu

import (
	"fmt"

	"dns-tui/gpu/collective"
)

// A Joiner is a Back that sums arrays over the ranks of a group.
type Joiner interface {
	// Join has AllReduce sum over the ranks of g. It is called at most once, before the first operation that counts on
	// it, by all ranks.
	Join(g collective.Group) error
	// Leave is Device.Leave.
	Leave()
}

// A Bucketer is a Joiner that knows how many numbers are best summed as one.
type Bucketer interface {
	// BucketSize is Device.BucketSize.
	BucketSize() int
}

// Join has the device sum arrays over the ranks of g. Every rank's device joins. From then on Await returns the group's
// failure, too.
func (d *Device) Join(g collective.Group) error {
	j, ok := d.back.(Joiner)
	if !ok {
		return fmt.Errorf("%s: knows no other ranks", d.Name())
	}
	if err := j.Join(g); err != nil {
		return err
	}
	d.group = g
	return nil
}

// BucketSize returns how many numbers a tensor for AllReduce should have at least: what a sum costs by itself is then
// little beside what its numbers cost. All ranks call it, after Join, and get the same.
func (d *Device) BucketSize() int {
	if b, ok := d.back.(Bucketer); ok {
		return b.BucketSize()
	}
	// 1 MiB takes 0.1 ms and more to copy and add, 4 MiB as long over 100 Gb/s; a message takes some 10 µs.
	const oneMachine, several = 1 << 18, 1 << 20
	for _, m := range d.group.Members() {
		if m.Host != d.group.Members()[0].Host {
			return several
		}
	}
	return oneMachine
}

// AllReduce is the operation of Device.AllReduce.
type AllReduce struct {
	X     *Tensor
	Exact bool
}

func (o *AllReduce) operands(v *operands) { v.out("x", &o.X, o.X.N) }

// AllReduce starts to replace x by its sum over the ranks of the group that the device has joined. Operations that come
// after it may run meanwhile; none of them may use x before AwaitReduced. Unless exact is set the numbers may travel in
// the group's wire format. All ranks make the same calls in the same order.
func (d *Device) AllReduce(x *Tensor, exact bool) {
	describe(d, &d.ops.AllReduce, AllReduce{X: x, Exact: exact})
}

// AwaitReduced is the operation of Device.AwaitReduced.
type AwaitReduced struct{}

func (o *AwaitReduced) operands(*operands) {}

// AwaitReduced has the operations that come after it see the sums of all AllReduce before it.
func (d *Device) AwaitReduced() { describe(d, &d.ops.AwaitReduced, AwaitReduced{}) }

// Leave has Await tell no longer of a failure of the group that the device has joined: what is on the device can be
// read then. Sums are not whole any more, and none may be started.
func (d *Device) Leave() {
	if j, ok := d.back.(Joiner); ok {
		j.Leave()
	}
}
