package layer

import (
	"dns-tui/gpu"
)

func init() {
	register("ContrastiveLoss", Arity{3, 3, 1, 1}, func() Layer { return &contrastiveLoss{} })
}

// contrastiveLoss draws the rows of its first two bottoms together where the third says similar, and apart, up to
// margin, where it does not (gpu.Device.ContrastiveLoss).
type contrastiveLoss struct {
	readsBottoms
	c      *Context
	shape  gpu.ChannelShape
	margin float32
	legacy bool
}

func (*contrastiveLoss) IsLoss() {}

// NoGradient implements Selective.
func (*contrastiveLoss) NoGradient(bottom int) bool { return bottom == 2 }

func (l *contrastiveLoss) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p := c.Param.GetContrastiveLossParam()
	l.margin, l.legacy = p.GetMargin(), p.GetLegacyVersion()
	if l.shape, err = scores(bottom[0], bottom[2]); err != nil {
		return err
	}
	if bottom[1].Len() != bottom[0].Len() || len(bottom[1].Shape) == 0 || bottom[1].Shape[0] != bottom[0].Shape[0] {
		return mismatch(bottom[0], bottom[1])
	}
	return top[0].Reshape(c.Device)
}

func (l *contrastiveLoss) Forward(bottom, top []*Blob) error {
	l.c.Device.ContrastiveLoss(l.shape, bottom[0].Data, bottom[1].Data, bottom[2].Data, l.margin, l.legacy, top[0].Data)
	return nil
}

func (l *contrastiveLoss) Backward(_ []*Blob, need []bool, bottom []*Blob) {
	for i, sign := range []float32{1, -1} {
		if need[i] {
			l.c.Device.ContrastiveLossBackward(
				l.shape,
				bottom[0].Data,
				bottom[1].Data,
				bottom[2].Data,
				l.margin,
				l.legacy,
				sign**l.c.Weight,
				bottom[i].Diff,
			)
		}
	}
}
