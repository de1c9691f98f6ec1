package host

import (
	"math"

	"dns-tui/gpu"
)

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

func tanh(x float32) float32 { return float32(math.Tanh(float64(x))) }

// sigmoids, tanhs and exps set y to the function of x, eight elements at a time where the processor has AVX2: within
// 2e-7 of the truth, and of the truth times 2e-7 for powers.
func sigmoids(x, y []float32) {
	for i := sigmoidVectors(x, y); i < len(y); i++ {
		y[i] = sigmoid(x[i])
	}
}

func tanhs(x, y []float32) {
	for i := tanhVectors(x, y); i < len(y); i++ {
		y[i] = tanh(x[i])
	}
}

// exps sets y to e^(x - top), where top is the largest of x.
func exps(x, y []float32, top float32) {
	for i := expVectors(x, y, top); i < len(y); i++ {
		y[i] = float32(math.Exp(float64(x[i] - top)))
	}
}

// products sets z to x·y.
func products(x, y, z []float32) {
	for i := mulVectors(x, y, z); i < len(z); i++ {
		z[i] = x[i] * y[i]
	}
}

// cellGrain is how many streams of size cells make a piece.
func cellGrain(size int) int { return max(1, grain/16/max(1, size)) }

func (d *back) lstmUnit(o *gpu.LSTMUnit) {
	k := lstmUnitKernel{slice(o.Before), slice(o.X), slice(o.Cont), slice(o.C), slice(o.H), o.Size}
	launch(d, &d.kernels.lstmUnit, k, o.N, cellGrain(o.Size))
}

// lstmUnitKernel does streams.
type lstmUnitKernel struct {
	before, x, cont, c, h []float32
	size                  int
}

func (k *lstmUnitKernel) run(lo, hi, _ int) {
	size := k.size
	for s := lo; s < hi; s++ {
		x, cont := k.x[s*4*size:][:4*size], k.cont[s]
		before, c, h := k.before[s*size:][:size], k.c[s*size:][:size], k.h[s*size:][:size]
		sigmoids(x[:3*size], x[:3*size])
		tanhs(x[3*size:], x[3*size:])
		i, f, o, g := x[:size], x[size:2*size], x[2*size:3*size], x[3*size:]
		switch cont {
		case 0:
			clear(f) // whatever it was, a NaN too
		case 1:
		default:
			for j := range f {
				f[j] *= cont
			}
		}
		products(f, before, c)
		products(i, g, h)
		for j := addVectors(h, c); j < size; j++ {
			c[j] += h[j]
		}
		tanhs(c, h)
		products(o, h, h)
	}
}

func (d *back) lstmUnitBackward(o *gpu.LSTMUnitBackward) {
	k := lstmUnitBackwardKernel{
		d, slice(o.Before), slice(o.Gates), slice(o.C), slice(o.DC), slice(o.DH), slice(o.DBefore), slice(o.DX), o.Size,
	}
	launch(d, &d.kernels.lstmUnitBackward, k, o.N, cellGrain(o.Size))
}

// lstmUnitBackwardKernel does streams.
type lstmUnitBackwardKernel struct {
	d                                     *back
	before, gates, c, dc, dh, dbefore, dx []float32
	size                                  int
}

func (k *lstmUnitBackwardKernel) run(lo, hi, worker int) {
	size := k.size
	ts := k.d.scratch(worker, size)
	for s := lo; s < hi; s++ {
		gates, dx := k.gates[s*4*size:][:4*size], k.dx[s*4*size:][:4*size]
		tanhs(k.c[s*size:][:size], ts)
		for j := range size {
			at := s*size + j
			i, f, o, g := gates[j], gates[size+j], gates[2*size+j], gates[3*size+j]
			t, dh := ts[j], k.dh[at]
			dc := k.dc[at] + dh*o*(1-t*t)
			before := k.before[at]
			k.dbefore[at] = dc * f
			dx[j] = dc * g * i * (1 - i)
			dx[size+j] = dc * before * f * (1 - f)
			dx[2*size+j] = dh * t * o * (1 - o)
			dx[3*size+j] = dc * i * (1 - g*g)
		}
	}
}
