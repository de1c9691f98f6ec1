package shrink

import (
	"fmt"
	"math"
	"slices"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// opOf is what is known of a layer.
func opOf(nd *node) op {
	p := nd.param
	switch nd.Type {
	case "Convolution", "CConvolution":
		return convolutionOf(nd)
	case "InnerProduct", "CInnerProduct":
		if a := p.GetInnerProductParam().GetAxis(); a != 1 {
			return opaque{why: "its axis is not 1"}
		}
		return product1{}
	case "ReLU":
		slope := float64(p.GetReluParam().GetNegativeSlope())
		return pointwise{f: func(x float64) float64 {
			if x < 0 {
				return slope * x
			}
			return x
		}}
	case "Sigmoid":
		return pointwise{f: func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }}
	case "TanH":
		return pointwise{f: math.Tanh}
	case "AbsVal":
		return pointwise{f: math.Abs}
	case "Dropout":
		return same
	case "ELU", "BNLL", "Power", "Exp", "Log", "Swish", "Clip", "Threshold": // not worth a formula
		return pointwise{f: nil}
	case "PReLU":
		return prelu{}
	case "BatchNorm":
		global := nd.phase == caffepb.Phase_TEST
		if b := p.GetBatchNormParam(); b != nil && b.UseGlobalStats != nil {
			global = b.GetUseGlobalStats()
		}
		if !global {
			return opaque{why: "it normalizes by the statistics of each batch"}
		}
		return batchNorm{}
	case "Scale":
		if len(nd.Bottom) != 1 || p.GetScaleParam().GetAxis() != 1 || p.GetScaleParam().GetNumAxes() != 1 {
			return opaque{why: "it does not scale channels by weights of its own"}
		}
		return scale{}
	case "Bias":
		if len(nd.Bottom) != 1 || p.GetBiasParam().GetAxis() != 1 || p.GetBiasParam().GetNumAxes() != 1 {
			return opaque{why: "it does not add to channels weights of its own"}
		}
		return scale{}
	case "Pooling":
		return poolingOf(nd)
	case "LRN":
		if p.GetLrnParam().GetNormRegion() != caffepb.LRNParameter_WITHIN_CHANNEL &&
			p.GetLrnParam().GetLocalSize() != 1 {
			return opaque{why: "it normalizes across channels: each has its neighbours"}
		}
		return zeros{}
	case "Flatten":
		if f := p.GetFlattenParam(); f.GetAxis() != 1 || f.GetEndAxis() != -1 {
			return opaque{why: "it does not flatten from axis 1 to the last"}
		}
		return flatten{}
	case "Reshape":
		if !isFlatten(nd) {
			return opaque{why: "it reshapes otherwise than by flattening"}
		}
		return flatten{}
	case "Concat":
		if a := p.GetConcatParam(); a.GetAxis() != 1 || a.GetConcatDim() != 1 {
			return opaque{why: "it joins along another axis than that of channels"}
		}
		return concat{}
	case "Slice":
		if a := p.GetSliceParam(); a.GetAxis() != 1 || a.GetSliceDim() != 1 {
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
	return opaque{why: ""}
}

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
			c.lost = fmt.Sprintf("%s (%s)", nd.Name, nd.Type)
		}
		top.channels = append(top.channels, c)
	}
	return []*blob{top}
}

// pointwise is a function of each value by itself; nil: one whose constants are not followed.
type pointwise struct {
	untouched
	f func(float64) float64
}

func (p pointwise) flow(nd *node) []*blob {
	return through(nd, func(c channel, _ int) (float64, bool) {
		if !c.known || p.f == nil {
			return 0, false
		}
		return p.f(c.value), true
	})
}

// same leaves constants what they are.
var same = pointwise{f: func(x float64) float64 { return x }}

// zeros is a layer that works within channels, and of whose constants only 0 is followed.
type zeros struct {
	untouched
}

func (zeros) flow(nd *node) []*blob {
	return through(nd, func(c channel, _ int) (float64, bool) { return 0, c.known && c.value == 0 })
}

// poolingOf tells maxima and unpadded averages, of which constants stay what they are, from padded averages.
func poolingOf(nd *node) op {
	p := nd.param.GetPoolingParam()
	switch {
	case len(nd.Top) != 1:
		return opaque{why: "it has a mask of maxima"}
	case p.GetPool() == caffepb.PoolingParameter_MAX:
		return same
	case p.GetPool() != caffepb.PoolingParameter_AVE:
		return opaque{why: "it draws at random"}
	case p.GetPad() == 0 && p.GetPadH() == 0 && p.GetPadW() == 0:
		return same
	}
	return zeros{}
}

// leftOf are the places of axis 1 whose channel is left.
func leftOf(b *blob) []int {
	var out []int
	for at, c := range b.places() {
		if !c.unit.root().removed {
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

// prelu has a slope for each channel, or one for all.
type prelu struct{}

func (prelu) flow(nd *node) []*blob {
	shared := nd.param.GetPreluParam().GetChannelShared()
	return through(nd, func(c channel, at int) (float64, bool) {
		if !c.known || c.extent > 1 && !shared {
			return 0, c.known && c.value == 0
		}
		if c.value >= 0 {
			return c.value, true
		}
		if shared {
			at = 0
		}
		return c.value * float64(nd.blobs[0][at]), true
	})
}

func (prelu) shrink(nd *node, _ *caffepb.LayerParameter) []array {
	if nd.param.GetPreluParam().GetChannelShared() {
		return nil
	}
	return []array{picked(nd.blobs[0], leftOf(nd.in[0]))}
}

// batchNorm subtracts running means and divides by running deviations: blobs mean, variance, and what both are
// multiples of.
type batchNorm struct{}

func (batchNorm) flow(nd *node) []*blob {
	factor := 0.0
	if s := float64(nd.blobs[2][0]); s != 0 {
		factor = 1 / s
	}
	eps := float64(nd.param.GetBatchNormParam().GetEps())
	return through(nd, func(c channel, at int) (float64, bool) {
		if !c.known || c.extent > 1 {
			return 0, false
		}
		mean, variance := factor*float64(nd.blobs[0][at]), factor*float64(nd.blobs[1][at])
		return (c.value - mean) / math.Sqrt(variance+eps), true
	})
}

func (batchNorm) shrink(nd *node, _ *caffepb.LayerParameter) []array {
	left := leftOf(nd.in[0])
	out := []array{picked(nd.blobs[0], left), picked(nd.blobs[1], left), {[]int{1}, nd.blobs[2]}}
	for i := 3; i < len(nd.blobs); i++ { // scale and shift, of forks that have them here
		out = append(out, picked(nd.blobs[i], left))
	}
	return out
}

// scale is Scale, with or without a bias, and Bias. A channel that is multiplied by 0 is constant.
type scale struct{}

func (scale) parts(nd *node) (gamma, beta []float32) {
	if nd.Type == "Bias" {
		return nil, nd.blobs[0]
	}
	if len(nd.blobs) > 1 {
		beta = nd.blobs[1]
	}
	return nd.blobs[0], beta
}

func (s scale) flow(nd *node) []*blob {
	gamma, beta := s.parts(nd)
	return through(nd, func(c channel, at int) (float64, bool) {
		g, b := 1.0, 0.0
		if c.extent > 1 {
			return 0, false
		}
		if gamma != nil {
			g = float64(gamma[at])
		}
		if beta != nil {
			b = float64(beta[at])
		}
		if !c.known && g != 0 {
			return 0, false
		}
		if g == 0 {
			return b, true
		}
		return g*c.value + b, true
	})
}

func (scale) shrink(nd *node, _ *caffepb.LayerParameter) []array {
	left := leftOf(nd.in[0])
	var out []array
	for _, v := range nd.blobs {
		out = append(out, picked(v, left))
	}
	return out
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

// isFlatten reports a Reshape to (0, -1), or to the very numbers of it.
func isFlatten(nd *node) bool {
	from, to := nd.shapes[0], nd.Shapes[0]
	r := nd.param.GetReshapeParam()
	return r.GetAxis() == 0 && r.GetNumAxes() == -1 && len(to) == 2 && len(from) >= 2 && to[0] == from[0]
}

// flatten gives each channel the room of its values.
type flatten struct{}

func (flatten) flow(nd *node) []*blob {
	inner := gpu.Elements(nd.shapes[0][2:])
	top := &blob{}
	for _, c := range nd.in[0].channels {
		c.extent *= inner
		top.channels = append(top.channels, c)
	}
	return []*blob{top}
}

func (flatten) shrink(nd *node, p *caffepb.LayerParameter) []array {
	if r := p.ReshapeParam; r != nil {
		r.Shape = &caffepb.BlobShape{Dim: []int64{0, -1}}
	}
	return nil
}

// concat puts channels after each other.
type concat struct {
	untouched
}

func (concat) flow(nd *node) []*blob {
	top := &blob{}
	for _, b := range nd.in {
		top.channels = append(top.channels, b.channels...)
	}
	return []*blob{top}
}

// cut divides channels among tops.
type cut struct{}

// ends are where each top ends, along axis 1.
func (cut) ends(nd *node) []int {
	at, out := 0, make([]int, len(nd.Top))
	for i, s := range nd.Shapes {
		at += s[1]
		out[i] = at
	}
	return out
}

func (s cut) flow(nd *node) []*blob {
	ends := s.ends(nd)
	tops := make([]*blob, len(nd.Top))
	for i := range tops {
		tops[i] = &blob{}
	}
	k := 0
	for at, c := range nd.in[0].places() {
		for k < len(ends)-1 && at >= ends[k] {
			k++
		}
		if at+c.extent > ends[k] { // a channel that is cut in two stays
			return opaque{why: "it cuts a flattened channel"}.flow(nd)
		}
		tops[k].channels = append(tops[k].channels, c)
	}
	return tops
}

func (s cut) shrink(nd *node, p *caffepb.LayerParameter) []array {
	ends, left := s.ends(nd), leftOf(nd.in[0])
	if p.SliceParam == nil {
		p.SliceParam = &caffepb.SliceParameter{}
	}
	p.SliceParam.SlicePoint = nil
	for _, end := range ends[:len(ends)-1] {
		n, _ := slices.BinarySearch(left, end)
		p.SliceParam.SlicePoint = append(p.SliceParam.SlicePoint, uint32(n))
	}
	return nil
}

// eltwise couples the channels of its bottoms.
type eltwise struct {
	untouched
}

func (eltwise) flow(nd *node) []*blob {
	first := nd.in[0]
	for _, b := range nd.in[1:] {
		if !slices.EqualFunc(b.channels, first.channels, func(x, y channel) bool { return x.extent == y.extent }) {
			return opaque{why: "its bottoms have different channels"}.flow(nd)
		}
	}
	e := nd.param.GetEltwiseParam()
	top := &blob{}
	for k, c := range first.channels {
		values, known := []float64{}, true
		for _, b := range nd.in {
			o := b.channels[k]
			c.unit = join(c.unit, o.unit)
			known = known && o.known
			values = append(values, o.value)
		}
		c.known, c.value = known, combined(e, values)
		top.channels = append(top.channels, c)
	}
	return []*blob{top}
}

func combined(e *caffepb.EltwiseParameter, v []float64) float64 {
	out := v[0]
	switch e.GetOperation() {
	case caffepb.EltwiseParameter_PROD:
		for _, x := range v[1:] {
			out *= x
		}
	case caffepb.EltwiseParameter_MAX:
		out = slices.Max(v)
	default:
		out = 0
		for i, x := range v {
			if i < len(e.GetCoeff()) {
				x *= float64(e.Coeff[i])
			}
			out += x
		}
	}
	return out
}
