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

// truncated is v without its fraction; -1 for NaN, of which processors make different integers.
func truncated(v float32) int {
	if v != v {
		return -1
	}
	return int(v)
}

func logLoss(op *gpu.LogLoss) {
	s, prob, loss := op.Shape, slice(op.Prob), 0.0
	for o, v := range slice(op.Label) {
		c, ok, _ := class(v, s, gpu.Ignore{})
		if !ok {
			loss = math.NaN()
			break
		}
		loss -= logOf(prob[o*s.Channels+c])
	}
	slice(op.Out)[0] = float32(loss / float64(s.Outer))
}

func logLossBackward(op *gpu.LogLossBackward) {
	s, prob, dx := op.Shape, slice(op.Prob), slice(op.DX)
	clear(dx)
	for o, v := range slice(op.Label) {
		if c, ok, _ := class(v, s, gpu.Ignore{}); ok {
			dx[o*s.Channels+c] = -op.Weight / float32(s.Outer) / max(prob[o*s.Channels+c], gpu.LogFloor)
		}
	}
}

func infogainLoss(op *gpu.InfogainLoss) {
	s, prob, label, gain, out := op.Shape, slice(op.Prob), slice(op.Label), slice(op.H), slice(op.Stat)
	var loss float64
	valid := 0
	for o := range s.Outer {
		for i := range s.Inner {
			k, ok, skip := class(label[o*s.Inner+i], s, op.Ignore)
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
					loss -= float64(float64(g) * logOf(prob[(o*s.Channels+c)*s.Inner+i]))
				}
			}
		}
	}
	norm := op.Norm
	if norm == 0 {
		norm = float32(valid)
	}
	norm = max(norm, 1)
	out[0], out[1] = float32(loss/float64(norm)), norm
}

func (d *back) infogainLossBackward(o *gpu.InfogainLossBackward) {
	k := infogainLossBackwardKernel{
		s: o.Shape, prob: slice(o.Prob), label: slice(o.Label), gain: slice(o.H), dx: slice(o.DX),
		ignore: o.Ignore, factor: o.Weight / slice(o.Stat)[1],
	}
	launch(d, &d.kernels.infogainLossBackward, k, o.Shape.Outer, outerGrain(o.Shape))
}

type infogainLossBackwardKernel struct {
	s                     gpu.ChannelShape
	prob, label, gain, dx []float32
	ignore                gpu.Ignore
	factor                float32
}

func (k *infogainLossBackwardKernel) run(lo, hi, _ int) {
	s := k.s
	for o := lo; o < hi; o++ {
		for i := range s.Inner {
			label, ok, skip := class(k.label[o*s.Inner+i], s, k.ignore)
			if skip || !ok {
				for c := range s.Channels {
					k.dx[(o*s.Channels+c)*s.Inner+i] = 0
				}
				continue
			}
			gain := k.gain[label*s.Channels:][:s.Channels]
			var sum float32
			for _, g := range gain {
				sum += g
			}
			for c, g := range gain {
				at := (o*s.Channels+c)*s.Inner + i
				k.dx[at] = k.factor * (float32(k.prob[at]*sum) - g)
			}
		}
	}
}

// distance2 is Σ (a-b)².
func distance2(a, b []float32) float32 {
	var t float32
	for i, v := range a {
		t += float32((v - b[i]) * (v - b[i]))
	}
	return t
}

func contrastiveLoss(op *gpu.ContrastiveLoss) {
	n, a, b := op.Shape.Channels, slice(op.A), slice(op.B)
	var loss float64
	for o, similar := range slice(op.Similar) {
		t := distance2(a[o*n:][:n], b[o*n:][:n])
		switch {
		case truncated(similar) != 0:
		case op.Legacy:
			t = max(op.Margin-t, 0)
		default:
			t = max(op.Margin-sqrt(t), 0)
			t *= t
		}
		loss += float64(t)
	}
	slice(op.Out)[0] = float32(loss / float64(op.Shape.Outer) / 2)
}

func (d *back) contrastiveLossBackward(o *gpu.ContrastiveLossBackward) {
	k := contrastiveLossBackwardKernel{
		a: slice(o.A), b: slice(o.B), similar: slice(o.Similar), dx: slice(o.DX), width: o.Shape.Channels,
		margin: o.Margin, factor: o.Weight / float32(o.Shape.Outer), legacy: o.Legacy,
	}
	launch(d, &d.kernels.contrastiveLossBackward, k, o.Shape.Outer, outerGrain(o.Shape))
}

type contrastiveLossBackwardKernel struct {
	a, b, similar, dx []float32
	width             int
	margin, factor    float32
	legacy            bool
}

func (k *contrastiveLossBackwardKernel) run(lo, hi, _ int) {
	n := k.width
	for o := lo; o < hi; o++ {
		a, b, dx := k.a[o*n:][:n], k.b[o*n:][:n], k.dx[o*n:][:n]
		f := k.factor
		if truncated(k.similar[o]) == 0 {
			t := distance2(a, b)
			if k.legacy {
				f = -k.factor
			} else {
				t = sqrt(t)
				f = -k.factor * (k.margin - t) / (t + 1e-4)
			}
			if k.margin-t <= 0 {
				f = 0
			}
		}
		for i, v := range a {
			dx[i] = f * (v - b[i])
		}
	}
}
