package layer

import (
	"fmt"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("LRN", Arity{1, 1, 1, 1}, func() Layer { return &lrn{} })
}

// lrn is local response normalisation. ACROSS_CHANNELS is gpu.Device.LRN; WITHIN_CHANNEL is
//
//	s = 1 + alpha·AvePool(x²), y = x·s^-beta
//
// with a pooling window of local_size, stride 1 and padding that keeps the size.
type lrn struct {
	c      *Context
	across bool
	geom   gpu.LRNGeometry
	scale  *gpu.Tensor // s

	pool  gpu.PoolGeometry
	t, u  *gpu.Tensor // of a device that has no LRNWithin; else nil
	alpha float32
	beta  float32
}

func (l *lrn) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p, b := c.Param.GetLrnParam(), bottom[0]
	if len(b.Shape) != 4 {
		return fmt.Errorf(
			"bottom %q has the shape %s; wanted 4 axes: images, channels, height, width",
			b.Name,
			b.FormatShape(),
		)
	}
	size := int(p.GetLocalSize())
	if size%2 != 1 {
		return fmt.Errorf("lrn_param: local_size is %d; wanted an odd number", size)
	}
	if top[0] == b {
		return fmt.Errorf("in place: wanted a top other than %q", b.Name)
	}
	l.across, l.alpha, l.beta = p.GetNormRegion() == caffepb.LRNParameter_ACROSS_CHANNELS, p.GetAlpha(), p.GetBeta()
	l.geom = gpu.LRNGeometry{
		N:     b.Shape[0],
		C:     b.Shape[1],
		Plane: b.Count(2, 4),
		Size:  size,
		Alpha: l.alpha,
		Beta:  l.beta,
		K:     p.GetK(),
	}
	l.pool = gpu.PoolGeometry{
		Planes: b.Count(0, 2),
		H:      b.Shape[2],
		W:      b.Shape[3],
		KH:     size,
		KW:     size,
		SH:     1,
		SW:     1,
		PH:     size / 2,
		PW:     size / 2,
	}
	l.pool.Resolve(false)
	if l.scale, err = c.Room(b.Shape...); err != nil {
		return err
	}
	if !l.across && !c.Device.Has(&gpu.LRNWithin{G: &l.pool}) {
		if l.t, err = c.Room(b.Shape...); err != nil {
			return err
		}
		if l.u, err = c.Room(b.Shape...); err != nil {
			return err
		}
	}
	return top[0].Reshape(c.Device, b.Shape...)
}

// Kept implements Keeper.
func (l *lrn) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.scale, l.t, l.u} }

// ReadsBottom implements Reader.
func (*lrn) ReadsBottom(int) bool { return true }

// ReadsTop implements Reader.
func (l *lrn) ReadsTop(int) bool { return l.across }

func (l *lrn) Forward(bottom, top []*Blob) error {
	d, x, y := l.c.Device, bottom[0].Data, top[0].Data
	if l.across {
		d.LRN(&l.geom, x, l.scale, y)
		return nil
	}
	if l.t == nil {
		d.LRNWithin(&l.pool, l.alpha, l.beta, x, l.scale, y)
		return nil
	}
	d.Mul(x, x, l.t)
	d.AvePool(&l.pool, l.t, l.scale)
	d.Power(l.scale, 1, l.alpha, 1, l.scale)
	d.Power(l.scale, -l.beta, 1, 0, y)
	d.Mul(x, y, y)
	return nil
}

func (l *lrn) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	d, x, dy, dx := l.c.Device, bottom[0].Data, top[0].Diff, bottom[0].Diff
	if l.across {
		d.LRNBackward(&l.geom, x, top[0].Data, l.scale, dy, dx)
		return
	}
	if l.t == nil {
		d.LRNWithinBackward(&l.pool, l.alpha, l.beta, x, l.scale, dy, dx)
		return
	}
	// dx = dy·s^-beta - 2·alpha·beta·x·AvePoolBackward(dy·x·s^(-beta-1))
	d.Power(l.scale, -l.beta-1, 1, 0, l.t)
	d.Mul(l.t, dy, l.t)
	d.Mul(l.t, x, l.t)
	d.AvePoolBackward(&l.pool, l.t, l.u)
	d.Mul(l.u, x, l.u)
	d.Power(l.scale, -l.beta, 1, 0, l.t)
	d.Mul(l.t, dy, dx)
	d.Axpby(-2*l.alpha*l.beta, l.u, 1, dx)
}
