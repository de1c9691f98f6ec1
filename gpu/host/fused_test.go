package host

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"slices"
	"testing"

	"dns-tui/gpu"
)

// Statistics, sums, BatchNorm and updates by SGD have the same bits by AVX and by NEON, tails included: the hashes are
// of both. Go alone adds in another order.
func TestVectorBits(t *testing.T) {
	key := gpu.Key{Seed: 7}
	random := func(stream uint32, n int) []float32 {
		k, x := key, make([]float32, n)
		k.Stream = stream
		for i := range x {
			x[i] = 4*k.Uniform(i) - 2
		}
		return x
	}
	for _, c := range []struct {
		name string
		want uint64
		of   func(n int) []float32
	}{
		{"sum", 0x2799cc2e6ee18d1d, func(n int) []float32 { return singles(sum32(random(1, n))) }},
		{"dot product", 0xb8f79130abb9737a, func(n int) []float32 {
			return singles(dot32(random(1, n), random(2, n)))
		}},
		{"sum and dot product", 0xe1fbb8b16139cd41, func(n int) []float32 {
			return singles(sumDot32(random(1, n), random(2, n)))
		}},
		{"squares of deviations", 0x2d3cf5f2bf5e1042, func(n int) []float32 {
			return singles(squares32(random(1, n), 0.3))
		}},
		{"BatchNorm", 0xd724d915bd6a54d8, func(n int) []float32 { return batchNormBits(n, random) }},
		{"normalization", 0x37acc9d767a6ce73, func(n int) []float32 {
			y := make([]float32, n)
			k := normalizeKernel{
				gpu.ChannelShape{Outer: 1, Channels: 1, Inner: n},
				random(1, n), random(2, 1), []float32{1.7}, y, 0.7, 1e-5,
			}
			k.run(0, 1, 0)
			return y
		}},
		{"gradient of normalization", 0xec1a2029be6b6fb7, func(n int) []float32 {
			dx := make([]float32, n)
			k := normalizeBackwardKernel{
				gpu.ChannelShape{Outer: 1, Channels: 1, Inner: n}, random(1, n), random(2, n), []float32{1.7}, dx, 1e-5,
			}
			k.run(0, 1, 0)
			return dx
		}},
		{"limits of surgery", 0x8d22949bdac2eaa1, func(n int) (all []float32) {
			for i, mu := range random(1, n) {
				for r := range gpu.SoftRule + 1 {
					p := gpu.SurgeryParams{Rule: r, Threshold: random(2, n)[i]}
					low, high := p.Limits(mu, random(3, n)[i])
					all = append(all, singles(low, high)...)
				}
			}
			return all
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, s := range processorSets() {
				if s == GoSet {
					continue
				}
				h := fnv.New64a()
				withSet(s, func() {
					for n := 1; n < 70; n++ {
						for _, v := range c.of(n) {
							_ = binary.Write(h, binary.LittleEndian, v)
						}
					}
				})
				if h.Sum64() != c.want {
					t.Errorf("by %s the bits have the hash %#x, wanted %#x", s, h.Sum64(), c.want)
				}
			}
		})
	}
}

// singles are the halves of numbers' bits, none of which gets lost.
func singles(all ...float64) (x []float32) {
	for _, v := range all {
		b := math.Float64bits(v)
		x = append(x, math.Float32frombits(uint32(b)), math.Float32frombits(uint32(b>>32)))
	}
	return x
}

// batchNormBits is what BatchNorm with a Scale and a ReLU makes of three images of two channels, forward and backward.
func batchNormBits(n int, random func(uint32, int) []float32) []float32 {
	s := gpu.ChannelShape{Outer: 3, Channels: 2, Inner: n}
	size := 6 * n
	x, dy := random(1, size), random(2, size)
	after := after{a: random(3, 2), b: random(4, 2), relu: true, slope: 0.1}
	mean, variance, norm, y := make([]float32, 2), make([]float32, 2), make([]float32, size), make([]float32, size)
	forward := batchNormKernel{s, 1e-5, after, x, mean, variance, norm, y}
	forward.run(0, 2, 0)
	dx, da, db := make([]float32, size), make([]float32, 2), make([]float32, 2)
	back := batchNormBackwardKernel{s, 1e-5, after, norm, variance, dy, dx, da, db}
	back.run(0, 2, 0)
	return slices.Concat(mean, variance, norm, y, dx, da, db)
}
