//go:build cuda

package cuda

import "dns-tui/gpu"

// Operations on activations that are stored with channels last (layouts.go). Convolutions bring them into that layout;
// what lies between convolutions keeps it.

// doChannelsLast does op where its input is stored so, or it is a convolution that there are such kernels for; else it
// reports false, having done nothing.
func (d *back) doChannelsLast(op gpu.Op) bool {
	switch o := op.(type) {
	case *gpu.Conv:
		return d.nhwcConv(o)
	case *gpu.ConvBackwardData:
		return d.nhwcConvBackwardData(o)
	case *gpu.ConvBackwardWeights:
		return d.nhwcConvBackwardWeights(o)
	}
	if len(d.layouts.list) == 0 {
		return false
	}
	switch o := op.(type) {
	case *gpu.Copy:
		return d.nhwcCopy(o)
	case *gpu.Copy2D:
		return d.nhwcCopy2D(o)
	case *gpu.Add:
		return d.nhwcAdd(o)
	case *gpu.Axpby:
		return d.nhwcAxpby(o)
	case *gpu.ReLU:
		return d.nhwcReLU(o)
	case *gpu.ReLUBackward:
		return d.nhwcReLUBackward(o)
	case *gpu.Dropout:
		return d.nhwcDropout(o)
	case *gpu.MaxPool:
		return d.nhwcMaxPool(o)
	case *gpu.MaxPoolBackward:
		return d.nhwcMaxPoolBackward(o)
	case *gpu.AvePool:
		return d.nhwcAvePool(o)
	case *gpu.AvePoolBackward:
		return d.nhwcAvePoolBackward(o)
	case *gpu.LRN:
		return d.nhwcLRN(o)
	case *gpu.LRNBackward:
		return d.nhwcLRNBackward(o)
	case *gpu.BatchStats:
		return d.nhwcStats(o)
	case *gpu.BatchNorm:
		return d.nhwcBatchNorm(o)
	case *gpu.BatchNormBackward:
		return d.nhwcBatchNormBackward(o)
	case *gpu.Normalize:
		return d.nhwcNormalize(o)
	case *gpu.NormalizeBackward:
		return d.nhwcNormalizeBackward(o)
	case *gpu.NormalizeGlobalBackward:
		return d.nhwcNormalizeGlobalBackward(o)
	case *gpu.Scale:
		return d.nhwcScale(o)
	case *gpu.ScaleBackward:
		return d.nhwcScaleBackward(o)
	case *gpu.PReLU:
		return d.nhwcPReLU(o)
	case *gpu.PReLUBackward:
		return d.nhwcPReLUBackward(o)
	}
	return false
}

// keepsOrder reports whether the plain kernel of an elementwise operation does it in the layout of its operands, which
// its result then has: all of them are float32 with channels last, and of one shape.
func (d *back) keepsOrder(op gpu.Op) bool {
	if d.stored() != singles || len(d.layouts.list) == 0 {
		return false
	}
	switch o := op.(type) {
	case *gpu.Mul:
		return d.keepOrder(o.Z, o.X, o.Y)
	case *gpu.Power:
		return d.keepOrder(o.Y, o.X)
	case *gpu.Unary:
		return d.keepOrder(o.Y, o.X)
	case *gpu.UnaryBackward:
		return d.keepOrder(o.DX, o.DY, o.X, o.Y)
	}
	return false
}

// keepOrder gives y the layout of the operands, which may be nil, if they have one.
func (d *back) keepOrder(y *gpu.Tensor, operands ...*gpu.Tensor) bool {
	_, p, ok := d.keeps(operands[0], y)
	for _, x := range operands[1:] {
		ok = ok && (x == nil || d.lastAt(x, p) != 0)
	}
	if ok {
		d.becomes(y, singles, p)
	}
	return ok
}

// columnsOf is an activation as its channels' columns.
func columnsOf(p pixels) cColumns8 {
	width := 1
	for width < 32 && 2*width <= p.channels/8 {
		width *= 2
	}
	return cColumns8{
		rows: int32(p.images * p.plane), channels: int32(p.channels), width: int32(width),
		byPieces: divisor(p.channels / 8),
	}
}

// eachColumns returns the grid of a kernel that sums over columns, so many sums of each.
func (d *back) eachColumns(s cColumns8, sums int) grid {
	blocks, lanes := (int(s.channels)/8+int(s.width)-1)/int(s.width), threads/int(s.width)
	slices := max(1, min(64, int(s.rows)/(64*lanes), 4*d.sms/(blocks*sums)))
	if blocks*sums > counterWords || 16*int(s.channels)*sums*slices > partialBytes/2 {
		slices = 1
	}
	return grid{blocks, slices, sums}
}

// like returns the layout of a tensor that is stored with channels last; nil where it is not, or lies elsewhere.
func (d *back) like(t *gpu.Tensor) *layout {
	if f := d.layoutOf(t); f != nil && f.order == d.stored() {
		return f
	}
	return nil
}

// keeps returns where x lies and its shape, where it is stored with channels last and y can be so, too.
func (d *back) keeps(x, y *gpu.Tensor) (at address, p pixels, ok bool) {
	f := d.like(x)
	if f == nil || !d.alignable(y, f.pixels) {
		return 0, p, false
	}
	return f.at, f.pixels, true
}

// shaped is like, where the tensor has the shape of s.
func (d *back) shaped(t *gpu.Tensor, s gpu.ChannelShape) (p pixels, at address) {
	p = pixels{s.Outer, s.Channels, s.Inner}
	return p, d.lastAt(t, p)
}

func (d *back) nhwcCopy(o *gpu.Copy) bool {
	x, p, ok := d.keeps(o.X, o.Y)
	if !ok {
		return false
	}
	d.copyLast(o.Y.N, x, d.becomes(o.Y, d.stored(), p))
	return true
}

// nhwcCopy2D does those of Concat and Slice along the channels: rows are images, columns the channels of one array.
func (d *back) nhwcCopy2D(o *gpu.Copy2D) bool {
	from := d.like(o.Src)
	if from == nil || from.images != o.Rows || o.Cols%from.plane != 0 {
		return false
	}
	x, plane := from.at, from.plane
	in := pixels{o.Rows, from.channels, plane}
	out := pixels{o.Rows, o.DstStride / plane, plane}
	first, second, count := o.SrcOff/plane, o.DstOff/plane, o.Cols/plane
	if o.SrcStride != in.channels*plane || o.DstStride != out.channels*plane || o.Dst.N != out.count() ||
		(o.SrcOff|o.DstOff)%plane != 0 || (first|second|count)%8 != 0 || !d.alignable(o.Dst, out) {
		return false
	}
	var y address
	if count == out.channels {
		y = d.becomes(o.Dst, d.stored(), out)
	} else { // what else is in it stays
		y = d.turn(o.Dst, out)
	}
	size := int(d.stored().size())
	words := func(numbers int) int { return numbers * size / 4 }
	rows, columns := o.Rows*plane, words(count)
	each(d, kCopy2d, rows*columns, copy2dArgs{
		rows: int32(rows), cols: int32(columns), src: x + address(size*first), srcStride: int32(words(in.channels)),
		dst: y + address(size*second), dstStride: int32(words(out.channels)), byCols: divisor(columns),
	})
	return true
}

func (d *back) nhwcAxpby(o *gpu.Axpby) bool {
	x, p, ok := d.keeps(o.X, o.Y)
	if !ok || o.B != 0 && d.lastAt(o.Y, p) == 0 {
		return false
	}
	d.lastAxpby(o.Y.N, o.A, x, o.B, d.becomes(o.Y, d.stored(), p))
	return true
}

// lastAxpby queues y = a·x + b·y of n numbers that are stored with channels last.
func (d *back) lastAxpby(n int, a float32, x address, b float32, y address) {
	switch {
	case d.stored() == halves:
		n /= 8
		each(d, kBf16Axpby, n, bf16AxpbyArgs{n: int32(n), a: a, x: x, b: b, y: y})
	case b == 0:
		each(d, kAx, n, axArgs{n: int32(n), a: a, x: x, y: y})
	default:
		each(d, kAxpby, n, axpbyArgs{n: int32(n), a: a, x: x, b: b, y: y})
	}
}

func (d *back) nhwcAdd(o *gpu.Add) bool {
	x, p, ok := d.keeps(o.X, o.Z)
	y := d.lastAt(o.Y, p)
	if !ok || y == 0 {
		return false
	}
	z := d.becomes(o.Z, d.stored(), p) // it may be x
	d.lastAxpby(o.Z.N, o.A, x, 0, z)
	d.lastAxpby(o.Z.N, o.B, y, 1, z)
	return true
}

func (d *back) nhwcReLU(o *gpu.ReLU) bool {
	x, p, ok := d.keeps(o.X, o.Y)
	if !ok {
		return false
	}
	if y := d.home(o.Y); d.home(o.X) == y && d.fuseReLU(o, y.at) {
		return true
	}
	n, y := o.Y.N, d.becomes(o.Y, d.stored(), p)
	if d.stored() == singles {
		each(d, kRelu, n, reluArgs{n: int32(n), x: x, slope: o.Slope, y: y})
	} else {
		each(d, kBf16Relu, n/8, bf16ReluArgs{n: int32(n / 8), x: x, slope: o.Slope, y: y})
	}
	return true
}

func (d *back) nhwcReLUBackward(o *gpu.ReLUBackward) bool {
	x, p, ok := d.keeps(o.X, o.DX)
	if !ok {
		return false
	}
	n, dy := o.DX.N, d.channelsLast(o.DY, p, p.channels, &d.layouts.first)
	dx := d.becomes(o.DX, d.stored(), p)
	if d.stored() == singles {
		each(d, kReluBackward, n, reluBackwardArgs{n: int32(n), x: x, dy: dy, slope: o.Slope, dx: dx})
	} else {
		n /= 8
		each(d, kBf16ReluBackward, n, bf16ReluBackwardArgs{n: int32(n), x: x, dy: dy, slope: o.Slope, dx: dx})
	}
	return true
}

func (d *back) nhwcDropout(o *gpu.Dropout) bool {
	x, p, ok := d.keeps(o.X, o.Y)
	if !ok {
		return false
	}
	n, y := o.Y.N/8, d.becomes(o.Y, d.stored(), p)
	each(d, lastKernel(d, kNhwcDropoutBf16), n, nhwcDropoutArgs{
		n: int32(n), channels: int32(p.channels), plane: int32(p.plane), x: x, ratio: o.Ratio, keep: 1 / (1 - o.Ratio),
		key: d.liveKey(o.Key), y: y, byPieces: divisor(p.channels / 8), byPlane: divisor(p.plane),
	})
	return true
}

// nhwcPool is g for n images.
func nhwcPool(g *gpu.PoolGeometry, images int) cNhwcPool {
	channels := g.Planes / images
	p := cNhwcPool{g: pool(g), channels: int32(channels), byPieces: divisor(channels / 8)}
	p.g.planes = int32(images)
	return p
}

// pooled are the activations of a pooling whose input (or output, or their gradients) has a layout.
func pooled(g *gpu.PoolGeometry, f *layout) (in, out pixels, ok bool) {
	if g.Planes != f.images*f.channels {
		return in, out, false
	}
	return pixels{f.images, f.channels, g.H * g.W}, pixels{f.images, f.channels, g.OutH * g.OutW}, true
}

func (d *back) nhwcMaxPool(o *gpu.MaxPool) bool {
	f := d.like(o.X)
	if f == nil {
		return false
	}
	in, out, ok := pooled(o.G, f)
	if !ok || f.pixels != in || !d.alignable(o.Y, out) || !d.alignableAs(o.Argmax, singles, out) {
		return false
	}
	x := f.at
	y, at := d.becomes(o.Y, d.stored(), out), d.becomes(o.Argmax, singles, out)
	each(d, lastKernel(d, kNhwcMaxPoolBf16), o.Y.N/8, nhwcMaxPoolArgs{x: x, y: y, at: at, p: nhwcPool(o.G, out.images)})
	return true
}

func (d *back) nhwcMaxPoolBackward(o *gpu.MaxPoolBackward) bool {
	f := d.layoutOf(o.Argmax)
	if f == nil || f.order != singles {
		return false
	}
	in, out, ok := pooled(o.G, f)
	if !ok || f.pixels != out || !d.alignable(o.DX, in) {
		return false
	}
	at := f.at
	dy := d.channelsLast(o.DY, out, out.channels, &d.layouts.first)
	dx := d.becomes(o.DX, d.stored(), in)
	each(d, lastKernel(d, kNhwcMaxPoolBackwardBf16), o.DX.N/8, nhwcMaxPoolBackwardArgs{
		dy: dy, at: at, dx: dx, p: nhwcPool(o.G, in.images),
	})
	return true
}

func (d *back) nhwcAvePool(o *gpu.AvePool) bool {
	f := d.like(o.X)
	if f == nil {
		return false
	}
	in, out, ok := pooled(o.G, f)
	if !ok || f.pixels != in || !d.alignable(o.Y, out) {
		return false
	}
	x := f.at
	y := d.becomes(o.Y, d.stored(), out)
	each(d, lastKernel(d, kNhwcAvePoolBf16), o.Y.N/8, nhwcAvePoolArgs{x: x, y: y, p: nhwcPool(o.G, out.images)})
	return true
}

func (d *back) nhwcAvePoolBackward(o *gpu.AvePoolBackward) bool {
	f := d.like(o.DY)
	if f == nil {
		return false
	}
	in, out, ok := pooled(o.G, f)
	if !ok || f.pixels != out || !d.alignable(o.DX, in) {
		return false
	}
	dy := f.at
	dx := d.becomes(o.DX, d.stored(), in)
	each(
		d,
		lastKernel(d, kNhwcAvePoolBackwardBf16),
		o.DX.N/8,
		nhwcAvePoolBackwardArgs{dy: dy, dx: dx, p: nhwcPool(o.G, in.images)},
	)
	return true
}

func nhwcLRNGeometry(g *gpu.LRNGeometry) cNhwcLRN {
	return cNhwcLRN{
		n: int32(g.Len() / 8), channels: int32(g.C), size: int32(g.Size), alpha: g.Alpha, beta: g.Beta, k: g.K,
		byPieces: divisor(g.C / 8),
	}
}

func (d *back) nhwcLRN(o *gpu.LRN) bool {
	p := pixels{o.G.N, o.G.C, o.G.Plane}
	x := d.lastAt(o.X, p)
	if x == 0 || !d.alignable(o.Y, p) || !d.alignable(o.Scale, p) {
		return false
	}
	scale, y := d.becomes(o.Scale, d.stored(), p), d.becomes(o.Y, d.stored(), p)
	each(d, lastKernel(d, kNhwcLrnBf16), o.Y.N/8, nhwcLrnArgs{x: x, scale: scale, y: y, g: nhwcLRNGeometry(o.G)})
	return true
}

func (d *back) nhwcLRNBackward(o *gpu.LRNBackward) bool {
	p := pixels{o.G.N, o.G.C, o.G.Plane}
	x, y, scale := d.lastAt(o.X, p), d.lastAt(o.Y, p), d.lastAt(o.Scale, p)
	if x == 0 || y == 0 || scale == 0 || !d.alignable(o.DX, p) {
		return false
	}
	dy := d.channelsLast(o.DY, p, p.channels, &d.layouts.first)
	dx := d.becomes(o.DX, d.stored(), p)
	each(d, lastKernel(d, kNhwcLrnBackwardBf16), o.DX.N/8, nhwcLrnBackwardArgs{
		x: x, y: y, scale: scale, dy: dy, dx: dx, g: nhwcLRNGeometry(o.G),
	})
	return true
}
