package layer

import (
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("EuclideanLoss", Arity{2, 2, 1, 1}, func() Layer { return &euclideanLoss{} })
	register("HingeLoss", Arity{2, 2, 1, 1}, func() Layer { return &hingeLoss{} })
	register("SigmoidCrossEntropyLoss", Arity{2, 2, 1, 2}, func() Layer { return &sigmoidLoss{} })
}

// euclideanLoss is Σ (a - b)²/(2n) over n examples; both bottoms have a gradient.
type euclideanLoss struct {
	readsNothing
	c    *Context
	n    int
	diff *gpu.Tensor
}

func (*euclideanLoss) IsLoss() {}

func (l *euclideanLoss) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	if bottom[0].Len() != bottom[1].Len() || len(bottom[0].Shape) == 0 || len(bottom[1].Shape) == 0 ||
		bottom[0].Shape[0] != bottom[1].Shape[0] {
		return mismatch(bottom[0], bottom[1])
	}
	l.n = bottom[0].Shape[0]
	if l.diff, err = c.Room(bottom[0].Shape...); err != nil {
		return err
	}
	return top[0].Reshape(c.Device)
}

// Kept implements Keeper.
func (l *euclideanLoss) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.diff} }

func (l *euclideanLoss) Forward(bottom, top []*Blob) error {
	d := l.c.Device
	d.Copy(l.diff, bottom[0].Data)
	d.Axpby(-1, bottom[1].Data, 1, l.diff)
	d.Dot(1/(2*float32(l.n)), l.diff, l.diff, top[0].Data)
	return nil
}

func (l *euclideanLoss) Backward(_ []*Blob, need []bool, bottom []*Blob) {
	for i, sign := range []float32{1, -1} {
		if need[i] {
			l.c.Device.Axpby(sign**l.c.Weight/float32(l.n), l.diff, 0, bottom[i].Diff)
		}
	}
}

// sigmoidLoss is the cross-entropy of sigmoid(x) and targets in [0, 1]; a second top gets sigmoid(x).
type sigmoidLoss struct {
	readsBottoms
	labelSecond
	c      *Context
	ignore gpu.Ignore
	norm   float32
	stat   *gpu.Tensor
}

func (*sigmoidLoss) IsLoss() {}

func (l *sigmoidLoss) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	if bottom[0].Len() != bottom[1].Len() {
		return mismatch(bottom[0], bottom[1])
	}
	p := c.Param.GetLossParam()
	if p != nil && p.IgnoreLabel != nil {
		l.ignore = gpu.Ignore{On: true, Label: int(p.GetIgnoreLabel())}
	}
	outer := 1
	if len(bottom[0].Shape) > 0 {
		outer = bottom[0].Shape[0]
	}
	// Unlike SoftmaxWithLoss, this layer divides by the batch where loss_param says nothing.
	if p == nil || p.Normalization == nil && p.Normalize == nil {
		p = &caffepb.LossParameter{Normalization: caffepb.LossParameter_BATCH_SIZE.Enum()}
	}
	l.norm = lossNorm(p, gpu.ChannelShape{Outer: outer, Channels: 1, Inner: bottom[0].Len() / max(1, outer)})
	if l.stat, err = gpu.NewTensor(c.Device, 2); err != nil {
		return err
	}
	if len(top) > 1 {
		if err := top[1].Reshape(c.Device, bottom[0].Shape...); err != nil {
			return err
		}
	}
	top[0].Data, top[0].Shape = l.stat.View(0), []int{}
	return nil
}

func (l *sigmoidLoss) Forward(bottom, top []*Blob) error {
	l.c.Device.SigmoidLoss(bottom[0].Data, bottom[1].Data, l.ignore, l.norm, l.stat)
	if len(top) > 1 {
		l.c.Device.Unary(gpu.UnaryFunc{Op: gpu.Sigmoid}, bottom[0].Data, top[1].Data)
	}
	return nil
}

func (l *sigmoidLoss) Backward(_ []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.c.Device.SigmoidLossBackward(bottom[0].Data, bottom[1].Data, l.ignore, *l.c.Weight, l.stat, bottom[0].Diff)
	}
}

// hingeLoss is one against the rest: Σ max(0, 1 - d·x), or its squares (norm L2), over the examples.
type hingeLoss struct {
	readsBottoms
	labelSecond
	c       *Context
	shape   gpu.ChannelShape
	squared bool
}

func (*hingeLoss) IsLoss() {}

func (l *hingeLoss) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c, l.squared = c, c.Param.GetHingeLossParam().GetNorm() == caffepb.HingeLossParameter_L2
	if l.shape, err = scores(bottom[0], bottom[1]); err != nil {
		return err
	}
	return top[0].Reshape(c.Device)
}

func (l *hingeLoss) Forward(bottom, top []*Blob) error {
	l.c.Device.HingeLoss(l.shape, bottom[0].Data, bottom[1].Data, l.squared, top[0].Data)
	return nil
}

func (l *hingeLoss) Backward(_ []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.c.Device.HingeLossBackward(l.shape, bottom[0].Data, bottom[1].Data, l.squared, *l.c.Weight, bottom[0].Diff)
	}
}

func (l *hingeLoss) Diagnose(bottom []*Blob) error {
	return badLabel(l.c.Device, bottom[1], l.shape, gpu.Ignore{})
}
