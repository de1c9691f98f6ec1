package layer

import "dns-tui/gpu"

func init() {
	register("ReLU", Arity{1, 1, 1, 1}, func() Layer { return &relu{} })
}

// relu is y = max(x, 0) + negative_slope·min(x, 0).
type relu struct {
	readsBottoms
	c     *Context
	slope float32
}

func (l *relu) Setup(c *Context, bottom, top []*Blob) error {
	l.c, l.slope = c, c.Param.GetReluParam().GetNegativeSlope()
	return sameShape(c, bottom[0], top[0])
}

// rectifier is the ReLU as another operation does it.
func (l *relu) rectifier() gpu.Rectifier { return gpu.Rectifier{On: true, Slope: l.slope} }

// rectified is the part of a Joiner that joins a ReLU right behind, in place, and nothing else.
type rectified struct{ relu *relu }

// Leave implements Joiner.
func (l *rectified) Leave() { l.relu = nil }

// join takes a layer that is a ReLU, where does says that the device does one in the layer's own pass.
func (l *rectified) join(next Layer, does func(gpu.Rectifier) bool) bool {
	r, ok := next.(*relu)
	if !ok || l.relu != nil || !does(r.rectifier()) {
		return false
	}
	l.relu = r
	return true
}

// sameShape shapes a top like its bottom; in place they are one blob already.
func sameShape(c *Context, bottom, top *Blob) error {
	if top == bottom {
		return nil
	}
	return top.Reshape(c.Device, bottom.Shape...)
}

func (l *relu) Forward(bottom, top []*Blob) error {
	l.c.Device.ReLU(bottom[0].Data, top[0].Data, l.slope)
	return nil
}

func (l *relu) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.c.Device.ReLUBackward(bottom[0].Data, top[0].Diff, bottom[0].Diff, l.slope)
	}
}
