package host

import "dns-tui/gpu"

func checkCol(op string, g *gpu.ColGeometry, x, col *gpu.Tensor) {
	if len(g.In) > gpu.MaxSpatialAxes {
		panic("gpu: " + op + ": too many spatial axes")
	}
	gpu.Want(op, "x", x, g.Channels*gpu.Elements(g.In))
	gpu.Want(op, "col", col, g.Rows()*g.Places())
}

// Im2col implements gpu.Spatial.
func (d *Device) Im2col(g *gpu.ColGeometry, x, col *gpu.Tensor) {
	checkCol("Im2col", g, x, col)
	p := d.start()
	p.x, p.y, p.col = slice(x), slice(col), g
	d.pool.run(g.Rows(), max(1, grain/max(1, g.Places())), func(p *args, lo, hi, _ int) {
		g := p.col
		places, taps, plane := g.Places(), gpu.Elements(g.Kernel), gpu.Elements(g.In)
		for row := lo; row < hi; row++ {
			var c cursor
			c.begin(g, row%taps)
			x, y := p.x[row/taps*plane:][:plane], p.y[row*places:][:places]
			for i := range y {
				y[i] = 0
				if at := c.place(g); at >= 0 {
					y[i] = x[at]
				}
				c.next(g)
			}
		}
	}, p)
}

// Col2im implements gpu.Spatial. A channel's sums are made in the order of its rows.
func (d *Device) Col2im(g *gpu.ColGeometry, col, x *gpu.Tensor) {
	checkCol("Col2im", g, x, col)
	p := d.start()
	p.x, p.y, p.col = slice(x), slice(col), g
	d.pool.run(g.Channels, 1, func(p *args, lo, hi, _ int) {
		g := p.col
		places, taps, plane := g.Places(), gpu.Elements(g.Kernel), gpu.Elements(g.In)
		clear(p.x[lo*plane : hi*plane])
		for row := lo * taps; row < hi*taps; row++ {
			var c cursor
			c.begin(g, row%taps)
			x, y := p.x[row/taps*plane:][:plane], p.y[row*places:][:places]
			for _, v := range y {
				if at := c.place(g); at >= 0 {
					x[at] += v
				}
				c.next(g)
			}
		}
	}, p)
}

// cursor walks the places of an output, and with them the elements that one tap of the kernel reads.
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

// place returns the element of a plane that is read here, or -1 in the padding.
func (c *cursor) place(g *gpu.ColGeometry) int {
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
