package gpu

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestMagnitudeBins(t *testing.T) {
	for i := range HistogramBins {
		lo, hi := MagnitudeEdge(i), MagnitudeEdge(i+1)
		below := math.Nextafter32(hi, 0)
		if MagnitudeBin(lo) != i || MagnitudeBin(-lo) != i || MagnitudeBin(below) != i || lo >= hi {
			t.Fatalf("bin %d is [%g, %g), and holds neither %g nor %g", i, lo, hi, lo, below)
		}
		if i > 0 && i < HistogramBins-1 && hi/lo > 1+1.0/MagnitudeBinsPerOctave {
			t.Fatalf("bin %d is [%g, %g)", i, lo, hi)
		}
	}
	if lo, hi := MagnitudeEdge(1), MagnitudeEdge(HistogramBins-1); lo > 1e-11 || hi != 256 {
		t.Errorf("bins from %g to %g", lo, hi)
	}
	if MagnitudeBin(float32(math.NaN())) != HistogramBins-1 {
		t.Error("NaN is not in the last bin")
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float32().Draw(t, "x")
		a := float32(math.Abs(float64(x)))
		if i := MagnitudeBin(x); a < MagnitudeEdge(i) || a >= MagnitudeEdge(i+1) && !math.IsInf(float64(a), 0) {
			t.Errorf("%g in bin %d, [%g, %g)", x, i, MagnitudeEdge(i), MagnitudeEdge(i+1))
		}
	})
}
