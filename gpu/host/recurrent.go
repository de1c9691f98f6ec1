package host

import (
	"math"

	"dns-tui/gpu"
)

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

func tanh(x float32) float32 { return float32(math.Tanh(float64(x))) }

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
}

func (d *back) lstmUnitBackward(o *gpu.LSTMUnitBackward) {
	k := lstmUnitBackwardKernel{
		slice(o.Before), slice(o.Gates), slice(o.C), slice(o.DC), slice(o.DH), slice(o.DBefore), slice(o.DX), o.Size,
	}
	launch(d, &d.kernels.lstmUnitBackward, k, o.N, cellGrain(o.Size))
}

// lstmUnitBackwardKernel does streams.
type lstmUnitBackwardKernel struct {
	before, gates, c, dc, dh, dbefore, dx []float32
	size                                  int
}

func (k *lstmUnitBackwardKernel) run(lo, hi, _ int) {
	size := k.size
	for s := lo; s < hi; s++ {
		gates, dx := k.gates[s*4*size:][:4*size], k.dx[s*4*size:][:4*size]
		for j := range size {
			at := s*size + j
			i, f, o, g := gates[j], gates[size+j], gates[2*size+j], gates[3*size+j]
			t, dh := tanh(k.c[at]), k.dh[at]
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
