package solver_test

import (
	"math"
	"testing"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
)

// Under the soft rule the gradient is that of the forward weights, straight through to the weights: it is what numbers
// say of the loss as a forward weight moves, of kept entries and of pruned ones.
func TestSoftGradientIsThatOfForwardWeights(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	s := modeltest.Solver(t, d, "lenet_dns", 8, 10)
	defer s.Close()
	var edits []config.Edit
	for _, l := range s.Hyper().Layers {
		for p, v := range map[config.Param]float64{
			config.Rule: float64(gpu.SoftRule), config.Threshold: 0.7, config.Exponent: 3, config.Prune: 1,
		} {
			edits = append(edits, config.Edit{Field: config.Field{Layer: l.Name, Param: p}, Value: v})
		}
	}
	// The rule first: the others are its own.
	for _, rule := range []bool{true, false} {
		for _, e := range edits {
			if (e.Param == config.Rule) == rule {
				h, _, err := s.Hyper().Apply(e)
				if err == nil {
					err = s.SetHyper(h)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if n := s.OperateAll(nil); n != 4 {
		t.Fatalf("%d layers were operated on; wanted 4", n)
	}
	loss := func() float64 {
		l, err := s.Net.Forward()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	loss()
	s.Net.Backward()
	for _, p := range s.Net.Params() {
		if p.Masked == nil {
			t.Fatalf("%s has no forward weights", p.Layer)
		}
		m, g := modeltest.Values(d, p.Masked), modeltest.Values(d, p.Diff)
		checked := map[bool]int{}
		for i := range m {
			pruned := gpu.IsPruned(m[i])
			if math.Abs(float64(g[i])) < 1e-3 || checked[pruned] == 3 {
				continue // what is next to 0 drowns in the rounding of the loss
			}
			checked[pruned]++
			const h = 1e-2
			was := m[i]
			at := func(v float32) float64 {
				m[i] = v
				d.Upload(p.Masked, m)
				return loss()
			}
			numeric := (at(was+h) - at(was-h)) / (2 * h)
			at(was)
			if off := math.Abs(numeric - float64(g[i])); off > 0.05*math.Abs(numeric)+2e-3 {
				t.Errorf(
					"%s %d, entry %d, pruned %v: the gradient is %.5f, by numbers %.5f",
					p.Layer,
					p.Index,
					i,
					pruned,
					g[i],
					numeric,
				)
			}
		}
		// Biases start at 0, so all are pruned.
		if p.Index == 0 && (checked[false] == 0 || checked[true] == 0) || len(checked) == 0 {
			t.Errorf("%s %d: %v entries were checked, by whether they are pruned", p.Layer, p.Index, checked)
		}
	}
}
