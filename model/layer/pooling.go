package layer

import (
	"fmt"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("Pooling", Arity{1, 1, 1, 2}, func() Layer { return &pooling{} })
}

// pooling is Caffe's Pooling: MAX (a second top gets the places of the maxima) and AVE.
type pooling struct {
	c    *Context
	geom gpu.PoolGeometry
	max  bool
	at   *gpu.Tensor
}

func (l *pooling) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	p, b := c.Param.GetPoolingParam(), bottom[0]
	if len(b.Shape) != 4 {
		return fmt.Errorf("bottom %q has the shape %s; wanted 4 axes: images, channels, height, width", b.Name, b.FormatShape())
	}
	switch p.GetPool() {
	case caffepb.PoolingParameter_MAX:
		l.max = true
	case caffepb.PoolingParameter_STOCHASTIC:
		return fmt.Errorf("pooling_param: pool STOCHASTIC is not built yet; MAX and AVE are")
	}
	if !l.max && len(top) > 1 {
		return fmt.Errorf("a second top goes with pool MAX only")
	}
	g := &l.geom
	g.Planes, g.H, g.W = b.Shape[0]*b.Shape[1], b.Shape[2], b.Shape[3]
	if err := poolWindow(p, g); err != nil {
		return err
	}
	g.Resolve(p.GetRoundMode() == caffepb.PoolingParameter_FLOOR)
	if g.OutH < 1 || g.OutW < 1 {
		return fmt.Errorf("the window, %dx%d, is larger than bottom %q, %dx%d with padding %dx%d", g.KH, g.KW, b.Name, g.H, g.W, g.PH, g.PW)
	}
	shape := []int{b.Shape[0], b.Shape[1], g.OutH, g.OutW}
	for _, t := range top {
		if err := t.Reshape(c.Device, shape...); err != nil {
			return err
		}
	}
	if len(top) > 1 {
		l.at = top[1].Data
	} else if l.max {
		at, err := gpu.NewTensor(c.Device, shape...)
		if err != nil {
			return err
		}
		l.at = at
	}
	return nil
}

// poolWindow reads kernel, stride and pad, as Caffe's PoolingLayer::LayerSetUp does.
func poolWindow(p *caffepb.PoolingParameter, g *gpu.PoolGeometry) error {
	pick := func(both *uint32, def uint32, h, w *uint32) (int, int) {
		if h != nil || w != nil {
			hv, wv := def, def
			if h != nil {
				hv = *h
			}
			if w != nil {
				wv = *w
			}
			return int(hv), int(wv)
		}
		if both != nil {
			def = *both
		}
		return int(def), int(def)
	}
	if p.GetGlobalPooling() {
		if p.KernelSize != nil || p.KernelH != nil || p.KernelW != nil {
			return fmt.Errorf("pooling_param: global_pooling and a kernel exclude each other")
		}
		g.KH, g.KW = g.H, g.W
	} else {
		g.KH, g.KW = pick(p.KernelSize, 0, p.KernelH, p.KernelW)
	}
	g.SH, g.SW = pick(p.Stride, 1, p.StrideH, p.StrideW)
	g.PH, g.PW = pick(p.Pad, 0, p.PadH, p.PadW)
	switch {
	case g.KH < 1 || g.KW < 1:
		return fmt.Errorf("pooling_param: kernel is %dx%d; wanted at least 1x1 (kernel_size, or kernel_h and kernel_w)", g.KH, g.KW)
	case g.SH < 1 || g.SW < 1:
		return fmt.Errorf("pooling_param: stride is %dx%d; wanted at least 1x1", g.SH, g.SW)
	case g.PH >= g.KH || g.PW >= g.KW:
		return fmt.Errorf("pooling_param: pad is %dx%d; wanted less than the kernel, %dx%d", g.PH, g.PW, g.KH, g.KW)
	case g.KH > g.H+2*g.PH || g.KW > g.W+2*g.PW:
		return fmt.Errorf("pooling_param: the window, %dx%d, is larger than the plane, %dx%d with padding %dx%d", g.KH, g.KW, g.H, g.W, g.PH, g.PW)
	case p.GetGlobalPooling() && (g.PH != 0 || g.PW != 0 || g.SH != 1 || g.SW != 1):
		return fmt.Errorf("pooling_param: global_pooling wants pad 0 and stride 1")
	}
	return nil
}

func (l *pooling) Forward(bottom, top []*Blob) error {
	if l.max {
		l.c.Device.MaxPool(&l.geom, bottom[0].Data, top[0].Data, l.at)
	} else {
		l.c.Device.AvePool(&l.geom, bottom[0].Data, top[0].Data)
	}
	return nil
}

func (l *pooling) Backward(top []*Blob, need []bool, bottom []*Blob) {
	switch {
	case !need[0]:
	case l.max:
		l.c.Device.MaxPoolBackward(&l.geom, top[0].Diff, l.at, bottom[0].Diff)
	default:
		l.c.Device.AvePoolBackward(&l.geom, top[0].Diff, bottom[0].Diff)
	}
}
