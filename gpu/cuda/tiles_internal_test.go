//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/host"
)

// tileTest compares products on the device with the host's.
type tileTest struct {
	t         *testing.T
	device    *gpu.Device
	back      *back
	host      *gpu.Device
	precision Precision
	key       gpu.Key
}

func newTileTest(t *testing.T, p Precision) *tileTest {
	return newTileTestOf(t, Options{Precision: p, NoLibraries: true})
}

func newTileTestOf(t *testing.T, o Options) *tileTest {
	b, err := openBack(o)
	if err != nil {
		t.Fatal(err)
	}
	d, h := gpu.NewDevice(b, nil), host.New(host.Options{})
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		_ = h.Close()
	})
	return &tileTest{t: t, device: d, back: b, host: h, precision: o.Precision, key: gpu.Key{Seed: 3}}
}

// random returns numbers of -1 to 1.
func (s *tileTest) random(n int) []float32 {
	s.key.Iter++
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*s.key.Uniform(i) - 1
	}
	return v
}

// put uploads numbers, three behind the start of an allocation: tensors start anywhere.
func (s *tileTest) put(d *gpu.Device, v []float32) *gpu.Tensor {
	whole, err := gpu.NewTensor(d, len(v)+3)
	if err != nil {
		s.t.Fatal(err)
	}
	x := whole.View(3, len(v))
	d.Upload(x, v)
	return x
}

// aligned is a tensor that begins where memory does, so that it may be stored with channels last.
func (s *tileTest) aligned(d *gpu.Device, v []float32) *gpu.Tensor {
	x, err := gpu.NewTensor(d, len(v))
	if err != nil {
		s.t.Fatal(err)
	}
	d.Upload(x, v)
	return x
}

// difference is how far the device's numbers are from the host's, as a part of their norm.
func (s *tileTest) difference(what string, x, want *gpu.Tensor) float64 {
	s.t.Helper()
	have, wanted := make([]float32, x.N), make([]float32, x.N)
	s.device.Download(have, x)
	s.host.Download(wanted, want)
	if err := s.device.Sync(); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	var difference, norm float64
	for i, v := range wanted {
		difference += float64(have[i]-v) * float64(have[i]-v)
		norm += float64(v) * float64(v)
	}
	return math.Sqrt(difference / norm)
}

// same fails where the device's numbers are not the host's but for rounding.
func (s *tileTest) same(what string, x, want *gpu.Tensor) {
	s.t.Helper()
	limit := map[Precision]float64{FP32: 2e-6, TF32: 1e-3, BF16: 8e-3}[s.precision]
	if d := s.difference(what, x, want); !(d < limit) {
		s.t.Errorf("%s differs by %.3g of its norm", what, d)
	}
}

// gemm multiplies m×k by k×n in a tile, k in slices.
func (s *tileTest) gemm(tile, slices int, what product, m, n, k int) {
	a, b, c := s.random(m*k), s.random(k*n), s.random(m*n)
	s.back.choices.known[shape{what: what, m: m, n: n, k: k, groups: 1}] = choice{Tile: tile, Slices: slices}
	var out [2]*gpu.Tensor
	for i, d := range []*gpu.Device{s.device, s.host} {
		out[i] = s.put(d, c)
		d.Gemm(what&2 != 0, what&1 != 0, m, n, k, 0.5, s.put(d, a), s.put(d, b), 2, out[i])
	}
	s.same(fmt.Sprintf("gemm %d of %d×%d×%d", what, m, n, k), out[0], out[1])
}

// staged multiplies matrices whose rows begin at 16 bytes.
func (s *tileTest) staged(tile, slices int, what product, m, n, k int) {
	a, b, c := s.random(m*k), s.random(k*n), s.random(m*n)
	s.back.choices.known[shape{what: what, m: m, n: n, k: k, groups: 1}] = choice{Tile: tile, Slices: slices}
	var out [2]*gpu.Tensor
	for i, d := range []*gpu.Device{s.device, s.host} {
		var x [3]*gpu.Tensor
		for j, v := range [][]float32{a, b, c} {
			var err error
			if x[j], err = gpu.NewTensor(d, len(v)); err != nil {
				s.t.Fatal(err)
			}
			d.Upload(x[j], v)
		}
		transA, transB := what.transposed()
		d.Gemm(transA, transB, m, n, k, 0.5, x[0], x[1], 2, x[2])
		out[i] = x[2]
	}
	if _, ok := s.back.choices.known[shape{what: what - stagedNN, m: m, n: n, k: k, groups: 1}]; ok {
		s.t.Errorf("product %d of %d×%d×%d was not taken for one whose rows begin at 16 bytes", what, m, n, k)
	}
	s.same(fmt.Sprintf("staged gemm %d of %d×%d×%d", what, m, n, k), out[0], out[1])
}

// conv does the three products of a convolution in a tile.
func (s *tileTest) conv(tile, slices int, g gpu.ConvGeometry) {
	g.Resolve()
	inputs, outputs := g.N*g.C*g.H*g.W, g.N*g.O*g.OutH*g.OutW
	weights := g.O * g.C / g.Groups * g.KH * g.KW
	x, w, b, dy := s.random(inputs), s.random(weights), s.random(g.O), s.random(outputs)
	places, taps := g.OutH*g.OutW, g.KH*g.KW
	for what, mnk := range map[product][3]int{
		convForward:         {g.O / g.Groups, g.N * places, g.C / g.Groups * taps},
		convBackwardData:    {g.C / g.Groups, g.N * g.H * g.W, g.O / g.Groups * taps},
		convBackwardWeights: {g.O / g.Groups, g.C / g.Groups * taps, g.N * places},
	} {
		of := shape{what: what, m: mnk[0], n: mnk[1], k: mnk[2], groups: g.Groups, g: g, biased: what == convForward}
		s.back.choices.known[of] = choice{Tile: tile, Slices: slices}
	}
	var out [2][3]*gpu.Tensor
	for i, d := range []*gpu.Device{s.device, s.host} {
		tx, tw, tdy := s.put(d, x), s.put(d, w), s.put(d, dy)
		y, dx, dw := s.put(
			d,
			make([]float32, outputs),
		), s.put(
			d,
			make([]float32, inputs),
		), s.put(
			d,
			make([]float32, weights),
		)
		d.Conv(&g, tx, tw, s.put(d, b), y)
		d.ConvBackwardData(&g, tdy, tw, dx)
		d.ConvBackwardWeights(&g, tx, tdy, nil, dw, nil)
		out[i] = [3]*gpu.Tensor{y, dx, dw}
	}
	for i, name := range []string{"convolution", "its gradient of the input", "its gradient of the weights"} {
		s.same(fmt.Sprintf("%s, %d groups", name, g.Groups), out[0][i], out[1][i])
	}
}

// Every product in every tile, k whole and in slices, is the host's: the sizes are no multiple of a tile's, one is
// less.
func TestEveryTile(t *testing.T) {
	for _, p := range Precisions {
		for tile, size := range tilesOf(p) {
			t.Run(fmt.Sprintf("%v/%d", p, size.size), func(t *testing.T) {
				s := newTileTest(t, p)
				for what := gemmNN; what <= gemmTT; what++ {
					s.gemm(tile, 1, what, 130, 141, 77)
					s.gemm(tile, 3, what, 5, 131, 200)
				}
				if p != FP32 {
					s.staged(tile, 1, stagedNN, 130, 140, 76)
					s.staged(tile, 3, stagedNN, 5, 132, 200)
					s.staged(tile, 1, stagedNT, 130, 141, 76)
					s.staged(tile, 3, stagedNT, 133, 5, 200)
					s.staged(tile, 1, stagedTN, 132, 140, 77)
					s.staged(tile, 3, stagedTN, 8, 12, 203)
				}
				s.conv(tile, 1, gpu.ConvGeometry{
					N: 1, C: 7, H: 13, W: 11, O: 140, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1,
				})
				s.conv(tile, 3, gpu.ConvGeometry{
					N: 3, C: 6, H: 19, W: 17, O: 10, KH: 5, KW: 4, SH: 2, SW: 3, PH: 2, PW: 1, DH: 1, DW: 2, Groups: 2,
				})
			})
		}
	}
}
