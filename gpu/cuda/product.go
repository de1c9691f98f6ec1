//go:build cuda

package cuda

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

// kernelOf returns the kernel of a product for tile number t of a precision.
func kernelOf(k product, p Precision, t int) kernelID {
	switch {
	case p == TF32:
		return firstTensor + kernelID(t)*kernelID(products) + kernelID(k)
	case p == BF16:
		return firstTensor + kernelID(2+t)*kernelID(products) + kernelID(k)
	case k <= gemmTT:
		return kGemmNn32 + 4*kernelID(t) + kernelID(k)
	case k == convForward:
		return kConv32 + kernelID(t)
	case k == convBackwardData:
		return kConvBackwardData32 + kernelID(t)
	}
	return kConvBackwardWeights32 + kernelID(t)
}

// plan is how a product is cut: the tile, and the shares of k.
type plan struct {
	tile   int // of tilesOf the precision
	size   int // of the tile
	shares int
	length int // of a share
	grid   grid
	cost   float64 // estimated, in steps of the large tile one after another
}

// leastShare is the least length of a share of k: below, adding shares up costs more than it saves.
const leastShare = 64

// planProduct chooses the tile and the shares for a product of groups of m×n×k: as few steps one after another as the
// multiprocessors allow, where two blocks run on each.
func (d *Device) planProduct(m, n, k, groups int) plan {
	var best plan
	for t := range tilesOf(d.precision) {
		if p := d.planTile(t, m, n, k, groups); best.shares == 0 || p.cost < best.cost {
			best = p
		}
	}
	return best
}

// planTile chooses the shares for a tile.
func (d *Device) planTile(tile, m, n, k, groups int) plan {
	t := tilesOf(d.precision)[tile]
	gx, gy := (n+t.size-1)/t.size, (m+t.size-1)/t.size
	slots := 2 * d.sms
	var best plan
	for shares := 1; shares <= 64; shares *= 2 {
		length := (k + shares - 1) / shares
		length = max(t.step, (length+t.step-1)/t.step*t.step)
		count := max(1, (k+length-1)/length)
		p := plan{tile: tile, size: t.size, shares: count, length: length, grid: grid{gx, gy, groups * count}}
		if !d.sharable(p, groups, count) {
			break
		}
		waves := (gx*gy*groups*count + slots - 1) / slots
		p.cost = float64(waves) * (float64(length) + 24) * t.work
		if count > 1 {
			p.cost += 16 + float64(count)*2
		}
		if best.shares == 0 || p.cost < best.cost {
			best = p
		}
	}
	return best
}

// sharable reports whether a product can be cut so: shares are long enough, and there is room for their results.
func (d *Device) sharable(p plan, groups, shares int) bool {
	tiles := p.grid.x * p.grid.y * groups
	return p.shares == 1 && shares == 1 ||
		p.shares == shares && p.length >= leastShare && tiles <= counterWords &&
			4*int64(tiles*shares)*int64(p.size*p.size) <= 256<<20
}

// epilogue is what a product's result passes through: Epilogue of product.cuh.
type epilogue struct {
	alpha, beta         float32
	rowBias, columnBias uint64
	rectify             bool
	slope               float32
}

func (b *blob) epilogue(e epilogue) {
	b.float(e.alpha)
	b.float(e.beta)
	b.ptr(e.rowBias)
	b.ptr(e.columnBias)
	b.u32(uint32(flag(e.rectify)))
	b.float(e.slope)
}

// shares puts a Shares into the blob.
func (d *Device) shares(p *plan) {
	var at uint64
	if p.shares > 1 {
		var ok bool
		if at, ok = d.tiles(4 * int64(p.grid.x*p.grid.y*p.grid.z) * int64(p.size*p.size)); !ok {
			p.grid.z /= p.shares
			p.shares = 1
		}
	}
	b := &d.queue.blob
	b.ptr(at)
	b.ptr(d.scratch.counters)
	b.ints(p.shares, p.length)
}

// Gemm implements gpu.Dense.
func (d *Device) Gemm(transA, transB bool, m, n, k int, alpha float32, a, b *gpu.Tensor, beta float32, c *gpu.Tensor) {
	gpu.Want("Gemm", "A", a, m*k)
	gpu.Want("Gemm", "B", b, k*n)
	gpu.Want("Gemm", "C", c, m*n)
	if m == 0 || n == 0 {
		return
	}
	d.closeBatches()
	w := work{
		what:   product(2*flag(transA) + flag(transB)),
		m:      m,
		n:      n,
		k:      k,
		groups: 1,
		x:      d.ptr(a),
		w:      d.ptr(b),
		y:      d.ptr(c),
		out:    c.N,
		e:      epilogue{alpha: alpha, beta: beta},
	}
	if d.do(&w) {
		d.queue.fusable(
			lastOp{
				kind:  multiplied,
				out:   d.ptr(c),
				n:     c.N,
				shape: gpu.ChannelShape{Outer: m, Channels: n, Inner: 1},
				plain: beta == 0,
			},
			gemmEpilogue,
		)
	}
}

// work is one product: what product.cuh is given. x, w and y are A, B and C of a gemm.
type work struct {
	what    product
	m, n, k int
	groups  int
	x, w, y uint64
	out     int // elements of y
	e       epilogue
	g       *gpu.ConvGeometry // nil for a gemm
}

// Where the epilogue lies in the arguments of a gemm and of a convolution, in words.
const (
	gemmEpilogue = 5
	convEpilogue = 3
)

// emit queues a product by a kernel of this program.
func (d *Device) emit(w *work, p plan) {
	v := &d.queue.blob
	if w.g == nil {
		v.ints(w.m, w.n, w.k)
	}
	v.ptr(w.x)
	v.ptr(w.w)
	v.ptr(w.y)
	v.epilogue(w.e)
	d.shares(&p)
	if w.g != nil {
		v.geometry(w.g)
	}
	d.launch(kernelOf(w.what, d.precision, p.tile), p.grid, 256)
}

// emitLibrary queues a product by cuBLAS or cuDNN, and reports whether they have it.
func (d *Device) emitLibrary(w *work) bool {
	if w.g != nil {
		if d.libs.dnn == nil || !d.dnnConv(w.what, w.g, w.x, w.w, w.y) {
			return false
		}
		if w.e.rowBias != 0 {
			s := gpu.ChannelShape{Outer: w.g.N, Channels: w.g.O, Inner: w.g.OutH * w.g.OutW}
			d.channels(s)
			d.each(kAddBias, s.Len(), w.e.rowBias, w.y)
		}
		return true
	}
	if d.libs.blas == nil {
		return false
	}
	d.blasGemm(w.what&2 != 0, w.what&1 != 0, w.m, w.n, w.k, w.e.alpha, w.x, w.w, w.e.beta, w.y)
	return true
}

// geometry puts a Geometry of conv.cu into the blob.
func (b *blob) geometry(g *gpu.ConvGeometry) {
	b.ints(
		g.N,
		g.C/g.Groups,
		g.H,
		g.W,
		g.O/g.Groups,
		g.KH,
		g.KW,
		g.SH,
		g.SW,
		g.PH,
		g.PW,
		g.DH,
		g.DW,
		g.Groups,
		g.OutH,
		g.OutW,
	)
	for _, n := range []int{g.OutH * g.OutW, g.OutW, g.KH * g.KW, g.KW, g.H * g.W, g.W, g.SH, g.SW} {
		b.divisor(n)
	}
}

func weightCount(g *gpu.ConvGeometry) int { return g.O * (g.C / g.Groups) * g.KH * g.KW }

// convolve queues one of the three products of a convolution, and reports whether a kernel of this program does it.
func (d *Device) convolve(what product, g *gpu.ConvGeometry, m, n, k int, x, w, y *gpu.Tensor, e epilogue) bool {
	d.closeBatches()
	return d.do(
		&work{
			what:   what,
			m:      m,
			n:      n,
			k:      k,
			groups: g.Groups,
			x:      d.ptr(x),
			w:      d.ptr(w),
			y:      d.ptr(y),
			out:    y.N,
			e:      e,
			g:      g,
		},
	)
}

// Conv implements gpu.Spatial.
func (d *Device) Conv(g *gpu.ConvGeometry, x, w, b, y *gpu.Tensor) {
	gpu.Want("Conv", "x", x, g.N*g.C*g.H*g.W)
	gpu.Want("Conv", "w", w, weightCount(g))
	gpu.WantOptional("Conv", "b", b, g.O)
	gpu.Want("Conv", "y", y, g.N*g.O*g.OutH*g.OutW)
	places := g.OutH * g.OutW
	if d.convolve(
		convForward,
		g,
		g.O/g.Groups,
		g.N*places,
		g.C/g.Groups*g.KH*g.KW,
		x,
		w,
		y,
		epilogue{alpha: 1, rowBias: d.ptr(b)},
	) {
		d.queue.fusable(lastOp{kind: convolved, out: d.ptr(y), n: y.N}, convEpilogue)
	}
}

// ConvBackwardData implements gpu.Spatial.
func (d *Device) ConvBackwardData(g *gpu.ConvGeometry, dy, w, dx *gpu.Tensor) {
	gpu.Want("ConvBackwardData", "dy", dy, g.N*g.O*g.OutH*g.OutW)
	gpu.Want("ConvBackwardData", "w", w, weightCount(g))
	gpu.Want("ConvBackwardData", "dx", dx, g.N*g.C*g.H*g.W)
	d.convolve(convBackwardData, g, g.C/g.Groups, g.N*g.H*g.W, g.O/g.Groups*g.KH*g.KW, dy, w, dx, epilogue{alpha: 1})
}

// ConvBackwardWeights implements gpu.Spatial.
func (d *Device) ConvBackwardWeights(g *gpu.ConvGeometry, x, dy, dw, db *gpu.Tensor) {
	places := g.OutH * g.OutW
	gpu.Want("ConvBackwardWeights", "x", x, g.N*g.C*g.H*g.W)
	gpu.Want("ConvBackwardWeights", "dy", dy, g.N*g.O*places)
	gpu.WantOptional("ConvBackwardWeights", "dw", dw, weightCount(g))
	gpu.WantOptional("ConvBackwardWeights", "db", db, g.O)
	if db != nil {
		d.SumBias(gpu.ChannelShape{Outer: g.N, Channels: g.O, Inner: places}, dy, db)
	}
	if dw != nil {
		d.convolve(
			convBackwardWeights,
			g,
			g.O/g.Groups,
			g.C/g.Groups*g.KH*g.KW,
			g.N*places,
			x,
			dy,
			dw,
			epilogue{alpha: 1},
		)
	}
}
