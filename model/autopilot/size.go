package autopilot

import "math"

// What FileBytes goes by: float32 values, and for each layer its name, shape and counts.
const (
	valueBytes = 4
	tableBytes = 32
)

// FileBytes estimates the bytes of a layer in a compact file with kept of its entries: the places of the kept ones as
// gaps between them, coded to what they tell, and their values as float32. With n entries of which k are kept that is
//
//	n·H(k/n)/8 + 4·k, H(p) = -p·log2(p) - (1-p)·log2(1-p)
//
// or 4·n where that is less, and 32 for the layer. At a sparsity of 99 % it comes to about 5 bytes an entry (Han, Mao
// and Dally, ICLR 2016, have gaps of 5 and 8 bits). It rises with kept.
func FileBytes(total, kept int) float64 {
	if kept <= 0 || total <= 0 {
		return tableBytes
	}
	n, k := float64(total), float64(min(kept, total))
	places := k * math.Log2(n/k)
	if k < n {
		places += (n - k) * math.Log2(n/(n-k))
	}
	return tableBytes + min(places/8+valueBytes*k, valueBytes*n)
}
