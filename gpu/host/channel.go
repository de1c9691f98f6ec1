package host

import (
	"math"

	"dns-tui/gpu"
)

// channels runs fn over the channels, so that each channel's sums are made in one order by one worker.
func (d *Device) channels(s gpu.ChannelShape, fn kernel, p *args) {
	p.shape = s
	d.pool.run(s.Channels, max(1, grain/max(1, s.Outer*s.Inner)), fn, p)
}

// AddBias implements gpu.Channelwise.
func (d *Device) AddBias(s gpu.ChannelShape, b, y *gpu.Tensor) {
	gpu.Want("AddBias", "b", b, s.Channels)
	gpu.Want("AddBias", "y", y, s.Len())
	p := d.start()
	p.x, p.y, p.shape = slice(b), slice(y), s
	d.pool.run(s.Outer, max(1, grain/(s.Channels*s.Inner)), func(p *args, lo, hi, _ int) {
		s := p.shape
		for o := lo; o < hi; o++ {
			y := p.y[o*s.Channels*s.Inner:][:s.Channels*s.Inner]
			if s.Inner == 1 {
				for c, b := range p.x {
					y[c] += b
				}
				continue
			}
			for c, b := range p.x {
				row := y[c*s.Inner:][:s.Inner]
				for i := range row {
					row[i] += b
				}
			}
		}
	}, p)
}

// SumBias implements gpu.Channelwise.
func (d *Device) SumBias(s gpu.ChannelShape, dy, db *gpu.Tensor) {
	gpu.Want("SumBias", "dy", dy, s.Len())
	gpu.Want("SumBias", "db", db, s.Channels)
	p := d.start()
	p.x, p.y = slice(dy), slice(db)
	d.channels(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for c := lo; c < hi; c++ {
			var t float64
			for o := range s.Outer {
				t += sum32(p.x[(o*s.Channels+c)*s.Inner:][:s.Inner])
			}
			p.y[c] += float32(t)
		}
	}, p)
}

// sum32 sums in four float32 lanes a row of at most a few thousand, in float64 beyond.
func sum32(x []float32) float64 {
	var t float64
	for len(x) > 0 {
		piece := x[:min(len(x), 1024)]
		x = x[len(piece):]
		var a, b, c, e float32
		for len(piece) >= 4 {
			a += piece[0]
			b += piece[1]
			c += piece[2]
			e += piece[3]
			piece = piece[4:]
		}
		for _, v := range piece {
			a += v
		}
		t += float64((a + b) + (c + e))
	}
	return t
}

// Scale implements gpu.Channelwise.
func (d *Device) Scale(s gpu.ChannelShape, x, a, b, y *gpu.Tensor) {
	gpu.Want("Scale", "x", x, s.Len())
	gpu.Want("Scale", "a", a, s.Channels)
	gpu.WantOptional("Scale", "b", b, s.Channels)
	gpu.Want("Scale", "y", y, s.Len())
	p := d.start()
	p.x, p.y, p.u, p.v = slice(x), slice(y), slice(a), slice(b)
	d.channels(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for o := range s.Outer {
			for c := lo; c < hi; c++ {
				at := (o*s.Channels + c) * s.Inner
				y, a := p.y[at:at+s.Inner], p.u[c]
				var b float32
				if p.v != nil {
					b = p.v[c]
				}
				for i, v := range p.x[at : at+s.Inner] {
					y[i] = a*v + b
				}
			}
		}
	}, p)
}

// ScaleBackward implements gpu.Channelwise.
func (d *Device) ScaleBackward(s gpu.ChannelShape, x, dy, a, dx, da, db *gpu.Tensor) {
	gpu.Want("ScaleBackward", "x", x, s.Len())
	gpu.Want("ScaleBackward", "dy", dy, s.Len())
	gpu.Want("ScaleBackward", "a", a, s.Channels)
	gpu.WantOptional("ScaleBackward", "dx", dx, s.Len())
	gpu.WantOptional("ScaleBackward", "da", da, s.Channels)
	if db != nil {
		d.SumBias(s, dy, db)
	}
	p := d.start()
	p.x, p.y, p.u, p.z, p.v = slice(x), slice(dy), slice(a), slice(dx), slice(da)
	d.channels(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for c := lo; c < hi; c++ {
			var t float64
			a := p.u[c]
			for o := range s.Outer {
				at := (o*s.Channels + c) * s.Inner
				x, dy := p.x[at:at+s.Inner], p.y[at:at+s.Inner]
				if p.v != nil {
					t += dot32(x, dy)
				}
				if p.z != nil {
					dx := p.z[at : at+s.Inner]
					for i, g := range dy {
						dx[i] = a * g
					}
				}
			}
			if p.v != nil {
				p.v[c] += float32(t)
			}
		}
	}, p)
}

// dot32 is Σ x·y with the summation of sum32.
func dot32(x, y []float32) float64 {
	var t float64
	for len(x) > 0 {
		n := min(len(x), 1024)
		u, v := x[:n], y[:n]
		x, y = x[n:], y[n:]
		var a, b, c, e float32
		for len(u) >= 4 && len(v) >= 4 {
			a += u[0] * v[0]
			b += u[1] * v[1]
			c += u[2] * v[2]
			e += u[3] * v[3]
			u, v = u[4:], v[4:]
		}
		for i, w := range u {
			a += w * v[i]
		}
		t += float64((a + b) + (c + e))
	}
	return t
}

// PReLU implements gpu.Channelwise.
func (d *Device) PReLU(s gpu.ChannelShape, x, a, y *gpu.Tensor) {
	gpu.Want("PReLU", "x", x, s.Len())
	gpu.Want("PReLU", "a", a, s.Channels)
	gpu.Want("PReLU", "y", y, s.Len())
	p := d.start()
	p.x, p.y, p.u = slice(x), slice(y), slice(a)
	d.channels(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for o := range s.Outer {
			for c := lo; c < hi; c++ {
				at := (o*s.Channels + c) * s.Inner
				y, a := p.y[at:at+s.Inner], p.u[c]
				for i, v := range p.x[at : at+s.Inner] {
					y[i] = max(v, 0) + a*min(v, 0)
				}
			}
		}
	}, p)
}

// PReLUBackward implements gpu.Channelwise.
func (d *Device) PReLUBackward(s gpu.ChannelShape, x, dy, a, dx, da *gpu.Tensor) {
	gpu.Want("PReLUBackward", "x", x, s.Len())
	gpu.Want("PReLUBackward", "dy", dy, s.Len())
	gpu.Want("PReLUBackward", "a", a, s.Channels)
	gpu.WantOptional("PReLUBackward", "dx", dx, s.Len())
	gpu.WantOptional("PReLUBackward", "da", da, s.Channels)
	p := d.start()
	p.x, p.y, p.u, p.z, p.v = slice(x), slice(dy), slice(a), slice(dx), slice(da)
	d.channels(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for c := lo; c < hi; c++ {
			var t float64
			for o := range s.Outer {
				at := (o*s.Channels + c) * s.Inner
				for i := at; i < at+s.Inner; i++ {
					x, g := p.x[i], p.y[i]
					if !(x > 0) {
						t += float64(g * x)
						g *= p.u[c]
					}
					if p.z != nil {
						p.z[i] = g
					}
				}
			}
			if p.v != nil {
				p.v[c] += float32(t)
			}
		}
	}, p)
}

// BatchStats implements gpu.Channelwise.
func (d *Device) BatchStats(s gpu.ChannelShape, x, mean, variance *gpu.Tensor) {
	gpu.Want("BatchStats", "x", x, s.Len())
	gpu.Want("BatchStats", "mean", mean, s.Channels)
	gpu.Want("BatchStats", "variance", variance, s.Channels)
	p := d.start()
	p.x, p.y, p.z = slice(x), slice(mean), slice(variance)
	d.channels(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		n := float64(s.Outer * s.Inner)
		for c := lo; c < hi; c++ {
			var t float64
			for o := range s.Outer {
				t += sum32(p.x[(o*s.Channels+c)*s.Inner:][:s.Inner])
			}
			m := float32(t / n)
			var sq float64
			for o := range s.Outer {
				sq += squares32(p.x[(o*s.Channels+c)*s.Inner:][:s.Inner], m)
			}
			p.y[c], p.z[c] = m, float32(sq/n)
		}
	}, p)
}

// squares32 is Σ (x - m)² with the summation of sum32.
func squares32(x []float32, m float32) float64 {
	var t float64
	for len(x) > 0 {
		u := x[:min(len(x), 1024)]
		x = x[len(u):]
		var a, b float32
		for len(u) >= 2 {
			p, q := u[0]-m, u[1]-m
			a += p * p
			b += q * q
			u = u[2:]
		}
		for _, v := range u {
			a += (v - m) * (v - m)
		}
		t += float64(a + b)
	}
	return t
}

// Normalize implements gpu.Channelwise.
func (d *Device) Normalize(s gpu.ChannelShape, x, mean, variance, weight *gpu.Tensor, eps float32, y *gpu.Tensor) {
	gpu.Want("Normalize", "x", x, s.Len())
	gpu.Want("Normalize", "mean", mean, s.Channels)
	gpu.Want("Normalize", "variance", variance, s.Channels)
	gpu.Want("Normalize", "y", y, s.Len())
	p := d.start()
	p.x, p.y, p.u, p.v, p.a, p.b = slice(x), slice(y), slice(mean), slice(variance), inverseWeight(weight), eps
	d.channels(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for c := lo; c < hi; c++ {
			m, r := p.u[c]*p.a, reciprocalStd(p.v[c]*p.a, p.b)
			for o := range s.Outer {
				at := (o*s.Channels + c) * s.Inner
				y := p.y[at : at+s.Inner]
				for i, v := range p.x[at : at+s.Inner] {
					y[i] = (v - m) * r
				}
			}
		}
	}, p)
}

// inverseWeight is the factor f of gpu.Channelwise.Normalize.
func inverseWeight(weight *gpu.Tensor) float32 {
	if weight == nil {
		return 1
	}
	gpu.Want("Normalize", "weight", weight, 1)
	if w := slice(weight)[0]; w != 0 {
		return 1 / w
	}
	return 0
}

func reciprocalStd(variance, eps float32) float32 {
	return float32(1 / math.Sqrt(float64(variance+eps)))
}

// NormalizeBackward implements gpu.Channelwise.
func (d *Device) NormalizeBackward(s gpu.ChannelShape, y, dy, variance *gpu.Tensor, eps float32, dx *gpu.Tensor) {
	gpu.Want("NormalizeBackward", "y", y, s.Len())
	gpu.Want("NormalizeBackward", "dy", dy, s.Len())
	gpu.Want("NormalizeBackward", "variance", variance, s.Channels)
	gpu.Want("NormalizeBackward", "dx", dx, s.Len())
	p := d.start()
	p.x, p.y, p.v, p.z, p.b = slice(y), slice(dy), slice(variance), slice(dx), eps
	d.channels(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		n := float64(s.Outer * s.Inner)
		for c := lo; c < hi; c++ {
			var t, ty float64
			for o := range s.Outer {
				at := (o*s.Channels + c) * s.Inner
				t += sum32(p.y[at : at+s.Inner])
				ty += dot32(p.x[at:at+s.Inner], p.y[at:at+s.Inner])
			}
			m, my, r := float32(t/n), float32(ty/n), reciprocalStd(p.v[c], p.b)
			for o := range s.Outer {
				at := (o*s.Channels + c) * s.Inner
				y, dy, dx := p.x[at:at+s.Inner], p.y[at:at+s.Inner], p.z[at:at+s.Inner]
				for i, g := range dy {
					dx[i] = (g - m - y[i]*my) * r
				}
			}
		}
	}, p)
}

// NormalizeGlobalBackward implements gpu.Channelwise.
func (d *Device) NormalizeGlobalBackward(
	s gpu.ChannelShape,
	dy, variance, weight *gpu.Tensor,
	eps float32,
	dx *gpu.Tensor,
) {
	gpu.Want("NormalizeGlobalBackward", "dy", dy, s.Len())
	gpu.Want("NormalizeGlobalBackward", "variance", variance, s.Channels)
	gpu.Want("NormalizeGlobalBackward", "dx", dx, s.Len())
	p := d.start()
	p.x, p.y, p.v, p.a, p.b = slice(dy), slice(dx), slice(variance), inverseWeight(weight), eps
	d.channels(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for c := lo; c < hi; c++ {
			r := reciprocalStd(p.v[c]*p.a, p.b)
			for o := range s.Outer {
				at := (o*s.Channels + c) * s.Inner
				dx := p.y[at : at+s.Inner]
				for i, g := range p.x[at : at+s.Inner] {
					dx[i] = g * r
				}
			}
		}
	}, p)
}
