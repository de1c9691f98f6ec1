package solver

import (
	"testing"

	"pgregory.net/rapid"
)

// A run that goes on with other libraries says so in one line; with the same ones nothing.
func TestOtherComputedBy(t *testing.T) {
	blas, dnn, avx, avx2 := "OpenBLAS 0.3.21", "oneDNN 3.1.0", "vectors AVX-512", "vectors AVX2"
	for _, c := range []struct {
		then, now []string
		want      string
	}{
		{nil, nil, ""},
		{nil, []string{blas}, ""}, // an older snapshot
		{[]string{blas, dnn, avx}, []string{blas, dnn, avx}, ""},
		{[]string{blas, dnn, avx}, []string{blas, avx},
			"was OpenBLAS 0.3.21, oneDNN 3.1.0, vectors AVX-512; is OpenBLAS 0.3.21, vectors AVX-512: " +
				"the last bits may differ"},
		{[]string{blas, avx}, []string{blas, avx2},
			"was OpenBLAS 0.3.21, vectors AVX-512; is OpenBLAS 0.3.21, vectors AVX2: the last bits may differ"},
		{[]string{blas, jpegsBy + "Go"}, []string{blas}, ""}, // has read none yet
		{[]string{blas}, []string{blas, jpegsBy + "Go"}, ""},
		{[]string{blas, jpegsBy + "Go"}, []string{blas, jpegsBy + "libjpeg-turbo"},
			"was OpenBLAS 0.3.21, JPEGs by Go; is OpenBLAS 0.3.21, JPEGs by libjpeg-turbo: the last bits may differ"},
	} {
		if have := OtherComputedBy(c.then, c.now); have != c.want {
			t.Errorf("%q, then %q: %q, wanted %q", c.then, c.now, have, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{blas, dnn, avx, jpegsBy + "Go"}))
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		if OtherComputedBy(a, a) != "" || (OtherComputedBy(a, b) == "") != (OtherComputedBy(b, a) == "") {
			t.Errorf("%q and %q: %q, %q", a, b, OtherComputedBy(a, b), OtherComputedBy(b, a))
		}
	})
}

// Ranks that compute by others are named, those of a kind together.
func TestRanksComputedBy(t *testing.T) {
	a, b := []string{"OpenBLAS 0.3.21", "vectors AVX2"}, []string{"gonum", "vectors AVX2"}
	for _, c := range []struct {
		lists [][]string
		want  string
	}{
		{[][]string{a}, ""},
		{[][]string{a, a, a}, ""},
		{[][]string{a, b, a}, "the ranks do not compute by the same: ranks 0, 2 by OpenBLAS 0.3.21, vectors AVX2; " +
			"rank 1 by gonum, vectors AVX2: the last bits may differ from those of ranks that do"},
	} {
		if have := ranksComputedBy(c.lists); have != c.want {
			t.Errorf("%q: %q, wanted %q", c.lists, have, c.want)
		}
	}
}
