package host

import "dns-tui/gpu"

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
	transpose(y, length, p.x[lo:], p.n, p.k, hi-lo)
	for i := range hi - lo {
		clear(y[i*length+p.k:][:length-p.k])
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
			v := float32(p.alpha * dot(a, p.b[j*p.k:][:p.k]))
			if p.beta != 0 {
				v += float32(p.beta * c[j])
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
		w := kept[:(o+1)*s.rows]
		for i := nextKept(w, o*s.rows); i < len(w); i = nextKept(w, i+1) {
			taps = append(taps, keptTap{i, l.input(l.tap(&s, i))})
		}
	}
	starts[g.O], t.taps = len(taps), taps
}

// convBackwardKept adds the gradients of kept weights to dw. As convBackwardAll does, it cuts the images into runs
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
	s := sizesOf(g)
	gaps := roundUp(l.length)
	scratch := k.d.scratch(worker, gaps+l.extent())
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
