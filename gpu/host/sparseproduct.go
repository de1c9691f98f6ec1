package host

import (
	"math"

	"dns-tui/gpu"
)

// sparseProducts are the ways of C = A·op(B) that leave out where B, prepared weights, is zero. The rows of A are the
// examples of a batch, those of C their outputs.
func sparseProducts(d *back, o *gpu.Gemm) []way[*gpu.Gemm] {
	const (
		wholeBatch = 8  // examples from which on vectors may run along the batch
		examples   = 32 // up to which it may be one example after the other
	)
	var ways []way[*gpu.Gemm]
	if o.K <= math.MaxUint16+1 && o.M <= examples {
		ways = append(ways, way[*gpu.Gemm]{"sparse, CSR", newSparseRows(d, o).do})
	}
	if o.M < wholeBatch {
		ways = append(ways, way[*gpu.Gemm]{"sparse, CSC without zero inputs", newSparseColumns(d, o).do})
	} else {
		ways = append(ways, way[*gpu.Gemm]{"sparse, along the batch", newSparseBatch(d, o).do})
	}
	return ways
}

// eachWeight calls f with the weights of op(B) that are not zero, output by output, its inputs ascending.
func eachWeight(o *gpu.Gemm, f func(output, input int, v float32)) {
	w := slice(o.B)
	for n := range o.N {
		for k := range o.K {
			at := k*o.N + n
			if o.TransB {
				at = n*o.K + k
			}
			if v := w[at]; v != 0 {
				f(n, k, v)
			}
		}
	}
}

// weightRows are weights in compressed sparse rows (CSR): of each output the inputs, and the weights.
type weightRows struct {
	starts []uint32 // of each row, and the end
	inputs []uint16
	values []float32
}

// sparseRows does a product output by output: the sum over its weights of weight times input. An output's sum is made
// in sixteen parts, whose order is the same on every processor.
//
// Its floor is to read 6 bytes a weight, and 2 operations and 3 loads: that of the weight, its input's number, and the
// input.
type sparseRows struct {
	d *back
	n int // outputs
	k int // inputs
	w weightRows
}

func newSparseRows(d *back, o *gpu.Gemm) *sparseRows {
	r := &sparseRows{d: d, n: o.N, k: o.K, w: weightRows{starts: make([]uint32, o.N+1)}}
	eachWeight(o, func(output, input int, v float32) {
		r.w.inputs, r.w.values = append(r.w.inputs, uint16(input)), append(r.w.values, v)
		r.w.starts[output+1]++
	})
	for i := range o.N {
		r.w.starts[i+1] += r.w.starts[i]
	}
	return r
}

func (r *sparseRows) do(o *gpu.Gemm) {
	const least = 1 << 16 // weights worth waking a thread, some 20 µs
	work := max(1, len(r.w.values)*o.M/max(1, r.n))
	launch(r.d, &r.d.kernels.rows, rowsKernel{r, slice(o.A), slice(o.C), o.M}, r.n, max(8, least/work))
}

// rowsKernel does outputs, of all examples.
type rowsKernel struct {
	r        *sparseRows
	x, y     []float32
	examples int
}

func (k *rowsKernel) run(lo, hi, _ int) {
	r := k.r
	for m := range k.examples {
		r.w.multiply(lo, hi, k.x[m*r.k:][:r.k], k.y[m*r.n:][:r.n])
	}
}

// multiply sets outputs lo to hi of y.
func (w *weightRows) multiply(lo, hi int, x, y []float32) {
	if rowsVectors(w, lo, hi, x, y) {
		return
	}
	for o := lo; o < hi; o++ {
		from, to := w.starts[o], w.starts[o+1]
		y[o] = gatherDot(w.inputs[from:to], w.values[from:to], x)
	}
}

// gatherDot is the sum of values[i]·x[inputs[i]], in the order in which vectors make it: each product and each sum is
// rounded.
func gatherDot(inputs []uint16, values, x []float32) float32 {
	var parts [16]float32
	i := 0
	for ; i+16 <= len(inputs); i += 16 {
		for j := range parts {
			parts[j] += float32(values[i+j] * x[inputs[i+j]])
		}
	}
	if i+8 <= len(inputs) {
		for j := range 8 {
			parts[j] += float32(values[i+j] * x[inputs[i+j]])
		}
		i += 8
	}
	var rest float32
	for ; i < len(inputs); i++ {
		rest += float32(values[i] * x[inputs[i]])
	}
	for n := 8; n > 0; n /= 2 {
		for j := range n {
			parts[j] += parts[j+n]
		}
	}
	return parts[0] + rest
}

// sparseColumns does a product input by input, and passes over inputs that are zero, as behind a ReLU many are: it is
// sparse on both sides. Outputs are cut into pieces, each of which has its weights in compressed sparse columns (CSC).
//
// Its floor is to read 6 bytes for each weight of an input that is not zero, and 2 operations, 3 loads and a store.
type sparseColumns struct {
	d       *back
	n, k    int
	pieces  []weightColumns
	outputs int // of a piece, but for the last
}

type weightColumns struct {
	starts  []uint32 // of each input's weights, and the end
	outputs []uint16 // of the piece
	values  []float32
}

func newSparseColumns(d *back, o *gpu.Gemm) *sparseColumns {
	const outputs = 512
	c := &sparseColumns{d: d, n: o.N, k: o.K, outputs: outputs, pieces: make([]weightColumns, (o.N+outputs-1)/outputs)}
	for i := range c.pieces {
		c.pieces[i].starts = make([]uint32, o.K+2)
	}
	eachWeight(o, func(output, input int, _ float32) { c.pieces[output/outputs].starts[input+2]++ })
	for i := range c.pieces {
		p := &c.pieces[i]
		for j := range o.K {
			p.starts[j+2] += p.starts[j+1]
		}
		n := p.starts[o.K+1]
		p.outputs, p.values = make([]uint16, n), make([]float32, n)
	}
	eachWeight(o, func(output, input int, v float32) { // starts[input+1] moves to where the next input begins
		p := &c.pieces[output/outputs]
		at := p.starts[input+1]
		p.outputs[at], p.values[at] = uint16(output%outputs), v
		p.starts[input+1]++
	})
	return c
}

func (c *sparseColumns) do(o *gpu.Gemm) {
	launch(c.d, &c.d.kernels.columns, columnsKernel{c, slice(o.A), slice(o.C), o.M}, len(c.pieces), 1)
}

// columnsKernel does pieces of the outputs, of all examples.
type columnsKernel struct {
	c        *sparseColumns
	x, y     []float32
	examples int
}

func (k *columnsKernel) run(lo, hi, _ int) {
	c := k.c
	for i := lo; i < hi; i++ {
		p := &c.pieces[i]
		for m := range k.examples {
			y := k.y[m*c.n+i*c.outputs : m*c.n+min((i+1)*c.outputs, c.n)]
			clear(y)
			for j, x := range k.x[m*c.k:][:c.k] {
				if x == 0 {
					continue
				}
				from, to := p.starts[j], p.starts[j+1]
				outputs := p.outputs[from:to]
				for t, v := range p.values[from:to] {
					y[outputs[t]] += float32(v * x)
				}
			}
		}
	}
}

// sparseBatch does a product with vectors that run along the batch, as gemmPruned does, with all that depends on the
// weights found once. Inputs that nothing reads are not looked at.
//
// Its floor is 2 operations and 4 bytes from caches for each weight and example, and to read those inputs and write the
// outputs once.
type sparseBatch struct {
	d       *back
	n, k    int
	used    []int // inputs that are read
	outputs int   // of a piece, but for the last
	pieces  []combinations
}

func newSparseBatch(d *back, o *gpu.Gemm) *sparseBatch {
	b := &sparseBatch{d: d, n: o.N, k: o.K}
	count, place := make([]int, o.K), make([]int, o.K)
	kept := 0
	eachWeight(o, func(_, input int, _ float32) { count[input]++; kept++ })
	for i, n := range count {
		if n > 0 {
			place[i] = len(b.used)
			b.used = append(b.used, i)
		}
	}
	const least, pieces = 1 << 14, 16
	b.outputs = max(8, (o.N+pieces-1)/pieces, least/max(1, kept*o.M/max(1, o.N)))
	b.pieces = make([]combinations, (o.N+b.outputs-1)/b.outputs)
	m := roundUp(o.M)
	for i := range b.pieces {
		b.pieces[i].begin()
	}
	eachWeight(o, func(output, input int, v float32) {
		b.pieces[output/b.outputs].add(output%b.outputs, place[input]*m, v)
	})
	for i := range b.pieces {
		b.pieces[i].end(min(b.outputs, o.N-i*b.outputs))
	}
	return b
}

func (b *sparseBatch) do(o *gpu.Gemm) {
	m := roundUp(o.M)
	columns := room(&b.d.packed, len(b.used)*m)
	if len(b.used) == b.k {
		launch(b.d, &b.d.kernels.pack, packKernel{slice(o.A), columns, true, o.K, o.M}, o.K, max(8, grain/8/m))
	} else {
		launch(b.d, &b.d.kernels.packUsed, packUsedKernel{b, slice(o.A), columns, o.M}, len(b.used), max(8, grain/8/m))
	}
	launch(b.d, &b.d.kernels.batch, batchKernel{b, columns, slice(o.C), o.M}, len(b.pieces), 1)
}

// packUsedKernel writes the examples' values of inputs that are read, each in whole vectors.
type packUsedKernel struct {
	b        *sparseBatch
	x, y     []float32
	examples int
}

func (k *packUsedKernel) run(lo, hi, _ int) {
	m, inputs := roundUp(k.examples), k.b.k
	at := 0
	for ; at+8 <= k.examples; at += 8 { // eight examples at once: a whole piece of each row of y
		x := k.x[at*inputs:]
		for i, input := range k.b.used[lo:hi] {
			v := (*[8]float32)(k.y[(lo+i)*m+at:])
			for j := range v {
				v[j] = x[j*inputs+input]
			}
		}
	}
	for i, input := range k.b.used[lo:hi] {
		y := k.y[(lo+i)*m:][:m]
		for j := at; j < k.examples; j++ {
			y[j] = k.x[j*inputs+input]
		}
		clear(y[k.examples:])
	}
}

// batchKernel does pieces of the outputs.
type batchKernel struct {
	b          *sparseBatch
	columns, c []float32
	examples   int
}

func (k *batchKernel) run(lo, hi, worker int) {
	b, m := k.b, roundUp(k.examples)
	for i := lo; i < hi; i++ {
		first := i * b.outputs
		n := min(b.outputs, b.n-first)
		y := b.d.scratch(worker, n*m)
		b.pieces[i].combine(k.columns, y, m, m)
		transpose(k.c[first:], b.n, y, m, n, k.examples)
	}
}
