package host

import "dns-tui/gpu"

// rowGrain is how many positions of a plane LRN handles at a time: with all their channels they fit the cache.
const rowGrain = 512

func (d *Device) checkLRN(op string, g *gpu.LRNGeometry, ts ...*gpu.Tensor) {
	for _, t := range ts {
		gpu.Want(op, "an operand", t, g.N*g.C*g.Plane)
	}
}

// lrnPiece maps an item to an image and a range of positions.
func lrnPiece(g *gpu.LRNGeometry, item int) (base, lo, hi int) {
	per := (g.Plane + rowGrain - 1) / rowGrain
	lo = item % per * rowGrain
	return item / per * g.C * g.Plane, lo, min(lo+rowGrain, g.Plane)
}

func lrnItems(g *gpu.LRNGeometry) int { return g.N * ((g.Plane + rowGrain - 1) / rowGrain) }

// LRN implements gpu.Spatial.
func (d *Device) LRN(g *gpu.LRNGeometry, x, scale, y *gpu.Tensor) {
	d.checkLRN("LRN", g, x, scale, y)
	p := d.start()
	p.x, p.z, p.y, p.lrn = slice(x), slice(scale), slice(y), g
	d.pool.run(lrnItems(g), 1, func(p *args, lo, hi, _ int) {
		g := p.lrn
		half, f := (g.Size-1)/2, g.Alpha/float32(g.Size)
		for item := lo; item < hi; item++ {
			base, a, b := lrnPiece(g, item)
			for c := range g.C {
				s := p.z[base+c*g.Plane+a : base+c*g.Plane+b]
				for i := range s {
					s[i] = g.K
				}
				for k := max(0, c-half); k <= min(g.C-1, c+half); k++ {
					for i, v := range p.x[base+k*g.Plane+a : base+k*g.Plane+b] {
						s[i] += f * v * v
					}
				}
				x, y := p.x[base+c*g.Plane+a:], p.y[base+c*g.Plane+a:]
				for i, v := range s {
					y[i] = x[i] * pow(v, -g.Beta)
				}
			}
		}
	}, p)
}

// LRNBackward implements gpu.Spatial.
func (d *Device) LRNBackward(g *gpu.LRNGeometry, x, y, scale, dy, dx *gpu.Tensor) {
	d.checkLRN("LRNBackward", g, x, y, scale, dy, dx)
	p := d.start()
	p.x, p.y, p.z, p.u, p.v, p.lrn = slice(x), slice(y), slice(scale), slice(dy), slice(dx), g
	d.pool.run(lrnItems(g), 1, func(p *args, lo, hi, worker int) {
		g := p.lrn
		half, f := (g.Size-1)/2, 2*g.Alpha*g.Beta/float32(g.Size)
		acc := p.dev.scratch(worker, rowGrain)
		for item := lo; item < hi; item++ {
			base, a, b := lrnPiece(g, item)
			for c := range g.C {
				s := acc[:b-a]
				clear(s)
				for k := max(0, c-half); k <= min(g.C-1, c+half); k++ {
					at := base + k*g.Plane
					y, z, dy := p.y[at+a:at+b], p.z[at+a:at+b], p.u[at+a:at+b]
					for i := range s {
						s[i] += dy[i] * y[i] / z[i]
					}
				}
				at := base + c*g.Plane
				x, z, dy, dx := p.x[at+a:at+b], p.z[at+a:at+b], p.u[at+a:at+b], p.v[at+a:at+b]
				for i, v := range s {
					dx[i] = dy[i]*pow(z[i], -g.Beta) - f*x[i]*v
				}
			}
		}
	}, p)
}
