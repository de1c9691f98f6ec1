package host

import "dns-tui/gpu"

// A convolution of 3×3 and stride 1 in the manner of Winograd: F(4×4, 3×3) of Lavin and Gray (Fast Algorithms for
// Convolutional Neural Networks, CVPR 2016). A tile of 4×4 outputs is
//
//	Y = Aᵀ·(Σ_c (G·g·Gᵀ) ∘ (Bᵀ·d·B))·A
//
// where d are the 6×6 inputs that it sees and g the weights of a channel: 36 multiplications a channel for 144. For
// each of the 36 the sum over channels is a product, tiles by channels times channels by outputs, made of the tiles of
// direct.go. What is transformed is shared: inputs by all outputs, outputs by all channels, weights by all tiles.
//
// Sums cancel in it; TestWinogradError holds the error against float64: it is twice that of a direct sum. The gradient
// of weights is in winogradweights.go.

const (
	winogradSide   = 4 // outputs of a tile
	winogradSeen   = winogradSide + 2
	winogradPlaces = winogradSeen * winogradSeen
)

// winogradRoom is how many elements the inputs and outputs of products that are made together may take.
const winogradRoom = 1 << 20

// canWinograd reports whether a convolution can be done so.
func canWinograd(k *productKey) bool {
	g := &k.g
	return hasFMA && g.KH == 3 && g.KW == 3 && g.SH == 1 && g.SW == 1 && g.DH == 1 && g.DW == 1 &&
		g.C/g.Groups%8 == 0 && g.OutH*g.OutW >= 16
}

// canWinogradData reports whether the gradient of a convolution's inputs can be.
func canWinogradData(k *productKey) bool {
	return canWinograd(&productKey{g: turned(&k.g)}) && k.g.SH == 1 && k.g.SW == 1
}

// winograd is what is known of a convolution of a geometry in the manner of Winograd.
type winograd struct {
	lay      *direct // of four rows of outputs
	across   int     // tiles of a row
	down     int     // rows of tiles of an image
	together int     // rows of tiles, of one image after another, whose products are made together
	product  direct  // of one of the 36
	weights  int     // elements of transformed weights of a group
}

func newWinograd(g gpu.ConvGeometry) *winograd {
	w := &winograd{across: ceil(g.OutW, winogradSide), down: ceil(g.OutH, winogradSide)}
	rows := g
	rows.OutW, rows.OutH = winogradSide*w.across, winogradSide
	w.lay = newDirect(rows)
	c, panels := w.lay.c, w.lay.panels
	perRow := winogradPlaces * w.across * (c + panels*panel)
	w.together = min(max(1, winogradRoom/perRow), g.N*w.down)
	n := w.together * w.across
	w.product = direct{c: c, o: w.lay.o, panels: panels, k: c, length: c, offsets: []int{0}}
	for i := range ceil(n, tilePositions) * tilePositions {
		w.product.positions = append(w.product.positions, 4*c*min(i, n-1))
	}
	w.weights = winogradPlaces * panels * c * panel
	return w
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
	d.winograd(o.G, slice(o.X), slice(o.W), slice(o.B), slice(o.Y), false)
}

func (d *back) convBackwardDataWinograd(o *gpu.ConvBackwardData) {
	g := turned(o.G)
	d.winograd(&g, slice(o.DY), slice(o.W), nil, slice(o.DX), true)
}

func (d *back) winograd(g *gpu.ConvGeometry, x, weights, bias, y []float32, turn bool) {
	p, w := d.directOf(g), d.winogradOf(g)
	packed := room(&d.packed, p.weights+g.Groups*w.weights)
	packed, changed := packed[:p.weights], packed[p.weights:]
	launch(d, &d.kernels.packPanels, packPanelsKernel{d, p, weights, packed, turn}, g.Groups*p.panels, 1)
	launch(d, &d.kernels.winogradWeights, winogradWeightsKernel{p, w, packed, changed}, g.Groups*p.panels, 1)
	k := winogradKernel{d, p, w, x, changed, bias, y}
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
	size := p.c * panel
	for item := lo; item < hi; item++ {
		group, at := item/p.panels, item%p.panels
		x := k.x[item*p.k*panel:][:p.k*panel]
		y := k.y[group*k.w.weights+at*size:][:((winogradPlaces-1)*p.panels+1)*size]
		winogradWeights(&x[0], 4*size, &y[0], 4*size*p.panels, size/8)
	}
}

// winogradKernel does rows of tiles of groups.
type winogradKernel struct {
	d             *back
	p             *direct
	w             *winograd
	x, u, bias, y []float32 // u are the transformed weights
}

func (k *winogradKernel) run(lo, hi, worker int) {
	p, w := k.p, k.w
	g := &p.g
	outputs := p.panels * panel
	rows := g.N * w.down // of tiles, of all images
	most := len(w.product.positions)
	line := winogradSide * w.across // outputs of a row, with those that are too many
	laid := winogradSeen * w.lay.width * p.c
	made := winogradSide * line * outputs
	scratch := k.d.scratch(worker, laid+made+winogradPlaces*most*(p.c+outputs)+2*outputs)
	laidOut, scratch := scratch[:laid], scratch[laid:]
	y, scratch := scratch[:made], scratch[made:]
	inputs, scratch := scratch[:winogradPlaces*most*p.c], scratch[winogradPlaces*most*p.c:]
	sums, scratch := scratch[:winogradPlaces*most*outputs], scratch[winogradPlaces*most*outputs:]
	bias, zeros := scratch[:outputs], scratch[outputs:]
	clear(zeros)
	pieces := ceil(rows, w.together)
	for item := lo; item < hi; item++ {
		group, first := item/pieces, item%pieces*w.together
		last := min(first+w.together, rows)
		n := (last - first) * w.across
		for row := first; row < last; row++ {
			x := k.x[(row/w.down*g.C+group*p.c)*g.H*g.W:][:p.c*g.H*g.W]
			w.lay.lay(x, laidOut, row%w.down*winogradSide, winogradSide)
			for i := range w.across {
				from := laidOut[i*winogradSide*p.c:]
				to := inputs[((row-first)*w.across+i)*p.c:]
				winogradInput(&from[0], 4*w.lay.width*p.c, 4*p.c, &to[0], 4*most*p.c, p.c/8)
			}
		}
		t := &k.d.tiles[worker].direct
		for place := range winogradPlaces {
			u := k.u[group*w.weights+place*p.panels*p.c*panel:][:p.panels*p.c*panel]
			w.product.products(t, inputs[place*most*p.c:], u, zeros, sums[place*most*outputs:], n)
		}
		clear(bias)
		if k.bias != nil {
			copy(bias, k.bias[group*p.o:][:p.o])
		}
		for row := first; row < last; row++ {
			for i := range w.across {
				from := sums[((row-first)*w.across+i)*outputs:]
				to := y[i*winogradSide*outputs:]
				winogradOutput(&from[0], 4*most*outputs, &bias[0], &to[0], 4*line*outputs, 4*outputs, outputs/8)
			}
			k.store(y, line, row/w.down, group, row%w.down*winogradSide)
		}
	}
}

// store writes four rows of outputs, or what the image has of them.
func (k *winogradKernel) store(made []float32, line, n, group, first int) {
	p := k.p
	g := &p.g
	outputs := p.panels * panel
	y := k.y[(n*g.O+group*p.o)*g.OutH*g.OutW:]
	rows := min(winogradSide, g.OutH-first)
	if line == g.OutW {
		p.store(made, y[first*g.OutW:], rows*line)
		return
	}
	for r := range rows {
		p.store(made[r*line*outputs:], y[(first+r)*g.OutW:], g.OutW)
	}
}
