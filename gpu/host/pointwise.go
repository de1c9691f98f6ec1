package host

import "dns-tui/gpu"

// A convolution of 1×1 is a product for each image, of the weights and its channels; so are its gradients. Those of all
// images are done as one, whose columns are the positions of all images (panels.go), without columns in memory. Where
// there is a stride, the positions that are seen are brought together before, or the gradient of inputs spread after.

// pointwise reports whether a convolution is one.
func pointwise(k *productKey) bool { return k.g.KH == 1 && k.g.KW == 1 && k.g.PH == 0 && k.g.PW == 0 }

// planes is the matrix of the channels of all images.
func planes(data []float32, channels, plane int) matrix {
	return matrix{data, plane, plane, channels * plane}
}

// pointwiseProduct has what the three products have in common.
func pointwiseProduct(g *gpu.ConvGeometry) (p product, plane int) {
	return product{groups: g.Groups, runs: 1, sets: true}, g.OutH * g.OutW
}

// seen returns the inputs that a convolution of 1×1 sees.
func (d *back) seen(g *gpu.ConvGeometry, x []float32) []float32 {
	if g.SH == 1 && g.SW == 1 {
		return x
	}
	y := room(&d.thinned, g.N*g.C*g.OutH*g.OutW)
	launch(d, &d.kernels.thin, thinKernel{g, x, y}, g.N*g.C, channelPiece(g))
	return y
}

// thinKernel takes of planes what is seen.
type thinKernel struct {
	g    *gpu.ConvGeometry
	x, y []float32
}

func (k *thinKernel) run(lo, hi, _ int) {
	g := k.g
	for item := lo; item < hi; item++ {
		for h := range g.OutH {
			x := k.x[(item*g.H+h*g.SH)*g.W:][:g.W]
			y := k.y[(item*g.OutH+h)*g.OutW:][:g.OutW]
			i := 0
			if g.SW == 2 {
				i = thinVectors(x, y)
			}
			for ; i < len(y); i++ {
				y[i] = x[i*g.SW]
			}
		}
	}
}

// widenKernel brings the gradients of what is seen to their places in planes, and zeros to the others.
type widenKernel struct {
	g    *gpu.ConvGeometry
	x, y []float32
}

func (k *widenKernel) run(lo, hi, _ int) {
	g := k.g
	for item := lo; item < hi; item++ {
		for h := range g.H {
			y := k.y[(item*g.H+h)*g.W:][:g.W]
			if h%g.SH != 0 || h/g.SH >= g.OutH {
				clear(y)
				continue
			}
			x := k.x[(item*g.OutH+h/g.SH)*g.OutW:][:g.OutW]
			i := 0
			if g.SW == 2 {
				i = widenVectors(x, y)
			}
			clear(y[i*g.SW:])
			for ; i < len(x); i++ {
				y[i*g.SW] = x[i]
			}
		}
	}
}

func (d *back) convPointwise(o *gpu.Conv) {
	g := o.G
	p, plane := pointwiseProduct(g)
	p.m, p.n, p.k = g.O/g.Groups, g.N*plane, g.C/g.Groups
	p.a, p.alongA, p.aGroup = plain(slice(o.W), p.k), true, p.m*p.k
	p.b, p.bGroup = planes(d.seen(g, slice(o.X)), g.C, plane), p.k*plane
	p.c, p.cGroup = planes(slice(o.Y), g.O, plane), p.m*plane
	p.bias, p.ends.then = slice(o.B), o.Then
	d.multiply(p, true)
}

func (d *back) convBackwardDataPointwise(o *gpu.ConvBackwardData) {
	g := o.G
	p, plane := pointwiseProduct(g)
	p.m, p.n, p.k = g.C/g.Groups, g.N*plane, g.O/g.Groups
	p.a, p.aGroup = plain(slice(o.W), p.m), p.m*p.k
	p.b, p.bGroup = planes(slice(o.DY), g.O, plane), p.k*plane
	dx := slice(o.DX)
	apart := g.SH != 1 || g.SW != 1
	if apart {
		dx = room(&d.thinned, g.N*g.C*plane)
	}
	p.c, p.cGroup = planes(dx, g.C, plane), p.m*plane
	d.multiply(p, true)
	if apart {
		launch(d, &d.kernels.widen, widenKernel{g, dx, slice(o.DX)}, g.N*g.C, channelPiece(g))
	}
}

// convBackwardWeightsPointwise sums over positions. Where there are few weights, positions are cut into runs that are
// summed apart.
func (d *back) convBackwardWeightsPointwise(o *gpu.ConvBackwardWeights) {
	g := o.G
	p, plane := pointwiseProduct(g)
	p.m, p.n, p.k = g.O/g.Groups, g.C/g.Groups, g.N*plane
	p.a, p.alongA, p.aGroup = planes(slice(o.DY), g.O, plane), true, p.m*plane
	p.b, p.alongB, p.bGroup = planes(d.seen(g, slice(o.X)), g.C, plane), true, p.n*plane
	p.c, p.cGroup = plain(slice(o.DW), p.n), p.m*p.n
	weights := g.Groups * p.cGroup
	if p.runs = runsOfProduct(p.m, p.n, p.k, g.Groups, maxPartialBytes/4); p.runs == 1 {
		p.sets = false
		d.multiply(p, false)
		return
	}
	p.cRun = weights
	grads := room(&d.grads, p.runs*weights)
	p.c.data = grads
	d.multiply(p, false)
	launch(d, &d.kernels.addRuns, addRunsKernel{grads, slice(o.DW), p.runs}, weights, grain)
}
