package host

import "dns-tui/gpu"

// LRN within channels goes a plane at a time, which fits the first cache: what is summed over windows is laid out with
// zeros around it, summed along rows, then along columns, in the same scratch memory.
//
// The floor is 3n forward (x; s and y) and 4n backward (x, s, dy; dx), read and written once.

// lrnPlane is a plane that is laid out with zeros around it.
type lrnPlane struct {
	g      *gpu.PoolGeometry
	stride int // from a row to the next
	n      int // elements of which sums are wanted, those beyond the rows too
	laid   []float32
}

// roundedUp is n as a multiple of eight.
func roundedUp(n int) int { return ceil(n, 8) * 8 }

// lrnScratch is how many elements a plane takes: vectors of sums may read on behind it.
func lrnScratch(g *gpu.PoolGeometry) int {
	stride := g.W + 2*g.PW
	return roundedUp((g.H+2*g.PH)*stride) + 8 + g.KH*stride + g.KW
}

func newLRNPlane(g *gpu.PoolGeometry, scratch []float32) lrnPlane {
	clear(scratch)
	stride := g.W + 2*g.PW
	return lrnPlane{g, stride, (g.H + 2*g.PH) * stride, scratch}
}

// inside is the plane without what is around it: rows of g.W elements, stride apart.
func (p *lrnPlane) inside() []float32 { return p.laid[p.g.PH*p.stride+p.g.PW:] }

// wipe makes what is around the plane 0 again, where sums were.
func (p *lrnPlane) wipe() {
	g := p.g
	clear(p.laid[:g.PH*p.stride+g.PW])
	for h := range g.H {
		clear(p.laid[(g.PH+h)*p.stride+g.PW+g.W:][:2*g.PW])
	}
}

// sum puts in the place of each element the sum of the window that begins there: so that of the window around an
// element of the plane stands PH rows and PW columns before it.
func (p *lrnPlane) sum() {
	sumShifted(p.laid, p.n, 1, p.g.KW)
	sumShifted(p.laid, p.n-(p.g.KH-1)*p.stride, p.stride, p.g.KH)
}

// sumShifted sets x[i] to x[i] + x[i+step] + … of count elements, for the first n.
func sumShifted(x []float32, n, step, count int) {
	_ = x[:roundedUp(n)+(count-1)*step]
	for i := sumShiftedVectors(x, n, step, count); i < n; i++ {
		s := x[i]
		for j := 1; j < count; j++ {
			s += x[i+j*step]
		}
		x[i] = s
	}
}

func (d *back) lrnWithin(o *gpu.LRNWithin) {
	k := lrnWithinKernel{d, o.G, o.Alpha, o.Beta, slice(o.X), slice(o.Scale), slice(o.Y)}
	launch(d, &d.kernels.lrnWithin, k, o.G.Planes, planeGrain(o.G))
}

// lrnWithinKernel does planes.
type lrnWithinKernel struct {
	d           *back
	g           *gpu.PoolGeometry
	alpha, beta float32
	x, scale, y []float32
}

func (k *lrnWithinKernel) run(lo, hi, worker int) {
	g := k.g
	p := newLRNPlane(g, k.d.scratch(worker, lrnScratch(g)))
	f := k.alpha / float32(g.KH*g.KW)
	for n := lo; n < hi; n++ {
		at := n * g.H * g.W
		x, s, y := k.x[at:][:g.H*g.W], k.scale[at:][:g.H*g.W], k.y[at:][:g.H*g.W]
		if n > lo {
			p.wipe()
		}
		layProducts(x, x, p.inside(), g.W, p.stride)
		p.sum()
		for h := range g.H { // scale has room for what is wanted of the sums
			copy(s[h*g.W:][:g.W], p.laid[h*p.stride:])
		}
		normalizeWithin(x, s, y, f, k.beta)
	}
}

// layProducts writes x·y to rows of z, of some width.
func layProducts(x, y, z []float32, width, stride int) {
	for h := range len(x) / width {
		products(x[h*width:][:width], y[h*width:][:width], z[h*stride:][:width])
	}
}

// normalizeWithin sets s to 1 + f·s, and y to x·s^-beta.
func normalizeWithin(x, s, y []float32, f, beta float32) {
	i := 0
	if beta == 0.75 && f >= 0 {
		i = normalizeWithinVectors(x, s, y, f)
	}
	x, s, y = x[i:], s[i:], y[i:]
	for i, v := range s {
		s[i] = 1 + float32(f*v)
	}
	powers(s, y, 1, 0, -beta)
	products(x, y, y)
}

func (d *back) lrnWithinBackward(o *gpu.LRNWithinBackward) {
	k := lrnWithinBackwardKernel{d, o.G, o.Alpha, o.Beta, slice(o.X), slice(o.Scale), slice(o.DY), slice(o.DX)}
	launch(d, &d.kernels.lrnWithinBackward, k, o.G.Planes, planeGrain(o.G))
}

// lrnWithinBackwardKernel does planes.
type lrnWithinBackwardKernel struct {
	d                *back
	g                *gpu.PoolGeometry
	alpha, beta      float32
	x, scale, dy, dx []float32
}

func (k *lrnWithinBackwardKernel) run(lo, hi, worker int) {
	g, size := k.g, k.g.H*k.g.W
	scratch := k.d.scratch(worker, size+lrnScratch(g))
	t := scratch[:size]
	p := newLRNPlane(g, scratch[size:])
	f := 2 * k.alpha * k.beta / float32(g.KH*g.KW)
	for n := lo; n < hi; n++ {
		at := n * size
		x, s, dy, dx := k.x[at:][:size], k.scale[at:][:size], k.dy[at:][:size], k.dx[at:][:size]
		if n > lo {
			p.wipe()
		}
		withinGradients(x, s, dy, dx, t, k.beta, k.alpha >= 0)
		inside := p.inside()
		for h := range g.H {
			copy(inside[h*p.stride:], t[h*g.W:][:g.W])
		}
		p.sum()
		for h := range g.H {
			subtractProducts(x[h*g.W:][:g.W], p.laid[h*p.stride:], dx[h*g.W:][:g.W], f)
		}
	}
}

// withinGradients sets dx to dy·s^-beta, and t to dy·x·s^(-beta-1). fast reports that no s is below 0.
func withinGradients(x, s, dy, dx, t []float32, beta float32, fast bool) {
	i := 0
	if beta == 0.75 && fast {
		i = withinGradientsVectors(x, s, dy, dx, t)
	}
	x, s, dy, dx, t = x[i:], s[i:], dy[i:], dx[i:], t[i:]
	powers(s, t, 1, 0, -beta) // dx may be dy
	for i, v := range t {
		g := dy[i] * v
		t[i] = g * x[i] / s[i]
		dx[i] = g
	}
}

// subtractProducts subtracts f·x·y from z.
func subtractProducts(x, y, z []float32, f float32) {
	for i := subtractProductsVectors(x, y, z, f); i < len(z); i++ {
		z[i] -= float32(float32(f*x[i]) * y[i])
	}
}
