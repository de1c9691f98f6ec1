package autopilot

import (
	"math"
	"math/rand/v2"
	"testing"

	"dns-tui/gpu"
)

// testLayer is a layer of normally distributed weights, and its entries.
func testLayer(name string, n, positions int, sigma float64, seed uint64) (Layer, []float32) {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	sum := 0.0
	for i := range x {
		x[i] = float32(math.Abs(r.NormFloat64() * sigma))
		sum += float64(x[i]) * float64(x[i])
	}
	l := Layer{Name: name, Rule: gpu.SoftRule, Total: n, Kept: n, Positions: positions,
		Sigma: float32(math.Sqrt(sum / float64(n))), Limits: Limits{Floor: DefaultFloor}}
	l.Counts = countsOf(x)
	return l, x
}

func countsOf(x []float32) []uint32 {
	c := make([]uint32, gpu.HistogramBins)
	for _, v := range x {
		c[gpu.MagnitudeBin(v)]++
	}
	return c
}

func lenet() ([]Layer, [][]float32) {
	var layers []Layer
	var entries [][]float32
	for i, s := range []struct {
		name         string
		n, positions int
		sigma        float64
	}{{"conv1", 520, 576, 0.2}, {"conv2", 25050, 64, 0.05}, {"ip1", 400500, 1, 0.02}, {"ip2", 5010, 1, 0.06}} {
		l, x := testLayer(s.name, s.n, s.positions, s.sigma, uint64(i))
		layers, entries = append(layers, l), append(entries, x)
	}
	return layers, entries
}

func TestSolve(t *testing.T) {
	layers, entries := lenet()
	for _, text := range []string{"310x", "20x", "5%", "95%", "1389", "20KB", "1MMAC", "50KMAC"} {
		target, err := ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		b, err := target.Budget(layers)
		if err != nil {
			t.Fatal(err)
		}
		for _, scale := range Scales {
			var s Solver
			got, err := s.Solve(layers, b, scale)
			if err != nil {
				t.Fatal(err)
			}
			got = got.Clone()
			exact, err := s.SolveExact(layers, entries, b, scale)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range []*Solution{got, exact} {
				if cost := map[Cost]float64{
					CountCost: float64(found.Kept), ByteCost: found.Bytes, MACCost: found.MACs,
				}[b.Cost]; cost > b.Limit || cost < 0.99*b.Limit {
					t.Errorf("%s by %s costs %g of %g", text, scale, cost, b.Limit)
				}
			}
		}
	}
}

func BenchmarkSolve(b *testing.B) {
	for _, scale := range Scales {
		b.Run(scale.String(), func(b *testing.B) {
			var layers []Layer
			for i := range 60 {
				l, _ := testLayer("l", 20000+1000*i, 1+i, 0.01*float64(i+1), uint64(i))
				layers = append(layers, l)
			}
			var s Solver
			budget := Budget{CountCost, 100000}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Solve(layers, budget, scale); err != nil {
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
