package shrink

import (
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// Layers with weights that read channels and make others. Weights of a layer are [outputs][inputs][within a channel].

// linear is what they have in common.
type linear interface {
	op
	outputs(nd *node) int
	// weight is that of an output for a place of the bottom's axis 1, and of what is within.
	weight(nd *node, o, place, within int) float32
	// within is how many weights an output has for a place.
	within(nd *node) int
	// uneven says why a constant other than 0 that is read makes no constant; "" where it does.
	uneven(nd *node) string
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
		if u.root().stays && touches(l, nd, o, from, extent) {
			return true
		}
	}
	return false
}

// sum is an output's bias, with the constants that count.
func sum(l linear, nd *node, o int, counts func(channel) bool) float64 {
	sum := 0.0
	if len(nd.blobs) > 1 {
		sum = float64(nd.blobs[1][o])
	}
	for at, c := range nd.in[0].places() {
		if c.known && c.value != 0 && counts(c) {
			for p := at; p < at+c.extent; p++ {
				for k := range l.within(nd) {
					sum += float64(l.weight(nd, o, p, k)) * c.value
				}
			}
		}
	}
	return sum
}

// made are a layer's outputs: constant where all that they have weights for is, and makes a constant.
func made(l linear, nd *node) []*blob {
	even, top := l.uneven(nd) == "", &blob{}
	for o, u := range nd.units {
		c := channel{unit: u, extent: 1, known: true}
		for at, i := range nd.in[0].places() {
			if !(i.known && (even || i.value == 0)) && touches(l, nd, o, at, i.extent) {
				c.known = false
				break
			}
		}
		if c.known {
			c.value = sum(l, nd, o, func(channel) bool { return even })
		}
		top.channels = append(top.channels, c)
	}
	return []*blob{top}
}

// keptOutputs are the outputs that are left.
func keptOutputs(nd *node) []int {
	var out []int
	for o, u := range nd.units {
		if u.root().stays {
			out = append(out, o)
		}
	}
	return out
}

// biases are those of the outputs that are left, with the constants that are gone; whether there were some, or must be
// now.
func biases(l linear, nd *node) (array, bool) {
	wanted := len(nd.blobs) > 1
	out := array{}
	for _, o := range keptOutputs(nd) {
		b := sum(l, nd, o, func(c channel) bool { return !c.unit.root().stays })
		wanted = wanted || b != 0
		out.values = append(out.values, float32(b))
	}
	out.shape = []int{len(out.values)}
	return out, wanted
}

// product1 is an inner product from axis 1 on.
type product1 struct{ transposed bool }

func (p product1) outputs(nd *node) int {
	if p.transposed {
		return nd.Params[0][1]
	}
	return nd.Params[0][0]
}

func (p product1) within(nd *node) int { return gpu.Elements(nd.shapes[0][2:]) }

func (p product1) weight(nd *node, o, place, within int) float32 {
	outputs := len(nd.units)
	i := place*p.within(nd) + within
	if p.transposed {
		return nd.blobs[0][i*outputs+o]
	}
	return nd.blobs[0][o*(len(nd.blobs[0])/outputs)+i]
}

func (product1) uneven(*node) string { return "" }

func (p product1) flow(nd *node) []*blob { return made(p, nd) }

func (p product1) lines(nd *node, blob int) [][]*unit {
	inputs := unitsOf(nd.in[0], p.within(nd))
	switch {
	case blob == 1:
		return [][]*unit{nd.units}
	case p.transposed:
		return [][]*unit{inputs, nd.units}
	}
	return [][]*unit{nd.units, inputs}
}

func (p product1) shrink(nd *node, l *caffepb.LayerParameter) []array {
	outputs, places, size := keptOutputs(nd), leftOf(nd.in[0]), p.within(nd)
	inputs := len(places) * size
	w := array{shape: []int{len(outputs), inputs}, values: make([]float32, len(outputs)*inputs)}
	if p.transposed {
		w.shape = []int{inputs, len(outputs)}
	}
	for a, o := range outputs {
		for b, place := range places {
			for k := range size {
				at := a*inputs + b*size + k
				if p.transposed {
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
