package host

import "dns-tui/gpu"

// Depthwise convolutions of 3×3 by AVX-512 or NEON, of stride 1 or 2: a plane is copied between zeros, and a vector of
// outputs is nine sums of what lies around it. The gradient of inputs is one, too, of the gradient of outputs, spread
// apart for stride 2; the gradient of weights keeps nine sums of lanes in registers while a plane passes.
//
// The floor is that of depthwise.go: the input and the output read and written once.

// depthwise3 reports whether a convolution is one of these.
func depthwise3(k *productKey) bool {
	g := &k.g
	return has(vecDepthwise) && depthwise(k) && g.O == g.C && g.KH == 3 && g.KW == 3 && g.DH == 1 && g.DW == 1 &&
		g.SH == g.SW && (g.SH == 1 || g.SH == 2) && g.PH <= 2 && g.PW <= 2
}

// depthwisePlane is what a plane's outputs are made of. The assembler knows its offsets; steps are in bytes.
type depthwisePlane struct {
	x     *float32 // between zeros
	xStep int
	w     *float32
	y     *float32
	yStep int
	rows  int
	cols  int
	bias  float32
	_     float32
	sums  *float64 // of each tap and lane
}

// between is a plane between zeros.
type between struct {
	step, size int
	first      int // where the plane begins
}

// Of a block of 16 outputs of stride 2 the last reads so many elements beyond the plane, at most.
const beyond = 64

func newBetween(rows, cols, top, left int) between {
	step := ceil(cols, panel)*panel + panel
	return between{step, rows*step + beyond, top*step + left}
}

// nextPlane is where the plane of an item begins, or the first where it is not there.
func nextPlane(x []float32, item, plane int) *float32 {
	if at := item * plane; at < len(x) {
		return &x[at]
	}
	return &x[0]
}

func (d *back) convDepthwise3(o *gpu.Conv) {
	k := depthwise3Kernel{d, o.G, slice(o.X), slice(o.W), slice(o.B), slice(o.Y), o.Then}
	launch(d, &d.kernels.depthwise3, k, o.G.N*o.G.C, channelPiece(o.G))
}

// depthwise3Kernel does channels of images.
type depthwise3Kernel struct {
	d             *back
	g             *gpu.ConvGeometry
	x, w, bias, y []float32
	then          gpu.Rectifier
}

func (k *depthwise3Kernel) run(lo, hi, worker int) {
	g := k.g
	b := newBetween(g.H+2*g.PH, g.W+2*g.PW, g.PH, g.PW)
	x := k.d.scratch(worker, b.size)
	clear(x)
	t := &k.d.tiles[worker].plane
	for item := lo; item < hi; item++ {
		next := nextPlane(k.x, item+1, g.H*g.W)
		copyPlane(&k.x[item*g.H*g.W], 4*g.W, &x[b.first], 4*b.step, g.H, g.W, next, next)
		channel := item % g.C
		t.x, t.xStep, t.w = &x[0], 4*b.step, &k.w[channel*9]
		t.y, t.yStep, t.rows, t.cols = &k.y[item*g.OutH*g.OutW], 4*g.OutW, g.OutH, g.OutW
		if t.bias = 0; k.bias != nil {
			t.bias = k.bias[channel]
		}
		if g.SH == 1 {
			depthwiseSums(t)
		} else {
			depthwiseSums2(t)
		}
		rectified(k.y[item*g.OutH*g.OutW:][:g.OutH*g.OutW], k.then)
	}
}

func (d *back) convBackwardDataDepthwise3(o *gpu.ConvBackwardData) {
	k := depthwiseData3Kernel{d, o.G, slice(o.DY), slice(o.W), slice(o.DX)}
	launch(d, &d.kernels.depthwiseData3, k, o.G.N*o.G.C, channelPiece(o.G))
}

// depthwiseData3Kernel does channels of images.
type depthwiseData3Kernel struct {
	d         *back
	g         *gpu.ConvGeometry
	dy, w, dx []float32
}

func (k *depthwiseData3Kernel) run(lo, hi, worker int) {
	g := k.g
	b := newBetween(g.H+2, g.W+2, 2-g.PH, 2-g.PW)
	scratch := k.d.scratch(worker, b.size+panel)
	dy, w := scratch[:b.size], scratch[b.size:]
	clear(dy)
	t := &k.d.tiles[worker].plane
	for item := lo; item < hi; item++ {
		from := &k.dy[item*g.OutH*g.OutW]
		if g.SH == 1 {
			next := nextPlane(k.dy, item+1, g.OutH*g.OutW)
			copyPlane(from, 4*g.OutW, &dy[b.first], 4*b.step, g.OutH, g.OutW, next, next)
		} else {
			spreadPlane(from, 4*g.OutW, &dy[b.first], 8*b.step, g.OutH, g.OutW)
		}
		for tap, v := range k.w[item%g.C*9:][:9] {
			w[8-tap] = v
		}
		t.x, t.xStep, t.w, t.bias = &dy[0], 4*b.step, &w[0], 0
		t.y, t.yStep, t.rows, t.cols = &k.dx[item*g.H*g.W], 4*g.W, g.H, g.W
		depthwiseSums(t)
	}
}

func (d *back) convBackwardWeightsDepthwise3(o *gpu.ConvBackwardWeights) {
	k := depthwiseWeights3Kernel{d, o.G, slice(o.X), slice(o.DY), slice(o.DW)}
	launch(d, &d.kernels.depthwiseWeights3, k, o.G.C, 1)
}

// depthwiseWeights3Kernel does channels: sums over images are in float64.
type depthwiseWeights3Kernel struct {
	d         *back
	g         *gpu.ConvGeometry
	x, dy, dw []float32
}

func (k *depthwiseWeights3Kernel) run(lo, hi, worker int) {
	g := k.g
	b := newBetween(g.H+2*g.PH, g.W+2*g.PW, g.PH, g.PW)
	x := k.d.scratch(worker, b.size)
	clear(x)
	w := &k.d.tiles[worker]
	t := &w.plane
	for channel := lo; channel < hi; channel++ {
		clear(w.lanes[:])
		for n := range g.N {
			item := n*g.C + channel
			next := nextPlane(k.x, item+g.C, g.H*g.W)
			also := next
			if g.SH == 1 {
				also = nextPlane(k.dy, item+g.C, g.OutH*g.OutW)
			}
			copyPlane(&k.x[item*g.H*g.W], 4*g.W, &x[b.first], 4*b.step, g.H, g.W, next, also)
			t.x, t.xStep, t.sums = &x[0], 4*b.step, &w.lanes[0]
			t.y, t.yStep, t.rows, t.cols = &k.dy[item*g.OutH*g.OutW], 4*g.OutW, g.OutH, g.OutW
			if g.SH == 1 {
				depthwiseDots(t)
			} else {
				depthwiseDots2(t)
			}
		}
		for tap := range 9 {
			var sum float64
			for _, v := range w.lanes[tap*16:][:16] {
				sum += v
			}
			k.dw[channel*9+tap] += float32(sum)
		}
	}
}
