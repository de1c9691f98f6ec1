package host

import (
	"math"

	"dns-tui/gpu"
)

// logOf is log(max(q, LogFloor)); NaN stays NaN.
func logOf(q float32) float64 {
	if q < gpu.LogFloor {
		q = gpu.LogFloor
	}
	return math.Log(float64(q))
}

// LogLoss implements gpu.Classify.
func (d *Device) LogLoss(s gpu.ChannelShape, prob, label, out *gpu.Tensor) {
	gpu.Want("LogLoss", "prob", prob, s.Len())
	gpu.Want("LogLoss", "label", label, s.Outer)
	gpu.Want("LogLoss", "out", out, 1)
	x, loss := slice(prob), 0.0
	for o, v := range slice(label) {
		c, ok, _ := class(v, s, gpu.Ignore{})
		if !ok {
			loss = math.NaN()
			break
		}
		loss -= logOf(x[o*s.Channels+c])
	}
	slice(out)[0] = float32(loss / float64(s.Outer))
}

// LogLossBackward implements gpu.Classify.
func (d *Device) LogLossBackward(s gpu.ChannelShape, prob, label *gpu.Tensor, weight float32, dx *gpu.Tensor) {
	gpu.Want("LogLossBackward", "prob", prob, s.Len())
	gpu.Want("LogLossBackward", "label", label, s.Outer)
	gpu.Want("LogLossBackward", "dx", dx, s.Len())
	x, dst := slice(prob), slice(dx)
	clear(dst)
	for o, v := range slice(label) {
		if c, ok, _ := class(v, s, gpu.Ignore{}); ok {
			dst[o*s.Channels+c] = -weight / float32(s.Outer) / max(x[o*s.Channels+c], gpu.LogFloor)
		}
	}
}

// InfogainLoss implements gpu.Classify.
func (d *Device) InfogainLoss(
	s gpu.ChannelShape,
	prob, label, h *gpu.Tensor,
	ignore gpu.Ignore,
	norm float32,
	stat *gpu.Tensor,
) {
	gpu.Want("InfogainLoss", "prob", prob, s.Len())
	gpu.Want("InfogainLoss", "label", label, s.Outer*s.Inner)
	gpu.Want("InfogainLoss", "h", h, s.Channels*s.Channels)
	gpu.Want("InfogainLoss", "stat", stat, 2)
	x, lab, gain, out := slice(prob), slice(label), slice(h), slice(stat)
	var loss float64
	valid := 0
	for o := range s.Outer {
		for i := range s.Inner {
			k, ok, skip := class(lab[o*s.Inner+i], s, ignore)
			switch {
			case skip:
				continue
			case !ok:
				loss = math.NaN()
				continue
			}
			valid++
			for c, g := range gain[k*s.Channels:][:s.Channels] {
				if g != 0 {
					loss -= float64(g) * logOf(x[(o*s.Channels+c)*s.Inner+i])
				}
			}
		}
	}
	if norm == 0 {
		norm = float32(valid)
	}
	norm = max(norm, 1)
	out[0], out[1] = float32(loss/float64(norm)), norm
}

// InfogainLossBackward implements gpu.Classify.
func (d *Device) InfogainLossBackward(
	s gpu.ChannelShape,
	prob, label, h *gpu.Tensor,
	ignore gpu.Ignore,
	weight float32,
	stat, dx *gpu.Tensor,
) {
	gpu.Want("InfogainLossBackward", "prob", prob, s.Len())
	gpu.Want("InfogainLossBackward", "label", label, s.Outer*s.Inner)
	gpu.Want("InfogainLossBackward", "h", h, s.Channels*s.Channels)
	gpu.Want("InfogainLossBackward", "stat", stat, 2)
	gpu.Want("InfogainLossBackward", "dx", dx, s.Len())
	p := d.start()
	p.x, p.y, p.z, p.u, p.ignore, p.a = slice(prob), slice(label), slice(dx), slice(h), ignore, weight/slice(stat)[1]
	d.outerRun(s, func(p *args, lo, hi, _ int) {
		s := p.shape
		for o := lo; o < hi; o++ {
			for i := range s.Inner {
				k, ok, skip := class(p.y[o*s.Inner+i], s, p.ignore)
				if skip || !ok {
					for c := range s.Channels {
						p.z[(o*s.Channels+c)*s.Inner+i] = 0
					}
					continue
				}
				gain := p.u[k*s.Channels:][:s.Channels]
				var sum float32
				for _, g := range gain {
					sum += g
				}
				for c, g := range gain {
					at := (o*s.Channels+c)*s.Inner + i
					p.z[at] = p.a * (p.x[at]*sum - g)
				}
			}
		}
	}, p)
}

func checkPairs(op string, s gpu.ChannelShape, a, b, similar *gpu.Tensor) {
	if s.Inner != 1 {
		panic("gpu: " + op + ": Inner is not 1")
	}
	gpu.Want(op, "a", a, s.Len())
	gpu.Want(op, "b", b, s.Len())
	gpu.Want(op, "similar", similar, s.Outer)
}

// distance2 is Σ (a-b)².
func distance2(a, b []float32) float32 {
	var t float32
	for i, v := range a {
		t += (v - b[i]) * (v - b[i])
	}
	return t
}

// ContrastiveLoss implements gpu.Classify.
func (d *Device) ContrastiveLoss(
	s gpu.ChannelShape,
	a, b, similar *gpu.Tensor,
	margin float32,
	legacy bool,
	out *gpu.Tensor,
) {
	checkPairs("ContrastiveLoss", s, a, b, similar)
	gpu.Want("ContrastiveLoss", "out", out, 1)
	x, y := slice(a), slice(b)
	var loss float64
	for o, v := range slice(similar) {
		t := distance2(x[o*s.Channels:][:s.Channels], y[o*s.Channels:][:s.Channels])
		switch {
		case int(v) != 0:
		case legacy:
			t = max(margin-t, 0)
		default:
			t = max(margin-sqrt(t), 0)
			t *= t
		}
		loss += float64(t)
	}
	slice(out)[0] = float32(loss / float64(s.Outer) / 2)
}

// ContrastiveLossBackward implements gpu.Classify.
func (d *Device) ContrastiveLossBackward(
	s gpu.ChannelShape,
	a, b, similar *gpu.Tensor,
	margin float32,
	legacy bool,
	weight float32,
	dx *gpu.Tensor,
) {
	checkPairs("ContrastiveLossBackward", s, a, b, similar)
	gpu.Want("ContrastiveLossBackward", "dx", dx, s.Len())
	p := d.start()
	p.x, p.y, p.z, p.u, p.a, p.b, p.flag = slice(
		a,
	), slice(
		b,
	), slice(
		similar,
	), slice(
		dx,
	), margin, weight/float32(
		s.Outer,
	), legacy
	d.outerRun(s, func(p *args, lo, hi, _ int) {
		n := p.shape.Channels
		for o := lo; o < hi; o++ {
			x, y, dx := p.x[o*n:][:n], p.y[o*n:][:n], p.u[o*n:][:n]
			f := p.b
			if int(p.z[o]) == 0 {
				t := distance2(x, y)
				if p.flag {
					f = -p.b
				} else {
					t = sqrt(t)
					f = -p.b * (p.a - t) / (t + 1e-4)
				}
				if p.a-t <= 0 {
					f = 0
				}
			}
			for i, v := range x {
				dx[i] = f * (v - y[i])
			}
		}
	}, p)
}
