package host

import "dns-tui/gpu"

// A convolution whose groups have one input channel each, as MobileNet's, has no product to speak of: an output is the
// sum of the moved input times its few weights. A channel is laid out in a worker's scratch (see layout), and a vector
// of outputs stays in registers while the weights pass, as in sparseConv.
//
// The floor is to read the input and write the output once; 2·KH·KW operations an output are done in the first cache.

// depthwise reports whether a convolution is one.
func depthwise(k *productKey) bool { return k.g.Groups == k.g.C && k.g.C > 1 }

// channelGeometry is that of one group of one image.
func channelGeometry(g *gpu.ConvGeometry) gpu.ConvGeometry {
	one := *g
	one.N, one.C, one.O, one.Groups = 1, 1, g.O/g.Groups, 1
	return one
}

func (d *back) convDepthwise(o *gpu.Conv) {
	k := depthwiseKernel{d, channelGeometry(o.G), slice(o.X), slice(o.W), slice(o.B), slice(o.Y), o.Then}
	launch(d, &d.kernels.depthwise, k, o.G.N*o.G.C, channelPiece(o.G))
}

// channelPiece is how many channels make a piece.
func channelPiece(g *gpu.ConvGeometry) int { return max(1, grain/max(1, g.OutH*g.OutW)) }

// depthwiseKernel does channels of images.
type depthwiseKernel struct {
	d             *back
	g             gpu.ConvGeometry // of one
	x, w, bias, y []float32
	then          gpu.Rectifier
}

func (k *depthwiseKernel) run(lo, hi, worker int) {
	g, l := &k.g, layoutOf(&k.g)
	channels := len(k.w) / (g.O * g.KH * g.KW)
	plane, taps := g.OutH*g.OutW, g.KH*g.KW
	gaps := roundUp(l.length)
	scratch := k.d.scratch(worker, gaps+l.extent())
	made, image := scratch[:l.length], scratch[gaps:]
	clear(image)
	c := &k.d.perWorker[worker]
	c.begin()
	for tap := range taps {
		c.add(0, l.input(0, tap/g.KW, tap%g.KW), 0)
	}
	c.end(1)
	for item := lo; item < hi; item++ {
		x := l.put(k.x[item*g.H*g.W:][:g.H*g.W], image)
		_ = x[:c.reach+l.length] // no kernel reads beyond it
		for o := range g.O {
			output := item%channels*g.O + o
			for tap, v := range k.w[output*taps:][:taps] {
				c.terms[tap].weight = v
			}
			var bias float32
			if k.bias != nil {
				bias = k.bias[output]
			}
			y := k.y[(item*g.O+o)*plane:][:plane]
			if l.length == plane {
				combine(c.terms, x, y, bias)
				rectified(y, k.then)
				continue
			}
			combine(c.terms, x, made, bias)
			for h := range g.OutH {
				copyRow(y[h*g.OutW:][:g.OutW], made[h*l.width:])
			}
			rectified(y, k.then)
		}
	}
}

func (d *back) convBackwardDataDepthwise(o *gpu.ConvBackwardData) {
	k := depthwiseDataKernel{d, channelGeometry(o.G), slice(o.DY), slice(o.W), slice(o.DX)}
	launch(d, &d.kernels.depthwiseData, k, o.G.N*o.G.C, channelPiece(o.G))
}

// depthwiseDataKernel does channels of images. A phase of an input's channel is the sum of gradients of outputs, each
// moved by where its weight reads, with zeros around it.
type depthwiseDataKernel struct {
	d         *back
	g         gpu.ConvGeometry // of one
	dy, w, dx []float32
}

func (k *depthwiseDataKernel) run(lo, hi, worker int) {
	g, l := &k.g, layoutOf(&k.g)
	channels := len(k.w) / (g.O * g.KH * g.KW)
	plane, taps := g.OutH*g.OutW, g.KH*g.KW
	margin := 0
	for tap := range taps {
		margin = max(margin, l.input(0, tap/g.KW, tap%g.KW)%l.phase)
	}
	stride := roundUp(margin + l.phase)
	scratch := k.d.scratch(worker, g.O*stride+l.extent())
	grads, image := scratch[:g.O*stride], scratch[g.O*stride:]
	clear(grads)
	c := &k.d.perWorker[worker]
	for item := lo; item < hi; item++ {
		c.begin()
		for o := range g.O {
			l.spread(k.dy[(item*g.O+o)*plane:][:plane], grads[o*stride+margin:])
			for tap, v := range k.w[(item%channels*g.O+o)*taps:][:taps] {
				in := l.input(0, tap/g.KW, tap%g.KW)
				c.add(in/l.phase, o*stride+margin-in%l.phase, v)
			}
		}
		c.end(g.SH * g.SW)
		dx := k.dx[item*g.H*g.W:][:g.H*g.W]
		if l.inPlace {
			image = dx
		}
		c.combine(grads, image, l.phase, l.phase)
		if !l.inPlace {
			l.take(image, dx)
		}
	}
}

func (d *back) convBackwardWeightsDepthwise(o *gpu.ConvBackwardWeights) {
	k := depthwiseWeightsKernel{d, channelGeometry(o.G), o.G.N, slice(o.X), slice(o.DY), slice(o.DW)}
	launch(d, &d.kernels.depthwiseWeights, k, o.G.C, 1)
}

// depthwiseWeightsKernel does channels: a weight's gradient is the dot product of what it reads and the gradient of
// outputs with gaps, summed over images in float64.
type depthwiseWeightsKernel struct {
	d         *back
	g         gpu.ConvGeometry // of one
	images    int
	x, dy, dw []float32
}

func (k *depthwiseWeightsKernel) run(lo, hi, worker int) {
	g, l := &k.g, layoutOf(&k.g)
	channels := len(k.dw) / (g.O * g.KH * g.KW)
	plane, taps := g.OutH*g.OutW, g.KH*g.KW
	gaps := roundUp(l.length)
	scratch := k.d.scratch(worker, gaps+l.extent())
	clear(scratch)
	dy, image := scratch[:l.length], scratch[gaps:]
	var room [128]float64
	sums := room[:min(len(room), g.O*taps)]
	if len(sums) < g.O*taps {
		sums = make([]float64, g.O*taps)
	}
	for channel := lo; channel < hi; channel++ {
		clear(sums)
		for n := range k.images {
			item := n*channels + channel
			x := l.put(k.x[item*g.H*g.W:][:g.H*g.W], image)
			for o := range g.O {
				l.spread(k.dy[(item*g.O+o)*plane:][:plane], dy)
				for tap := range taps {
					sums[o*taps+tap] += dot32(x[l.input(0, tap/g.KW, tap%g.KW):][:l.length], dy)
				}
			}
		}
		for i, v := range sums {
			k.dw[channel*g.O*taps+i] += float32(v)
		}
	}
}
