package gpu

// Key names a sequence of random numbers: those of one stream (a layer, a data source) at one iteration of a run with
// one seed. The n-th number depends on nothing else, so it is the same on every device and in every order.
type Key struct {
	Seed   uint64
	Stream uint32
	Iter   uint64
}

const (
	philoxRounds = 10

	philoxM0 = 0xD2511F53
	philoxM1 = 0xCD9E8D57
	philoxW0 = 0x9E3779B9
	philoxW1 = 0xBB67AE85
)

// Block returns the n-th block of four uniform 32-bit numbers: Philox4x32-10 (Salmon et al., SC 2011) with the seed as
// key and (n, stream, iteration) as counter.
func (k Key) Block(n uint32) [4]uint32 {
	return philox(
		[4]uint32{n, k.Stream, uint32(k.Iter), uint32(k.Iter >> 32)},
		[2]uint32{uint32(k.Seed), uint32(k.Seed >> 32)},
	)
}

// Philox returns what a device makes Block's numbers of: how many rounds, the multipliers, and what is added to the
// keys after each round.
func Philox() (rounds int, multipliers, weyl [2]uint32) {
	return philoxRounds, [2]uint32{philoxM0, philoxM1}, [2]uint32{philoxW0, philoxW1}
}

func philox(c [4]uint32, k [2]uint32) [4]uint32 {
	c0, c1, c2, c3, k0, k1 := c[0], c[1], c[2], c[3], k[0], k[1] // in registers, which an array is not
	for range philoxRounds {
		p0, p1 := uint64(c0)*philoxM0, uint64(c2)*philoxM1
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0 += philoxW0
		k1 += philoxW1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Uniform returns the n-th number in [0, 1), a multiple of 2^-24.
func (k Key) Uniform(n int) float32 {
	b := k.Block(uint32(n >> 2))
	return UnitFloat(b[n&3])
}

// UnitFloat maps a uniform 32-bit number to [0, 1) by its upper 24 bits.
func UnitFloat(u uint32) float32 { return float32(u>>8) * (1.0 / (1 << 24)) }
