package host

import "dns-tui/gpu"

// A convolution of 1×1 and stride 1 is a product for each image, of the weights and its channels; so are its gradients.
// Those of all images are done as one, whose columns are the positions of all images (panels.go), without columns in
// memory.

// pointwise reports whether a convolution is one.
func pointwise(k *productKey) bool {
	g := &k.g
	return g.KH == 1 && g.KW == 1 && g.SH == 1 && g.SW == 1 && g.PH == 0 && g.PW == 0
}

// planes is the matrix of the channels of all images.
func planes(data []float32, channels, plane int) matrix {
	return matrix{data, plane, plane, channels * plane}
}

// pointwiseProduct has what the three products have in common.
func pointwiseProduct(g *gpu.ConvGeometry) (p product, plane int) {
	return product{groups: g.Groups, runs: 1, sets: true}, g.H * g.W
}

func (d *back) convPointwise(o *gpu.Conv) {
	g := o.G
	p, plane := pointwiseProduct(g)
	p.m, p.n, p.k = g.O/g.Groups, g.N*plane, g.C/g.Groups
	p.a, p.alongA, p.aGroup = plain(slice(o.W), p.k), true, p.m*p.k
	p.b, p.bGroup = planes(slice(o.X), g.C, plane), p.k*plane
	p.c, p.cGroup = planes(slice(o.Y), g.O, plane), p.m*plane
	p.bias = slice(o.B)
	d.multiply(p, true)
}

func (d *back) convBackwardDataPointwise(o *gpu.ConvBackwardData) {
	g := o.G
	p, plane := pointwiseProduct(g)
	p.m, p.n, p.k = g.C/g.Groups, g.N*plane, g.O/g.Groups
	p.a, p.aGroup = plain(slice(o.W), p.m), p.m*p.k
	p.b, p.bGroup = planes(slice(o.DY), g.O, plane), p.k*plane
	p.c, p.cGroup = planes(slice(o.DX), g.C, plane), p.m*plane
	d.multiply(p, true)
}

// convBackwardWeightsPointwise sums over positions. Where there are few weights, positions are cut into runs that are
// summed apart.
func (d *back) convBackwardWeightsPointwise(o *gpu.ConvBackwardWeights) {
	g := o.G
	p, plane := pointwiseProduct(g)
	p.m, p.n, p.k = g.O/g.Groups, g.C/g.Groups, g.N*plane
	p.a, p.alongA, p.aGroup = planes(slice(o.DY), g.O, plane), true, p.m*plane
	p.b, p.alongB, p.bGroup = planes(slice(o.X), g.C, plane), true, p.n*plane
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
