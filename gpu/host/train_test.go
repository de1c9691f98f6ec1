package host

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Updates and surgery by vectors do to all entries what they do to each alone, NaN and both zeros too.
func TestTrainVectors(t *testing.T) { eachSet(t, checkTrainVectors) }

func checkTrainVectors(t *testing.T) {
	number := rapid.OneOf(rapid.Float32Range(-2, 2), rapid.SampledFrom(oddNumbers))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "entries")
		random := func(name string) []float32 { return rapid.SliceOfN(number, n, n).Draw(t, name) }
		w, masked := random("w"), random("masked")
		for i, pruned := range rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "pruned") {
			if pruned {
				masked[i] = gpu.Pruned
			}
		}
		low, high := rapid.Float32Range(-1, 0).Draw(t, "low"), rapid.Float32Range(0, 1).Draw(t, "high")
		grad, history := random("grad"), random("history")
		params := gpu.UpdateParams{Rate: 0.1, Scale: 0.5, Decay: 0.01, Momentum: 0.9, Theta: 1,
			KeepStep: rapid.Bool().Draw(t, "stays")}
		type result struct {
			arrays [5][]float32
			counts [2][3]float64
		}
		run := func(step int) (r result) {
			for i, v := range [][]float32{w, grad, history, masked, masked} {
				r.arrays[i] = append([]float32(nil), v...)
			}
			for lo := 0; lo < n; lo += step {
				part := func(v []float32) []float32 { return v[lo:min(lo+step, n)] }
				u := updateKernel{params, part(r.arrays[0]), part(r.arrays[1]), part(r.arrays[2]), nil, nil}
				u.sgd(0, len(u.w))
				for i := range r.counts {
					counts := make([]float64, 3)
					k := redrawKernel{part(w), part(r.arrays[3+i]), float64(low), float64(high), counts}
					if i == 0 {
						(&redrawSeedKernel{k}).run(0, len(k.w), 0)
					} else {
						k.low = float64(high)
						(&redrawSoftKernel{k, gpu.Soft{}}).run(0, len(k.w), 0)
					}
					for j, c := range counts {
						r.counts[i][j] += c
					}
				}
			}
			return r
		}
		have, want := run(n), run(1)
		if have.counts != want.counts {
			t.Fatalf("counts are %v, and %v one by one", have.counts, want.counts)
		}
		for i, v := range have.arrays {
			for j, x := range v {
				y := want.arrays[i][j]
				if math.Float32bits(x) != math.Float32bits(y) && (x == x || y == y) {
					t.Fatalf("array %d[%d] of %d is %g, and %g alone", i, j, n, x, y)
				}
			}
		}
	})
}
