package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("Embed", Arity{1, 1, 1, 1}, func() Layer { return &embed{} })
	register("BatchReindex", Arity{2, 2, 1, 1}, func() Layer { return &batchReindex{} })
	register("ArgMax", Arity{1, 1, 1, 1}, func() Layer { return &argMax{} })
}

// embed is a table look-up: y = W[x] + b for whole numbers x below input_dim.
type embed struct {
	readsBottoms
	c    *Context
	rows gpu.ChannelShape // a looked-up row an outer
	w, b *Param
}

// NoGradient implements Selective: indices have none.
func (l *embed) NoGradient(int) bool { return true }

func (l *embed) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p := c.Param.GetEmbedParam()
	n, k := int(p.GetNumOutput()), int(p.GetInputDim())
	if n < 1 || k < 1 {
		return fmt.Errorf("embed_param: num_output is %d and input_dim %d; wanted at least 1", n, k)
	}
	l.rows = gpu.ChannelShape{Outer: bottom[0].Len(), Channels: n, Inner: 1}
	if l.w, err = c.NewParam(ParamSpec{Shape: []int{k, n}, Filler: p.GetWeightFiller()}); err != nil {
		return err
	}
	if p.GetBiasTerm() {
		if l.b, err = c.NewParam(ParamSpec{Index: 1, Shape: []int{n}, Filler: p.GetBiasFiller()}); err != nil {
			return err
		}
	}
	return top[0].Reshape(c.Device, append(append([]int(nil), bottom[0].Shape...), n)...)
}

func (l *embed) Forward(bottom, top []*Blob) error {
	l.c.Device.Gather(l.rows.Channels, bottom[0].Data, l.w.Data, top[0].Data)
	if l.b != nil {
		l.c.Device.AddBias(l.rows, l.b.Data, top[0].Data)
	}
	return nil
}

func (l *embed) Backward(top []*Blob, _ []bool, bottom []*Blob) {
	if dw := l.w.Gradient(); dw != nil {
		l.c.Device.ScatterAdd(l.rows.Channels, bottom[0].Data, top[0].Diff, dw)
	}
	if db := l.b.Gradient(); db != nil {
		l.c.Device.SumBias(l.rows, top[0].Diff, db)
	}
}

func (l *embed) Diagnose(bottom []*Blob) error {
	return badLabel(l.c.Device, bottom[0], gpu.ChannelShape{Channels: l.w.Shape[0]}, gpu.Ignore{})
}

// batchReindex picks examples of its first bottom by the numbers in its second.
type batchReindex struct {
	labelSecond
	c     *Context
	width int
	rows  int
}

func (l *batchReindex) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	if len(bottom[0].Shape) == 0 || len(bottom[1].Shape) != 1 {
		return mismatch(bottom[0], bottom[1])
	}
	l.rows, l.width = bottom[0].Shape[0], bottom[0].Count(1, len(bottom[0].Shape))
	return top[0].Reshape(c.Device, append([]int{bottom[1].Len()}, bottom[0].Shape[1:]...)...)
}

// ReadsBottom implements Reader.
func (*batchReindex) ReadsBottom(i int) bool { return i == 1 }

// ReadsTop implements Reader.
func (*batchReindex) ReadsTop(int) bool { return false }

func (l *batchReindex) Forward(bottom, top []*Blob) error {
	l.c.Device.Gather(l.width, bottom[1].Data, bottom[0].Data, top[0].Data)
	return nil
}

func (l *batchReindex) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.c.Device.Fill(bottom[0].Diff, 0)
		l.c.Device.ScatterAdd(l.width, bottom[1].Data, top[0].Diff, bottom[0].Diff)
	}
}

func (l *batchReindex) Diagnose(bottom []*Blob) error {
	return badLabel(l.c.Device, bottom[1], gpu.ChannelShape{Channels: l.rows}, gpu.Ignore{})
}

// argMax gives the places of the top_k largest, along axis or over all of an example. With out_max_val it gives their
// values: in place of the places with an axis, behind them without.
type argMax struct {
	noBackward
	c            *Context
	shape        gpu.ChannelShape
	k            int
	index, value *gpu.Tensor // rows of k
	axis         bool
	both         bool
}

func (l *argMax) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p, b := c.Param.GetArgmaxParam(), bottom[0]
	l.axis = p != nil && p.Axis != nil
	var shape []int
	if l.axis {
		axis, err := b.Axis(int(p.GetAxis()))
		if err != nil {
			return fmt.Errorf("argmax_param: %w", err)
		}
		l.shape, shape = b.channelShape(axis), append([]int(nil), b.Shape...)
		shape[axis] = int(p.GetTopK())
	} else {
		if len(b.Shape) == 0 {
			return fmt.Errorf("bottom %q is a scalar; wanted at least 1 axis", b.Name)
		}
		l.shape = gpu.ChannelShape{Outer: b.Shape[0], Channels: b.Len() / b.Shape[0], Inner: 1}
		l.both = p.GetOutMaxVal()
		shape = []int{b.Shape[0], 1 + boolInt(l.both), int(p.GetTopK())}
	}
	if l.k = int(p.GetTopK()); l.k < 1 || l.k > l.shape.Channels {
		return fmt.Errorf(
			"argmax_param: top_k is %d; bottom %q (%s) has %d to choose from",
			l.k,
			b.Name,
			b.FormatShape(),
			l.shape.Channels,
		)
	}
	if err := top[0].Reshape(c.Device, shape...); err != nil {
		return err
	}
	rows := l.shape.Outer * l.shape.Inner * l.k
	if !l.axis || !p.GetOutMaxVal() {
		if l.index, err = gpu.NewTensor(c.Device, rows); err != nil {
			return err
		}
	}
	if p.GetOutMaxVal() {
		l.value, err = gpu.NewTensor(c.Device, rows)
	}
	return err
}

func (l *argMax) Forward(bottom, top []*Blob) error {
	d := l.c.Device
	d.ArgMax(l.shape, l.k, bottom[0].Data, l.index, l.value)
	if !l.axis {
		per := l.k * (1 + boolInt(l.both))
		d.Copy2D(l.shape.Outer, l.k, l.index, 0, l.k, top[0].Data, 0, per)
		if l.both {
			d.Copy2D(l.shape.Outer, l.k, l.value, 0, l.k, top[0].Data, l.k, per)
		}
		return nil
	}
	rows := l.index
	if rows == nil {
		rows = l.value
	}
	// Rows of k become columns along the axis: one element of each at a time.
	for o := range l.shape.Outer {
		for rank := range l.k {
			d.Copy2D(l.shape.Inner, 1, rows, o*l.shape.Inner*l.k+rank, l.k, top[0].Data, (o*l.k+rank)*l.shape.Inner, 1)
		}
	}
	return nil
}
