package devicetest

import (
	"fmt"
	"math"

	"dns-tui/gpu"
)

// rectifiers are operations that do a ReLU in their own pass, where the device has them: their bits are those of the
// operations one after the other, at the edges of what kernels do at once.
func rectifiers(b *bench) {
	on := gpu.Rectifier{On: true}
	for _, slope := range []float32{0, 0.1} {
		on.Slope = slope
		for _, n := range []int{1, 7, 2048, 2049, 40003} {
			rectifiedSum(b, n, on)
		}
		for _, s := range append([]gpu.ChannelShape{
			{Outer: 5, Channels: 3, Inner: 49}, {Outer: 300, Channels: 70, Inner: 1},
			{Outer: 2, Channels: 3, Inner: 6000},
		}, shapes...) {
			rectifiedBias(b, s, slope)
			normalizedAfter(b, s, slope)
		}
		for _, c := range []struct{ m, n, k int }{
			{1, 1, 1}, {3, 5, 7}, {64, 70, 65}, {9, 33, 300}, {300, 20, 5}, {70, 300, 520},
		} {
			for _, biased := range []bool{true, false} {
				rectifiedProduct(b, c.m, c.n, c.k, biased, on)
				rectifiedProduct(b, c.m, c.n, c.k, biased, gpu.Rectifier{})
			}
		}
	}
}

// same compares the bits of two tensors.
func (b *bench) same(what string, have, want *gpu.Tensor) {
	b.Helper()
	h, w := b.values(have), b.values(want)
	for i := range h {
		if math.Float32bits(h[i]) != math.Float32bits(w[i]) {
			b.Fatalf("%s[%d] is %g, one after the other %g", what, i, h[i], w[i])
		}
	}
}

// withZeros are random numbers of which some are 0.
func (b *bench) withZeros(n int) []float32 {
	v := b.random(n)
	for i := 0; i < n; i += 5 {
		v[i] = 0
	}
	return v
}

func rectifiedSum(b *bench, n int, on gpu.Rectifier) {
	if !b.d.Has(&gpu.Add{Then: on}) || !b.d.Has(&gpu.AddBackward{Then: on}) {
		return
	}
	what := fmt.Sprintf("sum of %d, slope %g", n, on.Slope)
	x, y, z, want := b.tensor(b.withZeros(n)), b.tensor(b.withZeros(n)), b.empty(n), b.empty(n)
	b.d.AddReLU(1, x, -0.5, y, z, on.Slope)
	b.d.Add(1, x, -0.5, y, want)
	b.d.ReLU(want, want, on.Slope)
	b.same(what, z, want)
	dz := b.tensor(b.random(n))
	g, dx, dy, wdx, wdy := b.empty(n), b.empty(n), b.empty(n), b.empty(n), b.empty(n)
	for _, then := range []gpu.Rectifier{on, {}} {
		if then.On {
			b.d.ReLUBackward(z, dz, g, on.Slope)
		} else {
			b.d.Copy(g, dz)
		}
		b.d.Axpby(1, g, 0, wdx)
		b.d.Axpby(-0.5, g, 0, wdy)
		b.d.AddBackward(then, z, dz, 1, dx, -0.5, dy)
		b.same(what+": dx", dx, wdx)
		b.same(what+": dy", dy, wdy)
		b.d.AddBackward(then, z, dz, 1, nil, 1, dx)
		b.same(what+": of the second alone", dx, wdx)
	}
}

func rectifiedBias(b *bench, s gpu.ChannelShape, slope float32) {
	if !b.d.Has(&gpu.ReLUBias{Shape: s}) {
		return
	}
	what := fmt.Sprintf("gradient of a ReLU and biases, %+v, slope %g", s, slope)
	y, v, sums := b.tensor(b.withZeros(s.Len())), b.random(s.Len()), b.random(s.Channels)
	dy, want, db, wantDB := b.tensor(v), b.tensor(v), b.tensor(sums), b.tensor(sums)
	b.d.ReLUBackward(y, want, want, slope)
	b.d.SumBias(s, want, wantDB)
	b.d.ReLUBias(s, y, dy, slope, db)
	b.same(what, dy, want)
	b.same(what+": db", db, wantDB)
	dy = b.tensor(v)
	b.d.ReLUBias(s, y, dy, slope, nil)
	b.same(what+", no bias", dy, want)
}

func normalizedAfter(b *bench, s gpu.ChannelShape, slope float32) {
	if !b.d.Has(&gpu.Normalize{Shape: s, After: gpu.After{ReLU: true}}) {
		return
	}
	ones := b.random(s.Channels)
	for i := range ones {
		ones[i] = 1 + ones[i]/2
	}
	x, mean, variance, weight := b.tensor(b.random(s.Len())), b.tensor(b.random(s.Channels)), b.tensor(ones), b.tensor(
		[]float32{3})
	y, want := b.empty(s.Len()), b.empty(s.Len())
	for _, after := range []gpu.After{
		{ReLU: true, Slope: slope}, {A: b.tensor(b.random(s.Channels))},
		{A: b.tensor(b.random(s.Channels)), B: b.tensor(b.random(s.Channels)), ReLU: true, Slope: slope},
	} {
		b.d.Normalize(s, x, mean, variance, weight, 1e-3, want)
		if after.A != nil {
			b.d.Scale(s, want, after.A, after.B, want)
		}
		if after.ReLU {
			b.d.ReLU(want, want, slope)
		}
		what := fmt.Sprintf("normalised, scaled %t, biased %t, rectified %t, %+v", after.A != nil, after.B != nil,
			after.ReLU, s)
		b.d.NormalizeAfter(s, x, mean, variance, weight, 1e-3, after, y)
		wanted := make([]float64, 0, s.Len())
		for _, v := range b.values(want) {
			wanted = append(wanted, float64(v))
		}
		b.check(what, y, wanted)
		inPlace := b.tensor(b.values(x))
		b.d.NormalizeAfter(s, inPlace, mean, variance, weight, 1e-3, after, inPlace)
		b.same(what+", in place", inPlace, y)
	}
}

func rectifiedProduct(b *bench, m, n, k int, biased bool, then gpu.Rectifier) {
	if !b.d.Has(&gpu.Gemm{M: m, N: n, K: k, Then: gpu.Rectifier{On: true}}) {
		return
	}
	for _, transB := range []bool{true, false} {
		for _, kept := range []int{1, 40} { // one weight of so many
			w := b.random(n * k)
			for i := range w {
				if i%kept != 0 {
					w[i] = 0
				}
			}
			x, tw, y, want := b.tensor(b.random(m*k)), b.tensor(w), b.empty(m*n), b.empty(m*n)
			var bias *gpu.Tensor
			b.d.GemmPruned(transB, m, n, k, x, tw, want)
			if biased {
				bias = b.tensor(b.random(n))
				b.d.AddBias(gpu.ChannelShape{Outer: m, Channels: n, Inner: 1}, bias, want)
			}
			if then.On {
				b.d.ReLU(want, want, then.Slope)
			}
			b.d.InnerProduct(transB, m, n, k, x, tw, bias, y, then)
			b.same(fmt.Sprintf("product %d×%d×%d, transB %t, biased %t, %+v", m, n, k, transB, biased, then), y, want)
		}
	}
}

// rectifiedConv is a convolution with a ReLU in its own pass: y is what the convolution makes.
func rectifiedConv(b *bench, g *gpu.ConvGeometry, x, w, c, y *gpu.Tensor) {
	for _, slope := range []float32{0, 0.1} {
		if !b.d.Has(&gpu.Conv{G: g, Then: gpu.Rectifier{On: true, Slope: slope}}) {
			return
		}
		have, want := b.empty(y.N), b.empty(y.N)
		b.d.ReLU(y, want, slope)
		b.d.ConvReLU(g, x, w, c, have, slope)
		b.same(fmt.Sprintf("conv %+v, ReLU of slope %g", *g, slope), have, want)
	}
}
