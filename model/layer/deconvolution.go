package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("Deconvolution", Arity{1, -1, 1, -1}, func() Layer { return &deconvolution{} })
}

// deconvolution is Caffe's Deconvolution: the gradient of a convolution as a layer. Its geometry is that of the
// convolution that would lead from the top to the bottom.
type deconvolution struct {
	c    *Context
	geom gpu.ConvGeometry
	w, b *Param
}

func (l *deconvolution) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p, in := c.Param.GetConvolutionParam(), bottom[0]
	if len(bottom) != len(top) {
		return fmt.Errorf("%d bottoms and %d tops; wanted one top a bottom", len(bottom), len(top))
	}
	for _, b := range bottom {
		if len(b.Shape) != 4 || b.FormatShape() != in.FormatShape() {
			return fmt.Errorf("bottom %q has the shape %s; wanted 4 axes: images, channels, height, width, the same in all", b.Name, b.FormatShape())
		}
	}
	g, err := convParams(p)
	if err != nil {
		return err
	}
	g.N, g.O, g.C = in.Shape[0], in.Shape[1], int(p.GetNumOutput())
	g.H = g.SH*(in.Shape[2]-1) + g.DH*(g.KH-1) + 1 - 2*g.PH
	g.W = g.SW*(in.Shape[3]-1) + g.DW*(g.KW-1) + 1 - 2*g.PW
	if g.H < 1 || g.W < 1 {
		return fmt.Errorf("convolution_param: pad %dx%d leaves an output of %dx%d", g.PH, g.PW, g.H, g.W)
	}
	if err := checkGroups(&g, g.O, g.C); err != nil {
		return err
	}
	g.Resolve()
	l.geom = g
	if l.w, err = c.NewParam(ParamSpec{Shape: []int{g.O, g.C / g.Groups, g.KH, g.KW}, Filler: p.GetWeightFiller()}); err != nil {
		return err
	}
	if p.GetBiasTerm() {
		if l.b, err = c.NewParam(ParamSpec{Index: 1, Shape: []int{g.C}, Filler: p.GetBiasFiller()}); err != nil {
			return err
		}
	}
	for _, t := range top {
		if err := t.Reshape(c.Device, g.N, g.C, g.H, g.W); err != nil {
			return err
		}
	}
	return nil
}

func (l *deconvolution) outputs() gpu.ChannelShape {
	return gpu.ChannelShape{Outer: l.geom.N, Channels: l.geom.C, Inner: l.geom.H * l.geom.W}
}

func (l *deconvolution) Forward(bottom, top []*Blob) error {
	for i := range bottom {
		l.c.Device.ConvBackwardData(&l.geom, bottom[i].Data, l.w.Data, top[i].Data)
		if l.b != nil {
			l.c.Device.AddBias(l.outputs(), l.b.Data, top[i].Data)
		}
	}
	return nil
}

func (l *deconvolution) Backward(top []*Blob, need []bool, bottom []*Blob) {
	d := l.c.Device
	for i := range top {
		if dw := l.w.Gradient(); dw != nil {
			d.ConvBackwardWeights(&l.geom, top[i].Diff, bottom[i].Data, dw, nil)
		}
		if db := l.b.Gradient(); db != nil {
			d.SumBias(l.outputs(), top[i].Diff, db)
		}
		if need[i] {
			d.Conv(&l.geom, top[i].Diff, l.w.Data, nil, bottom[i].Diff)
		}
	}
}
