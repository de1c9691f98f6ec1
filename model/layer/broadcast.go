package layer

import (
	"fmt"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("Bias", Arity{1, 2, 1, 1}, func() Layer { return &bias{} })
	register("Tile", Arity{1, 1, 1, 1}, func() Layer { return &tile{} })
	register("Reduction", Arity{1, 1, 1, 1}, func() Layer { return &reduction{} })
	register("Parameter", Arity{0, 0, 1, 1}, func() Layer { return &parameter{} })
}

// bias is y = x + b with b over the axes from axis on: a parameter, or a second bottom.
type bias struct {
	readsNothing
	c     *Context
	shape gpu.ChannelShape
	b     *Param // nil where the second bottom holds it
}

func (l *bias) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	p, b := c.Param.GetBiasParam(), bottom[0]
	axis, extents, err := spanned(int(p.GetAxis()), int(p.GetNumAxes()), bottom)
	if err != nil {
		return fmt.Errorf("bias_param: %w", err)
	}
	l.shape = gpu.ChannelShape{
		Outer:    b.Count(0, axis),
		Channels: gpu.Elements(extents),
		Inner:    b.Count(axis+len(extents), len(b.Shape)),
	}
	if len(bottom) == 1 {
		if l.b, err = c.NewParam(ParamSpec{Shape: extents, Filler: p.GetFiller()}); err != nil {
			return err
		}
	}
	return sameShape(c, b, top[0])
}

func (l *bias) Forward(bottom, top []*Blob) error {
	if top[0] != bottom[0] {
		l.c.Device.Copy(top[0].Data, bottom[0].Data)
	}
	b := bottom[len(bottom)-1].Data
	if l.b != nil {
		b = l.b.Data
	}
	l.c.Device.AddBias(l.shape, b, top[0].Data)
	return nil
}

func (l *bias) Backward(top []*Blob, need []bool, bottom []*Blob) {
	d := l.c.Device
	if db := l.b.Gradient(); db != nil {
		d.SumBias(l.shape, top[0].Diff, db)
	}
	if l.b == nil && need[1] {
		d.Fill(bottom[1].Diff, 0)
		d.SumBias(l.shape, top[0].Diff, bottom[1].Diff)
	}
	if need[0] && top[0] != bottom[0] {
		d.Copy(bottom[0].Diff, top[0].Diff)
	}
}

// tile repeats its bottom along one axis.
type tile struct {
	readsNothing
	c            *Context
	outer, inner int
	tiles        int
	one          *gpu.Tensor // one tile of the gradient, where there are more
}

func (l *tile) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	p, b := c.Param.GetTileParam(), bottom[0]
	axis, err := b.Axis(int(p.GetAxis()))
	if err != nil {
		return fmt.Errorf("tile_param: %w", err)
	}
	if l.tiles = int(p.GetTiles()); l.tiles < 1 {
		return fmt.Errorf("tile_param: tiles is %d; wanted at least 1", l.tiles)
	}
	l.outer, l.inner = b.Count(0, axis), b.Count(axis, len(b.Shape))
	if l.one, err = gpu.NewTensor(c.Device, b.Shape...); err != nil {
		return err
	}
	shape := append([]int(nil), b.Shape...)
	shape[axis] *= l.tiles
	return top[0].Reshape(c.Device, shape...)
}

func (l *tile) Forward(bottom, top []*Blob) error {
	for t := range l.tiles {
		l.c.Device.Copy2D(l.outer, l.inner, bottom[0].Data, 0, l.inner, top[0].Data, t*l.inner, l.tiles*l.inner)
	}
	return nil
}

func (l *tile) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	d := l.c.Device
	d.Copy2D(l.outer, l.inner, top[0].Diff, 0, l.tiles*l.inner, bottom[0].Diff, 0, l.inner)
	for t := 1; t < l.tiles; t++ {
		d.Copy2D(l.outer, l.inner, top[0].Diff, t*l.inner, l.tiles*l.inner, l.one, 0, l.inner)
		d.Axpby(1, l.one, 1, bottom[0].Diff)
	}
}

// reduction is coeff times the sum, sum of magnitudes, sum of squares or mean over the axes from axis on.
type reduction struct {
	c     *Context
	op    caffepb.ReductionParameter_ReductionOp
	coeff float32
	rows  gpu.ChannelShape // a channel a row
	t     *gpu.Tensor
}

func (l *reduction) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p, b := c.Param.GetReductionParam(), bottom[0]
	axis := 0
	if len(b.Shape) > 0 || p.GetAxis() != 0 {
		if axis, err = b.Axis(int(p.GetAxis())); err != nil {
			return fmt.Errorf("reduction_param: %w", err)
		}
	}
	l.op, l.coeff = p.GetOperation(), p.GetCoeff()
	l.rows = gpu.ChannelShape{Outer: 1, Channels: b.Count(0, axis), Inner: b.Count(axis, len(b.Shape))}
	if l.op == caffepb.ReductionParameter_MEAN {
		l.coeff /= float32(l.rows.Inner)
	}
	if l.t, err = gpu.NewTensor(c.Device, b.Shape...); err != nil {
		return err
	}
	return top[0].Reshape(c.Device, b.Shape[:axis]...)
}

// ReadsBottom implements Reader.
func (l *reduction) ReadsBottom(int) bool {
	return l.op == caffepb.ReductionParameter_ASUM || l.op == caffepb.ReductionParameter_SUMSQ
}

// ReadsTop implements Reader.
func (*reduction) ReadsTop(int) bool { return false }

func (l *reduction) Forward(bottom, top []*Blob) error {
	d, x, terms := l.c.Device, bottom[0].Data, l.t
	switch l.op {
	case caffepb.ReductionParameter_ASUM:
		d.Unary(gpu.UnaryFunc{Op: gpu.Abs}, x, terms)
	case caffepb.ReductionParameter_SUMSQ:
		d.Mul(x, x, terms)
	default:
		terms = x
	}
	d.Fill(top[0].Data, 0)
	d.SumBias(l.rows, terms, top[0].Data)
	d.Axpby(l.coeff, top[0].Data, 0, top[0].Data)
	return nil
}

func (l *reduction) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	d, x, dx := l.c.Device, bottom[0].Data, bottom[0].Diff
	// dx = coeff · d(term)/dx · dy of the row.
	d.Fill(l.t, l.coeff)
	switch l.op {
	case caffepb.ReductionParameter_ASUM:
		d.UnaryBackward(gpu.UnaryFunc{Op: gpu.Abs}, x, x, l.t, l.t)
	case caffepb.ReductionParameter_SUMSQ:
		d.Axpby(2*l.coeff, x, 0, l.t)
	}
	d.Scale(l.rows, l.t, top[0].Diff, nil, dx)
}

// parameter is a parameter as a blob.
type parameter struct {
	readsNothing
	c *Context
	p *Param
}

func (l *parameter) Setup(c *Context, _, top []*Blob) error {
	l.c = c
	shape, err := shapeOf(c.Param.GetParameterParam().GetShape())
	if err != nil {
		return fmt.Errorf("parameter_param: %w", err)
	}
	if l.p, err = c.NewParam(ParamSpec{Shape: shape}); err != nil {
		return err
	}
	top[0].Data, top[0].Shape = l.p.Data, shape
	return nil
}

func (l *parameter) Forward([]*Blob, []*Blob) error { return nil }

func (l *parameter) Backward(top []*Blob, _ []bool, _ []*Blob) {
	if g := l.p.Gradient(); g != nil {
		l.c.Device.Axpby(1, top[0].Diff, 1, g)
	}
}
