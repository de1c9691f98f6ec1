package shrink

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// Layers with weights that read channels and make others. Weights of a layer are [outputs][inputs][within a channel].

// linear is what they have in common.
type linear interface {
	// weight is that of an output for a place of the bottom's axis 1, and of what is within.
	weight(nd *node, o, place, within int) float32
	// within is how many weights an output has for a place.
	within(nd *node) int
	folds(nd *node) bool
}

// touches reports whether an output has a weight for a part of axis 1.
func touches(l linear, nd *node, o, from, extent int) bool {
	for p := from; p < from+extent; p++ {
		for k := range l.within(nd) {
			if l.weight(nd, o, p, k) != 0 {
				return true
			}
		}
	}
	return false
}

// readsAny reports whether some output that is left has.
func readsAny(l linear, nd *node, from, extent int) bool {
	for o, u := range nd.units {
		if !u.root().removed && touches(l, nd, o, from, extent) {
			return true
		}
	}
	return false
}

// bias is an output's, with the constants that have gone.
func bias(l linear, nd *node, o int) float64 {
	sum := 0.0
	if len(nd.blobs) > 1 {
		sum = float64(nd.blobs[1][o])
	}
	for at, c := range nd.in[0].places() {
		if c.unit.root().removed && c.known && c.value != 0 {
			for p := at; p < at+c.extent; p++ {
				for k := range l.within(nd) {
					sum += float64(l.weight(nd, o, p, k)) * c.value
				}
			}
		}
	}
	return sum
}

// made are a layer's outputs: constant where no weight reads what is left.
func made(l linear, nd *node) []*blob {
	top := &blob{}
	for o, u := range nd.units {
		c := channel{unit: u, extent: 1, known: true}
		for at, i := range nd.in[0].places() {
			gone := i.unit.root().removed && i.known
			if !gone && touches(l, nd, o, at, i.extent) {
				c.known = false
				break
			}
		}
		if c.known {
			c.value = bias(l, nd, o)
		}
		top.channels = append(top.channels, c)
	}
	return []*blob{top}
}

// keptOutputs are the outputs that are left.
func keptOutputs(nd *node) []int {
	var out []int
	for o, u := range nd.units {
		if !u.root().removed {
			out = append(out, o)
		}
	}
	return out
}

// biases are those of the outputs that are left; whether there were some, or must be now.
func biases(l linear, nd *node) (array, bool) {
	wanted := len(nd.blobs) > 1
	out := array{}
	for _, o := range keptOutputs(nd) {
		b := bias(l, nd, o)
		wanted = wanted || b != 0
		out.values = append(out.values, float32(b))
	}
	out.shape = []int{len(out.values)}
	return out, wanted
}

// convolution is one without groups.
type convolution struct{}

func convolutionOf(nd *node) op {
	p := nd.param.GetConvolutionParam()
	group := int(p.GetGroup())
	switch {
	case p.GetAxis() != 1:
		return opaque{why: "its axis is not 1"}
	case len(nd.Bottom) != 1:
		return opaque{why: "it has several bottoms"}
	case group == 1:
		return convolution{}
	case group == nd.Params[0][0] && group == nd.shapes[0][1]:
		return depthwise{}
	}
	return opaque{why: "its channels are in groups, which must stay of one size"}
}

func (convolution) outputs(nd *node) int { return nd.Params[0][0] }

func (convolution) within(nd *node) int {
	s := nd.Params[0]
	return gpu.Elements(s[2:])
}

func (c convolution) weight(nd *node, o, place, within int) float32 {
	inputs := nd.Params[0][1]
	return nd.blobs[0][(o*inputs+place)*c.within(nd)+within]
}

func padded(nd *node) bool {
	p := nd.param.GetConvolutionParam()
	sides := []int32{
		int32(p.GetPadH()), int32(p.GetPadW()), p.GetPadL(), p.GetPadR(), p.GetPadT(), p.GetPadB(),
	}
	for _, x := range p.Pad {
		sides = append(sides, int32(x))
	}
	return slices.ContainsFunc(sides, func(x int32) bool { return x != 0 })
}

func (convolution) folds(nd *node) bool { return !padded(nd) }

func (c convolution) reads(nd *node, from, extent int) bool { return readsAny(c, nd, from, extent) }
func (c convolution) flow(nd *node) []*blob                 { return made(c, nd) }

func (c convolution) shrink(nd *node, p *caffepb.LayerParameter) []array {
	outputs, inputs, size := keptOutputs(nd), leftOf(nd.in[0]), c.within(nd)
	w := array{shape: append([]int{len(outputs), len(inputs)}, nd.Params[0][2:]...)}
	for _, o := range outputs {
		for _, i := range inputs {
			for k := range size {
				w.values = append(w.values, c.weight(nd, o, i, k))
			}
		}
	}
	p.ConvolutionParam.NumOutput = proto.Uint32(uint32(len(outputs)))
	b, wanted := biases(c, nd)
	if !wanted {
		return []array{w}
	}
	if !p.ConvolutionParam.GetBiasTerm() {
		p.ConvolutionParam.BiasTerm = proto.Bool(true)
	}
	return []array{w, b}
}

// depthwise has a filter for each channel, which goes with it.
type depthwise struct{}

func (depthwise) flow(nd *node) []*blob {
	size := len(nd.blobs[0]) / nd.Params[0][0]
	return through(nd, func(c channel, at int) (float64, bool) {
		sum, empty := 0.0, true
		for _, w := range nd.blobs[0][at*size : (at+1)*size] {
			sum += float64(w)
			empty = empty && w == 0
		}
		b := 0.0
		if len(nd.blobs) > 1 {
			b = float64(nd.blobs[1][at])
		}
		switch {
		case empty, c.known && c.value == 0:
			return b, true
		case c.known && !padded(nd):
			return b + sum*c.value, true
		}
		return 0, false
	})
}

func (depthwise) shrink(nd *node, p *caffepb.LayerParameter) []array {
	left, size := leftOf(nd.in[0]), len(nd.blobs[0])/nd.Params[0][0]
	w := array{shape: append([]int{len(left)}, nd.Params[0][1:]...)}
	for _, i := range left {
		w.values = append(w.values, nd.blobs[0][i*size:(i+1)*size]...)
	}
	p.ConvolutionParam.NumOutput = proto.Uint32(uint32(len(left)))
	p.ConvolutionParam.Group = proto.Uint32(uint32(len(left)))
	if len(nd.blobs) < 2 {
		return []array{w}
	}
	return []array{w, picked(nd.blobs[1], left)}
}

// product1 is an inner product from axis 1 on.
type product1 struct{}

func (product1) outputs(nd *node) int {
	if nd.param.GetInnerProductParam().GetTranspose() {
		return nd.Params[0][1]
	}
	return nd.Params[0][0]
}

func (p product1) within(nd *node) int { return gpu.Elements(nd.shapes[0][2:]) }

func (p product1) weight(nd *node, o, place, within int) float32 {
	outputs := len(nd.units)
	i := place*p.within(nd) + within
	if nd.param.GetInnerProductParam().GetTranspose() {
		return nd.blobs[0][i*outputs+o]
	}
	return nd.blobs[0][o*(len(nd.blobs[0])/outputs)+i]
}

func (product1) folds(*node) bool { return true }

func (p product1) reads(nd *node, from, extent int) bool { return readsAny(p, nd, from, extent) }
func (p product1) flow(nd *node) []*blob                 { return made(p, nd) }

func (p product1) shrink(nd *node, l *caffepb.LayerParameter) []array {
	outputs, places, size := keptOutputs(nd), leftOf(nd.in[0]), p.within(nd)
	inputs := len(places) * size
	w := array{shape: []int{len(outputs), inputs}, values: make([]float32, len(outputs)*inputs)}
	transposed := nd.param.GetInnerProductParam().GetTranspose()
	if transposed {
		w.shape = []int{inputs, len(outputs)}
	}
	for a, o := range outputs {
		for b, place := range places {
			for k := range size {
				at := a*inputs + b*size + k
				if transposed {
					at = (b*size+k)*len(outputs) + a
				}
				w.values[at] = p.weight(nd, o, place, k)
			}
		}
	}
	l.InnerProductParam.NumOutput = proto.Uint32(uint32(len(outputs)))
	b, wanted := biases(p, nd)
	if !wanted {
		return []array{w}
	}
	if !l.InnerProductParam.GetBiasTerm() {
		l.InnerProductParam.BiasTerm = proto.Bool(true)
	}
	return []array{w, b}
}
