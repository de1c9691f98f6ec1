package host

import (
	"math"
	"testing"

	"dns-tui/gpu"
)

// Normal numbers have the same bits by every set, wherever they begin.
func TestNormals(t *testing.T) {
	const most = 4096
	y := make([]float32, most+1)
	eachSet(t, func(t *testing.T) {
		for i, first := range []int{0, 2, 8, 1 << 20, 1<<33 - 4096, 1<<33 - 6} {
			key := gpu.Key{Seed: 0x123456789abcdef + uint64(i), Stream: uint32(i), Iter: uint64(i) << 33}
			for _, n := range []int{0, 1, 2, 7, 8, 9, 30, most} {
				y[n] = 7
				FillNormals(key, first, 0.5, 1e-2, y[:n])
				for j, have := range y[:n] {
					a, b := key.Normals((first + j) / 2)
					if j%2 == 1 {
						a = b
					}
					if want := 0.5 + float32(1e-2*float32(a)); math.Float32bits(have) != math.Float32bits(want) {
						t.Fatalf("number %d from %d on is %g, wanted %g", j, first, have, want)
					}
				}
				if y[n] != 7 {
					t.Fatalf("number %d of %d is written", n, n)
				}
			}
		}
	})
}

// Uniform numbers have the same bits by every set, wherever they begin.
func TestUniforms(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for i, first := range []int{0, 4, 20, 1 << 20, 1<<34 - 64, 1<<34 - 8} {
			key := gpu.Key{Seed: 0x123456789abcdef + uint64(i), Stream: uint32(i), Iter: uint64(i) << 33}
			for _, n := range []int{0, 1, 15, 16, 33, 1000} {
				y := make([]float32, n+1)
				y[n] = 7
				FillUniform(key, first, -0.25, 0.5, y[:n])
				for j, have := range y[:n] {
					want := -0.25 + float32(0.75*key.Uniform(first+j))
					if math.Float32bits(have) != math.Float32bits(want) {
						t.Fatalf("number %d from %d on is %g, wanted %g", j, first, have, want)
					}
				}
				if y[n] != 7 {
					t.Fatalf("number %d of %d is written", n, n)
				}
			}
		}
	})
}

// BenchmarkNormals measures a thread that makes 2^20 normal numbers, by each set.
func BenchmarkNormals(b *testing.B) {
	y := make([]float32, 1<<20)
	for _, s := range processorSets() {
		b.Run(s.String(), func(b *testing.B) {
			withSet(s, func() {
				b.SetBytes(int64(4 * len(y)))
				for b.Loop() {
					FillNormals(gpu.Key{Seed: 1}, 0, 0, 1, y)
				}
			})
		})
	}
}
