package host

import (
	"math"

	"dns-tui/gpu"
)

// Windows whose stride along a row is 1 or 2 are pooled by vectors, tap by tap: a tap is a place in the window, and
// what it reads for neighbouring outputs of a row lies side by side, for a stride of 2 in the even or in the odd
// columns of a plane, which are put apart first. Taps come in the order of their positions, so maxima, places and
// sums are those of one window after the other.
//
// The floor is to read the planes once and write the outputs; for each output and tap 3 operations of maxima or 1 of
// sums, from the first cache.

// byTaps reports whether pooling is done tap by tap. Of rows shorter than least little is left for vectors.
func byTaps(g *gpu.PoolGeometry, least int) bool { return g.SW <= 2 && g.OutW >= least }

// The least rows for which taps pay (LeNet, CIFAR-10 full and SqueezeNet under `time`): a window's maximum takes longer
// than its sum.
const (
	leastMaxima = 4
	leastSums   = 8
)

// poolTaps is what pooling by taps knows of its planes.
type poolTaps struct {
	g     *gpu.PoolGeometry
	evens int // even columns of a row: odd ones follow them
}

func newPoolTaps(g *gpu.PoolGeometry) poolTaps { return poolTaps{g, (g.W + 1) / 2} }

// scratch is how many elements a plane takes that is laid out.
func (p *poolTaps) scratch() int {
	if p.g.SW == 1 {
		return 0
	}
	return p.g.H * p.g.W
}

// lay lays a plane out in scratch memory, where it is not as it should be, and returns it.
func (p *poolTaps) lay(x, scratch []float32) []float32 {
	g := p.g
	if g.SW == 1 {
		return x
	}
	for h := range g.H {
		row, to := x[h*g.W:][:g.W], scratch[h*g.W:][:g.W]
		even, odd := to[:p.evens], to[p.evens:]
		for i := splitVectors(row, even, odd); i < len(odd); i++ {
			even[i], odd[i] = row[2*i], row[2*i+1]
		}
		if len(even) > len(odd) {
			even[len(odd)] = row[2*len(odd)]
		}
	}
	return scratch[:g.H*g.W]
}

// take writes a plane that is laid out in y to x.
func (p *poolTaps) take(y, x []float32) {
	g := p.g
	for h := range g.H {
		row, from := x[h*g.W:][:g.W], y[h*g.W:][:g.W]
		even, odd := from[:p.evens], from[p.evens:]
		for i := joinVectors(even, odd, row); i < len(odd); i++ {
			row[2*i], row[2*i+1] = even[i], odd[i]
		}
		if len(even) > len(odd) {
			row[2*len(odd)] = even[len(odd)]
		}
	}
}

// tapArea is the outputs that read an element by a tap, a rectangle, and the elements.
type tapArea struct {
	rows, columns int
	output        int // the first output
	element       int // what it reads, in a plane that is laid out
	position      int // where that is in the plane
	outputs       int // from one row of outputs to the next
	elements      int // from one row of what they read to the next
}

// area is that of a tap.
func (p *poolTaps) area(kh, kw int) tapArea {
	g := p.g
	dh, dw := kh-g.PH, kw-g.PW
	// Outputs o read the rows o·SH + dh.
	first, end := max(0, (g.SH-1-dh)/g.SH), g.OutH
	if dh > 0 {
		first = 0
	}
	if last := g.H - 1 - dh; last < 0 {
		end = 0
	} else {
		end = min(end, last/g.SH+1)
	}
	begin, width, d := 0, g.W, dw
	if g.SW == 2 {
		if begin, width = 0, p.evens; dw&1 != 0 {
			begin, width = p.evens, g.W-p.evens
		}
		d >>= 1
	}
	lo, hi := max(0, -d), min(g.OutW, width-d)
	return tapArea{
		rows: max(0, end-first), columns: max(0, hi-lo), output: first*g.OutW + lo,
		element:  (first*g.SH+dh)*g.W + begin + lo + d,
		position: (first*g.SH+dh)*g.W + lo*g.SW + dw,
		outputs:  g.OutW, elements: g.SH * g.W,
	}
}

// maxima writes the maxima of a plane's windows and their places.
func (p *poolTaps) maxima(laid, y, argmax []float32) {
	for i := range y {
		y[i], argmax[i] = -math.MaxFloat32, -1
	}
	for kh := range p.g.KH {
		for kw := range p.g.KW {
			if a := p.area(kh, kw); a.rows > 0 && a.columns > 0 {
				p.largest(&a, laid, y, argmax)
			}
		}
	}
}

// largest puts what a tap reads in the place of the largest so far, and its position in that of its place, where it is
// larger or the first NaN.
func (p *poolTaps) largest(a *tapArea, laid, y, argmax []float32) {
	if largestVectors(a, p.g.SW, p.g.SH*p.g.W, laid, y, argmax) {
		return
	}
	for r := range a.rows {
		v, position := laid[a.element+r*a.elements:][:a.columns], a.position+r*p.g.SH*p.g.W
		y, argmax := y[a.output+r*a.outputs:][:a.columns], argmax[a.output+r*a.outputs:][:a.columns]
		for i, n := range v {
			if n > y[i] || n != n && y[i] == y[i] {
				y[i], argmax[i] = n, float32(position+i*p.g.SW)
			}
		}
	}
}

// sums writes the sums of a plane's windows.
func (p *poolTaps) sums(laid, y []float32) {
	clear(y)
	for kh := range p.g.KH {
		for kw := range p.g.KW {
			if a := p.area(kh, kw); a.rows > 0 && a.columns > 0 {
				addRows(laid[a.element:], a.elements, y[a.output:], a.outputs, a.rows, a.columns)
			}
		}
	}
}

// spread adds a number for each window to all that the window reads. Taps come from the last to the first: so an
// element meets the windows in their order.
func (p *poolTaps) spread(v, laid []float32) {
	for kh := p.g.KH - 1; kh >= 0; kh-- {
		for kw := p.g.KW - 1; kw >= 0; kw-- {
			if a := p.area(kh, kw); a.rows > 0 && a.columns > 0 {
				addRows(v[a.output:], a.outputs, laid[a.element:], a.elements, a.rows, a.columns)
			}
		}
	}
}

// addRows adds rows of x to rows of y.
func addRows(x []float32, xStride int, y []float32, yStride, rows, columns int) {
	_, _ = x[:(rows-1)*xStride+columns], y[:(rows-1)*yStride+columns]
	if addRowsVectors(x, xStride, y, yStride, rows, columns) {
		return
	}
	for r := range rows {
		x, y := x[r*xStride:][:columns], y[r*yStride:][:columns]
		for i, v := range x {
			y[i] += v
		}
	}
}

// divide divides numbers of windows by their sizes.
func divide(from, sizes, to []float32) {
	for i := divideVectors(from, sizes, to); i < len(to); i++ {
		to[i] = from[i] / sizes[i]
	}
}

// maxPoolTapsKernel is maxPoolKernel by taps.
type maxPoolTapsKernel struct {
	d *back
	maxPoolKernel
}

func (k *maxPoolTapsKernel) run(lo, hi, worker int) {
	g, p := k.g, newPoolTaps(k.g)
	scratch, in, out := k.d.scratch(worker, p.scratch()), g.H*g.W, g.OutH*g.OutW
	for n := lo; n < hi; n++ {
		p.maxima(p.lay(k.x[n*in:][:in], scratch), k.y[n*out:][:out], k.argmax[n*out:][:out])
	}
}

// avePoolTapsKernel is avePoolKernel by taps.
type avePoolTapsKernel struct {
	d *back
	avePoolKernel
}

func (k *avePoolTapsKernel) run(lo, hi, worker int) {
	g, p := k.g, newPoolTaps(k.g)
	in, out := g.H*g.W, g.OutH*g.OutW
	scratch := k.d.scratch(worker, out+p.scratch())
	sizes, room := scratch[:out], scratch[out:]
	windowSizes(g, sizes)
	for n := lo; n < hi; n++ {
		y := k.y[n*out:][:out]
		p.sums(p.lay(k.x[n*in:][:in], room), y)
		divide(y, sizes, y)
	}
}

// avePoolBackwardTapsKernel is avePoolBackwardKernel by taps.
type avePoolBackwardTapsKernel struct {
	d *back
	avePoolBackwardKernel
}

func (k *avePoolBackwardTapsKernel) run(lo, hi, worker int) {
	g, p := k.g, newPoolTaps(k.g)
	in, out := g.H*g.W, g.OutH*g.OutW
	scratch := k.d.scratch(worker, 2*out+p.scratch())
	sizes, v, room := scratch[:out], scratch[out:2*out], scratch[2*out:]
	windowSizes(g, sizes)
	for n := lo; n < hi; n++ {
		dx := k.dx[n*in:][:in]
		laid := dx
		if g.SW > 1 {
			laid = room[:in]
		}
		clear(laid)
		divide(k.dy[n*out:][:out], sizes, v)
		p.spread(v, laid)
		if g.SW > 1 {
			p.take(laid, dx)
		}
	}
}
