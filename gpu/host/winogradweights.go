package host

import "dns-tui/gpu"

// The gradient of the weights of a convolution in the manner of Winograd. With the matrices of winograd.go, and e the
// gradient of a tile of 4×4 outputs, it is
//
//	dg = Gᵀ·(Σ_tiles (A·e·Aᵀ) ∘ (Bᵀ·d·B))·G
//
// which is what differentiating Y gives: 36 multiplications a tile, channel and output. For each of the 36 the sum over
// tiles is a product, outputs by tiles times tiles by channels. Some rows of tiles at a time, they are transformed and
// packed; then blocks of outputs and channels sum all 36 in a worker's scratch, transform the sums, and add them to the
// gradients, so that the 36 sums of a weight, four times the weights, are never in memory.

// winogradTogether is how many elements the transformed tiles may take that are done together.
const winogradTogether = 2 << 20

// canWinogradWeights reports whether the gradient of a convolution's weights can be made so.
func canWinogradWeights(k *productKey) bool { return canWinograd(k) && k.g.O/k.g.Groups >= 8 }

// winogradSums is what is known of a gradient of a geometry.
type winogradSums struct {
	side, taps       int     // outputs of a tile, weights of a kernel
	x, dy            *direct // of the rows of a tile of inputs, and of outputs' gradients
	across, down     int     // tiles of a row; rows of tiles of an image
	together         int     // rows of tiles, of one image after another, that are done together
	tiles            int     // of these
	rows, columns    int     // panels of outputs, of channels
	width            int     // of a panel of channels
	out, in          int     // from a place of outputs, of inputs, to the next
	outputs, inputs  int     // elements of a group's transformed tiles
	blockRows, block int     // panels of a block
}

func newWinogradSums(g gpu.ConvGeometry) *winogradSums {
	side := winogradSide(&g)
	w := &winogradSums{side: side, taps: g.KH * g.KW, width: tilePanels * panel}
	w.across, w.down = ceil(g.OutW, side), ceil(g.OutH, side)
	rows := g
	rows.OutW, rows.OutH = side*w.across, side
	w.x = newPadded(rows)
	w.dy = newPadded(gpu.ConvGeometry{
		N: g.N, C: g.O, H: g.OutH, W: g.OutW, O: g.O, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: g.Groups,
		OutH: rows.OutH, OutW: rows.OutW,
	})
	perRow := winogradPlaces * w.across * g.Groups * (w.x.c + w.dy.c)
	w.together = min(max(1, winogradTogether/perRow), g.N*w.down)
	w.together = ceil(g.N*w.down, ceil(g.N*w.down, w.together))
	w.tiles = w.together * w.across
	w.rows, w.columns = ceil(w.dy.c, tilePositions), ceil(w.x.c, w.width)
	w.out, w.in = oddLines(w.rows*tilePositions*w.tiles), oddLines(w.columns*w.width*w.tiles)
	w.outputs, w.inputs = winogradPlaces*w.out, winogradPlaces*w.in
	w.blockRows, w.block = 64/tilePositions, max(1, 64/w.width)
	for w.blockRows > 2 && g.Groups*ceil(w.rows, w.blockRows)*ceil(w.columns, w.block) < wantedPieces {
		w.blockRows /= 2
	}
	return w
}

func (d *back) convBackwardWeightsWinograd(o *gpu.ConvBackwardWeights) {
	g := o.G
	w := d.winogradSums[*g]
	if w == nil {
		if d.winogradSums == nil {
			d.winogradSums = map[gpu.ConvGeometry]*winogradSums{}
		}
		w = newWinogradSums(*g)
		d.winogradSums[*g] = w
	}
	packed := room(&d.packed, g.Groups*(w.outputs+w.inputs))
	for first := 0; first < g.N*w.down; first += w.together {
		rows := min(w.together, g.N*w.down-first)
		p := winogradPart{d, g, w, rows * w.across, packed[:g.Groups*w.outputs], packed[g.Groups*w.outputs:]}
		tiles := winogradTilesKernel{p, first, slice(o.X), slice(o.DY)}
		launch(d, &d.kernels.winogradTiles, tiles, g.Groups*rows, 1)
		blocks := g.Groups * ceil(w.rows, w.blockRows) * ceil(w.columns, w.block)
		launch(d, &d.kernels.winogradSums, winogradSumsKernel{p, slice(o.DW)}, blocks, 1)
	}
}

// winogradPart is some rows of tiles, transformed and packed: for each place, panel of outputs or channels, and tile
// those of the panel.
type winogradPart struct {
	d               *back
	g               *gpu.ConvGeometry
	w               *winogradSums
	tiles           int
	outputs, inputs []float32
}

// winogradTilesKernel transforms rows of tiles of images' groups.
type winogradTilesKernel struct {
	winogradPart
	first int // row of tiles
	x, dy []float32
}

func (k *winogradTilesKernel) run(lo, hi, worker int) {
	g, w := k.g, k.w
	c, o := w.x.c, w.dy.c
	xs, dys := winogradSeen*w.x.width*c, w.side*w.dy.width*o
	transform := winogradGradient
	if w.side == 2 {
		transform = winogradGradient5
	}
	apart := 0 // transformed gradients that are packed after that
	if tilePositions != 8 {
		apart = winogradPlaces * w.across * o
	}
	scratch := k.d.scratch(worker, xs+dys+apart)
	x, dy, es := scratch[:xs], scratch[xs:][:dys], scratch[xs+dys:]
	clear(scratch[:xs+dys]) // behind the channels
	for item := lo; item < hi; item++ {
		group, row := item%g.Groups, item/g.Groups
		n, down := (k.first+row)/w.down, (k.first+row)%w.down
		w.x.lay(k.x[(n*g.C+group*w.x.planes)*g.H*g.W:][:w.x.planes*g.H*g.W], x, down*w.side, w.side)
		plane := g.OutH * g.OutW
		w.dy.lay(k.dy[(n*g.O+group*w.dy.planes)*plane:][:w.dy.planes*plane], dy, down*w.side, w.side)
		inputs, outputs := k.inputs[group*w.inputs:], k.outputs[group*w.outputs:]
		for i := range w.across {
			tile := row*w.across + i
			from := x[i*w.side*c:]
			for at := 0; at < c; at += w.width {
				to := &inputs[(at/w.width*k.tiles+tile)*w.width]
				winogradInput(&from[at], 4*w.x.width*c, 4*c, to, 4*w.in, min(w.width, c-at)/8)
			}
			from = dy[i*w.side*o:]
			if apart > 0 {
				transform(&from[0], 4*w.dy.width*o, 4*o, &es[i*o], 4*w.across*o, 32, o/8)
				continue
			}
			transform(&from[0], 4*w.dy.width*o, 4*o, &outputs[tile*8], 4*w.out, 32*k.tiles, o/8)
		}
		for place := range min(apart, winogradPlaces) {
			for at := range w.rows {
				from := es[place*w.across*o+at*tilePositions:]
				to := outputs[place*w.out+(at*k.tiles+row*w.across)*tilePositions:]
				copyRows(from, o, to, tilePositions, w.across, min(tilePositions, o-at*tilePositions))
			}
		}
	}
}

// winogradSumsKernel does blocks of outputs and channels of groups.
type winogradSumsKernel struct {
	winogradPart
	dw []float32
}

func (k *winogradSumsKernel) run(lo, hi, worker int) {
	w := k.w
	taps, transform := w.taps, winogradKernels
	if w.side == 2 {
		transform = winogradKernels5
	}
	c, o := w.x.planes, w.dy.planes
	rows, columns := w.blockRows*tilePositions, w.block*w.width
	place := rows * columns
	scratch := k.d.scratch(worker, winogradPlaces*place+2*taps*columns+8)
	sums, kernels := scratch[:winogradPlaces*place], scratch[winogradPlaces*place:][:taps*columns]
	turned := scratch[winogradPlaces*place+taps*columns:][:taps*columns]
	zeros := scratch[winogradPlaces*place+2*taps*columns:]
	clear(zeros)
	down, across := ceil(w.rows, w.blockRows), ceil(w.columns, w.block)
	for item := lo; item < hi; item++ {
		group, row, column := item/across/down, item/across%down*w.blockRows, item%across*w.block
		tall, wide := min(w.blockRows, w.rows-row), min(w.block, w.columns-column)
		k.products(&k.d.tiles[worker].product, group, row, tall, column, wide, sums, zeros)
		first, channels := column*w.width, min(wide*w.width, c-column*w.width)
		for i := range min(tall*tilePositions, o-row*tilePositions) {
			transform(&sums[i*columns], 4*place, &kernels[0], 4*columns, ceil(channels, 8))
			for tap := 0; tap < taps; tap += 8 {
				transposeBlock(kernels[tap*columns:], columns, turned[tap:], taps, min(8, taps-tap), channels)
			}
			dw := k.dw[((group*o+row*tilePositions+i)*c+first)*taps:][:channels*taps]
			for j := addVectors(turned, dw); j < len(dw); j++ {
				dw[j] += turned[j]
			}
		}
	}
}

// products makes the 36 sums of a block.
func (k *winogradSumsKernel) products(t *productTile, group, row, tall, column, wide int, sums, zeros []float32) {
	w := k.w
	columns := w.block * w.width
	place := w.blockRows * tilePositions * columns
	t.cStep, t.nextStep, t.line, t.rows = 4*columns, 0, 0, 1
	block := ceil(k.tiles, ceil(k.tiles, deepest))
	for at := range winogradPlaces {
		inputs := k.inputs[group*w.inputs+at*w.in+column*w.width*k.tiles:]
		outputs := k.outputs[group*w.outputs+at*w.out+row*tilePositions*k.tiles:]
		for k0 := 0; k0 < k.tiles; k0 += block {
			t.k = min(block, k.tiles-k0)
			t.lines = t.k + 1
			if t.init = nil; k0 == 0 {
				t.init = &zeros[0]
			}
			for j := range wide {
				t.b = &inputs[(j*k.tiles+k0)*w.width]
				for i := range tall {
					t.a = &outputs[(i*k.tiles+k0)*tilePositions]
					t.c = &sums[at*place+i*tilePositions*columns+j*w.width]
					t.next = t.a
					tileOfProduct(t, tilePositions, tilePanels)
				}
			}
		}
	}
}
