package host

import (
	"math"

	"dns-tui/gpu"
)

// planeGrain is how many planes of pooling make a piece: at least some 16k elements.
func planeGrain(g *gpu.PoolGeometry) int { return max(1, grain/(g.H*g.W)) }

func (d *back) maxPool(o *gpu.MaxPool) {
	g := o.G
	k := maxPoolKernel{g, slice(o.X), slice(o.Y), slice(o.Argmax)}
	if g.KH == 2 && g.KW == 2 && g.SH == 2 && g.SW == 2 && g.PH == 0 && g.PW == 0 && g.H%2 == 0 && g.W%2 == 0 {
		launch(d, &d.kernels.maxPool2, maxPool2Kernel(k), g.Planes, planeGrain(g))
		return
	}
	if rows, ok := d.byRows(g); ok {
		launch(d, &d.kernels.maxPoolRows, maxPoolRowsKernel{rows, k}, g.Planes, planeGrain(g))
		return
	}
	if byTaps(g, leastMaxima) {
		launch(d, &d.kernels.maxPoolTaps, maxPoolTapsKernel{d, k}, g.Planes, planeGrain(g))
		return
	}
	launch(d, &d.kernels.maxPool, k, g.Planes, planeGrain(g))
}

type maxPoolKernel struct {
	g            *gpu.PoolGeometry
	x, y, argmax []float32
}

func (k *maxPoolKernel) run(lo, hi, _ int) {
	g := k.g
	codes := codesOf(g)
	for n := lo; n < hi; n++ {
		x := k.x[n*g.H*g.W:][:g.H*g.W]
		y := k.y[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		argmax := k.argmax[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		for oh := range g.OutH {
			h0 := oh*g.SH - g.PH
			h1 := min(h0+g.KH, g.H)
			h0 = max(h0, 0)
			for ow := range g.OutW {
				w0 := ow*g.SW - g.PW
				w1 := min(w0+g.KW, g.W)
				w0 = min(max(w0, 0), max(w1, 0)) // a long stride may put the last window outside: it is empty
				if (h1-h0)*(w1-w0) == codes.n {
					if v, at, ok := codes.largest(x, h0*g.W+w0); ok {
						y[oh*g.OutW+ow], argmax[oh*g.OutW+ow] = v, float32(at)
						continue
					}
				}
				best, position := float32(-math.MaxFloat32), -1
				for h := h0; h < h1; h++ {
					base := h * g.W
					for w, v := range x[base+w0 : base+w1] {
						if v > best || v != v {
							best, position = v, base+w0+w
						}
					}
				}
				y[oh*g.OutW+ow], argmax[oh*g.OutW+ow] = best, float32(position)
			}
		}
	}
}

// windowCodes finds the largest of a whole window without branches, which element that is cannot be predicted: by
// integers that order as the numbers do, with the position in the window in their last bits.
type windowCodes struct {
	n, height, width, plane int // n: elements of the window, or -1 where it has too many
	offsets                 [16]int
}

func codesOf(g *gpu.PoolGeometry) windowCodes {
	c := windowCodes{n: -1, height: g.KH, width: g.KW, plane: g.W}
	if g.KH*g.KW > len(c.offsets) {
		return c
	}
	c.n = g.KH * g.KW
	for i := range c.n {
		c.offsets[c.n-1-i] = i/g.KW*g.W + i%g.KW // of equals the first, which has the largest code
	}
	return c
}

// largest returns the maximum of the window that begins at an element of a plane, and where it is; not where nothing is
// above -FLT_MAX.
func (c *windowCodes) largest(plane []float32, at int) (v float32, position int, ok bool) {
	top, code := int64(math.MinInt64), int64(c.n-1)
	for h := range c.height {
		for _, v := range plane[at+h*c.plane:][:c.width] {
			top = max(top, ordered(v)<<2|code)
			code--
		}
	}
	v = fromOrdered(top >> 2)
	return v, at + c.offsets[top&15], !(v <= -math.MaxFloat32)
}

// maxPool2Kernel is maxPoolKernel for windows of 2×2 that tile the plane. It does as windowCodes does.
type maxPool2Kernel maxPoolKernel

func (k *maxPool2Kernel) run(lo, hi, _ int) {
	g := k.g
	for n := lo; n < hi; n++ {
		x := k.x[n*g.H*g.W:][:g.H*g.W]
		y := k.y[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		argmax := k.argmax[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		for oh := range g.OutH {
			base := 2 * oh * g.W
			r0, r1 := x[base:][:g.W], x[base+g.W:][:g.W]
			yr, ar := y[oh*g.OutW:][:g.OutW], argmax[oh*g.OutW:][:g.OutW]
			for ow := maxPool2Vectors(r0, r1, yr, ar, base); ow < len(yr); ow++ {
				top := max(ordered(r0[2*ow])|3, ordered(r0[2*ow+1])|2, ordered(r1[2*ow])|1, ordered(r1[2*ow+1]))
				in := 3 - int(top&3)
				yr[ow], ar[ow] = fromOrdered(top), float32(base+(in>>1)*g.W+2*ow+in&1)
				if yr[ow] <= -math.MaxFloat32 {
					yr[ow], ar[ow] = -math.MaxFloat32, -1
				}
			}
		}
	}
}

// ordered maps a number to an integer, a multiple of 4, that orders as it does; fromOrdered maps it back. Adding 0
// makes -0 the equal of 0. NaN, whatever its sign, is above all.
func ordered(f float32) int64 {
	b := int32(math.Float32bits(f + 0))
	if f != f {
		b &= math.MaxInt32
	}
	return int64(b^int32(uint32(b>>31)>>1)) << 2
}

func fromOrdered(k int64) float32 {
	b := int32(k >> 2)
	return math.Float32frombits(uint32(b ^ int32(uint32(b>>31)>>1)))
}

func (d *back) maxPoolBackward(o *gpu.MaxPoolBackward) {
	k := maxPoolBackwardKernel{o.G, slice(o.DY), slice(o.Argmax), slice(o.DX)}
	launch(d, &d.kernels.maxPoolBackward, k, o.G.Planes, planeGrain(o.G))
}

type maxPoolBackwardKernel struct {
	g              *gpu.PoolGeometry
	dy, argmax, dx []float32
}

func (k *maxPoolBackwardKernel) run(lo, hi, _ int) {
	g := k.g
	in, out := g.H*g.W, g.OutH*g.OutW
	for n := lo; n < hi; n++ {
		dx := k.dx[n*in:][:in]
		clear(dx)
		argmax := k.argmax[n*out:][:out]
		for i, v := range k.dy[n*out:][:out] {
			if at := int(argmax[i]); at >= 0 {
				dx[at] += v
			}
		}
	}
}

// window returns the clipped window of output (oh, ow) and the divisor, which counts the padding. A long stride may put
// the last window outside: it is empty.
func window(g *gpu.PoolGeometry, oh, ow int) (h0, h1, w0, w1 int, size float32) {
	h0, w0 = oh*g.SH-g.PH, ow*g.SW-g.PW
	h1, w1 = min(h0+g.KH, g.H+g.PH), min(w0+g.KW, g.W+g.PW)
	size = float32(max(1, (h1-h0)*(w1-w0)))
	h1, w1 = min(h1, g.H), min(w1, g.W)
	return min(max(h0, 0), h1), h1, min(max(w0, 0), w1), w1, size
}

func (d *back) avePool(o *gpu.AvePool) {
	k := avePoolKernel{o.G, slice(o.X), slice(o.Y)}
	if wholePlane(o.G) {
		launch(d, &d.kernels.avePoolWhole, avePoolWholeKernel(k), o.G.Planes, planeGrain(o.G))
		return
	}
	if rows, ok := d.byRows(o.G); ok {
		launch(d, &d.kernels.avePoolRows, avePoolRowsKernel{rows, d, k}, o.G.Planes, planeGrain(o.G))
		return
	}
	if byTaps(o.G, leastSums) {
		launch(d, &d.kernels.avePoolTaps, avePoolTapsKernel{d, k}, o.G.Planes, planeGrain(o.G))
		return
	}
	launch(d, &d.kernels.avePool, k, o.G.Planes, planeGrain(o.G))
}

type avePoolKernel struct {
	g    *gpu.PoolGeometry
	x, y []float32
}

func (k *avePoolKernel) run(lo, hi, _ int) {
	g := k.g
	for n := lo; n < hi; n++ {
		x := k.x[n*g.H*g.W:][:g.H*g.W]
		y := k.y[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		for oh := range g.OutH {
			for ow := range g.OutW {
				h0, h1, w0, w1, size := window(g, oh, ow)
				var s float32
				for h := h0; h < h1; h++ {
					for _, v := range x[h*g.W+w0 : h*g.W+w1] {
						s += v
					}
				}
				y[oh*g.OutW+ow] = s / size
			}
		}
	}
}

// wholePlane reports whether there is one window, which is the plane (global_pooling).
func wholePlane(g *gpu.PoolGeometry) bool {
	return g.KH == g.H && g.KW == g.W && g.PH == 0 && g.PW == 0 && g.OutH == 1 && g.OutW == 1
}

// avePoolWholeKernel is avePoolKernel for windows that are planes.
type avePoolWholeKernel avePoolKernel

func (k *avePoolWholeKernel) run(lo, hi, _ int) {
	size := k.g.H * k.g.W
	for n := lo; n < hi; n++ {
		k.y[n] = float32(sum32(k.x[n*size:][:size]) / float64(size))
	}
}

// avePoolWholeBackwardKernel is avePoolBackwardKernel for windows that are planes.
type avePoolWholeBackwardKernel avePoolBackwardKernel

func (k *avePoolWholeBackwardKernel) run(lo, hi, _ int) {
	size := k.g.H * k.g.W
	for n := lo; n < hi; n++ {
		v, dx := k.dy[n]/float32(size), k.dx[n*size:][:size]
		for i := range dx {
			dx[i] = v
		}
	}
}

func (d *back) avePoolBackward(o *gpu.AvePoolBackward) {
	k := avePoolBackwardKernel{o.G, slice(o.DY), slice(o.DX)}
	if wholePlane(o.G) {
		launch(d, &d.kernels.avePoolWholeBackward, avePoolWholeBackwardKernel(k), o.G.Planes, planeGrain(o.G))
		return
	}
	if rows, ok := d.spreadsByRows(o.G); ok {
		kernel := avePoolBackwardRowsKernel{rows, d, k}
		launch(d, &d.kernels.avePoolBackwardRows, kernel, o.G.Planes, planeGrain(o.G))
		return
	}
	if byTaps(o.G, leastSums) {
		launch(d, &d.kernels.avePoolBackwardTaps, avePoolBackwardTapsKernel{d, k}, o.G.Planes, planeGrain(o.G))
		return
	}
	launch(d, &d.kernels.avePoolBackward, k, o.G.Planes, planeGrain(o.G))
}

type avePoolBackwardKernel struct {
	g      *gpu.PoolGeometry
	dy, dx []float32
}

func (k *avePoolBackwardKernel) run(lo, hi, _ int) {
	g := k.g
	for n := lo; n < hi; n++ {
		dx := k.dx[n*g.H*g.W:][:g.H*g.W]
		clear(dx)
		dy := k.dy[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		for oh := range g.OutH {
			for ow := range g.OutW {
				h0, h1, w0, w1, size := window(g, oh, ow)
				v := dy[oh*g.OutW+ow] / size
				for h := h0; h < h1; h++ {
					row := dx[h*g.W+w0 : h*g.W+w1]
					for i := range row {
						row[i] += v
					}
				}
			}
		}
	}
}

func (d *back) stochasticPool(o *gpu.StochasticPool) {
	launch(
		d,
		&d.kernels.stochasticPool,
		stochasticPoolKernel{o.G, slice(o.X), slice(o.Y), slice(o.Argmax), o.Key},
		o.G.Planes,
		planeGrain(o.G),
	)
}

type stochasticPoolKernel struct {
	g            *gpu.PoolGeometry
	x, y, argmax []float32
	key          gpu.Key
}

func (k *stochasticPoolKernel) run(lo, hi, _ int) {
	g := k.g
	for n := lo; n < hi; n++ {
		x := k.x[n*g.H*g.W:][:g.H*g.W]
		for oh := range g.OutH {
			for ow := range g.OutW {
				out := (n*g.OutH+oh)*g.OutW + ow
				h0, h1, w0, w1, _ := window(g, oh, ow)
				position := draw(x, g.W, h0, h1, w0, w1, k.key.Uniform(out))
				k.y[out], k.argmax[out] = 0, float32(position)
				if position >= 0 {
					k.y[out] = x[position]
				}
			}
		}
	}
}

// draw returns the first position of a window at which the running sum reaches u times the sum, or -1 for a window that
// a long stride puts outside the plane.
func draw(x []float32, width, h0, h1, w0, w1 int, u float32) int {
	if h0 >= h1 || w0 >= w1 {
		return -1
	}
	var sum float32
	for h := h0; h < h1; h++ {
		for _, v := range x[h*width+w0 : h*width+w1] {
			sum += v
		}
	}
	limit := u * sum
	sum = 0
	for h := h0; h < h1; h++ {
		for w := w0; w < w1; w++ {
			if sum += x[h*width+w]; sum >= limit {
				return h*width + w
			}
		}
	}
	return h0*width + w0
}

func (d *back) expectedPool(o *gpu.ExpectedPool) {
	launch(d, &d.kernels.expectedPool, expectedPoolKernel{o.G, slice(o.X), slice(o.Y)}, o.G.Planes, planeGrain(o.G))
}

type expectedPoolKernel struct {
	g    *gpu.PoolGeometry
	x, y []float32
}

func (k *expectedPoolKernel) run(lo, hi, _ int) {
	g := k.g
	for n := lo; n < hi; n++ {
		x := k.x[n*g.H*g.W:][:g.H*g.W]
		for oh := range g.OutH {
			for ow := range g.OutW {
				h0, h1, w0, w1, _ := window(g, oh, ow)
				var sum, squares, mean float32
				for h := h0; h < h1; h++ {
					for _, v := range x[h*g.W+w0 : h*g.W+w1] {
						sum += v
						squares += float32(v * v)
					}
				}
				if sum > 0 {
					mean = squares / sum
				}
				k.y[(n*g.OutH+oh)*g.OutW+ow] = mean
			}
		}
	}
}
