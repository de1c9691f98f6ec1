package host

import "dns-tui/gpu"

// sparseConv is a convolution that leaves pruned weights out: each output channel is a sum of input channels, moved and
// multiplied. With few images the output channels are divided among the threads as well.
//
// Its floor is for each image and kept weight 2·places operations and 4·places bytes from the first cache, and to read
// the input channels and write the output channels once. (Park et al., Faster CNNs with Direct Sparse Convolutions and
// Guided Pruning, ICLR 2017, has the same loop.)
type sparseConv struct {
	d     *back
	l     layout
	terms combinations
	read  []bool // of each input channel
	used  []int  // input channels that are read
	rows  int    // of outputs that are made together
	gaps  int    // elements that they take, of an output channel
	cuts  []int  // where pieces of the output channels begin, and the end
	laid  []float32
}

// begin is called before the kept weights are added.
func (c *sparseConv) begin(d *back, g *gpu.ConvGeometry) {
	c.d, c.l = d, layoutOf(g)
	c.terms.begin()
	clear(room(&c.read, g.C))
}

func (c *sparseConv) add(s *convSizes, at int, weight float32) {
	channel, kh, kw := c.l.tap(s, at)
	c.read[channel] = true
	c.terms.add(at/s.rows, c.l.input(channel, kh, kw), weight)
}

func (c *sparseConv) end() {
	c.terms.end(c.l.g.O)
	c.used = c.used[:0]
	for i, is := range c.read {
		if is {
			c.used = append(c.used, i)
		}
	}
	c.rows = min(max(1, strip/c.l.width), c.l.g.OutH)
	c.gaps = roundUp(c.rows * c.l.width)
	c.cut()
}

// newSparseConv leaves out what is zero.
func newSparseConv(d *back, o *gpu.Conv) *sparseConv {
	c := &sparseConv{}
	g := *o.G
	s := sizesOf(&g)
	c.begin(d, &g)
	for at, v := range slice(o.W) {
		if v != 0 {
			c.add(&s, at, v)
		}
	}
	c.end()
	return c
}

// convPruned is a convolution with forward weights, which may be others in each call: reading them, 4·weights bytes, is
// part of its floor.
func (d *back) convPruned(o *gpu.Conv) {
	c, s, w := &d.sparseConv, sizesOf(o.G), slice(o.W)
	c.begin(d, o.G)
	for at := nextKept(w, 0); at < len(w); at = nextKept(w, at+1) {
		c.add(&s, at, w[at])
	}
	c.end()
	c.do(o)
	if o.Then.On {
		launch(d, &d.kernels.relu, reluKernel{slice(o.Y), slice(o.Y), o.Then.Slope}, o.Y.N, grain)
	}
}

// fewImages is up to how many images a pass does piece by piece: so many threads find work.
const fewImages = 8

// cut cuts the output channels into pieces of about equal work, for passes of few images.
func (c *sparseConv) cut() {
	const least = 1 << 18 // multiplications worth waking a thread, some 20 µs
	g, starts, terms := c.l.g, c.terms.starts, len(c.terms.terms)
	n := min(fewImages, max(1, terms*g.OutH*g.OutW/least))
	c.cuts = append(c.cuts[:0], 0)
	for o := 1; o < g.O; o++ {
		if starts[o]*n >= len(c.cuts)*terms && len(c.cuts) < n {
			c.cuts = append(c.cuts, o)
		}
	}
	c.cuts = append(c.cuts, g.O)
}

func (c *sparseConv) do(o *gpu.Conv) {
	c.launch(sparseConvKernel{c: c, x: slice(o.X), bias: slice(o.B), y: slice(o.Y)})
}

// launch does a convolution by a kernel.
func (c *sparseConv) launch(k sparseConvKernel) {
	g, s, pieces := c.l.g, sizesOf(c.l.g), len(c.cuts)-1
	k.pieces = 1
	if g.N >= fewImages || pieces == 1 {
		launch(c.d, &c.d.kernels.sparseConv, k, g.N, max(1, grain/max(1, len(c.terms.terms)*s.cols)))
		return
	}
	k.pieces = pieces
	if !c.l.inPlace {
		k.laid = room(&c.laid, g.N*c.l.extent())
		launch(c.d, &c.d.kernels.layOut, layOutKernel{c, k.x, k.laid}, g.N*len(c.used), max(1, grain/c.l.plane))
	}
	launch(c.d, &c.d.kernels.sparseConv, k, g.N*pieces, 1)
}

// layOutKernel lays channels of images out.
type layOutKernel struct {
	c       *sparseConv
	x, laid []float32
}

func (k *layOutKernel) run(lo, hi, _ int) {
	c := k.c
	s, extent := sizesOf(c.l.g), c.l.extent()
	for i := lo; i < hi; i++ {
		n, channel := i/len(c.used), c.used[i%len(c.used)]
		to := k.laid[n*extent:][:extent]
		clear(to[channel*c.l.plane:][:c.l.plane])
		c.l.putChannel(k.x[n*s.in:][:s.in], to, channel)
	}
}

// sparseConvKernel does pieces of images. Images are laid out already, or are laid out here.
type sparseConvKernel struct {
	c                *sparseConv
	x, bias, y, laid []float32
	pieces           int         // of an image
	pool             *pooledConv // makes the maxima of outputs; nil: the outputs are what is wanted
}

func (k *sparseConvKernel) run(lo, hi, worker int) {
	c, l := k.c, &k.c.l
	g, s, extent := l.g, sizesOf(l.g), l.extent()
	room := 0
	if k.laid == nil {
		room = extent
	}
	scratch := c.d.scratch(worker, c.gaps+room)
	gaps, image := scratch[:c.gaps], scratch[c.gaps:]
	clear(image)
	for i := lo; i < hi; i++ {
		n, piece := i/k.pieces, i%k.pieces
		x := k.x[n*s.in:][:s.in]
		switch {
		case l.inPlace:
		case k.laid != nil:
			x = k.laid[n*extent:][:extent]
		default:
			for _, channel := range c.used {
				l.putChannel(x, image, channel)
			}
			x = image
		}
		first, end := 0, g.O
		if k.pieces > 1 {
			first, end = c.cuts[piece], c.cuts[piece+1]
		}
		if p := k.pool; p != nil {
			size := g.O * p.g.OutH * p.g.OutW
			p.outputs(x, gaps, k.bias, k.y[n*size:][:size], first, end)
			continue
		}
		k.outputs(x, gaps, k.y[n*s.out:][:s.out], first, end)
	}
}

// outputs makes output channels of an image that is laid out, some rows of all before the next: what is read for them
// stays in the caches. Rows are made with the gaps of a gradient (see layout), and then put together.
func (k *sparseConvKernel) outputs(x, gaps, y []float32, first, end int) {
	l, t := &k.c.l, &k.c.terms
	g := l.g
	if len(t.terms) > 0 {
		_ = x[:t.reach+l.length] // no kernel reads beyond it
	}
	for row := 0; row < g.OutH; row += k.c.rows {
		rows := min(k.c.rows, g.OutH-row)
		length := (rows-1)*l.width + g.OutW
		for o := first; o < end; o++ {
			to := y[(o*g.OutH+row)*g.OutW:][:rows*g.OutW]
			var bias float32
			if k.bias != nil {
				bias = k.bias[o]
			}
			terms := t.terms[t.starts[o]:t.starts[o+1]]
			switch {
			case len(terms) == 0:
				combine(nil, nil, to, bias)
			case length == len(to):
				combine(terms, x[row*l.width:], to, bias)
			default:
				combine(terms, x[row*l.width:], gaps[:length], bias)
				for r := range rows {
					copyRow(to[r*g.OutW:][:g.OutW], gaps[r*l.width:])
				}
			}
		}
	}
}
