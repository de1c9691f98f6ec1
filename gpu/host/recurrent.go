package host

import (
	"math"

	"dns-tui/gpu"
)

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

func tanh(x float32) float32 { return float32(math.Tanh(float64(x))) }

// gates are what the four inputs of a cell open: i, f (with cont), o, g.
func gates(x []float32, at, size int, cont float32) (i, f, o, g float32) {
	i, o, g = sigmoid(x[at]), sigmoid(x[2*size+at]), tanh(x[3*size+at])
	if cont != 0 {
		f = cont * sigmoid(x[size+at])
	}
	return i, f, o, g
}

// LSTMUnit implements gpu.Recurrent.
func (d *Device) LSTMUnit(n, size int, before, x, cont, c, h *gpu.Tensor) {
	checkUnit("LSTMUnit", n, size, before, x, cont)
	want("LSTMUnit", "c", c, n*size)
	want("LSTMUnit", "h", h, n*size)
	p := d.start()
	p.x, p.y, p.z, p.u, p.v, p.k = slice(x), slice(before), slice(cont), slice(c), slice(h), size
	d.pool.run(n, max(1, grain/16/max(1, size)), func(p *args, lo, hi, _ int) {
		size := p.k
		for s := lo; s < hi; s++ {
			for j := range size {
				i, f, o, g := gates(p.x[s*4*size:], j, size, p.z[s])
				c := f*p.y[s*size+j] + i*g
				p.u[s*size+j], p.v[s*size+j] = c, o*tanh(c)
			}
		}
	}, p)
}

// LSTMUnitBackward implements gpu.Recurrent.
func (d *Device) LSTMUnitBackward(n, size int, before, x, cont, c, dc, dh, dbefore, dx *gpu.Tensor) {
	checkUnit("LSTMUnitBackward", n, size, before, x, cont)
	want("LSTMUnitBackward", "c", c, n*size)
	want("LSTMUnitBackward", "dc", dc, n*size)
	want("LSTMUnitBackward", "dh", dh, n*size)
	want("LSTMUnitBackward", "dbefore", dbefore, n*size)
	want("LSTMUnitBackward", "dx", dx, 4*n*size)
	p := d.start()
	p.x, p.y, p.z, p.u, p.v, p.w, p.k = slice(x), slice(before), slice(cont), slice(c), slice(dc), slice(dh), size
	p.s, p.t = slice(dbefore), slice(dx)
	d.pool.run(n, max(1, grain/16/max(1, size)), func(p *args, lo, hi, _ int) {
		size := p.k
		for s := lo; s < hi; s++ {
			dx := p.t[s*4*size:][:4*size]
			for j := range size {
				at := s*size + j
				i, f, o, g := gates(p.x[s*4*size:], j, size, p.z[s])
				t, dh := tanh(p.u[at]), p.w[at]
				dc := p.v[at] + dh*o*(1-t*t)
				p.s[at] = dc * f
				dx[j] = dc * g * i * (1 - i)
				dx[size+j] = dc * p.y[at] * f * (1 - f)
				dx[2*size+j] = dh * t * o * (1 - o)
				dx[3*size+j] = dc * i * (1 - g*g)
			}
		}
	}, p)
}

func checkUnit(op string, n, size int, before, x, cont *gpu.Tensor) {
	want(op, "before", before, n*size)
	want(op, "x", x, 4*n*size)
	want(op, "cont", cont, n)
}
