package host

import "dns-tui/gpu"

// FillNormals sets y to mean + std·N(0, 1), of the numbers of key from the one of a number on, which is even: every pair
// is gpu.Key.Normals. The floor is 4 bytes an element, written; a pair takes a block of Philox, a logarithm, a sine and
// a cosine.
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
