package host

import (
	"math"

	"dns-tui/gpu"
)

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

func tanh(x float32) float32 { return float32(math.Tanh(float64(x))) }

// LSTMUnit implements gpu.Recurrent.
func (d *Device) LSTMUnit(n, size int, before, x, cont, c, h *gpu.Tensor) {
	gpu.Want("LSTMUnit", "before", before, n*size)
	gpu.Want("LSTMUnit", "x", x, 4*n*size)
	gpu.Want("LSTMUnit", "cont", cont, n)
	gpu.Want("LSTMUnit", "c", c, n*size)
	gpu.Want("LSTMUnit", "h", h, n*size)
	p := d.start()
	p.x, p.y, p.z, p.u, p.v, p.k = slice(x), slice(before), slice(cont), slice(c), slice(h), size
	d.pool.run(n, max(1, grain/16/max(1, size)), func(p *args, lo, hi, _ int) {
		size := p.k
		for s := lo; s < hi; s++ {
			x, cont := p.x[s*4*size:][:4*size], p.z[s]
			before, c, h := p.y[s*size:][:size], p.u[s*size:][:size], p.v[s*size:][:size]
			for j := range size {
				i, o, g := sigmoid(x[j]), sigmoid(x[2*size+j]), tanh(x[3*size+j])
				var f float32
				if cont != 0 {
					f = cont * sigmoid(x[size+j])
				}
				x[j], x[size+j], x[2*size+j], x[3*size+j] = i, f, o, g
				c[j] = f*before[j] + i*g
				h[j] = o * tanh(c[j])
			}
		}
	}, p)
}

// LSTMUnitBackward implements gpu.Recurrent.
func (d *Device) LSTMUnitBackward(n, size int, before, gates, c, dc, dh, dbefore, dx *gpu.Tensor) {
	gpu.Want("LSTMUnitBackward", "before", before, n*size)
	gpu.Want("LSTMUnitBackward", "gates", gates, 4*n*size)
	gpu.Want("LSTMUnitBackward", "c", c, n*size)
	gpu.Want("LSTMUnitBackward", "dc", dc, n*size)
	gpu.Want("LSTMUnitBackward", "dh", dh, n*size)
	gpu.Want("LSTMUnitBackward", "dbefore", dbefore, n*size)
	gpu.Want("LSTMUnitBackward", "dx", dx, 4*n*size)
	p := d.start()
	p.x, p.y, p.u, p.v, p.w, p.k = slice(gates), slice(before), slice(c), slice(dc), slice(dh), size
	p.s, p.t = slice(dbefore), slice(dx)
	d.pool.run(n, max(1, grain/16/max(1, size)), func(p *args, lo, hi, _ int) {
		size := p.k
		for s := lo; s < hi; s++ {
			x, dx := p.x[s*4*size:][:4*size], p.t[s*4*size:][:4*size]
			for j := range size {
				at := s*size + j
				i, f, o, g := x[j], x[size+j], x[2*size+j], x[3*size+j]
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
