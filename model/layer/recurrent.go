package layer

import (
	"fmt"

	"dns-tui/gpu"
)

// Stateful is a layer that carries something from one pass to the next, which a resumed run needs.
type Stateful interface {
	State() []*gpu.Tensor
}

// recurrent is what Caffe's recurrent layers share (RecurrentLayer): an input of T time steps of N streams, a second
// bottom, T × N, that is 0 where a sequence begins, an input of each stream that stays the same (static), and hidden
// states that pass from one batch to the next, or are bottoms and tops of their own (expose_hidden). A gradient does
// not leave the batch: exposed states have none.
type recurrent struct {
	readsBottoms
	c           *Context
	steps, n    int
	in, fixed   int // inputs of a stream: at each step, and static (0: none)
	size, width int // hidden units, and inputs of their gates
	expose      bool

	wx, b, ws, wh *Param
	z, dz         series      // gate inputs: W_x·x + b + W_s·static + W_h·(cont·h)
	hc            series      // cont·h of the step before
	h             series      // hidden states
	cont          series      // of the bottom
	first, last   *gpu.Tensor // hidden state before the first step; after the last
	zs, dzs       *gpu.Tensor // W_s·static, and its gradient
	dh, carry     *gpu.Tensor // gradients of a hidden state: at a step; from the step after
	tops          cuts
	biases        bool // the device adds biases in the product's own pass
}

// series is an array over time, whole and step by step.
type series struct {
	all  *gpu.Tensor
	step []*gpu.Tensor
}

func newSeries(d *gpu.Device, steps, size int) (series, error) {
	t, err := gpu.NewTensor(d, steps, size)
	if err != nil {
		return series{}, err
	}
	return cutSeries(t, steps), nil
}

func cutSeries(t *gpu.Tensor, steps int) series {
	s := series{all: t}
	for i := range steps {
		s.step = append(s.step, t.View(i*(t.N/steps), t.N/steps))
	}
	return s
}

// NoGradient implements Selective.
func (l *recurrent) NoGradient(bottom int) bool {
	return bottom == 1 || bottom > 1 && (bottom > 2 || l.fixed == 0)
}

// setup checks the bottoms, of which states are hidden, and makes the parameters up to W_h. The gates take width inputs
// for each hidden unit.
func (l *recurrent) setup(c *Context, states, width int, bottom, top []*Blob) error {
	l.c = c
	p := c.Param.GetRecurrentParam()
	l.size, l.expose = int(p.GetNumOutput()), p.GetExposeHidden()
	l.width = l.size * width
	if err := l.sequence(bottom[0], bottom[1]); err != nil {
		return err
	}
	if !l.expose {
		states = 0
	}
	if err := l.states(states, bottom, top); err != nil {
		return err
	}
	if err := top[0].Reshape(c.Device, l.steps, l.n, l.size); err != nil {
		return err
	}
	if err := l.makeParams(); err != nil {
		return err
	}
	return l.allocate(bottom[1])
}

// sequence takes the steps and streams of the input, and checks that cont says of each whether it goes on.
func (l *recurrent) sequence(x, cont *Blob) error {
	if l.size < 1 {
		return fmt.Errorf("recurrent_param: num_output is %d; wanted at least 1", l.size)
	}
	if len(x.Shape) < 2 {
		return fmt.Errorf(
			"bottom %q has the shape %s; wanted at least 2 axes: time steps, streams",
			x.Name,
			x.FormatShape(),
		)
	}
	l.steps, l.n, l.in = x.Shape[0], x.Shape[1], x.Count(2, len(x.Shape))
	l.biases = l.c.Device.Has(&gpu.Gemm{M: l.steps * l.n, N: l.width, K: l.in, Then: gpu.Rectifier{On: true}})
	if l.steps < 1 || l.n < 1 { // of a Filter that lets nothing through; Caffe refuses any change of the steps
		return fmt.Errorf(
			"bottom %q has the shape %s; wanted at least 1 time step and 1 stream",
			x.Name,
			x.FormatShape(),
		)
	}
	if len(cont.Shape) != 2 || cont.Shape[0] != l.steps || cont.Shape[1] != l.n {
		return fmt.Errorf(
			"bottom %q, which says where sequences go on, has the shape %s; wanted %dx%d: time steps, streams",
			cont.Name,
			cont.FormatShape(),
			l.steps,
			l.n,
		)
	}
	return nil
}

// states checks the static input and the hidden states before and after, where the net has them.
func (l *recurrent) states(states int, bottom, top []*Blob) error {
	switch len(bottom) - 2 - states {
	case 0:
	case 1:
		if s := bottom[2]; len(s.Shape) == 0 || s.Shape[0] != l.n {
			return fmt.Errorf(
				"bottom %q, the static input, has the shape %s; wanted %d streams first",
				s.Name,
				s.FormatShape(),
				l.n,
			)
		}
		l.fixed = bottom[2].Count(1, len(bottom[2].Shape))
	default:
		return fmt.Errorf(
			"%d bottoms; wanted %d, or one more for a static input (expose_hidden: %t)",
			len(bottom),
			2+states,
			l.expose,
		)
	}
	if len(top) != 1+states {
		return fmt.Errorf("%d tops; wanted %d (expose_hidden: %t)", len(top), 1+states, l.expose)
	}
	for i := range states {
		b := bottom[len(bottom)-states+i]
		if b.Len() != l.n*l.size {
			return fmt.Errorf(
				"bottom %q, a hidden state, has the shape %s; wanted 1x%dx%d",
				b.Name,
				b.FormatShape(),
				l.n,
				l.size,
			)
		}
		if err := top[1+i].Reshape(l.c.Device, 1, l.n, l.size); err != nil {
			return err
		}
	}
	return nil
}

func (l *recurrent) makeParams() (err error) {
	p := l.c.Param.GetRecurrentParam()
	next := 0
	param := func(to **Param, shape ...int) {
		if err != nil {
			return
		}
		f := p.GetWeightFiller()
		if len(shape) == 1 {
			f = p.GetBiasFiller()
		}
		*to, err = l.c.NewParam(ParamSpec{Index: next, Shape: shape, Filler: f})
		next++
	}
	param(&l.wx, l.width, l.in)
	param(&l.b, l.width)
	if l.fixed > 0 {
		param(&l.ws, l.width, l.fixed)
	}
	param(&l.wh, l.width, l.size)
	return err
}

func (l *recurrent) allocate(cont *Blob) (err error) {
	d := l.c.Device
	for _, s := range []struct {
		to   *series
		size int
	}{{&l.z, l.n * l.width}, {&l.dz, l.n * l.width}, {&l.hc, l.n * l.size}, {&l.h, l.n * l.size}} {
		if *s.to, err = newSeries(d, l.steps, s.size); err != nil {
			return err
		}
	}
	l.cont = cutSeries(cont.Data, l.steps)
	l.last = l.h.step[l.steps-1]
	for _, t := range []**gpu.Tensor{&l.first, &l.dh, &l.carry} {
		if *t, err = gpu.NewTensor(d, l.n, l.size); err != nil {
			return err
		}
	}
	if l.fixed > 0 {
		for _, t := range []**gpu.Tensor{&l.zs, &l.dzs} {
			if *t, err = gpu.NewTensor(d, l.n, l.width); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin sets z to what the inputs give, and the first hidden state.
func (l *recurrent) begin(bottom []*Blob, states int) {
	d, rows := l.c.Device, l.steps*l.n
	if l.biases {
		d.GemmBias(true, rows, l.width, l.in, bottom[0].Data, l.wx.Data, l.b.Data, l.z.all)
	} else {
		d.Gemm(false, true, rows, l.width, l.in, 1, bottom[0].Data, l.wx.Data, 0, l.z.all)
		d.AddBias(gpu.ChannelShape{Outer: rows, Channels: l.width, Inner: 1}, l.b.Data, l.z.all)
	}
	if l.fixed > 0 {
		d.Gemm(false, true, l.n, l.width, l.fixed, 1, bottom[2].Data, l.ws.Data, 0, l.zs)
		for _, z := range l.z.step {
			d.Axpby(1, l.zs, 1, z)
		}
	}
	if l.expose {
		d.Copy(l.first, bottom[len(bottom)-states].Data)
	} else {
		d.Copy(l.first, l.last)
	}
}

// streams is the shape of a hidden state with one number for each stream.
func (l *recurrent) streams() gpu.ChannelShape {
	return gpu.ChannelShape{Outer: 1, Channels: l.n, Inner: l.size}
}

// recur adds what the hidden state before step t gives to z.
func (l *recurrent) recur(t int) {
	before := l.first
	if t > 0 {
		before = l.h.step[t-1]
	}
	l.c.Device.Scale(l.streams(), before, l.cont.step[t], nil, l.hc.step[t])
	l.c.Device.Gemm(false, true, l.n, l.width, l.size, 1, l.hc.step[t], l.wh.Data, 1, l.z.step[t])
}

// recurBackward sets carry to the gradient of the hidden state before step t, from dz of that step.
func (l *recurrent) recurBackward(t int) {
	l.c.Device.Gemm(false, false, l.n, l.size, l.width, 1, l.dz.step[t], l.wh.Data, 0, l.dh)
	l.c.Device.Scale(l.streams(), l.dh, l.cont.step[t], nil, l.carry)
}

// finish adds the gradients of the parameters, and sets those of the inputs, from dz.
func (l *recurrent) finish(need []bool, bottom []*Blob) {
	d, rows := l.c.Device, l.steps*l.n
	if dw := l.wh.Gradient(); dw != nil {
		d.Gemm(true, false, l.width, l.size, rows, 1, l.dz.all, l.hc.all, 1, dw)
	}
	if dw := l.wx.Gradient(); dw != nil {
		d.Gemm(true, false, l.width, l.in, rows, 1, l.dz.all, bottom[0].Data, 1, dw)
	}
	if db := l.b.Gradient(); db != nil {
		d.SumBias(gpu.ChannelShape{Outer: rows, Channels: l.width, Inner: 1}, l.dz.all, db)
	}
	if need[0] {
		d.Gemm(false, false, rows, l.in, l.width, 1, l.dz.all, l.wx.Data, 0, bottom[0].Diff)
	}
	if l.fixed == 0 {
		return
	}
	d.Fill(l.dzs, 0)
	for _, dz := range l.dz.step {
		d.Axpby(1, dz, 1, l.dzs)
	}
	if dw := l.ws.Gradient(); dw != nil {
		d.Gemm(true, false, l.width, l.fixed, l.n, 1, l.dzs, bottom[2].Data, 1, dw)
	}
	if need[2] {
		d.Gemm(false, false, l.n, l.fixed, l.width, 1, l.dzs, l.ws.Data, 0, bottom[2].Diff)
	}
}
