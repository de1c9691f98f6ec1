package model

import (
	"slices"

	"dns-tui/model/layer"
)

// joinLayers finds layers that work in place right behind one that can do their work in its own passes over memory
// (layer.Joiner). The first of them then runs for all, and the others have nothing to do, except where every layer is
// described (SetDebug).
func (n *Net) joinLayers() {
	for _, nd := range n.nodes {
		nd.first, nd.joined = nil, nil
	}
	for i := 0; i < len(n.nodes); i++ {
		nd := n.nodes[i]
		j, ok := nd.layer.(layer.Joiner)
		if !ok || nd.idle {
			continue
		}
		j.Leave()
		for _, next := range n.nodes[i+1:] {
			if !n.inPlaceBehind(nd, next) || next.backward && readsInPlace(next) && n.overwritten(nd.top[0], i+1) ||
				!j.Join(next.layer, n.needed(nd)) {
				break
			}
			next.first, nd.joined = nd, append(nd.joined, next)
			i++
		}
	}
}

// readsInPlace reports whether the gradient of a layer that works in place depends on its only blob.
func readsInPlace(nd *node) bool {
	return layer.ReadsBottom(nd.layer, 0) || layer.ReadsTop(nd.layer, 0)
}

// overwritten reports whether a layer behind that of index i works in place on what it wrote: the gradient of one that
// reads it depends on what is there then, as in Caffe, which a layer that did its work would not know. Dropout changes
// no sign, which is what a ReLU reads, and where it makes a zero the gradient is 0.
func (n *Net) overwritten(top *layer.Blob, i int) bool {
	return slices.ContainsFunc(n.nodes[i+1:], func(nd *node) bool {
		return nd.typ != "Dropout" && slices.Contains(nd.top, top)
	})
}

// inPlaceBehind reports whether next works in place on what nd writes, and runs backward where nd does.
func (n *Net) inPlaceBehind(nd, next *node) bool {
	if len(nd.top) != 1 || len(next.bottom) != 1 || len(next.top) != 1 {
		return false
	}
	top, weights := nd.top[0], nd.weights[0] != 0 || next.weights[0] != 0
	if next.bottom[0] != top || next.top[0] != top || weights {
		return false
	}
	return !n.gradients || nd.backward == next.backward && (!nd.backward || next.need[0])
}

// needed is which bottoms of a layer want a gradient, or nil where it does not run backward.
func (n *Net) needed(nd *node) []bool {
	if !n.gradients || !nd.backward {
		return nil
	}
	return nd.need
}

// together reports whether layers that were joined run as one.
func (n *Net) together() bool { return n.debug == nil }
