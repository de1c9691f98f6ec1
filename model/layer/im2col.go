package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("Im2col", Arity{1, 1, 1, 1}, func() Layer { return &im2col{} })
}

// im2col is Caffe's Im2col: the matrix that a convolution of the same convolution_param would multiply its weights
// with, as a blob of channels·kernel channels.
type im2col struct {
	readsNothing
	c       *Context
	g       gpu.ColGeometry
	images  int
	in, out cuts
}

func (l *im2col) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	b := bottom[0]
	w, err := readWindow(c.Param.GetConvolutionParam(), b)
	if err != nil {
		return err
	}
	if len(w.in) < 1 {
		return fmt.Errorf(
			"bottom %q has the shape %s; wanted at least 1 axis behind axis %d of the channels",
			b.Name,
			b.FormatShape(),
			w.axis,
		)
	}
	if err := w.checkFits(b); err != nil {
		return err
	}
	l.g, l.images = w.col(b.Shape[w.axis], w.in), b.Count(0, w.axis)
	return convTops(c, top, b.Shape[:w.axis], l.g.Rows(), l.g.Out)
}

func (l *im2col) Forward(bottom, top []*Blob) error {
	out := l.out.of(top[0].Data, l.images)
	for n, x := range l.in.of(bottom[0].Data, l.images) {
		l.c.Device.Im2col(&l.g, x, out[n])
	}
	return nil
}

func (l *im2col) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	out := l.out.of(top[0].Diff, l.images)
	for n, dx := range l.in.of(bottom[0].Diff, l.images) {
		l.c.Device.Col2im(&l.g, out[n], dx)
	}
}
