package host

import (
	"slices"
	"unsafe"

	"gonum.org/v1/gonum/blas/gonum"

	"dns-tui/gpu"
)

// Weight gradients of kept entries alone: one dot product for each, of vectors that lie in one piece. A dense product
// multiplies some ten times faster, and looks for nothing, so it is better where much is kept.

// crossover is the fraction kept up to which dot products are faster than a dense product, for the convolutions of
// LeNet-5 and AlexNet (BenchmarkKeptOnly: 0.2 to 0.3). Where they are short, looking for the next entry that is kept
// takes longer than they do: for inner products it is length/short (0.01 for 16 images, 0.03 for 64, 0.06 for 256).
const (
	crossover = 0.2
	short     = 3200
)

// dot is the inner product of two vectors of one length. Its sum is made in an order that depends on where y lies
// modulo 16 bytes; so y is scratch memory that begins on such a boundary, and the same operands have the same sum.
func dot(x, y []float32) float32 { return gonum.Implementation{}.Sdot(len(y), x, 1, y, 1) }

// wholeVectors is what vectors in scratch memory are rounded up to: dot has no rest to do then, and they begin on a
// boundary of 16 bytes.
const wholeVectors = 16

func roundUp(n int) int { return (n + wholeVectors - 1) / wholeVectors * wholeVectors }

// room returns n elements of scratch memory, which grows now and then.
func room[T any](scratch *[]T, n int) []T {
	*scratch = slices.Grow((*scratch)[:0], n)[:n]
	return *scratch
}

// nextKept returns the first position from i on whose entry is kept, or len(m). Eight pruned entries are passed over at
// once: mostly there are hundreds between two that are kept, and looking for these is most of the work.
func nextKept(m []float32, i int) int {
	for i+8 <= len(m) && allPruned((*[8]float32)(m[i:])) {
		i += 8
	}
	for i < len(m) && gpu.IsPruned(m[i]) {
		i++
	}
	return i
}

// allPruned reports whether none of eight entries is kept.
func allPruned(m *[8]float32) bool {
	const pruned = 1<<63 | 1<<31 // two entries
	v := (*[4]uint64)(unsafe.Pointer(m))
	return (v[0]^pruned)|(v[1]^pruned)|(v[2]^pruned)|(v[3]^pruned) == 0
}

// sparse reports whether at most limit of m is kept, by a sample of it that depends on its length alone.
func sparse(m []float32, limit float64) bool {
	const samples, length = 256, 64
	kept, of := 0, min(len(m), samples*length)
	if of == len(m) {
		kept = countKept(m)
	} else {
		for i := range uint32(samples) {
			// Multiples of the golden ratio, modulo 1, are spread evenly, and meet no period of a matrix.
			at := uint64(i*0x9e3779b9) * uint64(len(m)-length) >> 32
			kept += countKept(m[at : at+length])
		}
	}
	return float64(kept) <= limit*float64(of)
}

func countKept(m []float32) int {
	n := 0
	for _, v := range m {
		n += int(bit(!gpu.IsPruned(v)))
	}
	return n
}

// gemmKept does o for the kept entries of C. Its floor is to read kept once, 4·m·n bytes, and 2·k operations and 8·k
// bytes from caches for each entry that is kept.
func (d *back) gemmKept(o *gpu.Gemm) {
	k := roundUp(o.K)
	packed := room(&d.packed, (o.M+o.N)*k)
	a, b := packed[:o.M*k], packed[o.M*k:]
	pack := func(x *gpu.Tensor, apart bool, n int, y []float32) {
		launch(d, &d.kernels.pack, packKernel{slice(x), y, apart, n, o.K}, n, max(8, grain/8/k))
	}
	pack(o.A, o.TransA, o.M, a)
	pack(o.B, !o.TransB, o.N, b)
	launch(d, &d.kernels.gemmKept, gemmKeptKernel{
		n: o.N, k: k, alpha: o.Alpha, beta: o.Beta, a: a, b: b, kept: slice(o.Kept), c: slice(o.C),
	}, o.M, max(1, grain/o.N))
}

// packKernel writes n vectors of x, of k elements, each in one piece to y, and zeros behind it up to whole vectors.
// Where apart is set the elements of a vector are n apart in x, which is then k×n.
type packKernel struct {
	x, y  []float32
	apart bool
	n, k  int
}

func (p *packKernel) run(lo, hi, _ int) {
	length := roundUp(p.k)
	y := p.y[lo*length : hi*length]
	if !p.apart {
		for i := range hi - lo {
			v := y[i*length:][:length]
			clear(v[copy(v, p.x[(lo+i)*p.k:][:p.k]):])
		}
		return
	}
	at := 0
	for ; at+8 <= p.k; at += 8 { // eight rows of x at once: a whole piece of each vector
		var r [8][]float32
		for i := range r {
			r[i] = p.x[(at+i)*p.n+lo:][:hi-lo]
		}
		r0, r1, r2, r3, r4, r5, r6, r7 := r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
		r1, r2, r3, r4 = r1[:len(r0)], r2[:len(r0)], r3[:len(r0)], r4[:len(r0)]
		r5, r6, r7 = r5[:len(r0)], r6[:len(r0)], r7[:len(r0)]
		for i := range r0 {
			v := (*[8]float32)(y[i*length+at:])
			v[0], v[1], v[2], v[3] = r0[i], r1[i], r2[i], r3[i]
			v[4], v[5], v[6], v[7] = r4[i], r5[i], r6[i], r7[i]
		}
	}
	for ; at < length; at++ {
		for i := range hi - lo {
			v := float32(0)
			if at < p.k {
				v = p.x[at*p.n+lo+i]
			}
			y[i*length+at] = v
		}
	}
}

// gemmKeptKernel does rows of C. a and b have the rows of op(A) and the columns of op(B), k elements of each.
type gemmKeptKernel struct {
	n, k          int
	alpha, beta   float32
	a, b, kept, c []float32
}

func (p *gemmKeptKernel) run(lo, hi, _ int) {
	for i := lo; i < hi; i++ {
		a, kept, c := p.a[i*p.k:][:p.k], p.kept[i*p.n:][:p.n], p.c[i*p.n:][:p.n]
		for j := nextKept(kept, 0); j < len(kept); j = nextKept(kept, j+1) {
			v := p.alpha * dot(a, p.b[j*p.k:][:p.k])
			if p.beta != 0 {
				v += p.beta * c[j]
			}
			c[j] = v
		}
	}
}

// keptTaps are the kept weights of a convolution.
type keptTaps struct {
	starts []int // of each output channel's weights in taps, and the end
	taps   []keptTap
}

// keptTap is a kept weight: its position among all weights, and where its first input is in an image that is laid out.
type keptTap struct{ weight, input int }

// find finds them in forward weights.
func (t *keptTaps) find(l *layout, kept []float32) {
	g := l.g
	s := sizesOf(g)
	starts, taps := room(&t.starts, g.O+1), t.taps[:0]
	for o := range g.O {
		starts[o] = len(taps)
		channel := o / s.outPerGroup * (g.C / g.Groups) // the group's first
		w := kept[o*s.rows:][:s.rows]
		for i := nextKept(w, 0); i < len(w); i = nextKept(w, i+1) {
			taps = append(taps, keptTap{o*s.rows + i, l.input(channel+i/(g.KH*g.KW), i%(g.KH*g.KW)/g.KW, i%g.KW)})
		}
	}
	starts[g.O], t.taps = len(taps), taps
}

// layout is an image in which the inputs of a weight lie in one piece: padded, and where it is read with strides cut
// into phases. A phase has the places (h, w) of the same remainders by the strides; so a weight reads a part of one
// phase, element by element. The gradient of outputs is given gaps, so that its rows are as far apart as those of a
// phase, and a weight's gradient is the dot product of the two.
type layout struct {
	g             *gpu.ConvGeometry
	height, width int  // of a phase
	phase, plane  int  // elements of a phase and of a channel
	length        int  // of the gradient with its gaps
	inPlace       bool // the image is laid out as it is
}

func layoutOf(g *gpu.ConvGeometry) layout {
	l := layout{g: g, height: (g.H + 2*g.PH + g.SH - 1) / g.SH, width: (g.W + 2*g.PW + g.SW - 1) / g.SW}
	l.phase = l.height * l.width
	l.plane = l.phase * g.SH * g.SW
	l.length = (g.OutH-1)*l.width + g.OutW
	l.inPlace = g.SH == 1 && g.SW == 1 && g.PH == 0 && g.PW == 0
	return l
}

// at is where the place (h, w) of a channel is, counted from the padding's corner.
func (l *layout) at(channel, h, w int) int {
	g := l.g
	return channel*l.plane + (h%g.SH*g.SW+w%g.SW)*l.phase + h/g.SH*l.width + w/g.SW
}

// input is where the first input of the weight (kh, kw) of a channel is.
func (l *layout) input(channel, kh, kw int) int { return l.at(channel, kh*l.g.DH, kw*l.g.DW) }

// put lays an image out in y, which is zero in the padding, and returns it.
func (l *layout) put(x, y []float32) []float32 {
	if l.inPlace {
		return x
	}
	g := l.g
	for c := range g.C {
		for h := range g.H {
			row := x[(c*g.H+h)*g.W:][:g.W]
			if g.SW == 1 {
				copyRow(y[l.at(c, h+g.PH, g.PW):][:g.W], row)
				continue
			}
			for w, v := range row {
				y[l.at(c, h+g.PH, w+g.PW)] = v
			}
		}
	}
	return y
}

// spread writes the gradient of an output channel to y, which is zero in the gaps.
func (l *layout) spread(dy, y []float32) {
	for h := range l.g.OutH {
		copyRow(y[h*l.width:][:l.g.OutW], dy[h*l.g.OutW:])
	}
}

// convBackwardKept adds the gradients of kept weights to dw. As convBackwardWeights does, it cuts the images into runs
// that are summed apart. Its floor is to read kept once, and for each image and kept weight 2·places operations and
// 8·places bytes from the first cache.
func (d *back) convBackwardKept(o *gpu.ConvBackwardWeights) {
	l := layoutOf(o.G)
	d.taps.find(&l, slice(o.Kept))
	n := len(d.taps.taps)
	if n == 0 {
		return
	}
	perRun, runs := runsOf(o.G.N, 16)
	grads := room(&d.grads, runs*n)
	k := convBackwardKeptKernel{d, l, slice(o.X), slice(o.DY), grads, perRun}
	launch(d, &d.kernels.convBackwardKept, k, runs, 1)
	launch(d, &d.kernels.addTaps, addTapsKernel{d.taps.taps, grads, slice(o.DW), runs}, n, grain/16)
}

// convBackwardKeptKernel does runs of images.
type convBackwardKeptKernel struct {
	d            *back
	l            layout
	x, dy, grads []float32 // grads has the gradients of d.taps of each run
	perRun       int
}

func (k *convBackwardKeptKernel) run(lo, hi, worker int) {
	g, l, t := k.l.g, &k.l, &k.d.taps
	s, images := sizesOf(g), 0
	if !l.inPlace {
		images = g.C * l.plane
	}
	gaps := roundUp(l.length)
	scratch := k.d.scratch(worker, gaps+images)
	clear(scratch)
	y, image := scratch[:l.length], scratch[gaps:]
	for run := lo; run < hi; run++ {
		grads := k.grads[run*len(t.taps):][:len(t.taps)]
		clear(grads)
		for n := run * k.perRun; n < min((run+1)*k.perRun, g.N); n++ {
			x, dy := l.put(k.x[n*s.in:][:s.in], image), k.dy[n*s.out:][:s.out]
			for o := range g.O {
				first, end := t.starts[o], t.starts[o+1]
				if first == end {
					continue
				}
				l.spread(dy[o*s.cols:][:s.cols], y)
				for i, tap := range t.taps[first:end] {
					grads[first+i] += dot(x[tap.input:], y)
				}
			}
		}
	}
}

// addTapsKernel adds the gradients of the runs to dw, in their order.
type addTapsKernel struct {
	taps      []keptTap
	grads, dw []float32
	runs      int
}

func (k *addTapsKernel) run(lo, hi, _ int) {
	for i := lo; i < hi; i++ {
		v := &k.dw[k.taps[i].weight]
		for run := range k.runs {
			*v += k.grads[run*len(k.taps)+i]
		}
	}
}
