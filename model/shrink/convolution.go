package shrink

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// convolution is one in any number of groups, each of which makes its part of the outputs of its part of the inputs.
// Its weights are [outputs][inputs of a group]; deconvolution: [inputs][outputs of a group].
type convolution struct{ deconvolution bool }

func convolutionOf(nd *node) op {
	p := nd.param.GetConvolutionParam()
	switch {
	case !isAxis1(p.GetAxis(), nd):
		return opaque{why: "its axis is not 1"}
	case len(nd.Bottom) != 1:
		return opaque{why: "it has several bottoms"}
	}
	return convolution{deconvolution: nd.Type == "Deconvolution"}
}

func (convolution) groups(nd *node) int { return int(nd.param.GetConvolutionParam().GetGroup()) }

func (convolution) outputs(nd *node) int { return int(nd.param.GetConvolutionParam().GetNumOutput()) }

// sizes are how many inputs and outputs a group has.
func (c convolution) sizes(nd *node) (inputs, outputs int) {
	return nd.shapes[0][1] / c.groups(nd), len(nd.units) / c.groups(nd)
}

func (convolution) within(nd *node) int { return gpu.Elements(nd.Params[0][2:]) }

func (c convolution) weight(nd *node, o, place, within int) float32 {
	inputs, outputs := c.sizes(nd)
	row := o*inputs + place%inputs
	switch {
	case o/outputs != place/inputs: // another group's
		return 0
	case c.deconvolution:
		row = place*outputs + o%outputs
	}
	return nd.blobs[0][row*c.within(nd)+within]
}

func (c convolution) uneven(nd *node) string {
	switch {
	case c.deconvolution:
		return "which spreads it unevenly"
	case padded(nd):
		return "whose padding is 0 and not the constant"
	}
	return ""
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

func (c convolution) flow(nd *node) []*blob { return made(c, nd) }

func (c convolution) lines(nd *node, blob int) [][]*unit {
	inputs := unitsOf(nd.in[0], 1)
	switch {
	case blob == 1:
		return [][]*unit{nd.units}
	case c.deconvolution:
		return [][]*unit{inputs, nd.units}
	}
	return [][]*unit{nd.units, inputs}
}

// keepAlike keeps as many inputs and outputs of each group as of any other, but for groups of which nothing stays.
func (c convolution) keepAlike(nd *node) bool {
	groups := c.groups(nd)
	if groups == 1 {
		return false
	}
	var inputs []channel
	for _, i := range nd.in[0].channels {
		for range i.extent {
			inputs = append(inputs, i)
		}
	}
	// channels are parts of axis 1 of the bottom and of the top, one a group.
	sides := [][][]channel{parts(inputs, groups), parts(nd.out[0].channels, groups)}
	some := false
	for _, side := range sides {
		wanted := 1
		for _, part := range side {
			wanted = max(wanted, staying(part))
		}
		for k, part := range side {
			if staying(sides[0][k])+staying(sides[1][k]) == 0 {
				continue
			}
			for staying(part) < wanted {
				stay(idlest(gone(part)).unit, fmt.Sprintf("the groups of %s must be alike", nd.Name), true)
				some = true
			}
		}
	}
	return some
}

// parts cuts channels into parts of one length.
func parts(channels []channel, n int) [][]channel {
	return slices.Collect(slices.Chunk(channels, len(channels)/n))
}

// gone are the channels that do not stay.
func gone(channels []channel) []channel {
	return slices.DeleteFunc(slices.Clone(channels), func(c channel) bool { return c.unit.root().stays })
}

func (c convolution) shrink(nd *node, p *caffepb.LayerParameter) []array {
	outputs, inputs, size := keptOutputs(nd), leftOf(nd.in[0]), c.within(nd)
	in, out := c.sizes(nd)
	groups := map[int]bool{} // that are left
	for _, o := range outputs {
		groups[o/out] = true
	}
	w := array{shape: slices.Clone(nd.Params[0])}
	if c.deconvolution {
		w.shape[0], w.shape[1] = len(inputs), len(outputs)/len(groups)
	} else {
		w.shape[0], w.shape[1] = len(outputs), len(inputs)/len(groups)
	}
	add := func(o, i int) {
		if o/out != i/in {
			return
		}
		for k := range size {
			w.values = append(w.values, c.weight(nd, o, i, k))
		}
	}
	if c.deconvolution {
		for _, i := range inputs {
			for _, o := range outputs {
				add(o, i)
			}
		}
	} else {
		for _, o := range outputs {
			for _, i := range inputs {
				add(o, i)
			}
		}
	}
	p.ConvolutionParam.NumOutput = proto.Uint32(uint32(len(outputs)))
	if p.ConvolutionParam.Group != nil || len(groups) != c.groups(nd) {
		p.ConvolutionParam.Group = proto.Uint32(uint32(len(groups)))
	}
	b, wanted := biases(c, nd)
	if !wanted {
		return []array{w}
	}
	if !p.ConvolutionParam.GetBiasTerm() {
		p.ConvolutionParam.BiasTerm = proto.Bool(true)
	}
	return []array{w, b}
}
