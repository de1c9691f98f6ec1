package host

// Products with weights of which little is kept are linear combinations: each vector of the result, of some length, is
// the sum of a few vectors of one operand times a kept weight each.

// term is a kept weight and where the vector begins that it multiplies.
type term struct {
	at     int32
	weight float32
}

// combinations are the terms of the vectors of a result.
type combinations struct {
	starts []int // of each vector's terms, and the end
	terms  []term
	reach  int // the largest at

	vectors []int  // of the result, to which terms were added
	added   []term // in this order
	sorted  bool   // by vectors
	byCount []term // room for terms that are sorted
}

func (c *combinations) begin() {
	c.vectors, c.added, c.sorted, c.reach = c.vectors[:0], c.added[:0], true, 0
}

func (c *combinations) add(vector, at int, weight float32) {
	if n := len(c.vectors); n > 0 && vector < c.vectors[n-1] {
		c.sorted = false
	}
	c.vectors, c.added = append(c.vectors, vector), append(c.added, term{int32(at), weight})
	c.reach = max(c.reach, at)
}

// end sorts what was added by the n vectors; the terms of each stay in their order.
func (c *combinations) end(n int) {
	starts := room(&c.starts, n+1)
	clear(starts)
	for _, v := range c.vectors {
		starts[v+1]++
	}
	for i := range n {
		starts[i+1] += starts[i]
	}
	if c.terms = c.added; c.sorted {
		return
	}
	c.terms = room(&c.byCount, len(c.added))
	for i, v := range c.vectors {
		c.terms[starts[v]] = c.added[i]
		starts[v]++
	}
	copy(starts[1:], starts) // each had moved to where the next begins
	starts[0] = 0
}

// strip is how many elements of all vectors are made before the next: what is read for them stays in the caches.
const strip = 512

// combine writes vectors of length elements, stride apart, to y: the sums of their terms, in their order. Each product
// and each sum is rounded to a float32, so results have the same bits on every processor.
func (c *combinations) combine(x, y []float32, stride, length int) {
	if len(c.terms) > 0 {
		_ = x[:c.reach+length] // no kernel reads beyond it
	}
	for lo := 0; lo < length; lo += strip {
		hi := min(lo+strip, length)
		x := x[min(lo, len(x)):] // where there are no terms x may be empty: nothing is read
		for v := range len(c.starts) - 1 {
			combine(c.terms[c.starts[v]:c.starts[v+1]], x, y[v*stride+lo:v*stride+hi], 0)
		}
	}
}

// combine sets y[i] to the sum of weight·x[at+i] over terms, in their order, plus last.
func combine(terms []term, x, y []float32, last float32) {
	done := combineVectors(terms, x, y, last)
	if y = y[done:]; len(y) == 0 {
		return
	}
	clear(y)
	for _, t := range terms {
		x := x[int(t.at)+done:][:len(y)]
		for i, v := range x {
			y[i] += float32(t.weight * v)
		}
	}
	if last != 0 {
		for i := range y {
			y[i] += last
		}
	}
}

// transpose writes the columns of x, rows×columns, as rows of y. Rows are so many elements apart.
func transpose(y []float32, yStride int, x []float32, xStride, rows, columns int) {
	at := 0
	for ; at+8 <= rows; at += 8 { // eight rows of x at once: a whole piece of each row of y
		var r [8][]float32
		for i := range r {
			r[i] = x[(at+i)*xStride:][:columns]
		}
		r0, r1, r2, r3, r4, r5, r6, r7 := r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
		r1, r2, r3, r4 = r1[:len(r0)], r2[:len(r0)], r3[:len(r0)], r4[:len(r0)]
		r5, r6, r7 = r5[:len(r0)], r6[:len(r0)], r7[:len(r0)]
		for i := range r0 {
			v := (*[8]float32)(y[i*yStride+at:])
			v[0], v[1], v[2], v[3] = r0[i], r1[i], r2[i], r3[i]
			v[4], v[5], v[6], v[7] = r4[i], r5[i], r6[i], r7[i]
		}
	}
	for ; at < rows; at++ {
		for i := range columns {
			y[i*yStride+at] = x[at*xStride+i]
		}
	}
}
