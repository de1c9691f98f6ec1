package gpu

import (
	"math"
	"testing"
)

// Normal numbers are those of Box and Muller by package math: the same float32, but for one in a million at most, whose
// float64 lie on either side of where rounding turns.
func TestNormals(t *testing.T) {
	key, n, off := Key{Seed: 7, Stream: 3, Iter: 9}, 500000, 0
	var sum, squares float64
	for i := range n {
		block := key.Block(uint32(i))
		r := math.Sqrt(-2 * math.Log((float64(block[0])+1)/(1<<32)))
		sin, cos := math.Sincos(2 * math.Pi * (float64(block[1]) / (1 << 32)))
		a, b := key.Normals(i)
		for _, c := range [2][2]float64{{a, r * cos}, {b, r * sin}} {
			if math.Abs(c[0]-c[1]) > 4e-15 {
				t.Fatalf("pair %d has %.17g, wanted %.17g", i, c[0], c[1])
			}
			if float32(c[0]) != float32(c[1]) {
				off++
			}
			sum, squares = sum+c[0], squares+c[0]*c[0]
		}
	}
	if off > 1 {
		t.Errorf("%d of %d differ as float32", off, 2*n)
	}
	mean, variance := sum/float64(2*n), squares/float64(2*n)
	if math.Abs(mean) > 0.005 || math.Abs(variance-1) > 0.01 {
		t.Errorf("mean %g, variance %g; wanted 0 and 1", mean, variance)
	}
}

// The logarithm, sine and cosine are those of package math at the ends, too.
func TestNormalsFunctions(t *testing.T) {
	for _, u := range []float64{
		0x1p-32, 0x2p-32, 0x3p-32, 0.25, math.Sqrt2 / 2, 0.7071067811865475, 0.75, 1 - 0x1p-32, 1,
	} {
		if have, want := logOf(u), math.Log(u); math.Abs(have-want) > 1e-16*math.Max(1e-9, math.Abs(2*want)) {
			t.Errorf("log %g is %.17g, wanted %.17g", u, have, want)
		}
	}
	for i := range 4097 {
		x := 2 * math.Pi * (float64(i) / 4096)
		sin, cos := sincos(x)
		wantSin, wantCos := math.Sincos(x)
		if math.Abs(sin-wantSin) > 3e-16 || math.Abs(cos-wantCos) > 3e-16 {
			t.Fatalf("sine and cosine of %g are %.17g and %.17g, wanted %.17g and %.17g", x, sin, cos, wantSin, wantCos)
		}
	}
}
