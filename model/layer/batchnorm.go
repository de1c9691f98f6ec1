package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("BatchNorm", Arity{1, 1, 1, 1}, func() Layer { return &batchNorm{} })
}

// batchNorm is Caffe's BatchNorm: normalisation by the batch's statistics while training, by running ones in a test (or
// as use_global_stats says). Its three parameters are running sums of mean and variance and their total weight; no
// solver trains them.
type batchNorm struct {
	c              *Context
	shape          gpu.ChannelShape
	global         bool
	fraction, eps  float32
	mean, variance *gpu.Tensor // of the batch
	one            *gpu.Tensor
	norm           *gpu.Tensor // the output, kept because a later layer may work in place
	sums           [3]*Param
	scale          *scale // right behind, in place: see Joiner
	relu           *relu
}

func (l *batchNorm) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p, b := c.Param.GetBatchNormParam(), bottom[0]
	l.global = !c.Train()
	if p != nil && p.UseGlobalStats != nil {
		l.global = p.GetUseGlobalStats()
	}
	l.fraction, l.eps = p.GetMovingAverageFraction(), p.GetEps()
	l.shape = gpu.ChannelShape{Outer: b.Len(), Channels: 1, Inner: 1}
	if len(b.Shape) > 1 {
		l.shape = b.channelShape(1)
	}
	for i, param := range c.Param.Param {
		if param.GetLrMult() != 0 && param.LrMult != nil {
			return fmt.Errorf(
				"param %d: lr_mult is %g; BatchNorm's statistics are not trained, so wanted 0",
				i,
				param.GetLrMult(),
			)
		}
	}
	for i := range l.sums {
		n := l.shape.Channels
		if i == 2 {
			n = 1
		}
		if l.sums[i], err = c.NewParam(ParamSpec{Index: i, Shape: []int{n}, Statistics: true}); err != nil {
			return err
		}
	}
	for _, t := range []**gpu.Tensor{&l.mean, &l.variance} {
		if *t, err = gpu.NewTensor(c.Device, l.shape.Channels); err != nil {
			return err
		}
	}
	if l.one, err = gpu.NewTensor(c.Device, 1); err != nil {
		return err
	}
	c.Device.Fill(l.one, 1)
	if !l.global {
		if l.norm, err = c.Room(b.Shape...); err != nil {
			return err
		}
	}
	return sameShape(c, b, top[0])
}

// Kept implements Keeper.
func (l *batchNorm) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.norm} }

// ReadsBottom implements Reader.
func (*batchNorm) ReadsBottom(int) bool { return false }

// ReadsTop implements Reader: what a ReLU that was joined let through is made again of norm.
func (*batchNorm) ReadsTop(int) bool { return false }

func (l *batchNorm) Forward(bottom, top []*Blob) error {
	l.forward(bottom, top, gpu.After{})
	return nil
}

// forward does what comes after, too.
func (l *batchNorm) forward(bottom, top []*Blob, after gpu.After) {
	d, x, y := l.c.Device, bottom[0].Data, top[0].Data
	if l.global {
		mean, variance, weight := l.sums[0].Data, l.sums[1].Data, l.sums[2].Data
		if (after == gpu.After{}) {
			d.Normalize(l.shape, x, mean, variance, weight, l.eps, y)
		} else {
			d.NormalizeAfter(l.shape, x, mean, variance, weight, l.eps, after, y)
		}
		return
	}
	d.BatchNorm(l.shape, l.eps, after, x, l.mean, l.variance, l.norm, y)
	correction := float32(1)
	if m := float32(l.shape.Outer * l.shape.Inner); m > 1 {
		correction = m / (m - 1)
	}
	d.Axpby(1, l.mean, l.fraction, l.sums[0].Data)
	d.Axpby(correction, l.variance, l.fraction, l.sums[1].Data)
	d.Axpby(1, l.one, l.fraction, l.sums[2].Data)
}

func (l *batchNorm) Backward(top []*Blob, need []bool, bottom []*Blob) {
	switch {
	case !need[0]:
	case l.global:
		l.c.Device.NormalizeGlobalBackward(l.shape, top[0].Diff, l.sums[1].Data, l.sums[2].Data, l.eps, bottom[0].Diff)
	default:
		l.c.Device.NormalizeBackward(l.shape, l.norm, top[0].Diff, l.variance, l.eps, bottom[0].Diff)
	}
}

// Leave implements Joiner.
func (l *batchNorm) Leave() { l.scale, l.relu = nil, nil }

// Join implements Joiner: of a Scale with a number for each channel, and a ReLU behind it. The Scale's copy of its
// input is what BatchNorm keeps of its output. By global statistics it keeps none, and is joined in a net alone that
// does not run backward.
func (l *batchNorm) Join(next Layer, need []bool) bool {
	if need != nil && (l.global || !need[0]) || l.global && !l.hasAfter() {
		return false
	}
	switch next := next.(type) {
	case *scale:
		if l.scale != nil || l.relu != nil || next.a == nil || next.shape != l.shape {
			return false
		}
		if l.global && next.x != nil { // a copy that somebody is to have
			return false
		}
		if next.x != nil && next.x != l.norm {
			next.x.Mem.Free()
			next.x = l.norm
		}
		l.scale = next
	case *relu:
		// Backward knows what went into the ReLU. In Caffe it goes by what is in the blob then, which came out, and has
		// another sign where the slope is below 0.
		if l.relu != nil || next.slope < 0 && need != nil {
			return false
		}
		l.relu = next
	default:
		return false
	}
	return true
}

// hasAfter reports whether the device has normalisation by global statistics with what comes after.
func (l *batchNorm) hasAfter() bool {
	return l.c.Device.Has(&gpu.Normalize{Shape: l.shape, After: gpu.After{ReLU: true}})
}

// after is what the joined layers do.
func (l *batchNorm) after() (a gpu.After) {
	if l.scale != nil {
		a.A = l.scale.a.Data
		if l.scale.b != nil {
			a.B = l.scale.b.Data
		}
	}
	if l.relu != nil {
		a.ReLU, a.Slope = true, l.relu.slope
	}
	return a
}

// ForwardJoined implements Joiner.
func (l *batchNorm) ForwardJoined(bottom, top []*Blob) error {
	l.forward(bottom, top, l.after())
	return nil
}

// BackwardJoined implements Joiner.
func (l *batchNorm) BackwardJoined(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	var da, db *gpu.Tensor
	if l.scale != nil {
		da, db = l.scale.a.Gradient(), l.scale.b.Gradient()
	}
	l.c.Device.BatchNormBackward(
		l.shape, l.eps, l.after(), l.norm, l.variance, top[0].Diff, bottom[0].Diff, da, db,
	)
}
