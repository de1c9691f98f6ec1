package host

import "dns-tui/gpu"

// With AVX-512 windows whose stride along a row is 1 or 2 are pooled sixteen outputs of a row at a time, which stay in
// registers while their taps are read from the plane itself: a tap of sixteen outputs is every element, or every second
// one, of up to 32 that lie side by side. What lies outside the plane is masked. Taps come in the order of their
// positions, so results have the bits of those of one window after the other.
//
// The floor is to read the planes once and write the outputs; for each sixteen outputs and tap 8 instructions of maxima
// or 4 of sums.

// leastRow is the least outputs of a row of which sixteen lanes do something.
const leastRow = 4

// poolRow has the operands of a row of outputs. The assembler knows its offsets.
type poolRow struct {
	x, y, argmax *float32
	masks        *uint64
	offset       int // bytes from x to the first tap of the first output, in the first row of the window in the plane
	rowStep      int // bytes from a row of the plane to the next
	kh, kw       int // rows of the window that are in the plane, and columns
	vectors      int // of sixteen outputs
	vectorStep   int // bytes of the plane from a vector to the next
	index        *[16]uint32
	sizes        *float32 // of the windows of the row
	position     float32  // of the first tap, in the plane
	stride       float32  // of positions, from an output to the next
	width        float32  // of the plane
}

// lanesOf are the elements of a vector of 32 that a tap of sixteen outputs takes, by the stride.
var lanesOf = [3][16]uint32{
	1: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
	2: {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30},
}

// poolRows pools planes of one geometry.
type poolRows struct {
	g *gpu.PoolGeometry
	// masks has for each vector of a row of outputs and each column of a window, from the lowest bit on: which of the
	// 32 elements are in the plane, which of the sixteen outputs have that column in the plane, and which there are.
	masks []uint64
}

// byRows reports whether pooling is done by rows, and by what.
func (d *back) byRows(g *gpu.PoolGeometry) (poolRows, bool) {
	if !has(vecPoolRows) || g.SW > 2 || g.OutW < leastRow || g.Planes == 0 {
		return poolRows{}, false
	}
	vectors := ceil(g.OutW, 16)
	p := poolRows{g, room(&d.poolMasks, vectors*g.KW)}
	for v := range vectors {
		for kw := range g.KW {
			first := 16*v*g.SW - g.PW + kw
			var m uint64
			for i := range 32 {
				if c := first + i; c >= 0 && c < g.W {
					m |= 1 << i
				}
			}
			for i := range min(16, g.OutW-16*v) {
				if c := first + i*g.SW; c >= 0 && c < g.W {
					m |= 1 << (32 + i)
				}
				m |= 1 << (48 + i)
			}
			p.masks[v*g.KW+kw] = m
		}
	}
	return p, true
}

// row has what is the same for all rows.
func (p *poolRows) row() poolRow {
	g := p.g
	return poolRow{
		masks: &p.masks[0], rowStep: 4 * g.W, kw: g.KW, vectors: ceil(g.OutW, 16), vectorStep: 4 * 16 * g.SW,
		index: &lanesOf[g.SW], stride: float32(g.SW), width: float32(g.W),
	}
}

// windowSizes are the numbers of elements of windows, which count the padding.
func windowSizes(g *gpu.PoolGeometry, sizes []float32) {
	for oh := range g.OutH {
		for ow := range g.OutW {
			_, _, _, _, sizes[oh*g.OutW+ow] = window(g, oh, ow)
		}
	}
}

// maxPoolRowsKernel is maxPoolKernel by rows.
type maxPoolRowsKernel struct {
	poolRows
	maxPoolKernel
}

func (k *maxPoolRowsKernel) run(lo, hi, _ int) {
	g, r := k.maxPoolKernel.g, k.row()
	in, out := g.H*g.W, g.OutH*g.OutW
	for n := lo; n < hi; n++ {
		y, argmax := k.y[n*out:][:out], k.argmax[n*out:][:out]
		r.x = &k.x[n*in:][:in][0]
		for oh := range g.OutH {
			r.at(g, oh)
			r.y, r.argmax = &y[oh*g.OutW], &argmax[oh*g.OutW]
			maxRow512(&r)
		}
	}
}

// at sets the row of outputs.
func (r *poolRow) at(g *gpu.PoolGeometry, oh int) {
	first := oh*g.SH - g.PH
	from := max(first, 0)
	r.kh = max(0, min(first+g.KH, g.H)-from)
	at := from*g.W - g.PW
	r.offset, r.position = 4*at, float32(at)
}

// avePoolRowsKernel is avePoolKernel by rows.
type avePoolRowsKernel struct {
	poolRows
	d *back
	avePoolKernel
}

func (k *avePoolRowsKernel) run(lo, hi, worker int) {
	g, r := k.avePoolKernel.g, k.row()
	in, out := g.H*g.W, g.OutH*g.OutW
	sizes := k.d.scratch(worker, out)
	windowSizes(g, sizes)
	for n := lo; n < hi; n++ {
		y := k.y[n*out:][:out]
		r.x = &k.x[n*in:][:in][0]
		for oh := range g.OutH {
			r.at(g, oh)
			r.y, r.sizes = &y[oh*g.OutW], &sizes[oh*g.OutW]
			sumRow512(&r)
		}
	}
}

// spreadsByRows is byRows for the gradient of means: a row of the plane is summed from the windows that have it. masks
// has for each vector of sixteen of its elements and each column of a window, from the last to the first: which window
// of a row has the first of the elements in that column (32 bits), which elements are in that column of one, and which
// there are.
func (d *back) spreadsByRows(g *gpu.PoolGeometry) (poolRows, bool) {
	if !has(vecPoolRows) || g.SW > 2 || g.W < leastRow || g.Planes == 0 {
		return poolRows{}, false
	}
	vectors := ceil(g.W, 16)
	p := poolRows{g, room(&d.poolMasks, vectors*g.KW)}
	for v := range vectors {
		for j := range g.KW {
			var m uint64
			for i := range min(16, g.W-16*v) {
				m |= 1 << (48 + i)
				u := 16*v + i + g.PW - (g.KW - 1 - j)
				if u < 0 || u%g.SW != 0 || u/g.SW >= g.OutW {
					continue
				}
				if m>>32&0xffff == 0 {
					m |= uint64(u / g.SW)
				}
				m |= 1 << (32 + i)
			}
			p.masks[v*g.KW+j] = m
		}
	}
	return p, true
}

// avePoolBackwardRowsKernel is avePoolBackwardKernel by rows.
type avePoolBackwardRowsKernel struct {
	poolRows
	d *back
	avePoolBackwardKernel
}

func (k *avePoolBackwardRowsKernel) run(lo, hi, worker int) {
	g := k.avePoolBackwardKernel.g
	in, out := g.H*g.W, g.OutH*g.OutW
	scratch := k.d.scratch(worker, 2*out)
	sizes, v := scratch[:out], scratch[out:]
	windowSizes(g, sizes)
	r := poolRow{x: &v[0], masks: &k.masks[0], rowStep: 4 * g.OutW, kw: g.KW, vectors: ceil(g.W, 16)}
	for n := lo; n < hi; n++ {
		divide(k.dy[n*out:][:out], sizes, v)
		dx := k.dx[n*in:][:in]
		for h := range g.H {
			first := max(0, h+g.PH-g.KH+g.SH) / g.SH // of the rows of windows that have this one
			r.offset, r.kh = 4*first*g.OutW, max(0, min((h+g.PH)/g.SH+1, g.OutH)-first)
			r.y = &dx[h*g.W]
			spreadRow512(&r)
		}
	}
}
