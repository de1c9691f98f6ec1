package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("LSTM", Arity{2, 5, 1, 3}, func() Layer { return &lstm{} })
	register("LSTMUnit", Arity{3, 3, 2, 2}, func() Layer { return &lstmUnit{} })
}

// lstm is Caffe's LSTM (Donahue et al., CVPR 2015): gpu.Device.LSTMUnit over time. Its parameters are W_xc and b_c,
// W_xc_static where there is a static input, and W_hc; their rows are the gates i, f, o and g. Exposed states are h, c.
type lstm struct {
	recurrent
	cells     series
	firstCell *gpu.Tensor
	dc        *gpu.Tensor
	whole     bool // the device does all steps as one operation
}

func (l *lstm) Setup(c *Context, bottom, top []*Blob) (err error) {
	if err := l.setup(c, 2, 4, bottom, top); err != nil {
		return err
	}
	l.whole = c.Device.Has(&gpu.LSTM{Shape: l.shape()}) && c.Device.Has(&gpu.LSTMBackward{Shape: l.shape()})
	if l.cells, err = newSeries(c.Device, l.steps, l.n*l.size); err != nil {
		return err
	}
	if l.firstCell, err = gpu.NewTensor(c.Device, l.n, l.size); err != nil {
		return err
	}
	l.dc, err = gpu.NewTensor(c.Device, l.n, l.size)
	return err
}

// State implements Stateful.
func (l *lstm) State() []*gpu.Tensor { return []*gpu.Tensor{l.last, l.lastCell()} }

func (l *lstm) lastCell() *gpu.Tensor { return l.cells.step[l.steps-1] }

// cellBefore returns the cells before step t.
func (l *lstm) cellBefore(t int) *gpu.Tensor {
	if t == 0 {
		return l.firstCell
	}
	return l.cells.step[t-1]
}

func (l *lstm) shape() gpu.LSTMShape { return gpu.LSTMShape{Steps: l.steps, N: l.n, Size: l.size} }

func (l *lstm) Forward(bottom, top []*Blob) error {
	d := l.c.Device
	l.begin(bottom, 2)
	if l.expose {
		d.Copy(l.firstCell, bottom[len(bottom)-1].Data)
	} else {
		d.Copy(l.firstCell, l.lastCell())
	}
	if l.whole {
		d.LSTM(l.shape(), l.wh.Data, l.cont.all, l.first, l.firstCell, l.z.all, l.hc.all, l.cells.all, l.h.all)
	}
	for t := 0; t < l.steps && !l.whole; t++ {
		l.recur(t)
		d.LSTMUnit(l.n, l.size, l.cellBefore(t), l.z.step[t], l.cont.step[t], l.cells.step[t], l.h.step[t])
	}
	d.Copy(top[0].Data, l.h.all)
	if l.expose {
		d.Copy(top[1].Data, l.last)
		d.Copy(top[2].Data, l.lastCell())
	}
	return nil
}

func (l *lstm) Backward(top []*Blob, need []bool, bottom []*Blob) {
	d := l.c.Device
	if l.whole {
		d.LSTMBackward(
			l.shape(), l.wh.Data, l.cont.all, l.firstCell, l.z.all, l.cells.all, top[0].Diff, l.dz.all,
		)
		l.finish(need, bottom)
		return
	}
	d.Fill(l.carry, 0)
	d.Fill(l.dc, 0)
	for t := l.steps - 1; t >= 0; t-- {
		d.Copy(l.dh, l.carry)
		if top[0].Diff != nil {
			d.Axpby(1, l.tops.of(top[0].Diff, l.steps)[t], 1, l.dh)
		}
		d.LSTMUnitBackward(l.n, l.size, l.cellBefore(t), l.z.step[t], l.cells.step[t], l.dc, l.dh, l.dc, l.dz.step[t])
		l.recurBackward(t)
	}
	l.finish(need, bottom)
}

// lstmUnit is Caffe's LSTMUnit: one step, of cells before (1 × N × D), gate inputs (1 × N × 4D) and cont (1 × N).
type lstmUnit struct {
	c       *Context
	n, size int
	gates   *gpu.Tensor
	zero    *gpu.Tensor // the gradient of a top that nobody uses
	dc, dx  *gpu.Tensor // the gradient of a bottom that nobody wants
}

// NoGradient implements Selective.
func (*lstmUnit) NoGradient(bottom int) bool { return bottom == 2 }

func (l *lstmUnit) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	before, x, cont := bottom[0], bottom[1], bottom[2]
	if len(before.Shape) != 3 || before.Shape[0] != 1 {
		return fmt.Errorf(
			"bottom %q has the shape %s; wanted 1 step of streams of cells",
			before.Name,
			before.FormatShape(),
		)
	}
	l.n, l.size = before.Shape[1], before.Shape[2]
	if x.Len() != 4*l.n*l.size || len(x.Shape) != 3 {
		return fmt.Errorf(
			"bottom %q has the shape %s; wanted 1x%dx%d: four gate inputs a cell",
			x.Name,
			x.FormatShape(),
			l.n,
			4*l.size,
		)
	}
	if cont.Len() != l.n || len(cont.Shape) != 2 {
		return fmt.Errorf(
			"bottom %q has the shape %s; wanted 1x%d: one number a stream",
			cont.Name,
			cont.FormatShape(),
			l.n,
		)
	}
	for _, t := range []**gpu.Tensor{&l.zero, &l.dc} {
		if *t, err = gpu.NewTensor(c.Device, before.Shape...); err != nil {
			return err
		}
	}
	for _, t := range []**gpu.Tensor{&l.gates, &l.dx} {
		if *t, err = gpu.NewTensor(c.Device, x.Shape...); err != nil {
			return err
		}
	}
	if err := top[0].Reshape(c.Device, before.Shape...); err != nil {
		return err
	}
	return top[1].Reshape(c.Device, before.Shape...)
}

// ReadsBottom implements Reader: the cells before; the gates are a copy.
func (*lstmUnit) ReadsBottom(i int) bool { return i == 0 }

// ReadsTop implements Reader: the cells.
func (*lstmUnit) ReadsTop(i int) bool { return i == 0 }

func (l *lstmUnit) Forward(bottom, top []*Blob) error {
	l.c.Device.Copy(l.gates, bottom[1].Data)
	l.c.Device.LSTMUnit(l.n, l.size, bottom[0].Data, l.gates, bottom[2].Data, top[0].Data, top[1].Data)
	return nil
}

func (l *lstmUnit) Backward(top []*Blob, need []bool, bottom []*Blob) {
	pick := func(t, other *gpu.Tensor) *gpu.Tensor {
		if t != nil {
			return t
		}
		return other
	}
	dbefore, dx := l.dc, l.dx
	if need[0] {
		dbefore = bottom[0].Diff
	}
	if need[1] {
		dx = bottom[1].Diff
	}
	l.c.Device.LSTMUnitBackward(l.n, l.size, bottom[0].Data, l.gates, top[0].Data,
		pick(top[0].Diff, l.zero), pick(top[1].Diff, l.zero), dbefore, dx)
}
