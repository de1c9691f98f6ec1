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

func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// round writes x to 8 bits of precision, to the nearest, ties to even.
func round(to []uint16, x []float32) {
	to = to[:len(x)]
	for i, v := range x {
		u := math.Float32bits(v)
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
	for i, v := range x {
		to[i] = math.Float32frombits(uint32(v) << 16)
	}
}

// addHalves adds x to total.
func addHalves(total []float32, x []uint16) {
	x = x[:len(total)]
	for i, v := range x {
		total[i] += math.Float32frombits(uint32(v) << 16)
	}
}

// addTo writes a + b.
func addTo(to, a, b []float32) {
	a, b = a[:len(to)], b[:len(to)]
	i := 0
	for ; i+8 <= len(to); i += 8 {
		t, p, q := (*[8]float32)(to[i:]), (*[8]float32)(a[i:]), (*[8]float32)(b[i:])
		t[0], t[1], t[2], t[3] = p[0]+q[0], p[1]+q[1], p[2]+q[2], p[3]+q[3]
		t[4], t[5], t[6], t[7] = p[4]+q[4], p[5]+q[5], p[6]+q[6], p[7]+q[7]
	}
	for ; i < len(to); i++ {
		to[i] = a[i] + b[i]
	}
}
