package solver_test

import (
	"slices"
	"testing"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model/autopilot"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// The thresholds that are found from a layer's entries keep, at its next surgery, just so many as were wanted: exactly
// under the soft rule, to the rounding of float32 under the others.
func TestDrivenSurgeryKeepsWhatWasWanted(t *testing.T) {
	layers := []string{"conv1", "conv2", "ip1", "ip2"}
	for _, rule := range []gpu.Rule{gpu.SeedRule, gpu.PaperRule, gpu.SoftRule} {
		d := host.New(host.Options{})
		s := modeltest.Solver(t, d, "lenet_dns", 4, 10)
		set := func(param config.Param, value func(i int) float64) {
			t.Helper()
			var edits []config.Edit
			for i, name := range layers {
				edits = append(edits, config.Edit{Field: config.Field{Layer: name, Param: param}, Value: value(i)})
			}
			h, _, err := s.Hyper().Apply(edits...)
			if err == nil {
				err = s.SetHyper(h)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		set(config.Rule, func(int) float64 { return float64(rule) })
		set(config.Prune, func(int) float64 { return 1 })
		s.Drive(layers)
		for _, wanted := range []int{20000, 3000, 5000} { // the last splices
			step(t, s)
			net, entries := inspect(t, s, layers)
			var find autopilot.Solver
			b := autopilot.Budget{Cost: autopilot.CountCost, Limit: float64(wanted)}
			found, err := find.SolveExact(net, entries, b, autopilot.MagnitudeScale)
			if err != nil {
				t.Fatal(err)
			}
			set(config.AnyThreshold, func(i int) float64 { return found.Layers[i].Threshold })
			s.OperateNext()
			step(t, s)
			kept, slack := 0, 0
			for i, name := range layers {
				p := s.Layer(name)
				kept += p.Kept()
				if rule != gpu.SoftRule {
					slack++
				}
				if off := p.Kept() - found.Layers[i].Kept; off < -slack || off > slack {
					t.Errorf("%s rule: %s keeps %d of %d, wanted %d", config.RuleName(rule), name, p.Kept(), p.Total(),
						found.Layers[i].Kept)
				}
			}
			if found.Kept != wanted || kept < wanted-slack || kept > wanted+slack {
				t.Errorf("%s rule: %d kept, %d predicted, %d wanted", config.RuleName(rule), kept, found.Kept, wanted)
			}
		}
		d.Close()
	}
}

func step(t *testing.T, s *solver.Solver) {
	t.Helper()
	if _, err := s.Step(); err != nil {
		t.Fatal(err)
	}
}

// inspect returns layers as a search for thresholds sees them.
func inspect(t *testing.T, s *solver.Solver, names []string) ([]autopilot.Layer, [][]float32) {
	t.Helper()
	found, err := s.Magnitudes(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.KeepStatistics(names)
	var layers []autopilot.Layer
	var entries [][]float32
	for i, m := range found {
		x, err := s.Entries(names[i])
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, autopilot.Layer{
			Name: names[i], Rule: s.Hyper().Layer(names[i]).Rule, Total: m.Total, Kept: m.Kept, Mu: m.Mu,
			Sigma: m.Sigma, Counts: slices.Clone(m.Counts), PrunedCounts: slices.Clone(m.PrunedCounts),
		})
		entries = append(entries, x)
	}
	return layers, entries
}
