package host

import (
	"math"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/devicetest"
)

// withTiles runs f with the tiles of a processor that has so much, and no more than this one.
func withTiles(t *testing.T, avx512, fma bool, f func()) {
	if avx512 && !hasAVX512 || fma && !hasFMA {
		t.Skip("the processor has no such vectors")
	}
	had512, hadFMA := hasAVX512, hasFMA
	set := func(avx512, fma bool) {
		hasAVX512, hasFMA = avx512, fma
		tilePositions, tilePanels = size(avx512 || !fma, 8, 6), size(avx512, 2, 1)
		tileElements = tilePositions
	}
	set(avx512, fma)
	defer set(had512, hadFMA)
	f()
}

// The tiles of every processor pass the conformance suite.
func TestTilesOfProcessors(t *testing.T) {
	for _, c := range []struct {
		name        string
		avx512, fma bool
	}{{"AVX-512", true, true}, {"AVX2", false, true}, {"Go", false, false}} {
		t.Run(c.name, func(t *testing.T) {
			withTiles(t, c.avx512, c.fma, func() {
				for _, way := range []string{"direct", "product", "Winograd"} {
					devicetest.RunConvolutions(t, func() *gpu.Device {
						b := NewBack(Options{Threads: 2, GoBLAS: true}).(*back)
						b.convolutions.only = way
						return gpu.NewDevice(b, nil)
					})
				}
			})
		})
	}
}

// Tiles of AVX-512 and of AVX2 make the same bits.
func TestTilesMakeTheSameBits(t *testing.T) {
	g := gpu.ConvGeometry{
		N:      3,
		C:      45,
		H:      11,
		W:      13,
		O:      50,
		KH:     3,
		KW:     3,
		SH:     1,
		SW:     1,
		PH:     1,
		PW:     1,
		DH:     1,
		DW:     1,
		Groups: 1,
	}
	g.Resolve()
	random := func(n int, stream uint32) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = gpu.Key{Seed: 1, Stream: stream}.Uniform(i) - 0.5
		}
		return v
	}
	run := func() map[string][]float32 {
		b := NewBack(Options{Threads: 2, GoBLAS: true}).(*back)
		d := gpu.NewDevice(b, nil)
		defer func() { _ = d.Close() }()
		tensor := func(v []float32) *gpu.Tensor { return upload(t, d, v) }
		x, w, dy := tensor(random(g.InputLen(), 1)), tensor(random(g.WeightLen(), 2)), tensor(random(g.OutputLen(), 3))
		results := map[string]*gpu.Tensor{
			"y": tensor(make([]float32, g.OutputLen())), "dx": tensor(make([]float32, g.InputLen())),
			"dw": tensor(random(g.WeightLen(), 4)), "Winograd's y": tensor(make([]float32, g.OutputLen())),
			"1×1, y": tensor(make([]float32, g.OutputLen())), "1×1, dx": tensor(make([]float32, g.InputLen())),
			"1×1, dw":            tensor(random(50*45, 7)),
			"Winograd's y, 5×5":  tensor(make([]float32, g.OutputLen())),
			"Winograd's dw, 5×5": tensor(random(24*32*25, 9)),
			"Winograd's dw":      tensor(random(g.WeightLen(), 8)),
			"a product":          tensor(random(50*99, 5)), "an outer product": tensor(random(45*99, 6)),
		}
		b.convDirect(&gpu.Conv{G: &g, X: x, W: w, Y: results["y"]})
		b.convBackwardDataDirect(&gpu.ConvBackwardData{G: &g, DY: dy, W: w, DX: results["dx"]})
		b.convBackwardWeightsDirect(&gpu.ConvBackwardWeights{G: &g, X: x, DY: dy, DW: results["dw"]})
		many := g
		many.C, many.O = 40, 33
		b.convWinograd(&gpu.Conv{G: &many, X: x, W: w, Y: results["Winograd's y"]})
		five := gpu.ConvGeometry{
			N: 3, C: 24, H: 11, W: 13, O: 33, KH: 5, KW: 5, SH: 1, SW: 1, PH: 2, PW: 2, DH: 1, DW: 1, Groups: 1,
		}
		five.Resolve()
		b.convWinograd(&gpu.Conv{G: &five, X: x, W: w, Y: results["Winograd's y, 5×5"]})
		five.O = 32
		b.convBackwardWeightsWinograd(&gpu.ConvBackwardWeights{
			G: &five, X: x, DY: dy, DW: results["Winograd's dw, 5×5"],
		})
		many.O = 40
		b.convBackwardWeightsWinograd(&gpu.ConvBackwardWeights{G: &many, X: x, DY: dy, DW: results["Winograd's dw"]})
		b.gemmTiles(&gpu.Gemm{M: 50, N: 99, K: 60, Alpha: 1, A: x, B: dy, Beta: 1, C: results["a product"]})
		b.gemmTiles(
			&gpu.Gemm{
				TransA: true,
				M:      45,
				N:      99,
				K:      60,
				Alpha:  1,
				A:      x,
				B:      dy,
				Beta:   1,
				C:      results["an outer product"],
			},
		)
		one := gpu.ConvGeometry{
			N: 3, C: 45, H: 11, W: 13, O: 50, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1,
		}
		one.Resolve()
		b.convPointwise(&gpu.Conv{G: &one, X: x, W: w, Y: results["1×1, y"]})
		b.convBackwardDataPointwise(&gpu.ConvBackwardData{G: &one, DY: dy, W: w, DX: results["1×1, dx"]})
		b.convBackwardWeightsPointwise(&gpu.ConvBackwardWeights{G: &one, X: x, DY: dy, DW: results["1×1, dw"]})
		values := map[string][]float32{}
		for name, r := range results {
			values[name] = make([]float32, r.N)
			d.Download(values[name], r)
		}
		return values
	}
	var wide map[string][]float32
	withTiles(t, true, true, func() { wide = run() })
	withTiles(t, false, true, func() {
		for name, v := range run() {
			for i := range v {
				if math.Float32bits(v[i]) != math.Float32bits(wide[name][i]) {
					t.Fatalf("%s[%d] is %g by AVX2, and %g by AVX-512", name, i, v[i], wide[name][i])
				}
			}
		}
	})
}
