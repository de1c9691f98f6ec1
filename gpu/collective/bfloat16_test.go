package collective

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// TestRound compares with the definition: the nearest number of 8 bits of precision; of two, the even one.
func TestRound(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, test := range []struct {
		x    float32
		want uint16
	}{
		{0, 0}, {float32(math.Copysign(0, -1)), 0x8000}, {1, 0x3f80}, {-2, 0xc000}, {inf, 0x7f80}, {-inf, 0xff80},
		{1 + 1.0/256, 0x3f80}, {1 + 3.0/256, 0x3f82}, // ties to even
		{1 + 1.0/256 + 1.0/(1<<20), 0x3f81}, {math.MaxFloat32, 0x7f80}, {math.SmallestNonzeroFloat32, 0},
		{math.Float32frombits(0x00018000), 2}, {math.Float32frombits(0x7fffffff), 0x7fff},
		{math.Float32frombits(0x7f800001), 0x7fc0}, {math.Float32frombits(0xffc00000), 0xffc0},
	} {
		for _, n := range []int{1, 16, 37} { // one by one, by vectors, and both
			x, got := make([]float32, n), make([]uint16, n)
			for i := range x {
				x[i] = test.x
			}
			round(got, x)
			for i, v := range got {
				if v != test.want {
					t.Errorf(
						"%v (%08x), %d of %d: %04x, wanted %04x",
						test.x,
						math.Float32bits(test.x),
						i,
						n,
						v,
						test.want,
					)
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		u := rapid.Uint32().Draw(t, "bits")
		x := math.Float32frombits(u)
		var got [1]uint16
		round(got[:], []float32{x})
		if x != x || math.IsInf(float64(x), 0) {
			return
		}
		below, above := uint16(u>>16), uint16(u>>16)+1
		exact := func(h uint16) *big.Float {
			if h&0x7fff == 0x7f80 { // as if the exponents went on
				return new(big.Float).SetMantExp(big.NewFloat(math.Copysign(1, float64(x))), 128)
			}
			return big.NewFloat(float64(math.Float32frombits(uint32(h) << 16)))
		}
		distance := func(h uint16) *big.Float {
			d := new(big.Float).Sub(exact(h), big.NewFloat(float64(x)))
			return d.Abs(d)
		}
		want := below
		if c := distance(above).Cmp(distance(below)); c < 0 || c == 0 && below&1 == 1 {
			want = above
		}
		if got[0] != want {
			t.Fatalf("%v: %04x, wanted %04x", x, got[0], want)
		}
	})
}

// TestVectors compares what is done by vectors with what is done one by one.
func TestVectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100).Draw(t, "n")
		numbers := func(name string) []float32 {
			x := make([]float32, n)
			for i, u := range rapid.SliceOfN(rapid.Uint32(), n, n).Draw(t, name) {
				x[i] = math.Float32frombits(u)
			}
			return x
		}
		a, b := numbers("a"), numbers("b")
		h, sum, half, wide := make([]uint16, n), make([]float32, n), append([]float32{}, a...), make([]float32, n)
		round(h, b)
		addTo(sum, a, b)
		addHalves(half, h)
		widen(wide, h)
		for i := range n {
			var one [1]uint16
			round(one[:], b[i:i+1])
			if w := math.Float32frombits(uint32(h[i]) << 16); one[0] != h[i] || !same(sum[i], a[i]+b[i]) ||
				!same(half[i], a[i]+w) || math.Float32bits(wide[i]) != uint32(h[i])<<16 {
				t.Fatalf("%d of %d: %v %v: %04x %04x, %v %v", i, n, a[i], b[i], one[0], h[i], sum[i], half[i])
			}
		}
	})
}

// same says whether two numbers have the same bits, or are both none: which bits a sum has that is none is left open.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}
