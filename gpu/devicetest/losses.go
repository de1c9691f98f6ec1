package devicetest

import (
	"math"

	"dns-tui/gpu"
)

func logLoss(b *bench) {
	s := gpu.ChannelShape{Outer: 5, Channels: 4, Inner: 1}
	prob, labels := narrow(reference(s, b.random(s.Len()))), b.labels(s.Outer, s.Channels)
	prob[2*s.Channels+int(labels[2])] = 0 // its logarithm is that of LogFloor
	loss, dx := 0.0, make([]float64, s.Len())
	for o, v := range labels {
		at := o*s.Channels + int(v)
		q := math.Max(float64(prob[at]), float64(float32(gpu.LogFloor)))
		loss -= math.Log(q) / float64(s.Outer)
		dx[at] = -3 / float64(s.Outer) / q
	}
	tp, tl, out, tdx := b.tensor(prob), b.tensor(labels), b.empty(1), b.empty(s.Len())
	b.d.LogLoss(s, tp, tl, out)
	b.check("LogLoss", out, []float64{loss})
	b.d.LogLossBackward(s, tp, tl, 3, tdx)
	for o, v := range labels { // the row of the floor hides the others in a check of its size
		if o != 2 {
			b.checkValues("LogLossBackward", b.values(tdx)[o*s.Channels:][:s.Channels], dx[o*s.Channels:][:s.Channels])
			continue
		}
		at := o*s.Channels + int(v)
		if have, want := float64(b.values(tdx)[at]), dx[at]; math.Abs(have/want-1) > Tolerance {
			b.Errorf("LogLossBackward at the floor is %g, wanted %g", have, want)
		}
	}
	labels[1] = 4
	b.d.LogLoss(s, tp, b.tensor(labels), out)
	if v := b.values(out)[0]; v == v {
		b.Errorf("LogLoss with label 4 of 4 classes is %g, wanted NaN", v)
	}
}

func infogainLoss(b *bench) {
	for _, s := range shapes {
		for _, ignore := range []gpu.Ignore{{}, {On: true, Label: 1}} {
			for _, norm := range []float32{0, 3} {
				prob := narrow(reference(s, b.random(s.Len())))
				labels, h := b.labels(s.Outer*s.Inner, s.Channels), b.random(s.Channels*s.Channels)
				loss, valid := 0.0, 0
				dx := make([]float64, s.Len())
				columns(s, func(example int, at []int) {
					k := int(labels[example])
					if ignore.On && k == ignore.Label {
						return
					}
					valid++
					gain := h[k*s.Channels:][:s.Channels]
					sum := 0.0
					for _, g := range gain {
						sum += float64(g)
					}
					for c, i := range at {
						loss -= float64(gain[c]) * math.Log(float64(prob[i]))
						dx[i] = float64(prob[i])*sum - float64(gain[c])
					}
				})
				z := float64(norm)
				if norm == 0 {
					z = math.Max(1, float64(valid))
				}
				for i := range dx {
					dx[i] *= 2 / z
				}
				tp, tl, th, stat, tdx := b.tensor(prob), b.tensor(labels), b.tensor(h), b.empty(2), b.empty(s.Len())
				b.d.InfogainLoss(s, tp, tl, th, ignore, norm, stat)
				b.check("InfogainLoss", stat, []float64{loss / z, z})
				b.d.InfogainLossBackward(s, tp, tl, th, ignore, 2, stat, tdx)
				b.check("InfogainLossBackward", tdx, dx)
			}
		}
	}
}

func contrastiveLoss(b *bench) {
	s := gpu.ChannelShape{Outer: 9, Channels: 3, Inner: 1}
	for _, legacy := range []bool{false, true} {
		const margin = 1.3
		x, y, same := b.random(s.Len()), b.random(s.Len()), b.labels(s.Outer, 2)
		loss, dx := 0.0, make([]float64, s.Len())
		for o := range s.Outer {
			d2 := 0.0
			for c := range s.Channels {
				d2 += math.Pow(float64(x[o*s.Channels+c])-float64(y[o*s.Channels+c]), 2)
			}
			f := 1.0
			switch left, d := margin-d2, math.Sqrt(d2); {
			case same[o] != 0:
				loss += d2
			case legacy && left > 0:
				loss += left
				f = -1
			case !legacy && d < margin:
				loss += (margin - d) * (margin - d)
				f = -(margin - d) / (d + 1e-4)
			default:
				f = 0
			}
			for c := range s.Channels {
				i := o*s.Channels + c
				dx[i] = 2 * f / float64(s.Outer) * (float64(x[i]) - float64(y[i]))
			}
		}
		tx, ty, ts, out, tdx := b.tensor(x), b.tensor(y), b.tensor(same), b.empty(1), b.empty(s.Len())
		b.d.ContrastiveLoss(s, tx, ty, ts, margin, legacy, out)
		b.check("ContrastiveLoss", out, []float64{loss / float64(s.Outer) / 2})
		b.d.ContrastiveLossBackward(s, tx, ty, ts, margin, legacy, 2, tdx)
		b.check("ContrastiveLossBackward", tdx, dx)
	}
}

// lstmUnit checks the cell against its formula, and its gradient against differences of it.
func lstmUnit(b *bench) {
	const n, size = 3, 5
	before, x, dc, dh := b.random(n*size), b.random(4*n*size), b.random(n*size), b.random(n*size)
	cont := []float32{1, 0, 1}
	sig := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	cell := func(before, x []float64) (c, h []float64) {
		c, h = make([]float64, n*size), make([]float64, n*size)
		for s := range n {
			for j := range size {
				g := x[s*4*size:]
				c[s*size+j] = float64(cont[s])*sig(g[size+j])*before[s*size+j] + sig(g[j])*math.Tanh(g[3*size+j])
				h[s*size+j] = sig(g[2*size+j]) * math.Tanh(c[s*size+j])
			}
		}
		return c, h
	}
	tb, tx, tcont, tc, th := b.tensor(before), b.tensor(x), b.tensor(cont), b.empty(n*size), b.empty(n*size)
	b.d.LSTMUnit(n, size, tb, tx, tcont, tc, th)
	wb, wx := wide(before), wide(x)
	c, h := cell(wb, wx)
	b.check("LSTMUnit c", tc, c)
	b.check("LSTMUnit h", th, h)
	slope := func(v []float64) []float64 {
		return each(len(v), func(i int) float64 {
			const step = 1e-5
			keep, d := v[i], 0.0
			for _, sign := range []float64{1, -1} {
				v[i] = keep + sign*step
				c, h := cell(wb, wx)
				for k := range c {
					d += sign * (c[k]*float64(dc[k]) + h[k]*float64(dh[k])) / (2 * step)
				}
			}
			v[i] = keep
			return d
		})
	}
	gates := each(4*n*size, func(i int) float64 {
		switch v := wx[i]; i / size % 4 {
		case 1:
			return float64(cont[i/size/4]) * sig(v)
		case 3:
			return math.Tanh(v)
		default:
			return sig(v)
		}
	})
	b.check("LSTMUnit gates", tx, gates)
	tdc := b.tensor(dc)
	b.d.LSTMUnitBackward(n, size, tb, tx, tc, tdc, b.tensor(dh), tdc, tx) // both in place
	b.check("LSTMUnitBackward before", tdc, slope(wb))
	b.check("LSTMUnitBackward x", tx, slope(wx))
}
