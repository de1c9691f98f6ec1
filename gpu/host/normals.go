package host

import "dns-tui/gpu"

// FillNormals sets y to mean + std·N(0, 1), of the numbers of key from the one of a number on, which is even: every
// pair is gpu.Key.Normals. The floor is 4 bytes an element, written; a pair takes a block of Philox, a logarithm, a
// sine and a cosine.
func FillNormals(key gpu.Key, first int, mean, std float32, y []float32) {
	pair := first / 2
	for i := normalVectors(key, pair, mean, std, y); i < len(y); i += 2 {
		a, b := key.Normals(pair + i/2)
		y[i] = mean + float32(std*float32(a))
		if i+1 < len(y) {
			y[i+1] = mean + float32(std*float32(b))
		}
	}
}

// normalNumbers are what pairs are made of. The assembler knows their offsets.
type normalNumbers struct {
	philox    philoxNumbers
	mean, std float32
}

// normalVectors does four pairs at a time, and returns how many elements it did.
func normalVectors(key gpu.Key, pair int, mean, std float32, y []float32) int {
	n := vectorsOf(vecNormals, y, 8)
	if n > 0 {
		a := normalNumbers{newPhilox(key, pair), mean, std}
		normals8(&y[0], n, &a)
	}
	return 8 * n
}

// FillUniform sets y to low + (high - low)·u, u the numbers of key in [0, 1) from the one of a number on, a multiple of
// 4. It has the same bits on every processor.
func FillUniform(key gpu.Key, first int, low, high float32, y []float32) {
	width := high - low
	for i := uniformVectors(key, first/4, low, width, y); i < len(y); i += 4 {
		block := key.Block(uint32((first + i) >> 2))
		for j, u := range block[:min(4, len(y)-i)] {
			y[i+j] = low + float32(width*gpu.UnitFloat(u))
		}
	}
}

// uniformVectors does four blocks at a time, and returns how many elements it did.
func uniformVectors(key gpu.Key, block int, low, width float32, y []float32) int {
	n := vectorsOf(vecUniforms, y, 16)
	if n > 0 {
		a := newPhilox(key, block)
		a.unit, a.ratio, a.scale = 1.0/(1<<24), low, width
		uniforms16(&y[0], n, &a)
	}
	return 16 * n
}
