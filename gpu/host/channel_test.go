package host

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Sums by vector instructions are those in float64 but for rounding; the rest has the bits that Go makes.
func TestChannelVectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 3, 8, 31, 32, 47, 64, 2048, 2055, 5000}).Draw(t, "length")
		key := gpu.Key{Seed: rapid.Uint64().Draw(t, "seed")}
		x, y, z := make([]float32, n), make([]float32, n), make([]float32, n)
		var sum, dot, deviations, size float64
		m, r, b := key.Uniform(3*n), key.Uniform(3*n+1), key.Uniform(3*n+2)
		for i := range x {
			x[i], y[i] = key.Uniform(i)-0.3, key.Uniform(n+i)-0.6
			sum, dot = sum+float64(x[i]), dot+float64(x[i])*float64(y[i])
			deviations += (float64(x[i]) - float64(m)) * (float64(x[i]) - float64(m))
			size += math.Abs(float64(x[i])) + 1
		}
		near := func(what string, have, want float64) {
			if math.Abs(have-want) > 1e-6*size {
				t.Fatalf("%s of %d is %g, wanted %g", what, n, have, want)
			}
		}
		near("the sum", sum32(x), sum)
		near("the dot product", dot32(x, y), dot)
		near("the sum of squares", squares32(x, m), deviations)
		s, p := sumDot32(y, x)
		near("the sum beside products", s, sum)
		near("the sum of products", p, dot)
		same := func(what string, done int, want func(i int) float32) {
			for i := range done {
				if math.Float32bits(z[i]) != math.Float32bits(want(i)) {
					t.Fatalf("%s: [%d] of %d is %g, wanted %g", what, i, n, z[i], want(i))
				}
			}
		}
		same("scaled", scaleVectors(x, z, r, b), func(i int) float32 { return float32(r*x[i]) + b })
		same("normalized", normalizeVectors(x, z, m, r), func(i int) float32 { return (x[i] - m) * r })
		done := normalizeBackwardVectors(x, y, z, m, b, r)
		same("the gradient", done, func(i int) float32 { return (y[i] - m - float32(x[i]*b)) * r })
		first := 4 * rapid.IntRange(0, 1<<28).Draw(t, "first")
		key.Stream, key.Iter = rapid.Uint32().Draw(t, "stream"), rapid.Uint64().Draw(t, "iteration")
		same("with dropout", dropoutVectors(x, z, first, r, 1/(1-r), key), func(i int) float32 {
			if key.Uniform(first+i) >= r {
				return x[i] * (1 / (1 - r))
			}
			return 0
		})
	})
}
