//go:build cuda

package cuda

import "dns-tui/gpu"

// Convolutions of activations with channels last, by the kernels of nhwc.cu.

// mostTaps is how many rows or columns a kernel may have: there is a bit for each (nhwc.cuh).
const mostTaps = 32

// mostPixels is how many rows of the large tile a grid has.
const mostPixels = maxGrid * 128

// rows is how many pixels there are.
func (p pixels) rows() int { return p.images * p.plane }

// inputOf and outputOf are the activations of a convolution.
func inputOf(g *gpu.ConvGeometry) pixels  { return pixels{g.N, g.C, g.H * g.W} }
func outputOf(g *gpu.ConvGeometry) pixels { return pixels{g.N, g.O, g.OutH * g.OutW} }

// nhwcEligible reports whether there are kernels for a convolution: the outputs of a group must be a multiple of eight,
// and so must its inputs where there are several groups; those of one are filled up.
func nhwcEligible(g *gpu.ConvGeometry) bool {
	const least = 16 // outputs: below, tiles are mostly empty
	return g.O/g.Groups%8 == 0 && g.O/g.Groups >= least && (g.Groups == 1 || g.C/g.Groups%8 == 0) &&
		g.KH <= mostTaps && g.KW <= mostTaps && g.N <= maxGrid &&
		max(inputOf(g).rows(), outputOf(g).rows()) <= mostPixels
}

// widthOf is how many channels the input has when it is filled up.
func widthOf(g *gpu.ConvGeometry) int { return (g.C + 7) / 8 * 8 }

func nhwcGeometry(g *gpu.ConvGeometry) cNhwcGeometry {
	c, o := widthOf(g)/g.Groups, g.O/g.Groups
	return cNhwcGeometry{
		n: int32(g.N), c: int32(c), h: int32(g.H), w: int32(g.W), o: int32(o), kh: int32(g.KH), kw: int32(g.KW),
		sh: int32(g.SH), sw: int32(g.SW), ph: int32(g.PH), pw: int32(g.PW), dh: int32(g.DH), dw: int32(g.DW),
		groups: int32(g.Groups), outH: int32(g.OutH), outW: int32(g.OutW), realC: int32(g.C / g.Groups),
		byPlaces: divisor(g.OutH * g.OutW), byOutW: divisor(g.OutW), byPlane: divisor(g.H * g.W), byW: divisor(g.W),
		byKw: divisor(g.KW), bySh: divisor(g.SH), bySw: divisor(g.SW), byC8: divisor(c / 8), byO8: divisor(o / 8),
	}
}

// filtersOf queues the conversion of weights to what kernels read, and returns where that is.
func (d *back) filtersOf(g *gpu.ConvGeometry, w address, byInput bool) address {
	width, o := widthOf(g)/g.Groups, g.O/g.Groups
	bytes := 2 * int64(g.O) * int64(width*g.KH*g.KW)
	to := d.layouts.filters.room(d, bytes)
	if to == 0 {
		return 0
	}
	s := cFilterShape{
		groups: int32(g.Groups), o: int32(o), c: int32(g.C / g.Groups), width: int32(width), taps: int32(g.KH * g.KW),
		byChunks: divisor(width / 8), byTaps: divisor(g.KH * g.KW),
	}
	if byInput {
		s.byChunks = divisor(o / 8)
		each(d, kNhwcFiltersByInput, int(bytes/16), nhwcFiltersByInputArgs{w: w, y: to, s: s})
	} else {
		each(d, kNhwcFilters, int(bytes/16), nhwcFiltersArgs{w: w, y: to, s: s})
	}
	return to
}

func (d *back) nhwcConv(o *gpu.Conv) bool {
	g, out := o.G, outputOf(o.G)
	if depthwise(g) {
		return d.nhwcDepthwise(o)
	}
	if !nhwcEligible(g) || !alignable(d.ptr(o.Y), out) {
		return false
	}
	d.settle(o.W)
	d.settle(o.B)
	x := d.narrowed(o.X, inputOf(g), widthOf(g), &d.layouts.first)
	y := d.becomes(o.Y, halves, out)
	own := d.multiply(&work{
		what: nhwcForward, g: g, m: out.images * out.plane, n: g.O / g.Groups, k: g.KH * g.KW * widthOf(g) / g.Groups,
		groups: g.Groups, x: x, w: d.ptr(o.W), y: y, out: o.Y.N, e: cEpilogue{columnBias: d.ptr(o.B)},
	})
	if own {
		d.queue.fusable(lastOp{kind: convolvedLast, out: y, n: o.Y.N})
	}
	return true
}

func (d *back) nhwcConvBackwardData(o *gpu.ConvBackwardData) bool {
	g, in := o.G, inputOf(o.G)
	if depthwise(g) {
		return d.nhwcDepthwiseBackwardData(o)
	}
	if !nhwcEligible(g) || widthOf(g) != g.C || !alignable(d.ptr(o.DX), in) {
		return false
	}
	d.settle(o.W)
	dy := d.narrowed(o.DY, outputOf(g), g.O, &d.layouts.first)
	d.multiply(&work{
		what: nhwcBackwardData, g: g, m: in.images * in.plane, n: g.C / g.Groups, k: g.KH * g.KW * g.O / g.Groups,
		groups: g.Groups, x: dy, w: d.ptr(o.W), y: d.becomes(o.DX, halves, in), out: o.DX.N,
	})
	return true
}

func (d *back) nhwcConvBackwardWeights(o *gpu.ConvBackwardWeights) bool {
	g, out := o.G, outputOf(o.G)
	separate := depthwise(g) && d.halvesOf(o.X, inputOf(g)) != 0
	if !separate && !nhwcEligible(g) {
		return false
	}
	d.settle(o.DW)
	d.settle(o.DB)
	dy := d.narrowed(o.DY, out, g.O, &d.layouts.second)
	if o.DB != nil {
		s := columnsOf(out)
		launch(d, kNhwcSumBias, d.eachColumns(s, 1), nhwcSumBiasArgs{
			dy: dy, db: d.ptr(o.DB), partial: d.scratch.partial, counters: d.scratch.counters, s: s,
		})
	}
	if o.DW == nil {
		return true
	}
	if separate {
		d.nhwcDepthwiseBackwardWeights(g, d.ptr(o.X), dy, d.ptr(o.DW))
		return true
	}
	x := d.narrowed(o.X, inputOf(g), widthOf(g), &d.layouts.first)
	d.multiply(&work{
		what: nhwcBackwardWeights, g: g, m: g.O / g.Groups, n: g.KH * g.KW * widthOf(g) / g.Groups,
		k: out.images * out.plane, groups: g.Groups, x: x, w: dy, y: d.ptr(o.DW), out: o.DW.N,
	})
	return true
}

// emitNhwc queues a product of a convolution with channels last.
func (d *back) emitNhwc(w *work, p plan, slices cShares) {
	second := w.w
	if w.what != nhwcBackwardWeights {
		second = d.filtersOf(w.g, w.w, w.what == nhwcBackwardData)
	}
	launch(d, nhwcKernel(w.what, p.tile), p.grid, cNhwcArgs{
		x: w.x, w: second, y: w.y, bias: w.e.columnBias, rectify: w.e.rectify, slope: w.e.slope, shares: slices,
		g: nhwcGeometry(w.g),
	})
}

// nhwcKernel is the kernel of a product for tile number t of bf16.
func nhwcKernel(p product, t int) kernel[cNhwcArgs] {
	first := [...]kernel[cNhwcArgs]{kNhwcConv64, kNhwcConvBackwardData64, kNhwcConvBackwardWeights64}[p-nhwcForward]
	return kernel[cNhwcArgs]{first.id + kernelID(t)}
}

// Depthwise convolutions: a filter a channel.

// depthwise reports whether a convolution is one, of which there are kernels for the chunks of channels.
func depthwise(g *gpu.ConvGeometry) bool {
	return g.Groups == g.C && g.O == g.C && g.C > 1 && g.C%8 == 0
}

func depthwiseOf(g *gpu.ConvGeometry) cDepthwise {
	return cDepthwise{
		n: int32(g.N), channels: int32(g.C), h: int32(g.H), w: int32(g.W), kh: int32(g.KH), kw: int32(g.KW),
		sh: int32(g.SH), sw: int32(g.SW), ph: int32(g.PH), pw: int32(g.PW), dh: int32(g.DH), dw: int32(g.DW),
		outH: int32(g.OutH), outW: int32(g.OutW), byChunks: divisor(g.C / 8), byW: divisor(g.W), byH: divisor(g.H),
		byOutW: divisor(g.OutW), byOutH: divisor(g.OutH), bySh: divisor(g.SH), bySw: divisor(g.SW), byKw: divisor(g.KW),
	}
}

// tapsOf queues the conversion of a depthwise convolution's weights to w[kh][kw][c].
func (d *back) tapsOf(g *gpu.ConvGeometry, w *gpu.Tensor) address {
	return d.narrowed(w, pixels{1, g.C, g.KH * g.KW}, g.C, &d.layouts.filters)
}

func (d *back) nhwcDepthwise(o *gpu.Conv) bool {
	g, out := o.G, outputOf(o.G)
	x := d.halvesOf(o.X, inputOf(g))
	if x == 0 || !alignable(d.ptr(o.Y), out) {
		return false
	}
	d.settle(o.B)
	w := d.tapsOf(g, o.W)
	y := d.becomes(o.Y, halves, out)
	each(d, kNhwcDepthwise, o.Y.N/8, nhwcDepthwiseArgs{x: x, w: w, bias: d.ptr(o.B), y: y, g: depthwiseOf(g)})
	return true
}

func (d *back) nhwcDepthwiseBackwardData(o *gpu.ConvBackwardData) bool {
	g, in := o.G, inputOf(o.G)
	dy := d.halvesOf(o.DY, outputOf(g))
	if dy == 0 || !alignable(d.ptr(o.DX), in) {
		return false
	}
	w := d.tapsOf(g, o.W)
	dx := d.becomes(o.DX, halves, in)
	each(d, kNhwcDepthwiseBackwardData, o.DX.N/8, nhwcDepthwiseBackwardDataArgs{
		dy: dy, w: w, dx: dx, g: depthwiseOf(g),
	})
	return true
}

func (d *back) nhwcDepthwiseBackwardWeights(g *gpu.ConvGeometry, x, dy, dw address) {
	s := columnsOf(outputOf(g))
	launch(d, kNhwcDepthwiseBackwardWeights, d.eachColumns(s, g.KH*g.KW), nhwcDepthwiseBackwardWeightsArgs{
		x: x, dy: dy, dw: dw, partial: d.scratch.partial, counters: d.scratch.counters, g: depthwiseOf(g), s: s,
	})
}
