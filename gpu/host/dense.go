package host

import "dns-tui/gpu"

func (d *back) gemm(o *gpu.Gemm) {
	if o.Kept != nil {
		var adds []float32
		if o.Beta != 0 {
			adds = slice(o.C)
		}
		key := productKey{what: "gradient of kept weights", m: o.M, n: o.N, k: o.K, transB: o.TransB}
		pick(d, key, slice(o.Kept), productCrossover(o.K), o, d.gemmKept, d.gemmDense, adds)
		return
	}
	plain := !o.TransA && o.Alpha == 1 && o.Beta == 0
	if w := d.prepared(o.B); w != nil && o.Pruned && plain {
		bias, then := o.Bias, o.Then
		o.Bias, o.Then = nil, gpu.Rectifier{}
		w.product(d, o)
		o.Bias, o.Then = bias, then
		d.finish(o)
		return
	}
	if o.Pruned && plain && (o.TransB || o.B.N <= inCaches) {
		key := productKey{what: "product", m: o.M, n: o.N, k: o.K, transB: o.TransB}
		pick(d, key, slice(o.B), productCrossover(o.M), o, d.gemmPruned, d.gemmDense, nil)
		return
	}
	d.gemmDense(o)
}

// denseProduct is what the keys of products say whose A is not transposed.
const denseProduct = "dense product"

// gemmDense does a product of all entries.
func (d *back) gemmDense(o *gpu.Gemm) {
	if !canTile(o) {
		d.gemmBLAS(o)
		return
	}
	key := productKey{what: denseProduct, m: o.M, n: o.N, k: o.K, transB: o.TransB}
	if o.TransA {
		key.what = "dense product, A transposed"
	}
	var adds []float32
	if o.Beta != 0 {
		adds = slice(o.C)
	}
	choose(d, key, d.convolutions.products, o, adds)
}

func (d *back) gemmBLAS(o *gpu.Gemm) {
	k := gemmKernel{
		blas: d.blas, transA: o.TransA, transB: o.TransB, m: o.M, n: o.N, k: o.K, lda: o.K, ldb: o.N,
		alpha: o.Alpha, beta: o.Beta, a: slice(o.A), b: slice(o.B), c: slice(o.C), byRows: o.M > o.N,
		ends: ends{slice(o.Bias), o.Then},
	}
	if o.TransA {
		k.lda = o.M
	}
	if o.TransB {
		k.ldb = o.K
	}
	long := max(o.M, o.N)
	launch(d, &d.kernels.gemm, k, long, gemmTile(long, min(o.M, o.N)*o.K))
}

// gemmTile cuts the longer side of C into pieces of some 2 million multiplications, at most 16 and a multiple of
// 16 wide: enough to divide among the threads, few enough that packing the other operand again does not show.
func gemmTile(long, perItem int) int {
	const worth = 2 << 20
	tile := max(worth/max(perItem, 1), (long+15)/16, 1)
	return min((tile+15)/16*16, max(long, 1))
}

// gemmKernel does rows of C where byRows is set, else columns.
type gemmKernel struct {
	blas              multiplier
	transA, transB    bool
	m, n, k, lda, ldb int
	alpha, beta       float32
	a, b, c           []float32
	byRows            bool
	ends              ends
}

func (p *gemmKernel) run(lo, hi, worker int) {
	a, b, c, m, n, first := p.a, p.b, p.c, p.m, p.n, 0
	if p.byRows {
		if m = hi - lo; p.transA {
			a = a[lo:]
		} else {
			a = a[lo*p.lda:]
		}
		c = c[lo*p.n:]
	} else {
		if n = hi - lo; p.transB {
			b = b[lo*p.ldb:]
		} else {
			b = b[lo:]
		}
		c, first = c[lo:], lo
	}
	p.blas.gemm(worker, p.transA, p.transB, m, n, p.k, p.alpha, a, p.lda, b, p.ldb, p.beta, c, p.n)
	p.ends.do(c, p.n, m, first, n)
}
