package model

import (
	"math"

	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// A signal is which channels of a blob, its second axis, depend on the data; nil is all of a blob whose channels are
// not told apart.
type signal struct {
	channels []bool
	pruned   bool // it comes by way of a layer that can be pruned
}

// passes reports whether any channel depends on the data.
func (s *signal) passes() bool {
	if s.channels == nil {
		return true
	}
	for _, a := range s.channels {
		if a {
			return true
		}
	}
	return false
}

// channelwise are the layers whose channels depend each on the same one of their bottom.
var channelwise = map[string]bool{
	"ReLU":      true,
	"PReLU":     true,
	"ELU":       true,
	"Sigmoid":   true,
	"TanH":      true,
	"AbsVal":    true,
	"Power":     true,
	"Exp":       true,
	"Log":       true,
	"BNLL":      true,
	"Dropout":   true,
	"Pooling":   true,
	"LRN":       true,
	"BatchNorm": true,
	"Scale":     true,
	"Bias":      true,
	"Threshold": true,
	"Split":     true,
	"MVN":       true,
}

// BlockedAt returns the first layer that can be pruned behind which nothing of the data passes to any loss; "" where a
// loss gets something. It reads every mask from the device.
func (n *Net) BlockedAt() string {
	signals := map[string]*signal{}
	last := map[string]string{} // layer that can be pruned, of which nothing passes, by blob
	first := ""
	for _, nd := range n.nodes {
		in, pruned, dead := false, false, ""
		for _, b := range nd.bottom {
			s := signals[b.Name]
			if s == nil {
				s = &signal{}
			}
			in, pruned = in || s.passes(), pruned || s.pruned
			if s.pruned && !s.passes() && dead == "" {
				dead = last[b.Name]
			}
		}
		if nd.lossy() && pruned {
			if dead == "" || !allBlocked(nd, signals) {
				return "" // what this one learns, others may share
			}
			if first == "" {
				first = dead
			}
		}
		out := &signal{pruned: pruned}
		p, prunable := nd.layer.(layer.Prunable)
		switch {
		case len(nd.bottom) == 0:
		case prunable:
			out.pruned = true
			w, _ := p.Weights()
			from := signals[nd.bottom[0].Name]
			if plain := len(nd.bottom) == 1 && nd.axis() == 1; in && !plain { // its channels are not told apart
				from = nil
			}
			out.channels = throughWeights(n.device, nd, w, from)
			if nd.axis() != 1 && out.passes() {
				out.channels = nil
			}
		case channelwise[nd.typ] && len(nd.bottom) == 1 && signals[nd.bottom[0].Name] != nil &&
			signals[nd.bottom[0].Name].channels != nil:
			out.channels = signals[nd.bottom[0].Name].channels
		case !in:
			out.channels = []bool{false}
		}
		for _, b := range nd.top {
			signals[b.Name] = out
			switch {
			case out.passes():
				delete(last, b.Name)
			case dead != "":
				last[b.Name] = dead
			default:
				last[b.Name] = nd.name
			}
		}
	}
	return first
}

// axis is from which on a layer's inputs are taken together.
func (nd *node) axis() int {
	if p := nd.param.GetInnerProductParam(); p != nil {
		return int(p.GetAxis())
	}
	if p := nd.param.GetConvolutionParam(); p != nil {
		return int(p.GetAxis())
	}
	return 1
}

// lossy reports a layer with a top that counts toward the objective.
func (nd *node) lossy() bool {
	for _, w := range nd.weights {
		if w != 0 {
			return true
		}
	}
	return false
}

// allBlocked reports whether nothing of what a loss compares passes: labels come by another way.
func allBlocked(nd *node, signals map[string]*signal) bool {
	for _, b := range nd.bottom {
		if s := signals[b.Name]; s != nil && s.pruned && s.passes() {
			return false
		}
	}
	return true
}

// throughWeights are the outputs of a layer that depend on an input which the data passes to, by a weight that is kept.
func throughWeights(d *gpu.Device, nd *node, w *layer.Param, in *signal) []bool {
	outputs := outputsOf(nd, w)
	passing := make([]bool, outputs.Outputs)
	var from []bool
	if in != nil {
		from = in.channels
	}
	if from != nil && !in.passes() {
		return passing
	}
	var m []float32
	if w.Masked != nil {
		m = make([]float32, w.Masked.N)
		d.Download(m, w.Masked)
	}
	// Weights an input channel: of a convolution its taps, of an inner product the channel's pixels.
	per, group := 1, 1
	if len(w.Shape) == 4 && nd.param.GetInnerProductParam() == nil {
		per = w.Shape[2] * w.Shape[3]
		if in := nd.bottom[0].Shape; len(in) > 1 {
			group = max(1, in[1]/max(1, w.Shape[1]))
		}
	} else if len(from) > 0 && outputs.Inputs%len(from) == 0 {
		per = outputs.Inputs / len(from)
	} else {
		from = nil
	}
	for o := range passing {
		first := 0 // channel of the output's group
		if group > 1 {
			first = o / max(1, len(passing)/group) * w.Shape[1]
		}
		for i := range outputs.Inputs {
			at := o*outputs.Inputs + i
			if outputs.Transposed {
				at = i*outputs.Outputs + o
			}
			if m != nil && m[at] == 0 && math.Signbit(float64(m[at])) {
				continue // pruned
			}
			if c := first + i/per; from == nil || c >= len(from) || from[c] {
				passing[o] = true
				break
			}
		}
	}
	return passing
}
