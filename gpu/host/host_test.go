package host

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
	"dns-tui/gpu/devicetest"
)

func TestConformance(t *testing.T) {
	for _, o := range []Options{{Threads: 1}, {Threads: 4}, {Threads: 2, GoBLAS: true}} {
		t.Run(fmt.Sprintf("threads=%d,go=%t", o.Threads, o.GoBLAS), func(t *testing.T) {
			devicetest.Run(t, func() *gpu.Device { return New(o) })
		})
	}
	sets := processorSets()
	for _, s := range sets[:len(sets)-1] {
		t.Run("vectors="+s.String(), func(t *testing.T) {
			withSet(s, func() { devicetest.Run(t, func() *gpu.Device { return New(Options{Threads: 2}) }) })
		})
	}
}

func TestMissingOpenBLASIsSaid(t *testing.T) {
	t.Setenv("DNS_TUI_OPENBLAS", "/nonexistent/libopenblas.so")
	d := New(Options{Threads: 1})
	defer d.Close()
	c := d.Capabilities()
	if c.BLAS != "gonum" || len(c.Notices) != 1 {
		t.Errorf("without OpenBLAS: BLAS %q, notices %q; wanted gonum and one notice", c.BLAS, c.Notices)
	}
}

// BenchmarkKernel measures single kernels against their floor: bytes at the memory's speed.
func BenchmarkKernel(b *testing.B) {
	d := New(Options{})
	defer d.Close()
	const n = 1 << 22
	alloc := func() *gpu.Tensor {
		t, err := gpu.NewTensor(d, n)
		if err != nil {
			b.Fatal(err)
		}
		d.Fill(t, 0.5)
		return t
	}
	w, g, h, m := alloc(), alloc(), alloc(), alloc()
	key := gpu.Key{Seed: 1}
	v := make([]float32, n)
	for i := range v {
		v[i] = key.Uniform(i) - 0.5
	}
	d.Upload(w, v)
	d.Upload(m, v)
	var r gpu.SurgeryResult
	step := gpu.UpdateParams{Rate: 0.01, Momentum: 0.9, Decay: 1e-4, Scale: 1, Theta: 1}
	for _, c := range []struct {
		name  string
		bytes int64
		run   func()
	}{
		{"Copy", 8 * n, func() { d.Copy(g, h) }},
		{"Update", 28 * n, func() { d.Update(step, w, g, h, nil, nil) }},
		{"UpdateMasked", 36 * n, func() { d.Update(step, w, g, h, nil, m) }},
		{"SeedSurgery", 20 * n, func() {
			d.Surgery(&gpu.SurgeryParams{Threshold: 1.281, Redraw: true}, w, m, nil, nil, &r)
		}},
		{"Histogram", 8 * n, func() { d.Surgery(&gpu.SurgeryParams{Histogram: true}, w, m, nil, nil, &r) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(c.bytes)
			b.ReportAllocs()
			for b.Loop() {
				c.run()
			}
		})
	}
}

// Vector instructions make the bits that Go does, whatever the length.
func TestElementwise(t *testing.T) { eachSet(t, checkElementwise) }

func checkElementwise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)),
			float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))}))
		n := rapid.IntRange(0, 40).Draw(t, "length")
		x := rapid.SliceOfN(number, n, n).Draw(t, "x")
		y := rapid.SliceOfN(number, n, n).Draw(t, "y")
		same := func(name string, i int, have, want float32) {
			if math.Float32bits(have) != math.Float32bits(want) && !(have != have && want != want) {
				t.Fatalf("%s of %g and %g is %g, wanted %g", name, x[i], y[i], have, want)
			}
		}
		sum, top := append([]float32(nil), y...), make([]float32, n)
		for i := range addVectors(x, sum) {
			same("the sum", i, sum[i], y[i]+x[i])
		}
		for i := range mulVectors(x, y, top) {
			same("the product", i, top[i], x[i]*y[i])
		}
		slope := number.Draw(t, "slope")
		copy(top, y)
		for i := range squaresVectors(x, top, slope) {
			same("the sum with a square", i, top[i], y[i]+float32(float32(slope*x[i])*x[i]))
		}
		copy(top, y)
		for i := range ratiosVectors(x, y, x, top) {
			same("the sum with a ratio", i, top[i], y[i]+float32(float32(x[i]*y[i])/x[i]))
		}
		for i := range reluBackwardVectors(x, y, top, slope) {
			want := y[i]
			if !(x[i] > 0) {
				want *= slope
			}
			same("the gradient of ReLU", i, top[i], want)
		}
		for _, b := range []float32{0, 1, number.Draw(t, "b")} {
			copy(top, y)
			for i := range axpbyVectors(x, top, slope, b) {
				want := float32(slope * x[i])
				if b != 0 {
					want += float32(b * y[i])
				}
				same("the sum of multiples", i, top[i], want)
			}
		}
		scale, shift := number.Draw(t, "scale"), number.Draw(t, "shift")
		for _, e := range []float32{-0.75, -1.75, 0.5} {
			powers(x, top, scale, shift, e)
			for i, have := range top {
				same(fmt.Sprintf("the power %g", e), i, have, pow(shift+float32(scale*x[i]), e))
			}
		}
		for i := range leakyVectors(x, top, slope) {
			same("ReLU with a slope", i, top[i], max(x[i], 0)+float32(slope*min(x[i], 0)))
		}
		for i := range reluVectors(x, top) {
			same("the larger of 0", i, top[i], max(x[i], 0))
		}
	})
}

// upload makes a tensor of numbers.
func upload(t interface{ Fatal(...any) }, d *gpu.Device, v []float32) *gpu.Tensor {
	x, err := gpu.NewTensor(d, len(v))
	if err != nil {
		t.Fatal(err)
	}
	d.Upload(x, v)
	return x
}
