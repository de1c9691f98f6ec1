package host

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Vector instructions make the bits that Go does, of rows of any length.
func TestRowsOfWeights(t *testing.T) { eachSet(t, checkRowsOfWeights) }

func checkRowsOfWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float32()
		inputs := rapid.IntRange(1, 100).Draw(t, "inputs")
		x := rapid.SliceOfN(value, inputs, inputs).Draw(t, "x")
		w := weightRows{starts: []uint32{0}}
		for range rapid.IntRange(1, 5).Draw(t, "rows") {
			for range rapid.IntRange(0, 60).Draw(t, "weights") {
				w.inputs = append(w.inputs, uint16(rapid.IntRange(0, inputs-1).Draw(t, "input")))
				w.values = append(w.values, value.Draw(t, "weight"))
			}
			w.starts = append(w.starts, uint32(len(w.values)))
		}
		const guard = 7
		n := len(w.starts) - 1
		lo := rapid.IntRange(0, n).Draw(t, "lo")
		hi := rapid.IntRange(lo, n).Draw(t, "hi")
		y := make([]float32, n+1)
		for i := range y {
			y[i] = guard
		}
		w.multiply(lo, hi, x, y)
		for i, have := range y {
			want := float32(guard)
			if lo <= i && i < hi {
				want = gatherDot(w.inputs[w.starts[i]:w.starts[i+1]], w.values[w.starts[i]:w.starts[i+1]], x)
			}
			if math.Float32bits(have) != math.Float32bits(want) && !(have != have && want != want) {
				t.Fatalf("output %d of %d to %d is %g, wanted %g", i, lo, hi, have, want)
			}
		}
	})
}

// withZeros returns n numbers of which about a fraction is not zero.
func withZeros(d *back, n int, stream uint32, fraction float32) *gpu.Tensor {
	m, err := d.Alloc(n)
	if err != nil {
		panic(err)
	}
	key := gpu.Key{Seed: 5, Stream: stream}
	for i := range m.(*allocation).data {
		if key.Uniform(2*i) < fraction {
			m.(*allocation).data[i] = key.Uniform(2*i+1) - 0.5
		}
	}
	return &gpu.Tensor{Mem: m, N: n, Shape: []int{n}}
}

// checkWays does a product in all of its ways, by one thread and by three: all results are those of the dense product
// of so many inputs but for rounding, and each way makes the same bits by any number of threads.
func checkWays(t *testing.T, outputs, inputs int, ways func(d *back) map[string]func(y *gpu.Tensor)) {
	t.Helper()
	byOne := map[string][]float32{}
	for _, threads := range []int{1, 3} {
		d := NewBack(Options{Threads: threads}).(*back)
		defer d.Close()
		for name, do := range ways(d) {
			y := withZeros(d, outputs, 9, 1)
			for i := range slice(y) {
				slice(y)[i] = float32(math.NaN()) // all is written
			}
			do(y)
			if threads == 1 {
				byOne[name] = slice(y)
				continue
			}
			for i, v := range slice(y) {
				if math.Float32bits(v) != math.Float32bits(byOne[name][i]) {
					t.Fatalf("%s: [%d] is %g by three threads, %g by one", name, i, v, byOne[name][i])
				}
			}
		}
	}
	for name, values := range byOne {
		for i, v := range values {
			if want := byOne[dense][i]; !(math.Abs(float64(v-want)) <= 1e-6*(1+math.Sqrt(float64(inputs)))) {
				t.Fatalf("%s: [%d] is %g, wanted %g", name, i, v, want)
			}
		}
	}
}

func TestWaysOfConvolutions(t *testing.T) {
	for _, g := range []gpu.ConvGeometry{
		{C: 4, H: 9, W: 10, O: 40, KH: 3, KW: 5, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 2},
		{C: 6, H: 19, W: 17, O: 30, KH: 5, KW: 3, SH: 2, SW: 3, PH: 2, PW: 1, DH: 1, DW: 2, Groups: 1},
		{C: 30, H: 8, W: 8, O: 40, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1},
		{C: 16, H: 34, W: 33, O: 16, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 16},
		{C: 8, H: 1, W: 700, O: 70, KH: 1, KW: 9, SH: 1, SW: 1, PW: 4, DH: 1, DW: 1, Groups: 1},
	} {
		for _, n := range []int{1, 3, 20} {
			for _, density := range []float32{0, 0.02, 0.3, 1} {
				g.N = n
				g.Resolve()
				t.Run(fmt.Sprintf("%+v of which %g", g, density), func(t *testing.T) {
					checkWays(t, g.OutputLen(), g.C*g.KH*g.KW, func(d *back) map[string]func(y *gpu.Tensor) {
						o := &gpu.Conv{G: &g, X: withZeros(d, g.InputLen(), 1, 1),
							W: withZeros(d, g.WeightLen(), 2, density), B: withZeros(d, g.O, 3, 0.5)}
						do := map[string]func(y *gpu.Tensor){}
						for _, way := range convWays(d, o) {
							do[way.name] = func(y *gpu.Tensor) { o.Y = y; way.do(o) }
						}
						return do
					})
				})
			}
		}
	}
}

func TestWaysOfProducts(t *testing.T) {
	for _, c := range []struct{ outputs, inputs int }{{300, 200}, {10, 17}, {1, 1}, {1300, 70}, {3, 70000}} {
		batches := []int{1, 5, 9, 64}
		if c.outputs == 10 {
			batches = append(batches, strip+9)
		}
		if c.inputs > 1000 {
			batches = []int{1, 9}
		}
		for _, m := range batches {
			for _, density := range []float32{0, 0.02, 0.3, 1} {
				for _, transB := range []bool{true, false} {
					t.Run(fmt.Sprint(c, m, density, transB), func(t *testing.T) {
						checkWays(t, m*c.outputs, c.inputs, func(d *back) map[string]func(y *gpu.Tensor) {
							o := &gpu.Gemm{TransB: transB, M: m, N: c.outputs, K: c.inputs, Alpha: 1, Pruned: true,
								A: withZeros(d, m*c.inputs, 1, 0.6)}
							o.B = withZeros(d, c.outputs*c.inputs, 2, density)
							do := map[string]func(y *gpu.Tensor){}
							for _, way := range productWays(d, o) {
								do[way.name] = func(y *gpu.Tensor) { o.C = y; way.do(o) }
							}
							return do
						})
					})
				}
			}
		}
	}
}

// What Prepare was told of is measured once for each layer and shape, and listed with the layer's name, of layers that
// share weights too; other weights are not.
func TestPrepare(t *testing.T) {
	d := New(Options{Threads: 1})
	defer d.Close()
	o := operands{t, d, new(uint32)}
	const outputs, inputs = 30, 40
	w, other := o.forwardWeights(outputs*inputs, 0.1), o.forwardWeights(outputs*inputs, 0.1)
	c := o.forwardWeights(9, 0.5)
	if !d.Prepare(w) || !d.Prepare(c) {
		t.Fatal("the host has no use for weights that stay")
	}
	g := gpu.ConvGeometry{N: 1, C: 1, H: 5, W: 5, O: 1, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	for range 2 {
		d.Label("ip forward")
		d.GemmPruned(true, 1, outputs, inputs, o.tensor(inputs), w, o.tensor(outputs))
		d.GemmPruned(true, 9, outputs, inputs, o.tensor(9*inputs), w, o.tensor(9*outputs))
		d.GemmPruned(true, 9, outputs, inputs, o.tensor(9*inputs), other, o.tensor(9*outputs))
		d.Label("shared forward")
		d.GemmPruned(true, 1, outputs, inputs, o.tensor(inputs), w, o.tensor(outputs))
		d.Label("conv forward")
		d.Conv(&g, o.tensor(25), c, nil, o.tensor(9))
	}
	have := d.Prepared()
	want := []string{"ip forward", "ip forward", "shared forward", "conv forward"}
	if len(have) != len(want) {
		t.Fatalf("%d products are listed, wanted %d: %+v", len(have), len(want), have)
	}
	for i, p := range have {
		if p.Label != want[i] || p.Way == "" || p.Time <= 0 || p.Dense < p.Time || p.Kept == 0 || p.Kept >= p.Of {
			t.Errorf("%+v", p)
		}
	}
}

// Weights without zeros have no way but the dense one: nothing is made for others.
func TestPrepareFull(t *testing.T) {
	d := New(Options{Threads: 1})
	defer d.Close()
	o := operands{t, d, new(uint32)}
	w := o.tensor(1200)
	d.Prepare(w)
	d.GemmPruned(true, 1, 30, 40, o.tensor(40), w, o.tensor(30))
	if p := d.Prepared(); len(p) != 1 || p[0].Way != dense || p[0].Kept != p[0].Of || p[0].Time != p[0].Dense {
		t.Errorf("%+v", p)
	}
}

// A product by its plan allocates nothing.
func TestPreparedAllocatesNothing(t *testing.T) {
	d := New(Options{Threads: 1})
	defer d.Close()
	o := operands{t, d, new(uint32)}
	w, x, y := o.forwardWeights(1200, 0.1), o.tensor(40), o.tensor(30)
	d.Prepare(w)
	run := func() { d.GemmPruned(true, 1, 30, 40, x, w, y) }
	run()
	if n := testing.AllocsPerRun(100, run); n > 0 {
		t.Errorf("%g allocations a product", n)
	}
}
