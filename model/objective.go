package model

import "dns-tui/model/layer"

// LossBlobs are the tops that count toward the objective. The list is overwritten by the next call.
func (n *Net) LossBlobs() []*layer.Blob {
	n.losses, n.lossWeights = n.losses[:0], n.lossWeights[:0]
	for _, nd := range n.nodes {
		for j, w := range nd.weights {
			if w != 0 {
				n.losses, n.lossWeights = append(n.losses, nd.top[j]), append(n.lossWeights, float64(w))
			}
		}
	}
	return n.losses
}

// LossLen is how many numbers FetchLosses adds.
func (n *Net) LossLen() int {
	count := 0
	for _, b := range n.LossBlobs() {
		count += b.Data.N
	}
	return count
}

// FetchLosses starts to copy the losses of the last pass to the end of to, which it returns, grown. They are there once
// the device has been waited for, and so to must not grow before that: it has room for all that are added until then.
func (n *Net) FetchLosses(to []float32) []float32 {
	from, blobs := len(to), n.LossBlobs()
	for _, b := range blobs {
		for range b.Data.N {
			to = append(to, 0)
		}
	}
	for _, b := range blobs { // after to has grown to where it stays
		n.device.Fetch(to[from:from+b.Data.N], b.Data)
		from += b.Data.N
	}
	return to
}

// Objective is what losses, as FetchLosses copied them, come to: Σ loss_weight · loss.
func (n *Net) Objective(losses []float32) float64 {
	var sum float64
	for i, b := range n.LossBlobs() {
		var s float64
		for _, v := range losses[:b.Data.N] {
			s += float64(v)
		}
		losses = losses[b.Data.N:]
		sum += n.lossWeights[i] * s
	}
	return sum
}
