package onnx

import (
	"fmt"
	"math"
	"slices"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model/layer"
	"dns-tui/model/onnx/onnxpb"
)

// typeFloat and typeInt are ONNX's numbers of types.
const (
	typeFloat = int(onnxpb.TensorProto_FLOAT)
	typeInt   = int(onnxpb.TensorProto_INT64)
)

// convolved makes a convolution of each bottom: one over images, channels and at least one spatial axis, as ONNX has
// it. Axes before that of the channels are images; where there is no spatial axis there is one of 1.
func (e *emitter) convolved(typ string, w layer.Window, axis int, weights []string, group int) error {
	attrs := []*onnxpb.AttributeProto{
		intsOf("kernel_shape", padded(w.Kernel, 1)...), intsOf("strides", padded(w.Stride, 1)...),
		intsOf("dilations", padded(w.Dilation, 1)...), intOf("group", group),
		intsOf("pads", append(padded(w.Before, 0), padded(w.After, 0)...)...),
	}
	as := func(x extents) extents {
		x = x.joined(axis)
		if x.axes() == 2 {
			x = x.with(1)
		}
		return x
	}
	for i, b := range e.in {
		x, err := e.reshaped(e.bottom(i), b.shape, as(b.shape))
		if err != nil {
			return err
		}
		in, top := append([]string{x}, weights...), e.out[i]
		if as(top.shape).equal(top.shape) {
			e.to(top.tensor, typ, in, attrs...)
		} else if err := e.reshape(e.value(typ, in, attrs...), top.tensor, as(top.shape), top.shape); err != nil {
			return err
		}
	}
	return nil
}

// padded is a list, or where it is empty one number.
func padded(list []int, v int) []int {
	if len(list) == 0 {
		return []int{v}
	}
	return slices.Clone(list)
}

func convolution(e *emitter) error {
	p := e.param.GetConvolutionParam()
	x := e.in[0].shape
	w, axis, err := layer.ConvolutionWindow(p, x.n)
	if err != nil {
		return err
	}
	group := int(p.GetGroup())
	return e.convolved("Conv", w, axis, e.kernels(int(p.GetNumOutput()), x.n[axis]/group, w.Kernel), group)
}

func deconvolution(e *emitter) error {
	p := e.param.GetConvolutionParam()
	x := e.in[0].shape
	w, axis, err := layer.ConvolutionWindow(p, x.n)
	if err != nil {
		return err
	}
	group := int(p.GetGroup())
	return e.convolved("ConvTranspose", w, axis, e.kernels(x.n[axis], int(p.GetNumOutput())/group, w.Kernel), group)
}

// kernels are the weights of a convolution, and its bias.
func (e *emitter) kernels(rows, cols int, kernel []int) []string {
	out := []string{e.weight(0, append([]int{rows, cols}, padded(kernel, 1)...))}
	if len(e.params) > 1 {
		out = append(out, e.weight(1, nil))
	}
	return out
}

// im2col is a convolution whose kernels pick one place each.
func im2col(e *emitter) error {
	x := e.in[0].shape
	w, axis, err := layer.ConvolutionWindow(e.param.GetConvolutionParam(), x.n)
	if err != nil {
		return err
	}
	channels, size := x.n[axis], gpu.Elements(w.Kernel)
	pick := make([]float32, channels*size*size)
	for r := range channels * size {
		pick[r*size+r%size] = 1
	}
	return e.convolved("Conv", w, axis,
		[]string{e.own("weight", append([]int{channels * size, 1}, w.Kernel...), pick)}, channels)
}

// innerProduct is a product of matrices: axes before the layer's axis are rows, those from it on columns.
func innerProduct(e *emitter) error {
	p, x, top := e.param.GetInnerProductParam(), e.in[0].shape, e.out[0]
	axis := plain(int(p.GetAxis()), x.axes())
	rows, n, k := e.bottom(0), int(p.GetNumOutput()), gpu.Elements(x.n[axis:])
	if axis != 1 || x.axes() != 2 {
		rows = e.value("Flatten", []string{rows}, intOf("axis", axis))
	}
	in, transB := []string{rows, ""}, 1
	if p.GetTranspose() {
		transB = 0
		in[1] = e.weight(0, []int{k, n})
	} else {
		in[1] = e.weight(0, []int{n, k})
	}
	if len(e.params) > 1 {
		in = append(in, e.weight(1, nil))
	}
	if axis == 1 {
		e.top("Gemm", in, intOf("transB", transB))
		return nil
	}
	return e.reshape(e.value("Gemm", in, intOf("transB", transB)), top.tensor, top.shape.joined(axis), top.shape)
}

// flatten is Flatten and Reshape.
func flatten(e *emitter) error {
	f := e.param.GetFlattenParam()
	if e.Type == "Flatten" && f.GetAxis() == 1 && f.GetEndAxis() == -1 && e.in[0].shape.axes() > 1 {
		e.top("Flatten", []string{e.bottom(0)}, intOf("axis", 1))
		return nil
	}
	return e.reshape(e.bottom(0), e.out[0].tensor, e.in[0].shape, e.out[0].shape)
}

// pool is how one layer pools planes.
type pool struct {
	method caffepb.PoolingParameter_PoolMethod
	layer.Window
	in, out []int // height and width
	// end is the padding behind with which flooring gives out: what windows reach beyond the layer's own padding is
	// beyond in it.
	end, beyond []int
}

func newPool(method caffepb.PoolingParameter_PoolMethod, w layer.Window, in, out []int) *pool {
	p := &pool{method: method, Window: w, in: in, out: out}
	for i, n := range in {
		over := (out[i]-1)*w.Stride[i] + w.Kernel[i] - (w.Before[i] + n + w.After[i])
		end := w.After[i]
		if over > 0 || over <= -w.Stride[i] {
			end = max(0, end+over)
		}
		p.end, p.beyond = append(p.end, end), append(p.beyond, max(0, over))
	}
	return p
}

// global reports whether one window without padding is all of a plane.
func (p *pool) global() bool {
	none := []int{0, 0}
	return slices.Equal(p.Kernel, p.in) && slices.Equal(p.Before, none) && slices.Equal(p.end, none) &&
		slices.Equal(p.out, []int{1, 1})
}

// sides are the paddings of both axes before and behind, as ONNX has them.
func (p *pool) sides() []int { return append(slices.Clone(p.Before), p.end...) }

// even reports whether both sides are padded alike, which every runtime knows.
func (p *pool) even() bool { return slices.Equal(p.Before, p.end) }

// pool takes a value through a pooling to out. Padding that is the same on both sides is the operator's own, other
// padding is a Pad before it: its number is what a maximum is never taken from, or 0.
func (e *emitter) pool(p *pool, x, out string) {
	if p.method == caffepb.PoolingParameter_STOCHASTIC {
		e.expected(p, x, out)
		return
	}
	typ, border := "AveragePool", float32(0)
	if p.method == caffepb.PoolingParameter_MAX {
		typ, border = "MaxPool", -math.MaxFloat32
	}
	if p.global() {
		e.to(out, "Global"+typ, []string{x})
		return
	}
	pads := p.sides()
	if !p.even() {
		all := []int64{0, 0, int64(pads[0]), int64(pads[1]), 0, 0, int64(pads[2]), int64(pads[3])}
		x = e.value("Pad", []string{x, e.list(all...), e.scalar(border)})
		pads = make([]int, 4)
	}
	attrs := []*onnxpb.AttributeProto{
		intsOf("kernel_shape", p.Kernel...), intsOf("strides", p.Stride...), intsOf("pads", pads...),
	}
	if typ == "AveragePool" {
		attrs = append(attrs, intOf("count_include_pad", 1))
	}
	if typ == "MaxPool" || slices.Max(p.beyond) == 0 {
		e.to(out, typ, []string{x}, attrs...)
		return
	}
	mean := e.value(typ, []string{x}, attrs...)
	e.to(out, "Mul", []string{mean, e.own("clipped", append([]int{1, 1}, p.out...), p.clipped())})
}

// clipped is by what means over whole windows are multiplied, for Caffe divides by the part of a window that lies
// within the padded plane: 0 where there is none.
func (p *pool) clipped() []float32 {
	part := func(axis, o int) float64 {
		start := o * p.Stride[axis]
		end := min(start+p.Kernel[axis], p.Before[axis]+p.in[axis]+p.After[axis])
		return float64(max(0, end-start))
	}
	var out []float32
	whole := float64(p.Kernel[0] * p.Kernel[1])
	for y := range p.out[0] {
		for x := range p.out[1] {
			f := float32(0)
			if n := part(0, y) * part(1, x); n > 0 {
				f = float32(whole / n)
			}
			out = append(out, f)
		}
	}
	return out
}

// expected is the mean of what STOCHASTIC draws: Σx²/Σx, and 0 where Σx is not above 0.
func (e *emitter) expected(p *pool, x, out string) {
	mean := *p
	mean.method, mean.beyond = caffepb.PoolingParameter_AVE, []int{0, 0}
	sums := make([]string, 2)
	for i, v := range []string{x, e.value("Mul", []string{x, x})} {
		sums[i] = free(e.values, e.Name+"/mean")
		e.pool(&mean, v, sums[i])
	}
	above := e.value("Greater", []string{sums[0], e.scalar(0)})
	ratio := e.value("Div", []string{sums[1], sums[0]})
	e.to(out, "Where", []string{above, ratio, e.scalar(0)})
}

func pooling(e *emitter) error {
	q := e.param.GetPoolingParam()
	if q == nil {
		q = &caffepb.PoolingParameter{}
	}
	x, y := e.in[0].shape, e.out[0].shape
	w, err := layer.PoolingWindow(q, x.n)
	if err != nil {
		return err
	}
	p := newPool(q.GetPool(), w, x.n[2:], y.n[2:])
	if len(e.out) == 1 {
		e.pool(p, e.bottom(0), e.out[0].tensor)
		return nil
	}
	for i := range p.end {
		if p.end[i] >= p.Kernel[i] {
			return fmt.Errorf("a window lies outside the plane, and its maximum has no place")
		}
	}
	// ONNX counts places through all planes, Caffe within one.
	at := free(e.values, e.Name+"/Indices")
	e.add(e.Name, "MaxPool", []string{e.bottom(0)}, []string{e.out[0].tensor, at},
		intsOf("kernel_shape", p.Kernel...), intsOf("strides", p.Stride...), intsOf("pads", p.sides()...))
	place := e.value("Mod", []string{at, e.whole(int64(p.in[0] * p.in[1]))})
	e.to(e.out[1].tensor, "Cast", []string{place}, intOf("to", typeFloat))
	return nil
}

// spp is a pooling for each level of the pyramid, one behind the other.
func spp(e *emitter) error {
	q, x := e.param.GetSppParam(), e.in[0].shape
	method := map[caffepb.SPPParameter_PoolMethod]caffepb.PoolingParameter_PoolMethod{
		caffepb.SPPParameter_MAX: caffepb.PoolingParameter_MAX, caffepb.SPPParameter_AVE: caffepb.PoolingParameter_AVE,
		caffepb.SPPParameter_STOCHASTIC: caffepb.PoolingParameter_STOCHASTIC,
	}[q.GetPool()]
	var rows []string
	for i := range int(q.GetPyramidHeight()) {
		bins := 1 << i
		var w layer.Window
		for _, n := range x.n[2:] {
			kernel, pad := layer.PyramidWindow(n, bins)
			w.Kernel, w.Stride = append(w.Kernel, kernel), append(w.Stride, kernel)
			w.Before, w.After = append(w.Before, pad), append(w.After, pad)
		}
		g := gpu.PoolGeometry{H: x.n[2], W: x.n[3], KH: w.Kernel[0], KW: w.Kernel[1], SH: w.Stride[0], SW: w.Stride[1],
			PH: w.Before[0], PW: w.Before[1]}
		g.Resolve(false)
		p := newPool(method, w, x.n[2:], []int{g.OutH, g.OutW})
		if q.GetPyramidHeight() == 1 {
			e.pool(p, e.bottom(0), e.out[0].tensor)
			return nil
		}
		y := free(e.values, fmt.Sprintf("%s/level%d", e.Name, i))
		e.pool(p, e.bottom(0), y)
		rows = append(rows, e.value("Flatten", []string{y}, intOf("axis", 1)))
	}
	e.top("Concat", rows, intOf("axis", 1))
	return nil
}

// interp puts corners on corners, of what pad_beg and pad_end leave.
func interp(e *emitter) error {
	p, x, y := e.param.GetInterpParam(), e.in[0].shape, e.out[0].shape
	in := e.bottom(0)
	if begin, end := -int64(p.GetPadBeg()), int64(p.GetPadEnd()); begin != 0 || end != 0 {
		h, w := int64(x.n[2]), int64(x.n[3])
		in = e.value("Slice", []string{in, e.list(begin, begin), e.list(h+end, w+end), e.list(2, 3)})
	}
	size := e.list(int64(y.n[2]), int64(y.n[3]))
	outer := e.value("Slice", []string{e.value("Shape", []string{in}), e.list(0), e.list(2), e.list(0)})
	e.top("Resize", []string{in, "", "", e.value("Concat", []string{outer, size}, intOf("axis", 0))},
		stringOf("mode", "linear"), stringOf("coordinate_transformation_mode", "align_corners"))
	return nil
}
