package host

import (
	"slices"
	"testing"
)

// What only moves elements moves each to its place and leaves the others alone, by every set.
func TestMovedRows(t *testing.T) { eachSet(t, checkMovedRows) }

func checkMovedRows(t *testing.T) {
	const untouched = -1
	x := make([]float32, 8*40)
	for i := range x {
		x[i] = float32(i)
	}
	fresh := func(n int) []float32 { return slices.Repeat([]float32{untouched}, n) }
	same := func(have, want []float32, what string, sizes ...int) {
		t.Helper()
		if !slices.Equal(have, want) {
			t.Fatalf("%s of %v is %v, wanted %v", what, sizes, have, want)
		}
	}
	for m := 1; m <= 8; m++ {
		for n := 1; n <= 21; n++ {
			const step, to = 23, 9
			have, over, want := fresh(n*to), fresh((n-1)*to+8), fresh(n*to)
			for i := range m {
				for j := range n {
					want[j*to+i] = x[i*step+j]
				}
			}
			transposeBlock(x, step, have, to, m, n)
			same(have, want, "a transposition", m, n)
			transposeOver(x, step, over, to, m, n)
			for j := range n {
				same(over[j*to:][:m], want[j*to:][:m], "a column of a transposition that may write more", m, n, j)
			}
			// The same, of columns that overlap: each writes what it has over what the one before wrote behind its own.
			dense := fresh((n-1)*m + 8)
			transposeOver(x, step, dense, m, m, n)
			for j := range n {
				same(dense[j*m:][:m], want[j*to:][:m], "a column of a dense transposition", m, n, j)
			}
		}
	}
	for n := 1; n <= 32; n++ {
		for rows := 1; rows <= 5; rows++ {
			have, want := fresh(rows*37), fresh(rows*37)
			for i := range rows {
				copy(want[i*37:], x[i*33:][:n])
			}
			copyRows(x, 33, have, 37, rows, n)
			same(have, want, "a copy", rows, n)
		}
		thin, wide := fresh(n), fresh(2*n)
		for i := range thinVectors(x[:2*n], thin) {
			if thin[i] != x[2*i] {
				t.Fatalf("of every other of %d elements, %d is %g, wanted %g", 2*n, i, thin[i], x[2*i])
			}
		}
		for i := range widenVectors(x[:n], wide) {
			if wide[2*i] != x[i] || wide[2*i+1] != 0 {
				t.Fatalf("of %d elements with zeros behind them, %d is %v", n, i, wide[2*i:][:2])
			}
		}
	}
}
