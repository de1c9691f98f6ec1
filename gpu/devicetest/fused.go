package devicetest

import (
	"fmt"
	"math"

	"dns-tui/gpu"
)

// chains calls kernels in the rows in which layers call them, which a device may make one of: a product with its bias
// and ReLU, BatchNorm with Scale and ReLU. What each writes must be there afterwards, and what is read between must
// be right.
func chains(b *bench) {
	lossChain(b)
	for _, slope := range []float32{0, 0.1} {
		for _, inPlace := range []bool{true, false} {
			convChain(b, slope, inPlace)
			gemmChain(b, slope, inPlace)
			for _, scaled := range []bool{true, false} {
				normChain(b, slope, inPlace, scaled)
			}
		}
	}
}

func rectified(v float64, slope float32) float64 {
	if v > 0 {
		return v
	}
	return float64(slope) * v
}

func convChain(b *bench, slope float32, inPlace bool) {
	g := gpu.ConvGeometry{
		N:      2,
		C:      3,
		H:      5,
		W:      5,
		O:      4,
		KH:     3,
		KW:     3,
		SH:     1,
		SW:     1,
		PH:     1,
		PW:     1,
		DH:     1,
		DW:     1,
		Groups: 1,
	}
	g.Resolve()
	n := g.N * g.O * g.OutH * g.OutW
	x, w, c := b.random(g.N*g.C*g.H*g.W), b.random(weights(&g)), b.random(g.O)
	y := make([]float64, n)
	for i := range y {
		y[i] = float64(c[i/(g.OutH*g.OutW)%g.O])
	}
	taps(&g, func(i, k, o int) { y[o] += float64(x[i]) * float64(w[k]) })
	ty := b.empty(n)
	to := ty
	if !inPlace {
		to = b.empty(n)
	}
	b.d.Conv(&g, b.tensor(x), b.tensor(w), b.tensor(c), ty)
	b.d.ReLU(ty, to, slope)
	if !inPlace {
		b.check("Conv before ReLU", ty, y)
	}
	b.check("Conv and ReLU", to, each(n, func(i int) float64 { return rectified(y[i], slope) }))
}

func weights(g *gpu.ConvGeometry) int { return g.O * g.C / g.Groups * g.KH * g.KW }

func gemmChain(b *bench, slope float32, inPlace bool) {
	const m, n, k = 5, 7, 9
	x, w, c := b.random(m*k), b.random(n*k), b.random(n)
	y := each(m*n, func(i int) float64 {
		t := float64(c[i%n])
		for j := range k {
			t += float64(x[i/n*k+j]) * float64(w[i%n*k+j])
		}
		return t
	})
	ty := b.empty(m * n)
	to := ty
	if !inPlace {
		to = b.empty(m * n)
	}
	s := gpu.ChannelShape{Outer: m, Channels: n, Inner: 1}
	tx, tw, tc := b.tensor(x), b.tensor(w), b.tensor(c)
	b.d.Gemm(false, true, m, n, k, 1, tx, tw, 0, ty)
	b.d.AddBias(s, tc, ty)
	b.d.ReLU(ty, to, slope)
	b.check("product, bias and ReLU", to, each(m*n, func(i int) float64 { return rectified(y[i], slope) }))
	// Twice the bias, and a product that adds: both are their own kernels.
	b.d.Gemm(false, true, m, n, k, 1, tx, tw, 0, ty)
	b.d.AddBias(s, tc, ty)
	b.d.AddBias(s, tc, ty)
	b.d.Gemm(false, true, m, n, k, 1, tx, tw, 1, ty)
	b.d.AddBias(s, tc, ty)
	b.check("products and biases", ty, each(m*n, func(i int) float64 { return 2*y[i] + float64(c[i%n]) }))
}

func normChain(b *bench, slope float32, inPlace, scaled bool) {
	s := gpu.ChannelShape{Outer: 4, Channels: 3, Inner: 6}
	n := s.Len()
	x, a, c := b.random(n), b.random(3), b.random(3)
	tx, mean, variance, norm, y, kept := b.tensor(x), b.empty(3), b.empty(3), b.empty(n), b.empty(n), b.empty(n)
	out := y
	if !inPlace {
		out = b.empty(n)
	}
	b.d.BatchStats(s, tx, mean, variance)
	b.d.Normalize(s, tx, mean, variance, nil, 1e-5, norm)
	b.d.Copy(y, norm)
	if scaled {
		b.d.Copy(kept, y)
		b.d.Scale(s, y, b.tensor(a), b.tensor(c), y)
	}
	b.d.ReLU(y, out, slope)
	channel := func(i int) int { return i / s.Inner % s.Channels }
	per := float64(s.Outer * s.Inner)
	want := make([]float64, n)
	for ch := range s.Channels {
		m, v := 0.0, 0.0
		for i := range n {
			if channel(i) == ch {
				m += float64(x[i]) / per
			}
		}
		for i := range n {
			if channel(i) == ch {
				v += math.Pow(float64(x[i])-m, 2) / per
			}
		}
		for i := range n {
			if channel(i) == ch {
				want[i] = (float64(x[i]) - m) / math.Sqrt(v+1e-5)
			}
		}
	}
	name := fmt.Sprintf("in place %t, scaled %t, slope %g: ", inPlace, scaled, slope)
	b.check(name+"norm", norm, want)
	if scaled {
		b.check(name+"copy", kept, want)
		for i := range want {
			want[i] = float64(a[channel(i)])*want[i] + float64(c[channel(i)])
		}
	}
	if !inPlace {
		b.check(name+"before ReLU", y, want)
	}
	b.check(name+"output", out, each(n, func(i int) float64 { return rectified(want[i], slope) }))
}

// lossChain is a softmax and its loss, with labels that are ignored and one that is no class.
func lossChain(b *bench) {
	for _, s := range []gpu.ChannelShape{
		{Outer: 19, Channels: 10, Inner: 1}, {Outer: 3, Channels: 70, Inner: 1}, {Outer: 2, Channels: 4, Inner: 5},
	} {
		x, labels := b.random(s.Len()), b.labels(s.Outer*s.Inner, s.Channels)
		y := reference(s, x)
		loss, count := 0.0, 0.0
		columns(s, func(p int, at []int) {
			if c := int(labels[p]); c != 1 {
				loss -= math.Log(y[at[c]])
				count++
			}
		})
		count = math.Max(count, 1)
		tx, tl, ty, stat := b.tensor(x), b.tensor(labels), b.empty(s.Len()), b.empty(2)
		b.d.Softmax(s, tx, ty)
		b.d.SoftmaxLoss(s, ty, tl, gpu.Ignore{On: true, Label: 1}, 0, stat)
		b.check("softmax before its loss", ty, y)
		b.check("loss of a softmax", stat, []float64{loss / count, count})
		labels[len(labels)-1] = float32(s.Channels)
		b.d.Upload(tl, labels)
		b.d.Softmax(s, tx, ty)
		b.d.SoftmaxLoss(s, ty, tl, gpu.Ignore{}, 0, stat)
		if v := b.values(stat)[0]; v == v {
			b.Errorf("loss of a softmax with a label that is not a valid class is %g, wanted NaN", v)
		}
	}
}

// batchNormAfter is BatchNorm with what comes after it, as one operation.
func batchNormAfter(b *bench) {
	const eps = 1e-5
	for _, s := range append(
		[]gpu.ChannelShape{{Outer: 5, Channels: 3, Inner: 49}, {Outer: 2, Channels: 2, Inner: 2055}}, shapes...,
	) {
		if s.Outer*s.Inner < 2 {
			continue // the gradient of one value is 0/sqrt(eps)
		}
		for _, c := range []struct {
			scaled, biased, relu bool
			slope                float32
		}{{}, {relu: true}, {scaled: true}, {scaled: true, biased: true, relu: true}, {true, true, true, 0.1}} {
			afterCase(b, s, eps, c.scaled, c.biased, c.relu, c.slope)
		}
	}
}

func afterCase(b *bench, s gpu.ChannelShape, eps float32, scaled, biased, relu bool, slope float32) {
	n, per := s.Len(), float64(s.Outer*s.Inner)
	ch := func(i int) int { return i / s.Inner % s.Channels }
	x, dy, a, c := b.random(n), b.random(n), b.random(s.Channels), b.random(s.Channels)
	var after gpu.After
	if after.ReLU, after.Slope = relu, slope; scaled {
		after.A = b.tensor(a)
	}
	if biased {
		after.B = b.tensor(c)
	}
	for i := range s.Channels {
		if !scaled {
			a[i] = 1
		}
		if !biased {
			c[i] = 0
		}
	}
	mean := perChannel(s, nil, func(i int) float64 { return float64(x[i]) / per })
	variance := perChannel(s, nil, func(i int) float64 { return math.Pow(float64(x[i])-mean[ch(i)], 2) / per })
	deviation := func(i int) float64 { return math.Sqrt(variance[ch(i)] + float64(eps)) }
	norm := each(n, func(i int) float64 { return (float64(x[i]) - mean[ch(i)]) / deviation(i) })
	v := each(n, func(i int) float64 { return float64(a[ch(i)])*norm[i] + float64(c[ch(i)]) })
	y := each(n, func(i int) float64 {
		if relu {
			return rectified(v[i], slope)
		}
		return v[i]
	})
	tx, tm, tv, tn, ty := b.tensor(x), b.empty(s.Channels), b.empty(s.Channels), b.empty(n), b.empty(n)
	b.d.BatchNorm(s, eps, after, tx, tm, tv, tn, ty)
	what := fmt.Sprintf("BatchNorm %+v scaled %t biased %t relu %t %g", s, scaled, biased, relu, slope)
	b.check(what+" mean", tm, mean)
	b.check(what+" variance", tv, variance)
	b.check(what+" norm", tn, norm)
	b.check(what, ty, y)
	b.d.BatchNorm(s, eps, after, tx, tm, tv, tn, tx)
	b.check(what+" in place", tx, y)

	g := each(n, func(i int) float64 {
		if relu && !(v[i] > 0) {
			return float64(dy[i]) * float64(slope)
		}
		return float64(dy[i])
	})
	da, db := b.random(s.Channels), b.random(s.Channels)
	meanG := perChannel(s, nil, func(i int) float64 { return float64(a[ch(i)]) * g[i] / per })
	meanGNorm := perChannel(s, nil, func(i int) float64 { return float64(a[ch(i)]) * g[i] * norm[i] / per })
	dx := each(n, func(i int) float64 {
		return (float64(a[ch(i)])*g[i] - meanG[ch(i)] - norm[i]*meanGNorm[ch(i)]) / deviation(i)
	})
	for _, inPlace := range []bool{false, true} {
		tdy, tdx := b.tensor(dy), b.empty(n)
		if inPlace {
			tdx = tdy
		}
		var tda, tdb *gpu.Tensor
		if scaled {
			tda = b.tensor(da)
		}
		if biased {
			tdb = b.tensor(db)
		}
		b.d.BatchNormBackward(s, eps, after, tn, tv, tdy, tdx, tda, tdb)
		b.check(what+" dx", tdx, dx)
		if scaled {
			b.check(what+" da", tda, perChannel(s, da, func(i int) float64 { return g[i] * norm[i] }))
		}
		if biased {
			b.check(what+" db", tdb, perChannel(s, db, func(i int) float64 { return g[i] }))
		}
	}
}
