package host

import "dns-tui/gpu"

// Convolution is im2col and a matrix product, image by image, the images spread over the workers. The columns of
// one image are made in a worker's own scratch, small enough to stay in its cache, and are made again for the
// weight gradient: that costs less than keeping them.

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

func weightCount(g *gpu.ConvGeometry) int { return g.O * (g.C / g.Groups) * g.KH * g.KW }

// Conv implements gpu.Spatial.
func (d *Device) Conv(g *gpu.ConvGeometry, x, w, b, y *gpu.Tensor) {
	s := sizesOf(g)
	gpu.Want("Conv", "x", x, g.N*s.in)
	gpu.Want("Conv", "w", w, weightCount(g))
	gpu.WantOptional("Conv", "b", b, g.O)
	gpu.Want("Conv", "y", y, g.N*s.out)
	p := d.start()
	p.x, p.w, p.u, p.y, p.conv = slice(x), slice(w), slice(b), slice(y), g
	d.pool.run(g.N, 1, convForward, p)
}

func convForward(p *args, lo, hi, worker int) {
	g, s, d := p.conv, sizesOf(p.conv), p.dev
	for n := lo; n < hi; n++ {
		y := p.y[n*s.out:][:s.out]
		var beta float32
		if p.u != nil {
			beta = 1
			for o, b := range p.u {
				row := y[o*s.cols:][:s.cols]
				for i := range row {
					row[i] = b
				}
			}
		}
		for grp := range g.Groups {
			col := d.columns(g, &s, p.x[n*s.in+grp*s.inPerGroup:][:s.inPerGroup], worker)
			d.blas.gemm(worker, false, false, s.outPerGroup, s.cols, s.rows, 1, p.w[grp*s.weightPerGrp:], s.rows,
				col, s.cols, beta, y[grp*s.outPerGroup*s.cols:], s.cols)
		}
	}
}

// columns returns the column matrix of one group of one image.
func (d *Device) columns(g *gpu.ConvGeometry, s *convSizes, x []float32, worker int) []float32 {
	if s.direct {
		return x
	}
	col := d.scratch(worker, s.rows*s.cols)
	im2col(g, x, col)
	return col
}

// ConvBackwardData implements gpu.Spatial.
func (d *Device) ConvBackwardData(g *gpu.ConvGeometry, dy, w, dx *gpu.Tensor) {
	s := sizesOf(g)
	gpu.Want("ConvBackwardData", "dy", dy, g.N*s.out)
	gpu.Want("ConvBackwardData", "w", w, weightCount(g))
	gpu.Want("ConvBackwardData", "dx", dx, g.N*s.in)
	p := d.start()
	p.y, p.w, p.x, p.conv = slice(dy), slice(w), slice(dx), g
	d.pool.run(g.N, 1, convBackwardData, p)
}

func convBackwardData(p *args, lo, hi, worker int) {
	g, s, d := p.conv, sizesOf(p.conv), p.dev
	for n := lo; n < hi; n++ {
		for grp := range g.Groups {
			dx := p.x[n*s.in+grp*s.inPerGroup:][:s.inPerGroup]
			col := dx
			if !s.direct {
				col = d.scratch(worker, s.rows*s.cols)
			}
			d.blas.gemm(worker, true, false, s.rows, s.cols, s.outPerGroup, 1, p.w[grp*s.weightPerGrp:], s.rows,
				p.y[n*s.out+grp*s.outPerGroup*s.cols:], s.cols, 0, col, s.cols)
			if !s.direct {
				col2im(g, col, dx)
			}
		}
	}
}

// maxPartialBytes bounds the partial weight gradients of ConvBackwardWeights.
const maxPartialBytes = 64 << 20

// ConvBackwardWeights implements gpu.Spatial. The images are cut into at most 16 runs whose gradients are summed
// apart and then added in order, so that the result does not depend on which worker took which.
func (d *Device) ConvBackwardWeights(g *gpu.ConvGeometry, x, dy, dw, db *gpu.Tensor) {
	s, nw := sizesOf(g), weightCount(g)
	gpu.Want("ConvBackwardWeights", "x", x, g.N*s.in)
	gpu.Want("ConvBackwardWeights", "dy", dy, g.N*s.out)
	gpu.WantOptional("ConvBackwardWeights", "dw", dw, nw)
	gpu.WantOptional("ConvBackwardWeights", "db", db, g.O)
	if db != nil {
		d.SumBias(gpu.ChannelShape{Outer: g.N, Channels: g.O, Inner: s.cols}, dy, db)
	}
	if dw == nil {
		return
	}
	runs := min(16, g.N, max(2, maxPartialBytes/4/nw))
	perRun := (g.N + runs - 1) / runs
	runs = (g.N + perRun - 1) / perRun
	if len(d.grads) < runs*nw {
		d.grads = make([]float32, runs*nw)
	}
	p := d.start()
	p.x, p.y, p.z, p.conv, p.i, p.k = slice(x), slice(dy), d.grads, g, perRun, nw
	d.pool.run(runs, 1, convBackwardWeights, p)
	p.w, p.l = slice(dw), runs
	d.pool.run(nw, grain, addRuns, p)
}

func convBackwardWeights(p *args, lo, hi, worker int) {
	g, s, d := p.conv, sizesOf(p.conv), p.dev
	for run := lo; run < hi; run++ {
		acc := p.z[run*p.k:][:p.k]
		var beta float32
		for n := run * p.i; n < min((run+1)*p.i, g.N); n++ {
			for grp := range g.Groups {
				col := d.columns(g, &s, p.x[n*s.in+grp*s.inPerGroup:][:s.inPerGroup], worker)
				d.blas.gemm(
					worker,
					false,
					true,
					s.outPerGroup,
					s.rows,
					s.cols,
					1,
					p.y[n*s.out+grp*s.outPerGroup*s.cols:],
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

func addRuns(p *args, lo, hi, _ int) {
	w := p.w[lo:hi]
	for run := range p.l {
		for i, v := range p.z[run*p.k+lo:][:hi-lo] {
			w[i] += v
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
	for len(dst) >= 8 {
		*(*[8]float32)(dst) = *(*[8]float32)(src)
		dst, src = dst[8:], src[8:]
	}
	for i := range dst {
		dst[i] = src[i]
	}
}

// col2im sets x to the sums of the columns that im2col takes from each place.
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
