package host

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Depthwise convolutions of 3×3 and their gradients are those of moved channels but for rounding, whatever the plane,
// padding and stride.
func TestDepthwise3(t *testing.T) {
	if !has(vecDepthwise) {
		t.Skip("the processor has neither AVX-512 nor NEON")
	}
	b := NewBack(Options{Threads: 1, GoBLAS: true}).(*back)
	d := gpu.NewDevice(b, nil)
	defer d.Close()
	rapid.Check(t, func(t *rapid.T) {
		side := rapid.IntRange(3, 70)
		g := gpu.ConvGeometry{
			N: rapid.IntRange(1, 3).Draw(t, "images"), C: rapid.IntRange(2, 5).Draw(t, "channels"),
			H: side.Draw(t, "height"), W: side.Draw(t, "width"), KH: 3, KW: 3, DH: 1, DW: 1,
			PH: rapid.IntRange(0, 2).Draw(t, "padding above"), PW: rapid.IntRange(0, 2).Draw(t, "padding beside"),
			SH: rapid.IntRange(1, 2).Draw(t, "stride"),
		}
		g.O, g.Groups, g.SW = g.C, g.C, g.SH
		g.Resolve()
		if key := (productKey{g: g}); !depthwise3(&key) {
			t.Fatalf("%+v is none", g)
		}
		key := gpu.Key{Seed: rapid.Uint64().Draw(t, "seed")}
		tensor := func(n int) *gpu.Tensor {
			key.Iter++
			v := make([]float32, n)
			for i := range v {
				v[i] = key.Uniform(i) - 0.5
			}
			x, err := gpu.NewTensor(d, n)
			if err != nil {
				t.Fatal(err)
			}
			d.Upload(x, v)
			return x
		}
		x, w, bias, dy := tensor(g.InputLen()), tensor(g.WeightLen()), tensor(g.O), tensor(g.OutputLen())
		same := func(what string, n int, have, want func(*gpu.Tensor)) {
			h, r := tensor(n), tensor(n)
			copy(slice(r), slice(h))
			have(h)
			want(r)
			for i, v := range slice(r) {
				if !(math.Abs(float64(slice(h)[i]-v)) <= 1e-5*math.Sqrt(float64(g.N*g.OutH*g.OutW))) {
					t.Fatalf("%+v: %s[%d] is %g, wanted %g", g, what, i, slice(h)[i], v)
				}
			}
		}
		same("y", g.OutputLen(),
			func(y *gpu.Tensor) { b.convDepthwise3(&gpu.Conv{G: &g, X: x, W: w, B: bias, Y: y}) },
			func(y *gpu.Tensor) { b.convDepthwise(&gpu.Conv{G: &g, X: x, W: w, B: bias, Y: y}) })
		same("dx", g.InputLen(),
			func(dx *gpu.Tensor) { b.convBackwardDataDepthwise3(&gpu.ConvBackwardData{G: &g, DY: dy, W: w, DX: dx}) },
			func(dx *gpu.Tensor) { b.convBackwardDataDepthwise(&gpu.ConvBackwardData{G: &g, DY: dy, W: w, DX: dx}) })
		same("dw", g.WeightLen(),
			func(dw *gpu.Tensor) {
				b.convBackwardWeightsDepthwise3(&gpu.ConvBackwardWeights{G: &g, X: x, DY: dy, DW: dw})
			},
			func(dw *gpu.Tensor) {
				b.convBackwardWeightsDepthwise(&gpu.ConvBackwardWeights{G: &g, X: x, DY: dy, DW: dw})
			})
	})
}

// Depthwise convolutions have the same bits by AVX-512 and NEON: the hashes are of both.
func TestDepthwise3Bits(t *testing.T) {
	want := map[int]uint64{1: 0xf6d880321809767d, 2: 0xa8b1be9f82f65909}
	for _, set := range processorSets() {
		withSet(set, func() {
			if !has(vecDepthwise) {
				return
			}
			b := NewBack(Options{Threads: 2, GoBLAS: true}).(*back)
			d := gpu.NewDevice(b, nil)
			defer d.Close()
			for stride, hash := range want {
				h := fnv.New64a()
				for width := 3; width < 45; width++ {
					g := gpu.ConvGeometry{
						N: 2, C: 3, O: 3, Groups: 3, H: 11, W: width, KH: 3, KW: 3, DH: 1, DW: 1, PH: 1, PW: width % 3,
						SH: stride, SW: stride,
					}
					g.Resolve()
					tensor := func(n int, stream uint32) *gpu.Tensor {
						v := make([]float32, n)
						for i := range v {
							v[i] = gpu.Key{Seed: 1, Stream: stream}.Uniform(i) - 0.5
						}
						return upload(t, d, v)
					}
					x, w, dy := tensor(g.InputLen(), 1), tensor(g.WeightLen(), 2), tensor(g.OutputLen(), 3)
					y, dx, dw := tensor(g.OutputLen(), 4), tensor(g.InputLen(), 5), tensor(g.WeightLen(), 6)
					b.convDepthwise3(&gpu.Conv{G: &g, X: x, W: w, Y: y})
					b.convBackwardDataDepthwise3(&gpu.ConvBackwardData{G: &g, DY: dy, W: w, DX: dx})
					b.convBackwardWeightsDepthwise3(&gpu.ConvBackwardWeights{G: &g, X: x, DY: dy, DW: dw})
					for _, r := range []*gpu.Tensor{y, dx, dw} {
						_ = binary.Write(h, binary.LittleEndian, slice(r))
					}
				}
				if h.Sum64() != hash {
					t.Errorf("stride %d by %s: the bits have the hash %#x, wanted %#x", stride, set, h.Sum64(), hash)
				}
			}
		})
	}
}
