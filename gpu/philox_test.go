package gpu

import (
	"math"
	"testing"
)

// The known answers of Random123's Philox4x32-10.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{
			[4]uint32{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
			[2]uint32{0xffffffff, 0xffffffff},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		},
		{
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		if got := philox(c.counter, c.key); got != c.want {
			t.Errorf("philox(%x, %x) = %x, wanted %x", c.counter, c.key, got, c.want)
		}
	}
}

func TestUniform(t *testing.T) {
	k := Key{Seed: 3, Stream: 4, Iter: 5}
	const n = 100000
	sum := 0.0
	for i := range n {
		u := k.Uniform(i)
		if u < 0 || u >= 1 {
			t.Fatalf("Uniform(%d) = %g", i, u)
		}
		sum += float64(u)
	}
	if math.Abs(sum/n-0.5) > 0.005 {
		t.Errorf("mean of %d uniform numbers is %g", n, sum/n)
	}
	if k.Uniform(7) != k.Uniform(7) || k.Uniform(7) == (Key{Seed: 3, Stream: 4, Iter: 6}).Uniform(7) {
		t.Error("a number must depend on its key alone, and on all of it")
	}
}

func TestKept(t *testing.T) {
	negZero := float32(math.Copysign(0, -1))
	if !IsPruned(Pruned) || IsPruned(0) || IsPruned(Kept(negZero)) || Kept(-1.5) != -1.5 {
		t.Error("only -0 is pruned, and a kept weight is never -0")
	}
}
