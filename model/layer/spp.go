package layer

import (
	"fmt"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("SPP", Arity{1, 1, 1, 1}, func() Layer { return &spp{} })
}

// spp is spatial pyramid pooling (He et al., ECCV 2014; Caffe's SPP): level p cuts the plane into 2^p × 2^p windows,
// and the outputs of all levels stand one behind the other in axis 1.
type spp struct {
	readsNothing
	c      *Context
	levels []*level
	images int
	width  int         // of a row of the output
	dx     *gpu.Tensor // a level's share of the gradient
}

// level is one cut, with its output and its gradient.
type level struct {
	pooler
	width int
	y, dy *gpu.Tensor
}

func (l *spp) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	p, b := c.Param.GetSppParam(), bottom[0]
	g, err := planes(b)
	if err != nil {
		return err
	}
	height := int(p.GetPyramidHeight())
	if height < 1 || height > 16 {
		return fmt.Errorf("spp_param: pyramid_height is %d; wanted 1 to 16", height)
	}
	methods := map[caffepb.SPPParameter_PoolMethod]caffepb.PoolingParameter_PoolMethod{
		caffepb.SPPParameter_MAX: caffepb.PoolingParameter_MAX, caffepb.SPPParameter_AVE: caffepb.PoolingParameter_AVE,
		caffepb.SPPParameter_STOCHASTIC: caffepb.PoolingParameter_STOCHASTIC,
	}
	for i := range height {
		v := &level{}
		if err := v.cut(c, methods[p.GetPool()], g, i); err != nil {
			return fmt.Errorf("spp_param: level %d of %d over planes of %dx%d: %w", i, height, g.H, g.W, err)
		}
		v.width = b.Shape[1] * v.geom.OutH * v.geom.OutW
		for _, t := range []**gpu.Tensor{&v.y, &v.dy} {
			if *t, err = gpu.NewTensor(c.Device, b.Shape[0], v.width); err != nil {
				return err
			}
		}
		l.levels = append(l.levels, v)
		l.width += v.width
	}
	l.images = b.Shape[0]
	if l.dx, err = gpu.NewTensor(c.Device, b.Shape...); err != nil {
		return err
	}
	if height == 1 { // Caffe's is then a pooling layer, and flattens nothing
		return top[0].Reshape(c.Device, l.images, b.Shape[1], 1, 1)
	}
	return top[0].Reshape(c.Device, l.images, l.width)
}

// cut sets the windows of level i (Caffe's SPPLayer::GetPoolingParam): as small as cover the plane, padded in the
// middle.
func (v *level) cut(c *Context, method caffepb.PoolingParameter_PoolMethod, g gpu.PoolGeometry, i int) error {
	bins := 1 << i
	g.KH, g.PH = PyramidWindow(g.H, bins)
	g.KW, g.PW = PyramidWindow(g.W, bins)
	g.SH, g.SW = g.KH, g.KW
	if g.PH >= g.KH || g.PW >= g.KW {
		return fmt.Errorf(
			"%d bins want padding %dx%d for a window of %dx%d; wanted less than the window, so a smaller "+
				"pyramid_height",
			bins,
			g.PH,
			g.PW,
			g.KH,
			g.KW,
		)
	}
	g.Resolve(false)
	return v.setup(c, method, g)
}

// PyramidWindow is the kernel, which is the stride too, and the padding with which an axis becomes so many bins.
func PyramidWindow(n, bins int) (kernel, pad int) {
	kernel = (n + bins - 1) / bins
	return kernel, (kernel*bins - n + 1) / 2
}

// NoGradient implements Selective.
func (l *spp) NoGradient(bottom int) bool { return l.levels[0].NoGradient(bottom) }

// Kept implements Keeper.
func (l *spp) Kept() []*gpu.Tensor {
	var all []*gpu.Tensor
	for _, v := range l.levels {
		all = append(all, v.Kept()...)
	}
	return all
}

func (l *spp) Forward(bottom, top []*Blob) error {
	at, key := 0, l.c.Key()
	for _, v := range l.levels {
		v.forward(bottom[0].Data, v.y, key)
		l.c.Device.Copy2D(l.images, v.width, v.y, 0, v.width, top[0].Data, at, l.width)
		at += v.width
		key.Stream += 0x9E3779B9 // another draw for each level
	}
	return nil
}

func (l *spp) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	d, at := l.c.Device, 0
	d.Fill(bottom[0].Diff, 0)
	for _, v := range l.levels {
		d.Copy2D(l.images, v.width, top[0].Diff, at, l.width, v.dy, 0, v.width)
		v.backward(v.dy, l.dx)
		d.Axpby(1, l.dx, 1, bottom[0].Diff)
		at += v.width
	}
}
