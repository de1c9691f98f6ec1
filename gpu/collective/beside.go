package collective

// A Watcher is a Group that watches over sums which pass beside it: a device's own, as NCCL's, which moves numbers from
// GPU to GPU. Such a device asks it how gradients are to travel, and lets it know how far it is, so that the group
// names who keeps others waiting, and ends where nothing has passed for too long.
type Watcher interface {
	// Wire is the format in which sums that are not exact are to travel.
	Wire() Wire
	// Entered counts a collective call that passes beside the group.
	Entered()
	// Waiting says that this rank begins to wait for what passes beside the group, or has ceased to. It is not counted
	// in Status.Waiting: a device computes meanwhile.
	Waiting(on bool)
}

// WireOf is the format in which sums of a group travel: Float32 where it does not say.
func WireOf(g Group) Wire {
	if w, ok := g.(Watcher); ok {
		return w.Wire()
	}
	return Float32
}

// Wire implements Watcher.
func (g *joined) Wire() Wire { return g.wire }

// Entered implements Watcher.
func (g *joined) Entered() { _ = g.enter() } // that the group has failed is told by Err

// Waiting implements Watcher.
func (g *joined) Waiting(on bool) {
	if on {
		g.progress.Add(1)
		g.waits.Add(1)
		return
	}
	g.waits.Add(-1)
}
