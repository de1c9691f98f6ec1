package host

import (
	"math"

	"dns-tui/gpu"
)

// planeGrain is how many planes of pooling make a piece: at least some 16k elements.
func planeGrain(g *gpu.PoolGeometry) int { return max(1, grain/(g.H*g.W)) }

func checkPool(op string, g *gpu.PoolGeometry, in, out *gpu.Tensor) {
	gpu.Want(op, "input", in, g.Planes*g.H*g.W)
	gpu.Want(op, "output", out, g.Planes*g.OutH*g.OutW)
}

// MaxPool implements gpu.Spatial.
func (d *Device) MaxPool(g *gpu.PoolGeometry, x, y, at *gpu.Tensor) {
	checkPool("MaxPool", g, x, y)
	gpu.Want("MaxPool", "at", at, y.N)
	p := d.start()
	p.x, p.y, p.z, p.pool = slice(x), slice(y), slice(at), g
	fn := kernel(maxPool)
	if g.KH == 2 && g.KW == 2 && g.SH == 2 && g.SW == 2 && g.PH == 0 && g.PW == 0 && g.H%2 == 0 && g.W%2 == 0 {
		fn = maxPool2
	}
	d.pool.run(g.Planes, planeGrain(g), fn, p)
}

func maxPool(p *args, lo, hi, _ int) {
	g := p.pool
	for n := lo; n < hi; n++ {
		x := p.x[n*g.H*g.W:][:g.H*g.W]
		y := p.y[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		at := p.z[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		for oh := range g.OutH {
			h0 := oh*g.SH - g.PH
			h1 := min(h0+g.KH, g.H)
			h0 = max(h0, 0)
			for ow := range g.OutW {
				w0 := ow*g.SW - g.PW
				w1 := min(w0+g.KW, g.W)
				w0 = min(max(w0, 0), max(w1, 0)) // a long stride may put the last window outside: it is empty
				best, place := float32(-math.MaxFloat32), -1
				for h := h0; h < h1; h++ {
					base := h * g.W
					for w, v := range x[base+w0 : base+w1] {
						if v > best || v != v {
							best, place = v, base+w0+w
						}
					}
				}
				y[oh*g.OutW+ow], at[oh*g.OutW+ow] = best, float32(place)
			}
		}
	}
}

// maxPool2 is maxPool for windows of 2×2 that tile the plane. Which of four is the largest cannot be predicted, so it
// works without branches: on integers that order as the numbers do, with the place in the window in their last bits.
func maxPool2(p *args, lo, hi, _ int) {
	g := p.pool
	for n := lo; n < hi; n++ {
		x := p.x[n*g.H*g.W:][:g.H*g.W]
		y := p.y[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		at := p.z[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
		for oh := range g.OutH {
			base := 2 * oh * g.W
			r0, r1 := x[base:][:g.W], x[base+g.W:][:g.W]
			yr, ar := y[oh*g.OutW:][:g.OutW], at[oh*g.OutW:][:g.OutW]
			for ow := range yr {
				k := max(ordered(r0[2*ow])|3, ordered(r0[2*ow+1])|2, ordered(r1[2*ow])|1, ordered(r1[2*ow+1]))
				in := 3 - int(k&3)
				yr[ow] = fromOrdered(k)
				ar[ow] = float32(base + (in>>1)*g.W + 2*ow + in&1)
			}
		}
	}
}

// ordered maps a number to an integer, a multiple of 4, that orders as it does; fromOrdered maps it back. Adding 0
// makes -0 the equal of 0.
func ordered(f float32) int64 {
	b := int32(math.Float32bits(f + 0))
	return int64(b^int32(uint32(b>>31)>>1)) << 2
}

func fromOrdered(k int64) float32 {
	b := int32(k >> 2)
	return math.Float32frombits(uint32(b ^ int32(uint32(b>>31)>>1)))
}

// MaxPoolBackward implements gpu.Spatial.
func (d *Device) MaxPoolBackward(g *gpu.PoolGeometry, dy, at, dx *gpu.Tensor) {
	checkPool("MaxPoolBackward", g, dx, dy)
	gpu.Want("MaxPoolBackward", "at", at, dy.N)
	p := d.start()
	p.x, p.y, p.z, p.pool = slice(dx), slice(dy), slice(at), g
	d.pool.run(g.Planes, planeGrain(g), func(p *args, lo, hi, _ int) {
		g := p.pool
		in, out := g.H*g.W, g.OutH*g.OutW
		for n := lo; n < hi; n++ {
			dx := p.x[n*in:][:in]
			clear(dx)
			at := p.z[n*out:][:out]
			for i, v := range p.y[n*out:][:out] {
				if k := int(at[i]); k >= 0 {
					dx[k] += v
				}
			}
		}
	}, p)
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

// AvePool implements gpu.Spatial.
func (d *Device) AvePool(g *gpu.PoolGeometry, x, y *gpu.Tensor) {
	checkPool("AvePool", g, x, y)
	p := d.start()
	p.x, p.y, p.pool = slice(x), slice(y), g
	d.pool.run(g.Planes, planeGrain(g), func(p *args, lo, hi, _ int) {
		g := p.pool
		for n := lo; n < hi; n++ {
			x := p.x[n*g.H*g.W:][:g.H*g.W]
			y := p.y[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
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
	}, p)
}

// AvePoolBackward implements gpu.Spatial.
func (d *Device) AvePoolBackward(g *gpu.PoolGeometry, dy, dx *gpu.Tensor) {
	checkPool("AvePoolBackward", g, dx, dy)
	p := d.start()
	p.x, p.y, p.pool = slice(dx), slice(dy), g
	d.pool.run(g.Planes, planeGrain(g), func(p *args, lo, hi, _ int) {
		g := p.pool
		for n := lo; n < hi; n++ {
			dx := p.x[n*g.H*g.W:][:g.H*g.W]
			clear(dx)
			dy := p.y[n*g.OutH*g.OutW:][:g.OutH*g.OutW]
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
	}, p)
}

// StochasticPool implements gpu.Spatial.
func (d *Device) StochasticPool(g *gpu.PoolGeometry, x, y, at *gpu.Tensor, key gpu.Key) {
	checkPool("StochasticPool", g, x, y)
	gpu.Want("StochasticPool", "at", at, y.N)
	p := d.start()
	p.x, p.y, p.z, p.pool, p.key = slice(x), slice(y), slice(at), g, key
	d.pool.run(g.Planes, planeGrain(g), func(p *args, lo, hi, _ int) {
		g := p.pool
		for n := lo; n < hi; n++ {
			x := p.x[n*g.H*g.W:][:g.H*g.W]
			for oh := range g.OutH {
				for ow := range g.OutW {
					out := (n*g.OutH+oh)*g.OutW + ow
					h0, h1, w0, w1, _ := window(g, oh, ow)
					place := draw(x, g.W, h0, h1, w0, w1, p.key.Uniform(out))
					p.y[out], p.z[out] = 0, float32(place)
					if place >= 0 {
						p.y[out] = x[place]
					}
				}
			}
		}
	}, p)
}

// draw returns the first place of a window at which the running sum reaches u times the sum, or -1 for a window that a
// long stride puts outside the plane.
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

// ExpectedPool implements gpu.Spatial.
func (d *Device) ExpectedPool(g *gpu.PoolGeometry, x, y *gpu.Tensor) {
	checkPool("ExpectedPool", g, x, y)
	p := d.start()
	p.x, p.y, p.pool = slice(x), slice(y), g
	d.pool.run(g.Planes, planeGrain(g), func(p *args, lo, hi, _ int) {
		g := p.pool
		for n := lo; n < hi; n++ {
			x := p.x[n*g.H*g.W:][:g.H*g.W]
			for oh := range g.OutH {
				for ow := range g.OutW {
					h0, h1, w0, w1, _ := window(g, oh, ow)
					var sum, squares, mean float32
					for h := h0; h < h1; h++ {
						for _, v := range x[h*g.W+w0 : h*g.W+w1] {
							sum += v
							squares += v * v
						}
					}
					if sum > 0 {
						mean = squares / sum
					}
					p.y[(n*g.OutH+oh)*g.OutW+ow] = mean
				}
			}
		}
	}, p)
}
