package host

import "dns-tui/gpu"

// A convolution of 3×3 or 5×5 and stride 1 in the manner of Winograd: F(4×4, 3×3) of Lavin and Gray (Fast Algorithms
// for Convolutional Neural Networks, CVPR 2016), and F(2×2, 5×5), whose matrix B is the same. A tile of outputs is
//
//	Y = Aᵀ·(Σ_c (G·g·Gᵀ) ∘ (Bᵀ·d·B))·A
//
// where d are the 6×6 inputs that it sees and g the weights of a channel: 36 multiplications a channel for 144, and for
// 100. For each of the 36 the sum over channels is a product, tiles by channels times channels by outputs, made of the
// tiles of direct.go. What is transformed is shared: inputs by all outputs, outputs by all channels, weights by all
// tiles.
//
// Sums cancel in it; TestWinogradError holds the error against float64: it is twice that of a direct sum. The gradient
// of weights is in winogradweights.go.

const (
	winogradSeen   = 6 // inputs of a tile
	winogradPlaces = winogradSeen * winogradSeen
)

// winogradRoom is how many elements the inputs and outputs of products that are made together may take.
const winogradRoom = 1 << 20

// winogradSide is how many outputs a tile has.
func winogradSide(g *gpu.ConvGeometry) int { return winogradSeen + 1 - g.KH }

// canWinograd reports whether a convolution can be done so.
func canWinograd(k *productKey) bool {
	g := &k.g
	return has(vecWinograd) && (g.KH == 3 || g.KH == 5) && g.KW == g.KH && g.SH == 1 && g.SW == 1 && g.DH == 1 &&
		g.DW == 1 &&
		g.C/g.Groups >= 8 &&
		g.OutH*g.OutW >= 16
}

// canWinogradData reports whether the gradient of a convolution's inputs can be.
func canWinogradData(k *productKey) bool {
	return canWinograd(&productKey{g: turned(&k.g)}) && k.g.SH == 1 && k.g.SW == 1
}

// winograd is what is known of a convolution of a geometry in the manner of Winograd.
type winograd struct {
	side     int     // outputs of a tile
	lay      *direct // of a row of tiles
	across   int     // tiles of a row
	down     int     // rows of tiles of an image
	together int     // rows of tiles, of one image after another, whose products are made together
	product  direct  // of one of the 36
	weights  int     // elements of transformed weights of a group
	in, out  int     // from the inputs and outputs of a product to those of the next
}

// oddLines rounds up to an odd number of lines of the cache: what lies so far apart is not in the same place of a
// cache.
func oddLines(n int) int {
	const line = cacheLine / 4
	return (ceil(n, line) | 1) * line
}

func newWinograd(g gpu.ConvGeometry) *winograd {
	side := winogradSide(&g)
	w := &winograd{side: side, across: ceil(g.OutW, side), down: ceil(g.OutH, side)}
	rows := g
	rows.OutW, rows.OutH = side*w.across, side
	w.lay = newPadded(rows)
	c, panels := w.lay.c, w.lay.panels
	perRow := winogradPlaces * w.across * (c + panels*panel)
	w.together = evenly(g.N*w.down, max(1, winogradRoom/perRow), w.across, g.Groups)
	n := w.together * w.across
	w.product = direct{c: c, o: w.lay.o, panels: panels, k: c, length: c, offsets: []int{0}}
	for i := range ceil(n, tilePositions) * tilePositions {
		w.product.positions = append(w.product.positions, 4*c*min(i, n-1))
	}
	w.in, w.out = oddLines(len(w.product.positions)*c), oddLines(len(w.product.positions)*panels*panel)
	w.weights = winogradPlaces * panels * c * panel
	return w
}

// evenly is how many of rows of across tiles make a piece, at most most. Two threads get as much each: so pieces are of
// one size, and an even number of all groups, unless they would be of a few tiles.
func evenly(rows, most, across, groups int) int {
	pieces := ceil(rows, most)
	if pieces*groups%2 != 0 && ceil(rows, pieces+1)*across >= 2*tilePositions {
		pieces++
	}
	return ceil(rows, pieces)
}

// newPadded is newDirect with channels of a group filled up to a multiple of eight.
func newPadded(g gpu.ConvGeometry) *direct {
	planes := g.C / g.Groups
	g.C = ceil(planes, 8) * 8 * g.Groups
	d := newDirect(g)
	d.planes = planes
	return d
}

// winogradOf returns what is known of a geometry.
func (d *back) winogradOf(g *gpu.ConvGeometry) *winograd {
	w := d.winograds[*g]
	if w == nil {
		if d.winograds == nil {
			d.winograds = map[gpu.ConvGeometry]*winograd{}
		}
		w = newWinograd(*g)
		d.winograds[*g] = w
	}
	return w
}

func (d *back) convWinograd(o *gpu.Conv) {
	d.winograd(o.G, slice(o.X), slice(o.W), slice(o.B), slice(o.Y), false, o.Then)
}

func (d *back) convBackwardDataWinograd(o *gpu.ConvBackwardData) {
	g := turned(o.G)
	d.winograd(&g, slice(o.DY), slice(o.W), nil, slice(o.DX), true, gpu.Rectifier{})
}

func (d *back) winograd(g *gpu.ConvGeometry, x, weights, bias, y []float32, turn bool, then gpu.Rectifier) {
	p, w := d.directOf(g), d.winogradOf(g)
	packed := room(&d.packed, p.weights+g.Groups*w.weights)
	packed, changed := packed[:p.weights], packed[p.weights:]
	launch(d, &d.kernels.packPanels, packPanelsKernel{d, p, weights, packed, turn}, g.Groups*p.panels, 1)
	launch(d, &d.kernels.winogradWeights, winogradWeightsKernel{p, w, packed, changed}, g.Groups*p.panels, 1)
	k := winogradKernel{d, p, w, x, changed, bias, y, then}
	launch(d, &d.kernels.winograd, k, g.Groups*ceil(g.N*w.down, w.together), 1)
}

// winogradWeightsKernel does panels of all groups.
type winogradWeightsKernel struct {
	p    *direct
	w    *winograd
	x, y []float32
}

func (k *winogradWeightsKernel) run(lo, hi, _ int) {
	p := k.p
	size := k.w.lay.c * panel
	for item := lo; item < hi; item++ {
		group, at := item/p.panels, item%p.panels
		x := k.x[item*p.k*panel:][:p.k*panel]
		y := k.y[group*k.w.weights+at*size:][:((winogradPlaces-1)*p.panels+1)*size]
		transform := winogradWeights
		if k.w.side == 2 {
			transform = winogradWeights5
		}
		transform(&x[0], 4*p.c*panel, &y[0], 4*size*p.panels, p.c*panel/8)
		for place := 0; size > p.c*panel && place < winogradPlaces; place++ {
			clear(y[place*size*p.panels:][p.c*panel : size])
		}
	}
}

// winogradKernel does rows of tiles of groups.
type winogradKernel struct {
	d             *back
	p             *direct
	w             *winograd
	x, u, bias, y []float32 // u are the transformed weights
	then          gpu.Rectifier
}

func (k *winogradKernel) run(lo, hi, worker int) {
	p, w := k.p, k.w
	g := &p.g
	c, outputs := w.lay.c, p.panels*panel
	rows := g.N * w.down      // of tiles, of all images
	line := w.side * w.across // outputs of a row, with those that are too many
	laid := winogradSeen * w.lay.width * c
	made := w.side * line * outputs
	scratch := k.d.scratch(worker, laid+made+winogradPlaces*(w.in+w.out)+2*outputs)
	laidOut, scratch := scratch[:laid], scratch[laid:]
	y, scratch := scratch[:made], scratch[made:]
	inputs, scratch := scratch[:winogradPlaces*w.in], scratch[winogradPlaces*w.in:]
	sums, scratch := scratch[:winogradPlaces*w.out], scratch[winogradPlaces*w.out:]
	bias, zeros := scratch[:outputs], scratch[outputs:]
	clear(zeros)
	if c > p.c {
		clear(laidOut)
	}
	pieces := ceil(rows, w.together)
	transform := winogradOutput
	if w.side == 2 {
		transform = winogradOutput5
	}
	for item := lo; item < hi; item++ {
		group, first := item/pieces, item%pieces*w.together
		last := min(first+w.together, rows)
		n := (last - first) * w.across
		for row := first; row < last; row++ {
			x := k.x[(row/w.down*g.C+group*p.c)*g.H*g.W:][:p.c*g.H*g.W]
			w.lay.lay(x, laidOut, row%w.down*w.side, w.side)
			for i := range w.across {
				from := laidOut[i*w.side*c:]
				to := inputs[((row-first)*w.across+i)*c:]
				winogradInput(&from[0], 4*w.lay.width*c, 4*c, &to[0], 4*w.in, c/8)
			}
		}
		t := &k.d.tiles[worker].direct
		for place := range winogradPlaces {
			u := k.u[group*w.weights+place*p.panels*c*panel:][:p.panels*c*panel]
			w.product.products(t, inputs[place*w.in:], u, zeros, sums[place*w.out:], n)
		}
		clear(bias)
		if k.bias != nil {
			copy(bias, k.bias[group*p.o:][:p.o])
		}
		for row := first; row < last; row++ {
			for i := range w.across {
				from := sums[((row-first)*w.across+i)*outputs:]
				to := y[i*w.side*outputs:]
				transform(&from[0], 4*w.out, &bias[0], &to[0], 4*line*outputs, 4*outputs, outputs/8)
			}
			rectified(y, k.then)
			k.store(y, line, row/w.down, group, row%w.down*w.side)
		}
	}
}

// store writes a row of tiles of outputs, or what the image has of them.
func (k *winogradKernel) store(made []float32, line, n, group, first int) {
	p := k.p
	g := &p.g
	outputs := p.panels * panel
	y := k.y[(n*g.O+group*p.o)*g.OutH*g.OutW:]
	rows := min(k.w.side, g.OutH-first)
	if line == g.OutW {
		p.store(made, y[first*g.OutW:], rows*line)
		return
	}
	for r := range rows {
		p.store(made[r*line*outputs:], y[(first+r)*g.OutW:], g.OutW)
	}
}
