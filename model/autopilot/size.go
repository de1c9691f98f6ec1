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
//
// The file that export writes (caffe/compact) is smaller, for exponents of weights are in a Huffman code there too:
// 5,944 bytes where this says 7,167 (LeNet-5 at 310x), 14,998 for 20,044 (at 108x), 9,357 for 11,793 (LeNet-300-100
// at 114x). So a target in bytes is kept to, with a fifth to a third to spare.
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
