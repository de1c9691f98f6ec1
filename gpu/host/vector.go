package host

import (
	"math"

	"dns-tui/gpu"
)

// grain is the number of elements that an elementwise kernel handles at a time: 64 KiB an operand.
const grain = 1 << 14

func (d *Device) start() *args {
	d.args = args{dev: d}
	return &d.args
}

// Fill implements gpu.Vector.
func (d *Device) Fill(y *gpu.Tensor, v float32) {
	p := d.start()
	p.y, p.a = slice(y), v
	d.pool.run(y.N, grain, func(p *args, lo, hi, _ int) {
		if p.a == 0 {
			clear(p.y[lo:hi])
			return
		}
		for i := range p.y[lo:hi] {
			p.y[lo+i] = p.a
		}
	}, p)
}

// Copy implements gpu.Vector.
func (d *Device) Copy(y, x *gpu.Tensor) {
	gpu.Want("Copy", "x", x, y.N)
	p := d.start()
	p.x, p.y = slice(x), slice(y)
	d.pool.run(y.N, grain, func(p *args, lo, hi, _ int) { copy(p.y[lo:hi], p.x[lo:hi]) }, p)
}

// Axpby implements gpu.Vector.
func (d *Device) Axpby(a float32, x *gpu.Tensor, b float32, y *gpu.Tensor) {
	gpu.Want("Axpby", "x", x, y.N)
	p := d.start()
	p.x, p.y, p.a, p.b = slice(x), slice(y), a, b
	d.pool.run(y.N, grain, func(p *args, lo, hi, _ int) {
		x, y, a, b := p.x[lo:hi], p.y[lo:hi], p.a, p.b
		if b == 0 {
			for i, v := range x {
				y[i] = a * v
			}
			return
		}
		for i, v := range x {
			y[i] = a*v + b*y[i]
		}
	}, p)
}

// Mul implements gpu.Vector.
func (d *Device) Mul(x, y, z *gpu.Tensor) {
	gpu.Want("Mul", "x", x, z.N)
	gpu.Want("Mul", "y", y, z.N)
	p := d.start()
	p.x, p.y, p.z = slice(x), slice(y), slice(z)
	d.pool.run(z.N, grain, func(p *args, lo, hi, _ int) {
		x, y, z := p.x[lo:hi], p.y[lo:hi], p.z[lo:hi]
		for i, v := range x {
			z[i] = v * y[i]
		}
	}, p)
}

// MaxUpdate implements gpu.Vector.
func (d *Device) MaxUpdate(x *gpu.Tensor, index float32, y, which *gpu.Tensor) {
	gpu.Want("MaxUpdate", "x", x, y.N)
	gpu.Want("MaxUpdate", "which", which, y.N)
	p := d.start()
	p.x, p.y, p.z, p.a = slice(x), slice(y), slice(which), index
	d.pool.run(y.N, grain, func(p *args, lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			if p.x[i] > p.y[i] {
				p.y[i], p.z[i] = p.x[i], p.a
			}
		}
	}, p)
}

// MaxBackward implements gpu.Vector.
func (d *Device) MaxBackward(dy, which *gpu.Tensor, index float32, dx *gpu.Tensor) {
	gpu.Want("MaxBackward", "dy", dy, dx.N)
	gpu.Want("MaxBackward", "which", which, dx.N)
	p := d.start()
	p.x, p.y, p.z, p.a = slice(dy), slice(which), slice(dx), index
	d.pool.run(dx.N, grain, func(p *args, lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			if p.y[i] == p.a {
				p.z[i] = p.x[i]
			} else {
				p.z[i] = 0
			}
		}
	}, p)
}

// Power implements gpu.Vector.
func (d *Device) Power(x *gpu.Tensor, power, scale, shift float32, y *gpu.Tensor) {
	gpu.Want("Power", "x", x, y.N)
	p := d.start()
	p.x, p.y, p.a, p.b, p.c = slice(x), slice(y), power, scale, shift
	d.pool.run(y.N, grain, func(p *args, lo, hi, _ int) {
		x, y, scale, shift := p.x[lo:hi], p.y[lo:hi], p.b, p.c
		for i, v := range x {
			y[i] = pow(shift+scale*v, p.a)
		}
	}, p)
}

// pow is x^e, with the exponents that LRN uses in nets that people have by square roots.
func pow(x, e float32) float32 {
	switch e {
	case 1:
		return x
	case -0.75:
		if x > 0 {
			r := math.Sqrt(float64(x))
			return float32(1 / (r * math.Sqrt(r)))
		}
	case -1.75:
		if x > 0 {
			r := math.Sqrt(float64(x))
			return float32(1 / (float64(x) * r * math.Sqrt(r)))
		}
	}
	return float32(math.Pow(float64(x), float64(e)))
}

// Unary implements gpu.Vector.
func (d *Device) Unary(f gpu.UnaryFunc, x, y *gpu.Tensor) {
	gpu.Want("Unary", "x", x, y.N)
	p := d.start()
	p.x, p.y, p.unary = slice(x), slice(y), f
	d.pool.run(y.N, grain/4, func(p *args, lo, hi, _ int) {
		y, f := p.y[lo:hi], p.unary
		for i, v := range p.x[lo:hi] {
			y[i] = f.At(v)
		}
	}, p)
}

// UnaryBackward implements gpu.Vector.
func (d *Device) UnaryBackward(f gpu.UnaryFunc, x, y, dy, dx *gpu.Tensor) {
	gpu.Want("UnaryBackward", "x", x, dx.N)
	gpu.Want("UnaryBackward", "y", y, dx.N)
	gpu.Want("UnaryBackward", "dy", dy, dx.N)
	p := d.start()
	p.x, p.y, p.z, p.w, p.unary = slice(x), slice(y), slice(dy), slice(dx), f
	d.pool.run(dx.N, grain/4, func(p *args, lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			p.w[i] = p.z[i] * p.unary.Slope(p.x[i], p.y[i])
		}
	}, p)
}

// Dot implements gpu.Vector.
func (d *Device) Dot(alpha float32, x, y, out *gpu.Tensor) {
	gpu.Want("Dot", "y", y, x.N)
	gpu.Want("Dot", "out", out, 1)
	p := d.start()
	p.x, p.y = slice(x), slice(y)
	p.partial = d.partials((x.N + grain - 1) / grain)
	d.pool.run(x.N, grain, func(p *args, lo, hi, _ int) { p.partial[lo/p.grain] = dot32(p.x[lo:hi], p.y[lo:hi]) }, p)
	slice(out)[0] = float32(float64(alpha) * sum(p.partial))
}

// Copy2D implements gpu.Vector.
func (d *Device) Copy2D(
	rows, cols int,
	src *gpu.Tensor,
	srcOff, srcStride int,
	dst *gpu.Tensor,
	dstOff, dstStride int,
) {
	if rows == 0 || cols == 0 {
		return
	}
	p := d.start()
	p.x, p.y, p.i, p.j, p.k, p.l, p.m = slice(src), slice(dst), srcOff, srcStride, dstOff, dstStride, cols
	d.pool.run(rows, max(1, grain/cols), func(p *args, lo, hi, _ int) {
		for r := lo; r < hi; r++ {
			copy(p.y[p.k+r*p.l:][:p.m], p.x[p.i+r*p.j:][:p.m])
		}
	}, p)
}

// row returns the row that an index names.
func row(index float32, rows int) (int, bool) {
	i := int(index)
	return i, i >= 0 && i < rows && float32(i) == index
}

// Gather implements gpu.Vector.
func (d *Device) Gather(width int, index, src, dst *gpu.Tensor) {
	gpu.Want("Gather", "dst", dst, index.N*width)
	p := d.start()
	p.u, p.x, p.y, p.i, p.j = slice(index), slice(src), slice(dst), width, src.N/max(1, width)
	d.pool.run(index.N, max(1, grain/max(1, width)), func(p *args, lo, hi, _ int) {
		for r := lo; r < hi; r++ {
			dst := p.y[r*p.i:][:p.i]
			if i, ok := row(p.u[r], p.j); ok {
				copy(dst, p.x[i*p.i:])
				continue
			}
			for k := range dst {
				dst[k] = float32(math.NaN())
			}
		}
	}, p)
}

// ScatterAdd implements gpu.Vector. Rows may meet in one place, so it is done in order, cut by columns.
func (d *Device) ScatterAdd(width int, index, src, dst *gpu.Tensor) {
	gpu.Want("ScatterAdd", "src", src, index.N*width)
	p := d.start()
	p.u, p.x, p.y, p.i, p.j = slice(index), slice(src), slice(dst), width, dst.N/max(1, width)
	d.pool.run(width, 256, func(p *args, lo, hi, _ int) {
		for r, v := range p.u {
			if i, ok := row(v, p.j); ok {
				dst := p.y[i*p.i+lo : i*p.i+hi]
				for k, g := range p.x[r*p.i+lo : r*p.i+hi] {
					dst[k] += g
				}
			}
		}
	}, p)
}

// ReLU implements gpu.Vector.
func (d *Device) ReLU(x, y *gpu.Tensor, slope float32) {
	gpu.Want("ReLU", "x", x, y.N)
	p := d.start()
	p.x, p.y, p.a = slice(x), slice(y), slope
	d.pool.run(y.N, grain, func(p *args, lo, hi, _ int) {
		x, y, slope := p.x[lo:hi], p.y[lo:hi], p.a
		if slope == 0 {
			for i, v := range x {
				y[i] = max(v, 0)
			}
			return
		}
		for i, v := range x {
			y[i] = max(v, 0) + slope*min(v, 0)
		}
	}, p)
}

// ReLUBackward implements gpu.Vector.
func (d *Device) ReLUBackward(x, dy, dx *gpu.Tensor, slope float32) {
	gpu.Want("ReLUBackward", "x", x, dx.N)
	gpu.Want("ReLUBackward", "dy", dy, dx.N)
	p := d.start()
	p.x, p.y, p.z, p.a = slice(x), slice(dy), slice(dx), slope
	d.pool.run(dx.N, grain, func(p *args, lo, hi, _ int) {
		x, dy, dx, slope := p.x[lo:hi], p.y[lo:hi], p.z[lo:hi], p.a
		for i, v := range x {
			g := dy[i]
			if !(v > 0) {
				g *= slope
			}
			dx[i] = g
		}
	}, p)
}

// Dropout implements gpu.Vector.
func (d *Device) Dropout(x, y *gpu.Tensor, ratio float32, key gpu.Key) {
	gpu.Want("Dropout", "x", x, y.N)
	p := d.start()
	p.x, p.y, p.a, p.key = slice(x), slice(y), ratio, key
	d.pool.run(y.N, grain, func(p *args, lo, hi, _ int) {
		keep := 1 / (1 - p.a)
		for i := lo; i < hi; {
			// lo is a multiple of 4, as grain is.
			block := p.key.Block(uint32(i >> 2))
			for _, u := range block[:min(4, hi-i)] {
				if gpu.UnitFloat(u) >= p.a {
					p.y[i] = p.x[i] * keep
				} else {
					p.y[i] = 0
				}
				i++
			}
		}
	}, p)
}

// SumSquares implements gpu.Vector.
func (d *Device) SumSquares(x *gpu.Tensor) float64 {
	p := d.start()
	p.x = slice(x)
	p.partial = d.partials((x.N + grain - 1) / grain)
	d.pool.run(x.N, grain, func(p *args, lo, hi, _ int) {
		var s float64
		for _, v := range p.x[lo:hi] {
			s += float64(v) * float64(v)
		}
		p.partial[lo/p.grain] = s
	}, p)
	return sum(p.partial)
}

// Finite implements gpu.Vector.
func (d *Device) Finite(x *gpu.Tensor) bool {
	p := d.start()
	p.x = slice(x)
	p.partial = d.partials((x.N + grain - 1) / grain)
	d.pool.run(x.N, grain, func(p *args, lo, hi, _ int) {
		var bad float64
		for _, v := range p.x[lo:hi] {
			if v-v != 0 { // NaN, or Inf - Inf
				bad = 1
			}
		}
		p.partial[lo/p.grain] = bad
	}, p)
	return sum(p.partial) == 0
}

// partials returns room for the results of n pieces.
func (d *Device) partials(n int) []float64 {
	if cap(d.sums) < n {
		d.sums = make([]float64, n)
	}
	return d.sums[:n]
}

func sum(s []float64) float64 {
	var t float64
	for _, v := range s {
		t += v
	}
	return t
}
