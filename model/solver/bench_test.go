package solver_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model/autopilot"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// Whole training steps on the host with data in memory: forward, backward, update, and surgery where the net asks for
// it.
func BenchmarkStep(b *testing.B) {
	for _, c := range []struct {
		net     string
		batch   int
		classes int
	}{
		{"lenet", 64, 10}, {"lenet_dns", 64, 10}, {"lenet_300_100", 64, 10}, {"cifar10_full", 100, 10},
		{"alexnet_bn", 16, 1000},
	} {
		b.Run(c.net, func(b *testing.B) {
			d := host.New(host.Options{})
			defer d.Close()
			s := modeltest.Solver(b, d, c.net, c.batch, c.classes)
			if _, err := s.Step(); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Step(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/step")
		})
	}
}

// Steps under the soft rule with some settings against steps with others, in pairs: what forward weights by an exponent
// of 3 cost more than those of the hard rule, masks as they are and with surgery in every step; and what is saved where
// theta is 0 but for every fifth iteration.
func BenchmarkSoftRule(b *testing.B) {
	for _, c := range []struct {
		net            string
		batch, classes int
		kept           []float64
	}{
		{"lenet", 64, 10, []float64{0.5, 0.1, 0.01, 0.0032}},
		{"alexnet_bn", 16, 1000, []float64{0.5, 0.1, 0.01}},
	} {
		b.Run(c.net, func(b *testing.B) {
			d := host.New(host.Options{})
			defer d.Close()
			s := modeltest.Solver(b, d, c.net, c.batch, c.classes, func(r *config.Run) {
				if c.net == "lenet" {
					r.Weights = []string{modeltest.Root("models", "lenet5_dense.caffemodel")}
				}
			})
			files := s.Hyper()
			for _, kept := range c.kept {
				if err := s.SetHyper(files); err != nil {
					b.Fatal(err)
				}
				pruneSoftly(b, s, kept)
				hard := edited(b, s, config.Exponent, config.Never)
				soft := edited(b, s, config.Exponent, 3)
				seldom := edited(b, s, config.ThetaEvery, 5)
				name := func(what string) string { return fmt.Sprintf("%s, %g%% kept", what, 100*kept) }
				b.Run(name("hard and soft"), func(b *testing.B) { inPairs(b, s, 1, hard, soft, false) })
				b.Run(name("hard and soft, surgery"), func(b *testing.B) { inPairs(b, s, 1, hard, soft, true) })
				b.Run(name("theta_every 1 and 5"), func(b *testing.B) { inPairs(b, s, 5, soft, seldom, false) })
			}
		})
	}
}

// pruneSoftly has the largest entries of all layers kept under the soft rule, a fraction of them.
func pruneSoftly(b *testing.B, s *solver.Solver, kept float64) {
	b.Helper()
	var layers []string
	for _, p := range s.Layers() {
		layers = append(layers, p.Name)
	}
	apply := func(edits ...config.Edit) {
		h, _, err := s.Hyper().Apply(edits...)
		if err == nil {
			err = s.SetHyper(h)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, name := range layers {
		apply(config.Edit{Field: config.Field{Layer: name, Param: config.Rule}, Value: float64(gpu.SoftRule)},
			config.Edit{Field: config.Field{Layer: name, Param: config.Prune}, Value: 1})
	}
	s.Drive(layers)
	found, err := s.Magnitudes(nil)
	if err != nil {
		b.Fatal(err)
	}
	var net []autopilot.Layer
	total := 0
	for i, m := range found {
		net = append(net, autopilot.Layer{Name: layers[i], Rule: gpu.SoftRule, Total: m.Total, Kept: m.Kept, Mu: m.Mu,
			Sigma: m.Sigma, Counts: m.Counts, PrunedCounts: m.PrunedCounts})
		total += m.Total
	}
	var find autopilot.Solver
	budget := autopilot.Budget{Cost: autopilot.CountCost, Limit: kept * float64(total)}
	thresholds, err := find.Solve(net, budget, autopilot.MagnitudeScale)
	if err != nil {
		b.Fatal(err)
	}
	for i, name := range layers {
		apply(config.Edit{Field: config.Field{Layer: name, Param: config.AnyThreshold},
			Value: thresholds.Layers[i].Threshold})
	}
	s.OperateNext()
	if _, err := s.Step(); err != nil {
		b.Fatal(err)
	}
}

// edited returns the settings with a parameter of every layer changed.
func edited(b *testing.B, s *solver.Solver, p config.Param, value float64) *config.Hyper {
	b.Helper()
	var edits []config.Edit
	for _, l := range s.Layers() {
		edits = append(edits, config.Edit{Field: config.Field{Layer: l.Name, Param: p}, Value: value})
	}
	h, _, err := s.Hyper().Apply(edits...)
	if err != nil {
		b.Fatal(err)
	}
	return h
}

// inPairs does some steps with the first settings and as many with the second, or the other way round, and reports the
// medians of both and of their quotients, of time and of processor time: where others use the machine, too, that is
// what can be compared.
func inPairs(b *testing.B, s *solver.Solver, steps int, first, second *config.Hyper, operate bool) {
	settings := [2]*config.Hyper{first, second}
	var ms, cpu [2][]float64
	var quotients, ofCPU []float64
	for n := 0; b.Loop(); n++ {
		for _, i := range [][]int{{0, 1}, {1, 0}}[n%2] {
			if err := s.SetHyper(settings[i]); err != nil {
				b.Fatal(err)
			}
			begin, used := time.Now(), processorTime(b)
			for range steps {
				if operate {
					s.OperateNext()
				}
				if _, err := s.Step(); err != nil {
					b.Fatal(err)
				}
			}
			ms[i] = append(ms[i], time.Since(begin).Seconds()*1000/float64(steps))
			cpu[i] = append(cpu[i], (processorTime(b)-used).Seconds()*1000/float64(steps))
		}
		quotients = append(quotients, ms[1][n]/ms[0][n])
		ofCPU = append(ofCPU, cpu[1][n]/cpu[0][n])
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(ms[0]), "ms/step")
	b.ReportMetric(median(ms[1]), "ms/other")
	b.ReportMetric(median(quotients), "other/step")
	b.ReportMetric(median(cpu[0]), "cpu-ms/step")
	b.ReportMetric(median(cpu[1]), "cpu-ms/other")
	b.ReportMetric(median(ofCPU), "cpu-other/step")
}

// processorTime is what the process has used so far.
func processorTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
