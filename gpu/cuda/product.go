//go:build cuda

package cuda

// #include "calls.h"
import "C"

import "dns-tui/gpu"

// tile is a size of product.cuh or tensor.cuh: a block makes size × size results, step deep at a time.
type tile struct {
	size, step int
	work       float64 // of a block for one step of k, in steps of the large tile: small tiles reuse less
}

// product is one of the products that there are kernels for, in the order of the kernels of a tile.
type product int

const (
	gemmNN product = iota
	gemmNT
	gemmTN
	gemmTT
	convForward
	convBackwardData
	convBackwardWeights
	products
)

// The products of convolutions with channels last: m and n of the first two are the other way round.
const (
	nhwcForward product = products + iota
	nhwcBackwardData
	nhwcBackwardWeights
)

// The products of matrices whose rows begin at 16 bytes, on tensor cores.
const (
	stagedNN product = nhwcBackwardWeights + 1 + iota
	stagedNT
	stagedTN
)

// convolves reports whether it is of a convolution; lastly, whether of one with channels last.
func (p product) convolves() bool { return p >= convForward && p < stagedNN }
func (p product) lastly() bool    { return p >= nhwcForward && p < stagedNN }

// transposed reports whether A and B of a product of matrices are.
func (p product) transposed() (a, b bool) {
	if p >= stagedNN {
		p -= stagedNN
	}
	return p&2 != 0, p&1 != 0
}

// tilesOf lists the tiles of a precision.
func tilesOf(p Precision) []tile {
	switch p {
	case TF32:
		return tensorTiles[:2]
	case BF16:
		return tensorTiles[2:]
	}
	return plainTiles[:]
}

var (
	plainTiles  = [...]tile{{32, 16, 1.0 / 6}, {64, 16, 1.0 / 2.7}, {128, 8, 1}}
	tensorTiles = [...]tile{{64, 16, 1.0 / 2.5}, {128, 16, 1}, {64, 32, 1.0 / 2.5}, {128, 32, 1}}
)

// gemmKernel and convKernel return the kernel of a product for tile number t of a precision.
func gemmKernel(p product, precision Precision, t int) kernel[cGemmArgs] {
	if precision == FP32 {
		return kernel[cGemmArgs]{kGemmNn32.id + 4*kernelID(t) + kernelID(p)}
	}
	if p >= stagedNN {
		if precision == BF16 {
			t += 2
		}
		return kernel[cGemmArgs]{kStagedGemmNnTf3264.id + kernelID(3*t) + kernelID(p-stagedNN)}
	}
	return kernel[cGemmArgs]{tensorKernel(p, precision, t)}
}

func convKernel(p product, precision Precision, t int) kernel[cConvArgs] {
	if precision == FP32 {
		first := [...]kernel[cConvArgs]{kConv32, kConvBackwardData32, kConvBackwardWeights32}[p-convForward]
		return kernel[cConvArgs]{first.id + kernelID(t)}
	}
	return kernel[cConvArgs]{tensorKernel(p, precision, t)}
}

// tensorKernel is that of the module for tensor cores: there the kernels of a precision and a tile are in the order of
// the enumeration product.
func tensorKernel(p product, precision Precision, t int) kernelID {
	if precision == BF16 {
		t += 2
	}
	return firstTensor + kernelID(t)*kernelID(products) + kernelID(p)
}

// plan is how a product is cut: the tile, and the slices of k.
type plan struct {
	tile   int // of tilesOf the precision
	size   int // of the tile
	slices int
	length int // of a slice
	grid   grid
	cost   float64 // estimated, in steps of the large tile one after another
}

// leastSlice is the least length of a slice of k: below, adding slices up costs more than it saves.
const leastSlice = 64

// planProduct chooses the tile and the slices for a product of groups of m×n×k: as few steps one after another as the
// multiprocessors allow. There is none where the grid of every tile would be too large (see Supports).
func (d *back) planProduct(what product, m, n, k, groups int) plan {
	var best plan
	for t := range tilesOf(d.precision) {
		p := d.planTile(what, t, m, n, k, groups)
		if p.slices > 0 && (best.slices == 0 || p.cost < best.cost) {
			best = p
		}
	}
	return best
}

// blocksOf is how many blocks of a product's kernel run at once on a multiprocessor: as many as its registers and its
// shared memory leave room for.
func (d *back) blocksOf(what product, tile int) int {
	k := kernelID(0)
	if what.lastly() {
		k = nhwcKernel(what, d.precision, tile).id
	} else if what.convolves() {
		k = convKernel(what, d.precision, tile).id
	} else {
		k = gemmKernel(what, d.precision, tile).id
	}
	if d.blocks[k] == 0 {
		d.blocks[k] = 1
		if leave, err := d.enter(); err == nil {
			defer leave()
			var n C.int
			if C.cuOccupancyMaxActiveBlocksPerMultiprocessor(&n, d.function(k), threads, 0) == 0 {
				d.blocks[k] = max(1, int(n))
			}
		}
	}
	return d.blocks[k]
}

// maxGrid is how many blocks a grid may have in y and z.
const maxGrid = 65535

// launchable reports whether some tile's grid for m rows in groups is not too large.
func (d *back) launchable(m, groups int) bool {
	tiles := tilesOf(d.precision)
	return groups <= maxGrid && m <= maxGrid*tiles[len(tiles)-1].size
}

// planTile chooses the slices for a tile; none where its grid would be too large.
func (d *back) planTile(what product, tile, m, n, k, groups int) plan {
	t := tilesOf(d.precision)[tile]
	gx, gy := (n+t.size-1)/t.size, (m+t.size-1)/t.size
	slots := d.blocksOf(what, tile) * d.sms
	var best plan
	if gy > maxGrid || groups > maxGrid {
		return best
	}
	for slices := 1; slices <= 64; slices *= 2 {
		length := (k + slices - 1) / slices
		length = max(t.step, (length+t.step-1)/t.step*t.step)
		count := max(1, (k+length-1)/length)
		p := plan{tile: tile, size: t.size, slices: count, length: length, grid: grid{gx, gy, groups * count}}
		if !sliceable(p, groups, count) {
			break
		}
		waves := (gx*gy*groups*count + slots - 1) / slots
		p.cost = float64(waves) * (float64(length) + 24) * t.work
		if count > 1 {
			p.cost += 16 + float64(count)*2
		}
		if best.slices == 0 || p.cost < best.cost {
			best = p
		}
	}
	return best
}

// sliceable reports whether a product can be cut so: slices are long enough, and there is room for their results.
func sliceable(p plan, groups, slices int) bool {
	tiles := p.grid.x * p.grid.y * groups
	return p.slices == 1 && slices == 1 ||
		p.slices == slices && groups*slices <= maxGrid && p.length >= leastSlice && tiles <= counterWords &&
			4*int64(tiles*slices)*int64(p.size*p.size) <= 256<<20
}

// slicesOf is how k is cut, as product.cuh has it. Where there is no memory for it, the plan is made one slice.
func (d *back) slicesOf(p *plan) cShares {
	var at address
	if p.slices > 1 {
		var ok bool
		if at, ok = d.tiles(4 * int64(p.grid.x*p.grid.y*p.grid.z) * int64(p.size*p.size)); !ok {
			p.grid.z /= p.slices
			p.slices = 1
		}
	}
	return cShares{partial: at, counters: d.scratch.counters, count: int32(p.slices), length: int32(p.length)}
}

func (d *back) gemm(o *gpu.Gemm) {
	if o.M == 0 || o.N == 0 {
		return
	}
	w := work{
		what: d.gemmOf(o), m: o.M, n: o.N, k: o.K, groups: 1,
		x: d.ptr(o.A), w: d.ptr(o.B), y: d.ptr(o.C), out: o.C.N, e: cEpilogue{alpha: o.Alpha, beta: o.Beta},
	}
	if d.multiply(&w) {
		shape := gpu.ChannelShape{Outer: o.M, Channels: o.N, Inner: 1}
		d.queue.fusable(lastOp{kind: multiplied, out: w.y, n: w.out, shape: shape, plain: o.Beta == 0})
	}
}

// gemmOf is which product of matrices one is.
func (d *back) gemmOf(o *gpu.Gemm) product {
	what := product(2*flag(o.TransA) + flag(o.TransB))
	alongA, alongB := o.K, o.N // numbers of a row in memory
	if o.TransA {
		alongA = o.M
	}
	if o.TransB {
		alongB = o.K
	}
	if d.precision == FP32 || what == gemmTT || (alongA|alongB)%4 != 0 || o.K == 0 || (d.ptr(o.A)|d.ptr(o.B))%16 != 0 {
		return what
	}
	return what + stagedNN
}

// work is one product: what product.cuh is given. x, w and y are A, B and C of a gemm.
type work struct {
	what    product
	m, n, k int
	groups  int
	x, w, y address
	byInput address     // of the gradient of inputs with channels last: the weights for our kernels; w is for libraries
	weights *gpu.Tensor // what byInput is a copy of, which is made where a kernel of ours wants it after all
	out     int         // elements of y
	e       cEpilogue
	g       *gpu.ConvGeometry // nil for a gemm
}

// emit queues a product by a kernel of this program.
func (d *back) emit(w *work, p plan) {
	slices := d.slicesOf(&p)
	if w.what.lastly() {
		d.emitNhwc(w, p, slices)
		return
	}
	if w.g == nil {
		launch(d, gemmKernel(w.what, d.precision, p.tile), p.grid, cGemmArgs{
			m: int32(w.m), n: int32(w.n), k: int32(w.k), a: w.x, b: w.w, c: w.y, e: w.e, shares: slices,
		})
		return
	}
	launch(d, convKernel(w.what, d.precision, p.tile), p.grid, cConvArgs{
		x: w.x, w: w.w, y: w.y, e: w.e, shares: slices, g: geometry(w.g),
	})
}

// emitLibrary queues a product by cuBLAS or cuDNN in a way, and reports whether they have it.
func (d *back) emitLibrary(w *work, how choice) bool {
	if w.g == nil {
		if d.libs.blas == nil {
			return false
		}
		d.blasGemm(w)
		return true
	}
	if how.Engine != "" {
		return d.emitPlan(w, how.Engine, false)
	}
	if d.libs.dnn == nil || !d.dnnConv(w, how) {
		return false
	}
	if w.what == nhwcForward && w.e.columnBias != 0 {
		s := columnsOf(outputOf(w.g))
		each(d, lastKernel(d, kNhwcAddBiasBf16), w.out/8, nhwcAddBiasArgs{b: w.e.columnBias, y: w.y, s: s})
	}
	if w.e.rowBias != 0 {
		s := gpu.ChannelShape{Outer: w.g.N, Channels: w.g.O, Inner: w.g.OutH * w.g.OutW}
		each(d, kAddBias, s.Len(), addBiasArgs{b: w.e.rowBias, y: w.y, s: channels(s)})
	}
	return true
}

// geometry is g as conv.cuh has it.
func geometry(g *gpu.ConvGeometry) cGeometry {
	return cGeometry{
		n: int32(g.N), c: int32(g.C / g.Groups), h: int32(g.H), w: int32(g.W), o: int32(g.O / g.Groups),
		kh: int32(g.KH), kw: int32(g.KW), sh: int32(g.SH), sw: int32(g.SW), ph: int32(g.PH), pw: int32(g.PW),
		dh: int32(g.DH), dw: int32(g.DW), groups: int32(g.Groups), outH: int32(g.OutH), outW: int32(g.OutW),
		byPlaces: divisor(g.OutH * g.OutW), byOutW: divisor(g.OutW), byTaps: divisor(g.KH * g.KW), byKw: divisor(g.KW),
		byPlane: divisor(g.H * g.W), byW: divisor(g.W), bySh: divisor(g.SH), bySw: divisor(g.SW),
	}
}

// convolve queues one of the three products of a convolution, and reports whether a kernel of this program does it.
func (d *back) convolve(w work) bool {
	w.groups, w.e.alpha = w.g.Groups, 1
	return d.multiply(&w)
}

func (d *back) conv(o *gpu.Conv) {
	g := o.G
	w := work{
		what: convForward, g: g, m: g.O / g.Groups, n: g.N * g.OutH * g.OutW, k: g.C / g.Groups * g.KH * g.KW,
		x: d.ptr(o.X), w: d.ptr(o.W), y: d.ptr(o.Y), out: o.Y.N, e: cEpilogue{rowBias: d.ptr(o.B)},
	}
	if d.convolve(w) {
		d.queue.fusable(lastOp{kind: convolved, out: w.y, n: w.out})
	}
}

func (d *back) convBackwardData(o *gpu.ConvBackwardData) {
	g := o.G
	d.convolve(work{
		what: convBackwardData, g: g, m: g.C / g.Groups, n: g.N * g.H * g.W, k: g.O / g.Groups * g.KH * g.KW,
		x: d.ptr(o.DY), w: d.ptr(o.W), y: d.ptr(o.DX), out: o.DX.N,
	})
}

func (d *back) convBackwardWeights(o *gpu.ConvBackwardWeights) {
	g, positions := o.G, o.G.OutH*o.G.OutW
	if o.DB != nil {
		d.sumBias(gpu.ChannelShape{Outer: g.N, Channels: g.O, Inner: positions}, d.ptr(o.DY), d.ptr(o.DB))
	}
	if o.DW != nil {
		d.convolve(work{
			what: convBackwardWeights, g: g, m: g.O / g.Groups, n: g.C / g.Groups * g.KH * g.KW, k: g.N * positions,
			x: d.ptr(o.X), w: d.ptr(o.DY), y: d.ptr(o.DW), out: o.DW.N,
		})
	}
}
