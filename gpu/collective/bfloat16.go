package collective

import (
	"math"
	"unsafe"
)

// floats is bytes as numbers in the order of this processor's bytes, which all ranks have in common: the lowest first.
func floats(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func halves(b []byte) []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2)
}

// Bytes is numbers as bytes, as floats has them: the same memory.
func Bytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// whole is how much of n numbers vectors do; the rest is done one by one, to the same bits.
func whole(n int) int {
	if !vectors {
		return 0
	}
	return n &^ 15
}

// round writes x to 8 bits of precision, to the nearest, ties to even.
func round(to []uint16, x []float32) {
	to = to[:len(x)]
	n := whole(len(x))
	if n > 0 {
		roundVector(&to[0], &x[0], n)
	}
	for i := n; i < len(x); i++ {
		u := math.Float32bits(x[i])
		if u&0x7fffffff > 0x7f800000 { // not a number stays none: what rounding carries could make it infinite
			to[i] = uint16(u>>16) | 0x40
			continue
		}
		to[i] = uint16((u + 0x7fff + u>>16&1) >> 16)
	}
}

// widen is its reverse, which is exact.
func widen(to []float32, x []uint16) {
	x = x[:len(to)]
	n := whole(len(x))
	if n > 0 {
		widenVector(&to[0], &x[0], n)
	}
	for i := n; i < len(x); i++ {
		to[i] = math.Float32frombits(uint32(x[i]) << 16)
	}
}

// addHalves adds x to total.
func addHalves(total []float32, x []uint16) {
	x = x[:len(total)]
	n := whole(len(x))
	if n > 0 {
		addHalvesVector(&total[0], &x[0], n)
	}
	for i := n; i < len(x); i++ {
		total[i] += math.Float32frombits(uint32(x[i]) << 16)
	}
}

// addTo writes a + b.
func addTo(to, a, b []float32) {
	a, b = a[:len(to)], b[:len(to)]
	n := whole(len(to))
	if n > 0 {
		addVector(&to[0], &a[0], &b[0], n)
	}
	for i := n; i < len(to); i++ {
		to[i] = a[i] + b[i]
	}
}
