package host

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// A convolution of 1×1 and its gradients, done as products of all images, are those in float64 but for rounding, at
// every edge of tiles and images, and have the same bits on any number of threads.
func TestPointwise(t *testing.T) { eachSet(t, checkPointwise) }

func checkPointwise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.SampledFrom([]int{1, 1, 2}).Draw(t, "groups")
		channels := rapid.SampledFrom([]int{1, 7, 8, 33, 270})
		g := gpu.ConvGeometry{
			N: rapid.IntRange(1, 5).Draw(t, "images"), H: rapid.IntRange(1, 9).Draw(t, "height"),
			C: groups * channels.Draw(t, "channels"), W: rapid.IntRange(1, 40).Draw(t, "width"),
			O: groups * channels.Draw(t, "outputs"), KH: 1, KW: 1, DH: 1, DW: 1, Groups: groups,
			SH: rapid.IntRange(1, 3).Draw(t, "stride down"), SW: rapid.IntRange(1, 3).Draw(t, "stride along"),
		}
		g.Resolve()
		key := gpu.Key{Seed: rapid.Uint64().Draw(t, "seed")}
		random := func(n int) []float32 {
			key.Iter++
			v := make([]float32, n)
			for i := range v {
				v[i] = key.Uniform(i) - 0.5
			}
			return v
		}
		x, w, bias := random(g.InputLen()), random(g.WeightLen()), random(g.O)
		dy, dw := random(g.OutputLen()), random(g.WeightLen())
		wantY, wantDX, wantDW := pointwiseInFloat64(&g, x, w, bias, dy, dw)
		var first [3][]float32
		for _, threads := range []int{1, 3} {
			back := NewBack(Options{Threads: threads, GoBLAS: true}).(*back)
			d := gpu.NewDevice(back, nil)
			tensor := func(v []float32) *gpu.Tensor { return upload(t, d, v) }
			tx, tw, tdy := tensor(x), tensor(w), tensor(dy)
			results := []*gpu.Tensor{tensor(random(len(dy))), tensor(random(len(x))), tensor(dw)}
			back.convPointwise(&gpu.Conv{G: &g, X: tx, W: tw, B: tensor(bias), Y: results[0]})
			back.convBackwardDataPointwise(&gpu.ConvBackwardData{G: &g, DY: tdy, W: tw, DX: results[1]})
			back.convBackwardWeightsPointwise(&gpu.ConvBackwardWeights{G: &g, X: tx, DY: tdy, DW: results[2]})
			for i, want := range [][]float64{wantY, wantDX, wantDW} {
				have := make([]float32, len(want))
				d.Download(have, results[i])
				for j := range have {
					if !(math.Abs(float64(have[j])-want[j]) <= 1e-5*(1+math.Sqrt(float64(g.C+g.O+g.N*g.H*g.W)))) {
						t.Fatalf("result %d: [%d] is %g, wanted %g", i, j, have[j], want[j])
					}
					if first[i] != nil && math.Float32bits(first[i][j]) != math.Float32bits(have[j]) {
						t.Fatalf(
							"result %d: [%d] is %g with %d threads, and %g with one",
							i,
							j,
							have[j],
							threads,
							first[i][j],
						)
					}
				}
				first[i] = have
			}
			_ = d.Close()
		}
	})
}

// pointwiseInFloat64 returns outputs, gradients of inputs, and dw with the gradients of weights added.
func pointwiseInFloat64(g *gpu.ConvGeometry, x, w, bias, dy, dw []float32) (y, dx, sums []float64) {
	y, dx, sums = make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(dw))
	for i, v := range dw {
		sums[i] = float64(v)
	}
	plane, c, o := g.OutH*g.OutW, g.C/g.Groups, g.O/g.Groups
	for n := range g.N {
		for i := range g.O {
			for p := range plane {
				at := (n*g.O+i)*plane + p
				y[at] = float64(bias[i])
				for j := range c {
					from := ((n*g.C+i/o*c+j)*g.H+p/g.OutW*g.SH)*g.W + p%g.OutW*g.SW
					weight := i*c + j
					y[at] += float64(w[weight]) * float64(x[from])
					dx[from] += float64(w[weight]) * float64(dy[at])
					sums[weight] += float64(x[from]) * float64(dy[at])
				}
			}
		}
	}
	return y, dx, sums
}

// Products of tiles allocate nothing.
func TestProductsAllocateNothing(t *testing.T) {
	g := gpu.ConvGeometry{N: 3, C: 20, H: 9, W: 9, O: 24, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1}
	g.Resolve()
	b := NewBack(Options{Threads: 1, GoBLAS: true}).(*back)
	d := gpu.NewDevice(b, nil)
	defer d.Close()
	o := operands{t, d, new(uint32)}
	x, y, w, dw := o.tensor(g.InputLen()), o.tensor(g.OutputLen()), o.tensor(g.WeightLen()), o.tensor(g.WeightLen())
	run := func() {
		b.convPointwise(&gpu.Conv{G: &g, X: x, W: w, Y: y})
		b.convBackwardDataPointwise(&gpu.ConvBackwardData{G: &g, DY: y, W: w, DX: x})
		b.convBackwardWeightsPointwise(&gpu.ConvBackwardWeights{G: &g, X: x, DY: y, DW: dw})
		b.gemmTiles(&gpu.Gemm{TransB: true, M: 20, N: 24, K: 30, Alpha: 1, A: x, B: y, C: w})
	}
	run()
	if n := testing.AllocsPerRun(20, run); n > 0 {
		t.Errorf("%g allocations", n)
	}
}
