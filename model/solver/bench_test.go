package solver_test

import (
	"testing"

	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
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
