package host

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Sums by vector instructions are those in float64 but for rounding; the rest has the bits that Go makes.
func TestChannelVectors(t *testing.T) { eachSet(t, checkChannelVectors) }

func checkChannelVectors(t *testing.T) {
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

// BatchNorm's passes by vectors have the bits of Go, but for the sums of its gradient, which are those in float64 but
// for rounding.
func TestBatchNormVectors(t *testing.T) { eachSet(t, checkBatchNormVectors) }

func checkBatchNormVectors(t *testing.T) {
	number := rapid.OneOf(rapid.Float32Range(-2, 2), rapid.SampledFrom(oddNumbers))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "length")
		random := func(name string) []float32 { return rapid.SliceOfN(number, n, n).Draw(t, name) }
		of := channelNumbers{floor: rapid.SampledFrom([]float32{0, float32(math.Inf(-1))}).Draw(t, "floor")}
		for _, v := range []*float32{
			&of.mean, &of.reciprocal, &of.a, &of.b, &of.slope, &of.meanG, &of.meanGNorm,
		} {
			*v = rapid.Float32Range(-2, 2).Draw(t, "number")
		}
		x, dy := random("x"), random("dy")
		run := func() (all [][]float32) {
			norm, y, dx, dNorm := make([]float32, n), make([]float32, n), make([]float32, n), slices.Clone(dy)
			of.normalize(x, norm, y)
			of.gradient(norm, dNorm, dx)
			inPlace := slices.Clone(dy)
			of.gradient(norm, inPlace, inPlace)
			return [][]float32{norm, y, dx, dNorm, inPlace}
		}
		have := run()
		var want [][]float32
		withSet(GoSet, func() { want = run() })
		for i, v := range want {
			for j, w := range v {
				if h := have[i][j]; math.Float32bits(h) != math.Float32bits(w) && (h == h || w == w) {
					t.Fatalf("result %d: [%d] of %d is %g, wanted %g", i, j, n, h, w)
				}
			}
		}
		norm := rapid.SliceOfN(rapid.Float32Range(-2, 2), n, n).Draw(t, "norm")
		dy = rapid.SliceOfN(rapid.Float32Range(-2, 2), n, n).Draw(t, "finite dy")
		sum, dot := of.sums(norm, dy)
		var wantSum, wantDot float64
		for i, v := range norm {
			g := float64(of.of(v, dy[i]))
			wantSum, wantDot = wantSum+g, wantDot+g*float64(v)
		}
		if math.Abs(sum-wantSum) > 1e-4 || math.Abs(dot-wantDot) > 1e-4 {
			t.Fatalf("sums are %g and %g, wanted %g and %g", sum, dot, wantSum, wantDot)
		}
	})
}

// Powers, sigmoids and hyperbolic tangents by vector instructions are within a few units of the last place.
func TestExps(t *testing.T) { eachSet(t, checkExps) }

func checkExps(t *testing.T) {
	var x []float32
	for v := -110.0; v < 88; v += 0.0137 {
		x = append(x, float32(v), float32(v/100), float32(v/1e6))
	}
	nan := float32(math.NaN())
	x = append(x, 0, float32(math.Copysign(0, -1)), 0.625, -0.625, float32(math.Inf(-1)), nan, nan, nan, nan, nan, nan)
	x = x[:len(x)/8*8]
	y := make([]float32, len(x))
	check := func(what string, truth func(float64) float64, absolute, relative float64) {
		t.Helper()
		for i, v := range x {
			want, have := truth(float64(v)), float64(y[i])
			if want != want && have != have {
				continue
			}
			if !(math.Abs(have-want) <= absolute+relative*math.Abs(want)) {
				t.Fatalf("%s of %g is %g, wanted %g", what, v, have, want)
			}
		}
	}
	exps(x, y, 1)
	check("the power", func(v float64) float64 { return math.Exp(float64(float32(v) - 1)) }, 2e-38, 2e-7)
	sigmoids(x, y)
	check("the sigmoid", func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }, 1e-38, 3e-7)
	tanhs(x, y)
	check("the hyperbolic tangent", math.Tanh, 0, 2e-7)
}
