package host

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"testing"

	"dns-tui/gpu"
)

// Exponentials, logarithms and what is made of them have the same bits by AVX2, AVX-512 and NEON, which fuse the same
// operations: the hashes are of all. Go's are of its own library, which differs from one processor to another.
func TestFusedBits(t *testing.T) {
	random := func(stream uint32, n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = 32*gpu.Key{Seed: 3, Stream: stream}.Uniform(i) - 16 // exact products: nothing to fuse
		}
		for i, v := range []float32{0, 100, -100, 1e-9, 0.624, 0.626, -0.625, 88.4} {
			x[i*n/8] = v
		}
		return x
	}
	type bits struct {
		name string
		of   func(n int) []float32
	}
	cases := []bits{
		{"exponential", func(n int) []float32 {
			y := make([]float32, n)
			return y[:expVectors(random(1, n), y, 0.3)]
		}},
		{"sigmoid", func(n int) []float32 {
			y := make([]float32, n)
			return y[:sigmoidVectors(random(1, n), y)]
		}},
		{"hyperbolic tangent", func(n int) []float32 {
			y := make([]float32, n)
			return y[:tanhVectors(random(1, n), y)]
		}},
		{"largest", func(n int) []float32 {
			top, done := largestVector(random(1, n))
			return []float32{top, float32(done)}
		}},
		{"cells", func(n int) []float32 {
			x := gates{random(1, n), random(2, n), random(3, n), random(4, n)}
			c, h := make([]float32, n), make([]float32, n)
			cellForwardVectors(&x, random(5, n), c, h)
			return slices.Concat(x.i, x.f, x.o, x.g, c, h)
		}},
		{"gradient of cells", func(n int) []float32 {
			x, d := gates{random(1, n), random(2, n), random(3, n), random(4, n)}, gates{}
			for _, v := range []*[]float32{&d.i, &d.f, &d.o, &d.g} {
				*v = make([]float32, n)
			}
			before := make([]float32, n)
			cellVectors(&x, &d, random(5, n), random(6, n), random(7, n), before, random(8, n))
			return slices.Concat(d.i, d.f, d.o, d.g, before)
		}},
	}
	for _, c := range unaryCases() {
		of := newUnaryNumbers(c.f)
		name := fmt.Sprintf("function %d of %g", c.f.Op, c.f.A)
		cases = append(cases, bits{name, func(n int) (all []float32) {
			// A vector that is Go's is passed over.
			x, y := random(1, n), make([]float32, n)
			for i := 0; i < n; i += 8 {
				all = append(all, y[i:][:unaryVectors(c.f, &of, x[i:i+8], y[i:i+8])]...)
			}
			return all
		}}, bits{"gradient of " + name, func(n int) (all []float32) {
			x, y, dy, dx := random(1, n), random(2, n), random(3, n), make([]float32, n)
			for i := 0; i < n; i += 8 {
				done := unaryBackwardVectors(c.f, &of, x[i:i+8], y[i:i+8], dy[i:i+8], dx[i:i+8])
				all = append(all, dx[i:][:done]...)
			}
			return all
		}})
	}
	want := map[string]uint64{
		"exponential":                    0xc1c862abb5696b7a,
		"sigmoid":                        0xf8341608f6c7b706,
		"hyperbolic tangent":             0x1ba797c615541266,
		"largest":                        0xa86ca9fe64a5d2bf,
		"cells":                          0xf0566aed70d1158,
		"gradient of cells":              0xed5bb0270afdcee0,
		"function 7 of 0":                0xf8341608f6c7b706,
		"gradient of function 7 of 0":    0x263a6f3230b74b3,
		"function 9 of 0":                0x1ba797c615541266,
		"gradient of function 9 of 0":    0x3c0429fdf1d0a98c,
		"function 1 of 0":                0xbf4efd2af5ed6310,
		"gradient of function 1 of 0":    0x2c28af7fdee45ec6,
		"function 3 of 0.7":              0x840afaba03c6dc75,
		"gradient of function 3 of 0.7":  0x2b0879d88fbc8480,
		"function 4 of 0.75":             0x96c990174e07a7c8,
		"gradient of function 4 of 0.75": 0x7c774a7b79881791,
		"function 5 of 0.3":              0x5c31d9617245f5f8,
		"gradient of function 5 of 0.3":  0x25fd97072bbe2c12,
		"function 8 of 1.3":              0xea4f4feda1fe1717,
		"gradient of function 8 of 1.3":  0x520407b5bd007d13,
		"function 0 of 0":                0x3cc5b9c9f70e6b6a,
		"gradient of function 0 of 0":    0x2bccbc78ece633a1,
		"function 6 of -1":               0x631706999c9ecaec,
		"gradient of function 6 of -1":   0x11cf863ae4e1793d,
		"function 6 of -0.5":             0x9b820162c2f4d7c5,
		"gradient of function 6 of -0.5": 0xcbf29ce484222325,
		"function 6 of 0.5":              0xe3ceccbe845ca04e,
		"gradient of function 6 of 0.5":  0x99155e98e1825c63,
		"function 6 of 2":                0xa2774518c267735d,
		"gradient of function 6 of 2":    0x1dd186d521b9401c,
		"function 6 of 3":                0xacc5b6fa1215996c,
		"gradient of function 6 of 3":    0x142c5e2fec0861dc,
	}
	for _, set := range processorSets() {
		if set == GoSet || set == AVXSet {
			continue // these have some of them in Go
		}
		withSet(set, func() {
			for _, c := range cases {
				h := fnv.New64a()
				for n := 8; n < 200; n += 8 {
					_ = binary.Write(h, binary.LittleEndian, c.of(n))
				}
				if h.Sum64() != want[c.name] {
					t.Errorf("%s by %s: the bits have the hash %#x, wanted %#x", c.name, set, h.Sum64(), want[c.name])
				}
			}
		})
	}
}
