package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("MVN", Arity{1, 1, 1, 1}, func() Layer { return &mvn{} })
}

// mvn is Caffe's MVN: each channel of each image (or each image, across_channels) loses its mean, and is divided by its
// standard deviation where normalize_variance is set.
type mvn struct {
	c              *Context
	shape          gpu.ChannelShape
	eps            float32
	withVariance   bool
	mean, variance *gpu.Tensor
}

func (l *mvn) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p, b := c.Param.GetMvnParam(), bottom[0]
	if len(b.Shape) < 1 {
		return fmt.Errorf("bottom %q is a scalar; wanted at least 1 axis", b.Name)
	}
	if top[0] == b {
		return fmt.Errorf("in place: wanted a top other than %q", b.Name)
	}
	n := b.Count(0, min(2, len(b.Shape)))
	if p.GetAcrossChannels() {
		n = b.Shape[0]
	}
	l.shape = gpu.ChannelShape{Outer: 1, Channels: n, Inner: b.Len() / n}
	l.withVariance, l.eps = p.GetNormalizeVariance(), p.GetEps()
	if l.mean, err = gpu.NewTensor(c.Device, n); err != nil {
		return err
	}
	if l.variance, err = gpu.NewTensor(c.Device, n); err != nil {
		return err
	}
	return top[0].Reshape(c.Device, b.Shape...)
}

// center is Normalize without the division.
func (l *mvn) center(x, y *gpu.Tensor) {
	d := l.c.Device
	d.BatchStats(l.shape, x, l.mean, l.variance)
	d.Fill(l.variance, 1)
	d.Normalize(l.shape, x, l.mean, l.variance, nil, 0, y)
}

// ReadsBottom implements Reader.
func (*mvn) ReadsBottom(int) bool { return false }

// ReadsTop implements Reader.
func (l *mvn) ReadsTop(int) bool { return l.withVariance }

func (l *mvn) Forward(bottom, top []*Blob) error {
	d := l.c.Device
	if !l.withVariance {
		l.center(bottom[0].Data, top[0].Data)
		return nil
	}
	d.BatchStats(l.shape, bottom[0].Data, l.mean, l.variance)
	// Caffe divides by √variance + eps: by the root of the square of that.
	d.Power(l.variance, 0.5, 1, 0, l.variance)
	d.Power(l.variance, 2, 1, l.eps, l.variance)
	d.Normalize(l.shape, bottom[0].Data, l.mean, l.variance, nil, 0, top[0].Data)
	return nil
}

func (l *mvn) Backward(top []*Blob, need []bool, bottom []*Blob) {
	switch {
	case !need[0]:
	case l.withVariance:
		l.c.Device.NormalizeBackward(l.shape, top[0].Data, top[0].Diff, l.variance, 0, bottom[0].Diff)
	default:
		l.center(top[0].Diff, bottom[0].Diff)
	}
}
