package host

import (
	"slices"
	"unsafe"

	"gonum.org/v1/gonum/blas/gonum"

	"dns-tui/gpu"
)

// What little is kept of weights, forward weights and gradients, is computed alone. A dense product multiplies some ten
// times faster, and looks for nothing, so it is better where much is kept.

// The rules, where nothing is measured (see crossover).

// gradientCrossover is the fraction kept up to which the gradients of kept weights alone are faster than a dense
// product, for the convolutions of LeNet-5 and AlexNet (BenchmarkKeptOnly: 0.2 to 0.3).
const gradientCrossover = 0.2

// convCrossover is that of a convolution and of the gradient of its inputs. What a dense product needs beside its
// multiplications, columns, is shared by few output channels where a group has few (BenchmarkPruned: 0.3 for 384,
// about 1 for 20 to 50). Where all is kept it stays dense.
func convCrossover(g *gpu.ConvGeometry) float64 {
	s := sizesOf(g)
	if s.direct || s.cols < 32 { // no columns, or vectors so short that they take as long as those
		return 0.2
	}
	return min(0.9, 0.2+15/float64(s.outPerGroup))
}

// productCrossover is that of an inner product, of vectors that are as long as the batch. Where they are short, looking
// for the next entry that is kept takes longer than they do (0.005 for 16 images, 0.02 for 64, 0.08 for 256).
func productCrossover(length int) float64 { return min(0.2, float64(length)/3200) }

// inCaches is how many weights a product reads by columns. Beyond the caches each row of a piece is in a page of its
// own, and a dense product is faster (AlexNet's fc6 in BenchmarkPruned).
const inCaches = 4 << 20

// dot is the inner product of two vectors of one length. Its sum is made in an order that depends on where y lies
// modulo 16 bytes; so y is scratch memory that begins on such a boundary, and the same operands have the same sum.
func dot(x, y []float32) float32 { return gonum.Implementation{}.Sdot(len(y), x, 1, y, 1) }

// wholeVectors is what vectors in scratch memory are rounded up to: dot has no rest to do then, and they begin on a
// boundary of 16 bytes.
const wholeVectors = 16

func roundUp(n int) int { return (n + wholeVectors - 1) / wholeVectors * wholeVectors }

// room returns n elements of scratch memory, which grows now and then.
func room[T any](scratch *[]T, n int) []T {
	*scratch = slices.Grow((*scratch)[:0], n)[:n]
	return *scratch
}

// nextKept returns the first position from i on whose entry is kept, or len(m). Eight pruned entries are passed over at
// once: mostly there are hundreds between two that are kept, and looking for these is most of the work.
func nextKept(m []float32, i int) int {
	for i+8 <= len(m) && allPruned((*[8]float32)(m[i:])) {
		i += 8
	}
	for i < len(m) && gpu.IsPruned(m[i]) {
		i++
	}
	return i
}

// allPruned reports whether none of eight entries is kept.
func allPruned(m *[8]float32) bool {
	const pruned = 1<<63 | 1<<31 // two entries
	v := (*[4]uint64)(unsafe.Pointer(m))
	return (v[0]^pruned)|(v[1]^pruned)|(v[2]^pruned)|(v[3]^pruned) == 0
}

// sparse reports whether at most limit of m is kept, by a sample.
func sparse(m []float32, limit float64) bool { return keptFraction(m, limit) <= limit }

// keptFraction is the fraction of m that is kept, by a sample of it that depends on its length alone. It counts no
// further than it must to know that it is above a limit, and returns some number above it then, so that a layer where
// all is kept costs next to nothing.
func keptFraction(m []float32, limit float64) float64 {
	const samples, length = 256, 64
	of := min(len(m), samples*length)
	most, whole := limit*float64(of), of == len(m)
	kept := 0
	for i := range (of + length - 1) / length {
		at := i * length
		if !whole {
			// Multiples of the golden ratio, modulo 1, are spread evenly, and meet no period of a matrix.
			at = int(uint64(uint32(i)*0x9e3779b9) * uint64(len(m)-length) >> 32)
		}
		if kept += countKept(m[at:min(at+length, len(m))]); float64(kept) > most {
			break
		}
	}
	return float64(kept) / float64(max(1, of))
}

func countKept(m []float32) int {
	n := 0
	for _, v := range m {
		n += int(bit(!gpu.IsPruned(v)))
	}
	return n
}
