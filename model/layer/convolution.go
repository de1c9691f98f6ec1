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

// convGeometry is the geometry of a convolution over bottom.
func convGeometry(p *caffepb.ConvolutionParameter, bottom *Blob) (gpu.ConvGeometry, error) {
	g, err := convParams(p)
	if err != nil {
		return g, err
	}
	g.N, g.C, g.H, g.W, g.O = bottom.Shape[0], bottom.Shape[1], bottom.Shape[2], bottom.Shape[3], int(p.GetNumOutput())
	if err := checkGroups(&g, g.C, g.O); err != nil {
		return g, err
	}
	g.Resolve()
	if g.H+2*g.PH < g.DH*(g.KH-1)+1 || g.W+2*g.PW < g.DW*(g.KW-1)+1 {
		return g, fmt.Errorf("the kernel, %dx%d (dilation %dx%d), is larger than bottom %q, %dx%d with padding %dx%d",
			g.KH, g.KW, g.DH, g.DW, bottom.Name, g.H, g.W, g.PH, g.PW)
	}
	return g, nil
}

func checkGroups(g *gpu.ConvGeometry, inputs, outputs int) error {
	if g.Groups < 1 || inputs%g.Groups != 0 || outputs%g.Groups != 0 {
		return fmt.Errorf("convolution_param: group is %d; wanted a divisor of the %d input channels and of num_output %d", g.Groups, inputs, outputs)
	}
	return nil
}

// spatial reads one setting of a convolution_param that is given once, twice, or as _h and _w.
func spatial(name string, list []uint32, h, w *uint32, def int) (int, int, error) {
	if h != nil || w != nil {
		if len(list) > 0 {
			return 0, 0, fmt.Errorf("convolution_param: %s and %s_h/%s_w exclude each other", name, name, name)
		}
		if (h == nil) != (w == nil) && name == "kernel" {
			return 0, 0, fmt.Errorf("convolution_param: kernel_h and kernel_w go together")
		}
		a, b := def, def
		if h != nil {
			a = int(*h)
		}
		if w != nil {
			b = int(*w)
		}
		return a, b, nil
	}
	switch len(list) {
	case 0:
		return def, def, nil
	case 1:
		return int(list[0]), int(list[0]), nil
	case 2:
		return int(list[0]), int(list[1]), nil
	}
	return 0, 0, fmt.Errorf("convolution_param: %d values of %s; wanted 1 or 2", len(list), name)
}

// convParams reads and checks the settings that do not depend on the bottom (Caffe's BaseConvolutionLayer::LayerSetUp).
func convParams(p *caffepb.ConvolutionParameter) (g gpu.ConvGeometry, err error) {
	if p == nil {
		p = &caffepb.ConvolutionParameter{}
	}
	g.Groups = int(p.GetGroup())
	var errs [4]error
	g.KH, g.KW, errs[0] = spatial("kernel", p.GetKernelSize(), p.KernelH, p.KernelW, 0)
	g.SH, g.SW, errs[1] = spatial("stride", p.GetStride(), p.StrideH, p.StrideW, 1)
	g.PH, g.PW, errs[2] = spatial("pad", p.GetPad(), p.PadH, p.PadW, 0)
	g.DH, g.DW, errs[3] = spatial("dilation", p.GetDilation(), nil, nil, 1)
	for _, e := range errs {
		if e != nil {
			return g, e
		}
	}
	switch {
	case p.GetNumOutput() < 1:
		err = fmt.Errorf("convolution_param: num_output is %d; wanted at least 1", p.GetNumOutput())
	case g.KH < 1 || g.KW < 1:
		err = fmt.Errorf("convolution_param: kernel is %dx%d; wanted at least 1x1 (kernel_size, or kernel_h and kernel_w)", g.KH, g.KW)
	case g.SH < 1 || g.SW < 1:
		err = fmt.Errorf("convolution_param: stride is %dx%d; wanted at least 1x1", g.SH, g.SW)
	case g.DH < 1 || g.DW < 1:
		err = fmt.Errorf("convolution_param: dilation is %dx%d; wanted at least 1x1", g.DH, g.DW)
	}
	return g, err
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
