package layer

import (
	"errors"
	"fmt"

	"dns-tui/caffe"
	"dns-tui/gpu"
)

func init() {
	register("MultinomialLogisticLoss", Arity{2, 2, 1, 1}, func() Layer { return &logLoss{} })
	register("InfogainLoss", Arity{2, 3, 1, 2}, func() Layer { return &infogainLoss{} })
}

// logLoss is Caffe's MultinomialLogisticLoss: the mean of -log of the probability that the first bottom gives the
// label.
type logLoss struct {
	readsBottoms
	labelSecond
	c     *Context
	shape gpu.ChannelShape
}

func (*logLoss) IsLoss() {}

func (l *logLoss) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	if l.shape, err = scores(bottom[0], bottom[1]); err != nil {
		return err
	}
	return top[0].Reshape(c.Device)
}

// scores is a blob of one row of scores for each label.
func scores(b, label *Blob) (gpu.ChannelShape, error) {
	if len(b.Shape) == 0 || b.Shape[0] != label.Len() {
		return gpu.ChannelShape{}, mismatch(b, label)
	}
	return gpu.ChannelShape{Outer: b.Shape[0], Channels: b.Count(1, len(b.Shape)), Inner: 1}, nil
}

func (l *logLoss) Forward(bottom, top []*Blob) error {
	l.c.Device.LogLoss(l.shape, bottom[0].Data, bottom[1].Data, top[0].Data)
	return nil
}

func (l *logLoss) Backward(_ []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.c.Device.LogLossBackward(l.shape, bottom[0].Data, bottom[1].Data, *l.c.Weight, bottom[0].Diff)
	}
}

func (l *logLoss) Diagnose(bottom []*Blob) error {
	return badLabel(l.c.Device, bottom[1], l.shape, gpu.Ignore{})
}

// infogainLoss is Caffe's InfogainLoss: -Σ_c H[label, c]·log softmax(x)[c]. The matrix H comes from
// infogain_loss_param's source (a binaryproto), or is the third bottom; a second top gets the softmax.
type infogainLoss struct {
	c             *Context
	shape         gpu.ChannelShape
	ignore        gpu.Ignore
	norm          float32
	h, prob, stat *gpu.Tensor
}

func (*infogainLoss) IsLoss() {}

// NoGradient implements Selective.
func (*infogainLoss) NoGradient(bottom int) bool { return bottom > 0 }

func (l *infogainLoss) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	if l.shape, err = labelled(bottom, int(c.Param.GetInfogainLossParam().GetAxis())); err != nil {
		return fmt.Errorf("infogain_loss_param: %w", err)
	}
	p := c.Param.GetLossParam()
	if p != nil && p.Normalize != nil {
		return errors.New("loss_param: normalize is not for InfogainLoss; wanted normalization")
	}
	if p != nil && p.IgnoreLabel != nil {
		l.ignore = gpu.Ignore{On: true, Label: int(p.GetIgnoreLabel())}
	}
	l.norm = lossNorm(p, l.shape)
	if err := l.matrix(bottom); err != nil {
		return err
	}
	l.prob, l.stat, err = lossTops(c, bottom[0], top)
	return err
}

// Kept implements Keeper.
func (l *infogainLoss) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.prob} }

// matrix finds H, classes × classes.
func (l *infogainLoss) matrix(bottom []*Blob) error {
	n := l.shape.Channels
	if len(bottom) > 2 {
		if l.h = bottom[2].Data; bottom[2].Len() != n*n {
			return fmt.Errorf(
				"bottom %q has the shape %s; wanted a matrix of %dx%d",
				bottom[2].Name,
				bottom[2].FormatShape(),
				n,
				n,
			)
		}
		return nil
	}
	source := l.c.Param.GetInfogainLossParam().GetSource()
	if source == "" {
		return errors.New("infogain_loss_param: source is not set, and there is no third bottom with the matrix")
	}
	b, err := caffe.ReadMatrix(l.c.Resolve(source))
	if err != nil {
		return err
	}
	values := caffe.Values(b)
	if len(values) != n*n {
		return fmt.Errorf(
			"%s: %d elements (%s); wanted a matrix of %dx%d",
			l.c.Resolve(source),
			len(values),
			caffe.FormatShape(caffe.Shape(b)),
			n,
			n,
		)
	}
	if l.h, err = gpu.NewTensor(l.c.Device, n, n); err == nil {
		l.c.Device.Upload(l.h, values)
	}
	return err
}

// ReadsBottom implements Reader.
func (*infogainLoss) ReadsBottom(i int) bool { return i > 0 }

// ReadsTop implements Reader: a second top is the softmax.
func (*infogainLoss) ReadsTop(i int) bool { return i == 1 }

func (l *infogainLoss) Forward(bottom, top []*Blob) error {
	l.c.Device.Softmax(l.shape, bottom[0].Data, l.prob)
	l.c.Device.InfogainLoss(l.shape, l.prob, bottom[1].Data, l.h, l.ignore, l.norm, l.stat)
	return nil
}

func (l *infogainLoss) Backward(_ []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.c.Device.InfogainLossBackward(
			l.shape,
			l.prob,
			bottom[1].Data,
			l.h,
			l.ignore,
			*l.c.Weight,
			l.stat,
			bottom[0].Diff,
		)
	}
}

func (l *infogainLoss) Diagnose(bottom []*Blob) error {
	return badLabel(l.c.Device, bottom[1], l.shape, l.ignore)
}
