package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("Scale", Arity{1, 2, 1, 1}, func() Layer { return &scale{} })
}

// scale is y = a·x + b with a (and b) over the axes from axis on: parameters, or a from a second bottom.
type scale struct {
	c     *Context
	shape gpu.ChannelShape
	a, b  *Param      // a is nil where the second bottom holds it
	x     *gpu.Tensor // copy of the input, where the layer works in place
}

func (l *scale) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p, b := c.Param.GetScaleParam(), bottom[0]
	axis, extents, err := spanned(int(p.GetAxis()), int(p.GetNumAxes()), bottom)
	if err != nil {
		return fmt.Errorf("scale_param: %w", err)
	}
	l.shape = gpu.ChannelShape{
		Outer:    b.Count(0, axis),
		Channels: gpu.Elements(extents),
		Inner:    b.Count(axis+len(extents), len(b.Shape)),
	}
	next := 0
	if len(bottom) == 1 {
		filler := p.GetFiller()
		if filler == nil {
			filler = constant(1)
		}
		if l.a, err = c.NewParam(ParamSpec{Shape: extents, Filler: filler}); err != nil {
			return err
		}
		next = 1
	}
	if p.GetBiasTerm() {
		if l.b, err = c.NewParam(ParamSpec{Index: next, Shape: extents, Filler: p.GetBiasFiller()}); err != nil {
			return err
		}
	}
	if top[0] == b && c.Backward {
		if l.x, err = c.Room(b.Shape...); err != nil {
			return err
		}
	}
	return sameShape(c, b, top[0])
}

// spanned returns the axes that the numbers of a Scale or Bias span: numAxes from axis on (-1: all), or those of the
// second bottom that holds them.
func spanned(axis, numAxes int, bottom []*Blob) (from int, extents []int, err error) {
	b := bottom[0]
	if from, err = b.Axis(axis); err != nil {
		return 0, nil, err
	}
	n := numAxes
	switch {
	case len(bottom) == 2:
		if n = len(bottom[1].Shape); n == 0 {
			from = 0
		}
	case n < -1:
		return 0, nil, fmt.Errorf("num_axes is %d; wanted at least -1", n)
	case n == -1:
		n = len(b.Shape) - from
	}
	if from+n > len(b.Shape) {
		return 0, nil, fmt.Errorf("axis %d and %d axes reach beyond bottom %q, %s", from, n, b.Name, b.FormatShape())
	}
	extents = b.Shape[from : from+n]
	if len(bottom) == 2 {
		for i, d := range bottom[1].Shape {
			if d != extents[i] {
				return 0, nil, fmt.Errorf(
					"bottom %q (%s) does not fit axis %d of bottom %q (%s)",
					bottom[1].Name,
					bottom[1].FormatShape(),
					from,
					b.Name,
					b.FormatShape(),
				)
			}
		}
	}
	return from, append([]int(nil), extents...), nil
}

// Kept implements Keeper.
func (l *scale) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.x} }

// ReadsBottom implements Reader: in place the input is a copy; the factor may be a second bottom.
func (l *scale) ReadsBottom(i int) bool { return i > 0 || l.x == nil }

// ReadsTop implements Reader.
func (*scale) ReadsTop(int) bool { return false }

func (l *scale) factor(bottom []*Blob) *gpu.Tensor {
	if l.a != nil {
		return l.a.Data
	}
	return bottom[1].Data
}

func (l *scale) Forward(bottom, top []*Blob) error {
	d, x := l.c.Device, bottom[0].Data
	if l.x != nil {
		d.Copy(l.x, x)
	}
	var b *gpu.Tensor
	if l.b != nil {
		b = l.b.Data
	}
	d.Scale(l.shape, x, l.factor(bottom), b, top[0].Data)
	return nil
}

func (l *scale) Backward(top []*Blob, need []bool, bottom []*Blob) {
	x := bottom[0].Data
	if l.x != nil {
		x = l.x
	}
	da := l.a.Gradient()
	if l.a == nil && need[1] {
		da = bottom[1].Diff
		l.c.Device.Fill(da, 0)
	}
	var dx *gpu.Tensor
	if need[0] {
		dx = bottom[0].Diff
	}
	l.c.Device.ScaleBackward(l.shape, x, top[0].Diff, l.factor(bottom), dx, da, l.b.Gradient())
}
