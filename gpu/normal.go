package gpu

import "math"

// Normals are the i-th pair of standard normal numbers: Box and Muller's transform of the first two numbers of the i-th
// block. They have the same bits on every processor, by vectors or not: each product, sum, quotient and root is rounded
// to a float64 by itself, none is fused, and the logarithm, sine and cosine are these here.
func (k Key) Normals(i int) (a, b float64) {
	block := k.Block(uint32(i))
	u1 := (float64(block[0]) + 1) * (1.0 / (1 << 32)) // in (0, 1]
	u2 := float64(block[1]) * (1.0 / (1 << 32))
	r := math.Sqrt(-2 * logOf(u1))
	sin, cos := sincos(float64(2 * math.Pi * u2))
	return r * cos, r * sin
}

// logOf is log u of a normal number above 0: u = 2^e·(1 + f), √½ <= 1 + f < √2, and log(1 + f) is f - f²/2 + s·(f²/2 +
// R(s²)) with s = f/(2 + f) and the polynomial R of fdlibm's e_log.c (Sun Microsystems, 1993). It is within 1 unit of
// the last place.
func logOf(u float64) float64 {
	const (
		ln2Hi = 6.93147180369123816490e-01
		ln2Lo = 1.90821492927058770002e-10
		l1    = 6.666666666666735130e-01
		l2    = 3.999999999940941908e-01
		l3    = 2.857142874366239149e-01
		l4    = 2.222219843214978396e-01
		l5    = 1.818357216161805012e-01
		l6    = 1.531383769920937332e-01
		l7    = 1.479819860511658591e-01
	)
	bits := math.Float64bits(u)
	e := int64(bits-math.Float64bits(math.Sqrt2/2)) >> 52
	f := math.Float64frombits(bits-uint64(e)<<52) - 1
	k := float64(e)
	s := f / (2 + f)
	s2 := float64(s * s)
	s4 := float64(s2 * s2)
	odd := l5 + float64(s4*l7)
	odd = l3 + float64(s4*odd)
	odd = l1 + float64(s4*odd)
	even := l4 + float64(s4*l6)
	even = l2 + float64(s4*even)
	r := float64(s2*odd) + float64(s4*even)
	half := float64(float64(0.5*f) * f)
	return float64(k*ln2Hi) - ((half - (float64(s*(half+r)) + float64(k*ln2Lo))) - f)
}

// sincos are those of an angle from 0 to 2π, by the polynomials of Cephes' sin.c (Moshier, 1989) for angles up to π/4:
// within 1 unit of the last place of the larger.
func sincos(x float64) (sin, cos float64) {
	const pi1, pi2, pi3 = 7.85398125648498535156e-1, 3.77489470793079817668e-8, 2.69515142907905952645e-15 // π/4
	octant := (int(float64(x*(4/math.Pi))) + 1) &^ 1
	y := float64(octant)
	z := ((x - float64(y*pi1)) - float64(y*pi2)) - float64(y*pi3)
	z2 := float64(z * z)
	poly := func(c *[6]float64) float64 {
		p := c[0]
		for _, k := range c[1:] {
			p = float64(p*z2) + k
		}
		return p
	}
	cos = (1 - float64(0.5*z2)) + float64(float64(z2*z2)*poly(&cosines))
	sin = z + float64(float64(z*z2)*poly(&sines))
	if octant&2 != 0 {
		sin, cos = cos, sin
	}
	if octant&4 != 0 {
		sin = -sin
	}
	if (octant+2)&4 != 0 {
		cos = -cos
	}
	return sin, cos
}

var (
	cosines = [6]float64{
		-1.13585365213876817300e-11, 2.08757008419747316778e-9, -2.75573141792967388112e-7, 2.48015872888517045348e-5,
		-1.38888888888730564116e-3, 4.16666666666665929218e-2,
	}
	sines = [6]float64{
		1.58962301576546568060e-10, -2.50507477628578072866e-8, 2.75573136213857245213e-6, -1.98412698295895385996e-4,
		8.33333333332211858878e-3, -1.66666666666666307295e-1,
	}
)
