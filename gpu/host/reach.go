package host

import "dns-tui/gpu"

// Reach implements gpu.Train.
func (d *Device) Reach(g gpu.Outputs, center float32, w, masked, kept, pruned *gpu.Tensor) {
	gpu.Want("Reach", "w", w, g.Outputs*g.Inputs)
	gpu.WantOptional("Reach", "masked", masked, w.N)
	gpu.Want("Reach", "kept", kept, g.Outputs)
	gpu.Want("Reach", "pruned", pruned, g.Outputs)
	p := d.start()
	p.x, p.y, p.u, p.v, p.a = slice(w), slice(masked), slice(kept), slice(pruned), center
	p.m, p.n, p.flag = g.Outputs, g.Inputs, g.Transposed
	// Rows are a stretch of memory each; columns are taken side by side, so that every line is read once.
	d.pool.run(g.Outputs, max(1, grain/max(1, g.Inputs)), reach, p)
}

func reach(p *args, lo, hi, _ int) {
	for o := lo; o < hi; o++ {
		p.u[o], p.v[o] = -1, -1
	}
	if p.flag {
		for i := range p.n {
			for o := lo; o < hi; o++ {
				p.reachOf(o, i*p.m+o)
			}
		}
		return
	}
	for o := lo; o < hi; o++ {
		for i := o * p.n; i < (o+1)*p.n; i++ {
			p.reachOf(o, i)
		}
	}
}

// reachOf takes one entry into account.
func (p *args) reachOf(output, at int) {
	d := p.x[at] - p.a
	if d < 0 {
		d = -d
	}
	best := p.u
	if p.y != nil && gpu.IsPruned(p.y[at]) {
		best = p.v
	}
	if d > best[output] { // false for NaN
		best[output] = d
	}
}
