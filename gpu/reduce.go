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

// Join has the device sum arrays over the ranks of g. Every rank's device joins. From then on Await returns the group's
// failure, too.
func (d *Device) Join(g collective.Group) error {
	j, ok := d.back.(Joiner)
	if !ok {
		return fmt.Errorf("%s: knows no other ranks", d.Name())
	}
	return j.Join(g)
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

// Leave has Await tell no longer of a failure of the group that the device has joined: what is on the device can be read
// then. Sums are not whole any more, and none may be started.
func (d *Device) Leave() {
	if j, ok := d.back.(Joiner); ok {
		j.Leave()
	}
}
