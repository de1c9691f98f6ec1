package model

import (
	"slices"

	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// OnGradient has Backward tell of each parameter that is trained, as soon as its gradient is whole: when all layers
// that have it have run backward. nil: of none.
func (n *Net) OnGradient(f func(*layer.Param)) { n.onGradient = f }

// GradientOrder returns the parameters that are trained, in the order in which Backward completes their gradients.
func (n *Net) GradientOrder() []*layer.Param {
	first := map[*layer.Param]*node{}
	for _, nd := range slices.Backward(n.nodes) {
		for _, p := range nd.params {
			first[p] = nd
		}
	}
	var order []*layer.Param
	for _, nd := range n.nodes {
		nd.completes = nd.completes[:0]
	}
	for _, nd := range slices.Backward(n.nodes) {
		runs := nd
		if nd.first != nil {
			runs = nd.first
		}
		for _, p := range slices.Backward(nd.params) {
			if p.Trained() && first[p] == nd && !slices.Contains(runs.completes, p) {
				runs.completes, order = append(runs.completes, p), append(order, p)
			}
		}
	}
	return order
}

// MakeApart makes the room that Apart wants: as much as the gradients of the layer with the most, or of those that run
// together.
func (n *Net) MakeApart() error {
	most, sum := 0, 0
	for _, nd := range n.nodes {
		if nd.first == nil {
			sum = 0
		}
		for _, p := range nd.params {
			if p.Gradient() != nil {
				sum += p.Diff.N
			}
		}
		most = max(most, sum)
	}
	if most == 0 {
		return nil
	}
	room, err := gpu.NewTensor(n.device, most)
	if err != nil {
		return err
	}
	at := 0
	for _, nd := range n.nodes {
		if nd.first == nil {
			at = 0
		}
		nd.apart = make([]*gpu.Tensor, len(nd.params))
		for i, p := range nd.params {
			if p.Gradient() != nil && !slices.Contains(nd.params[:i], p) {
				nd.apart[i] = room.View(at, p.Shape...)
				at += p.Diff.N
			}
		}
	}
	return nil
}

// Apart says whether Backward computes a layer's gradients by themselves and then adds them to what is there, in place
// of adding each product to it: so they are rounded as those of a rank of its own are. It wants MakeApart.
func (n *Net) Apart(apart bool) { n.apart = apart }

// backwardApart is a layer's Backward where its gradients are added as a whole.
func (n *Net) backwardApart(nd *node) {
	n.setApart(nd)
	if n.together() {
		for _, next := range nd.joined {
			n.setApart(next)
		}
	}
	n.backwardLayer(nd)
	n.addApart(nd)
	if n.together() {
		for _, next := range nd.joined {
			n.addApart(next)
		}
	}
}

// setApart has a layer's gradients begin at 0, in room of their own.
func (n *Net) setApart(nd *node) {
	for i, t := range nd.apart {
		if t != nil {
			n.device.Fill(t, 0)
			nd.apart[i], nd.params[i].Diff = nd.params[i].Diff, t
		}
	}
}

// addApart adds what a layer's gradients have become to what was there.
func (n *Net) addApart(nd *node) {
	for i, sum := range nd.apart {
		if sum != nil {
			p := nd.params[i]
			n.device.Axpby(1, p.Diff, 1, sum)
			p.Diff, nd.apart[i] = sum, p.Diff
		}
	}
}
