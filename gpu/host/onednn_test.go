package host

import (
	"fmt"
	"math"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/devicetest"
)

// withOneDNN returns a device that does what it can by oneDNN, where that is found.
func withOneDNN(t *testing.T, threads int) *back {
	b := NewBack(Options{Threads: threads}).(*back)
	lib, err := loadOneDNN(threads)
	if err != nil {
		_ = b.Close()
		t.Skipf("oneDNN was not found: %v", err)
	}
	b.dnn, b.convolutions.only = lib, dnnName
	return b
}

// oneDNN's convolutions pass the conformance suite, and none of them is refused.
func TestOneDNN(t *testing.T) {
	for _, threads := range []int{1, 3} {
		t.Run(fmt.Sprintf("threads=%d", threads), func(t *testing.T) {
			devicetest.RunConvolutions(t, func() *gpu.Device {
				b := withOneDNN(t, threads)
				t.Cleanup(func() {
					for key, p := range b.dnnPlans {
						if p == nil || p.failed.Load() {
							t.Errorf("%+v is not done: %q", key, b.notices)
						}
					}
				})
				return gpu.NewDevice(b, nil)
			})
		})
	}
}

// The bits of its results do not depend on the number of threads, and calls allocate nothing.
func TestOneDNNThreads(t *testing.T) {
	g := gpu.ConvGeometry{
		N: 19, C: 16, H: 13, W: 11, O: 24, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1,
	}
	g.Resolve()
	var first [3][]float32
	for _, threads := range []int{1, 2, 3} {
		b := withOneDNN(t, threads)
		d := gpu.NewDevice(b, nil)
		o := operands{t, d, new(uint32)}
		x, w, bias, dy := o.tensor(g.InputLen()), o.tensor(g.WeightLen()), o.tensor(g.O), o.tensor(g.OutputLen())
		results := []*gpu.Tensor{o.tensor(g.OutputLen()), o.tensor(g.InputLen()), o.tensor(g.WeightLen())}
		run := func() {
			b.convDNN(&gpu.Conv{G: &g, X: x, W: w, B: bias, Y: results[0]})
			b.convBackwardDataDNN(&gpu.ConvBackwardData{G: &g, DY: dy, W: w, DX: results[1]})
			b.convBackwardWeightsDNN(&gpu.ConvBackwardWeights{G: &g, X: x, DY: dy, DW: results[2]})
		}
		run()
		for i, r := range results {
			have := make([]float32, r.N)
			d.Download(have, r)
			for j := range have {
				if first[i] != nil && math.Float32bits(have[j]) != math.Float32bits(first[i][j]) {
					t.Fatalf("result %d, %d threads: [%d] is %g, and was %g", i, threads, j, have[j], first[i][j])
				}
			}
			first[i] = have
		}
		for key, p := range b.dnnPlans {
			if p == nil || p.failed.Load() {
				t.Errorf("%+v is not done: %q", key, b.notices)
			}
		}
		if threads == 1 {
			if n := testing.AllocsPerRun(20, run); n > 0 {
				t.Errorf("%g allocations", n)
			}
		}
		_ = d.Close()
	}
}
