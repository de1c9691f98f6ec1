package host

import "dns-tui/gpu"

// Products with forward weights of which little is kept: what is pruned is left out. The gradients of kept weights are
// in kept.go, convolutions in sparseconv.go.

// convBackwardDataPruned is convBackwardData of kept weights alone. A phase of an input's channel (see layout) is the
// sum of gradients of outputs, each moved by where its weight reads, with zeros around it.
func (d *back) convBackwardDataPruned(o *gpu.ConvBackwardData) {
	g, l := o.G, layoutOf(o.G)
	s, w, c := sizesOf(g), slice(o.W), &d.combinations
	margin := 0
	for kh := range g.KH {
		for kw := range g.KW {
			margin = max(margin, l.input(0, kh, kw)%l.phase)
		}
	}
	stride := roundUp(margin + l.phase)
	c.begin()
	for at := nextKept(w, 0); at < len(w); at = nextKept(w, at+1) {
		in := l.input(l.tap(&s, at))
		c.add(in/l.phase, at/s.rows*stride+margin-in%l.phase, w[at])
	}
	c.end(g.C * g.SH * g.SW)
	k := convBackwardDataPrunedKernel{d, l, slice(o.DY), slice(o.DX), margin, stride}
	launch(d, &d.kernels.convBackwardDataPruned, k, g.N, 1)
}

// convBackwardDataPrunedKernel does images.
type convBackwardDataPrunedKernel struct {
	d              *back
	l              layout
	dy, dx         []float32
	margin, stride int // of the gradient of an output channel
}

func (k *convBackwardDataPrunedKernel) run(lo, hi, worker int) {
	g, l := k.l.g, &k.l
	s := sizesOf(g)
	scratch := k.d.scratch(worker, g.O*k.stride+l.extent())
	grads, image := scratch[:g.O*k.stride], scratch[g.O*k.stride:]
	clear(grads)
	for n := lo; n < hi; n++ {
		for o := range g.O {
			l.spread(k.dy[n*s.out+o*s.cols:][:s.cols], grads[o*k.stride+k.margin:])
		}
		dx := k.dx[n*s.in:][:s.in]
		if l.inPlace {
			image = dx
		}
		k.d.combinations.combine(grads, image, l.phase, l.phase)
		if !l.inPlace {
			l.take(image, dx)
		}
	}
}

// gemmPruned is C = A·op(B) of the entries of B that are kept. It works on columns of A and C. Its floor is to read b
// once, 4·k·n bytes, and 2·m operations and 4·m bytes from caches for each entry that is kept.
func (d *back) gemmPruned(o *gpu.Gemm) {
	m := roundUp(o.M)
	columns := room(&d.packed, o.K*m)
	launch(d, &d.kernels.pack, packKernel{slice(o.A), columns, true, o.K, o.M}, o.K, max(8, grain/8/m))
	k := gemmPrunedKernel{d, o.TransB, o.M, o.N, o.K, columns, slice(o.B), slice(o.C)}
	least := 8
	if !o.TransB {
		least = max(128, (o.N+15)/16) // long pieces of the rows of B
	}
	launch(d, &d.kernels.gemmPruned, k, o.N, max(least, grain/o.K))
	d.finish(o)
}

// gemmPrunedKernel does columns of C.
type gemmPrunedKernel struct {
	d       *back
	transB  bool
	m, n, k int
	columns []float32 // of A, each in whole vectors
	b, c    []float32
}

func (k *gemmPrunedKernel) run(lo, hi, worker int) {
	m, c := roundUp(k.m), &k.d.perWorker[worker]
	c.begin()
	if k.transB {
		w := k.b[lo*k.k : hi*k.k]
		for at := nextKept(w, 0); at < len(w); at = nextKept(w, at+1) {
			c.add(at/k.k, at%k.k*m, w[at])
		}
	} else {
		for i := range k.k {
			w := k.b[i*k.n+lo : i*k.n+hi]
			for j := nextKept(w, 0); j < len(w); j = nextKept(w, j+1) {
				c.add(j, i*m, w[j])
			}
		}
	}
	c.end(hi - lo)
	y := k.d.scratch(worker, (hi-lo)*m)
	c.combine(k.columns, y, m, m)
	transpose(k.c[lo:], k.n, y, m, hi-lo, k.m)
}
