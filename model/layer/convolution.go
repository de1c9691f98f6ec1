package layer

import (
	"fmt"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	a := Arity{1, -1, 1, -1}
	register("Convolution", a, func() Layer { return &convolution{} })
	register("CConvolution", a, func() Layer { return &convolution{} })
}

// convolution is Caffe's Convolution, and the authors' CConvolution, which differs in how it is pruned.
type convolution struct {
	c       *Context
	geom    gpu.ConvGeometry
	w, b    *Param
	pruning Pruning
}

func (l *convolution) Pruning() Pruning       { return l.pruning }
func (l *convolution) Weights() (w, b *Param) { return l.w, l.b }

func (l *convolution) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p := c.Param.GetConvolutionParam()
	if len(bottom) != len(top) {
		return fmt.Errorf("%d bottoms and %d tops; wanted one top a bottom", len(bottom), len(top))
	}
	if p.GetAxis() != 1 {
		return fmt.Errorf("convolution_param: axis is %d; only 1 is built", p.GetAxis())
	}
	for _, b := range bottom {
		if len(b.Shape) != 4 {
			return fmt.Errorf("bottom %q has the shape %s; wanted 4 axes: images, channels, height, width", b.Name, b.FormatShape())
		}
		for i, d := range b.Shape {
			if d != bottom[0].Shape[i] {
				return fmt.Errorf("bottoms %q (%s) and %q (%s) differ in shape", bottom[0].Name, bottom[0].FormatShape(), b.Name, b.FormatShape())
			}
		}
	}
	if l.geom, err = convGeometry(p, bottom[0]); err != nil {
		return err
	}
	if l.pruning, err = pruningOf(c.Param); err != nil {
		return err
	}
	g := &l.geom
	if l.w, err = c.NewParam(ParamSpec{Shape: []int{g.O, g.C / g.Groups, g.KH, g.KW}, Filler: p.GetWeightFiller()}); err != nil {
		return err
	}
	if p.GetBiasTerm() {
		if l.b, err = c.NewParam(ParamSpec{Index: 1, Shape: []int{g.O}, Filler: p.GetBiasFiller()}); err != nil {
			return err
		}
	}
	for _, t := range top {
		if err := t.Reshape(c.Device, g.N, g.O, g.OutH, g.OutW); err != nil {
			return err
		}
	}
	return nil
}

// convGeometry reads the sizes of a convolution_param, as Caffe's BaseConvolutionLayer::LayerSetUp does.
func convGeometry(p *caffepb.ConvolutionParameter, bottom *Blob) (gpu.ConvGeometry, error) {
	g := gpu.ConvGeometry{N: bottom.Shape[0], C: bottom.Shape[1], H: bottom.Shape[2], W: bottom.Shape[3],
		O: int(p.GetNumOutput()), Groups: int(p.GetGroup())}
	var err error
	pair := func(name string, list []uint32, h, w *uint32, def int) (int, int) {
		switch {
		case h != nil || w != nil:
			if len(list) > 0 && err == nil {
				err = fmt.Errorf("convolution_param: %s and %s_h/%s_w exclude each other", name, name, name)
			}
			if (h == nil) != (w == nil) && err == nil && name == "kernel" {
				err = fmt.Errorf("convolution_param: kernel_h and kernel_w go together")
			}
			a, b := def, def
			if h != nil {
				a = int(*h)
			}
			if w != nil {
				b = int(*w)
			}
			return a, b
		case len(list) == 0:
			return def, def
		case len(list) == 1:
			return int(list[0]), int(list[0])
		case len(list) == 2:
			return int(list[0]), int(list[1])
		}
		if err == nil {
			err = fmt.Errorf("convolution_param: %d values of %s; wanted 1 or 2", len(list), name)
		}
		return def, def
	}
	g.KH, g.KW = pair("kernel", p.KernelSize, p.KernelH, p.KernelW, 0)
	g.SH, g.SW = pair("stride", p.Stride, p.StrideH, p.StrideW, 1)
	padH, padW := p.PadH, p.PadW
	g.PH, g.PW = pair("pad", p.Pad, padH, padW, 0)
	g.DH, g.DW = pair("dilation", p.Dilation, nil, nil, 1)
	switch {
	case err != nil:
	case g.O < 1:
		err = fmt.Errorf("convolution_param: num_output is %d; wanted at least 1", g.O)
	case g.KH < 1 || g.KW < 1:
		err = fmt.Errorf("convolution_param: kernel is %dx%d; wanted at least 1x1 (kernel_size, or kernel_h and kernel_w)", g.KH, g.KW)
	case g.SH < 1 || g.SW < 1:
		err = fmt.Errorf("convolution_param: stride is %dx%d; wanted at least 1x1", g.SH, g.SW)
	case g.DH < 1 || g.DW < 1:
		err = fmt.Errorf("convolution_param: dilation is %dx%d; wanted at least 1x1", g.DH, g.DW)
	case g.Groups < 1 || g.C%g.Groups != 0 || g.O%g.Groups != 0:
		err = fmt.Errorf("convolution_param: group is %d; wanted a divisor of the %d input channels and of num_output %d", g.Groups, g.C, g.O)
	}
	if err != nil {
		return g, err
	}
	g.Resolve()
	if g.H+2*g.PH < g.DH*(g.KH-1)+1 || g.W+2*g.PW < g.DW*(g.KW-1)+1 {
		return g, fmt.Errorf("the kernel, %dx%d (dilation %dx%d), is larger than bottom %q, %dx%d with padding %dx%d",
			g.KH, g.KW, g.DH, g.DW, bottom.Name, g.H, g.W, g.PH, g.PW)
	}
	return g, nil
}

func (l *convolution) Forward(bottom, top []*Blob) error {
	for i := range bottom {
		var b *gpu.Tensor
		if l.b != nil {
			b = l.b.Forward()
		}
		l.c.Device.Conv(&l.geom, bottom[i].Data, l.w.Forward(), b, top[i].Data)
	}
	return nil
}

func (l *convolution) Backward(top []*Blob, need []bool, bottom []*Blob) {
	for i := range top {
		if dw, db := l.w.Gradient(), l.b.Gradient(); dw != nil || db != nil {
			l.c.Device.ConvBackwardWeights(&l.geom, bottom[i].Data, top[i].Diff, dw, db)
		}
		if need[i] {
			l.c.Device.ConvBackwardData(&l.geom, top[i].Diff, l.w.Forward(), bottom[i].Diff)
		}
	}
}
