//go:build cuda

package cuda

import (
	"testing"

	"dns-tui/gpu"
)

// Operations of no elements queue nothing, and nothing is fused with what was queued before them.
func TestNothingQueued(t *testing.T) {
	for _, p := range Precisions {
		t.Run(p.String(), func(t *testing.T) {
			s := newLastTest(t, p)
			g := gpu.ConvGeometry{
				C: 16, H: 4, W: 4, O: 16, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1,
				OutH: 4, OutW: 4,
			}
			for name, n := range map[string]int{
				"none": 0, "nothing": 0, "w": 16 * 16 * 9, "a": 4, "b": 4, "c": 4, "f": 5,
			} {
				s.tensor(name, n)
			}
			s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
				d.Fill(x["f"], 7)
				d.Axpby(1, x["none"], 1, x["nothing"])
				d.Axpby(1, x["a"], 1, x["b"])
				d.Gemm(false, false, 2, 2, 2, -1, x["a"], x["b"], 0, x["c"])
				d.Conv(&g, x["none"], x["w"], nil, x["nothing"])
				d.ReLU(x["nothing"], x["nothing"], 0)
			})
			s.equal(8e-3, "f", "b", "c")
		})
	}
}

// What waits for more of its kind comes before what is queued behind it, whatever that is.
func TestBatchesInOrder(t *testing.T) {
	for _, p := range Precisions {
		t.Run(p.String(), func(t *testing.T) {
			s := newLastTest(t, p)
			g := gpu.ConvGeometry{
				N: 2, C: 16, H: 6, W: 5, O: 16, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1,
			}
			g.Resolve()
			s.tensor("x", g.InputLen())
			s.tensor("dy", g.OutputLen())
			for _, name := range []string{"w", "dw", "h"} {
				s.tensor(name, g.WeightLen())
			}
			gradient := func(d *gpu.Device, x map[string]*gpu.Tensor) {
				d.ConvBackwardWeights(&g, x["x"], x["dy"], nil, x["dw"], nil)
			}
			s.both(gradient) // its way is chosen
			if p != FP32 {
				s.back.turn(s.x[0]["x"], inputOf(&g))
				s.back.turn(s.x[0]["dy"], outputOf(&g))
			}
			s.both(func(d *gpu.Device, x map[string]*gpu.Tensor) {
				d.Update(gpu.UpdateParams{Rate: 1, Scale: 1}, x["w"], x["dw"], x["h"], nil, nil)
				gradient(d, x)
			})
			s.equal(2e-2, "w", "dw")
		})
	}
}

// A convolution that is large enough for a library takes no more memory where there is none.
func TestNoReferenceWithoutLibrary(t *testing.T) {
	s := newLastTest(t, TF32)
	g := gpu.ConvGeometry{
		N: 4, C: 64, H: 16, W: 16, O: 64, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1,
	}
	g.Resolve()
	s.tensor("x", g.InputLen())
	s.tensor("w", g.WeightLen())
	s.tensor("y", g.OutputLen())
	s.device.Conv(&g, s.x[0]["x"], s.x[0]["w"], nil, s.x[0]["y"])
	if err := s.device.Sync(); err != nil {
		t.Fatal(err)
	}
	if n := s.back.layouts.settling.bytes; n != 0 {
		t.Errorf("%d bytes of scratch memory for what is brought back, of which there is nothing", n)
	}
}
