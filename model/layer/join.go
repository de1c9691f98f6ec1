package layer

import (
	"fmt"
	"slices"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("Concat", Arity{1, -1, 1, 1}, func() Layer { return &concat{} })
	register("Eltwise", Arity{2, -1, 1, 1}, func() Layer { return &eltwise{} })
	register("Slice", Arity{1, 1, 1, -1}, func() Layer { return &slice{} })
	register("Reshape", Arity{1, 1, 1, 1}, func() Layer { return &reshape{} })
	register("Silence", Arity{1, -1, 0, 0}, func() Layer { return &silence{} })
	register("Split", Arity{1, 1, 1, -1}, func() Layer { return &split{} })
	register("Flatten", Arity{1, 1, 1, 1}, func() Layer { return &flatten{} })
}

// concat joins its bottoms along one axis.
type concat struct {
	readsNothing
	c     *Context
	outer int
	width []int // elements of each bottom in one row of the output
	total int
}

func (l *concat) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	p := c.Param.GetConcatParam()
	axis := int(p.GetAxis())
	if p != nil && p.ConcatDim != nil {
		if p.Axis != nil {
			return fmt.Errorf("concat_param: axis and concat_dim are mutually exclusive")
		}
		axis = int(p.GetConcatDim())
	}
	axis, err := bottom[0].Axis(axis)
	if err != nil {
		return fmt.Errorf("concat_param: %w", err)
	}
	shape := append([]int(nil), bottom[0].Shape...)
	shape[axis] = 0
	for _, b := range bottom {
		if len(b.Shape) != len(shape) {
			return mismatch(bottom[0], b)
		}
		for i, d := range b.Shape {
			if i != axis && d != shape[i] {
				return mismatch(bottom[0], b)
			}
		}
		shape[axis] += b.Shape[axis]
		l.width = append(l.width, b.Count(axis, len(shape)))
		l.total += b.Count(axis, len(shape))
	}
	l.outer = bottom[0].Count(0, axis)
	return top[0].Reshape(c.Device, shape...)
}

func mismatch(a, b *Blob) error {
	return fmt.Errorf("bottoms %q (%s) and %q (%s) do not fit", a.Name, a.FormatShape(), b.Name, b.FormatShape())
}

func (l *concat) Forward(bottom, top []*Blob) error {
	at := 0
	for i, b := range bottom {
		l.c.Device.Copy2D(l.outer, l.width[i], b.Data, 0, l.width[i], top[0].Data, at, l.total)
		at += l.width[i]
	}
	return nil
}

func (l *concat) Backward(top []*Blob, need []bool, bottom []*Blob) {
	at := 0
	for i, b := range bottom {
		if need[i] {
			l.c.Device.Copy2D(l.outer, l.width[i], top[0].Diff, at, l.total, b.Diff, 0, l.width[i])
		}
		at += l.width[i]
	}
}

// eltwise is the product, weighted sum or maximum of its bottoms.
type eltwise struct {
	rectified
	c     *Context
	op    caffepb.EltwiseParameter_EltwiseOp
	coeff []float32
	which *gpu.Tensor // MAX: the bottom that won
	joins bool        // a sum of two whose gradient, and a ReLU behind it, the device does in one pass
}

func (l *eltwise) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	p := c.Param.GetEltwiseParam()
	l.op = p.GetOperation()
	coeff := p.GetCoeff()
	if len(coeff) != 0 && len(coeff) != len(bottom) {
		return fmt.Errorf("eltwise_param: %d coeff for %d bottoms", len(coeff), len(bottom))
	}
	if len(coeff) != 0 && l.op != caffepb.EltwiseParameter_SUM {
		return fmt.Errorf("eltwise_param: coeff goes with operation SUM only")
	}
	if top[0] == bottom[0] {
		return fmt.Errorf("in place: wanted a top other than %q", bottom[0].Name)
	}
	for i, b := range bottom {
		if b.FormatShape() != bottom[0].FormatShape() {
			return mismatch(bottom[0], b)
		}
		l.coeff = append(l.coeff, 1)
		if len(coeff) > 0 {
			l.coeff[i] = coeff[i]
		}
	}
	l.joins = l.op == caffepb.EltwiseParameter_SUM && len(bottom) == 2 && c.Device.Has(&gpu.AddBackward{}) &&
		c.Device.Has(&gpu.Add{Then: gpu.Rectifier{On: true}})
	if l.op == caffepb.EltwiseParameter_MAX {
		if l.which, err = c.Room(bottom[0].Shape...); err != nil {
			return err
		}
	}
	return sameShape(c, bottom[0], top[0])
}

// Kept implements Keeper.
func (l *eltwise) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.which} }

// ReadsBottom implements Reader.
func (l *eltwise) ReadsBottom(int) bool { return l.op == caffepb.EltwiseParameter_PROD }

// ReadsTop implements Reader: a ReLU that was joined has its slope by what it made.
func (l *eltwise) ReadsTop(int) bool { return l.relu != nil }

// Join implements Joiner: of a ReLU behind a sum of two.
func (l *eltwise) Join(next Layer, _ []bool) bool {
	return l.join(next, func(gpu.Rectifier) bool { return l.joins })
}

// ForwardJoined implements Joiner.
func (l *eltwise) ForwardJoined(bottom, top []*Blob) error {
	a, b := bottom[0].Data, bottom[1].Data
	l.c.Device.AddReLU(l.coeff[0], a, l.coeff[1], b, top[0].Data, l.relu.slope)
	return nil
}

// BackwardJoined implements Joiner.
func (l *eltwise) BackwardJoined(top []*Blob, need []bool, bottom []*Blob) {
	l.sumBackward(l.relu.rectifier(), top[0].Data, top, need, bottom)
}

// sumBackward is the gradient of a sum of two, of which z is what a ReLU behind it made, or nil.
func (l *eltwise) sumBackward(then gpu.Rectifier, z *gpu.Tensor, top []*Blob, need []bool, bottom []*Blob) {
	var dx [2]*gpu.Tensor
	for i := range dx {
		if need[i] {
			dx[i] = bottom[i].Diff
		}
	}
	l.c.Device.AddBackward(then, z, top[0].Diff, l.coeff[0], dx[0], l.coeff[1], dx[1])
}

func (l *eltwise) Forward(bottom, top []*Blob) error {
	d, y := l.c.Device, top[0].Data
	switch l.op {
	case caffepb.EltwiseParameter_SUM:
		if len(bottom) == 1 {
			d.Axpby(l.coeff[0], bottom[0].Data, 0, y)
			break
		}
		d.Add(l.coeff[0], bottom[0].Data, l.coeff[1], bottom[1].Data, y)
		for i, b := range bottom[2:] {
			d.Axpby(l.coeff[i+2], b.Data, 1, y)
		}
	case caffepb.EltwiseParameter_PROD:
		d.Mul(bottom[0].Data, bottom[1].Data, y)
		for _, b := range bottom[2:] {
			d.Mul(y, b.Data, y)
		}
	case caffepb.EltwiseParameter_MAX:
		// Caffe lets the second of two equals win, and the earlier one after that.
		d.Copy(y, bottom[1].Data)
		d.Fill(l.which, 1)
		d.MaxUpdate(bottom[0].Data, 0, y, l.which)
		for i, b := range bottom[2:] {
			d.MaxUpdate(b.Data, float32(i+2), y, l.which)
		}
	}
	return nil
}

func (l *eltwise) Backward(top []*Blob, need []bool, bottom []*Blob) {
	d, dy := l.c.Device, top[0].Diff
	if l.joins {
		l.sumBackward(gpu.Rectifier{}, nil, top, need, bottom)
		return
	}
	for i, b := range bottom {
		if !need[i] {
			continue
		}
		switch l.op {
		case caffepb.EltwiseParameter_SUM:
			d.Axpby(l.coeff[i], dy, 0, b.Diff)
		case caffepb.EltwiseParameter_PROD:
			// The product of the others, rather than a division, which fails where a factor is 0.
			d.Copy(b.Diff, dy)
			for j, o := range bottom {
				if j != i {
					d.Mul(b.Diff, o.Data, b.Diff)
				}
			}
		case caffepb.EltwiseParameter_MAX:
			d.MaxBackward(dy, l.which, float32(i), b.Diff)
		}
	}
}

// split lets several layers read one blob; its gradient is the sum of theirs.
type split struct {
	readsNothing
	c *Context
}

func (l *split) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	for _, t := range top {
		t.ShareData(bottom[0])
		t.Name = bottom[0].Name // what the prototxt calls it, for errors
	}
	return nil
}

func (l *split) Forward([]*Blob, []*Blob) error { return nil }

func (l *split) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	d, dx := l.c.Device, bottom[0].Diff
	var first *gpu.Tensor // which the next is added to; behind a top without a gradient is nobody who has one
	added := false
	for _, t := range top {
		switch {
		case t.Diff == nil:
		case first == nil:
			first = t.Diff
		case !added:
			d.Add(1, first, 1, t.Diff, dx)
			added = true
		default:
			d.Axpby(1, t.Diff, 1, dx)
		}
	}
	if first != nil && !added {
		d.Copy(dx, first)
	}
}

// flatten joins the axes from axis to end_axis; it moves nothing.
type flatten struct{ noBackward }

func (l *flatten) Setup(c *Context, bottom, top []*Blob) error {
	p, b := c.Param.GetFlattenParam(), bottom[0]
	if top[0] == b {
		return fmt.Errorf("in place: wanted a top other than %q", b.Name)
	}
	from, err := b.Axis(int(p.GetAxis()))
	if err != nil {
		return fmt.Errorf("flatten_param: %w", err)
	}
	to, err := b.Axis(int(p.GetEndAxis()))
	if err != nil {
		return fmt.Errorf("flatten_param: end_%w", err)
	}
	if to < from-1 { // just before it, a new axis of 1 stands there
		return fmt.Errorf("flatten_param: end_axis %d comes before axis %d", to, from)
	}
	shape := append([]int(nil), b.Shape[:from]...)
	shape = append(shape, b.Count(from, to+1))
	top[0].Alias(b, append(shape, b.Shape[to+1:]...)...)
	return nil
}

func (l *flatten) Forward([]*Blob, []*Blob) error { return nil }

// slice cuts its bottom along one axis: at slice_point, or in equal parts.
type slice struct {
	readsNothing
	c     *Context
	outer int
	width []int
	total int
}

func (l *slice) Setup(c *Context, bottom, top []*Blob) error {
	l.c = c
	p, b := c.Param.GetSliceParam(), bottom[0]
	axis := int(p.GetAxis())
	if p != nil && p.SliceDim != nil {
		if p.Axis != nil {
			return fmt.Errorf("slice_param: axis and slice_dim are mutually exclusive")
		}
		axis = int(p.GetSliceDim())
	}
	axis, err := b.Axis(axis)
	if err != nil {
		return fmt.Errorf("slice_param: %w", err)
	}
	size, points := b.Shape[axis], p.GetSlicePoint()
	if len(points) == 0 {
		if size%len(top) != 0 {
			return fmt.Errorf(
				"%d tops do not divide axis %d of bottom %q (%s)",
				len(top),
				axis,
				b.Name,
				b.FormatShape(),
			)
		}
		for i := 1; i < len(top); i++ {
			points = append(points, uint32(i*size/len(top)))
		}
	}
	if len(points) != len(top)-1 {
		return fmt.Errorf("slice_param: %d slice_point for %d tops; wanted %d", len(points), len(top), len(top)-1)
	}
	l.outer, l.total = b.Count(0, axis), b.Count(axis, len(b.Shape))
	from := 0
	for i, t := range top {
		to := size
		if i < len(points) {
			to = int(points[i])
		}
		if to <= from || to > size {
			return fmt.Errorf(
				"slice_param: a slice from %d to %d of axis %d of bottom %q (%s)",
				from,
				to,
				axis,
				b.Name,
				b.FormatShape(),
			)
		}
		shape := append([]int(nil), b.Shape...)
		shape[axis] = to - from
		if err := t.Reshape(c.Device, shape...); err != nil {
			return err
		}
		l.width = append(l.width, t.Count(axis, len(shape)))
		from = to
	}
	return nil
}

func (l *slice) Forward(bottom, top []*Blob) error {
	at := 0
	for i, t := range top {
		l.c.Device.Copy2D(l.outer, l.width[i], bottom[0].Data, at, l.total, t.Data, 0, l.width[i])
		at += l.width[i]
	}
	return nil
}

func (l *slice) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	at := 0
	if slices.ContainsFunc(top, func(t *Blob) bool { return t.Diff == nil }) {
		l.c.Device.Fill(bottom[0].Diff, 0)
	}
	for i, t := range top {
		if t.Diff != nil {
			l.c.Device.Copy2D(l.outer, l.width[i], t.Diff, 0, l.width[i], bottom[0].Diff, at, l.total)
		}
		at += l.width[i]
	}
}

// reshape gives its bottom another shape; it moves nothing. In reshape_param's shape, 0 copies an extent and -1 is what
// is left; axis and num_axes choose the part that it replaces.
type reshape struct{ noBackward }

func (l *reshape) Setup(c *Context, bottom, top []*Blob) error {
	p, b := c.Param.GetReshapeParam(), bottom[0]
	if top[0] == b {
		return fmt.Errorf("in place: wanted a top other than %q", b.Name)
	}
	from := int(p.GetAxis())
	if from < 0 {
		from += len(b.Shape) + 1
	}
	to := len(b.Shape)
	if n := int(p.GetNumAxes()); n >= 0 {
		to = from + n
	}
	if from < 0 || from > len(b.Shape) || to > len(b.Shape) {
		return fmt.Errorf(
			"reshape_param: axis %d and num_axes %d do not fit bottom %q (%s)",
			p.GetAxis(),
			p.GetNumAxes(),
			b.Name,
			b.FormatShape(),
		)
	}
	shape := append([]int(nil), b.Shape[:from]...)
	infer := -1
	for i, d := range p.GetShape().GetDim() {
		switch {
		case d == 0:
			if from+i >= len(b.Shape) {
				return fmt.Errorf(
					"reshape_param: dim %d copies an extent that bottom %q (%s) does not have",
					i,
					b.Name,
					b.FormatShape(),
				)
			}
			shape = append(shape, b.Shape[from+i])
		case d == -1 && infer < 0:
			infer = len(shape)
			shape = append(shape, 1)
		case d < 0:
			return fmt.Errorf("reshape_param: dim %d is %d; wanted at least 0, or one -1", i, d)
		default:
			shape = append(shape, int(d))
		}
	}
	shape = append(shape, b.Shape[to:]...)
	if len(shape) > caffe.MaxAxes {
		return fmt.Errorf("reshape_param: the shape has %d axes; wanted at most %d", len(shape), caffe.MaxAxes)
	}
	if n := gpu.Elements(shape); infer >= 0 && n > 0 {
		shape[infer] = b.Len() / n
	}
	if gpu.Elements(shape) != b.Len() {
		return fmt.Errorf(
			"reshape_param: the shape %s does not hold the %d elements of bottom %q (%s)",
			caffe.FormatShape(shape),
			b.Len(),
			b.Name,
			b.FormatShape(),
		)
	}
	top[0].Alias(b, shape...)
	return nil
}

func (l *reshape) Forward([]*Blob, []*Blob) error { return nil }

// silence reads blobs so that they are no outputs of the net; their gradient is 0.
type silence struct {
	readsNothing
	c *Context
}

func (l *silence) Setup(c *Context, _, _ []*Blob) error {
	l.c = c
	return nil
}

func (l *silence) Forward([]*Blob, []*Blob) error { return nil }

func (l *silence) Backward(_ []*Blob, need []bool, bottom []*Blob) {
	for i, b := range bottom {
		if need[i] {
			l.c.Device.Fill(b.Diff, 0)
		}
	}
}
