package host

import (
	"math"

	"dns-tui/gpu"
)

const minNormal = 1.17549435e-38 // FLT_MIN, the floor that Caffe puts under a probability

// outerGrain is how many of the outer axis make a piece.
func outerGrain(s gpu.ChannelShape) int { return max(1, grain/8/max(1, s.Channels*s.Inner)) }

func (d *back) softmax(o *gpu.Softmax) {
	k := softmaxKernel{o.Shape, slice(o.X), slice(o.Y)}
	launch(d, &d.kernels.softmax, k, o.Shape.Outer, outerGrain(o.Shape))
}

type softmaxKernel struct {
	s    gpu.ChannelShape
	x, y []float32
}

func (k *softmaxKernel) run(lo, hi, _ int) {
	s := k.s
	for o := lo; o < hi; o++ {
		x, y := k.x[o*s.Channels*s.Inner:], k.y[o*s.Channels*s.Inner:]
		if s.Inner == 1 {
			softmaxRow(x[:s.Channels], y[:s.Channels])
			continue
		}
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
}

// softmaxRow sets y to the softmax of x. A NaN makes all of it NaN by its sum, whether or not it is the largest.
func softmaxRow(x, y []float32) {
	exps(x, y, largest(x))
	t := float32(sum32(y))
	for i := axpbyVectors(y, y, 1/t, 0); i < len(y); i++ {
		y[i] *= 1 / t
	}
}

// largest is the largest of x; where some are NaN it may be any.
func largest(x []float32) float32 {
	top, done := largestVector(x)
	if done == 0 {
		top = x[0]
	}
	for _, v := range x[done:] {
		top = max(top, v)
	}
	return top
}

func (d *back) softmaxBackward(o *gpu.SoftmaxBackward) {
	k := softmaxBackwardKernel{o.Shape, slice(o.Y), slice(o.DY), slice(o.DX)}
	launch(d, &d.kernels.softmaxBackward, k, o.Shape.Outer, outerGrain(o.Shape))
}

type softmaxBackwardKernel struct {
	s         gpu.ChannelShape
	y, dy, dx []float32
}

func (k *softmaxBackwardKernel) run(lo, hi, _ int) {
	s := k.s
	for o := lo; o < hi; o++ {
		base := o * s.Channels * s.Inner
		for i := range s.Inner {
			var t float32
			for c := range s.Channels {
				t += float32(k.y[base+c*s.Inner+i] * k.dy[base+c*s.Inner+i])
			}
			for c := range s.Channels {
				at := base + c*s.Inner + i
				k.dx[at] = k.y[at] * (k.dy[at] - t)
			}
		}
	}
}

// class returns the label as a class; ok is false where it is none, skip where it is to be ignored.
func class(label float32, s gpu.ChannelShape, ignore gpu.Ignore) (c int, ok, skip bool) {
	c = truncated(label)
	if ignored(label, ignore) {
		return c, true, true
	}
	return c, c >= 0 && c < s.Channels && float32(c) == label, false
}

func softmaxLoss(op *gpu.SoftmaxLoss) {
	s, prob, label, out := op.Shape, slice(op.Prob), slice(op.Label), slice(op.Stat)
	var loss float64
	valid := 0
	for o := range s.Outer {
		for i := range s.Inner {
			c, ok, skip := class(label[o*s.Inner+i], s, op.Ignore)
			switch {
			case skip:
			case !ok:
				loss = math.NaN()
			default:
				valid++
				q := prob[(o*s.Channels+c)*s.Inner+i]
				if q < minNormal {
					q = minNormal // NaN stays NaN
				}
				loss -= math.Log(float64(q))
			}
		}
	}
	norm := op.Norm
	if norm == 0 {
		norm = float32(max(valid, 1))
	}
	out[0], out[1] = float32(loss/float64(norm)), norm
}

func (d *back) softmaxLossBackward(o *gpu.SoftmaxLossBackward) {
	k := softmaxLossBackwardKernel{
		s: o.Shape, prob: slice(o.Prob), label: slice(o.Label), dx: slice(o.DX),
		ignore: o.Ignore, factor: o.Weight / slice(o.Stat)[1],
	}
	launch(d, &d.kernels.softmaxLossBackward, k, o.Shape.Outer, outerGrain(o.Shape))
}

type softmaxLossBackwardKernel struct {
	s               gpu.ChannelShape
	prob, label, dx []float32
	ignore          gpu.Ignore
	factor          float32
}

func (k *softmaxLossBackwardKernel) run(lo, hi, _ int) {
	s, f := k.s, k.factor
	for o := lo; o < hi; o++ {
		base := o * s.Channels * s.Inner
		prob, dx := k.prob[base:][:s.Channels*s.Inner], k.dx[base:][:s.Channels*s.Inner]
		for i, v := range prob {
			dx[i] = f * v
		}
		for i := range s.Inner {
			c, ok, skip := class(k.label[o*s.Inner+i], s, k.ignore)
			switch {
			case skip:
				for c := range s.Channels {
					dx[c*s.Inner+i] = 0
				}
			case ok:
				dx[c*s.Inner+i] = f * (prob[c*s.Inner+i] - 1)
			}
		}
	}
}

// ignored reports whether a label or target does not count. NaN is no label that could be named, so it counts.
func ignored(t float32, ignore gpu.Ignore) bool {
	return ignore.On && t == t && truncated(t) == ignore.Label
}

func sigmoidLoss(op *gpu.SigmoidLoss) {
	target, out := slice(op.Target), slice(op.Stat)
	var loss float64
	valid := 0
	for i, v := range slice(op.X) {
		if ignored(target[i], op.Ignore) {
			continue
		}
		valid++
		// log(1 + exp(x)) - x·t, without overflow.
		w := float64(v)
		loss += math.Max(w, 0) + math.Log1p(math.Exp(-math.Abs(w))) - float64(w*float64(target[i]))
	}
	norm := op.Norm
	if norm == 0 {
		norm = float32(max(valid, 1))
	}
	out[0], out[1] = float32(loss/float64(norm)), norm
}

func (d *back) sigmoidLossBackward(o *gpu.SigmoidLossBackward) {
	k := sigmoidLossBackwardKernel{
		x: slice(o.X), target: slice(o.Target), dx: slice(o.DX), ignore: o.Ignore, factor: o.Weight / slice(o.Stat)[1],
	}
	launch(d, &d.kernels.sigmoidLossBackward, k, o.X.N, grain/4)
}

type sigmoidLossBackwardKernel struct {
	x, target, dx []float32
	ignore        gpu.Ignore
	factor        float32
}

func (k *sigmoidLossBackwardKernel) run(lo, hi, _ int) {
	sigmoid := gpu.UnaryFunc{Op: gpu.Sigmoid}
	for i := lo; i < hi; i++ {
		if ignored(k.target[i], k.ignore) {
			k.dx[i] = 0
			continue
		}
		k.dx[i] = k.factor * (sigmoid.At(k.x[i]) - k.target[i])
	}
}

func hingeLoss(op *gpu.HingeLoss) {
	label := slice(op.Label)
	var loss float64
	for i, x := range slice(op.X) {
		m := margin(x, label, op.Shape, i)
		if op.Squared {
			m *= m
		}
		loss += float64(m)
	}
	for _, l := range label {
		if _, ok, _ := class(l, op.Shape, gpu.Ignore{}); !ok {
			loss = math.NaN()
		}
	}
	slice(op.Out)[0] = float32(loss / float64(op.Shape.Outer))
}

// margin is max(0, 1 - d·x) of element i, d as in gpu.Device.HingeLoss.
func margin(x float32, label []float32, s gpu.ChannelShape, i int) float32 {
	if isLabel(label, s, i) {
		return max(0, 1-x)
	}
	return max(0, 1+x)
}

// isLabel reports whether element i is the score of its example's label.
func isLabel(label []float32, s gpu.ChannelShape, i int) bool {
	example := i/(s.Channels*s.Inner)*s.Inner + i%s.Inner
	return label[example] == float32(i/s.Inner%s.Channels)
}

func (d *back) hingeLossBackward(o *gpu.HingeLossBackward) {
	k := hingeLossBackwardKernel{
		s: o.Shape, x: slice(o.X), label: slice(o.Label), dx: slice(o.DX),
		squared: o.Squared, factor: o.Weight / float32(o.Shape.Outer),
	}
	launch(d, &d.kernels.hingeLossBackward, k, o.Shape.Len(), grain)
}

type hingeLossBackwardKernel struct {
	s            gpu.ChannelShape
	x, label, dx []float32
	squared      bool
	factor       float32
}

func (k *hingeLossBackwardKernel) run(lo, hi, _ int) {
	for i := lo; i < hi; i++ {
		m := margin(k.x[i], k.label, k.s, i)
		g := k.factor
		switch {
		case m == 0:
			g = 0
		case k.squared:
			g *= 2 * m
		}
		if isLabel(k.label, k.s, i) {
			g = -g
		}
		k.dx[i] = g
	}
}

func (d *back) argMax(o *gpu.ArgMax) {
	k := argMaxKernel{o.Shape, o.K, slice(o.X), slice(o.Index), slice(o.Value)}
	launch(d, &d.kernels.argMax, k, o.Shape.Outer, outerGrain(o.Shape))
}

type argMaxKernel struct {
	s               gpu.ChannelShape
	top             int
	x, index, value []float32 // index and value may be nil
}

func (k *argMaxKernel) run(lo, hi, _ int) {
	s := k.s
	for o := lo; o < hi; o++ {
		for i := range s.Inner {
			x := k.x[o*s.Channels*s.Inner+i:]
			lastChannel := -1
			var last float32
			for rank := range k.top {
				// The largest that comes after the last one found.
				best := -1
				for c := range s.Channels {
					v := x[c*s.Inner]
					after := rank == 0 || v < last || v == last && c < lastChannel
					if after && (best < 0 || v >= x[best*s.Inner]) {
						best = c
					}
				}
				if best < 0 {
					best = 0 // only where scores are NaN
				}
				at := (o*s.Inner+i)*k.top + rank
				lastChannel, last = best, x[best*s.Inner]
				if k.index != nil {
					k.index[at] = float32(best)
				}
				if k.value != nil {
					k.value[at] = last
				}
			}
		}
	}
}

func accuracy(op *gpu.Accuracy) {
	s, scores, label := op.Shape, slice(op.X), slice(op.Label)
	var perHit, perCount []float32
	if op.PerClass != nil {
		perHit, perCount = slice(op.PerClass), make([]float32, s.Channels)
		clear(perHit)
	}
	hit, count := 0, 0
	bad := false
	for o := range s.Outer {
		for i := range s.Inner {
			c, ok, skip := class(label[o*s.Inner+i], s, op.Ignore)
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
			won := better >= 0 && better < op.TopK
			if won {
				hit++
			}
			if perCount != nil {
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
	slice(op.Out)[0] = result
}
