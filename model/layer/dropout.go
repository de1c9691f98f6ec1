package layer

import "fmt"

func init() {
	register("Dropout", Arity{1, 1, 1, 1}, func() Layer { return &dropout{} })
}

// dropout zeroes each element with probability dropout_ratio while training and scales the others by
// 1/(1-dropout_ratio). The mask is drawn again for the gradient, from the same key, so it needs no memory.
type dropout struct {
	readsNothing
	c     *Context
	ratio float32
}

func (l *dropout) Setup(c *Context, bottom, top []*Blob) error {
	l.c, l.ratio = c, c.Param.GetDropoutParam().GetDropoutRatio()
	if l.ratio < 0 || l.ratio >= 1 {
		return fmt.Errorf("dropout_param: dropout_ratio is %g; wanted at least 0 and less than 1", l.ratio)
	}
	return sameShape(c, bottom[0], top[0])
}

func (l *dropout) Forward(bottom, top []*Blob) error {
	if l.c.Train() {
		l.c.Device.Dropout(bottom[0].Data, top[0].Data, l.ratio, l.c.Key())
	} else if top[0] != bottom[0] {
		l.c.Device.Copy(top[0].Data, bottom[0].Data)
	}
	return nil
}

func (l *dropout) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	if l.c.Train() {
		l.c.Device.Dropout(top[0].Diff, bottom[0].Diff, l.ratio, l.c.Key())
	} else if top[0] != bottom[0] {
		l.c.Device.Copy(bottom[0].Diff, top[0].Diff)
	}
}
