package host

import (
	"math"

	"dns-tui/gpu"
)

// grain is the number of elements that an elementwise kernel handles at a time: 64 KiB an operand.
const grain = 1 << 14

// pieces is how many pieces of grain elements n elements make.
func pieces(n int) int { return (n + grain - 1) / grain }

func (d *back) fill(o *gpu.Fill) {
	launch(d, &d.kernels.fill, fillKernel{slice(o.Y), o.V}, o.Y.N, grain)
}

type fillKernel struct {
	y []float32
	v float32
}

func (k *fillKernel) run(lo, hi, _ int) {
	y := k.y[lo:hi]
	if k.v == 0 {
		clear(y)
		return
	}
	for i := range y {
		y[i] = k.v
	}
}

func (d *back) copy(o *gpu.Copy) {
	launch(d, &d.kernels.copy, copyKernel{slice(o.X), slice(o.Y)}, o.Y.N, grain)
}

type copyKernel struct{ x, y []float32 }

func (k *copyKernel) run(lo, hi, _ int) { copy(k.y[lo:hi], k.x[lo:hi]) }

func (d *back) axpby(o *gpu.Axpby) {
	launch(d, &d.kernels.axpby, axpbyKernel{slice(o.X), slice(o.Y), o.A, o.B}, o.Y.N, grain)
}

type axpbyKernel struct {
	x, y []float32
	a, b float32
}

func (k *axpbyKernel) run(lo, hi, _ int) {
	x, y, a, b := k.x[lo:hi], k.y[lo:hi], k.a, k.b
	done := axpbyVectors(x, y, a, b)
	if x, y = x[done:], y[done:]; b == 0 {
		for i, v := range x {
			y[i] = a * v
		}
		return
	}
	for i, v := range x {
		y[i] = float32(a*v) + float32(b*y[i]) // rounded, as vectors do
	}
}

func (d *back) add(o *gpu.Add) {
	launch(d, &d.kernels.add, addKernel{slice(o.X), slice(o.Y), slice(o.Z), o.A, o.B, o.Then}, o.Z.N, grain)
}

type addKernel struct {
	x, y, z []float32
	a, b    float32
	then    gpu.Rectifier
}

func (k *addKernel) run(lo, hi, _ int) {
	const together = 2048 // that stay in the first cache
	for ; lo < hi; lo += together {
		end := min(hi, lo+together)
		x, y, z, a, b := k.x[lo:end], k.y[lo:end], k.z[lo:end], k.a, k.b
		for i := weightedVectors(x, y, z, a, b); i < len(z); i++ {
			z[i] = float32(a*x[i]) + float32(b*y[i])
		}
		rectified(z, k.then)
	}
}

func (d *back) mul(o *gpu.Mul) {
	launch(d, &d.kernels.mul, mulKernel{slice(o.X), slice(o.Y), slice(o.Z)}, o.Z.N, grain)
}

type mulKernel struct{ x, y, z []float32 }

func (k *mulKernel) run(lo, hi, _ int) {
	x, y, z := k.x[lo:hi], k.y[lo:hi], k.z[lo:hi]
	for i := mulVectors(x, y, z); i < len(z); i++ {
		z[i] = x[i] * y[i]
	}
}

func (d *back) maxUpdate(o *gpu.MaxUpdate) {
	launch(d, &d.kernels.maxUpdate, maxUpdateKernel{slice(o.X), slice(o.Y), slice(o.Which), o.Index}, o.Y.N, grain)
}

type maxUpdateKernel struct {
	x, y, which []float32
	index       float32
}

func (k *maxUpdateKernel) run(lo, hi, _ int) {
	for i := lo; i < hi; i++ {
		if k.x[i] > k.y[i] {
			k.y[i], k.which[i] = k.x[i], k.index
		}
	}
}

func (d *back) maxBackward(o *gpu.MaxBackward) {
	k := maxBackwardKernel{slice(o.DY), slice(o.Which), slice(o.DX), o.Index}
	launch(d, &d.kernels.maxBackward, k, o.DX.N, grain)
}

type maxBackwardKernel struct {
	dy, which, dx []float32
	index         float32
}

func (k *maxBackwardKernel) run(lo, hi, _ int) {
	for i := lo; i < hi; i++ {
		if k.which[i] == k.index {
			k.dx[i] = k.dy[i]
		} else {
			k.dx[i] = 0
		}
	}
}

func (d *back) power(o *gpu.Power) {
	launch(d, &d.kernels.power, powerKernel{slice(o.X), slice(o.Y), o.Power, o.Scale, o.Shift}, o.Y.N, grain)
}

type powerKernel struct {
	x, y                   []float32
	exponent, scale, shift float32
}

func (k *powerKernel) run(lo, hi, _ int) {
	x, y, scale, shift := k.x[lo:hi], k.y[lo:hi], k.scale, k.shift
	if k.exponent == 1 {
		for i, v := range x {
			y[i] = shift + float32(scale*v)
		}
		return
	}
	powers(x, y, scale, shift, k.exponent)
}

// powers sets y to (shift + scale·x)^e.
func powers(x, y []float32, scale, shift, e float32) {
	for i := 0; i < len(x); {
		i += powerVectors(x[i:], y[i:], scale, shift, e)
		for end := min(i+8, len(x)); i < end; i++ {
			y[i] = pow(shift+float32(scale*x[i]), e)
		}
	}
}

// pow is x^e, with the exponents that LRN uses in nets that people have by square roots.
func pow(x, e float32) float32 {
	switch e {
	case 1:
		return x
	case -0.75:
		if x > 0 {
			r := sqrt(x)
			return 1 / (r * sqrt(r))
		}
	case -1.75:
		if x > 0 {
			r := sqrt(x)
			return 1 / (r * sqrt(r)) / x
		}
	}
	return float32(math.Pow(float64(x), float64(e)))
}

func (d *back) dot(o *gpu.Dot) {
	sums := d.partials(pieces(o.X.N))
	launch(d, &d.kernels.dot, dotKernel{slice(o.X), slice(o.Y), sums}, o.X.N, grain)
	slice(o.Out)[0] = float32(float64(o.Alpha) * sum(sums))
}

// dotKernel leaves a sum for each piece.
type dotKernel struct {
	x, y []float32
	sums []float64
}

func (k *dotKernel) run(lo, hi, _ int) { k.sums[lo/grain] = dot32(k.x[lo:hi], k.y[lo:hi]) }

func (d *back) copy2D(o *gpu.Copy2D) {
	k := copy2DKernel{
		src: slice(o.Src), dst: slice(o.Dst), cols: o.Cols,
		srcOff: o.SrcOff, srcStride: o.SrcStride, dstOff: o.DstOff, dstStride: o.DstStride,
	}
	launch(d, &d.kernels.copy2D, k, o.Rows, max(1, grain/o.Cols))
}

type copy2DKernel struct {
	src, dst                             []float32
	cols                                 int
	srcOff, srcStride, dstOff, dstStride int
}

func (k *copy2DKernel) run(lo, hi, _ int) {
	for r := lo; r < hi; r++ {
		copy(k.dst[k.dstOff+r*k.dstStride:][:k.cols], k.src[k.srcOff+r*k.srcStride:][:k.cols])
	}
}

// row returns the row that an index names.
func row(index float32, rows int) (int, bool) {
	i := int(index)
	return i, i >= 0 && i < rows && float32(i) == index
}

func (d *back) gather(o *gpu.Gather) {
	k := gatherKernel{slice(o.Index), slice(o.Src), slice(o.Dst), o.Width, o.Src.N / max(1, o.Width)}
	launch(d, &d.kernels.gather, k, o.Index.N, max(1, grain/max(1, o.Width)))
}

type gatherKernel struct {
	index, src, dst []float32
	width, rows     int
}

func (k *gatherKernel) run(lo, hi, _ int) {
	for r := lo; r < hi; r++ {
		dst := k.dst[r*k.width:][:k.width]
		if i, ok := row(k.index[r], k.rows); ok {
			copy(dst, k.src[i*k.width:])
			continue
		}
		for j := range dst {
			dst[j] = float32(math.NaN())
		}
	}
}

// scatterAdd is done in order, cut by columns: rows may meet in one.
func (d *back) scatterAdd(o *gpu.ScatterAdd) {
	k := scatterAddKernel{slice(o.Index), slice(o.Src), slice(o.Dst), o.Width, o.Dst.N / max(1, o.Width)}
	launch(d, &d.kernels.scatterAdd, k, o.Width, 256)
}

type scatterAddKernel struct {
	index, src, dst []float32
	width, rows     int
}

func (k *scatterAddKernel) run(lo, hi, _ int) {
	for r, v := range k.index {
		if i, ok := row(v, k.rows); ok {
			dst := k.dst[i*k.width+lo : i*k.width+hi]
			for j, g := range k.src[r*k.width+lo : r*k.width+hi] {
				dst[j] += g
			}
		}
	}
}

func (d *back) relu(o *gpu.ReLU) {
	launch(d, &d.kernels.relu, reluKernel{slice(o.X), slice(o.Y), o.Slope}, o.Y.N, grain)
}

type reluKernel struct {
	x, y  []float32
	slope float32
}

func (k *reluKernel) run(lo, hi, _ int) { rectify(k.x[lo:hi], k.y[lo:hi], k.slope) }

// rectify sets y to max(x, 0) + slope·min(x, 0).
func rectify(x, y []float32, slope float32) {
	if slope == 0 {
		for i := reluVectors(x, y); i < len(y); i++ {
			y[i] = max(x[i], 0)
		}
		return
	}
	leaky(x, y, slope)
}

// leaky is rectify of any slope; of 0 times an infinity it makes NaN, as PReLU does.
func leaky(x, y []float32, slope float32) {
	for i := leakyVectors(x, y, slope); i < len(y); i++ {
		y[i] = max(x[i], 0) + float32(slope*min(x[i], 0))
	}
}

func (d *back) reluBackward(o *gpu.ReLUBackward) {
	k := reluBackwardKernel{slice(o.X), slice(o.DY), slice(o.DX), o.Slope}
	launch(d, &d.kernels.reluBackward, k, o.DX.N, grain)
}

type reluBackwardKernel struct {
	x, dy, dx []float32
	slope     float32
}

func (k *reluBackwardKernel) run(lo, hi, _ int) {
	x, dy, dx, slope := k.x[lo:hi], k.dy[lo:hi], k.dx[lo:hi], k.slope
	for i := reluBackwardVectors(x, dy, dx, slope); i < len(dx); i++ {
		g := dy[i]
		if !(x[i] > 0) {
			g *= slope
		}
		dx[i] = g
	}
}

func (d *back) dropout(o *gpu.Dropout) {
	launch(d, &d.kernels.dropout, dropoutKernel{slice(o.X), slice(o.Y), o.Ratio, o.Key}, o.Y.N, grain)
}

type dropoutKernel struct {
	x, y  []float32
	ratio float32
	key   gpu.Key
}

func (k *dropoutKernel) run(lo, hi, _ int) {
	scale := 1 / (1 - k.ratio)
	for i := lo + dropoutVectors(k.x[lo:hi], k.y[lo:hi], lo, k.ratio, scale, k.key); i < hi; {
		// lo is a multiple of 4, as grain is.
		block := k.key.Block(uint32(i >> 2))
		for _, u := range block[:min(4, hi-i)] {
			kept := -bit(gpu.UnitFloat(u) >= k.ratio) // no branch: nobody can predict it
			k.y[i] = math.Float32frombits(math.Float32bits(k.x[i]*scale) & kept)
			i++
		}
	}
}

func (d *back) sumSquares(o *gpu.SumSquares) {
	sums := d.partials(pieces(o.X.N))
	launch(d, &d.kernels.sumSquares, sumSquaresKernel{slice(o.X), sums}, o.X.N, grain)
	o.Sum = sum(sums)
}

// sumSquaresKernel leaves a sum for each piece.
type sumSquaresKernel struct {
	x    []float32
	sums []float64
}

func (k *sumSquaresKernel) run(lo, hi, _ int) {
	var s float64
	for _, v := range k.x[lo:hi] {
		s += float64(float64(v) * float64(v))
	}
	k.sums[lo/grain] = s
}

func (d *back) finite(o *gpu.Finite) {
	bad := d.partials(pieces(o.X.N))
	launch(d, &d.kernels.nonFinite, nonFiniteKernel{slice(o.X), bad}, o.X.N, grain)
	o.Yes = sum(bad) == 0
}

// nonFiniteKernel leaves 1 for each piece that has a NaN or an infinity, 0 for the others.
type nonFiniteKernel struct {
	x   []float32
	bad []float64
}

func (k *nonFiniteKernel) run(lo, hi, _ int) {
	var bad float64
	for _, v := range k.x[lo:hi] {
		if v-v != 0 { // NaN, or Inf - Inf
			bad = 1
		}
	}
	k.bad[lo/grain] = bad
}

// partials returns room for n partial results.
func (d *back) partials(n int) []float64 {
	if cap(d.sums) < n {
		d.sums = make([]float64, n)
	}
	return d.sums[:n]
}

func sum(s []float64) float64 {
	var t float64
	for _, v := range s {
		t += v
	}
	return t
}
