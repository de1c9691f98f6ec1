package model

import (
	"fmt"
	"math"
	"slices"

	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// Poisoned runs a pass forward and one backward and fills each piece of shared memory with NaN before the first layer
// of the pass that touches it, and after the last: whoever reads what is another's, or what nobody wrote, shows.
func (n *Net) Poisoned() error {
	first, last := map[int][]*gpu.Reserved{}, map[int][]*gpu.Reserved{}
	from, until := map[*gpu.Reserved]int{}, map[*gpu.Reserved]int{}
	touch := func(at int, pass func(u *uses)) {
		one := &uses{of: map[*gpu.Reserved]*use{}}
		pass(one)
		for _, s := range one.list {
			r := s.memory
			if !n.shared[r] {
				continue
			}
			if _, ok := from[r]; !ok {
				from[r] = at
			}
			until[r] = at
		}
	}
	// When is found by the way of the uses, whose steps are coarser.
	u := n.uses()
	back := 2*len(n.nodes) - 1
	for i, nd := range n.nodes {
		touch(i, func(u *uses) { u.forward(nd) })
	}
	for i, nd := range slices.Backward(n.nodes) {
		if !nd.backward {
			continue
		}
		touch(back-i, func(u *uses) { u.backward(nd) })
	}
	for _, s := range u.list {
		if n.shared[s.memory] {
			first[from[s.memory]] = append(first[from[s.memory]], s.memory)
			last[until[s.memory]] = append(last[until[s.memory]], s.memory)
		}
	}
	poison := func(list []*gpu.Reserved) {
		for _, r := range list {
			n.device.Fill(&gpu.Tensor{Mem: r, N: r.Len(), Shape: []int{r.Len()}}, float32(math.NaN()))
		}
	}
	for i := range n.nodes {
		poison(first[i])
		if err := n.forward(i); err != nil {
			return err
		}
		poison(last[i])
	}
	for i, nd := range slices.Backward(n.nodes) {
		if nd.backward {
			poison(first[back-i])
			n.backward(nd)
			poison(last[back-i])
		}
	}
	return nil
}

// Lasting is Blob that returns nil in place of a blob whose memory is shared.
func (n *Net) Lasting(name string) *layer.Blob {
	if b := n.blobs[name]; b == nil || n.shared[reserved(b.Data)] {
		return nil
	}
	return n.Blob(name)
}

// Overlaps names two blobs that are in use at the same time and share memory; it returns nil where there are none.
func (n *Net) Overlaps() error {
	type piece struct {
		*use
		in   gpu.Memory
		from int
	}
	var pieces []piece
	for _, u := range n.uses().list {
		in, from := (&gpu.Tensor{Mem: u.memory}).Place()
		pieces = append(pieces, piece{u, in, from})
	}
	for i, a := range pieces {
		for _, b := range pieces[:i] {
			if a.in == b.in && a.from < b.from+b.memory.Words() && b.from < a.from+a.memory.Words() &&
				a.first <= b.last && b.first <= a.last {
				return fmt.Errorf("%q and %q are in use at once, and share memory", a.blob.Name, b.blob.Name)
			}
		}
	}
	return nil
}

// Joined is how many layers another does.
func (n *Net) Joined() int {
	count := 0
	for _, nd := range n.nodes {
		if nd.first != nil {
			count++
		}
	}
	return count
}
