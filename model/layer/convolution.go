package layer

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	a := Arity{1, -1, 1, -1}
	register("Convolution", a, func() Layer { return &convolution{} })
	register("CConvolution", a, func() Layer { return &convolution{} })
	register("Deconvolution", a, func() Layer { return &deconvolution{} })
}

// convolution is Caffe's Convolution over any number of spatial axes, and the authors' CConvolution, which differs in
// how it is pruned.
type convolution struct {
	readsBottoms
	rectified
	op      convolver
	w, b    *Param
	pruning Pruning
	pad     *padding // sides that are padded differently

	positions int // places of all outputs
}

func (l *convolution) Pruning() Pruning       { return l.pruning }
func (l *convolution) Weights() (w, b *Param) { return l.w, l.b }
func (l *convolution) Positions() int         { return l.positions }

func (l *convolution) Setup(c *Context, bottom, top []*Blob) (err error) {
	p := c.Param.GetConvolutionParam()
	if p, bottom, err = l.padded(c, p, bottom); err != nil {
		return err
	}
	in := bottom[0]
	w, err := convWindow(p, bottom, top)
	if err != nil {
		return err
	}
	channels, out := in.Shape[w.axis], int(p.GetNumOutput())
	if err := checkGroups(p, channels, out); err != nil {
		return err
	}
	if err := w.checkFits(in); err != nil {
		return err
	}
	if l.pruning, err = pruningOf(c.Param); err != nil {
		return err
	}
	if l.w, l.b, err = convParams(c, w, out, channels, out); err != nil {
		return err
	}
	if l.op, err = newConvolver(c.Device, w, in.Count(0, w.axis), channels, out, int(p.GetGroup()), w.in); err != nil {
		return err
	}
	g := w.col(channels, w.in)
	l.positions = len(top)
	for _, size := range g.Out {
		l.positions *= size
	}
	return convTops(c, top, in.Shape[:w.axis], out, g.Out)
}

// padded makes the padding of sides that differ, and returns the layer's numbers without it and its bottoms with it.
func (l *convolution) padded(
	c *Context,
	p *caffepb.ConvolutionParameter,
	bottom []*Blob,
) (*caffepb.ConvolutionParameter, []*Blob, error) {
	l.pad = nil
	if !uneven(p) {
		return p, bottom, nil
	}
	s := sides{int(p.GetPadL()), int(p.GetPadR()), int(p.GetPadT()), int(p.GetPadB())}
	var err error
	if l.pad, err = newPadding(c, bottom[0], s, 0); err != nil {
		return nil, nil, fmt.Errorf("convolution_param: %w", err)
	}
	p = proto.CloneOf(p)
	p.PadL, p.PadR, p.PadT, p.PadB = nil, nil, nil, nil
	out := make([]*Blob, len(bottom))
	for i, b := range bottom {
		if b.FormatShape() != bottom[0].FormatShape() {
			return nil, nil, mismatch(bottom[0], b)
		}
		out[i] = &Blob{Name: b.Name, Shape: []int{b.Shape[0], b.Shape[1], l.pad.height(), l.pad.width()}}
	}
	return p, out, nil
}

// uneven reports whether a convolution says of each side how it is padded.
func uneven(p *caffepb.ConvolutionParameter) bool {
	return p.GetPadL() != 0 || p.GetPadR() != 0 || p.GetPadT() != 0 || p.GetPadB() != 0
}

// convWindow checks what Convolution and Deconvolution share, and reads the window.
func convWindow(p *caffepb.ConvolutionParameter, bottom, top []*Blob) (*window, error) {
	if len(bottom) != len(top) {
		return nil, fmt.Errorf("%d bottoms and %d tops; wanted one top a bottom", len(bottom), len(top))
	}
	for _, b := range bottom {
		if b.FormatShape() != bottom[0].FormatShape() {
			return nil, fmt.Errorf(
				"bottoms %q (%s) and %q (%s) differ in shape",
				bottom[0].Name,
				bottom[0].FormatShape(),
				b.Name,
				b.FormatShape(),
			)
		}
	}
	w, err := readWindow(p, bottom[0])
	if err == nil && p.GetNumOutput() < 1 {
		err = fmt.Errorf("convolution_param: num_output is %d; wanted at least 1", p.GetNumOutput())
	}
	return w, err
}

func checkGroups(p *caffepb.ConvolutionParameter, inputs, outputs int) error {
	if g := int(p.GetGroup()); g < 1 || inputs%g != 0 || outputs%g != 0 {
		return fmt.Errorf(
			"convolution_param: group is %d; wanted a divisor of the %d input channels and of num_output %d",
			g,
			inputs,
			outputs,
		)
	}
	return nil
}

// convParams makes weights of the shape (rows, cols/group, kernel...) and the bias.
func convParams(c *Context, w *window, rows, cols, out int) (weights, bias *Param, err error) {
	p := c.Param.GetConvolutionParam()
	shape := append([]int{rows, cols / int(p.GetGroup())}, w.kernel...)
	if weights, err = c.NewParam(ParamSpec{Shape: shape, Filler: p.GetWeightFiller()}); err != nil {
		return nil, nil, err
	}
	if p.GetBiasTerm() {
		bias, err = c.NewParam(ParamSpec{Index: 1, Shape: []int{out}, Filler: p.GetBiasFiller()})
	}
	return weights, bias, err
}

func convTops(c *Context, top []*Blob, outer []int, channels int, size []int) error {
	shape := append(append(append([]int(nil), outer...), channels), size...)
	for _, t := range top {
		if err := t.Reshape(c.Device, shape...); err != nil {
			return err
		}
	}
	return nil
}

// forwardOf returns what a forward pass uses of a parameter that may be missing.
func forwardOf(p *Param) *gpu.Tensor {
	if p == nil {
		return nil
	}
	return p.Forward()
}

func (l *convolution) Forward(bottom, top []*Blob) error {
	for i := range bottom {
		l.op.forward(l.input(bottom[i]), l.w.Forward(), forwardOf(l.b), top[i].Data)
	}
	return nil
}

// Join implements Joiner: of a ReLU.
func (l *convolution) Join(next Layer, _ []bool) bool {
	p, ok := l.op.(*planar)
	return ok && l.join(next, func(r gpu.Rectifier) bool { return p.d.Has(&gpu.Conv{G: &p.g, Then: r}) })
}

// ReadsTop implements Reader: a ReLU that was joined has its slope by what it made.
func (l *convolution) ReadsTop(int) bool { return l.relu != nil }

// ForwardJoined implements Joiner.
func (l *convolution) ForwardJoined(bottom, top []*Blob) error {
	p := l.op.(*planar)
	p.d.ConvReLU(&p.g, l.input(bottom[0]), l.w.Forward(), forwardOf(l.b), top[0].Data, l.relu.slope)
	return nil
}

// BackwardJoined implements Joiner.
func (l *convolution) BackwardJoined(top []*Blob, need []bool, bottom []*Blob) {
	p := l.op.(*planar)
	s := gpu.ChannelShape{Outer: p.g.N, Channels: p.g.O, Inner: p.g.OutH * p.g.OutW}
	p.d.ReLUBias(s, top[0].Data, top[0].Diff, l.relu.slope, l.b.Gradient())
	l.backward(top, need, bottom, nil)
}

// input is what the kernel reads of a bottom.
func (l *convolution) input(b *Blob) *gpu.Tensor {
	if l.pad == nil {
		return b.Data
	}
	return l.pad.put(b.Data)
}

func (l *convolution) Backward(top []*Blob, need []bool, bottom []*Blob) {
	l.backward(top, need, bottom, l.b.Gradient())
}

func (l *convolution) backward(top []*Blob, need []bool, bottom []*Blob, db *gpu.Tensor) {
	for i := range top {
		if dw := l.w.Gradient(); dw != nil || db != nil {
			l.op.backwardWeights(l.input(bottom[i]), top[i].Diff, l.w.gradientsOf(), dw, db)
		}
		switch {
		case !need[i]:
		case l.pad != nil:
			l.op.backwardData(top[i].Diff, l.w.Forward(), l.pad.diff.all)
			l.pad.take(bottom[i].Diff)
		default:
			l.op.backwardData(top[i].Diff, l.w.Forward(), bottom[i].Diff)
		}
	}
}

// deconvolution is Caffe's Deconvolution: the gradient of a convolution as a layer. Its window is that of the
// convolution that would lead from the top to the bottom.
type deconvolution struct {
	readsBottoms
	c    *Context
	op   convolver
	out  gpu.ChannelShape
	w, b *Param
}

func (l *deconvolution) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	p, in := c.Param.GetConvolutionParam(), bottom[0]
	w, err := convWindow(p, bottom, top)
	if err != nil {
		return err
	}
	size := make([]int, len(w.in))
	for i, n := range w.in {
		size[i] = w.stride[i]*(n-1) + w.extent(i) - 2*w.pad[i]
	}
	for _, n := range size {
		if n < 1 {
			return fmt.Errorf(
				"convolution_param: pad %s leaves an output of %s",
				caffe.FormatShape(w.pad),
				caffe.FormatShape(size),
			)
		}
	}
	channels, out := in.Shape[w.axis], int(p.GetNumOutput())
	if err := checkGroups(p, channels, out); err != nil {
		return err
	}
	if l.w, l.b, err = convParams(c, w, channels, out, out); err != nil {
		return err
	}
	n := in.Count(0, w.axis)
	if l.op, err = newConvolver(c.Device, w, n, out, channels, int(p.GetGroup()), size); err != nil {
		return err
	}
	l.out = gpu.ChannelShape{Outer: n, Channels: out, Inner: gpu.Elements(size)}
	return convTops(c, top, in.Shape[:w.axis], out, size)
}

func (l *deconvolution) Forward(bottom, top []*Blob) error {
	for i := range bottom {
		l.op.backwardData(bottom[i].Data, l.w.Data, top[i].Data)
		if l.b != nil {
			l.c.Device.AddBias(l.out, l.b.Data, top[i].Data)
		}
	}
	return nil
}

func (l *deconvolution) Backward(top []*Blob, need []bool, bottom []*Blob) {
	for i := range top {
		if dw := l.w.Gradient(); dw != nil {
			l.op.backwardWeights(top[i].Diff, bottom[i].Data, nil, dw, nil)
		}
		if db := l.b.Gradient(); db != nil {
			l.c.Device.SumBias(l.out, top[i].Diff, db)
		}
		if need[i] {
			l.op.forward(top[i].Diff, l.w.Data, nil, bottom[i].Diff)
		}
	}
}
