package onnx

import (
	"errors"
	"slices"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// Layers that pick, join and move values.

func concat(e *emitter) error {
	p := e.param.GetConcatParam()
	axis := int(p.GetAxis())
	if p != nil && p.ConcatDim != nil {
		axis = int(p.GetConcatDim())
	}
	in := make([]string, len(e.in))
	for i := range in {
		in[i] = e.bottom(i)
	}
	e.top("Concat", in, intOf("axis", plain(axis, e.in[0].shape.axes())))
	return nil
}

func slice(e *emitter) error {
	p := e.param.GetSliceParam()
	axis := int(p.GetAxis())
	if p != nil && p.SliceDim != nil {
		axis = int(p.GetSliceDim())
	}
	if axis = plain(axis, e.in[0].shape.axes()); len(e.out) == 1 {
		return identity(e)
	}
	if e.in[0].shape.varies(axis) {
		return e.fix("cuts the axis of the batch")
	}
	var sizes []int64
	var tops []string
	for _, b := range e.out {
		sizes, tops = append(sizes, int64(b.shape.n[axis])), append(tops, b.tensor)
	}
	e.add(e.Name, "Split", []string{e.bottom(0), e.list(sizes...)}, tops, intOf("axis", axis))
	return nil
}

// crop cuts to the extents of the second bottom.
func crop(e *emitter) error {
	p, x, y := e.param.GetCropParam(), e.in[0].shape, e.out[0].shape
	first := plain(int(p.GetAxis()), x.axes())
	var starts, ends, axes []int64
	for i := first; i < x.axes(); i++ {
		at := 0
		switch offset := p.GetOffset(); len(offset) {
		case 0:
		case 1:
			at = int(offset[0])
		default:
			at = int(offset[i-first])
		}
		switch {
		case at == 0 && x.n[i] == y.n[i] && x.other[i] == y.other[i]:
			continue
		case y.varies(i):
			return e.fix("crops the axis of the batch")
		}
		starts, ends = append(starts, int64(at)), append(ends, int64(at+y.n[i]))
		axes = append(axes, int64(i))
	}
	if len(axes) == 0 {
		return identity(e)
	}
	e.top("Slice", []string{e.bottom(0), e.list(starts...), e.list(ends...), e.list(axes...)})
	return nil
}

func permute(e *emitter) error {
	var order []int
	for _, o := range e.param.GetPermuteParam().GetOrder() {
		order = append(order, int(o))
	}
	for i := range e.in[0].shape.axes() {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	e.top("Transpose", []string{e.bottom(0)}, intsOf("perm", order...))
	return nil
}

func tile(e *emitter) error {
	p := e.param.GetTileParam()
	repeats := make([]int64, e.in[0].shape.axes())
	for i := range repeats {
		repeats[i] = 1
	}
	repeats[plain(int(p.GetAxis()), len(repeats))] = int64(p.GetTiles())
	e.top("Tile", []string{e.bottom(0), e.list(repeats...)})
	return nil
}

// reduction sums up the axes from axis on.
func reduction(e *emitter) error {
	p, x := e.param.GetReductionParam(), e.in[0].shape
	axes := from(plain(int(p.GetAxis()), x.axes()), x.axes())
	var by step
	switch p.GetOperation() {
	case caffepb.ReductionParameter_SUM: // whose axes are an input by operator set 13
		by = step{typ: "ReduceSum", with: []string{e.list(wide(axes)...)}}
	case caffepb.ReductionParameter_ASUM:
		by = step{typ: "ReduceL1"}
	case caffepb.ReductionParameter_SUMSQ:
		by = step{typ: "ReduceSumSquare"}
	default:
		by = step{typ: "ReduceMean"}
	}
	if by.with == nil {
		by.attrs = append(by.attrs, intsOf("axes", axes...))
	}
	by.attrs = append(by.attrs, intOf("keepdims", 0))
	e.chain(e.bottom(0), e.out[0].tensor, append([]step{by}, e.times(p.GetCoeff())...)...)
	return nil
}

// argMax gives the places of the largest, or their values, or without an axis both. Of equal ones Caffe takes the last.
func argMax(e *emitter) error {
	p, x := e.param.GetArgmaxParam(), e.in[0].shape
	k, in, out := int(p.GetTopK()), e.bottom(0), e.out[0].tensor
	if p != nil && p.Axis != nil {
		axis := plain(int(p.GetAxis()), x.axes())
		values, places := e.largest(in, axis, x.n[axis], k)
		if p.GetOutMaxVal() {
			e.to(out, "Identity", []string{values})
		} else {
			e.to(out, "Identity", []string{places})
		}
		return nil
	}
	if x.axes() != 2 {
		in = e.value("Flatten", []string{in}, intOf("axis", 1))
	}
	values, places := e.largest(in, 1, gpu.Elements(x.n[1:]), k)
	rows := []string{e.value("Unsqueeze", []string{places, e.list(1)})}
	if p.GetOutMaxVal() {
		rows = append(rows, e.value("Unsqueeze", []string{values, e.list(1)}))
	}
	e.to(out, "Concat", rows, intOf("axis", 1))
	return nil
}

// largest are the k largest along an axis of n, and their places. ONNX takes the first of equal ones, so it looks from
// the end.
func (e *emitter) largest(x string, axis, n, k int) (values, places string) {
	const beforeFirst = -1 << 62
	turned := e.value("Slice",
		[]string{x, e.list(-1), e.list(beforeFirst), e.list(int64(axis)), e.list(-1)})
	values, at := free(e.values, e.Name+"/Values"), free(e.values, e.Name+"/Indices")
	e.add(e.Name+"/TopK", "TopK", []string{turned, e.list(int64(k))}, []string{values, at}, intOf("axis", axis))
	fromFront := e.value("Sub", []string{e.whole(int64(n - 1)), at})
	return values, e.value("Cast", []string{fromFront}, intOf("to", typeFloat))
}

// embed looks rows up.
func embed(e *emitter) error {
	rows := step{typ: "Add"}
	at := e.value("Cast", []string{e.bottom(0)}, intOf("to", typeInt))
	in := []string{e.weight(0, nil), at}
	if len(e.params) == 1 {
		e.top("Gather", in, intOf("axis", 0))
		return nil
	}
	rows.with = []string{e.weight(1, nil)}
	e.chain(e.value("Gather", in, intOf("axis", 0)), e.out[0].tensor, rows)
	return nil
}

func batchReindex(e *emitter) error {
	at := e.value("Cast", []string{e.bottom(1)}, intOf("to", typeInt))
	e.top("Gather", []string{e.bottom(0), at}, intOf("axis", 0))
	return nil
}

func parameterLayer(e *emitter) error {
	e.top("Identity", []string{e.weight(0, nil)})
	return nil
}

// constantData reports whether all tops of a DummyData hold one number each.
func constantData(p *caffepb.LayerParameter) bool {
	for _, f := range p.GetDummyDataParam().GetDataFiller() {
		if f.GetType() != "constant" {
			return false
		}
	}
	return true
}

func dummyData(e *emitter) error {
	fillers := e.param.GetDummyDataParam().GetDataFiller()
	for i, b := range e.out {
		if len(fillers) > 1 && i >= len(fillers) {
			return errors.New("dummy_data_param: a top has no data_filler")
		}
		v := float32(0)
		if len(fillers) > 0 {
			v = fillers[min(i, len(fillers)-1)].GetValue()
		}
		e.to(b.tensor, "Expand", []string{e.scalar(v), e.list(wide(b.shape.n)...)})
	}
	return nil
}
