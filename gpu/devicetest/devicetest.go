// Package devicetest is the conformance suite of gpu.Device: every operation against a plain reference in float64, on
// shapes that meet its edges. A device passes with
//
//	func TestConformance(t *testing.T) { devicetest.Run(t, func() *gpu.Device { return … }) }
package devicetest

import (
	"fmt"
	"math"
	"testing"

	"dns-tui/gpu"
)

// Tolerance is the largest error of a kernel, relative to the largest magnitude of its result (or to 1).
const Tolerance = 1e-4

// bench is one device under test, with a source of numbers.
type bench struct {
	tolerance float64
	*testing.T
	d   *gpu.Device
	key gpu.Key
}

// Run runs the suite on the devices that open makes.
func Run(t *testing.T, open func() *gpu.Device) { RunWithin(t, Tolerance, open) }

// RunWithin is Run for a device that rounds what it multiplies: within another tolerance, where products meet it.
func RunWithin(t *testing.T, tolerance float64, open func() *gpu.Device) {
	d := open()
	t.Cleanup(func() { d.Close() })
	for _, c := range []struct {
		name string
		run  func(*bench)
	}{
		{"Store", store}, {"Vector", vector}, {"Reductions", reductions}, {"Unary", unary}, {"Gather", gather},
		{"Copy2D", copy2D}, {"Dropout", dropout},
		{"Gemm", gemm}, {"GemmKept", gemmKept}, {"GemmPruned", gemmPruned}, {"Conv", conv},
		{"MaxPool", maxPool}, {"AvePool", avePool}, {"StochasticPool", stochasticPool},
		{"Im2col", im2col}, {"LRN", lrn}, {"LRNWithin", lrnWithin}, {"Bias", bias}, {"Scale", scale}, {"PReLU", prelu},
		{"BatchNorm", batchNorm},
		{"BatchNormAfter", batchNormAfter},
		{"Rectifiers", rectifiers},
		{"Softmax", softmax}, {"SoftmaxLoss", softmaxLoss}, {"SigmoidLoss", sigmoidLoss},
		{"HingeLoss", hingeLoss}, {"LogLoss", logLoss}, {"InfogainLoss", infogainLoss},
		{"ContrastiveLoss", contrastiveLoss}, {"LSTMUnit", lstmUnit}, {"LSTM", lstm}, {"ArgMax", argMax},
		{"Accuracy", accuracy},
		{"NotALabel", notALabel},
		{"Update", update}, {"Methods", methods}, {"SeedSurgery", seedSurgery},
		{"PaperSurgery", paperSurgery}, {"SoftUpdate", softUpdate},
		{"SoftSurgery", softSurgery}, {"Farthest", farthest}, {"Gates", gates}, {"Chains", chains},
		{"Batches", batches}, {"Repeats", repeats}, {"Fetch", fetch}, {"Uploads", uploads}, {"Panics", panics},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(&bench{T: t, tolerance: tolerance, d: d, key: gpu.Key{Seed: 7, Stream: uint32(len(c.name))}})
		})
	}
}

// random returns n numbers in [-1, 1).
func (b *bench) random(n int) []float32 {
	b.key.Iter++
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*b.key.Uniform(i) - 1
	}
	return v
}

// tensor uploads v in a shape of one axis, at an offset of 3 into its memory: kernels must not assume that a tensor
// starts an allocation.
func (b *bench) tensor(v []float32) *gpu.Tensor {
	b.Helper()
	t, err := gpu.NewTensor(b.d, len(v)+5)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(t.Mem.Free)
	t = t.View(3, len(v))
	b.d.Upload(t, v)
	return t
}

func (b *bench) empty(n int) *gpu.Tensor { return b.tensor(b.random(n)) }

func (b *bench) values(t *gpu.Tensor) []float32 {
	v := make([]float32, t.N)
	b.d.Download(v, t)
	return v
}

// check compares a tensor with its reference.
func (b *bench) check(what string, t *gpu.Tensor, want []float64) {
	b.Helper()
	b.checkValues(what, b.values(t), want)
}

func (b *bench) checkValues(what string, have []float32, want []float64) {
	b.Helper()
	if len(have) != len(want) {
		b.Fatalf("%s: %d values, wanted %d", what, len(have), len(want))
	}
	size := 1.0
	for _, w := range want {
		size = math.Max(size, math.Abs(w))
	}
	for i, w := range want {
		if e := math.Abs(float64(have[i]) - w); !(e <= b.tolerance*size) {
			b.Fatalf("%s[%d] is %g, wanted %g", what, i, have[i], w)
		}
	}
}

func wide(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

// each returns f of every index.
func each(n int, f func(i int) float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = f(i)
	}
	return v
}

// unary checks each function against its formula, and its slope against differences of it.
func unary(b *bench) {
	sig := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for _, c := range []struct {
		f  gpu.UnaryFunc
		at func(x float64) float64
	}{
		{gpu.UnaryFunc{Op: gpu.Abs}, math.Abs},
		{gpu.UnaryFunc{Op: gpu.BNLL}, func(x float64) float64 { return math.Log(1 + math.Exp(x)) }},
		{gpu.UnaryFunc{Op: gpu.Clip, A: -0.5, B: 1}, func(x float64) float64 { return math.Min(math.Max(x, -0.5), 1) }},
		{gpu.UnaryFunc{Op: gpu.ELU, A: 0.7}, func(x float64) float64 {
			if x > 0 {
				return x
			}
			return 0.7 * (math.Exp(x) - 1)
		}},
		{gpu.UnaryFunc{Op: gpu.Exp, A: 0.5, B: 2}, func(x float64) float64 { return 2 * math.Exp(0.5*x) }},
		{gpu.UnaryFunc{Op: gpu.Log, A: 0.5, B: 4, C: 3}, func(x float64) float64 { return 3 * math.Log(0.5*x+4) }},
		{gpu.UnaryFunc{Op: gpu.Pow, A: 3, B: 0.5, C: 4}, func(x float64) float64 { return math.Pow(4+0.5*x, 3) }},
		{gpu.UnaryFunc{Op: gpu.Pow, A: 0.5, B: 0.5, C: 4}, func(x float64) float64 { return math.Sqrt(4 + 0.5*x) }},
		{gpu.UnaryFunc{Op: gpu.Sigmoid}, sig},
		{gpu.UnaryFunc{Op: gpu.Swish, A: 1.5}, func(x float64) float64 { return x * sig(1.5*x) }},
		{gpu.UnaryFunc{Op: gpu.TanH}, math.Tanh},
		{gpu.UnaryFunc{Op: gpu.Threshold, A: 0.3}, func(x float64) float64 {
			if x > float64(float32(0.3)) {
				return 1
			}
			return 0
		}},
	} {
		for _, n := range sizes {
			x, dy := b.random(n), b.random(n)
			for i := range x {
				x[i] *= 5
			}
			tx, ty, tdx := b.tensor(x), b.empty(n), b.empty(n)
			b.d.Unary(c.f, tx, ty)
			name := fmt.Sprintf("Unary %+v", c.f)
			b.check(name, ty, each(n, func(i int) float64 { return c.at(float64(x[i])) }))
			b.d.UnaryBackward(c.f, tx, ty, b.tensor(dy), tdx)
			b.check(name+" backward", tdx, each(n, func(i int) float64 {
				const h = 1e-6
				if v := float64(x[i]); c.f.Op != gpu.Threshold {
					return float64(dy[i]) * (c.at(v+h) - c.at(v-h)) / (2 * h)
				}
				return 0
			}))
		}
	}
	big := b.tensor([]float32{200, -200})
	out := b.empty(2)
	b.d.Unary(gpu.UnaryFunc{Op: gpu.BNLL}, big, out)
	b.check("BNLL far out", out, []float64{200, 0})
	b.d.Unary(gpu.UnaryFunc{Op: gpu.Sigmoid}, big, out)
	b.check("Sigmoid far out", out, []float64{1, 0})
}

// sizes meet the edges of vector kernels: one, not a multiple of a vector, more than one piece.
var sizes = []int{1, 3, 1000, 70001}

func store(b *bench) {
	for _, n := range sizes {
		v := b.random(n)
		t := b.tensor(v)
		b.check("upload and download", t, wide(v))
		b.d.Fill(t, 2.5)
		b.check("Fill", t, each(n, func(int) float64 { return 2.5 }))
		o := b.tensor(v)
		b.d.Copy(t, o)
		b.check("Copy", t, wide(v))
	}
	before := b.d.Allocated()
	m, err := b.d.Alloc(1000)
	if err != nil {
		b.Fatal(err)
	}
	if got := b.d.Allocated() - before; got < 4000 {
		b.Errorf("Allocated rose by %d for 1000 numbers", got)
	}
	m.Free()
	if got := b.d.Allocated(); got != before {
		b.Errorf("Allocated is %d after Free, wanted %d", got, before)
	}
	z, err := gpu.NewTensor(b.d, 2, 3)
	if err != nil {
		b.Fatal(err)
	}
	defer z.Mem.Free()
	b.check("a new tensor", z, make([]float64, 6))
	if err := b.d.Sync(); err != nil {
		b.Error(err)
	}
}

func vector(b *bench) {
	for _, n := range sizes {
		x, y := b.random(n), b.random(n)
		tx, ty, tz := b.tensor(x), b.tensor(y), b.empty(n)
		b.d.Add(0.5, tx, -2, ty, tz)
		b.check("Add", tz, each(n, func(i int) float64 { return 0.5*float64(x[i]) - 2*float64(y[i]) }))
		tz = b.tensor(x)
		b.d.Add(0.5, tz, -2, ty, tz)
		b.check("Add in place", tz, each(n, func(i int) float64 { return 0.5*float64(x[i]) - 2*float64(y[i]) }))
		b.d.Axpby(2, tx, -3, ty)
		b.check("Axpby", ty, each(n, func(i int) float64 { return 2*float64(x[i]) - 3*float64(y[i]) }))
		nan := b.tensor([]float32{float32(math.NaN())})
		b.d.Axpby(2, tx.View(0, 1), 0, nan)
		b.check("Axpby with b = 0 over NaN", nan, []float64{2 * float64(x[0])})
		b.d.Upload(ty, y)
		b.d.Mul(tx, ty, tz)
		b.check("Mul", tz, each(n, func(i int) float64 { return float64(x[i]) * float64(y[i]) }))
		which := b.tensor(make([]float32, n))
		b.d.Fill(which, 1)
		b.d.MaxUpdate(tx, 0, ty, which)
		b.check("MaxUpdate", ty, each(n, func(i int) float64 { return float64(max(x[i], y[i])) }))
		b.d.MaxBackward(tx, which, 0, tz)
		b.check("MaxBackward", tz, each(n, func(i int) float64 {
			if x[i] > y[i] {
				return float64(x[i])
			}
			return 0
		}))
		for _, slope := range []float32{0, 0.1} {
			b.d.ReLU(tx, tz, slope)
			relu := func(v, g float64) float64 {
				if v > 0 {
					return g
				}
				return float64(slope) * g
			}
			b.check("ReLU", tz, each(n, func(i int) float64 { return relu(float64(x[i]), float64(x[i])) }))
			b.d.Upload(ty, y)
			b.d.ReLUBackward(tx, ty, tz, slope)
			b.check("ReLUBackward", tz, each(n, func(i int) float64 { return relu(float64(x[i]), float64(y[i])) }))
		}
		for _, e := range []float32{-0.75, -1.75, 1, 2, 0.3} {
			b.d.Power(tx, e, 0.5, 1.5, tz)
			b.check(
				fmt.Sprint("Power ", e),
				tz,
				each(n, func(i int) float64 { return math.Pow(1.5+0.5*float64(x[i]), float64(e)) }),
			)
		}
	}
}

func reductions(b *bench) {
	for _, n := range sizes {
		x := b.random(n)
		t := b.tensor(x)
		want := 0.0
		for _, v := range x {
			want += float64(v) * float64(v)
		}
		if got := b.d.SumSquares(t); math.Abs(got-want) > 1e-6*want {
			b.Errorf("SumSquares of %d is %g, wanted %g", n, got, want)
		}
		y := b.random(n)
		dot := 0.0
		for i, v := range x {
			dot += float64(v) * float64(y[i])
		}
		out := b.empty(1)
		b.d.Dot(0.5, t, b.tensor(y), out)
		b.check("Dot", out, []float64{0.5 * dot})
		if !b.d.Finite(t) {
			b.Errorf("Finite of %d finite numbers is false", n)
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			x[n-1] = float32(bad)
			b.d.Upload(t, x)
			if b.d.Finite(t) {
				b.Errorf("Finite is true though the last of %d is %g", n, bad)
			}
		}
	}
}

func copy2D(b *bench) {
	x, y := b.random(60), b.random(80)
	tx, ty := b.tensor(x), b.tensor(y)
	b.d.Copy2D(4, 5, tx, 7, 13, ty, 2, 20)
	want := wide(y)
	for r := range 4 {
		for c := range 5 {
			want[2+20*r+c] = float64(x[7+13*r+c])
		}
	}
	b.check("Copy2D", ty, want)
}

func gather(b *bench) {
	for _, width := range []int{1, 3, 700} {
		const rows, n = 5, 40
		src, dst := b.random(rows*width), b.random(n*width)
		index := b.labels(n, rows)
		ti, ts, td := b.tensor(index), b.tensor(src), b.tensor(dst)
		b.d.Gather(width, ti, ts, td)
		b.check(
			"Gather",
			td,
			each(n*width, func(i int) float64 { return float64(src[int(index[i/width])*width+i%width]) }),
		)
		b.d.Upload(td, dst)
		b.d.ScatterAdd(width, ti, td, ts)
		want := wide(src)
		for i, v := range dst {
			want[int(index[i/width])*width+i%width] += float64(v)
		}
		b.check("ScatterAdd", ts, want)
	}
	for _, bad := range []float32{-1, 5, 0.5} {
		out := b.empty(2)
		b.d.Gather(2, b.tensor([]float32{bad}), b.empty(10), out)
		if v := b.values(out); !math.IsNaN(float64(v[0])) {
			b.Errorf("Gather of row %g of 5 is %g, wanted NaN", bad, v[0])
		}
		b.d.ScatterAdd(2, b.tensor([]float32{bad}), out, b.empty(10)) // passed over
	}
}

func dropout(b *bench) {
	const n, ratio = 50001, 0.3
	x := b.random(n)
	tx, ty := b.tensor(x), b.empty(n)
	k := gpu.Key{Seed: 11, Stream: 5, Iter: 9}
	b.d.Dropout(tx, ty, ratio, k)
	kept := 0
	b.check("Dropout", ty, each(n, func(i int) float64 {
		if k.Uniform(i) < ratio {
			return 0
		}
		kept++
		return float64(x[i]) / (1 - ratio)
	}))
	if math.Abs(float64(kept)/n-0.7) > 0.02 {
		b.Errorf("%d of %d kept at ratio %g", kept, n, ratio)
	}
}

func gemm(b *bench) {
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {64, 500, 800}, {500, 3, 64}, {7, 1000, 33}, {257, 129, 65}} {
		m, n, k := s[0], s[1], s[2]
		for _, tr := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
			x, y, z := b.random(m*k), b.random(k*n), b.random(m*n)
			tz := b.tensor(z)
			at := func(v []float32, trans bool, r, c, rows, cols int) float64 {
				if trans {
					return float64(v[c*rows+r])
				}
				return float64(v[r*cols+c])
			}
			b.d.Gemm(tr[0], tr[1], m, n, k, 0.5, b.tensor(x), b.tensor(y), 2, tz)
			b.check(fmt.Sprint("Gemm ", s, tr), tz, each(m*n, func(i int) float64 {
				t := 0.0
				for l := range k {
					t += at(x, tr[0], i/n, l, m, k) * at(y, tr[1], l, i%n, k, n)
				}
				return 0.5*t + 2*float64(z[i])
			}))
		}
	}
}

// shapes of channelwise kernels: per image and per position, one channel, more than a piece.
var shapes = []gpu.ChannelShape{
	{Outer: 1, Channels: 1, Inner: 1},
	{Outer: 3, Channels: 5, Inner: 1},
	{Outer: 4, Channels: 7, Inner: 33},
	{Outer: 2, Channels: 3, Inner: 20000},
}

func bias(b *bench) {
	for _, s := range shapes {
		x, y := b.random(s.Channels), b.random(s.Len())
		tx, ty := b.tensor(x), b.tensor(y)
		b.d.AddBias(s, tx, ty)
		b.check(
			"AddBias",
			ty,
			each(s.Len(), func(i int) float64 { return float64(y[i]) + float64(x[i/s.Inner%s.Channels]) }),
		)
		b.d.Upload(ty, y)
		b.d.SumBias(s, ty, tx)
		b.check("SumBias", tx, perChannel(s, x, func(i int) float64 { return float64(y[i]) }))
	}
}

// perChannel adds f over each channel to start.
func perChannel(s gpu.ChannelShape, start []float32, f func(i int) float64) []float64 {
	out := make([]float64, s.Channels)
	for c := range out {
		if start != nil {
			out[c] = float64(start[c])
		}
	}
	for i := range s.Len() {
		out[i/s.Inner%s.Channels] += f(i)
	}
	return out
}

func scale(b *bench) {
	for _, s := range shapes {
		x, dy, a, c := b.random(s.Len()), b.random(s.Len()), b.random(s.Channels), b.random(s.Channels)
		ch := func(i int) int { return i / s.Inner % s.Channels }
		tx, tdy, ta, tc, ty := b.tensor(x), b.tensor(dy), b.tensor(a), b.tensor(c), b.empty(s.Len())
		b.d.Scale(s, tx, ta, tc, ty)
		b.check(
			"Scale",
			ty,
			each(s.Len(), func(i int) float64 { return float64(x[i])*float64(a[ch(i)]) + float64(c[ch(i)]) }),
		)
		b.d.Scale(s, tx, ta, nil, ty)
		b.check(
			"Scale without bias",
			ty,
			each(s.Len(), func(i int) float64 { return float64(x[i]) * float64(a[ch(i)]) }),
		)
		da, db := b.random(s.Channels), b.random(s.Channels)
		tda, tdb := b.tensor(da), b.tensor(db)
		b.d.ScaleBackward(s, tx, tdy, ta, ty, tda, tdb)
		b.check(
			"ScaleBackward dx",
			ty,
			each(s.Len(), func(i int) float64 { return float64(dy[i]) * float64(a[ch(i)]) }),
		)
		b.check(
			"ScaleBackward da",
			tda,
			perChannel(s, da, func(i int) float64 { return float64(dy[i]) * float64(x[i]) }),
		)
		b.check("ScaleBackward db", tdb, perChannel(s, db, func(i int) float64 { return float64(dy[i]) }))
	}
}

func prelu(b *bench) {
	for _, s := range shapes {
		x, dy, a := b.random(s.Len()), b.random(s.Len()), b.random(s.Channels)
		slope := func(i int) float64 {
			if x[i] > 0 {
				return 1
			}
			return float64(a[i/s.Inner%s.Channels])
		}
		tx, tdy, ta, ty := b.tensor(x), b.tensor(dy), b.tensor(a), b.empty(s.Len())
		b.d.PReLU(s, tx, ta, ty)
		b.check("PReLU", ty, each(s.Len(), func(i int) float64 { return float64(x[i]) * slope(i) }))
		da := b.random(s.Channels)
		tda := b.tensor(da)
		b.d.PReLUBackward(s, tx, tdy, ta, ty, tda)
		b.check("PReLUBackward dx", ty, each(s.Len(), func(i int) float64 { return float64(dy[i]) * slope(i) }))
		b.check(
			"PReLUBackward da",
			tda,
			perChannel(s, da, func(i int) float64 { return float64(dy[i]) * math.Min(float64(x[i]), 0) }),
		)
		b.d.PReLUBackward(s, tx, tdy, ta, nil, tda)
	}
}

func batchNorm(b *bench) {
	const eps = 1e-5
	for _, s := range shapes {
		n := float64(s.Outer * s.Inner)
		x, dy := b.random(s.Len()), b.random(s.Len())
		for i := range x {
			x[i] += 3 // a mean far from zero shows a variance computed as a difference of large numbers
		}
		ch := func(i int) int { return i / s.Inner % s.Channels }
		tx, tm, tv, ty, tdx := b.tensor(x), b.empty(s.Channels), b.empty(s.Channels), b.empty(s.Len()), b.empty(s.Len())
		b.d.BatchStats(s, tx, tm, tv)
		mean := perChannel(s, nil, func(i int) float64 { return float64(x[i]) / n })
		variance := perChannel(s, nil, func(i int) float64 { return math.Pow(float64(x[i])-mean[ch(i)], 2) / n })
		b.check("BatchStats mean", tm, mean)
		b.check("BatchStats variance", tv, variance)
		if n < 2 {
			continue // the gradient of one value is 0/sqrt(eps)
		}
		b.d.Normalize(s, tx, tm, tv, nil, eps, ty)
		y := each(
			s.Len(),
			func(i int) float64 { return (float64(x[i]) - mean[ch(i)]) / math.Sqrt(variance[ch(i)]+eps) },
		)
		b.check("Normalize", ty, y)
		tdy := b.tensor(dy)
		b.d.NormalizeBackward(s, ty, tdy, tv, eps, tdx)
		md := perChannel(s, nil, func(i int) float64 { return float64(dy[i]) / n })
		mdy := perChannel(s, nil, func(i int) float64 { return float64(dy[i]) * y[i] / n })
		b.check("NormalizeBackward", tdx, each(s.Len(), func(i int) float64 {
			return (float64(dy[i]) - md[ch(i)] - y[i]*mdy[ch(i)]) / math.Sqrt(variance[ch(i)]+eps)
		}))
		for _, weight := range []float32{4, 0} {
			tw := b.tensor([]float32{weight})
			f := 0.0
			if weight != 0 {
				f = 1 / float64(weight)
			}
			b.d.Normalize(s, tx, tm, tv, tw, 1, ty)
			b.check(
				"Normalize with a weight",
				ty,
				each(
					s.Len(),
					func(i int) float64 { return (float64(x[i]) - mean[ch(i)]*f) / math.Sqrt(variance[ch(i)]*f+1) },
				),
			)
			b.d.NormalizeGlobalBackward(s, tdy, tv, tw, 1, tdx)
			b.check(
				"NormalizeGlobalBackward",
				tdx,
				each(s.Len(), func(i int) float64 { return float64(dy[i]) / math.Sqrt(variance[ch(i)]*f+1) }),
			)
		}
	}
}

// panics checks that a wrong shape is reported as a named mistake.
func panics(b *bench) {
	for name, f := range map[string]func(){
		"Upload":  func() { b.d.Upload(b.empty(3), make([]float32, 4)) },
		"Mul":     func() { b.d.Mul(b.empty(3), b.empty(3), b.empty(4)) },
		"Gemm":    func() { b.d.Gemm(false, false, 2, 2, 2, 1, b.empty(4), b.empty(4), 0, b.empty(5)) },
		"AddBias": func() { b.d.AddBias(gpu.ChannelShape{Outer: 1, Channels: 2, Inner: 1}, b.empty(3), b.empty(2)) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil {
					b.Errorf("%s: a wrong shape did not panic", name)
				} else if s, ok := r.(string); !ok || len(s) < 5 || s[:5] != "gpu: " {
					b.Errorf("%s: panicked with %v, wanted a text that starts with gpu:", name, r)
				}
			}()
			f()
		}()
	}
}
