package shrink

import (
	"slices"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

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

func (flatten) shrink(_ *node, p *caffepb.LayerParameter) []array {
	if r := p.ReshapeParam; r != nil {
		ones := len(r.Shape.Dim) - 2
		r.Shape = &caffepb.BlobShape{Dim: append([]int64{0, -1}, slices.Repeat([]int64{1}, ones)...)}
	}
	return nil
}

// reshapeOf tells a Reshape that leaves axis 1 as it is, and one that flattens what stands from there on, from others.
func reshapeOf(nd *node) op {
	from, to := nd.shapes[0], nd.Shapes[0]
	r := nd.param.GetReshapeParam()
	whole := r.GetAxis() == 0 && r.GetNumAxes() == -1 && len(to) >= 2 && len(from) >= 2 && to[0] == from[0]
	switch {
	case whole && to[1] == from[1]:
		return reshape{}
	case whole && to[1] == gpu.Elements(from[1:]):
		return flatten{}
	}
	return opaque{why: "it takes channels apart, or puts them together"}
}

// reshape leaves axes 0 and 1 as they are.
type reshape struct{}

func (reshape) flow(nd *node) []*blob { return []*blob{nd.in[0]} }

func (reshape) shrink(_ *node, p *caffepb.LayerParameter) []array {
	p.ReshapeParam.Shape.Dim[1] = 0
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

// crop cuts planes to the size of those of another blob, of which nothing else is read.
type crop struct{ untouched }

func (crop) flow(nd *node) []*blob { return nd.in[:1] }

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
		values, known, zero := []float64{}, true, false
		for _, b := range nd.in {
			o := b.channels[k]
			c.unit = join(c.unit, o.unit)
			known, zero = known && o.known, zero || isZero(o)
			values = append(values, o.value)
		}
		if zero && e.GetOperation() == caffepb.EltwiseParameter_PROD {
			c.known, c.value = true, 0
		} else {
			c.known, c.value = known, combined(e, values)
		}
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
