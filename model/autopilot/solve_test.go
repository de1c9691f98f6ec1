package autopilot

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
)

// normalLayer is a layer of normally distributed weights, and the magnitudes of its entries.
func normalLayer(name string, n, positions int, sigma float64, seed uint64) (Layer, []float32) {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.Abs(r.NormFloat64() * sigma))
	}
	return layerOf(name, positions, x), x
}

// layerOf is a layer under the soft rule with entries of these magnitudes.
func layerOf(name string, positions int, x []float32) Layer {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	l := Layer{Name: name, Rule: gpu.SoftRule, Total: len(x), Kept: len(x), Positions: positions,
		Sigma: float32(math.Sqrt(sum / float64(len(x)))), Limits: Limits{Floor: DefaultFloor}}
	l.Counts = countsOf(x)
	return l
}

func countsOf(x []float32) []uint32 {
	c := make([]uint32, gpu.HistogramBins)
	for _, v := range x {
		c[gpu.MagnitudeBin(v)]++
	}
	return c
}

// lenet is four layers of LeNet-5's sizes, with the deviations of trained ones.
func lenet() ([]Layer, [][]float32) {
	var layers []Layer
	var entries [][]float32
	for i, s := range []struct {
		name         string
		n, positions int
		sigma        float64
	}{{"conv1", 520, 576, 0.2}, {"conv2", 25050, 64, 0.05}, {"ip1", 400500, 1, 0.02}, {"ip2", 5010, 1, 0.06}} {
		l, x := normalLayer(s.name, s.n, s.positions, s.sigma, uint64(i))
		layers, entries = append(layers, l), append(entries, x)
	}
	return layers, entries
}

// keeps counts the entries that are larger than a cut.
func keeps(x []float32, cut float32) int {
	n := 0
	for _, v := range x {
		if v > cut {
			n++
		}
	}
	return n
}

// costOf is what a solution costs.
func costOf(s *Solution, c Cost) float64 {
	switch c {
	case ByteCost:
		return s.Bytes
	case MACCost:
		return s.MACs
	}
	return float64(s.Kept)
}

// With s = 1 just the largest K of all layers are kept.
func TestSolveExactKeepsTheLargest(t *testing.T) {
	layers, entries := lenet()
	all := slices.Concat(entries...)
	slices.Sort(all)
	for i := range layers {
		layers[i].Floor = 0
	}
	var s Solver
	for _, k := range []int{1, 2, 1389, 1390, 21554, 400000, len(all) - 1} {
		got, err := s.SolveExact(layers, entries, Budget{CountCost, float64(k)}, MagnitudeScale)
		if err != nil {
			t.Fatal(err)
		}
		if want := all[len(all)-k-1]; got.Kept != k || float32(got.Tau) != want {
			t.Errorf("%d: keeps %d beyond %g, wanted %g", k, got.Kept, got.Tau, want)
		}
		for i, l := range got.Layers {
			if n := keeps(entries[i], l.Cut); n != l.Kept || l.Cut != float32(got.Tau) || l.Bound != Free {
				t.Errorf("%d: %s %+v keeps %d", k, layers[i].Name, l, n)
			}
		}
	}
}

// Entries that are equal are kept together, or not at all.
func TestTies(t *testing.T) {
	x := []float32{1, 2, 2, 2, 3, 3, 4}
	layers := []Layer{layerOf("a", 1, x), layerOf("b", 1, []float32{2, 5})}
	var s Solver
	for k, want := range []int{0, 1, 2, 2, 4, 4, 4, 4, 8, 9}[1:] {
		k++
		for i := range layers {
			layers[i].Floor = 0
		}
		got, err := s.SolveExact(layers, [][]float32{x, {2, 5}}, Budget{CountCost, float64(k)}, MagnitudeScale)
		if err != nil || got.Kept != want {
			t.Errorf("of at most %d it keeps %d, wanted %d; %v", k, got.Kept, want, err)
		}
	}
}

// Threshold 0 prunes what is 0 under the soft and the paper rule, and nothing under the seed rule.
func TestThresholdZero(t *testing.T) {
	x := []float32{0, 0, 0, 1, 2}
	for rule, want := range map[gpu.Rule]int{gpu.SeedRule: 5, gpu.PaperRule: 2, gpu.SoftRule: 2} {
		l := layerOf("a", 1, x)
		l.Rule, l.Pinned = rule, true
		var s Solver
		for _, exact := range []bool{false, true} {
			got, err := s.Solve([]Layer{l}, Budget{CountCost, 5}, MagnitudeScale)
			if exact {
				got, err = s.SolveExact([]Layer{l}, [][]float32{x}, Budget{CountCost, 5}, MagnitudeScale)
			}
			if err != nil || got.Kept != want {
				t.Errorf(
					"%s rule, exact %v: keeps %d, wanted %d; %v",
					config.RuleName(rule),
					exact,
					got.Kept,
					want,
					err,
				)
			}
		}
	}
}

// drawLayers is a net of a few layers with limits that do not contradict each other, and the entries.
func drawLayers(t *rapid.T, limits bool) ([]Layer, [][]float32) {
	n := rapid.IntRange(1, 5).Draw(t, "layers")
	layers, entries := make([]Layer, n), make([][]float32, n)
	for i := range layers {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		x := make([]float32, rapid.IntRange(5, 400).Draw(t, "total"))
		scale := math.Pow(10, rapid.Float64Range(-4, 1).Draw(t, "magnitude"))
		ties := rapid.Float64Range(0, 0.3).Draw(t, "ties")
		for j := range x {
			if x[j] = float32(math.Abs(r.NormFloat64()) * scale); j > 0 && r.Float64() < ties {
				x[j] = x[j-1]
			}
		}
		layers[i] = layerOf(fmt.Sprint("layer", i), rapid.IntRange(1, 100).Draw(t, "positions"), x)
		entries[i] = x
		if !limits {
			continue
		}
		l := &layers[i]
		switch rapid.IntRange(0, 6).Draw(t, "limit") {
		case 0:
			l.Floor = rapid.IntRange(0, l.Total/4).Draw(t, "floor")
		case 1:
			l.Ceiling = rapid.IntRange(2, l.Total).Draw(t, "ceiling")
		case 2:
			l.Pinned, l.Threshold = true, rapid.Float64Range(0, 4).Draw(t, "threshold")
		case 3:
			l.Excluded = true
		case 4:
			l.MaskFrozen, l.Kept = true, rapid.IntRange(0, l.Total/4).Draw(t, "kept")
		}
	}
	return layers, entries
}

// checkSolution holds a solution against budget and limits.
func checkSolution(t *rapid.T, layers []Layer, got *Solution, b Budget) {
	if cost := costOf(got, b.Cost); cost > b.Limit*(1+1e-12) {
		t.Errorf("costs %g of %g", cost, b.Limit)
	}
	kept, total := 0, 0
	for i, c := range got.Layers {
		l := &layers[i]
		switch {
		case l.Excluded:
			if c.Bound != LeftExcluded || c.Threshold != l.Threshold {
				t.Errorf("%s is excluded: %+v", l.Name, c)
			}
			continue
		case l.MaskFrozen:
			if c.Bound != HeldFrozen || c.Kept != l.Kept || c.Threshold != l.Threshold {
				t.Errorf("%s is frozen: %+v", l.Name, c)
			}
		case l.Pinned:
			if c.Bound != HeldPinned || c.Threshold != l.Threshold {
				t.Errorf("%s is pinned: %+v", l.Name, c)
			}
		case c.Kept < l.Floor:
			t.Errorf("%s keeps %d, its floor is %d", l.Name, c.Kept, l.Floor)
		}
		kept, total = kept+c.Kept, total+l.Total
	}
	if kept != got.Kept || total != got.Total {
		t.Errorf("%d of %d kept, and %d of %d in the layers", got.Kept, got.Total, kept, total)
	}
}

// drawBudget is a budget between what layers cost at least and dense.
func drawBudget(t *rapid.T, layers []Layer) Budget {
	b := Budget{Cost: rapid.SampledFrom([]Cost{CountCost, ByteCost, MACCost}).Draw(t, "cost")}
	b.Limit = b.Cost.Dense(layers) * math.Pow(10, rapid.Float64Range(-2.5, 0).Draw(t, "part"))
	return b
}

func TestSolveProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layers, entries := drawLayers(t, true)
		b, scale := drawBudget(t, layers), rapid.SampledFrom(Scales).Draw(t, "scale")
		var s Solver
		got, err := s.SolveExact(layers, entries, b, scale)
		if err != nil {
			checkUnreachable(t, layers, entries, b, err)
			return
		}
		got = got.Clone()
		checkSolution(t, layers, got, b)
		ties := 0
		for i, c := range got.Layers {
			l := &layers[i]
			if c.Bound == LeftExcluded || c.Bound == HeldFrozen {
				continue
			}
			if n := keeps(entries[i], c.Cut); n != c.Kept {
				t.Errorf("%s keeps %d beyond %g, not %d", l.Name, n, c.Cut, c.Kept)
			}
			if c.Bound == Free || c.Bound == AtCeiling {
				for _, x := range entries[i] { // what lies on the cut
					if x == c.Cut {
						ties++
					}
				}
			}
			if l.Ceiling > 0 && c.Kept > l.Ceiling && c.Bound != HeldPinned && c.Bound != AtFloor {
				t.Errorf("%s keeps %d, its ceiling is %d", l.Name, c.Kept, l.Ceiling)
			}
		}
		// A little less and it costs too much: nothing more could be kept.
		more := 0.0
		for i := range s.views {
			l, v := &layers[i], &s.views[i]
			switch {
			case l.MaskFrozen && !l.Excluded:
				more += b.Cost.of(l, l.Kept)
			case !l.Excluded:
				more += b.Cost.of(l, keeps(entries[i], v.cut(math.Nextafter(got.Tau, 0))))
			}
		}
		if got.Tau > 0 && more <= b.Limit {
			t.Errorf("tau %g is not the smallest", got.Tau)
		}
		if free := slices.ContainsFunc(got.Layers, func(c LayerCut) bool { return c.Bound == Free }); free &&
			b.Cost == CountCost && got.Tau > 0 && float64(got.Kept+ties) < math.Floor(b.Limit) {
			t.Errorf("keeps %d of %g, with %d on a cut", got.Kept, b.Limit, ties)
		}
		// A smaller budget cuts deeper in each layer, or as deep.
		less, err := s.SolveExact(layers, entries, Budget{b.Cost, b.Limit * 0.7}, scale)
		if err != nil {
			return
		}
		for i := range layers {
			if less.Layers[i].Cut < got.Layers[i].Cut || less.Layers[i].Kept > got.Layers[i].Kept {
				t.Errorf("%s: %+v, and with less %+v", layers[i].Name, got.Layers[i], less.Layers[i])
			}
		}
	})
}

// checkUnreachable holds an error against what the layers cost when all is pruned that may be.
func checkUnreachable(t *rapid.T, layers []Layer, entries [][]float32, b Budget, err error) {
	e, ok := errors.AsType[*Unreachable](err)
	if !ok {
		t.Fatal(err)
	}
	least := 0.0
	for i := range layers {
		l := &layers[i]
		switch {
		case l.Excluded:
			continue
		case l.MaskFrozen:
			least += b.Cost.of(l, l.Kept)
			continue
		case l.Pinned:
			least += b.Cost.of(l, keeps(entries[i], l.CutAt(l.Threshold)))
			continue
		}
		sorted := slices.Sorted(slices.Values(entries[i]))
		slices.Reverse(sorted)
		n := 0
		if l.Floor > 0 {
			for n = l.Floor; n < len(sorted) && sorted[n] == sorted[l.Floor-1]; n++ {
			}
		}
		least += b.Cost.of(l, n)
	}
	if math.Abs(e.Least-least) > 1e-9*least || least <= b.Limit {
		t.Errorf("%v: at least %g, wanted %g of %g", err, e.Least, least, b.Limit)
	}
	for _, h := range e.Held {
		if h.Kept > DefaultFloor && !strings.Contains(err.Error(), h.Name) {
			t.Errorf("%v does not name %s", err, h.Name)
		}
	}
}

// By histograms each cut lies within a bin of the exact one, and no layer's prediction is off by more than lies there.
func TestHistogramsAreCloseToExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layers, entries := drawLayers(t, false)
		b, scale := drawBudget(t, layers), rapid.SampledFrom(Scales).Draw(t, "scale")
		b.Cost, b.Limit = CountCost, max(b.Limit, float64(len(layers)))
		if b.Limit >= CountCost.Dense(layers) {
			return
		}
		var s Solver
		got, err := s.Solve(layers, b, scale)
		if err != nil {
			t.Skip(err) // floors of equals
		}
		got = got.Clone()
		checkSolution(t, layers, got, b)
		for i, c := range got.Layers {
			bin := gpu.MagnitudeBin(c.Cut)
			kept, in := keeps(entries[i], c.Cut), int(layers[i].Counts[bin])
			if d := kept - c.Kept; d < -in || d > in {
				t.Errorf(
					"%s: predicts %d beyond %g, and it is %d with %d in the bin",
					layers[i].Name,
					c.Kept,
					c.Cut,
					kept,
					in,
				)
			}
		}
		exact, err := s.SolveExact(layers, entries, b, scale)
		if err != nil {
			t.Skip(err)
		}
		held := 0 // by floors, which equals cannot meet exactly
		for i, c := range exact.Layers {
			if c.Bound != Free {
				held += max(c.Kept-got.Layers[i].Kept, got.Layers[i].Kept-c.Kept)
			}
		}
		for i, c := range exact.Layers {
			if c.Bound != Free || got.Layers[i].Bound != Free {
				continue
			}
			// Between the two cuts lies nothing but what is in their bins, or makes up for a floor.
			lo, hi := gpu.MagnitudeBin(min(c.Cut, got.Layers[i].Cut)), gpu.MagnitudeBin(max(c.Cut, got.Layers[i].Cut))
			between := 0
			for bin := lo + 1; bin < hi; bin++ {
				between += int(layers[i].Counts[bin])
			}
			if between > held && scale == MagnitudeScale {
				t.Errorf("%s: %d entries between the cuts %g and %g", layers[i].Name, between, c.Cut, got.Layers[i].Cut)
			}
		}
	})
}

// Under a budget of multiply-accumulates entries at many positions go first by PositionScale, and more is kept.
func TestPositionsKeepMoreForTheSame(t *testing.T) {
	layers, entries := lenet()
	b := Budget{MACCost, 200e3}
	var s Solver
	squares := map[Scale]float64{}
	kept := map[Scale][]int{}
	for _, scale := range Scales {
		got, err := s.SolveExact(layers, entries, b, scale)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range got.Layers {
			kept[scale] = append(kept[scale], c.Kept)
			for _, x := range entries[i] {
				if x > c.Cut {
					squares[scale] += float64(x) * float64(x)
				}
			}
		}
	}
	for _, scale := range Scales {
		if scale != PositionScale && squares[scale] >= squares[PositionScale] {
			t.Errorf(
				"Σ w² of what is kept is %g by %s, and %g by positions",
				squares[scale],
				scale,
				squares[PositionScale],
			)
		}
	}
	if m, p := kept[MagnitudeScale], kept[PositionScale]; p[0] >= m[0] || p[2] <= m[2] {
		t.Errorf("by magnitude %v, by positions %v: wanted less of conv1 and more of ip1", m, p)
	}
}

// LAMP's scores are those of its definition, to a bin.
func TestLAMP(t *testing.T) {
	layers, entries := lenet()
	var s Solver
	got, err := s.SolveExact(layers, entries, Budget{CountCost, 4000}, LAMPScale)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range got.Layers {
		sorted := slices.Sorted(slices.Values(entries[i]))
		sum := 0.0
		for _, entry := range slices.Backward(sorted) {
			x := float64(entry)
			sum += x * x
			if score := x * x / sum; score > got.Tau*1.03 && entry <= c.Cut ||
				score < got.Tau/1.03 && entry > c.Cut {
				t.Fatalf("%s: %g scores %g; cut %g, tau %g", layers[i].Name, x, score, c.Cut, got.Tau)
			}
		}
		if c.Kept < 1 {
			t.Errorf("%s is empty", layers[i].Name)
		}
	}
}

// What is found for a layer is what a surgery of the device makes of it, by each rule.
func TestSurgeryDoesAsPredicted(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	r := rand.New(rand.NewPCG(7, 7))
	tensor := func(x []float32) *gpu.Tensor {
		t.Helper()
		v, err := gpu.NewTensor(d, len(x))
		if err != nil {
			t.Fatal(err)
		}
		d.Upload(v, x)
		return v
	}
	w := make([]float32, 20000)
	for i := range w {
		w[i] = float32(r.NormFloat64()*0.05 + 0.01)
	}
	forward := slices.Clone(w)
	for i := range forward {
		if i%3 == 0 { // some are pruned already
			forward[i] = gpu.Pruned
		}
	}
	for _, rule := range []gpu.Rule{gpu.SeedRule, gpu.PaperRule, gpu.SoftRule} {
		for _, exact := range []bool{false, true} {
			weights, masked := tensor(w), tensor(forward)
			var look, done gpu.SurgeryResult
			d.Surgery(
				&gpu.SurgeryParams{Rule: rule, Histogram: true, ByMagnitude: true},
				weights,
				masked,
				nil,
				nil,
				&look,
			)
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			l := Layer{Name: "a", Rule: rule, Total: look.Total, Kept: look.Kept, Mu: look.Mu, Sigma: look.Sigma,
				Counts: slices.Clone(look.KeptAt), PrunedCounts: look.PrunedAt, Limits: Limits{Floor: 1}}
			for i, n := range look.PrunedAt {
				l.Counts[i] += n
			}
			var entries []float32
			for i, v := range w {
				center := float32(0)
				if rule.Centered() {
					center = look.Mu
				}
				x := math.Abs(float64(v - center))
				if rule == gpu.PaperRule {
					x /= 0.9
					if i%3 == 0 {
						x *= 0.9 / 1.1
					}
				}
				entries = append(entries, float32(x))
			}
			var s Solver
			b := Budget{CountCost, 1234}
			got, err := s.Solve([]Layer{l}, b, MagnitudeScale)
			if exact {
				got, err = s.SolveExact([]Layer{l}, [][]float32{entries}, b, MagnitudeScale)
			}
			if err != nil {
				t.Fatal(err)
			}
			c := got.Layers[0]
			d.Surgery(
				&gpu.SurgeryParams{
					Rule:      rule,
					Threshold: float32(c.Threshold),
					Measured:  rule != gpu.SeedRule,
					Mu:        l.Mu,
					Sigma:     l.Sigma,
					Soft:      gpu.Soft{Cut: l.CutAt(c.Threshold), Exponent: 3},
					Redraw:    true,
				},
				weights,
				masked,
				nil,
				nil,
				&done,
			)
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			slack := 0 // exactly under the soft rule; the others compare in float32 what was computed there
			switch {
			case !exact:
				slack = int(l.Counts[gpu.MagnitudeBin(c.Cut)])
			case rule != gpu.SoftRule:
				slack = 1
			}
			if off := done.Kept - 1234; off < -slack || off > slack || c.Kept > 1234 || exact && c.Kept != 1234 {
				t.Errorf(
					"%s rule, exact %v: %+v predicted, %d kept by surgery",
					config.RuleName(rule),
					exact,
					c,
					done.Kept,
				)
			}
		}
	}
}

// What a budget comes to, for people to read: testdata/solutions.
func TestSolutions(t *testing.T) {
	datadriven.RunTest(t, "testdata/solutions", func(t *testing.T, d *datadriven.TestData) string {
		layers, entries := lenet()
		s := DefaultSettings()
		for _, arg := range d.CmdArgs {
			e, err := ParseSetting(arg.Key, strings.Join(arg.Vals, " "))
			if err == nil {
				s, err = s.With(e)
			}
			if err != nil {
				return err.Error()
			}
		}
		if err := s.Bind(layers); err != nil {
			return err.Error()
		}
		b, err := s.Target.Budget(layers)
		if err != nil {
			return err.Error()
		}
		layers[1].Threshold = 1.5 // where it is pinned
		var solver Solver
		got, err := solver.Solve(layers, b, s.Scale)
		if d.Cmd == "exact" {
			got, err = solver.SolveExact(layers, entries, b, s.Scale)
		}
		if err != nil {
			return err.Error()
		}
		var out strings.Builder
		for i, c := range got.Layers {
			fmt.Fprintf(&out, "%-6s t %.4f keeps %d of %d", layers[i].Name, c.Threshold, c.Kept, layers[i].Total)
			if c.Bound != Free {
				fmt.Fprintf(&out, ", %s", c.Bound)
			}
			out.WriteByte('\n')
		}
		fmt.Fprintf(&out, "all    keeps %d of %d, %.1fx, %s of %s, about %s\n", got.Kept, got.Total, got.Times(),
			MACCost.Format(got.MACs), MACCost.Format(got.DenseMACs), ByteCost.Format(got.Bytes))
		return out.String()
	})
}

// The solver allocates nothing when it is used again.
func TestSolveAllocatesNothing(t *testing.T) {
	layers, _ := lenet()
	var s Solver
	for _, scale := range Scales {
		if n := testing.AllocsPerRun(5, func() {
			if _, err := s.Solve(layers, Budget{CountCost, 1389}, scale); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %g allocations", scale, n)
		}
	}
}

func BenchmarkSolve(b *testing.B) {
	var layers []Layer
	for i := range 60 {
		l, _ := normalLayer("l", 20000+1000*i, 1+i, 0.01*float64(i+1), uint64(i))
		layers = append(layers, l)
	}
	for _, scale := range Scales {
		b.Run(scale.String(), func(b *testing.B) {
			var s Solver
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Solve(layers, Budget{CountCost, 100000}, scale); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSolveExact(b *testing.B) {
	layers, entries := lenet()
	var s Solver
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.SolveExact(layers, entries, Budget{CountCost, 1389}, MagnitudeScale); err != nil {
			b.Fatal(err)
		}
	}
}
