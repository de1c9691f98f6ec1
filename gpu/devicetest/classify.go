package devicetest

import (
	"fmt"
	"math"

	"dns-tui/gpu"
)

// column returns the positions of the channels at one (outer, inner).
func column(s gpu.ChannelShape, o, i int) []int {
	at := make([]int, s.Channels)
	for c := range at {
		at[c] = (o*s.Channels+c)*s.Inner + i
	}
	return at
}

func columns(s gpu.ChannelShape, f func(example int, at []int)) {
	for o := range s.Outer {
		for i := range s.Inner {
			f(o*s.Inner+i, column(s, o, i))
		}
	}
}

func reference(s gpu.ChannelShape, x []float32) []float64 {
	y := make([]float64, s.Len())
	columns(s, func(_ int, at []int) {
		top, t := math.Inf(-1), 0.0
		for _, k := range at {
			top = math.Max(top, float64(x[k]))
		}
		for _, k := range at {
			t += math.Exp(float64(x[k]) - top)
		}
		for _, k := range at {
			y[k] = math.Exp(float64(x[k])-top) / t
		}
	})
	return y
}

func softmax(b *bench) {
	for _, s := range shapes {
		x, dy := b.random(s.Len()), b.random(s.Len())
		for i := range x {
			x[i] *= 50 // overflows exp unless the maximum is taken off
		}
		y := reference(s, x)
		tx, ty, tdx := b.tensor(x), b.empty(s.Len()), b.empty(s.Len())
		b.d.Softmax(s, tx, ty)
		b.check("Softmax", ty, y)
		b.d.SoftmaxBackward(s, ty, b.tensor(dy), tdx)
		want := make([]float64, s.Len())
		columns(s, func(_ int, at []int) {
			t := 0.0
			for _, k := range at {
				t += float64(dy[k]) * y[k]
			}
			for _, k := range at {
				want[k] = y[k] * (float64(dy[k]) - t)
			}
		})
		b.check("SoftmaxBackward", tdx, want)
	}
}

// A label that is NaN is no class, whatever label is ignored: processors make different integers of it, 0 and the
// least one among them.
func notALabel(b *bench) {
	const rows, classes = 3, 2
	nan := float32(math.NaN())
	s := gpu.ChannelShape{Outer: rows, Channels: classes, Inner: 1}
	prob, labels := b.tensor([]float32{0.5, 0.5, 0.25, 0.75, 0.5, 0.5}), b.tensor([]float32{0, nan, 1})
	gain := b.tensor([]float32{1, 0, 0, 1})
	for _, ignored := range []int{0, -1, 1, math.MinInt32, math.MaxInt32} {
		ignore := gpu.Ignore{On: true, Label: ignored}
		stat, out, y := b.empty(2), b.empty(1), b.empty(s.Len())
		wantNaN := func(what string, t *gpu.Tensor) {
			if v := b.values(t)[0]; v == v {
				b.Errorf("%s of a label that is NaN, where %d is ignored, is %g, wanted NaN", what, ignored, v)
			}
		}
		b.d.SoftmaxLoss(s, prob, labels, ignore, 1, stat)
		wantNaN("SoftmaxLoss", stat)
		b.d.Softmax(s, prob, y)
		b.d.SoftmaxLoss(s, y, labels, ignore, 1, stat) // as one kernel
		wantNaN("Softmax and SoftmaxLoss", stat)
		b.d.InfogainLoss(s, prob, labels, gain, ignore, 1, stat)
		wantNaN("InfogainLoss", stat)
		b.d.SigmoidLoss(labels, labels, ignore, 1, stat)
		wantNaN("SigmoidLoss", stat)
		b.d.Accuracy(s, prob, labels, ignore, 1, out, nil)
		wantNaN("Accuracy", out)
	}
	// Whatever is not 0 says that two are similar.
	out, a, far := b.empty(1), b.tensor([]float32{0, 0}), b.tensor([]float32{3, 4})
	pair := gpu.ChannelShape{Outer: 1, Channels: 2, Inner: 1}
	b.d.ContrastiveLoss(pair, a, far, b.tensor([]float32{nan}), 1, false, out)
	b.check("ContrastiveLoss of similarity NaN", out, []float64{12.5})
}

func (b *bench) labels(n, classes int) []float32 {
	v := b.random(n)
	for i := range v {
		v[i] = float32(int((v[i]+1)/2*float32(classes)) % classes)
	}
	return v
}

func softmaxLoss(b *bench) {
	for _, s := range shapes {
		for _, ignore := range []gpu.Ignore{{}, {On: true, Label: 1}} {
			for _, norm := range []float32{0, 5} {
				x, labels := b.random(s.Len()), b.labels(s.Outer*s.Inner, s.Channels)
				y := reference(s, x)
				loss, count := 0.0, 0.0
				columns(s, func(p int, at []int) {
					if c := int(labels[p]); !ignore.On || c != ignore.Label {
						loss -= math.Log(y[at[c]])
						count++
					}
				})
				z := float64(norm)
				if z == 0 {
					z = math.Max(count, 1)
				}
				tp, tl, ts, tdx := b.tensor(narrow(y)), b.tensor(labels), b.empty(2), b.empty(s.Len())
				b.d.SoftmaxLoss(s, tp, tl, ignore, norm, ts)
				b.check("SoftmaxLoss", ts, []float64{loss / z, z})
				b.d.SoftmaxLossBackward(s, tp, tl, ignore, 0.5, ts, tdx)
				want := make([]float64, s.Len())
				columns(s, func(p int, at []int) {
					if c := int(labels[p]); !ignore.On || c != ignore.Label {
						for k, i := range at {
							want[i] = 0.5 / z * y[i]
							if k == c {
								want[i] -= 0.5 / z
							}
						}
					}
				})
				b.check("SoftmaxLossBackward", tdx, want)
			}
		}
	}
	s := gpu.ChannelShape{Outer: 2, Channels: 3, Inner: 1}
	stat := b.empty(2)
	for _, bad := range []float32{3, -1, 0.5} {
		b.d.SoftmaxLoss(
			s,
			b.tensor([]float32{0.2, 0.3, 0.5, 0.2, 0.3, 0.5}),
			b.tensor([]float32{0, bad}),
			gpu.Ignore{},
			0,
			stat,
		)
		if v := b.values(stat); !math.IsNaN(float64(v[0])) {
			b.Errorf("SoftmaxLoss with label %g of 3 classes is %g, wanted NaN", bad, v[0])
		}
	}
}

func sigmoidLoss(b *bench) {
	for _, n := range []int{1, 7, 5000} {
		for _, ignore := range []gpu.Ignore{{}, {On: true, Label: 1}} {
			for _, norm := range []float32{0, 5} {
				x, t := b.random(n), b.labels(n, 2)
				for i := range x {
					x[i] *= 30
				}
				loss, count := 0.0, 0.0
				counts := func(i int) bool { return !ignore.On || int(t[i]) != ignore.Label }
				for i, v := range x {
					if counts(i) {
						s := 1 / (1 + math.Exp(-float64(v)))
						if t[i] == 0 {
							s = 1 / (1 + math.Exp(float64(v)))
						}
						loss -= math.Log(s)
						count++
					}
				}
				z := float64(norm)
				if z == 0 {
					z = math.Max(count, 1)
				}
				tx, tt, ts, tdx := b.tensor(x), b.tensor(t), b.empty(2), b.empty(n)
				b.d.SigmoidLoss(tx, tt, ignore, norm, ts)
				b.check("SigmoidLoss", ts, []float64{loss / z, z})
				b.d.SigmoidLossBackward(tx, tt, ignore, 0.5, ts, tdx)
				b.check("SigmoidLossBackward", tdx, each(n, func(i int) float64 {
					if !counts(i) {
						return 0
					}
					return 0.5 / z * (1/(1+math.Exp(-float64(x[i]))) - float64(t[i]))
				}))
			}
		}
	}
}

func hingeLoss(b *bench) {
	for _, s := range shapes {
		for _, squared := range []bool{false, true} {
			x, labels := b.random(s.Len()), b.labels(s.Outer*s.Inner, s.Channels)
			for i := range x {
				x[i] *= 2
			}
			loss, dx := 0.0, make([]float64, s.Len())
			columns(s, func(p int, at []int) {
				for c, i := range at {
					d := -1.0
					if c == int(labels[p]) {
						d = 1
					}
					m := math.Max(0, 1-d*float64(x[i]))
					switch {
					case squared:
						loss += m * m
						dx[i] = -d * 2 * m * 0.5 / float64(s.Outer)
					case m > 0:
						loss += m
						dx[i] = -d * 0.5 / float64(s.Outer)
					}
				}
			})
			tx, tl, out, tdx := b.tensor(x), b.tensor(labels), b.empty(1), b.empty(s.Len())
			b.d.HingeLoss(s, tx, tl, squared, out)
			b.check("HingeLoss", out, []float64{loss / float64(s.Outer)})
			b.d.HingeLossBackward(s, tx, tl, squared, 0.5, tdx)
			b.check("HingeLossBackward", tdx, dx)
		}
	}
	out := b.empty(1)
	b.d.HingeLoss(gpu.ChannelShape{Outer: 1, Channels: 3, Inner: 1}, b.empty(3), b.tensor([]float32{3}), false, out)
	if v := b.values(out)[0]; !math.IsNaN(float64(v)) {
		b.Errorf("HingeLoss with label 3 of 3 classes is %g, wanted NaN", v)
	}
}

func argMax(b *bench) {
	s := gpu.ChannelShape{Outer: 2, Channels: 4, Inner: 2}
	x := b.tensor([]float32{1, 9, 5, 8, 5, 7, 2, 6 /* next outer */, 0, 0, 0, 1, 0, 0, -1, 2})
	index, value := b.empty(12), b.empty(12)
	b.d.ArgMax(s, 3, x, index, value)
	b.check("ArgMax channels", index, []float64{2, 1, 3, 0, 1, 2, 2, 1, 0, 3, 1, 2})
	b.check("ArgMax values", value, []float64{5, 5, 2, 9, 8, 7, 0, 0, 0, 2, 1, 0})
	b.d.ArgMax(s, 3, x, index, nil)
	b.d.ArgMax(s, 3, x, nil, value)
}

func accuracy(b *bench) {
	s := gpu.ChannelShape{Outer: 4, Channels: 3, Inner: 1}
	x := b.tensor([]float32{3, 2, 1, 1, 2, 3, 2, 2, 0, 0, 5, 1})
	labels := b.tensor([]float32{0, 2, 0, 2})
	for _, c := range []struct {
		topK     int
		ignore   gpu.Ignore
		want     float64
		perClass []float64
	}{
		{1, gpu.Ignore{}, 0.5, []float64{0.5, 0, 0.5}}, // the third ties, which counts against it
		{2, gpu.Ignore{}, 1, []float64{1, 0, 1}},
		{1, gpu.Ignore{On: true, Label: 0}, 0.5, []float64{0, 0, 0.5}},
	} {
		out, per := b.empty(1), b.empty(3)
		b.d.Accuracy(s, x, labels, c.ignore, c.topK, out, per)
		b.check(fmt.Sprintf("Accuracy top %d", c.topK), out, []float64{c.want})
		b.check("Accuracy per class", per, c.perClass)
		b.d.Accuracy(s, x, labels, c.ignore, c.topK, out, nil)
		b.check("Accuracy alone", out, []float64{c.want})
	}
	out := b.empty(1)
	b.d.Accuracy(s, x, b.tensor([]float32{0, 2, 0, 3}), gpu.Ignore{}, 1, out, nil)
	if v := b.values(out)[0]; !math.IsNaN(float64(v)) {
		b.Errorf("Accuracy with a label that is not a valid class is %g, wanted NaN", v)
	}
}
