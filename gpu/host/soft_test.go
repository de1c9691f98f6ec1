package host

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"dns-tui/gpu"
)

// Forward weights of arrays have the bits that gpu.Soft gives each entry: of all kinds of numbers, next to the cut, in
// whole vectors and in what is left of them.
func TestForwardKept(t *testing.T) { eachSet(t, checkForwardKept) }

func checkForwardKept(t *testing.T) {
	const stride = 9973 // of the bits of a float32
	for _, s := range []gpu.Soft{
		{}, {Cut: 0.3, Exponent: 3}, {Cut: 1e-3, Exponent: 3}, {Cut: 1e-15, Exponent: 3}, {Cut: 1e-30, Exponent: 3},
		{Cut: 1e12, Exponent: 3},
		{Cut: 0.3, Exponent: 2}, {Cut: 0.3},
	} {
		var w []float32
		for at := uint64(0); at < 1<<32; at += stride {
			w = append(w, math.Float32frombits(uint32(at)))
		}
		bits := math.Float32bits(s.Cut)
		for i := range uint32(50) {
			v := math.Float32frombits(bits - min(bits, 25) + i)
			w = append(w, v, -v, v*1.5)
		}
		w = append(w, 0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)))
		m := make([]float32, len(w))
		for i := range m {
			if (i/7+i/64)%3 == 0 || i%5 == 0 {
				m[i] = gpu.Pruned
			}
		}
		was := slices.Clone(m)
		for lo := 0; lo < len(w); { // pieces of all lengths
			hi := min(lo+1+lo%71, len(w))
			forwardKept(s, m[lo:hi], w[lo:hi])
			lo = hi
		}
		for i, v := range w {
			want := gpu.Pruned
			if !gpu.IsPruned(was[i]) {
				want = s.Forward(v)
			}
			nan := math.IsNaN(float64(m[i])) && math.IsNaN(float64(want))
			if math.Float32bits(m[i]) != math.Float32bits(want) && !nan {
				t.Fatalf("%+v: the forward weight of %g is %g, wanted %g", s, v, m[i], want)
			}
		}
	}
}

// BenchmarkSoftRule measures updates and surgery of LeNet-5's weights under the soft rule with an exponent of 3, and
// without shrinking (hard), by the fraction that is kept.
func BenchmarkSoftRule(b *testing.B) {
	d := New(Options{})
	defer d.Close()
	const n = 431080
	tensor := func(v []float32) *gpu.Tensor {
		t, err := gpu.NewTensor(d, n)
		if err != nil {
			b.Fatal(err)
		}
		d.Upload(t, v)
		return t
	}
	v, none := make([]float32, n), make([]float32, n)
	for i := range v {
		v[i] = (gpu.Key{Seed: 1}).Uniform(i) - 0.5
	}
	w, grad, history, masked := tensor(v), tensor(none), tensor(none), tensor(none)
	for i := range v {
		v[i] = max(v[i], -v[i])
	}
	slices.Sort(v)
	for _, kept := range []float64{1, 0.5, 0.1, 0.01, 0.003} {
		cut := v[min(n-1, int((1-kept)*n))]
		for _, s := range []gpu.Soft{{Cut: cut}, {Cut: cut, Exponent: 3}} {
			name := fmt.Sprintf("%s, %g%% kept", map[bool]string{true: "hard", false: "soft"}[s.Hard()], 100*kept)
			b.Run("Surgery "+name, func(b *testing.B) {
				p := gpu.SurgeryParams{Rule: gpu.SoftRule, Soft: s, Measured: true, Redraw: true}
				var r gpu.SurgeryResult
				for b.Loop() {
					d.Surgery(&p, w, masked, nil, nil, &r)
				}
			})
			b.Run("Update "+name, func(b *testing.B) {
				p := gpu.UpdateParams{Momentum: 0.9, Scale: 1, Theta: 1, Soft: s}
				for b.Loop() {
					d.Update(p, w, grad, history, nil, masked)
				}
			})
		}
	}
}
