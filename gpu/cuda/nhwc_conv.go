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

// widthOf is how many channels the input has when it is filled up to whole chunks.
func (d *back) widthOf(g *gpu.ConvGeometry) int {
	chunk := d.stored().chunk()
	return (g.C + chunk - 1) / chunk * chunk
}

func (d *back) nhwcGeometry(g *gpu.ConvGeometry) cNhwcGeometry {
	c, o, chunk := d.widthOf(g)/g.Groups, g.O/g.Groups, d.stored().chunk()
	return cNhwcGeometry{
		n: int32(g.N), c: int32(c), h: int32(g.H), w: int32(g.W), o: int32(o), kh: int32(g.KH), kw: int32(g.KW),
		sh: int32(g.SH), sw: int32(g.SW), ph: int32(g.PH), pw: int32(g.PW), dh: int32(g.DH), dw: int32(g.DW),
		groups: int32(g.Groups), outH: int32(g.OutH), outW: int32(g.OutW), realC: int32(g.C / g.Groups),
		byPlaces: divisor(g.OutH * g.OutW), byOutW: divisor(g.OutW), byPlane: divisor(g.H * g.W), byW: divisor(g.W),
		byKw: divisor(g.KW), bySh: divisor(g.SH), bySw: divisor(g.SW), byCChunks: divisor(c / chunk),
		byOChunks: divisor(o / chunk),
	}
}

// filterShape is that of the weights of a convolution, with whole chunks of channels.
func (d *back) filterShape(g *gpu.ConvGeometry) cFilterShape {
	width, taps := d.widthOf(g)/g.Groups, g.KH*g.KW
	return cFilterShape{
		groups: int32(g.Groups), o: int32(g.O / g.Groups), c: int32(g.C / g.Groups), width: int32(width),
		taps: int32(taps), byTaps: divisor(taps), byC: divisor(g.C / g.Groups),
	}
}

// gradientsRoom is scratch memory for a gradient of weights by a library: float32, dw[o][tap][c] with whole chunks of
// c; 0 where there is none.
func (d *back) gradientsRoom(g *gpu.ConvGeometry) address {
	return d.layouts.gradients.room(d, 4*int64(g.O)*int64(d.widthOf(g)/g.Groups*g.KH*g.KW))
}

// addGradients queues that it is added to dw.
func (d *back) addGradients(g *gpu.ConvGeometry, from, dw address) {
	s := d.filterShape(g)
	each(d, kNhwcAddFilters, int(s.groups*s.o*s.c*s.taps), nhwcAddFiltersArgs{g: from, dw: dw, s: s})
}

func (d *back) nhwcConv(o *gpu.Conv) bool {
	g, out := o.G, outputOf(o.G)
	if depthwise(g) {
		return d.nhwcDepthwise(o)
	}
	if !nhwcEligible(g) || !d.alignable(o.Y, out) {
		return false
	}
	w := d.filtersOf(g, o.W, false)
	d.settle(o.B)
	x := d.channelsLast(o.X, inputOf(g), d.widthOf(g), &d.layouts.first)
	y := d.becomes(o.Y, d.stored(), out)
	own := d.multiply(&work{
		what: nhwcForward, g: g, m: out.images * out.plane, n: g.O / g.Groups, k: g.KH * g.KW * d.widthOf(g) / g.Groups,
		groups: g.Groups, x: x, w: w, y: y, out: o.Y.N, e: cEpilogue{columnBias: d.ptr(o.B)},
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
	if !nhwcEligible(g) || d.widthOf(g) != g.C || !d.alignable(o.DX, in) {
		return false
	}
	dy := d.channelsLast(o.DY, outputOf(g), g.O, &d.layouts.first)
	w := work{
		what: nhwcBackwardData, g: g, m: in.images * in.plane, n: g.C / g.Groups, k: g.KH * g.KW * g.O / g.Groups,
		groups: g.Groups, x: dy, w: d.filtersOf(g, o.W, false), weights: o.W, out: o.DX.N,
	}
	if how, known := d.choices.known[w.shape()]; !known || !how.Library {
		w.byInput = d.filtersOf(g, o.W, true)
	}
	w.y = d.becomes(o.DX, d.stored(), in)
	if !d.multiply(&w) {
		d.withoutByInput(g, o.W)
	}
	return true
}

func (d *back) nhwcConvBackwardWeights(o *gpu.ConvBackwardWeights) bool {
	g, out := o.G, outputOf(o.G)
	separate := depthwise(g) && d.lastAt(o.X, inputOf(g)) != 0
	if !separate && !nhwcEligible(g) {
		return false
	}
	d.settle(o.DW)
	d.settle(o.DB)
	dy := d.channelsLast(o.DY, out, g.O, &d.layouts.second)
	if o.DB != nil {
		s := columnsOf(out)
		launch(d, lastKernel(d, kNhwcSumBiasBf16), d.eachColumns(s, 1), nhwcSumBiasArgs{
			dy: dy, db: d.ptr(o.DB), partial: d.scratch.partial, counters: d.scratch.counters, s: s,
		})
	}
	if o.DW == nil {
		return true
	}
	if separate {
		d.nhwcDepthwiseBackwardWeights(g, d.lastAt(o.X, inputOf(g)), dy, d.ptr(o.DW))
		return true
	}
	x := d.channelsLast(o.X, inputOf(g), d.widthOf(g), &d.layouts.first)
	d.multiply(&work{
		what: nhwcBackwardWeights, g: g, m: g.O / g.Groups, n: g.KH * g.KW * d.widthOf(g) / g.Groups,
		k: out.images * out.plane, groups: g.Groups, x: x, w: dy, y: d.ptr(o.DW), out: o.DW.N,
	})
	return true
}

// emitNhwc queues a product of a convolution with channels last.
func (d *back) emitNhwc(w *work, p plan, slices cShares) {
	second := w.w
	if w.what == nhwcBackwardData {
		second = w.byInput
	}
	launch(d, nhwcKernel(w.what, d.precision, p.tile), p.grid, cNhwcArgs{
		x: w.x, w: second, y: w.y, bias: w.e.columnBias, rectify: w.e.rectify, slope: w.e.slope, shares: slices,
		g: d.nhwcGeometry(w.g),
	})
}

// nhwcKernel is the kernel of a product for tile number t of a precision: they are in the order of precisions, tiles
// and the enumeration product.
func nhwcKernel(p product, precision Precision, t int) kernel[cNhwcArgs] {
	if precision == BF16 {
		t += 2
	}
	return kernel[cNhwcArgs]{kNhwcConvTf3264.id + kernelID(3*t) + kernelID(p-nhwcForward)}
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
		outH: int32(g.OutH), outW: int32(g.OutW), byPieces: divisor(g.C / 8), byW: divisor(g.W), byH: divisor(g.H),
		byOutW: divisor(g.OutW), byOutH: divisor(g.OutH), bySh: divisor(g.SH), bySw: divisor(g.SW), byKw: divisor(g.KW),
	}
}

func (d *back) nhwcDepthwise(o *gpu.Conv) bool {
	g, out := o.G, outputOf(o.G)
	x := d.lastAt(o.X, inputOf(g))
	if x == 0 || !d.alignable(o.Y, out) {
		return false
	}
	d.settle(o.B)
	w := d.tapsOf(g, o.W)
	y := d.becomes(o.Y, d.stored(), out)
	each(
		d,
		lastKernel(d, kNhwcDepthwiseBf16),
		o.Y.N/8,
		nhwcDepthwiseArgs{x: x, w: w, bias: d.ptr(o.B), y: y, g: depthwiseOf(g)},
	)
	return true
}

func (d *back) nhwcDepthwiseBackwardData(o *gpu.ConvBackwardData) bool {
	g, in := o.G, inputOf(o.G)
	dy := d.lastAt(o.DY, outputOf(g))
	if dy == 0 || !d.alignable(o.DX, in) {
		return false
	}
	w := d.tapsOf(g, o.W)
	dx := d.becomes(o.DX, d.stored(), in)
	each(d, lastKernel(d, kNhwcDepthwiseBackwardDataBf16), o.DX.N/8, nhwcDepthwiseBackwardDataArgs{
		dy: dy, w: w, dx: dx, g: depthwiseOf(g),
	})
	return true
}

func (d *back) nhwcDepthwiseBackwardWeights(g *gpu.ConvGeometry, x, dy, dw address) {
	s := columnsOf(outputOf(g))
	launch(
		d,
		lastKernel(d, kNhwcDepthwiseBackwardWeightsBf16),
		d.eachColumns(s, g.KH*g.KW),
		nhwcDepthwiseBackwardWeightsArgs{
			x: x, dy: dy, dw: dw, partial: d.scratch.partial, counters: d.scratch.counters, g: depthwiseOf(g), s: s,
		},
	)
}
