package host

import (
	"math"

	"dns-tui/gpu"
)

// BatchNorm with what comes after goes a channel at a time. Of a batch that fits the second cache its three passes,
// for the mean, the variance and the values, read x from memory once, and those backward norm and dy.
//
// The floor is 3n forward (x; norm and y) and 3n backward (norm, dy; dx), read and written once; y is not read.

func (d *back) batchNorm(o *gpu.BatchNorm) {
	k := batchNormKernel{
		o.Shape, o.Eps, afterOf(&o.After), slice(o.X), slice(o.Mean), slice(o.Variance), slice(o.Norm), slice(o.Y),
	}
	launch(d, &d.kernels.batchNorm, k, o.Shape.Channels, channelGrain(o.Shape))
}

// after is gpu.After on the host.
type after struct {
	a, b  []float32 // nil: 1 and 0
	relu  bool
	slope float32
}

func afterOf(a *gpu.After) after { return after{slice(a.A), slice(a.B), a.ReLU, a.Slope} }

// factors returns a and b of a channel.
func (a *after) factors(c int) (factor, term float32) {
	factor = 1
	if a.a != nil {
		factor = a.a[c]
	}
	if a.b != nil {
		term = a.b[c]
	}
	return factor, term
}

// channelNumbers are the numbers of a channel, which the assembler knows by their offsets.
type channelNumbers struct {
	mean, reciprocal float32 // of what is normalised: of the deviation
	a, b             float32
	floor            float32 // what y is at least
	slope            float32 // of gradients where y is not above 0
	meanG, meanGNorm float32 // means of the gradient of norm, and of that times norm
}

// batchNormKernel does channels.
type batchNormKernel struct {
	s                          gpu.ChannelShape
	eps                        float32
	after                      after
	x, mean, variance, norm, y []float32
}

func (k *batchNormKernel) run(lo, hi, _ int) {
	s := k.s
	stats := batchStatsKernel{s, k.x, k.mean, k.variance}
	for c := lo; c < hi; c++ {
		stats.run(c, c+1, 0)
		n := k.after.numbers(c, k.mean[c], reciprocalStd(k.variance[c], k.eps))
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			y := k.y[at:][:s.Inner]
			n.normalize(k.x[at:][:s.Inner], k.norm[at:][:s.Inner], y)
			k.after.bend(y)
		}
	}
}

// numbers are those of a channel forward.
func (a *after) numbers(c int, mean, reciprocal float32) channelNumbers {
	n := channelNumbers{mean: mean, reciprocal: reciprocal, floor: float32(math.Inf(-1))}
	n.a, n.b = a.factors(c)
	if a.relu && a.slope == 0 {
		n.floor = 0
	}
	return n
}

// bend does a ReLU that channelNumbers.floor does not.
func (a *after) bend(y []float32) {
	if a.relu && a.slope != 0 {
		rectify(y, y, a.slope)
	}
}

// normalize writes normalised values, and what comes after, to norm and y; y may be x.
func (n *channelNumbers) normalize(x, norm, y []float32) {
	for i := normalizeScaleVectors(x, norm, y, n); i < len(x); i++ {
		v := (x[i] - n.mean) * n.reciprocal
		norm[i] = v
		y[i] = max(float32(n.a*v)+n.b, n.floor)
	}
}

func (d *back) batchNormBackward(o *gpu.BatchNormBackward) {
	k := batchNormBackwardKernel{
		o.Shape, o.Eps, afterOf(&o.After), slice(o.Norm), slice(o.Variance), slice(o.DY), slice(o.DX), slice(o.DA),
		slice(o.DB),
	}
	launch(d, &d.kernels.batchNormBackward, k, o.Shape.Channels, channelGrain(o.Shape))
}

// batchNormBackwardKernel does channels. Whether an output was above 0 it finds out from norm, by the arithmetic of
// normalize.
type batchNormBackwardKernel struct {
	s                              gpu.ChannelShape
	eps                            float32
	after                          after
	norm, variance, dy, dx, da, db []float32
}

func (k *batchNormBackwardKernel) run(lo, hi, _ int) {
	s := k.s
	size := float64(s.Outer * s.Inner)
	for c := lo; c < hi; c++ {
		n := channelNumbers{slope: 1, reciprocal: reciprocalStd(k.variance[c], k.eps)}
		if n.a, n.b = k.after.factors(c); k.after.relu {
			n.slope = k.after.slope
		}
		var sum, dot float64
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			t, u := n.sums(k.norm[at:][:s.Inner], k.dy[at:][:s.Inner])
			sum, dot = sum+t, dot+u
		}
		if k.db != nil {
			k.db[c] += float32(sum)
		}
		if k.da != nil {
			k.da[c] += float32(dot)
		}
		n.meanG, n.meanGNorm = float32(float64(n.a)*sum/size), float32(float64(n.a)*dot/size)
		for o := range s.Outer {
			at := (o*s.Channels + c) * s.Inner
			n.gradient(k.norm[at:][:s.Inner], k.dy[at:][:s.Inner], k.dx[at:][:s.Inner])
		}
	}
}

// of is the gradient of what ReLU was given.
func (n *channelNumbers) of(norm, dy float32) float32 {
	if float32(n.a*norm)+n.b > 0 {
		return dy
	}
	return n.slope * dy
}

// sums are Σ g and Σ g·norm, where g is the gradient of what ReLU was given, with the summation of sum32.
func (n *channelNumbers) sums(norm, dy []float32) (sum, dot float64) {
	for len(dy) > 0 {
		size := min(len(dy), summed)
		s, p, done := gradientSumsVectors(norm[:size], dy[:size], n)
		for i, v := range dy[done:size] {
			g := n.of(norm[done+i], v)
			s += g
			p += float32(g * norm[done+i])
		}
		sum, dot = sum+float64(s), dot+float64(p)
		norm, dy = norm[size:], dy[size:]
	}
	return sum, dot
}

// gradient writes the gradient of x to dx, and where that is not dy the gradient of norm to dy.
func (n *channelNumbers) gradient(norm, dy, dx []float32) {
	for i := gradientsVectors(norm, dy, dx, n); i < len(dx); i++ {
		g := float32(n.a * n.of(norm[i], dy[i])) // rounded, as vectors do
		dy[i] = g
		dx[i] = (g - n.meanG - float32(norm[i]*n.meanGNorm)) * n.reciprocal
	}
}
