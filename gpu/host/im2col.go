package host

import "dns-tui/gpu"

func (d *back) im2col(o *gpu.Im2col) {
	k := im2colKernel{o.G, slice(o.X), slice(o.Col)}
	launch(d, &d.kernels.im2col, k, o.G.Rows(), max(1, grain/max(1, o.G.Positions())))
}

// im2colKernel does rows of col.
type im2colKernel struct {
	g      *gpu.ColGeometry
	x, col []float32
}

func (k *im2colKernel) run(lo, hi, _ int) {
	g := k.g
	positions, taps, plane := g.Positions(), gpu.Elements(g.Kernel), gpu.Elements(g.In)
	for row := lo; row < hi; row++ {
		var c cursor
		c.begin(g, row%taps)
		x, y := k.x[row/taps*plane:][:plane], k.col[row*positions:][:positions]
		for i := range y {
			y[i] = 0
			if at := c.element(g); at >= 0 {
				y[i] = x[at]
			}
			c.next(g)
		}
	}
}

func (d *back) col2im(o *gpu.Col2im) {
	launch(d, &d.kernels.col2im, col2imKernel{o.G, slice(o.Col), slice(o.X)}, o.G.Channels, 1)
}

// col2imKernel does channels. A channel's sums are made in the order of its rows.
type col2imKernel struct {
	g      *gpu.ColGeometry
	col, x []float32
}

func (k *col2imKernel) run(lo, hi, _ int) {
	g := k.g
	positions, taps, plane := g.Positions(), gpu.Elements(g.Kernel), gpu.Elements(g.In)
	clear(k.x[lo*plane : hi*plane])
	for row := lo * taps; row < hi*taps; row++ {
		var c cursor
		c.begin(g, row%taps)
		x, y := k.x[row/taps*plane:][:plane], k.col[row*positions:][:positions]
		for _, v := range y {
			if at := c.element(g); at >= 0 {
				x[at] += v
			}
			c.next(g)
		}
	}
}

// cursor walks the positions of an output, and with them the elements that one tap of the kernel reads.
type cursor struct {
	in, out [gpu.MaxSpatialAxes]int
	first   [gpu.MaxSpatialAxes]int // of in
}

func (c *cursor) begin(g *gpu.ColGeometry, tap int) {
	for a := len(g.In) - 1; a >= 0; a-- {
		c.first[a] = tap%g.Kernel[a]*g.Dilation[a] - g.Pad[a]
		tap /= g.Kernel[a]
	}
	c.in = c.first
}

// element returns the element of a plane that is read here, or -1 in the padding.
func (c *cursor) element(g *gpu.ColGeometry) int {
	at := 0
	for a, n := range g.In {
		if c.in[a] < 0 || c.in[a] >= n {
			return -1
		}
		at = at*n + c.in[a]
	}
	return at
}

func (c *cursor) next(g *gpu.ColGeometry) {
	for a := len(g.In) - 1; a >= 0; a-- {
		c.in[a] += g.Stride[a]
		if c.out[a]++; c.out[a] < g.Out[a] {
			return
		}
		c.out[a], c.in[a] = 0, c.first[a]
	}
}
