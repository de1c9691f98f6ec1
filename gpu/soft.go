package gpu

import "math"

// Soft says what the forward weights of kept entries are under the soft rule; the zero value is that of the other
// rules, M = W. With c the Cut and p the Exponent, an entry w with T = 1 has
//
//	M = sign(w)·(|w|^p - c^p)^(1/p)   where |w| > c
//	M = +0                            elsewhere
//
// so a weight that is spliced enters at 0, and one that is pruned leaves from 0. p = 1 is soft thresholding (ST-3:
// Vanderschueren and De Vleeschouwer, WACV 2023), p = 3 comes close to W soon after c (Feather: Glentis Georgoulakis
// et al., BMVC 2023), and p = ∞, which an Exponent of 0 stands for, is the hard rule.
type Soft struct {
	Cut      float32 // c, a magnitude of weights; 0 is M = W
	Exponent float32 // p; 0 is infinity
}

// Hard reports whether M = W where T = 1.
func (s Soft) Hard() bool { return s.Cut <= 0 || s.Exponent <= 0 }

// Forward returns the forward weight of a kept entry. For an exponent of 1, 2 or 3 all devices give the same bits.
func (s Soft) Forward(w float32) float32 {
	if s.Hard() {
		return Kept(w)
	}
	const sign = 1 << 31
	bits := math.Float32bits(w)
	a := math.Float32frombits(bits &^ sign)
	if a <= s.Cut {
		return 0
	}
	return Kept(math.Float32frombits(math.Float32bits(s.magnitude(a)) | bits&sign)) // it may be too small for a float32
}

// magnitude is (a^p - c^p)^(1/p) of an a > c, and a NaN of a NaN. Each product is rounded on its own, as on a GPU.
func (s Soft) magnitude(a float32) float32 {
	c := s.Cut
	switch s.Exponent {
	case 1:
		return a - c
	case 2:
		return float32(math.Sqrt(float64(float32((a - c) * (a + c)))))
	case 3: // a³ - c³ without the loss of a difference of cubes
		square := float32(a*a) + float32(a*c)
		return cbrt(float32((a - c) * (square + float32(c*c))))
	}
	p, ratio := float64(s.Exponent), float64(c)/float64(a)
	return float32(float64(a) * math.Pow(1-math.Pow(ratio, p), 1/p))
}

// cbrt is the cube root of a number from 0 on, to some 2 units in the last place: a third of the exponent, and two
// steps of Halley's method, t ← t·(t³ + 2x)/(2t³ + x), each of which leaves the cube of the error before.
func cbrt(x float32) float32 {
	const third = 0x2a5137a0 // 2/3·127·2^23, less what makes the first guess's error the same on both sides
	if x == 0 {
		return 0
	}
	t := math.Float32frombits(math.Float32bits(x)/3 + third)
	for range 2 {
		cube := float32(float32(t*t) * t)
		t = float32(t*(cube+float32(2*x))) / (float32(2*cube) + x)
	}
	return t
}
