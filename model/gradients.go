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
	for _, nd := range slices.Backward(n.nodes) {
		nd.completes = nd.completes[:0]
		for _, p := range slices.Backward(nd.params) {
			if p.Trained() && first[p] == nd && !slices.Contains(nd.completes, p) {
				nd.completes, order = append(nd.completes, p), append(order, p)
			}
		}
	}
	return order
}

// MakeApart makes the room that Apart wants: as much as the gradients of the layer with the most.
func (n *Net) MakeApart() error {
	most, sums := 0, make([]int, len(n.nodes))
	for i, nd := range n.nodes {
		for _, p := range nd.params {
			if p.Gradient() != nil {
				sums[i] += p.Diff.N
			}
		}
		most = max(most, sums[i])
	}
	if most == 0 {
		return nil
	}
	room, err := gpu.NewTensor(n.device, most)
	if err != nil {
		return err
	}
	for _, nd := range n.nodes {
		at := 0
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
	for i, t := range nd.apart {
		if t != nil {
			n.device.Fill(t, 0)
			t, nd.params[i].Diff = nd.params[i].Diff, t
			nd.apart[i] = t
		}
	}
	nd.layer.Backward(nd.top, nd.need, nd.bottom)
	for i, sum := range nd.apart {
		if sum != nil {
			p := nd.params[i]
			n.device.Axpby(1, p.Diff, 1, sum)
			p.Diff, nd.apart[i] = sum, p.Diff
		}
	}
}
