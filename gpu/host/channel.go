package host

import (
	"math"

	"dns-tui/gpu"
)

// channelGrain is how many channels make a piece: each channel's sums are made in one order by one worker.
func channelGrain(s gpu.ChannelShape) int { return max(1, grain/max(1, s.Outer*s.Inner)) }

func (d *back) addBias(o *gpu.AddBias) {
	s := o.Shape
	k := addBiasKernel{o.Shape, slice(o.B), slice(o.Y)}
	launch(d, &d.kernels.addBias, k, s.Outer, max(1, grain/(s.Channels*s.Inner)))
}

type addBiasKernel struct {
	s    gpu.ChannelShape
	b, y []float32
}

func (k *addBiasKernel) run(lo, hi, _ int) {
	s := k.s
	for o := lo; o < hi; o++ {
		y := k.y[o*s.Channels*s.Inner:][:s.Channels*s.Inner]
		if s.Inner == 1 {
			for c := addVectors(k.b, y); c < len(y); c++ {
				y[c] += k.b[c]
			}
			continue
		}
		for c, b := range k.b {
			row := y[c*s.Inner:][:s.Inner]
			for i := scaleVectors(row, row, 1, b); i < len(row); i++ {
				row[i] += b
			}
		}
	}
}

func (d *back) sumBias(s gpu.ChannelShape, dy, db *gpu.Tensor) {
	k := sumBiasKernel{s, slice(dy), slice(db)}
	if s.Inner == 1 {
		launch(d, &d.kernels.sumColumns, sumColumnsKernel(k), s.Channels, columnsTogether)
		return
	}
	launch(d, &d.kernels.sumBias, k, s.Channels, channelGrain(s))
}

type sumBiasKernel struct {
	s      gpu.ChannelShape
	dy, db []float32
}

func (k *sumBiasKernel) run(lo, hi, _ int) {
	s := k.s
	for c := lo; c < hi; c++ {
		var t float64
		for o := range s.Outer {
			t += sum32(k.dy[(o*s.Channels+c)*s.Inner:][:s.Inner])
		}
		k.db[c] += float32(t)
	}
}

// columnsTogether is how many columns are summed at once: four lines of the cache of each row.
const columnsTogether = 64

// sumColumnsKernel is sumBiasKernel of rows of one number a channel. Sums of rowsSummed rows, in float32, go on in
// float64.
type sumColumnsKernel sumBiasKernel

const rowsSummed = 128

func (k *sumColumnsKernel) run(lo, hi, _ int) {
	for ; lo < hi; lo += columnsTogether {
		n := min(columnsTogether, hi-lo)
		sums := columnSums{db: k.db[lo:][:n]}
		for o := range k.s.Outer {
			sums.add(k.dy[o*k.s.Channels+lo:][:n])
		}
		sums.end()
	}
}

// columnSums adds the sums of columns to db, at most columnsTogether.
type columnSums struct {
	db     []float32
	rows   int
	sums   [columnsTogether]float32
	totals [columnsTogether]float64
}

func (s *columnSums) add(row []float32) {
	accumulate(row, s.sums[:len(row)])
	if s.rows++; s.rows == rowsSummed {
		s.carry()
	}
}

func (s *columnSums) carry() {
	for c, v := range s.sums[:len(s.db)] {
		s.totals[c] += float64(v)
	}
	s.rows, s.sums = 0, [columnsTogether]float32{}
}

func (s *columnSums) end() {
	if s.rows > 0 {
		s.carry()
	}
	for c, t := range s.totals[:len(s.db)] {
		s.db[c] += float32(t)
	}
}

// summed is how many elements are summed in float32 lanes, four or more, before the sum goes on in float64.
const summed = 2048

// sum32 is Σ x.
func sum32(x []float32) float64 {
	var t float64
	for len(x) > 0 {
		piece := x[:min(len(x), summed)]
		x = x[len(piece):]
		a, done := sumVectors(piece)
		piece = piece[done:]
		var b, c, e float32
		for len(piece) >= 4 {
			a += piece[0]
			b += piece[1]
			c += piece[2]
			e += piece[3]
			piece = piece[4:]
		}
		for _, v := range piece {
			a += v
		}
		t += float64((a + b) + (c + e))
	}
	return t
}

func (d *back) scale(o *gpu.Scale) {
	k := scaleKernel{o.Shape, slice(o.X), slice(o.A), slice(o.B), slice(o.Y)}
	launch(d, &d.kernels.scale, k, o.Shape.Channels, channelGrain(o.Shape))
}

type scaleKernel struct {
	s          gpu.ChannelShape
	x, a, b, y []float32
}

func (k *scaleKernel) run(lo, hi, _ int) {
	s := k.s
	for o := range s.Outer {
		for c := lo; c < hi; c++ {
			at := (o*s.Channels + c) * s.Inner
			y, a := k.y[at:at+s.Inner], k.a[c]
			var b float32
			if k.b != nil {
				b = k.b[c]
			}
			x := k.x[at : at+s.Inner]
			for i := scaleVectors(x, y, a, b); i < len(x); i++ {
				y[i] = float32(a*x[i]) + b // rounded, as vectors do
			}
		}
	}
}

func (d *back) scaleBackward(o *gpu.ScaleBackward) {
	if o.DB != nil {
		d.sumBias(o.Shape, o.DY, o.DB)
	}
	k := scaleBackwardKernel{o.Shape, slice(o.X), slice(o.DY), slice(o.A), slice(o.DX), slice(o.DA)}
	launch(d, &d.kernels.scaleBackward, k, o.Shape.Channels, channelGrain(o.Shape))
}

type scaleBackwardKernel struct {
	s                gpu.ChannelShape
	x, dy, a, dx, da []float32
}

func (k *scaleBackwardKernel) run(lo, hi, _ int) {
	s := k.s
	for c := lo; c < hi; c++ {
		var t float64
		a := k.a[c]
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			x, dy := k.x[at:at+s.Inner], k.dy[at:at+s.Inner]
			if k.da != nil {
				t += dot32(x, dy)
			}
			if k.dx != nil {
				dx := k.dx[at : at+s.Inner]
				for i := axpbyVectors(dy, dx, a, 0); i < len(dy); i++ {
					dx[i] = a * dy[i]
				}
			}
		}
		if k.da != nil {
			k.da[c] += float32(t)
		}
	}
}

// dot32 is Σ x·y with the summation of sum32.
func dot32(x, y []float32) float64 {
	var t float64
	for len(x) > 0 {
		n := min(len(x), summed)
		a, done := dotVectors(x[:n], y[:n])
		u, v := x[done:n], y[done:n]
		x, y = x[n:], y[n:]
		var b, c, e float32
		for len(u) >= 4 && len(v) >= 4 {
			a += float32(u[0] * v[0])
			b += float32(u[1] * v[1])
			c += float32(u[2] * v[2])
			e += float32(u[3] * v[3])
			u, v = u[4:], v[4:]
		}
		for i, w := range u {
			a += float32(w * v[i])
		}
		t += float64((a + b) + (c + e))
	}
	return t
}

// sumDot32 is Σ y and Σ x·y with the summation of sum32.
func sumDot32(x, y []float32) (sum, dot float64) {
	for len(x) > 0 {
		n := min(len(x), summed)
		s, p, done := sumDotVectors(x[:n], y[:n])
		if done == 0 {
			return sum + sum32(y), dot + dot32(x, y)
		}
		for i, v := range y[done:n] {
			s += v
			p += float32(v * x[done+i])
		}
		sum, dot = sum+float64(s), dot+float64(p)
		x, y = x[n:], y[n:]
	}
	return sum, dot
}

func (d *back) prelu(o *gpu.PReLU) {
	k := preluKernel{o.Shape, slice(o.X), slice(o.A), slice(o.Y)}
	launch(d, &d.kernels.prelu, k, o.Shape.Channels, channelGrain(o.Shape))
}

type preluKernel struct {
	s       gpu.ChannelShape
	x, a, y []float32
}

func (k *preluKernel) run(lo, hi, _ int) {
	s := k.s
	for o := range s.Outer {
		for c := lo; c < hi; c++ {
			at := (o*s.Channels + c) * s.Inner
			leaky(k.x[at:at+s.Inner], k.y[at:at+s.Inner], k.a[c])
		}
	}
}

func (d *back) preluBackward(o *gpu.PReLUBackward) {
	k := preluBackwardKernel{o.Shape, slice(o.X), slice(o.DY), slice(o.A), slice(o.DX), slice(o.DA)}
	launch(d, &d.kernels.preluBackward, k, o.Shape.Channels, channelGrain(o.Shape))
}

type preluBackwardKernel struct {
	s                gpu.ChannelShape
	x, dy, a, dx, da []float32
}

func (k *preluBackwardKernel) run(lo, hi, _ int) {
	s := k.s
	for c := lo; c < hi; c++ {
		var t float64
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			x, dy := k.x[at:at+s.Inner], k.dy[at:at+s.Inner]
			if k.da != nil {
				t += dotBelow(x, dy)
			}
			if k.dx != nil {
				(&reluBackwardKernel{x, dy, k.dx[at : at+s.Inner], k.a[c]}).run(0, len(x), 0)
			}
		}
		if k.da != nil {
			k.da[c] += float32(t)
		}
	}
}

// dotBelow is Σ x·y where x is not above 0. Vectors' lanes are summed as sum32's.
func dotBelow(x, y []float32) float64 {
	var t float64
	for len(x) > 0 {
		n := min(len(x), summed)
		dot, done := dotBelowVectors(x[:n], y[:n])
		t += float64(dot)
		for i := done; i < n; i++ {
			if !(x[i] > 0) {
				t += float64(x[i] * y[i])
			}
		}
		x, y = x[n:], y[n:]
	}
	return t
}

func (d *back) batchStats(o *gpu.BatchStats) {
	k := batchStatsKernel{o.Shape, slice(o.X), slice(o.Mean), slice(o.Variance)}
	launch(d, &d.kernels.batchStats, k, o.Shape.Channels, channelGrain(o.Shape))
}

type batchStatsKernel struct {
	s                 gpu.ChannelShape
	x, mean, variance []float32
}

func (k *batchStatsKernel) run(lo, hi, _ int) {
	s := k.s
	n := float64(s.Outer * s.Inner)
	for c := lo; c < hi; c++ {
		var t float64
		for o := range s.Outer {
			t += sum32(k.x[(o*s.Channels+c)*s.Inner:][:s.Inner])
		}
		m := float32(t / n)
		var sq float64
		for o := range s.Outer {
			sq += squares32(k.x[(o*s.Channels+c)*s.Inner:][:s.Inner], m)
		}
		k.mean[c], k.variance[c] = m, float32(sq/n)
	}
}

// squares32 is Σ (x - m)² with the summation of sum32.
func squares32(x []float32, m float32) float64 {
	var t float64
	for len(x) > 0 {
		u := x[:min(len(x), summed)]
		x = x[len(u):]
		a, done := deviationsVectors(u, m)
		u = u[done:]
		var b float32
		for len(u) >= 2 {
			p, q := u[0]-m, u[1]-m
			a += float32(p * p)
			b += float32(q * q)
			u = u[2:]
		}
		for _, v := range u {
			a += float32((v - m) * (v - m))
		}
		t += float64(a + b)
	}
	return t
}

func (d *back) normalize(o *gpu.Normalize) {
	if (o.After != gpu.After{}) {
		d.normalizeAfter(o)
		return
	}
	k := normalizeKernel{
		o.Shape,
		slice(o.X),
		slice(o.Mean),
		slice(o.Variance),
		slice(o.Y),
		inverseWeight(o.Weight),
		o.Eps,
	}
	launch(d, &d.kernels.normalize, k, o.Shape.Channels, channelGrain(o.Shape))
}

type normalizeKernel struct {
	s                    gpu.ChannelShape
	x, mean, variance, y []float32
	factor, eps          float32
}

func (k *normalizeKernel) run(lo, hi, _ int) {
	s := k.s
	for c := lo; c < hi; c++ {
		m, r := float32(k.mean[c]*k.factor), reciprocalStd(float32(k.variance[c]*k.factor), k.eps)
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			y := k.y[at : at+s.Inner]
			x := k.x[at : at+s.Inner]
			for i := normalizeVectors(x, y, m, r); i < len(x); i++ {
				y[i] = (x[i] - m) * r
			}
		}
	}
}

func (d *back) normalizeAfter(o *gpu.Normalize) {
	k := normalizeAfterKernel{
		normalizeKernel{
			o.Shape, slice(o.X), slice(o.Mean), slice(o.Variance), slice(o.Y), inverseWeight(o.Weight), o.Eps,
		},
		afterOf(&o.After),
	}
	launch(d, &d.kernels.normalizeAfter, k, o.Shape.Channels, channelGrain(o.Shape))
}

// normalizeAfterKernel is normalizeKernel with what comes after. Its floor is 2n: x read and y written.
type normalizeAfterKernel struct {
	normalizeKernel
	after after
}

func (k *normalizeAfterKernel) run(lo, hi, _ int) {
	s := k.s
	for c := lo; c < hi; c++ {
		n := k.after.numbers(c, float32(k.mean[c]*k.factor), reciprocalStd(float32(k.variance[c]*k.factor), k.eps))
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			y := k.y[at:][:s.Inner]
			n.normalize(k.x[at:][:s.Inner], y, y) // the normalised values are overwritten
			k.after.bend(y)
		}
	}
}

// inverseWeight is the factor f of gpu.Device.Normalize.
func inverseWeight(weight *gpu.Tensor) float32 {
	if weight == nil {
		return 1
	}
	if w := slice(weight)[0]; w != 0 {
		return 1 / w
	}
	return 0
}

// reciprocalStd wants a variance that is rounded: a product in its call would be fused with the sum.
func reciprocalStd(variance, eps float32) float32 {
	return float32(1 / math.Sqrt(float64(variance+eps)))
}

func (d *back) normalizeBackward(o *gpu.NormalizeBackward) {
	k := normalizeBackwardKernel{o.Shape, slice(o.Y), slice(o.DY), slice(o.Variance), slice(o.DX), o.Eps}
	launch(d, &d.kernels.normalizeBackward, k, o.Shape.Channels, channelGrain(o.Shape))
}

type normalizeBackwardKernel struct {
	s                   gpu.ChannelShape
	y, dy, variance, dx []float32
	eps                 float32
}

func (k *normalizeBackwardKernel) run(lo, hi, _ int) {
	s := k.s
	n := float64(s.Outer * s.Inner)
	for c := lo; c < hi; c++ {
		var t, ty float64
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			sum, dot := sumDot32(k.y[at:at+s.Inner], k.dy[at:at+s.Inner])
			t, ty = t+sum, ty+dot
		}
		m, my, r := float32(t/n), float32(ty/n), reciprocalStd(k.variance[c], k.eps)
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			y, dy, dx := k.y[at:at+s.Inner], k.dy[at:at+s.Inner], k.dx[at:at+s.Inner]
			for i := normalizeBackwardVectors(y, dy, dx, m, my, r); i < len(dy); i++ {
				dx[i] = (dy[i] - m - float32(y[i]*my)) * r
			}
		}
	}
}

func (d *back) normalizeGlobalBackward(o *gpu.NormalizeGlobalBackward) {
	k := normalizeGlobalBackwardKernel{
		o.Shape,
		slice(o.DY),
		slice(o.Variance),
		slice(o.DX),
		inverseWeight(o.Weight),
		o.Eps,
	}
	launch(d, &d.kernels.normalizeGlobalBackward, k, o.Shape.Channels, channelGrain(o.Shape))
}

type normalizeGlobalBackwardKernel struct {
	s                gpu.ChannelShape
	dy, variance, dx []float32
	factor, eps      float32
}

func (k *normalizeGlobalBackwardKernel) run(lo, hi, _ int) {
	s := k.s
	for c := lo; c < hi; c++ {
		r := reciprocalStd(float32(k.variance[c]*k.factor), k.eps)
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			dx := k.dx[at : at+s.Inner]
			dy := k.dy[at : at+s.Inner]
			for i := axpbyVectors(dy, dx, r, 0); i < len(dy); i++ {
				dx[i] = dy[i] * r
			}
		}
	}
}
