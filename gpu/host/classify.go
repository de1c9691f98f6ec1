package host

import (
	"math"

	"dns-tui/gpu"
)

const minNormal = 1.17549435e-38 // FLT_MIN, the floor that Caffe puts under a probability

func (d *Device) outerRun(s gpu.ChannelShape, fn kernel, p *args) {
	p.shape = s
	d.pool.run(s.Outer, max(1, grain/8/max(1, s.Channels*s.Inner)), fn, p)
}

// Softmax implements gpu.Classify.
func (d *Device) Softmax(s gpu.ChannelShape, x, y *gpu.Tensor) {
	gpu.Want("Softmax", "x", x, s.Len())
	gpu.Want("Softmax", "y", y, s.Len())
	p := d.start()
	p.x, p.y = slice(x), slice(y)
	d.outerRun(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for o := lo; o < hi; o++ {
			x, y := p.x[o*s.Channels*s.Inner:], p.y[o*s.Channels*s.Inner:]
			for i := range s.Inner {
				top := x[i]
				for c := 1; c < s.Channels; c++ {
					top = max(top, x[c*s.Inner+i])
				}
				var t float32
				for c := range s.Channels {
					e := float32(math.Exp(float64(x[c*s.Inner+i] - top)))
					y[c*s.Inner+i] = e
					t += e
				}
				for c := range s.Channels {
					y[c*s.Inner+i] /= t
				}
			}
		}
	}, p)
}

// SoftmaxBackward implements gpu.Classify.
func (d *Device) SoftmaxBackward(s gpu.ChannelShape, y, dy, dx *gpu.Tensor) {
	gpu.Want("SoftmaxBackward", "y", y, s.Len())
	gpu.Want("SoftmaxBackward", "dy", dy, s.Len())
	gpu.Want("SoftmaxBackward", "dx", dx, s.Len())
	p := d.start()
	p.x, p.y, p.z = slice(y), slice(dy), slice(dx)
	d.outerRun(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for o := lo; o < hi; o++ {
			base := o * s.Channels * s.Inner
			for i := range s.Inner {
				var t float32
				for c := range s.Channels {
					t += p.x[base+c*s.Inner+i] * p.y[base+c*s.Inner+i]
				}
				for c := range s.Channels {
					at := base + c*s.Inner + i
					p.z[at] = p.x[at] * (p.y[at] - t)
				}
			}
		}
	}, p)
}

// class returns the label as a class; ok is false where it is none, skip where it is to be ignored.
func class(label float32, s gpu.ChannelShape, ignore gpu.Ignore) (c int, ok, skip bool) {
	c = int(label)
	if ignore.On && c == ignore.Label {
		return c, true, true
	}
	return c, c >= 0 && c < s.Channels && float32(c) == label, false
}

// SoftmaxLoss implements gpu.Classify.
func (d *Device) SoftmaxLoss(
	s gpu.ChannelShape,
	prob, label *gpu.Tensor,
	ignore gpu.Ignore,
	norm float32,
	stat *gpu.Tensor,
) {
	gpu.Want("SoftmaxLoss", "prob", prob, s.Len())
	gpu.Want("SoftmaxLoss", "label", label, s.Outer*s.Inner)
	gpu.Want("SoftmaxLoss", "stat", stat, 2)
	x, lab, out := slice(prob), slice(label), slice(stat)
	var loss float64
	valid := 0
	for o := range s.Outer {
		for i := range s.Inner {
			c, ok, skip := class(lab[o*s.Inner+i], s, ignore)
			switch {
			case skip:
			case !ok:
				loss = math.NaN()
			default:
				valid++
				q := x[(o*s.Channels+c)*s.Inner+i]
				if q < minNormal {
					q = minNormal // NaN stays NaN
				}
				loss -= math.Log(float64(q))
			}
		}
	}
	if norm == 0 {
		norm = float32(max(valid, 1))
	}
	out[0], out[1] = float32(loss/float64(norm)), norm
}

// SoftmaxLossBackward implements gpu.Classify.
func (d *Device) SoftmaxLossBackward(
	s gpu.ChannelShape,
	prob, label *gpu.Tensor,
	ignore gpu.Ignore,
	weight float32,
	stat, dx *gpu.Tensor,
) {
	gpu.Want("SoftmaxLossBackward", "prob", prob, s.Len())
	gpu.Want("SoftmaxLossBackward", "label", label, s.Outer*s.Inner)
	gpu.Want("SoftmaxLossBackward", "stat", stat, 2)
	gpu.Want("SoftmaxLossBackward", "dx", dx, s.Len())
	p := d.start()
	p.x, p.y, p.z, p.ignore, p.a = slice(prob), slice(label), slice(dx), ignore, weight/slice(stat)[1]
	d.outerRun(s, func(p *args, lo, hi, _ int) {
		s, f := p.shape, p.a
		for o := lo; o < hi; o++ {
			base := o * s.Channels * s.Inner
			x, dx := p.x[base:][:s.Channels*s.Inner], p.z[base:][:s.Channels*s.Inner]
			for i, v := range x {
				dx[i] = f * v
			}
			for i := range s.Inner {
				c, ok, skip := class(p.y[o*s.Inner+i], s, p.ignore)
				switch {
				case skip:
					for c := range s.Channels {
						dx[c*s.Inner+i] = 0
					}
				case ok:
					dx[c*s.Inner+i] = f * (x[c*s.Inner+i] - 1)
				}
			}
		}
	}, p)
}

// ignored reports whether a target of SigmoidLoss does not count.
func ignored(t float32, ignore gpu.Ignore) bool { return ignore.On && int(t) == ignore.Label }

// SigmoidLoss implements gpu.Classify.
func (d *Device) SigmoidLoss(x, target *gpu.Tensor, ignore gpu.Ignore, norm float32, stat *gpu.Tensor) {
	gpu.Want("SigmoidLoss", "target", target, x.N)
	gpu.Want("SigmoidLoss", "stat", stat, 2)
	t, out := slice(target), slice(stat)
	var loss float64
	valid := 0
	for i, v := range slice(x) {
		if ignored(t[i], ignore) {
			continue
		}
		valid++
		// log(1 + exp(x)) - x·t, without overflow.
		w := float64(v)
		loss += math.Max(w, 0) + math.Log1p(math.Exp(-math.Abs(w))) - w*float64(t[i])
	}
	if norm == 0 {
		norm = float32(max(valid, 1))
	}
	out[0], out[1] = float32(loss/float64(norm)), norm
}

// SigmoidLossBackward implements gpu.Classify.
func (d *Device) SigmoidLossBackward(x, target *gpu.Tensor, ignore gpu.Ignore, weight float32, stat, dx *gpu.Tensor) {
	gpu.Want("SigmoidLossBackward", "target", target, x.N)
	gpu.Want("SigmoidLossBackward", "stat", stat, 2)
	gpu.Want("SigmoidLossBackward", "dx", dx, x.N)
	p := d.start()
	p.x, p.y, p.z, p.ignore, p.a = slice(x), slice(target), slice(dx), ignore, weight/slice(stat)[1]
	p.unary.Op = gpu.Sigmoid
	d.pool.run(x.N, grain/4, func(p *args, lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			p.z[i] = 0
			if !ignored(p.y[i], p.ignore) {
				p.z[i] = p.a * (p.unary.At(p.x[i]) - p.y[i])
			}
		}
	}, p)
}

// HingeLoss implements gpu.Classify.
func (d *Device) HingeLoss(s gpu.ChannelShape, x, label *gpu.Tensor, squared bool, out *gpu.Tensor) {
	gpu.Want("HingeLoss", "x", x, s.Len())
	gpu.Want("HingeLoss", "label", label, s.Outer*s.Inner)
	gpu.Want("HingeLoss", "out", out, 1)
	v, lab := slice(x), slice(label)
	var loss float64
	for i, w := range v {
		m := margin(w, lab, s, i)
		if squared {
			m *= m
		}
		loss += float64(m)
	}
	for _, l := range lab {
		if _, ok, _ := class(l, s, gpu.Ignore{}); !ok {
			loss = math.NaN()
		}
	}
	slice(out)[0] = float32(loss / float64(s.Outer))
}

// margin is max(0, 1 - d·x) of element i, d as in gpu.Classify.HingeLoss.
func margin(x float32, label []float32, s gpu.ChannelShape, i int) float32 {
	if isLabel(label, s, i) {
		return max(0, 1-x)
	}
	return max(0, 1+x)
}

// isLabel reports whether element i is the score of its place's label.
func isLabel(label []float32, s gpu.ChannelShape, i int) bool {
	place := i/(s.Channels*s.Inner)*s.Inner + i%s.Inner
	return label[place] == float32(i/s.Inner%s.Channels)
}

// HingeLossBackward implements gpu.Classify.
func (d *Device) HingeLossBackward(
	s gpu.ChannelShape,
	x, label *gpu.Tensor,
	squared bool,
	weight float32,
	dx *gpu.Tensor,
) {
	gpu.Want("HingeLossBackward", "x", x, s.Len())
	gpu.Want("HingeLossBackward", "label", label, s.Outer*s.Inner)
	gpu.Want("HingeLossBackward", "dx", dx, s.Len())
	p := d.start()
	p.x, p.y, p.z, p.shape, p.flag, p.a = slice(x), slice(label), slice(dx), s, squared, weight/float32(s.Outer)
	d.pool.run(s.Len(), grain, func(p *args, lo, hi, _ int) {
		for i := lo; i < hi; i++ {
			m := margin(p.x[i], p.y, p.shape, i)
			g := p.a
			switch {
			case m == 0:
				g = 0
			case p.flag:
				g *= 2 * m
			}
			if isLabel(p.y, p.shape, i) {
				g = -g
			}
			p.z[i] = g
		}
	}, p)
}

// ArgMax implements gpu.Classify.
func (d *Device) ArgMax(s gpu.ChannelShape, k int, x, index, value *gpu.Tensor) {
	gpu.Want("ArgMax", "x", x, s.Len())
	gpu.WantOptional("ArgMax", "index", index, s.Outer*s.Inner*k)
	gpu.WantOptional("ArgMax", "value", value, s.Outer*s.Inner*k)
	p := d.start()
	p.x, p.y, p.z, p.k = slice(x), slice(index), slice(value), k
	d.outerRun(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for o := lo; o < hi; o++ {
			for i := range s.Inner {
				x := p.x[o*s.Channels*s.Inner+i:]
				lastPlace := -1
				var last float32
				for rank := range p.k {
					// The largest that comes after the last one found.
					best := -1
					for c := range s.Channels {
						v := x[c*s.Inner]
						after := rank == 0 || v < last || v == last && c < lastPlace
						if after && (best < 0 || v >= x[best*s.Inner]) {
							best = c
						}
					}
					if best < 0 {
						best = 0 // only where scores are NaN
					}
					at := (o*s.Inner+i)*p.k + rank
					lastPlace, last = best, x[best*s.Inner]
					if p.y != nil {
						p.y[at] = float32(best)
					}
					if p.z != nil {
						p.z[at] = last
					}
				}
			}
		}
	}, p)
}

// Accuracy implements gpu.Classify.
func (d *Device) Accuracy(
	s gpu.ChannelShape,
	x, label *gpu.Tensor,
	ignore gpu.Ignore,
	topK int,
	out, perClass *gpu.Tensor,
) {
	gpu.Want("Accuracy", "x", x, s.Len())
	gpu.Want("Accuracy", "label", label, s.Outer*s.Inner)
	gpu.Want("Accuracy", "out", out, 1)
	gpu.WantOptional("Accuracy", "perClass", perClass, s.Channels)
	scores, lab := slice(x), slice(label)
	var perHit, perCount []float32
	if perClass != nil {
		perHit, perCount = slice(perClass), make([]float32, s.Channels)
		clear(perHit)
	}
	hit, count := 0, 0
	bad := false
	for o := range s.Outer {
		for i := range s.Inner {
			c, ok, skip := class(lab[o*s.Inner+i], s, ignore)
			if skip {
				continue
			}
			if !ok {
				bad = true
				continue
			}
			count++
			base := o*s.Channels*s.Inner + i
			mine, better := scores[base+c*s.Inner], -1
			for k := range s.Channels {
				if scores[base+k*s.Inner] >= mine {
					better++
				}
			}
			won := better >= 0 && better < topK
			if won {
				hit++
			}
			if perClass != nil {
				perCount[c]++
				if won {
					perHit[c]++
				}
			}
		}
	}
	for c, n := range perCount {
		if n > 0 {
			perHit[c] /= n
		}
	}
	result := float32(hit) / float32(max(count, 1))
	if bad {
		result = float32(math.NaN())
	}
	slice(out)[0] = result
}
