package layer

import (
	"fmt"
	"slices"

	"dns-tui/gpu"
)

func init() {
	register("Permute", Arity{1, 1, 1, 1}, func() Layer { return &permute{} })
}

// permute is SSD's Permute (weiliu89/caffe): axis i of the top is axis order[i] of the bottom; axes that order does
// not name follow in their order.
//
//	y[i_0, i_1, ...] = x[j_0, j_1, ...] with j_order[k] = i_k
type permute struct {
	readsNothing
	c            *Context
	outer, block int // axes at the front that stay, times what is permuted below them
	// Element k of a block of the top is element from[k] of the bottom's; to is the way back. They are nil where all
	// axes stay.
	from, to *gpu.Tensor
	cuts     cuts
}

// maxIndex is the first whole number whose successor float32, in which indices are kept, cannot hold.
const maxIndex = 1 << 24

// together is up to how many elements are permuted in one go, leading axes that stay included.
const together = 1 << 20

func (l *permute) Setup(c *Context, bottom, top []*Blob) error {
	l.c, l.cuts = c, cuts{}
	b := bottom[0]
	order, err := permutation(c.Param.GetPermuteParam().GetOrder(), b)
	if err != nil {
		return err
	}
	if top[0] == b {
		return fmt.Errorf("in place: wanted a top other than %q", b.Name)
	}
	shape := make([]int, len(order))
	for i, o := range order {
		shape[i] = b.Shape[o]
	}
	if err := top[0].Reshape(c.Device, shape...); err != nil {
		return err
	}
	stay := 0
	for stay < len(order) && order[stay] == stay {
		stay++
	}
	l.outer, l.block, l.from, l.to = b.Count(0, stay), b.Count(stay, len(order)), nil, nil
	if stay == len(order) || b.Len() == 0 {
		return nil
	}
	if b.Len() <= together {
		stay, l.outer, l.block = 0, 1, b.Len()
	}
	if l.block > maxIndex {
		return fmt.Errorf(
			"permute_param: %d elements change their places among each other; at most %d can",
			l.block,
			maxIndex,
		)
	}
	from, to := moves(b.Shape[stay:], order[stay:], stay)
	if l.from, err = gpu.NewTensor(c.Device, l.block); err != nil {
		return err
	}
	c.Device.Upload(l.from, from)
	if c.Backward {
		if l.to, err = gpu.NewTensor(c.Device, l.block); err != nil {
			return err
		}
		c.Device.Upload(l.to, to)
	}
	return nil
}

// permutation completes an order of axes.
func permutation(given []uint32, b *Blob) ([]int, error) {
	var order []int
	for _, o := range given {
		switch {
		case int(o) >= len(b.Shape):
			return nil, fmt.Errorf(
				"permute_param: order names axis %d; bottom %q has the shape %s, so wanted 0 to %d",
				o,
				b.Name,
				b.FormatShape(),
				len(b.Shape)-1,
			)
		case slices.Contains(order, int(o)):
			return nil, fmt.Errorf("permute_param: order names axis %d twice", o)
		}
		order = append(order, int(o))
	}
	for i := range b.Shape {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	return order, nil
}

// moves returns where each element of the top is from, and where each of the bottom goes. The axes of shape begin at
// first.
func moves(shape, order []int, first int) (from, to []float32) {
	n := gpu.Elements(shape)
	from, to = make([]float32, n), make([]float32, n)
	steps := make([]int, len(shape)) // of the bottom, by axis of the top
	for i, o := range order {
		steps[i] = gpu.Elements(shape[o-first+1:])
	}
	at := make([]int, len(shape))
	j := 0
	for k := range n {
		from[k], to[j] = float32(j), float32(k)
		for i := len(at) - 1; i >= 0; i-- {
			at[i]++
			j += steps[i]
			if at[i] < shape[order[i]-first] {
				break
			}
			j -= at[i] * steps[i]
			at[i] = 0
		}
	}
	return from, to
}

// move permutes the blocks of x into y.
func (l *permute) move(index, x, y *gpu.Tensor) {
	if index == nil {
		l.c.Device.Copy(y, x)
		return
	}
	ys := l.cuts.of(y, l.outer)
	for i, block := range l.cuts.of(x, l.outer) {
		l.c.Device.Gather(1, index, block, ys[i])
	}
}

func (l *permute) Forward(bottom, top []*Blob) error {
	l.move(l.from, bottom[0].Data, top[0].Data)
	return nil
}

func (l *permute) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if need[0] {
		l.move(l.to, top[0].Diff, bottom[0].Diff)
	}
}
