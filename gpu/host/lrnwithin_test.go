package host

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// What LRN within channels does by vectors has the bits of what it does one by one.
func TestLRNWithinVectors(t *testing.T) { eachSet(t, checkLRNWithinVectors) }

func checkLRNWithinVectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "length")
		key := gpu.Key{Seed: rapid.Uint64().Draw(t, "seed")}
		random := func(stream uint32, least float32) []float32 {
			v := make([]float32, n)
			for i := range v {
				v[i] = least + gpu.Key{Seed: key.Seed, Stream: stream}.Uniform(i)
			}
			return v
		}
		x, s, dy, dx, u := random(0, -0.5), random(1, 0), random(2, -0.5), random(3, 0), random(4, 0)
		same := func(what string, have, want []float32) {
			t.Helper()
			for i, v := range have {
				if math.Float32bits(v) != math.Float32bits(want[i]) {
					t.Fatalf("%s[%d] of %d is %g, wanted %g", what, i, n, v, want[i])
				}
			}
		}
		oneByOne := func(f func(lo, hi int)) {
			for i := range n {
				f(i, i+1)
			}
		}
		s2, y, y2 := append([]float32(nil), s...), make([]float32, n), make([]float32, n)
		normalizeWithin(x, s, y, 0.3, 0.75)
		oneByOne(func(lo, hi int) { normalizeWithin(x[lo:hi], s2[lo:hi], y2[lo:hi], 0.3, 0.75) })
		same("s", s, s2)
		same("y", y, y2)
		dx2, u2 := append([]float32(nil), dx...), append([]float32(nil), u...)
		withinGradients(x, s, dy, dx, u, 0.75, true)
		oneByOne(func(lo, hi int) {
			withinGradients(x[lo:hi], s[lo:hi], dy[lo:hi], dx2[lo:hi], u2[lo:hi], 0.75, true)
		})
		same("the gradient", dx, dx2)
		same("what is summed", u, u2)
		subtractProducts(x, u, dx, 0.7)
		oneByOne(func(lo, hi int) { subtractProducts(x[lo:hi], u[lo:hi], dx2[lo:hi], 0.7) })
		same("the difference", dx, dx2)
		for _, e := range []float32{-0.75, -1.75} {
			powers(s, y, 0.5, 1, e)
			oneByOne(func(lo, hi int) { powers(s[lo:hi], y2[lo:hi], 0.5, 1, e) })
			same("the power", y, y2)
		}
		step, count := rapid.IntRange(1, 9).Draw(t, "step"), rapid.IntRange(1, 5).Draw(t, "count")
		long := make([]float32, roundedUp(n)+(count-1)*step)
		copy(long, x)
		want := make([]float32, n)
		for i := range want {
			for j := range count {
				want[i] += long[i+j*step]
			}
		}
		sumShifted(long, n, step, count)
		same("the sum", long[:n], want)
	})
}
