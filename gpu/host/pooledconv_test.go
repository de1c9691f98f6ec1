package host

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// What a convolution makes together with the maxima of its output is what they make one after the other, with a ReLU in
// between and without.
func TestWaysOfPooledConvolutions(t *testing.T) {
	for _, c := range []struct {
		conv gpu.ConvGeometry
		pool gpu.PoolGeometry
	}{
		{gpu.ConvGeometry{C: 1, H: 28, W: 28, O: 20, KH: 5, KW: 5, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1},
			gpu.PoolGeometry{KH: 2, KW: 2, SH: 2, SW: 2}},
		{gpu.ConvGeometry{C: 16, H: 30, W: 33, O: 32, KH: 5, KW: 5, SH: 1, SW: 1,
			PH: 2, PW: 2, DH: 1, DW: 1, Groups: 1},
			gpu.PoolGeometry{KH: 3, KW: 3, SH: 2, SW: 2}}, // output channels are divided among the threads
		{gpu.ConvGeometry{C: 6, H: 39, W: 37, O: 30, KH: 5, KW: 3, SH: 2, SW: 1, PH: 2, PW: 1, DH: 1, DW: 2, Groups: 2},
			gpu.PoolGeometry{KH: 3, KW: 3, SH: 2, SW: 2}},
		{gpu.ConvGeometry{C: 3, H: 40, W: 41, O: 9, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1},
			gpu.PoolGeometry{KH: 4, KW: 2, SH: 3, SW: 2, PH: 1, PW: 1}},
		{gpu.ConvGeometry{C: 8, H: 3, W: 900, O: 7, KH: 1, KW: 9, SH: 1, SW: 1, PW: 4, DH: 1, DW: 1, Groups: 1},
			gpu.PoolGeometry{KH: 1, KW: 5, SH: 1, SW: 4}},
	} {
		for _, n := range []int{1, 3, 20} {
			for _, relu := range []bool{false, true} {
				g, p := c.conv, c.pool
				g.N = n
				g.Resolve()
				p.Planes, p.H, p.W = n*g.O, g.OutH, g.OutW
				p.Resolve(false)
				t.Run(fmt.Sprintf("%+v %+v relu %t", g, p, relu), func(t *testing.T) {
					checkWays(t, p.OutputLen(), g.C*g.KH*g.KW, func(d *back) map[string]func(y *gpu.Tensor) {
						w := &waiting{relu: relu, pool: gpu.MaxPool{G: &p, Argmax: withZeros(d, p.OutputLen(), 4, 0)}}
						w.conv = gpu.Conv{G: &g, X: withZeros(d, g.InputLen(), 1, 1),
							W: withZeros(d, g.WeightLen(), 2, 0.2), B: withZeros(d, g.O, 3, 0.5),
							Y: withZeros(d, g.OutputLen(), 5, 0)}
						clear(slice(w.conv.W)[:g.C/g.Groups*g.KH*g.KW]) // an output that is constant
						w.pool.X = w.conv.Y
						do := map[string]func(y *gpu.Tensor){}
						ways := pooledWays(d, &preparedWeights{}, w)
						for _, way := range ways {
							do[way.name] = func(y *gpu.Tensor) { w.pool.Y = y; way.do(w) }
						}
						if len(do) != 3 {
							t.Fatalf("%d ways: %v", len(do), ways)
						}
						return do
					})
				})
			}
		}
	}
}

// Maxima are those of maxPool, whatever the numbers: here the convolution has the weight 1.
func TestMaximaOfPooledConvolutions(t *testing.T) {
	d := NewBack(Options{Threads: 1}).(*back)
	defer d.Close()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 5)
		g := gpu.PoolGeometry{
			Planes: 1, H: rapid.IntRange(5, 12).Draw(t, "height"), W: rapid.IntRange(5, 40).Draw(t, "width"),
			KH: size.Draw(t, "kernel_h"), KW: size.Draw(t, "kernel_w"),
			SH: size.Draw(t, "stride_h"), SW: size.Draw(t, "stride_w"),
		}
		if rapid.Bool().Draw(t, "2x2") {
			g.KH, g.KW, g.SH, g.SW = 2, 2, 2, 2
		}
		g.PH, g.PW = rapid.IntRange(0, g.KH-1).Draw(t, "pad_h"), rapid.IntRange(0, g.KW-1).Draw(t, "pad_w")
		g.Resolve(rapid.Bool().Draw(t, "floor"))
		if !noneEmpty(&g) {
			t.Skip("a window is empty")
		}
		conv := gpu.ConvGeometry{N: 1, C: 1, H: g.H, W: g.W, O: 1, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
		conv.Resolve()
		relu := rapid.Bool().Draw(t, "relu")
		tensor := func(n int) *gpu.Tensor { return withZeros(d, n, 1, 0) }
		w := &waiting{relu: relu, conv: gpu.Conv{G: &conv, X: tensor(g.InputLen()), W: tensor(1)},
			pool: gpu.MaxPool{G: &g, Y: tensor(g.OutputLen())}}
		slice(w.conv.W)[0] = 1
		x := rapid.SliceOfN(rapid.SampledFrom(oddNumbers), g.InputLen(), g.InputLen()).Draw(t, "x")
		copy(slice(w.conv.X), x)
		newPooledConv(newSparseConv(d, &w.conv), w).do(w)
		for i, have := range slice(w.pool.Y) {
			want, _ := largestOf(&g, x, i)
			if relu {
				want = max(want, 0)
			}
			if have != want && (have == have || want == want) {
				t.Fatalf("[%d] is %g, wanted %g", i, have, want)
			}
		}
	})
}

// A convolution whose output was said to be unread waits for the pooling, and is done as any other where something else
// comes; what is not written is NaN.
func TestUnread(t *testing.T) {
	d := New(Options{Threads: 1})
	defer d.Close()
	o := operands{t, d, new(uint32)}
	g := gpu.ConvGeometry{N: 9, C: 2, H: 8, W: 8, O: 3, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	p := gpu.PoolGeometry{Planes: g.N * g.O, H: g.OutH, W: g.OutW, KH: 2, KW: 2, SH: 2, SW: 2}
	p.Resolve(false)
	x, w := o.tensor(g.InputLen()), o.forwardWeights(g.WeightLen(), 0.2)
	made, pooled, argmax := o.tensor(g.OutputLen()), o.tensor(p.OutputLen()), o.tensor(p.OutputLen())
	values := func(of *gpu.Tensor) []float32 {
		v := make([]float32, of.N)
		d.Download(v, of)
		return v
	}
	pass := func(between func()) {
		d.Label("conv forward")
		d.Conv(&g, x, w, nil, made)
		d.Label("between")
		between()
		d.Label("pool forward")
		d.MaxPool(&p, made, pooled, argmax)
	}
	relu := func() { d.ReLU(made, made, 0) }
	cases := []struct {
		name    string
		between func()
		written bool
	}{
		{"pooled", func() {}, false},
		{"a ReLU between", relu, false},
		{"a ReLU of another slope", func() { d.ReLU(made, made, 0.5) }, true},
		{"a ReLU to another blob", func() { d.ReLU(made, o.tensor(made.N), 0) }, true},
		{"something else between", func() { d.Fill(argmax, 3) }, true},
		{"something else after a ReLU", func() { relu(); d.Fill(argmax, 3) }, true},
		{"a read between", func() { values(made) }, true},
	}
	var wanted [][]float32
	for _, c := range cases {
		pass(c.between)
		wanted = append(wanted, append(values(made), values(pooled)...))
	}
	d.Prepare(w)
	d.Unread(made)
	for _, v := range values(made) {
		if v == v {
			t.Fatalf("%g is in what nothing writes", v)
		}
	}
	for i, c := range cases {
		pass(c.between)
		want := wanted[i]
		if c.written {
			checkClose(t, c.name, values(made), want[:made.N])
		}
		checkClose(t, c.name, values(pooled), want[made.N:])
	}
	for _, p := range d.Prepared() {
		if p.Label != "conv forward" {
			t.Errorf("%+v", p)
		}
	}
	d.Label("conv forward")
	if n := testing.AllocsPerRun(20, func() { pass(relu) }); n > 0 {
		t.Errorf("%g allocations a pass", n)
	}
}

func checkClose(t *testing.T, name string, have, want []float32) {
	t.Helper()
	for i, v := range have {
		if !(math.Abs(float64(v-want[i])) < 1e-5) {
			t.Fatalf("%s: [%d] is %g, wanted %g", name, i, v, want[i])
		}
	}
}
