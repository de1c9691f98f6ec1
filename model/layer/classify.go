package layer

import (
	"fmt"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("Softmax", Arity{1, 1, 1, 1}, func() Layer { return &softmax{} })
	register("SoftmaxWithLoss", Arity{2, 2, 1, 2}, func() Layer { return &softmaxLoss{} })
	register("Accuracy", Arity{2, 2, 1, 2}, func() Layer { return &accuracy{} })
}

// softmax is gpu.Device.Softmax over one axis.
type softmax struct {
	readsTops
	c     *Context
	shape gpu.ChannelShape
}

func (l *softmax) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	axis, err := bottom[0].Axis(int(c.Param.GetSoftmaxParam().GetAxis()))
	if err != nil {
		return fmt.Errorf("softmax_param: %w", err)
	}
	l.shape = bottom[0].channelShape(axis)
	return sameShape(c, bottom[0], top[0])
}

func (l *softmax) Forward(bottom, top []*Blob) error {
	l.c.Device.Softmax(l.shape, bottom[0].Data, top[0].Data)
	return nil
}

func (l *softmax) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.c.Device.SoftmaxBackward(l.shape, top[0].Data, top[0].Diff, bottom[0].Diff)
	}
}

// labelled checks that bottom 1 holds one label for each place of bottom 0 around axis.
func labelled(bottom []*Blob, axis int) (gpu.ChannelShape, error) {
	axis, err := bottom[0].Axis(axis)
	if err != nil {
		return gpu.ChannelShape{}, err
	}
	s := bottom[0].channelShape(axis)
	if bottom[1].Len() != s.Outer*s.Inner {
		return s, fmt.Errorf(
			"bottom %q (%s) has %d labels for the %d places of bottom %q (%s)",
			bottom[1].Name,
			bottom[1].FormatShape(),
			bottom[1].Len(),
			s.Outer*s.Inner,
			bottom[0].Name,
			bottom[0].FormatShape(),
		)
	}
	return s, nil
}

// badLabel looks for a label that is not a valid class.
func badLabel(d *gpu.Device, label *Blob, s gpu.ChannelShape, ignore gpu.Ignore) error {
	values := make([]float32, label.Data.N)
	d.Download(values, label.Data)
	for i, v := range values {
		c := int(v)
		if ignore.On && c == ignore.Label {
			continue
		}
		if float32(c) != v || c < 0 || c >= s.Channels {
			return fmt.Errorf(
				"label %g (number %d of blob %q) is not a valid class; must be 0 to %d",
				v,
				i,
				label.Name,
				s.Channels-1,
			)
		}
	}
	return nil
}

// softmaxLoss is the mean of -log softmax(x)[label], normalised as loss_param says.
type softmaxLoss struct {
	labelSecond
	c          *Context
	shape      gpu.ChannelShape
	ignore     gpu.Ignore
	norm       float32
	prob, stat *gpu.Tensor
}

func (*softmaxLoss) IsLoss() {}

func (l *softmaxLoss) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	if l.shape, err = labelled(bottom, int(c.Param.GetSoftmaxParam().GetAxis())); err != nil {
		return err
	}
	p := c.Param.GetLossParam()
	if p != nil && p.IgnoreLabel != nil {
		l.ignore = gpu.Ignore{On: true, Label: int(p.GetIgnoreLabel())}
	}
	l.norm = lossNorm(p, l.shape)
	l.prob, l.stat, err = lossTops(c, bottom[0], top)
	return err
}

// Kept implements Keeper.
func (l *softmaxLoss) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.prob} }

// lossTops shapes the tops of a loss over a softmax: the loss, a view of stat, which keeps its divisor too; and the
// softmax's output, where there is a second top.
func lossTops(c *Context, b *Blob, top []*Blob) (prob, stat *gpu.Tensor, err error) {
	if stat, err = gpu.NewTensor(c.Device, 2); err != nil {
		return nil, nil, err
	}
	top[0].Data, top[0].Shape = stat.View(0), []int{}
	if len(top) > 1 {
		err = top[1].Reshape(c.Device, b.Shape...)
		return top[1].Data, stat, err
	}
	prob, err = c.Room(b.Shape...)
	return prob, stat, err
}

// lossNorm is the divisor that loss_param asks for; 0 stands for the number of labels that count.
func lossNorm(p *caffepb.LossParameter, s gpu.ChannelShape) float32 {
	mode := p.GetNormalization()
	if p != nil && p.Normalization == nil && p.Normalize != nil {
		mode = caffepb.LossParameter_BATCH_SIZE
		if p.GetNormalize() {
			mode = caffepb.LossParameter_VALID
		}
	}
	switch mode {
	case caffepb.LossParameter_FULL:
		return float32(s.Outer * s.Inner)
	case caffepb.LossParameter_BATCH_SIZE:
		return float32(s.Outer)
	case caffepb.LossParameter_NONE:
		return 1
	}
	return 0
}

// ReadsBottom implements Reader.
func (*softmaxLoss) ReadsBottom(i int) bool { return i > 0 }

// ReadsTop implements Reader: a second top is the softmax.
func (*softmaxLoss) ReadsTop(i int) bool { return i == 1 }

func (l *softmaxLoss) Forward(bottom, top []*Blob) error {
	l.c.Device.Softmax(l.shape, bottom[0].Data, l.prob)
	l.c.Device.SoftmaxLoss(l.shape, l.prob, bottom[1].Data, l.ignore, l.norm, l.stat)
	return nil
}

func (l *softmaxLoss) Backward(_ []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.c.Device.SoftmaxLossBackward(l.shape, l.prob, bottom[1].Data, l.ignore, *l.c.Weight, l.stat, bottom[0].Diff)
	}
}

func (l *softmaxLoss) Diagnose(bottom []*Blob) error {
	return badLabel(l.c.Device, bottom[1], l.shape, l.ignore)
}

// accuracy is the fraction of labels among the top_k largest scores; a second top has it for each class.
type accuracy struct {
	noBackward
	labelSecond
	c      *Context
	shape  gpu.ChannelShape
	ignore gpu.Ignore
	topK   int
}

func (l *accuracy) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p := c.Param.GetAccuracyParam()
	if l.shape, err = labelled(bottom, int(p.GetAxis())); err != nil {
		return err
	}
	if l.topK = int(p.GetTopK()); l.topK < 1 || l.topK > l.shape.Channels {
		return fmt.Errorf(
			"accuracy_param: top_k is %d; bottom %q has %d classes",
			l.topK,
			bottom[0].Name,
			l.shape.Channels,
		)
	}
	if p != nil && p.IgnoreLabel != nil {
		l.ignore = gpu.Ignore{On: true, Label: int(p.GetIgnoreLabel())}
	}
	if len(top) > 1 {
		if err := top[1].Reshape(c.Device, l.shape.Channels); err != nil {
			return err
		}
	}
	return top[0].Reshape(c.Device)
}

func (l *accuracy) Forward(bottom, top []*Blob) error {
	var perClass *gpu.Tensor
	if len(top) > 1 {
		perClass = top[1].Data
	}
	l.c.Device.Accuracy(l.shape, bottom[0].Data, bottom[1].Data, l.ignore, l.topK, top[0].Data, perClass)
	return nil
}

func (l *accuracy) Diagnose(bottom []*Blob) error {
	return badLabel(l.c.Device, bottom[1], l.shape, l.ignore)
}
