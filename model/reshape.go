package model

import (
	"io"

	"dns-tui/model/layer"
)

// reshape sets up again what stands below node i, whose tops changed their shapes (Caffe's Net::Reshape). Parameters
// stay; a layer that carries something from pass to pass begins anew. A layer whose bottoms are all empty does not run,
// and a loss of it is 0.
func (n *Net) reshape(i int) error {
	if err := n.renewDiffs(n.nodes[i]); err != nil {
		return err
	}
	for _, nd := range n.nodes[i+1:] {
		if !nd.changed() {
			continue
		}
		if _, open := nd.layer.(io.Closer); !open { // one that has a file open continues with it
			var err error
			if nd.layer, _, err = layer.New(nd.param); err != nil {
				return n.file.Errorf(nd.index, "(%s) %v", nd.typ, err)
			}
		}
		keep := func(s layer.ParamSpec) (*layer.Param, error) { return nd.params[s.Index], nil }
		if err := n.setUp(nd, keep); err != nil {
			return n.file.Errorf(nd.index, "(%s) bottoms changed shape: %v", nd.typ, err)
		}
		if err := n.renewDiffs(nd); err != nil {
			return err
		}
		nd.idle = nd.empty()
	}
	n.joinLayers()
	if !n.reuse {
		return nil
	}
	if n.again[i] == nil {
		n.again[i] = newArena(n.device)
	}
	return n.place(n.again[i])
}

// changed reports whether a bottom is another array than the layer was set up for.
func (nd *node) changed() bool {
	for j, b := range nd.bottom {
		if b.Data != nd.data[j] {
			return true
		}
	}
	return false
}

// empty reports whether no bottom holds an element.
func (nd *node) empty() bool {
	for _, b := range nd.bottom {
		if b.Len() > 0 {
			return false
		}
	}
	return len(nd.bottom) > 0
}

// renewDiffs gives the tops that had a gradient one of their new shape.
func (n *Net) renewDiffs(nd *node) error {
	for _, t := range nd.top {
		if t.Diff == nil || t.Diff.N == t.Len() && !t.Aliased() && !n.reuse {
			continue
		}
		t.Diff = nil
		if err := t.NeedDiff(n.device); err != nil {
			return err
		}
	}
	return nil
}
