package gpu

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestSoft(t *testing.T) {
	for _, c := range []struct {
		soft    Soft
		w, want float64
	}{
		{Soft{}, 0.3, 0.3},
		{Soft{Cut: 0.5}, 0.3, 0.3}, // p = ∞: the mask alone decides
		{Soft{Exponent: 3}, -0.3, -0.3},
		{Soft{0.5, 1}, 0.75, 0.25},
		{Soft{0.5, 1}, -0.75, -0.25},
		{Soft{0.5, 1}, 0.5, 0},
		{Soft{0.5, 1}, -0.25, 0},
		{Soft{3, 2}, 5, 4},
		{Soft{3, 2}, -5, -4},
		{Soft{3, 3}, 4, math.Cbrt(64 - 27)},
		{Soft{0.1, 3}, 5, math.Cbrt(125 - 0.001)},
		{Soft{2, 4}, 3, math.Pow(81-16, 0.25)},
		{Soft{2, 1.5}, -3, -math.Pow(math.Pow(3, 1.5)-math.Pow(2, 1.5), 1/1.5)},
	} {
		if got := float64(c.soft.Forward(float32(c.w))); math.Abs(got-c.want) > 1e-6*math.Abs(c.want) {
			t.Errorf("%+v of %g is %g, wanted %g", c.soft, c.w, got, c.want)
		}
	}
	for _, s := range []Soft{{}, {1, 3}, {1, 1}} {
		if z := s.Forward(Pruned); math.Signbit(float64(z)) {
			t.Errorf("%+v: a kept zero is -0, which a pruned one is", s)
		}
		small := Soft{1e-20 * s.Cut, s.Exponent}
		if z := small.Forward(-1.5e-20); IsPruned(z) {
			t.Errorf("%+v: what is left of a kept weight is too small, and then it is pruned", small)
		}
		if v := s.Forward(float32(math.NaN())); v == v {
			t.Errorf("%+v of NaN is %g", s, v)
		}
	}
}

// Forward weights grow with the weights, are never beyond them, and come closer to them the larger p is.
func TestSoftProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cut := rapid.Float32Range(1e-6, 10).Draw(t, "cut")
		w := rapid.Float32Range(0, 100).Draw(t, "w")
		more := rapid.Float32Range(0, 100).Draw(t, "more") + w
		last := float32(0)
		for _, p := range []float32{1, 1.5, 2, 3, 7} {
			s := Soft{cut, p}
			m := s.Forward(w)
			slack := 4e-7 * w
			switch {
			case m < last-slack || m > w+slack:
				t.Errorf("p %g, c %g: %g of %g, after %g", p, cut, m, w, last)
			case s.Forward(-w) != -m:
				t.Errorf("p %g, c %g: %g of %g, %g of its negative", p, cut, m, w, s.Forward(-w))
			case s.Forward(more) < m-4e-7*more:
				t.Errorf("p %g, c %g: %g of %g, but %g of %g", p, cut, m, w, s.Forward(more), more)
			case w <= cut && m != 0:
				t.Errorf("p %g, c %g: %g of %g", p, cut, m, w)
			}
			last = m
		}
	})
}

func TestCbrt(t *testing.T) {
	worst := 0.0
	for i := range 1 << 16 {
		x := float32(math.Ldexp(1+float64(i)/(1<<16), i%60-40))
		worst = max(worst, math.Abs(float64(cbrt(x))/math.Cbrt(float64(x))-1))
	}
	if worst > 2.5e-7 {
		t.Errorf("off by %.3g of the root", worst)
	}
	if cbrt(0) != 0 {
		t.Error("the root of 0 is not 0")
	}
}

func BenchmarkSoft(b *testing.B) {
	w := make([]float32, 1<<12)
	for i := range w {
		w[i] = Key{Seed: 1}.Uniform(i) + 0.01
	}
	for _, s := range []Soft{{}, {0.01, 1}, {0.01, 2}, {0.01, 3}, {0.01, 4}} {
		b.Run("p="+string(rune('0'+int(s.Exponent))), func(b *testing.B) {
			b.SetBytes(int64(4 * len(w)))
			var sum float32
			for b.Loop() {
				for _, v := range w {
					sum += s.Forward(v)
				}
			}
			sink = sum
		})
	}
}

var sink float32
