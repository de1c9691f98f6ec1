package host

import (
	"math"
	"testing"

	"dns-tui/gpu"
)

// The error of a convolution in the manner of Winograd, against float64: of inputs in [0, 1), as behind a ReLU, and
// weights around 0, the largest is 1.7e-5 of the root of the mean square of outputs for 3×3 and 256 channels, and 9e-6
// for 5×5 and 96; those of direct sums, of 2,304 and 2,400 products in their order, are 1e-5 and 6e-6.
func TestWinogradError(t *testing.T) {
	if !has(vecWinograd) {
		t.Skip("the processor has no AVX2 and FMA")
	}
	for _, c := range []struct{ side, channels int }{{3, 256}, {5, 96}} {
		g := gpu.ConvGeometry{
			N: 1, C: c.channels, H: 14, W: 14, O: 32, KH: c.side, KW: c.side, SH: 1, SW: 1,
			PH: c.side / 2, PW: c.side / 2, DH: 1, DW: 1, Groups: 1,
		}
		g.Resolve()
		key := gpu.Key{Seed: 5}
		x, w, y := make([]float32, g.InputLen()), make([]float32, g.WeightLen()), make([]float32, g.OutputLen())
		for i := range x {
			x[i] = key.Uniform(i)
		}
		for i := range w {
			w[i] = key.Uniform(len(x)+i) - 0.5
		}
		truth, square := make([]float64, len(y)), 0.0
		taps := c.side * c.side
		for i := range truth {
			o, h, v := i/196, i/14%14, i%14
			for c := range g.C {
				for k := range taps {
					h, v := h+k/g.KW-g.PH, v+k%g.KW-g.PW
					if h >= 0 && h < 14 && v >= 0 && v < 14 {
						truth[i] += float64(x[(c*14+h)*14+v]) * float64(w[(o*g.C+c)*taps+k])
					}
				}
			}
			square += truth[i] * truth[i]
		}
		d := NewBack(Options{Threads: 1, GoBLAS: true}).(*back)
		largest := func(do func()) (e float64) {
			do()
			for i, v := range y {
				e = max(e, math.Abs(float64(v)-truth[i]))
			}
			return e / math.Sqrt(square/float64(len(y)))
		}
		manner := largest(func() { d.winograd(&g, x, w, nil, y, false, gpu.Rectifier{}) })
		plain := largest(func() { d.direct(d.directOf(&g), x, w, nil, y, false, gpu.Rectifier{}) })
		_ = d.Close()
		t.Logf("%d×%d: Winograd's error is %.2g, a direct sum's %.2g", c.side, c.side, manner, plain)
		if !(manner < 4e-5 && plain < 2e-5) {
			t.Errorf("%d×%d: Winograd's error is %g, a direct sum's %g, of the outputs' root mean square",
				c.side, c.side, manner, plain)
		}
	}
}

// The error of gradients of weights in the manner of Winograd, against float64: of inputs in [0, 1) and gradients
// around 0, the largest is 1.4e-5 of the root of the mean square of gradients; that of direct sums, of four runs of 784
// products each, is 1.6e-6.
func TestWinogradWeightsError(t *testing.T) {
	if !has(vecWinograd) {
		t.Skip("the processor has no AVX2 and FMA")
	}
	const side, plane = 28, 28 * 28
	g := gpu.ConvGeometry{
		N: 4, C: 16, H: side, W: side, O: 16, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1,
	}
	g.Resolve()
	b := NewBack(Options{Threads: 1, GoBLAS: true}).(*back)
	d := gpu.NewDevice(b, nil)
	defer d.Close()
	key := gpu.Key{Seed: 6}
	tensor := func(n int, less float32) (*gpu.Tensor, []float32) {
		v := make([]float32, n)
		for i := range v {
			v[i] = key.Uniform(i) - less
		}
		key.Iter++
		x, err := gpu.NewTensor(d, n)
		if err != nil {
			t.Fatal(err)
		}
		d.Upload(x, v)
		return x, v
	}
	tx, x := tensor(g.InputLen(), 0)
	tdy, dy := tensor(g.OutputLen(), 0.5)
	truth, square := make([]float64, g.WeightLen()), 0.0
	for i := range truth {
		o, c, kh, kw := i/9/g.C, i/9%g.C, i/3%3, i%3
		for n := range g.N {
			for h := range side {
				for v := range side {
					if h, w := h+kh-1, v+kw-1; h >= 0 && h < side && w >= 0 && w < side {
						at := (n*g.O+o)*plane + (h-kh+1)*side + v
						truth[i] += float64(x[(n*g.C+c)*plane+h*side+w]) * float64(dy[at])
					}
				}
			}
		}
		square += truth[i] * truth[i]
	}
	largest := func(do func(*gpu.ConvBackwardWeights)) (e float64) {
		tdw, dw := tensor(g.WeightLen(), 0)
		d.Fill(tdw, 0)
		do(&gpu.ConvBackwardWeights{G: &g, X: tx, DY: tdy, DW: tdw})
		d.Download(dw, tdw)
		for i, v := range dw {
			e = max(e, math.Abs(float64(v)-truth[i]))
		}
		return e / math.Sqrt(square/float64(len(dw)))
	}
	manner, plain := largest(b.convBackwardWeightsWinograd), largest(b.convBackwardWeightsDirect)
	t.Logf("Winograd's error is %.2g, a direct sum's %.2g", manner, plain)
	if !(manner < 4e-5 && plain < 4e-6) {
		t.Errorf("Winograd's error is %g, a direct sum's %g, of the gradients' root mean square", manner, plain)
	}
}

// Pieces of rows of tiles are as large as they may be, as many on two threads, and of one size but for the last.
func TestWinogradEvenly(t *testing.T) {
	for _, c := range []struct{ rows, most, across, groups, want int }{
		{16, 14, 2, 1, 8}, {32, 14, 4, 1, 8}, {56, 16, 7, 1, 14}, {112, 16, 14, 1, 14}, {384, 55, 6, 1, 48},
		{16, 100, 2, 1, 8}, {4, 100, 2, 1, 4}, {4, 100, 2, 2, 4}, {1, 1, 50, 1, 1}, {30, 10, 8, 2, 10},
	} {
		if have := evenly(c.rows, c.most, c.across, c.groups); have != c.want {
			t.Errorf("%+v: %d rows", c, have)
		}
	}
}
