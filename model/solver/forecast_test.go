package solver_test

import (
	"testing"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// A forecast names the very iteration of the next surgery, under each rule, also after settings change.
func TestForecast(t *testing.T) {
	for _, rule := range []gpu.Rule{gpu.SeedRule, gpu.PaperRule, gpu.SoftRule} {
		t.Run(config.RuleName(rule), func(t *testing.T) {
			d := host.New(host.Options{})
			defer d.Close()
			s := modeltest.Solver(t, d, "lenet_dns", 2, 10)
			layers := []string{"conv1", "ip2"}
			apply := func(edits ...config.Edit) {
				t.Helper()
				h, _, err := s.Hyper().Apply(edits...)
				if err == nil {
					err = s.SetHyper(h)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			set := func(p config.Param, v float64) {
				t.Helper()
				for _, name := range layers {
					apply(config.Edit{Field: config.Field{Layer: name, Param: p}, Value: v})
				}
			}
			dice := func(p config.Param, v float64) {
				t.Helper()
				if rule == gpu.PaperRule {
					set(p, v)
				} else {
					apply(config.Edit{Field: config.Field{Param: p}, Value: v})
				}
			}
			set(config.Rule, float64(rule))
			set(config.Prune, 1)
			surgeries := func(steps int) int {
				t.Helper()
				n := 0
				for range steps {
					var told []solver.Forecast
					for _, name := range layers {
						told = append(told, s.Forecast(s.Layer(name)))
					}
					iter := s.Iter
					step(t, s)
					for i, name := range layers {
						operated := s.Layer(name).LastSurgery() == iter
						if f := told[i]; !f.Known || (f.Next == iter) != operated || operated && f.Chance == 0 {
							t.Fatalf("iteration %d: %s operated on: %t, forecast %+v", iter, name, operated, f)
						}
						if operated {
							n++
						}
					}
				}
				return n
			}
			dice(config.Gamma, 0)
			if n := surgeries(3); n != 3*len(layers) {
				t.Errorf("%d surgeries in 3 iterations that are all due", n)
			}
			dice(config.Gamma, 1)
			dice(config.Power, 0.5) // of about every second to third
			if n := surgeries(20); n == 0 || n == 20*len(layers) {
				t.Errorf("%d surgeries in 20 iterations, some are due", n)
			}
			dice(config.Stop, float64(s.Iter))
			if f := s.Forecast(s.Layer("ip2")); f.Next != -1 || f.Chance != 0 {
				t.Errorf("stopped, forecast %+v", f)
			}
			surgeries(2)
			set(config.MaskFrozen, 1)
			dice(config.Stop, config.Never)
			if f := s.Forecast(s.Layer("ip2")); f.Next != -1 || f.Chance != 0 {
				t.Errorf("frozen, forecast %+v", f)
			}
			set(config.MaskFrozen, 0)
			s.Drive(layers)
			if f := s.Forecast(s.Layer("ip2")); f.Next != -1 {
				t.Errorf("driven, with no surgery to come: forecast %+v", f)
			}
			s.OperateNext()
			if f := s.Forecast(s.Layer("ip2")); f.Next != s.Iter || f.Chance != 1 {
				t.Errorf("driven, operated on at %d: forecast %+v", s.Iter, f)
			}
			surgeries(2)
		})
	}
}

// Layers that share a draw are operated on together; those with one each more often than any of them.
func TestAnyOf(t *testing.T) {
	for _, c := range []struct {
		rules   []gpu.Rule
		chances []float64
		want    float64
	}{
		{nil, nil, 0},
		{[]gpu.Rule{gpu.SeedRule, gpu.SoftRule}, []float64{0.25, 0.5}, 0.5},
		{[]gpu.Rule{gpu.PaperRule, gpu.PaperRule}, []float64{0.5, 0.5}, 0.75},
		{[]gpu.Rule{gpu.SeedRule, gpu.PaperRule}, []float64{0.5, 0.5}, 0.75},
		{[]gpu.Rule{gpu.PaperRule, gpu.SeedRule}, []float64{1, 0}, 1},
	} {
		var a solver.AnyOf
		for i, r := range c.rules {
			a.Add(r, c.chances[i])
		}
		if got := a.Chance(); got < c.want-1e-12 || got > c.want+1e-12 {
			t.Errorf("%v %v: %g, wanted %g", c.rules, c.chances, got, c.want)
		}
	}
}
