package host

import (
	"dns-tui/gpu"
)

// The functions below do eight elements at a time, and return how many they did.

func sumVectors(x []float32) (sum float32, done int) {
	n := vectorsOf(vecSum, x, 8)
	if n == 0 {
		return 0, 0
	}
	return sum8(&x[0], n), 8 * n
}

func dotVectors(x, y []float32) (dot float32, done int) {
	n := vectorsOf(vecDot, y, 8)
	if n == 0 {
		return 0, 0
	}
	_ = x[:8*n]
	return dot8(&x[0], &y[0], n), 8 * n
}

func deviationsVectors(x []float32, m float32) (sum float32, done int) {
	n := vectorsOf(vecDeviations, x, 8)
	if n == 0 {
		return 0, 0
	}
	return deviations8(&x[0], n, m), 8 * n
}

func sumDotVectors(x, y []float32) (sum, dot float32, done int) {
	n := vectorsOf(vecSumDot, y, 8)
	if n == 0 {
		return 0, 0, 0
	}
	_ = x[:8*n]
	sum, dot = sumDot8(&x[0], &y[0], n)
	return sum, dot, 8 * n
}

func scaleVectors(x, y []float32, a, b float32) int {
	n := vectorsOf(vecScale, y, 8)
	if n > 0 {
		_ = x[:8*n]
		scale8(&x[0], &y[0], n, a, b)
	}
	return 8 * n
}

func normalizeVectors(x, y []float32, m, r float32) int {
	n := vectorsOf(vecNormalize, y, 8)
	if n > 0 {
		_ = x[:8*n]
		normalize8(&x[0], &y[0], n, m, r)
	}
	return 8 * n
}

func normalizeBackwardVectors(y, dy, dx []float32, m, my, r float32) int {
	n := vectorsOf(vecNormalizeBackward, dx, 8)
	if n > 0 {
		_, _ = y[:8*n], dy[:8*n]
		normalizeBackward8(&y[0], &dy[0], &dx[0], n, m, my, r)
	}
	return 8 * n
}

// philoxNumbers is what four blocks of numbers are made of, each number in 64 bits, four times; unit, ratio and scale
// are dropout's. The assembler knows its offsets.
type philoxNumbers struct {
	keys        [10][2][4]uint64
	multipliers [2][4]uint64
	counter     [4][4]uint64
	unit        float32
	ratio       float32
	scale       float32
	_           float32
	next        [4]uint64
}

// dropoutVectors does elements from the one of a number on, a multiple of 4.
func dropoutVectors(x, y []float32, first int, ratio, scale float32, key gpu.Key) int {
	n := vectorsOf(vecDropout, y, 16)
	if n == 0 {
		return 0
	}
	_ = x[:16*n]
	a := newPhilox(key, first/4)
	a.unit, a.ratio, a.scale = 1.0/(1<<24), ratio, scale
	dropout16(&x[0], &y[0], n, &a)
	return 16 * n
}

// newPhilox is what blocks from the one of a number on are made of.
func newPhilox(key gpu.Key, first int) (a philoxNumbers) {
	rounds, multipliers, weyl := gpu.Philox()
	k := [2]uint32{uint32(key.Seed), uint32(key.Seed >> 32)}
	for r := range rounds {
		for i := range k {
			a.keys[r][i] = four(uint64(k[i]))
			k[i] += weyl[i]
		}
	}
	block := uint64(first)
	for i := range 4 {
		a.counter[0][i] = block + uint64(i)
	}
	a.multipliers = [2][4]uint64{four(uint64(multipliers[0])), four(uint64(multipliers[1]))}
	a.counter[1], a.counter[2] = four(uint64(key.Stream)), four(uint64(uint32(key.Iter)))
	a.counter[3], a.next = four(key.Iter>>32), four(4)
	return a
}

func four(v uint64) [4]uint64 { return [4]uint64{v, v, v, v} }
