package shrink

import (
	"fmt"
)

// opOf is what is known of a layer.
func opOf(nd *node) op {
	p := nd.param
	switch nd.Type {
	case "Convolution", "CConvolution", "Deconvolution":
		return convolutionOf(nd)
	case "InnerProduct", "CInnerProduct":
		if !isAxis1(p.GetInnerProductParam().GetAxis(), nd) {
			return opaque{why: "its axis is not 1"}
		}
		return product1{p.GetInnerProductParam().GetTranspose()}
	case "Dropout", "Interp":
		return same
	case "Crop":
		if a, rank := int(p.GetCropParam().GetAxis()), len(nd.shapes[0]); (a+rank)%rank < 2 {
			return opaque{why: "it cuts channels"}
		}
		return crop{}
	case "PReLU":
		return prelu{}
	case "BatchNorm":
		return batchNormOf(nd)
	case "Scale":
		return scaleOf(nd, p.GetScaleParam())
	case "Bias":
		return scaleOf(nd, p.GetBiasParam())
	case "Pooling":
		return poolingOf(nd)
	case "LRN":
		return lrnOf(nd)
	case "Flatten":
		f := p.GetFlattenParam()
		if e := int(f.GetEndAxis()); !isAxis1(f.GetAxis(), nd) || e != -1 && e != len(nd.shapes[0])-1 {
			return opaque{why: "it does not flatten from axis 1 to the last"}
		}
		return flatten{}
	case "Reshape":
		return reshapeOf(nd)
	case "Concat":
		if a := p.GetConcatParam(); !isAxis1(a.GetAxis(), nd) || a.GetConcatDim() != 1 {
			return opaque{why: "it joins along another axis than that of channels"}
		}
		return concat{}
	case "Slice":
		if a := p.GetSliceParam(); !isAxis1(a.GetAxis(), nd) || a.GetSliceDim() != 1 {
			return opaque{why: "it cuts along another axis than that of channels"}
		}
		return cut{}
	case "Eltwise":
		return eltwise{}
	case "Split":
		return copies{}
	case "Silence":
		return silence{}
	}
	if f := function(p); f != nil {
		return pointwise{f}
	}
	return opaque{why: ""}
}

// isAxis1 reports whether an axis, perhaps counted from the last one, is axis 1 of what a layer reads.
func isAxis1(axis int32, nd *node) bool { return axis == 1 || int(axis) == 1-len(nd.shapes[0]) }

// opaque is a layer of which nothing is known: what it reads stays as it is, and what it makes is not touched.
type opaque struct {
	untouched
	why string
}

func (o opaque) flow(nd *node) []*blob {
	why := "read by " + nd.Name + " (" + nd.Type + ")"
	if o.why != "" {
		why += ": " + o.why
	}
	for _, b := range nd.in {
		pin(b, why)
	}
	var tops []*blob
	for i := range nd.Top {
		n := 1
		if s := nd.Shapes[i]; len(s) > 1 {
			n = s[1]
		}
		u := &unit{pin: "made by " + nd.Name, source: len(nd.Bottom) == 0}
		tops = append(tops, &blob{[]channel{{unit: u, extent: n}}})
	}
	return tops
}

// through are the channels of the first bottom, each with what becomes of its constant; f gets where the channel stands
// among those of axis 1.
func through(nd *node, f func(c channel, at int) (float64, bool)) []*blob {
	top := &blob{}
	for at, c := range nd.in[0].places() {
		known := c.known
		if c.value, c.known = f(c, at); known && !c.known {
			c.lost = fmt.Sprintf("lost in %s (%s)", nd.Name, nd.Type)
		}
		top.channels = append(top.channels, c)
	}
	return []*blob{top}
}

// leftOf are the places of axis 1 whose channel is left.
func leftOf(b *blob) []int {
	var out []int
	for at, c := range b.places() {
		if c.unit.root().stays {
			for k := range c.extent {
				out = append(out, at+k)
			}
		}
	}
	return out
}

// picked are some of the values of a parameter that has one for each place of axis 1.
func picked(v []float32, left []int) array {
	out := make([]float32, len(left))
	for i, k := range left {
		out[i] = v[k]
	}
	return array{[]int{len(left)}, out}
}

// copies hands its bottom to each top.
type copies struct {
	untouched
}

func (copies) flow(nd *node) []*blob {
	var tops []*blob
	for range nd.Top {
		tops = append(tops, nd.in[0])
	}
	return tops
}

// silence reads nothing.
type silence struct {
	untouched
}

func (silence) flow(*node) []*blob { return nil }
