package gpu

import "math"

// Bins by magnitude are spaced by the logarithm: MagnitudeBinsPerOctave between a number and its double, so that a
// threshold of any size falls into a bin as narrow as 1/128 of itself. They are those of the upper bits of a float32,
// and hold for every layer alike: what a threshold for a whole net keeps is one sum over the layers' bins.
const (
	MagnitudeBinsPerOctave = 128
	magnitudeShift         = 16 // bits of a float32 that a bin does not tell apart
	// magnitudeTop is the first number beyond all bins but the last: 2^8. So bin 1 begins near 2^-38.9.
	magnitudeTop = (127 + 8) << (23 - magnitudeShift)
	// MagnitudeBase is what is taken off the upper bits of |x| to give its bin.
	MagnitudeBase = magnitudeTop - (HistogramBins - 1)
)

// MagnitudeBin is the bin of |x|: bin i > 0 holds MagnitudeEdge(i) <= |x| < MagnitudeEdge(i+1), bin 0 all that is less,
// the last all that is more, and NaN.
func MagnitudeBin(x float32) int {
	const abs = 1<<31 - 1
	return max(0, min(int(math.Float32bits(x)&abs>>magnitudeShift)-MagnitudeBase, HistogramBins-1))
}

// MagnitudeEdge is the least magnitude of bin i; 0 of the first, +Inf behind the last.
func MagnitudeEdge(i int) float32 {
	switch {
	case i <= 0:
		return 0
	case i >= HistogramBins:
		return float32(math.Inf(1))
	}
	return math.Float32frombits(uint32(i+MagnitudeBase) << magnitudeShift)
}
