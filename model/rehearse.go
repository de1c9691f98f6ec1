package model

import "dns-tui/model/layer"

// Rehearse goes through a pass forward, and one backward where that is asked for, on a device that only counts what
// memory it would take (gpu.Device.Rehearses, or within Rehearse); nobody is told of it. Layers without bottoms or
// without tops, which read and write files, are passed over. It ends before a layer that takes its shape from its
// bottoms' data, which there are none of.
func (n *Net) Rehearse(backward bool) {
	debug, onGradient := n.debug, n.onGradient
	defer func() { n.debug, n.onGradient = debug, onGradient }()
	n.debug, n.onGradient = nil, nil
	for i, nd := range n.nodes {
		if _, dynamic := nd.layer.(layer.Dynamic); dynamic && len(nd.bottom) > 0 {
			return
		}
		if len(nd.bottom) > 0 && len(nd.top) > 0 && n.forward(i) != nil {
			return
		}
	}
	if backward {
		n.Backward()
	}
}
