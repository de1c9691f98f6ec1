package host

import "dns-tui/gpu"

// Convolution is im2col and a matrix product, image by image, the images spread over the workers. The columns of one
// image are made in a worker's own scratch, small enough to stay in its cache, and are made again for the weight
// gradient: that costs less than keeping them.

// convSizes are the extents of the matrices of one image and group.
type convSizes struct {
	in, out      int // elements of an image
	rows, cols   int // of the column matrix of a group: C/groups·KH·KW, OutH·OutW
	outPerGroup  int // output channels of a group
	weightPerGrp int
	inPerGroup   int  // elements of an image's channels of a group
	direct       bool // a 1×1 convolution reads the image as its columns
}

func sizesOf(g *gpu.ConvGeometry) convSizes {
	s := convSizes{
		in: g.C * g.H * g.W, out: g.O * g.OutH * g.OutW,
		rows: g.C / g.Groups * g.KH * g.KW, cols: g.OutH * g.OutW,
		outPerGroup: g.O / g.Groups, inPerGroup: g.C / g.Groups * g.H * g.W,
	}
	s.weightPerGrp = s.outPerGroup * s.rows
	s.direct = g.KH == 1 && g.KW == 1 && g.SH == 1 && g.SW == 1 && g.PH == 0 && g.PW == 0
	return s
}

func (d *back) conv(o *gpu.Conv) {
	if w := d.prepared(o.W); w != nil {
		then := o.Then
		o.Then = gpu.Rectifier{}
		d.convPrepared(w, o)
		if o.Then = then; then.On {
			r := &d.preparation.relu
			*r = gpu.ReLU{X: o.Y, Y: o.Y, Slope: then.Slope}
			d.Do(r)
		}
		return
	}
	key := productKey{what: "convolution", g: *o.G}
	pick(d, key, slice(o.W), convCrossover(o.G), o, d.convPruned, d.convDense, nil)
}

// convPrepared is a convolution with prepared weights, which may wait for the pooling of its output.
func (d *back) convPrepared(w *preparedWeights, o *gpu.Conv) {
	if p := &d.preparation; p.unread[o.Y] {
		p.waiting = waiting{is: true, label: p.label, conv: *o}
		return
	}
	w.conv(d, o)
}

func (d *back) convColumns(o *gpu.Conv) {
	k := convKernel{d, o.G, slice(o.X), slice(o.W), slice(o.B), slice(o.Y), o.Then}
	launch(d, &d.kernels.conv, k, o.G.N, 1)
}

// convKernel does images.
type convKernel struct {
	d             *back
	g             *gpu.ConvGeometry
	x, w, bias, y []float32
	then          gpu.Rectifier
}

func (k *convKernel) run(lo, hi, worker int) {
	g, s, d := k.g, sizesOf(k.g), k.d
	for n := lo; n < hi; n++ {
		y := k.y[n*s.out:][:s.out]
		var beta float32
		if k.bias != nil {
			beta = 1
			for o, b := range k.bias {
				row := y[o*s.cols:][:s.cols]
				for i := range row {
					row[i] = b
				}
			}
		}
		for grp := range g.Groups {
			col := d.columns(g, &s, k.x[n*s.in+grp*s.inPerGroup:][:s.inPerGroup], worker)
			d.blas.gemm(worker, false, false, s.outPerGroup, s.cols, s.rows, 1, k.w[grp*s.weightPerGrp:], s.rows,
				col, s.cols, beta, y[grp*s.outPerGroup*s.cols:], s.cols)
		}
		rectified(y, k.then)
	}
}

// columns returns the column matrix of one group of one image.
func (d *back) columns(g *gpu.ConvGeometry, s *convSizes, x []float32, worker int) []float32 {
	if s.direct {
		return x
	}
	col := d.scratch(worker, s.rows*s.cols)
	im2col(g, x, col)
	return col
}

func (d *back) convBackwardData(o *gpu.ConvBackwardData) {
	key := productKey{what: "convolution's inputs' gradient", g: *o.G}
	pick(d, key, slice(o.W), convCrossover(o.G), o, d.convBackwardDataPruned, d.convBackwardDataDense, nil)
}

func (d *back) convBackwardDataColumns(o *gpu.ConvBackwardData) {
	k := convBackwardDataKernel{d, o.G, slice(o.DY), slice(o.W), slice(o.DX)}
	launch(d, &d.kernels.convBackwardData, k, o.G.N, 1)
}

// convBackwardDataKernel does images.
type convBackwardDataKernel struct {
	d         *back
	g         *gpu.ConvGeometry
	dy, w, dx []float32
}

func (k *convBackwardDataKernel) run(lo, hi, worker int) {
	g, s, d := k.g, sizesOf(k.g), k.d
	for n := lo; n < hi; n++ {
		for grp := range g.Groups {
			dx := k.dx[n*s.in+grp*s.inPerGroup:][:s.inPerGroup]
			col := dx
			if !s.direct {
				col = d.scratch(worker, s.rows*s.cols)
			}
			d.blas.gemm(worker, true, false, s.rows, s.cols, s.outPerGroup, 1, k.w[grp*s.weightPerGrp:], s.rows,
				k.dy[n*s.out+grp*s.outPerGroup*s.cols:], s.cols, 0, col, s.cols)
			if !s.direct {
				col2im(g, col, dx)
			}
		}
	}
}

// maxPartialBytes bounds the partial weight gradients of convBackwardWeights.
const maxPartialBytes = 64 << 20

func (d *back) convBackwardWeights(o *gpu.ConvBackwardWeights) {
	g := o.G
	if o.DB != nil {
		d.sumBias(gpu.ChannelShape{Outer: g.N, Channels: g.O, Inner: g.OutH * g.OutW}, o.DY, o.DB)
	}
	if o.DW == nil {
		return
	}
	if o.Kept == nil {
		d.convBackwardAll(o)
		return
	}
	key := productKey{what: "convolution's weights' gradient", g: *g}
	pick(d, key, slice(o.Kept), gradientCrossover, o, d.convBackwardKept, d.convBackwardAll, slice(o.DW))
}

// convBackwardWeightsColumns adds the gradients of all weights to dw. It cuts the images into at most 16 runs whose
// gradients are summed apart and then added in order, so that the result does not depend on which worker took which.
func (d *back) convBackwardWeightsColumns(o *gpu.ConvBackwardWeights) {
	g, weights := o.G, o.G.WeightLen()
	perRun, runs := runsOf(g.N, max(2, maxPartialBytes/4/weights))
	grads := room(&d.grads, runs*weights)
	k := convBackwardWeightsKernel{d, g, slice(o.X), slice(o.DY), grads, perRun, weights}
	launch(d, &d.kernels.convBackwardWeights, k, runs, 1)
	launch(d, &d.kernels.addRuns, addRunsKernel{grads, slice(o.DW), runs}, weights, grain)
}

// runsOf cuts images into runs: at most 16, and at most most.
func runsOf(images, most int) (perRun, runs int) {
	runs = min(16, images, most)
	perRun = (images + runs - 1) / runs
	return perRun, (images + perRun - 1) / perRun
}

// convBackwardWeightsKernel does runs of images.
type convBackwardWeightsKernel struct {
	d               *back
	g               *gpu.ConvGeometry
	x, dy, grads    []float32 // grads has the weights' gradients of each run
	perRun, weights int
}

func (k *convBackwardWeightsKernel) run(lo, hi, worker int) {
	g, s, d := k.g, sizesOf(k.g), k.d
	for run := lo; run < hi; run++ {
		acc := k.grads[run*k.weights:][:k.weights]
		var beta float32
		for n := run * k.perRun; n < min((run+1)*k.perRun, g.N); n++ {
			for grp := range g.Groups {
				col := d.columns(g, &s, k.x[n*s.in+grp*s.inPerGroup:][:s.inPerGroup], worker)
				d.blas.gemm(
					worker,
					false,
					true,
					s.outPerGroup,
					s.rows,
					s.cols,
					1,
					k.dy[n*s.out+grp*s.outPerGroup*s.cols:],
					s.cols,
					col,
					s.cols,
					beta,
					acc[grp*s.weightPerGrp:],
					s.rows,
				)
			}
			beta = 1
		}
	}
}

// addRunsKernel adds the gradients of the runs to dw, in their order.
type addRunsKernel struct {
	grads, dw []float32
	runs      int
}

func (k *addRunsKernel) run(lo, hi, _ int) {
	dw := k.dw[lo:hi]
	for run := range k.runs {
		for i, v := range k.grads[run*len(k.dw)+lo:][:hi-lo] {
			dw[i] += v
		}
	}
}

// im2col writes the column matrix of x: row (c, kh, kw), column (oh, ow), zero where the window lies in the padding.
func im2col(g *gpu.ConvGeometry, x, col []float32) {
	if g.SH == 1 && g.SW == 1 && g.PH == 0 && g.PW == 0 {
		im2colPlain(g, x, col)
		return
	}
	at := 0
	for c := range g.C / g.Groups {
		plane := x[c*g.H*g.W:][:g.H*g.W]
		for kh := range g.KH {
			for kw := range g.KW {
				lo, hi := inside(g.W, g.OutW, kw*g.DW-g.PW, g.SW)
				for oh := range g.OutH {
					row := col[at:][:g.OutW]
					at += g.OutW
					ih := oh*g.SH + kh*g.DH - g.PH
					if ih < 0 || ih >= g.H {
						clear(row)
						continue
					}
					clear(row[:lo])
					clear(row[hi:])
					src := plane[ih*g.W:][:g.W]
					iw := lo*g.SW + kw*g.DW - g.PW
					switch {
					case lo >= hi:
					case g.SW == 1:
						copy(row[lo:hi], src[iw:])
					default:
						for i := lo; i < hi; i++ {
							row[i] = src[iw]
							iw += g.SW
						}
					}
				}
			}
		}
	}
}

// im2colPlain is im2col for stride 1 without padding: every window lies inside the image.
func im2colPlain(g *gpu.ConvGeometry, x, col []float32) {
	for c := range g.C / g.Groups {
		plane := x[c*g.H*g.W:][:g.H*g.W]
		for kh := range g.KH {
			for kw := range g.KW {
				src := plane[kh*g.DH*g.W+kw*g.DW:]
				for range g.OutH {
					copyRow(col[:g.OutW], src)
					col = col[g.OutW:]
					src = src[min(g.W, len(src)):]
				}
			}
		}
	}
}

// copyRow is copy for rows so short that calling memmove would cost more than the move.
func copyRow(dst, src []float32) {
	if len(dst) > 64 {
		copy(dst, src)
		return
	}
	for len(dst) >= 8 { // sixteen bytes at a time: the compiler moves more by memmove
		*(*[4]float32)(dst) = *(*[4]float32)(src)
		*(*[4]float32)(dst[4:]) = *(*[4]float32)(src[4:])
		dst, src = dst[8:], src[8:]
	}
	for i := range dst {
		dst[i] = src[i]
	}
}

// col2im sets x to the sums of the columns that im2col takes from each position.
func col2im(g *gpu.ConvGeometry, col, x []float32) {
	clear(x)
	at := 0
	for c := range g.C / g.Groups {
		plane := x[c*g.H*g.W:][:g.H*g.W]
		for kh := range g.KH {
			for kw := range g.KW {
				lo, hi := inside(g.W, g.OutW, kw*g.DW-g.PW, g.SW)
				for oh := range g.OutH {
					row := col[at:][:g.OutW]
					at += g.OutW
					ih := oh*g.SH + kh*g.DH - g.PH
					if ih < 0 || ih >= g.H || lo >= hi {
						continue
					}
					iw := ih*g.W + lo*g.SW + kw*g.DW - g.PW
					if g.SW == 1 {
						dst := plane[iw:][:hi-lo]
						for i, v := range row[lo:hi] {
							dst[i] += v
						}
						continue
					}
					for _, v := range row[lo:hi] {
						plane[iw] += v
						iw += g.SW
					}
				}
			}
		}
	}
}

// inside returns the range of outputs i for which 0 <= i·stride + off < size.
func inside(size, out, off, stride int) (lo, hi int) {
	if off < 0 {
		lo = (-off + stride - 1) / stride
	}
	if off < size {
		hi = (size-off-1)/stride + 1
	}
	lo, hi = min(lo, out), max(0, min(hi, out))
	if lo > hi {
		return hi, hi
	}
	return lo, hi
}
