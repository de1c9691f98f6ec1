package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	a := Arity{1, 1, 1, 1}
	register("InnerProduct", a, func() Layer { return &innerProduct{} })
	register("CInnerProduct", a, func() Layer { return &innerProduct{} })
}

// innerProduct is Caffe's InnerProduct, y = x·Wᵀ + b over the axes from axis on, and the authors' CInnerProduct.
type innerProduct struct {
	readsBottoms
	rectified
	c          *Context
	m, n, k    int // rows, outputs, inputs
	transposed bool
	w, b       *Param
	pruning    Pruning
	positions  int  // rows of one image
	joins      bool // the device does a bias and a ReLU in the product's own pass
}

func (l *innerProduct) Pruning() Pruning       { return l.pruning }
func (l *innerProduct) Weights() (w, b *Param) { return l.w, l.b }
func (l *innerProduct) Positions() int         { return l.positions }

func (l *innerProduct) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p := c.Param.GetInnerProductParam()
	axis, err := bottom[0].Axis(int(p.GetAxis()))
	if err != nil {
		return fmt.Errorf("inner_product_param: %w", err)
	}
	l.m, l.k, l.n = bottom[0].Count(0, axis), bottom[0].Count(axis, len(bottom[0].Shape)), int(p.GetNumOutput())
	if l.n < 1 {
		return fmt.Errorf("inner_product_param: num_output is %d; wanted at least 1", l.n)
	}
	l.joins = c.Device.Has(&gpu.Gemm{M: l.m, N: l.n, K: l.k, Then: gpu.Rectifier{On: true}})
	l.positions = 1
	if axis > 0 {
		l.positions = bottom[0].Count(1, axis)
	}
	if l.pruning, err = pruningOf(c.Param); err != nil {
		return err
	}
	l.transposed = p.GetTranspose()
	shape := []int{l.n, l.k}
	if l.transposed {
		shape = []int{l.k, l.n}
	}
	if l.w, err = c.NewParam(ParamSpec{Shape: shape, Filler: p.GetWeightFiller()}); err != nil {
		return err
	}
	if p.GetBiasTerm() {
		if l.b, err = c.NewParam(ParamSpec{Index: 1, Shape: []int{l.n}, Filler: p.GetBiasFiller()}); err != nil {
			return err
		}
	}
	return top[0].Reshape(c.Device, append(append([]int(nil), bottom[0].Shape[:axis]...), l.n)...)
}

// Join implements Joiner: of a ReLU.
func (l *innerProduct) Join(next Layer, _ []bool) bool {
	return l.join(next, func(gpu.Rectifier) bool { return l.joins })
}

// ReadsTop implements Reader: a ReLU that was joined has its slope by what it made.
func (l *innerProduct) ReadsTop(int) bool { return l.relu != nil }

// ForwardJoined implements Joiner.
func (l *innerProduct) ForwardJoined(bottom, top []*Blob) error {
	l.product(bottom, top, l.relu.rectifier())
	return nil
}

// product is a pass forward in one operation.
func (l *innerProduct) product(bottom, top []*Blob, then gpu.Rectifier) {
	l.c.Device.InnerProduct(
		!l.transposed,
		l.m,
		l.n,
		l.k,
		bottom[0].Data,
		l.w.Forward(),
		forwardOf(l.b),
		top[0].Data,
		then,
	)
}

// BackwardJoined implements Joiner.
func (l *innerProduct) BackwardJoined(top []*Blob, need []bool, bottom []*Blob) {
	l.c.Device.ReLUBias(l.outputs(), top[0].Data, top[0].Diff, l.relu.slope, l.b.Gradient())
	l.backward(top, need, bottom)
}

func (l *innerProduct) Forward(bottom, top []*Blob) error {
	d := l.c.Device
	if l.b != nil && l.joins {
		l.product(bottom, top, gpu.Rectifier{})
		return nil
	}
	d.GemmPruned(!l.transposed, l.m, l.n, l.k, bottom[0].Data, l.w.Forward(), top[0].Data)
	if l.b != nil {
		d.AddBias(l.outputs(), l.b.Forward(), top[0].Data)
	}
	return nil
}

func (l *innerProduct) outputs() gpu.ChannelShape {
	return gpu.ChannelShape{Outer: l.m, Channels: l.n, Inner: 1}
}

func (l *innerProduct) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if db := l.b.Gradient(); db != nil {
		l.c.Device.SumBias(l.outputs(), top[0].Diff, db)
	}
	l.backward(top, need, bottom)
}

// backward makes the gradients of weights and inputs.
func (l *innerProduct) backward(top []*Blob, need []bool, bottom []*Blob) {
	d := l.c.Device
	if dw := l.w.Gradient(); dw != nil {
		if l.transposed {
			d.GemmKept(true, false, l.k, l.n, l.m, 1, bottom[0].Data, top[0].Diff, 1, dw, l.w.gradientsOf())
		} else {
			d.GemmKept(true, false, l.n, l.k, l.m, 1, top[0].Diff, bottom[0].Data, 1, dw, l.w.gradientsOf())
		}
	}
	if need[0] {
		d.GemmPruned(l.transposed, l.m, l.k, l.n, top[0].Diff, l.w.Forward(), bottom[0].Diff)
	}
}
