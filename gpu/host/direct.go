package host

import (
	"unsafe"

	"dns-tui/gpu"
)

// A convolution without columns. The part of an image that some rows of outputs see is laid out with the channels last
// and zeros in the padding, in a worker's own scratch. What a position of the output sees is then some runs of elements
// that lie one after another: the channels of a tap, or, where the kernel is not dilated, of a row of taps. The sums of
// some positions and outputs, a tile, are made in registers: an element of a run, in all lanes, times the weights of 16
// outputs. A sum is made in the order of the runs, whatever the size of a tile and the processor.
//
// The gradient of the inputs of a convolution of stride 1 is one too: of the outputs' gradient, by the weights turned
// around, with a padding of dilation·(kernel - 1) - padding. The gradient of the weights is made of tiles as well:
// eight elements of a run, in all lanes, times the gradients of 16 outputs, summed over positions.
//
// The floor is 2·N·O·OutH·OutW·K operations, K = C/groups·KH·KW, or the images read and written once.

// panel is how many outputs lie side by side, in weights and in gradients; they are filled up with zeros.
const panel = 16

// block is how many elements of runs are multiplied before the next outputs, so that weights stay in caches.
const block = 384

// A strip of rows of outputs is as high as lets what it sees, and its sums, fit in so many elements each.
const stripRoom = 48 << 10

// directTile is what a tile of outputs is made of. The assembler knows its offsets; pos, steps and runs are in bytes.
type directTile struct {
	x        *float32
	pos      [8]int // of the first element of positions, from x on
	runs     *int   // where runs begin, from there on
	nRuns    int    // is counted down
	length   int    // elements of a run
	w        *float32
	second   int // from a panel of w to the next
	init     *float32
	initStep int // from a position's sums to the next's
	out      *float32
	outStep  int
}

// gradientTile is what a tile of a weight gradient is made of. The assembler knows its offsets; steps are in bytes.
type gradientTile struct {
	x       *float32
	xStep   int // from a position to the next
	xRow    int // from behind a row to the next
	dy      *float32
	dyStep  int
	rows    int
	cols    int
	sum     *float32
	sumStep int // from an element of a run to the next
}

// direct is what is known of a convolution of a geometry without columns.
type direct struct {
	g             gpu.ConvGeometry
	c, o          int   // channels of a group
	planes        int   // of c that there are; of fewer, those laid out keep what they have behind them
	panels        int   // of outputs of a group
	width         int   // of a row that is laid out
	k             int   // elements that a position sees
	offsets       []int // of runs, in bytes
	length        int   // of a run
	rows          int   // outputs' rows of a strip
	strips        int
	positions     []int // of a strip, in bytes, up to a whole tile
	laid, sums    int   // elements of a strip that is laid out, and of its sums
	weights       int   // elements of packed weights of all groups
	padded, image int   // elements of a run with those that fill up the last tile; of an image's gradient
}

// newDirect plans a convolution without columns.
func newDirect(g gpu.ConvGeometry) *direct {
	d := &direct{g: g, c: g.C / g.Groups, o: g.O / g.Groups, planes: g.C / g.Groups}
	d.panels = (d.o + panel - 1) / panel
	d.width = (g.OutW-1)*g.SW + g.DW*(g.KW-1) + 1
	d.k = g.KH * g.KW * d.c
	taps := g.KW
	if d.length = d.c; g.DW == 1 {
		d.length, taps = g.KW*d.c, 1
	}
	for kh := range g.KH {
		for kw := range taps {
			d.offsets = append(d.offsets, 4*d.c*(kh*g.DH*d.width+kw*g.DW))
		}
	}
	seen := func(rows int) int { return (rows-1)*g.SH + g.DH*(g.KH-1) + 1 }
	d.rows = 1
	for d.rows < g.OutH && (d.rows+1)*g.OutW*d.panels*panel <= stripRoom && seen(d.rows+1)*d.width*d.c <= stripRoom {
		d.rows++
	}
	d.strips = (g.OutH + d.rows - 1) / d.rows
	d.rows = (g.OutH + d.strips - 1) / d.strips
	places := d.rows * g.OutW
	for i := range (places + tilePositions - 1) / tilePositions * tilePositions {
		at := min(i, places-1)
		d.positions = append(d.positions, 4*d.c*(at/g.OutW*g.SH*d.width+at%g.OutW*g.SW))
	}
	d.laid = seen(d.rows)*d.width*d.c + panel // a tile of a gradient reads behind the last run
	d.sums = len(d.positions) * d.panels * panel
	d.weights = g.Groups * d.panels * d.k * panel
	d.padded = (d.length + tileElements - 1) / tileElements * tileElements
	d.image = g.Groups * d.panels * len(d.offsets) * d.padded * panel
	return d
}

// lay lays out what a strip's outputs of a group see of an image's channels x.
func (d *direct) lay(x, to []float32, first, rows int) {
	g := &d.g
	seen := (rows-1)*g.SH + g.DH*(g.KH-1) + 1
	top := first*g.SH - g.PH
	if d.width == g.W && g.PW == 0 && top >= 0 && top+seen <= g.H {
		d.layPlanes(x[top*g.W:], to, seen*g.W)
		return
	}
	lo, hi := min(max(0, g.PW), d.width), max(min(g.W+g.PW, d.width), 0)
	for r := range seen {
		row, h := to[r*d.width*d.c:][:d.width*d.c], top+r
		if h < 0 || h >= g.H || lo >= hi {
			clear(row)
			continue
		}
		clear(row[:lo*d.c])
		d.layPlanes(x[h*g.W+lo-g.PW:], to[(r*d.width+lo)*d.c:], hi-lo)
		clear(row[hi*d.c:]) // in which more may have been written
	}
}

// layPlanes brings n elements of each channel's plane, which begin at x, to rows of channels. Where there are few, what
// is behind the last may be written, too.
func (d *direct) layPlanes(x, to []float32, n int) {
	plane := d.g.H * d.g.W
	if d.planes < 8 && d.c == d.planes {
		transposeOver(x, plane, to, d.c, d.planes, n)
		return
	}
	for c := 0; c < d.planes; c += 8 {
		transposeBlock(x[c*plane:], plane, to[c:], d.c, min(8, d.planes-c), n)
	}
}

// transposeBlock sets dst[j][i] to src[i][j] for i < m <= 8 and j < n, rows being steps apart.
func transposeBlock(src []float32, srcStep int, dst []float32, dstStep, m, n int) {
	_, _ = src[(m-1)*srcStep+n-1], dst[(n-1)*dstStep+m-1]
	if transposeVectors(src, srcStep, dst, dstStep, m, n) {
		return
	}
	for i := range m {
		for j, v := range src[i*srcStep:][:n] {
			dst[j*dstStep+i] = v
		}
	}
}

// directKernel does strips of images' groups.
type directKernel struct {
	d             *back
	p             *direct
	x, w, bias, y []float32 // w is packed
	then          gpu.Rectifier
}

func (k *directKernel) run(lo, hi, worker int) {
	p := k.p
	g := &p.g
	scratch := k.d.scratch(worker, p.laid+p.sums+p.panels*panel)
	laid, sums, bias := scratch[:p.laid], scratch[p.laid:][:p.sums], scratch[p.laid+p.sums:]
	for item := lo; item < hi; item++ {
		strip, group, n := item%p.strips, item/p.strips%g.Groups, item/p.strips/g.Groups
		first := strip * p.rows
		rows := min(p.rows, g.OutH-first)
		p.lay(k.x[(n*g.C+group*p.c)*g.H*g.W:][:p.c*g.H*g.W], laid, first, rows)
		clear(bias)
		if k.bias != nil {
			copy(bias, k.bias[group*p.o:][:p.o])
		}
		t := &k.d.tiles[worker].direct
		p.products(t, laid, k.w[group*p.panels*p.k*panel:], bias, sums, rows*g.OutW)
		rectified(sums[:rows*g.OutW*p.panels*panel], k.then)
		p.store(sums, k.y[(n*g.O+group*p.o)*g.OutH*g.OutW+first*g.OutW:], rows*g.OutW)
	}
}

// products makes the sums of n positions.
func (p *direct) products(t *directTile, laid, w, bias, sums []float32, n int) {
	const perPanel = 4 * panel
	row := p.panels * panel
	done := 0 // elements of runs
	for run := 0; run < len(p.offsets); {
		runs, begin, length := max(1, block/p.length), done-run*p.length, p.length
		runs = min(runs, len(p.offsets)-run)
		if p.length > block {
			runs, length = 1, min(block, p.length-begin)
		}
		for at := 0; at < p.panels; {
			wide := min(tilePanels, p.panels-at)
			for i := 0; i < n; i += tilePositions {
				t.x = &laid[begin]
				copy(t.pos[:], p.positions[i:i+tilePositions])
				t.runs, t.nRuns, t.length = &p.offsets[run], runs, length
				t.w, t.second = &w[(at*p.k+done)*panel], perPanel*p.k
				t.out, t.outStep = &sums[i*row+at*panel], 4*row
				if t.init, t.initStep = t.out, t.outStep; done == 0 {
					t.init, t.initStep = &bias[at*panel], 0
				}
				tileOfOutputs(t, wide)
			}
			at += wide
		}
		if done += runs * length; done == (run+runs)*p.length {
			run += runs
		}
	}
}

// store writes the sums of n positions to planes of outputs, which begin at y.
func (p *direct) store(sums, y []float32, n int) {
	const together = 64
	row, plane := p.panels*panel, p.g.OutH*p.g.OutW
	for o := 0; o < p.o; o += together {
		for i := 0; i < n; i += 8 {
			transposeBlock(sums[i*row+o:], row, y[o*plane+i:], plane, min(8, n-i), min(together, p.o-o))
		}
	}
}

// packPanelsKernel brings weights to panels: for each element that a position sees those of 16 outputs. It does panels
// of all groups.
type packPanelsKernel struct {
	d    *back
	p    *direct
	w, y []float32
	turn bool // weights of a convolution whose inputs are p's outputs, to be turned around
}

func (k *packPanelsKernel) run(lo, hi, worker int) {
	p := k.p
	taps := p.g.KH * p.g.KW
	for item := lo; item < hi; item++ {
		group, at := item/p.panels, item%p.panels
		outputs := min(panel, p.o-at*panel)
		y := k.y[item*p.k*panel:][:p.k*panel]
		if outputs < panel {
			clear(y)
		}
		if k.turn {
			p.packTurned(k.w[(group*p.c*p.o+at*panel)*taps:], y, outputs, k.d.scratch(worker, taps*panel))
			continue
		}
		w := k.w[(group*p.o+at*panel)*p.k:]
		rows := y
		if taps > 1 {
			rows = k.d.scratch(worker, p.k*panel)
		}
		for i := 0; i < outputs; i += 8 {
			transposeBlock(w[i*p.k:], p.k, rows[i:], panel, min(8, outputs-i), p.k)
		}
		for tap := 0; taps > 1 && tap < taps; tap++ {
			for c := range p.c {
				copyPanel(y[(tap*p.c+c)*panel:], rows[(c*taps+tap)*panel:], outputs)
			}
		}
	}
}

// packTurned packs weights of which the first index is that of an element and the second that of an output.
func (p *direct) packTurned(w, y []float32, outputs int, rows []float32) {
	taps := p.g.KH * p.g.KW
	for c := range p.c {
		for i := 0; i < outputs; i += 8 {
			transposeBlock(w[(c*p.o+i)*taps:], taps, rows[i:], panel, min(8, outputs-i), taps)
		}
		for tap := range taps {
			copyPanel(y[((taps-1-tap)*p.c+c)*panel:], rows[tap*panel:], outputs)
		}
	}
}

// copyPanel copies up to 16 elements.
func copyPanel(dst, src []float32, n int) {
	if n < panel {
		copy(dst[:n], src)
		return
	}
	d, s := (*[panel]float32)(dst), (*[panel]float32)(src)
	*(*[4]float32)(d[:4]), *(*[4]float32)(d[4:8]) = *(*[4]float32)(s[:4]), *(*[4]float32)(s[4:8])
	*(*[4]float32)(d[8:12]), *(*[4]float32)(d[12:]) = *(*[4]float32)(s[8:12]), *(*[4]float32)(s[12:])
}

// directOf returns what is known of a geometry.
func (d *back) directOf(g *gpu.ConvGeometry) *direct {
	p := d.directs[*g]
	if p == nil {
		p = newDirect(*g)
		if d.directs == nil {
			d.directs = map[gpu.ConvGeometry]*direct{}
		}
		d.directs[*g] = p
	}
	return p
}

func (d *back) convDirect(o *gpu.Conv) {
	d.direct(d.directOf(o.G), slice(o.X), slice(o.W), slice(o.B), slice(o.Y), false, o.Then)
}

func (d *back) direct(p *direct, x, w, bias, y []float32, turn bool, then gpu.Rectifier) {
	packed := room(&d.packed, p.weights)
	launch(d, &d.kernels.packPanels, packPanelsKernel{d, p, w, packed, turn}, p.g.Groups*p.panels, 1)
	launch(d, &d.kernels.direct, directKernel{d, p, x, packed, bias, y, then}, p.g.N*p.g.Groups*p.strips, 1)
}

// turned is the geometry of a convolution of stride 1 that makes the gradient of another's inputs.
func turned(g *gpu.ConvGeometry) gpu.ConvGeometry {
	return gpu.ConvGeometry{
		N: g.N, C: g.O, H: g.OutH, W: g.OutW, O: g.C, KH: g.KH, KW: g.KW, SH: 1, SW: 1,
		PH: g.DH*(g.KH-1) - g.PH, PW: g.DW*(g.KW-1) - g.PW, DH: g.DH, DW: g.DW, Groups: g.Groups, OutH: g.H, OutW: g.W,
	}
}

func (d *back) convBackwardDataDirect(o *gpu.ConvBackwardData) {
	g := turned(o.G)
	d.direct(d.directOf(&g), slice(o.DY), slice(o.W), nil, slice(o.DX), true, gpu.Rectifier{})
}

// convBackwardWeightsDirect adds the gradients of weights to dw. As convBackwardColumns does, it cuts the images into
// runs that are summed apart.
func (d *back) convBackwardWeightsDirect(o *gpu.ConvBackwardWeights) {
	p := d.directOf(o.G)
	perRun, runs := runsOf(o.G.N, max(2, maxPartialBytes/4/p.image))
	grads := room(&d.grads, runs*p.image)
	k := directGradientKernel{d, p, slice(o.X), slice(o.DY), grads, perRun}
	launch(d, &d.kernels.directGradient, k, runs, 1)
	add := addPanelsKernel{d, p, grads, slice(o.DW), runs}
	launch(d, &d.kernels.addPanels, add, p.g.Groups*p.panels, 1)
}

// directGradientKernel does runs of images. Their gradients lie in panels: for each run of elements, and each element
// of it, those of 16 outputs.
type directGradientKernel struct {
	d            *back
	p            *direct
	x, dy, grads []float32
	perRun       int
}

func (k *directGradientKernel) run(lo, hi, worker int) {
	p := k.p
	g := &p.g
	places := p.rows * g.OutW
	scratch := k.d.scratch(worker, p.laid+places*p.panels*panel)
	laid, dys := scratch[:p.laid], scratch[p.laid:]
	perGroup := p.image / g.Groups
	plane := g.OutH * g.OutW
	for run := lo; run < hi; run++ {
		grads := k.grads[run*p.image:][:p.image]
		clear(grads)
		for n := run * k.perRun; n < min((run+1)*k.perRun, g.N); n++ {
			for group := range g.Groups {
				x := k.x[(n*g.C+group*p.c)*g.H*g.W:][:p.c*g.H*g.W]
				dy := k.dy[(n*g.O+group*p.o)*plane:][:p.o*plane]
				for first := 0; first < g.OutH; first += p.rows {
					rows := min(p.rows, g.OutH-first)
					p.lay(x, laid, first, rows)
					p.layGradients(dy[first*g.OutW:], dys, rows*g.OutW)
					p.gradients(&k.d.tiles[worker].gradient, laid, dys, grads[group*perGroup:][:perGroup], rows)
				}
			}
		}
	}
}

// layGradients brings the gradients of n positions to panels: for each position those of tilePanels·16 outputs.
func (p *direct) layGradients(dy, to []float32, n int) {
	plane := p.g.OutH * p.g.OutW
	for at := 0; at < p.panels; {
		wide := min(tilePanels, p.panels-at)
		outputs := wide * panel
		y := to[at*panel*n:][:outputs*n]
		at += wide
		for o := 0; o < outputs; o += 8 {
			first := (at-wide)*panel + o
			if m := min(8, p.o-first); m > 0 {
				transposeBlock(dy[first*plane:], plane, y[o:], outputs, m, n)
				if m == 8 {
					continue
				}
				for i := range n {
					clear(y[i*outputs+o+m:][:8-m])
				}
				continue
			}
			for i := range n {
				clear(y[i*outputs+o:][:8])
			}
		}
	}
}

// gradients adds those of some rows of outputs to grads.
func (p *direct) gradients(t *gradientTile, laid, dys, grads []float32, rows int) {
	g := &p.g
	n := rows * g.OutW
	elements := len(p.offsets) * p.padded
	t.xStep, t.xRow = 4*p.c*g.SW, 4*p.c*(g.SH*p.width-g.OutW*g.SW)
	t.rows, t.cols = rows, g.OutW
	for at := 0; at < p.panels; {
		wide := min(tilePanels, p.panels-at)
		t.dy, t.dyStep, t.sumStep = &dys[at*panel*n], 4*wide*panel, 4*wide*panel
		sums := grads[at*panel*elements:]
		for run, offset := range p.offsets {
			for i := 0; i < p.length; i += tileElements {
				t.x, t.sum = &laid[offset/4+i], &sums[(run*p.padded+i)*wide*panel]
				tileOfGradients(t, wide)
			}
		}
		at += wide
	}
}

// addPanelsKernel adds the gradients of runs of images to dw, in their order. It does panels.
type addPanelsKernel struct {
	d         *back
	p         *direct
	grads, dw []float32
	runs      int
}

func (k *addPanelsKernel) run(lo, hi, worker int) {
	const together = 32 // channels
	p := k.p
	taps := p.g.KH * p.g.KW
	perGroup := p.image / p.g.Groups
	elements := len(p.offsets) * p.padded
	rows := k.d.scratch(worker, 2*together*taps*panel)
	turned := rows[together*taps*panel:]
	for item := lo; item < hi; item++ {
		group, at := item/p.panels, item%p.panels
		first := at / tilePanels * tilePanels // of the panels that lie side by side
		wide := min(tilePanels, p.panels-first)
		sums := k.grads[group*perGroup+first*panel*elements+(at-first)*panel:]
		outputs := min(panel, p.o-at*panel)
		for c0 := 0; c0 < p.c; c0 += together {
			channels := min(together, p.c-c0)
			for tap := range taps {
				// The element tap·c + channel of the runs, in their order.
				for c := range channels {
					e := tap*p.c + c0 + c
					e = e/p.length*p.padded + e%p.length
					to := rows[(c*taps+tap)*panel:][:panel]
					copyPanel(to, sums[e*wide*panel:], panel)
					for r := 1; r < k.runs; r++ {
						addPanel(to, sums[r*p.image+e*wide*panel:])
					}
				}
			}
			n := channels * taps
			for j := 0; j < n; j += 8 {
				transposeBlock(rows[j*panel:], panel, turned[j:], n, min(8, n-j), outputs)
			}
			for i := range outputs {
				row := turned[i*n:][:n]
				dw := k.dw[((group*p.o+at*panel+i)*p.c+c0)*taps:][:n]
				for j := addVectors(row, dw); j < n; j++ {
					dw[j] += row[j]
				}
			}
		}
	}
}

// addPanel adds 16 elements.
func addPanel(dst, src []float32) {
	src = src[:len(dst)]
	for i := addVectors(src, dst); i < len(dst); i++ {
		dst[i] += src[i]
	}
}

// tileOfOutputsGo and tileOfGradientsGo are the tiles of processors for which there is no assembler.
func tileOfOutputsGo(t *directTile, panels int) {
	runs := unsafe.Slice(t.runs, t.nRuns)
	for i := range tilePositions {
		for at := range panels {
			sums := (*[panel]float32)(unsafe.Add(unsafe.Pointer(t.init), i*t.initStep+4*panel*at))
			out := (*[panel]float32)(unsafe.Add(unsafe.Pointer(t.out), i*t.outStep+4*panel*at))
			s := *sums
			w := unsafe.Slice((*[panel]float32)(unsafe.Add(unsafe.Pointer(t.w), at*t.second)), t.nRuns*t.length)
			for _, run := range runs {
				x := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(t.x), t.pos[i]+run)), t.length)
				for j, v := range x {
					for o, f := range &w[j] {
						s[o] += v * f
					}
				}
				w = w[t.length:]
			}
			*out = s
		}
	}
}

func tileOfGradientsGo(t *gradientTile, panels int) {
	for i := range tileElements {
		for at := range panels {
			sums := (*[panel]float32)(unsafe.Add(unsafe.Pointer(t.sum), i*t.sumStep+4*panel*at))
			s := *sums
			x, dy := unsafe.Add(unsafe.Pointer(t.x), 4*i), unsafe.Add(unsafe.Pointer(t.dy), 4*panel*at)
			xAt, dyAt := 0, 0
			for range t.rows {
				for range t.cols {
					v := *(*float32)(unsafe.Add(x, xAt))
					for o, f := range (*[panel]float32)(unsafe.Add(dy, dyAt)) {
						s[o] += v * f
					}
					xAt += t.xStep
					dyAt += t.dyStep
				}
				xAt += t.xRow
			}
			*sums = s
		}
	}
}
