package host

import (
	"math"

	"dns-tui/gpu"
)

// A convolution with prepared weights whose output nothing reads but a max pooling (gpu.Device.Unread) waits for that,
// and is done with it: some rows of an output channel are made, and their maxima taken while they are in the first
// cache. So the output is neither written to memory nor read from there, and the places of maxima, which only a
// gradient wants, are not kept.

// waiting is a convolution that waits for the pooling of its output.
type waiting struct {
	is    bool
	label string
	conv  gpu.Conv
	relu  bool // of slope 0, in place
	pool  gpu.MaxPool
}

// pooledPlan is how a convolution is done with the pooling of its output.
type pooledPlan struct {
	label string
	g     gpu.ConvGeometry
	relu  bool
	pool  gpu.PoolGeometry
	plan[*waiting]
}

// Unread implements gpu.Preparer. What reads y all the same finds NaN there.
func (d *back) Unread(y *gpu.Tensor) {
	p := &d.preparation
	if p.unread == nil {
		p.unread = map[*gpu.Tensor]bool{}
	}
	p.unread[y] = true
	for i := range slice(y) {
		slice(y)[i] = float32(math.NaN())
	}
}

// joins reports whether an operation is done with the convolution that waits, or will be. It is not when it is
// something else than was promised; then the convolution is done as any other.
func (d *back) joins(op gpu.Op) bool {
	w := &d.preparation.waiting
	switch o := op.(type) {
	case *gpu.ReLU:
		if o.X == w.conv.Y && o.Y == o.X && o.Slope == 0 && !w.relu {
			w.relu = true
			return true
		}
	case *gpu.MaxPool:
		if g := w.conv.G; o.X == w.conv.Y && o.G.Planes == g.N*g.O && o.G.H == g.OutH && o.G.W == g.OutW {
			w.is, w.pool = false, *o
			d.prepared(w.conv.W).pooled(d, w)
			w.conv, w.pool = gpu.Conv{}, gpu.MaxPool{}
			return true
		}
	}
	d.waitNoMore()
	return false
}

// waitNoMore does a convolution that waits.
func (d *back) waitNoMore() {
	w := &d.preparation.waiting
	if !w.is {
		return
	}
	w.is = false
	at := d.preparation.label
	d.preparation.label = w.label
	d.prepared(w.conv.W).conv(d, &w.conv)
	d.preparation.label = at
	if w.relu {
		d.relu(&gpu.ReLU{X: w.conv.Y, Y: w.conv.Y})
	}
	w.conv = gpu.Conv{}
}

// pooled does a convolution and the pooling of its output by their plan.
func (w *preparedWeights) pooled(d *back, o *waiting) {
	for i := range w.poolings {
		if p := &w.poolings[i]; p.label == o.label && p.g == *o.conv.G && p.relu == o.relu && p.pool == *o.pool.G {
			p.do(o)
			return
		}
	}
	at := d.preparation.label
	d.preparation.label = o.label
	p := fastest(d, w, o.conv.W.N, pooledWays(d, w, o), o)
	d.preparation.label = at
	w.poolings = append(w.poolings, pooledPlan{o.label, *o.conv.G, o.relu, *o.pool.G, p})
}

// pooledWays are the ways of a convolution and the pooling of its output.
func pooledWays(d *back, w *preparedWeights, o *waiting) []way[*waiting] {
	apart := func(conv func(*gpu.Conv)) func(*waiting) {
		return func(o *waiting) {
			conv(&o.conv)
			if o.relu {
				d.relu(&gpu.ReLU{X: o.conv.Y, Y: o.conv.Y})
			}
			d.maxPool(&o.pool)
		}
	}
	ways := []way[*waiting]{{dense, apart(d.convDense)}}
	if w.kept == o.conv.W.N {
		return ways
	}
	c := newSparseConv(d, &o.conv)
	if ways = append(ways, way[*waiting]{"sparse, direct", apart(c.do)}); noneEmpty(o.pool.G) {
		ways = append(ways, way[*waiting]{"sparse, direct, pooled", newPooledConv(c, o).do})
	}
	return ways
}

// noneEmpty reports whether each window has an element.
func noneEmpty(g *gpu.PoolGeometry) bool {
	return g.PH < g.KH && g.PW < g.KW && (g.OutH-1)*g.SH-g.PH < g.H && (g.OutW-1)*g.SW-g.PW < g.W
}

// pooledConv is a sparseConv that takes the maxima of what it makes.
type pooledConv struct {
	*sparseConv
	g     gpu.PoolGeometry
	floor float32 // what no result is below: 0 after a ReLU
	rows  int     // of maxima that are made together
}

// pooledStrip is how many elements of an output channel are made before their maxima are taken.
const pooledStrip = 1024

func newPooledConv(c *sparseConv, o *waiting) *pooledConv {
	p := &pooledConv{sparseConv: c, g: *o.pool.G, floor: -math.MaxFloat32}
	if o.relu {
		p.floor = 0
	}
	g := &p.g
	p.rows = min(max(1, (pooledStrip/c.l.width-g.KH)/g.SH+1), g.OutH)
	c.gaps = max(c.gaps, roundUp(((p.rows-1)*g.SH+g.KH)*c.l.width)+roundUp(c.l.width))
	return p
}

func (p *pooledConv) do(o *waiting) {
	k := sparseConvKernel{c: p.sparseConv, x: slice(o.conv.X), bias: slice(o.conv.B), y: slice(o.pool.Y), pool: p}
	p.launch(k)
}

// outputs makes the maxima of output channels of an image that is laid out, some rows of all before the next.
func (p *pooledConv) outputs(x, scratch, bias, y []float32, first, end int) {
	l, t, g := &p.l, &p.terms, &p.g
	row := scratch[len(scratch)-roundUp(l.width):] // of the largest of columns
	for at := 0; at < g.OutH; at += p.rows {
		rows := min(p.rows, g.OutH-at)
		h0, h1 := max(0, at*g.SH-g.PH), min((at+rows-1)*g.SH-g.PH+g.KH, g.H)
		made := scratch[:(h1-h0-1)*l.width+g.W]
		for o := first; o < end; o++ {
			to := y[(o*g.OutH+at)*g.OutW:][:rows*g.OutW]
			var b float32
			if bias != nil {
				b = bias[o]
			}
			terms := t.terms[t.starts[o]:t.starts[o+1]]
			if len(terms) == 0 {
				combine(nil, nil, to, max(b, p.floor))
				continue
			}
			combine(terms, x[h0*l.width:], made, b)
			for r := range rows {
				from := max(0, (at+r)*g.SH-g.PH) - h0
				until := min((at+r)*g.SH-g.PH+g.KH, g.H) - h0
				p.maxima(made, row, from, until, to[r*g.OutW:][:g.OutW])
			}
		}
	}
}

// maxima takes those of the windows of some rows of an output channel. A NaN is above all, as in maxPool.
func (p *pooledConv) maxima(made, row []float32, from, until int, to []float32) {
	g, width := &p.g, p.l.width
	begin := 0
	if g.KH == 2 && g.KW == 2 && g.SW == 2 && g.PW == 0 && until-from == 2 {
		begin = maxima2(made[from*width:], made[(from+1)*width:], to[:min(len(to), g.W/2)], p.floor)
		if begin == len(to) {
			return
		}
	}
	row = row[:g.W]
	copy(row, made[from*width:])
	for h := from + 1; h < until; h++ {
		for i, v := range made[h*width:][:len(row)] {
			row[i] = max(row[i], v)
		}
	}
	for i := begin; i < len(to); i++ {
		w0 := i*g.SW - g.PW
		largest := p.floor
		for _, v := range row[max(w0, 0):min(w0+g.KW, g.W)] {
			largest = max(largest, v)
		}
		to[i] = largest
	}
}
