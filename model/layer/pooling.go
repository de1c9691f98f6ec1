package layer

import (
	"fmt"
	"math"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("Pooling", Arity{1, 1, 1, 2}, func() Layer { return &pooling{} })
}

// pooling is Caffe's Pooling: MAX (a second top gets the places of the maxima), AVE and STOCHASTIC.
type pooling struct {
	pooler
	pad *padding // sides that are padded differently
}

func (l *pooling) Setup(c *Context, bottom, top []*Blob) error {
	p, b := c.Param.GetPoolingParam(), bottom[0]
	if p == nil {
		p = &caffepb.PoolingParameter{}
	}
	if p.GetPool() != caffepb.PoolingParameter_MAX && len(top) > 1 {
		return fmt.Errorf("a second top goes with pool MAX only")
	}
	g, err := planes(b)
	if err != nil {
		return err
	}
	if err := poolWindow(p, &g); err != nil {
		return err
	}
	floor := p.GetRoundMode() == caffepb.PoolingParameter_FLOOR
	g.Resolve(floor)
	if l.pad = nil; p.PadL != nil || p.PadR != nil || p.PadT != nil || p.PadB != nil {
		if err := l.frame(c, p, b, &g, floor, len(top)); err != nil {
			return fmt.Errorf("pooling_param: pad_l, pad_r, pad_t, pad_b: %w", err)
		}
	}
	if g.OutH < 1 || g.OutW < 1 {
		return fmt.Errorf(
			"the window, %dx%d, is larger than bottom %q, %dx%d with padding %dx%d",
			g.KH,
			g.KW,
			b.Name,
			g.H,
			g.W,
			g.PH,
			g.PW,
		)
	}
	for _, t := range top {
		if err := t.Reshape(c.Device, b.Shape[0], b.Shape[1], g.OutH, g.OutW); err != nil {
			return err
		}
	}
	if len(top) > 1 {
		l.at = top[1].Data
	}
	return l.setup(c, p.GetPool(), g)
}

// ReadsBottom implements Reader.
func (*pooling) ReadsBottom(int) bool { return false }

// ReadsTop implements Reader: a second top has the places of the maxima.
func (*pooling) ReadsTop(i int) bool { return i == 1 }

func (l *pooling) Forward(bottom, top []*Blob) error {
	x := bottom[0].Data
	if l.pad != nil {
		x = l.pad.put(x)
	}
	l.forward(x, top[0].Data, l.c.Key())
	return nil
}

func (l *pooling) Backward(top []*Blob, need []bool, bottom []*Blob) {
	switch {
	case !need[0]:
	case l.pad != nil:
		l.backward(top[0].Diff, l.pad.diff.all)
		l.pad.take(bottom[0].Diff)
	default:
		l.backward(top[0].Diff, bottom[0].Diff)
	}
}

// frame makes the padding of sides that differ (Synopsys' fork), and g the geometry of planes that have it: a border
// that no maximum is taken from, of zeros for a mean, which counts it.
func (l *pooling) frame(
	c *Context,
	p *caffepb.PoolingParameter,
	b *Blob,
	g *gpu.PoolGeometry,
	floor bool,
	tops int,
) (err error) {
	s := sides{int(p.GetPadL()), int(p.GetPadR()), int(p.GetPadT()), int(p.GetPadB())}
	border := float32(0)
	switch {
	case p.GetPool() == caffepb.PoolingParameter_STOCHASTIC:
		return fmt.Errorf("pool STOCHASTIC wants no padding")
	case tops > 1:
		return fmt.Errorf("a top of the maxima's places wants the same padding on both sides")
	case p.GetGlobalPooling():
		return fmt.Errorf("global_pooling wants no padding")
	case max(s.top, s.bottom) >= g.KH || max(s.left, s.right) >= g.KW:
		return fmt.Errorf(
			"the padding is %d, %d, %d, %d; wanted less than the kernel, %dx%d",
			s.left,
			s.right,
			s.top,
			s.bottom,
			g.KH,
			g.KW,
		)
	case p.GetPool() == caffepb.PoolingParameter_MAX:
		border = -math.MaxFloat32
	}
	if l.pad, err = newPadding(c, b, s, border); err != nil {
		return err
	}
	h, w := g.H, g.W
	g.H, g.W = l.pad.height(), l.pad.width()
	g.Resolve(floor)
	if (g.OutH-1)*g.SH >= h+s.top { // a last window that would begin in the padding
		g.OutH--
	}
	if (g.OutW-1)*g.SW >= w+s.left {
		g.OutW--
	}
	return nil
}

// planes is a blob of images as planes to pool.
func planes(b *Blob) (gpu.PoolGeometry, error) {
	if len(b.Shape) != 4 {
		return gpu.PoolGeometry{}, fmt.Errorf(
			"bottom %q has the shape %s; wanted 4 axes: images, channels, height, width",
			b.Name,
			b.FormatShape(),
		)
	}
	return gpu.PoolGeometry{Planes: b.Shape[0] * b.Shape[1], H: b.Shape[2], W: b.Shape[3]}, nil
}

// pooler pools planes by one method.
type pooler struct {
	c      *Context
	geom   gpu.PoolGeometry
	method caffepb.PoolingParameter_PoolMethod
	at     *gpu.Tensor // MAX and STOCHASTIC: where the output was taken from
}

func (l *pooler) setup(c *Context, method caffepb.PoolingParameter_PoolMethod, g gpu.PoolGeometry) (err error) {
	l.c, l.method, l.geom = c, method, g
	if method == caffepb.PoolingParameter_STOCHASTIC && (g.PH != 0 || g.PW != 0) {
		return fmt.Errorf("pooling_param: pad is %dx%d; pool STOCHASTIC wants 0", g.PH, g.PW)
	}
	if l.at == nil && method != caffepb.PoolingParameter_AVE {
		l.at, err = c.Room(g.Planes, g.OutH, g.OutW)
	}
	return err
}

// NoGradient implements Selective: STOCHASTIC in a test net gives the mean of its draws, whose gradient Caffe does
// not have.
func (l *pooler) NoGradient(int) bool {
	return l.method == caffepb.PoolingParameter_STOCHASTIC && !l.c.Train()
}

// Kept implements Keeper.
func (l *pooler) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.at} }

func (l *pooler) forward(x, y *gpu.Tensor, key gpu.Key) {
	d := l.c.Device
	switch {
	case l.method == caffepb.PoolingParameter_MAX:
		d.MaxPool(&l.geom, x, y, l.at)
	case l.method == caffepb.PoolingParameter_AVE:
		d.AvePool(&l.geom, x, y)
	case l.c.Train():
		d.StochasticPool(&l.geom, x, y, l.at, key)
	default:
		d.ExpectedPool(&l.geom, x, y)
	}
}

func (l *pooler) backward(dy, dx *gpu.Tensor) {
	if l.method == caffepb.PoolingParameter_AVE {
		l.c.Device.AvePoolBackward(&l.geom, dy, dx)
	} else {
		l.c.Device.MaxPoolBackward(&l.geom, dy, l.at, dx)
	}
}

// PoolingWindow returns the window of a Pooling over a bottom of a shape.
func PoolingWindow(p *caffepb.PoolingParameter, shape []int) (Window, error) {
	g, err := planes(&Blob{Shape: shape})
	if err == nil {
		err = poolWindow(p, &g)
	}
	if err != nil {
		return Window{}, err
	}
	w := Window{
		Kernel: []int{g.KH, g.KW}, Stride: []int{g.SH, g.SW}, Dilation: []int{1, 1},
		Before: []int{g.PH, g.PW}, After: []int{g.PH, g.PW},
	}
	if p.PadL != nil || p.PadR != nil || p.PadT != nil || p.PadB != nil {
		w.Before = []int{int(p.GetPadT()), int(p.GetPadL())}
		w.After = []int{int(p.GetPadB()), int(p.GetPadR())}
	}
	return w, nil
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
			return fmt.Errorf("pooling_param: global_pooling and a kernel are mutually exclusive")
		}
		g.KH, g.KW = g.H, g.W
	} else {
		g.KH, g.KW = pick(p.KernelSize, 0, p.KernelH, p.KernelW)
	}
	g.SH, g.SW = pick(p.Stride, 1, p.StrideH, p.StrideW)
	g.PH, g.PW = pick(p.Pad, 0, p.PadH, p.PadW)
	switch {
	case g.KH < 1 || g.KW < 1:
		return fmt.Errorf(
			"pooling_param: kernel is %dx%d; wanted at least 1x1 (kernel_size, or kernel_h and kernel_w)",
			g.KH,
			g.KW,
		)
	case g.SH < 1 || g.SW < 1:
		return fmt.Errorf("pooling_param: stride is %dx%d; wanted at least 1x1", g.SH, g.SW)
	case g.PH >= g.KH || g.PW >= g.KW:
		return fmt.Errorf("pooling_param: pad is %dx%d; wanted less than the kernel, %dx%d", g.PH, g.PW, g.KH, g.KW)
	case p.GetGlobalPooling() && (g.PH != 0 || g.PW != 0 || g.SH != 1 || g.SW != 1):
		return fmt.Errorf("pooling_param: global_pooling wants pad 0 and stride 1")
	}
	return nil
}
