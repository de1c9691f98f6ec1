package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("Filter", Arity{2, -1, 1, -1}, func() Layer { return &filter{} })
}

// filter is Caffe's Filter: of each bottom but the last, the examples where the last, the selector, is not 0. How many
// they are shows in each pass, so its tops change their shapes.
type filter struct {
	readsNothing
	c        *Context
	rows     int       // examples of the bottoms
	selector []float32 // of the last pass
	picked   []float32 // numbers of the examples
	index    *gpu.Tensor
	now      *gpu.Tensor // of index: as many as are picked
	tops     []*gpu.Tensor
	reshaped bool
}

// NoGradient implements Selective: the selector, always the last bottom, has none.
func (l *filter) NoGradient(bottom int) bool { return bottom == len(l.tops) }

func (l *filter) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	sel := bottom[len(bottom)-1]
	if len(top) != len(bottom)-1 {
		return fmt.Errorf("%d tops; wanted %d, one for each bottom but the selector", len(top), len(bottom)-1)
	}
	if len(sel.Shape) == 0 || sel.Len() != sel.Shape[0] {
		return fmt.Errorf(
			"bottom %q, the selector, has the shape %s; wanted one number an example",
			sel.Name,
			sel.FormatShape(),
		)
	}
	l.rows = sel.Shape[0]
	l.selector, l.picked = make([]float32, l.rows), make([]float32, 0, l.rows)
	if l.index, err = gpu.NewTensor(c.Device, l.rows); err != nil {
		return err
	}
	l.now = l.index
	for i, t := range top {
		b := bottom[i]
		if len(b.Shape) == 0 || b.Shape[0] != l.rows {
			return mismatch(b, sel)
		}
		if t == b {
			return fmt.Errorf("in place: wanted a top other than %q", b.Name)
		}
		if err := t.Reshape(c.Device, b.Shape...); err != nil {
			return err
		}
		l.tops = append(l.tops, t.Data) // as large as it gets
	}
	return nil
}

// Reshaped implements Dynamic.
func (l *filter) Reshaped() bool { return l.reshaped }

func (l *filter) Forward(bottom, top []*Blob) error {
	d := l.c.Device
	d.Download(l.selector, bottom[len(bottom)-1].Data)
	l.picked = l.picked[:0]
	for i, v := range l.selector {
		if v != 0 {
			l.picked = append(l.picked, float32(i))
		}
	}
	n := len(l.picked)
	if l.reshaped = l.now.N != n; l.reshaped {
		l.now = l.index.View(0, n)
		for i, t := range top {
			t.Data = l.tops[i].View(0, append([]int{n}, bottom[i].Shape[1:]...)...)
			t.Shape = t.Data.Shape
		}
	}
	if n == 0 {
		return nil
	}
	d.Upload(l.now, l.picked)
	for i, t := range top {
		d.Gather(bottom[i].Len()/l.rows, l.now, bottom[i].Data, t.Data)
	}
	return nil
}

func (l *filter) Backward(top []*Blob, need []bool, bottom []*Blob) {
	d := l.c.Device
	for i, t := range top {
		if !need[i] {
			continue
		}
		d.Fill(bottom[i].Diff, 0)
		if t.Diff != nil && len(l.picked) > 0 {
			d.ScatterAdd(bottom[i].Len()/l.rows, l.now, t.Diff, bottom[i].Diff)
		}
	}
}
