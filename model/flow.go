package model

import (
	"fmt"
	"math"

	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// A net whose masks leave no path from the data to a loss gives the same output for every image, and learns nothing
// but biases.

// signs are which channels of a blob, its second axis, hang on the data; nil is all of a blob whose channels are not
// told apart.
type signs struct {
	channels []bool
	pruned   bool // it comes by way of a layer that can be pruned
}

func (s *signs) alive() bool {
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

// channelwise are the layers whose channels hang each on the same one of their bottom.
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

// blocked returns the first layer that can be pruned behind which nothing of the data passes to any loss; "" where a
// loss gets something.
func (n *Net) blocked(d gpu.Device) string {
	at := map[string]*signs{}
	last := map[string]string{} // layer that can be pruned, of which nothing passes, by blob
	first := ""
	for _, nd := range n.nodes {
		in, pruned, dead := false, false, ""
		for _, b := range nd.bottom {
			s := at[b.Name]
			if s == nil {
				s = &signs{}
			}
			in, pruned = in || s.alive(), pruned || s.pruned
			if s.pruned && !s.alive() && dead == "" {
				dead = last[b.Name]
			}
		}
		if nd.lossy() && pruned {
			if dead == "" || !allBlocked(nd, at) {
				return "" // what this one learns, others may share
			}
			if first == "" {
				first = dead
			}
		}
		out := &signs{pruned: pruned}
		p, prunable := nd.layer.(layer.Prunable)
		switch {
		case len(nd.bottom) == 0:
		case prunable:
			out.pruned = true
			w, _ := p.Weights()
			from := at[nd.bottom[0].Name]
			if plain := len(nd.bottom) == 1 && nd.axis() == 1; in && !plain { // its channels are not told apart
				from = nil
			}
			out.channels = throughWeights(d, nd, w, from)
			if nd.axis() != 1 && out.alive() {
				out.channels = nil
			}
		case channelwise[nd.typ] && at[nd.bottom[0].Name] != nil && at[nd.bottom[0].Name].channels != nil && len(nd.bottom) == 1:
			out.channels = at[nd.bottom[0].Name].channels
		case !in:
			out.channels = []bool{false}
		}
		for _, b := range nd.top {
			at[b.Name] = out
			switch {
			case out.alive():
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
func allBlocked(nd *node, at map[string]*signs) bool {
	for _, b := range nd.bottom {
		if s := at[b.Name]; s != nil && s.pruned && s.alive() {
			return false
		}
	}
	return true
}

// throughWeights are the outputs of a layer that hang on an input which is alive, by a weight that is kept.
func throughWeights(d gpu.Device, nd *node, w *layer.Param, in *signs) []bool {
	outputs := outputsOf(nd, w)
	alive := make([]bool, outputs.Outputs)
	var from []bool
	if in != nil {
		from = in.channels
	}
	if from != nil && !in.alive() {
		return alive
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
	for o := range alive {
		first := 0 // channel of the output's group
		if group > 1 {
			first = o / max(1, len(alive)/group) * w.Shape[1]
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
				alive[o] = true
				break
			}
		}
	}
	return alive
}

// checkFlow looks, after a surgery, whether the net still passes anything. It is dear, so that it is done at the
// first, where the weights of some layer have become fewer by a fifth, and now and then where few weights are left.
func (t *Trainer) checkFlow(now bool) error {
	f := &t.flow
	if f.layers == nil {
		f.layers = make([]int, len(t.solver.surgeon.layers))
	}
	kept, few, fewer := 0, false, false
	for i, p := range t.solver.surgeon.layers {
		kept += p.result.Kept
		few = few || p.result.Kept < 2*p.Outputs.Outputs
		fewer = fewer || 5*p.result.Kept < 4*f.layers[i]
	}
	f.surgeries++
	if f.looked && kept == f.kept && !fewer && f.blocked == "" {
		return nil
	}
	if !now && f.looked && !fewer && !(few && f.surgeries >= flowEvery) {
		return nil
	}
	f.looked, f.kept, f.surgeries = true, kept, 0
	for i, p := range t.solver.surgeon.layers {
		f.layers[i] = p.result.Kept
	}
	if err := t.drain(); err != nil {
		return err
	}
	was := f.blocked
	f.blocked = t.solver.Net.blocked(t.solver.device)
	switch {
	case f.blocked != "" && was == "":
		total := 0
		for _, p := range t.solver.surgeon.layers {
			total += p.result.Total
		}
		return t.collapsed(
			fmt.Sprintf(
				"nothing passes %s any more: surgery has left no path from the data to the loss (%d of %d weights are kept)",
				f.blocked,
				kept,
				total,
			),
		)
	case f.blocked == "" && was != "":
		t.note(Event{Iter: t.solver.Iter, Text: "data passes to the loss again"})
	}
	return nil
}

// flowEvery is how many surgeries lie between two looks at a net of few weights that loses them slowly.
const flowEvery = 50

// flow is what checkFlow knows.
type flow struct {
	looked    bool   // there was a look
	kept      int    // at the last look
	layers    []int  // of each layer, then
	surgeries int    // since
	blocked   string // the layer that nothing passes
}
