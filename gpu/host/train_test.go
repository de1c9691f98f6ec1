package host

import (
	"math"
	"slices"
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

// Updates by every method, with every kind of mask, do to all entries what they do to each alone.
func TestStepVectors(t *testing.T) { eachSet(t, checkStepVectors) }

func checkStepVectors(t *testing.T) {
	number := rapid.OneOf(rapid.Float32Range(-2, 2), rapid.SampledFrom(oddNumbers))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "entries")
		random := func(name string) []float32 { return rapid.SliceOfN(number, n, n).Draw(t, name) }
		given := updateKernel{
			w:       random("w"),
			grad:    random("grad"),
			history: random("history"),
			second:  random("second"),
		}
		given.params = gpu.UpdateParams{
			Method: rapid.SampledFrom([]gpu.Method{
				gpu.SGD, gpu.Nesterov, gpu.AdaGrad, gpu.RMSProp, gpu.AdaDelta, gpu.Adam,
			}).Draw(t, "method"),
			Rate: 0.1, Scale: 0.5, Decay: 0.01, Momentum: 0.9, Decay2: 0.99, Delta: 1e-3, Correction: 1.5,
			L1: rapid.Bool().Draw(t, "L1"), KeepStep: rapid.Bool().Draw(t, "stays"),
			Rest: rapid.Bool().Draw(t, "rest"), Theta: rapid.SampledFrom([]float32{0, 0.25, 1}).Draw(t, "theta"),
		}
		if rapid.Bool().Draw(t, "has a mask") {
			given.masked = random("masked")
			for i, pruned := range rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "pruned") {
				if pruned {
					given.masked[i] = gpu.Pruned
				}
			}
		}
		run := func(step int) updateKernel {
			k := given
			for _, v := range []*[]float32{&k.w, &k.grad, &k.history, &k.second, &k.masked} {
				*v = slices.Clone(*v)
			}
			if k.params.Method.Histories() < 2 {
				k.second = nil
			}
			for lo := 0; lo < n; lo += step {
				hi := min(lo+step, n)
				switch {
				case k.params.Method != gpu.SGD:
					(&updateAnyKernel{k}).run(lo, hi, 0)
				case k.masked != nil:
					(&updateMaskedKernel{k}).run(lo, hi, 0)
				default:
					(&updateDenseKernel{k}).run(lo, hi, 0)
				}
			}
			return k
		}
		have, want := run(n), run(1)
		for i, v := range [][2][]float32{
			{have.w, want.w}, {have.grad, want.grad}, {have.history, want.history}, {have.second, want.second},
			{have.masked, want.masked},
		} {
			for j, x := range v[0] {
				if y := v[1][j]; math.Float32bits(x) != math.Float32bits(y) && (x == x || y == y) {
					t.Fatalf("array %d[%d] of %d is %g, and %g alone", i, j, n, x, y)
				}
			}
		}
	})
}

// The paper rule by vectors has the masks, counts and sums of Go, and its masks are those that its limits in float64
// say.
func TestPaperVectors(t *testing.T) { eachSet(t, checkPaperVectors) }

func checkPaperVectors(t *testing.T) {
	number := rapid.OneOf(rapid.Float32Range(-2, 2), rapid.SampledFrom(oddNumbers))
	limit := rapid.OneOf(rapid.Float64Range(-0.1, 2), rapid.SampledFrom([]float64{
		0, 1, 1e300, math.NaN(), math.Inf(1), math.Inf(-1), 1 + 1e-12, 1 - 1e-12, 1e-46,
	}))
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "entries")
		w, masked := rapid.SliceOfN(number, n, n).Draw(t, "w"), rapid.SliceOfN(number, n, n).Draw(t, "masked")
		for i, pruned := range rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "pruned") {
			if pruned {
				masked[i] = gpu.Pruned
			}
		}
		low, high := limit.Draw(t, "low"), limit.Draw(t, "high")
		run := func() (after []float32, counts, sums []float64) {
			after, counts, sums = slices.Clone(masked), make([]float64, 3), make([]float64, 3)
			(&redrawPaperKernel{redrawKernel{w, after, low, high, counts}}).run(0, n, 0)
			(&paperSumsKernel{w, masked, sums}).run(0, n, 0)
			return after, counts, sums
		}
		after, counts, sums := run()
		withSet(GoSet, func() {
			_, wantCounts, wantSums := run()
			for i := range 3 {
				if counts[i] != wantCounts[i] || math.Float64bits(sums[i]) != math.Float64bits(wantSums[i]) &&
					(sums[i] == sums[i] || wantSums[i] == wantSums[i]) {
					t.Fatalf("counts are %v and sums %v, wanted %v and %v", counts, sums, wantCounts, wantSums)
				}
			}
		})
		for i, v := range w {
			abs, pruned := math.Abs(float64(v)), gpu.IsPruned(masked[i])
			switch {
			case !pruned && abs <= low:
				pruned = true
			case pruned && abs > high:
				pruned = false
			}
			want := gpu.Pruned
			if !pruned {
				want = gpu.Kept(v)
			}
			if math.Float32bits(after[i]) != math.Float32bits(want) && (v == v || pruned) {
				t.Fatalf("[%d], %g from %g, is %g, wanted %g", i, v, masked[i], after[i], want)
			}
		}
	})
}

// BenchmarkTrain measures updates and surgery of four million weights: GB/s of what each must move, by each set.
func BenchmarkTrain(b *testing.B) {
	for _, set := range processorSets() {
		withSet(set, func() { benchmarkTrain(b, set.String()) })
	}
}

func benchmarkTrain(b *testing.B, set string) {
	d := New(Options{})
	defer d.Close()
	const n = 1 << 22
	tensor := func(scale, shift float32) *gpu.Tensor {
		v := make([]float32, n)
		for i := range v {
			v[i] = scale * ((gpu.Key{Seed: 1}).Uniform(i) - shift)
		}
		return upload(b, d, v)
	}
	w, masked, grad := tensor(1, 0.5), tensor(1, 0.5), tensor(0, 0)
	h, h2 := tensor(1, 0), tensor(1, 0)
	for _, c := range []struct {
		name   string
		method gpu.Method
		bytes  int64
	}{
		{"Nesterov", gpu.Nesterov, 24}, {"AdaGrad", gpu.AdaGrad, 24}, {"RMSProp", gpu.RMSProp, 24},
		{"AdaDelta", gpu.AdaDelta, 32}, {"Adam", gpu.Adam, 32},
	} {
		b.Run(c.name+"/"+set, func(b *testing.B) {
			p := gpu.UpdateParams{
				Method: c.method, Rate: 1e-3, Momentum: 0.9, Decay2: 0.99, Delta: 1e-8, Scale: 1, Theta: 1,
				Correction: 1, KeepStep: true,
			}
			second := h2
			if c.method.Histories() < 2 {
				second = nil
			}
			b.SetBytes(c.bytes * n)
			for b.Loop() {
				d.Update(p, w, grad, h, second, nil)
			}
		})
	}
	b.Run("paper surgery/"+set, func(b *testing.B) {
		var r gpu.SurgeryResult
		b.SetBytes(20 * n)
		for b.Loop() {
			d.Surgery(&gpu.SurgeryParams{Rule: gpu.PaperRule, Redraw: true, Threshold: 0.1}, w, masked, nil, nil, &r)
		}
	})
}
