package layer

import (
	"fmt"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("Normalize", Arity{1, 1, 1, 1}, func() Layer { return &normalize{} })
}

// normalize is SSD's Normalize (weiliu89/caffe; Liu, Rabinovich, Berg, ParseNet, 2015): each image, or under
// across_spatial: false each place of it, is brought to length 1, and each channel, or all together under
// channel_shared, is multiplied by a learned scale a:
//
//	u = x / sqrt(Σ x² + eps)    y = a·u
//
// The sum is over channels, and over space too under across_spatial. With du = a·dy, dx = (du - u·Σ(du·u)) / sqrt(Σ
// x² + eps).
type normalize struct {
	readsNothing
	c       *Context
	a       *Param
	shape   gpu.ChannelShape // what a is multiplied with
	images  int
	rows    gpu.ChannelShape // of an image: what is summed, and what stays; across_spatial: of all images
	eps     float32
	u, inv  *gpu.Tensor // normalized input, 1/length
	t, sums *gpu.Tensor
	cuts    cuts
}

func (l *normalize) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c, l.cuts = c, cuts{}
	p, b := c.Param.GetNormParam(), bottom[0]
	if p == nil {
		p = &caffepb.NormalizeParameter{}
	}
	if len(b.Shape) < 2 || len(b.Shape) > 4 {
		return fmt.Errorf(
			"bottom %q has the shape %s; wanted 2 to 4 axes: images, channels, height, width",
			b.Name,
			b.FormatShape(),
		)
	}
	if l.eps = p.GetEps(); l.eps < 0 {
		return fmt.Errorf("norm_param: eps is %g; wanted at least 0", l.eps)
	}
	n, channels, space := b.Shape[0], b.Shape[1], b.Count(2, len(b.Shape))
	extents := []int{}
	l.shape = gpu.ChannelShape{Outer: 1, Channels: 1, Inner: b.Len()}
	if !p.GetChannelShared() {
		extents, l.shape = []int{channels}, gpu.ChannelShape{Outer: n, Channels: channels, Inner: space}
	}
	filler := p.GetScaleFiller()
	if filler == nil {
		filler = constant(1)
	}
	if l.a, err = c.NewParam(ParamSpec{Shape: extents, Filler: filler}); err != nil {
		return err
	}
	lengths := n * space
	l.images, l.rows = n, gpu.ChannelShape{Outer: channels, Channels: space, Inner: 1}
	if p.GetAcrossSpatial() {
		lengths = n
		l.images, l.rows = 1, gpu.ChannelShape{Outer: 1, Channels: n, Inner: channels * space}
	}
	for _, t := range []struct {
		to   **gpu.Tensor
		n    int
		want bool
	}{{&l.u, b.Len(), true}, {&l.inv, lengths, true}, {&l.t, b.Len(), true}, {&l.sums, lengths, c.Backward}} {
		if !t.want {
			continue
		}
		if *t.to, err = gpu.NewTensor(c.Device, t.n); err != nil {
			return err
		}
	}
	return sameShape(c, b, top[0])
}

// sum sets sums to Σ x over what a length is of.
func (l *normalize) sum(x, sums *gpu.Tensor) {
	d, to := l.c.Device, l.cuts.of(sums, l.images)
	d.Fill(sums, 0)
	for i, image := range l.cuts.of(x, l.images) {
		d.SumBias(l.rows, image, to[i])
	}
}

// multiply sets y to x times the number f that goes with each length.
func (l *normalize) multiply(x, f, y *gpu.Tensor) {
	fs, ys := l.cuts.of(f, l.images), l.cuts.of(y, l.images)
	for i, image := range l.cuts.of(x, l.images) {
		l.c.Device.Scale(l.rows, image, fs[i], nil, ys[i])
	}
}

func (l *normalize) Forward(bottom, top []*Blob) error {
	d, x := l.c.Device, bottom[0].Data
	d.Mul(x, x, l.t)
	l.sum(l.t, l.inv)
	d.Power(l.inv, -0.5, 1, l.eps, l.inv)
	l.multiply(x, l.inv, l.u)
	d.Scale(l.shape, l.u, l.a.Data, nil, top[0].Data)
	return nil
}

func (l *normalize) Backward(top []*Blob, need []bool, bottom []*Blob) {
	d := l.c.Device
	var dx *gpu.Tensor
	if need[0] {
		dx = bottom[0].Diff
	}
	d.ScaleBackward(l.shape, l.u, top[0].Diff, l.a.Data, dx, l.a.Gradient(), nil)
	if dx == nil {
		return
	}
	d.Mul(dx, l.u, l.t)
	l.sum(l.t, l.sums)
	l.multiply(l.u, l.sums, l.t)
	d.Axpby(-1, l.t, 1, dx)
	l.multiply(dx, l.inv, dx)
}
