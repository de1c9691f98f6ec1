package layer

import (
	"fmt"

	"dns-tui/gpu"
)

func init() {
	register("Crop", Arity{2, 2, 1, 1}, func() Layer { return &crop{} })
}

// crop cuts its first bottom to the extents of its second, in the axes from axis on, at the given offsets.
type crop struct {
	readsNothing
	labelSecond
	c        *Context
	in, size []int // extents of the bottom and of the top
	offset   []int
}

func (l *crop) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	p, b, like := c.Param.GetCropParam(), bottom[0], bottom[1]
	axis, err := b.Axis(int(p.GetAxis()))
	if err != nil {
		return fmt.Errorf("crop_param: %w", err)
	}
	if len(like.Shape) != len(b.Shape) {
		return mismatch(b, like)
	}
	given := p.GetOffset()
	if len(given) > 1 && len(given) != len(b.Shape)-axis {
		return fmt.Errorf(
			"crop_param: %d offset; wanted 0, 1 or %d, one for each axis from %d on",
			len(given),
			len(b.Shape)-axis,
			axis,
		)
	}
	l.in, l.size, l.offset = b.Shape, append([]int(nil), b.Shape...), make([]int, len(b.Shape))
	for i := axis; i < len(b.Shape); i++ {
		l.size[i] = like.Shape[i]
		switch len(given) {
		case 0:
		case 1:
			l.offset[i] = int(given[0])
		default:
			l.offset[i] = int(given[i-axis])
		}
		if l.offset[i]+l.size[i] > l.in[i] {
			return fmt.Errorf(
				"crop_param: %d elements from %d on reach beyond axis %d of bottom %q (%s)",
				l.size[i],
				l.offset[i],
				i,
				b.Name,
				b.FormatShape(),
			)
		}
	}
	return top[0].Reshape(c.Device, l.size...)
}

// move copies between the window of big and all of small, a plane of the last two axes at a time.
func (l *crop) move(axis, inAt, outAt int, big, small *gpu.Tensor, cut bool) {
	n := len(l.size)
	inStride, outStride := gpu.Elements(l.in[axis+1:]), gpu.Elements(l.size[axis+1:])
	inAt += l.offset[axis] * inStride
	if axis < n-2 {
		for i := range l.size[axis] {
			l.move(axis+1, inAt+i*inStride, outAt+i*outStride, big, small, cut)
		}
		return
	}
	rows, cols := 1, l.size[n-1]
	if axis == n-2 {
		rows = l.size[axis]
		inAt += l.offset[n-1]
	} else { // one axis in all
		inStride, outStride = 0, 0
	}
	if cut {
		l.c.Device.Copy2D(rows, cols, big, inAt, inStride, small, outAt, outStride)
	} else {
		l.c.Device.Copy2D(rows, cols, small, outAt, outStride, big, inAt, inStride)
	}
}

func (l *crop) Forward(bottom, top []*Blob) error {
	l.move(0, 0, 0, bottom[0].Data, top[0].Data, true)
	return nil
}

func (l *crop) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.c.Device.Fill(bottom[0].Diff, 0)
		l.move(0, 0, 0, bottom[0].Diff, top[0].Diff, false)
	}
}
