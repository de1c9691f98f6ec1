package layer

import "dns-tui/gpu"

func init() {
	register("RNN", Arity{2, 4, 1, 2}, func() Layer { return &rnn{} })
}

// rnn is Caffe's RNN: h_t = tanh(W_hh·cont_t·h_{t-1} + W_xh·x_t + b_h), o_t = tanh(W_ho·h_t + b_o). Its parameters are
// W_xh and b_h, W_xh_static where there is a static input, W_hh, W_ho and b_o. The exposed state is h.
type rnn struct {
	recurrent
	wo, bo   *Param
	o        *gpu.Tensor // outputs: the top's may be changed in place
	do, dhAt series      // gradients before tanh: of o; of h from o
}

var tanhFunc = gpu.UnaryFunc{Op: gpu.TanH}

func (l *rnn) Setup(c *Context, bottom, top []*Blob) (err error) {
	if err := l.setup(c, 1, 1, bottom, top); err != nil {
		return err
	}
	p := c.Param.GetRecurrentParam()
	next := 3
	if l.fixed > 0 {
		next++
	}
	if l.wo, err = c.NewParam(
		ParamSpec{Index: next, Shape: []int{l.size, l.size}, Filler: p.GetWeightFiller()},
	); err != nil {
		return err
	}
	if l.bo, err = c.NewParam(ParamSpec{Index: next + 1, Shape: []int{l.size}, Filler: p.GetBiasFiller()}); err != nil {
		return err
	}
	if l.o, err = gpu.NewTensor(c.Device, top[0].Shape...); err != nil {
		return err
	}
	if l.do, err = newSeries(c.Device, l.steps, l.n*l.size); err != nil {
		return err
	}
	l.dhAt, err = newSeries(c.Device, l.steps, l.n*l.size)
	return err
}

// State implements Stateful.
func (l *rnn) State() []*gpu.Tensor { return []*gpu.Tensor{l.last} }

func (l *rnn) outputs() gpu.ChannelShape {
	return gpu.ChannelShape{Outer: l.steps * l.n, Channels: l.size, Inner: 1}
}

func (l *rnn) Forward(bottom, top []*Blob) error {
	d := l.c.Device
	l.begin(bottom, 1)
	for t := range l.steps {
		l.recur(t)
		d.Unary(tanhFunc, l.z.step[t], l.h.step[t])
	}
	d.Gemm(false, true, l.steps*l.n, l.size, l.size, 1, l.h.all, l.wo.Data, 0, l.o)
	d.AddBias(l.outputs(), l.bo.Data, l.o)
	d.Unary(tanhFunc, l.o, l.o)
	d.Copy(top[0].Data, l.o)
	if l.expose {
		d.Copy(top[1].Data, l.last)
	}
	return nil
}

func (l *rnn) Backward(top []*Blob, need []bool, bottom []*Blob) {
	d, rows := l.c.Device, l.steps*l.n
	if top[0].Diff != nil {
		d.UnaryBackward(tanhFunc, l.o, l.o, top[0].Diff, l.do.all)
	} else {
		d.Fill(l.do.all, 0)
	}
	if dw := l.wo.Gradient(); dw != nil {
		d.Gemm(true, false, l.size, l.size, rows, 1, l.do.all, l.h.all, 1, dw)
	}
	if db := l.bo.Gradient(); db != nil {
		d.SumBias(l.outputs(), l.do.all, db)
	}
	d.Gemm(false, false, rows, l.size, l.size, 1, l.do.all, l.wo.Data, 0, l.dhAt.all)
	d.Fill(l.carry, 0)
	for t := l.steps - 1; t >= 0; t-- {
		d.Axpby(1, l.dhAt.step[t], 1, l.carry)
		d.UnaryBackward(tanhFunc, l.z.step[t], l.h.step[t], l.carry, l.dz.step[t])
		l.recurBackward(t)
	}
	l.finish(need, bottom)
}
