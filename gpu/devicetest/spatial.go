package devicetest

import (
	"fmt"
	"math"
	"testing"

	"dns-tui/gpu"
)

// convs are convolutions with padding, strides, dilation, groups, and at the edges of what kernels do at once.
var convs = []gpu.ConvGeometry{
	{N: 1, C: 1, H: 5, W: 5, O: 1, KH: 3, KW: 3, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 3, C: 4, H: 9, W: 8, O: 6, KH: 3, KW: 3, SH: 2, SW: 2, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 2},
	{N: 2, C: 3, H: 11, W: 9, O: 4, KH: 5, KW: 2, SH: 1, SW: 3, PH: 2, PW: 0, DH: 1, DW: 1, Groups: 1},
	{N: 2, C: 4, H: 9, W: 8, O: 4, KH: 3, KW: 3, SH: 1, SW: 1, PH: 2, PW: 2, DH: 2, DW: 2, Groups: 1},
	{N: 2, C: 5, H: 4, W: 6, O: 7, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 2, C: 2, H: 3, W: 3, O: 2, KH: 3, KW: 3, SH: 1, SW: 1, PH: 3, PW: 3, DH: 1, DW: 1, Groups: 1},
	{N: 40, C: 1, H: 12, W: 12, O: 5, KH: 5, KW: 5, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 1, C: 3, H: 23, W: 23, O: 8, KH: 11, KW: 11, SH: 4, SW: 4, DH: 1, DW: 1, Groups: 1},
	{N: 2, C: 6, H: 7, W: 7, O: 6, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 6},
}

// moreConvs are larger, or at the edges of tiles of outputs, channels and positions.
var moreConvs = []gpu.ConvGeometry{
	{N: 2, C: 1, H: 1, W: 1, O: 1, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 2, C: 9, H: 1, W: 1, O: 17, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 1, C: 16, H: 1, W: 17, O: 48, KH: 1, KW: 3, SH: 1, SW: 1, PW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 2, C: 7, H: 12, W: 13, O: 33, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 3, C: 10, H: 9, W: 8, O: 40, KH: 3, KW: 3, SH: 1, SW: 1, PH: 0, PW: 2, DH: 1, DW: 1, Groups: 1},
	{N: 2, C: 4, H: 6, W: 6, O: 3, KH: 1, KW: 1, SH: 1, SW: 1, PH: 2, PW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 1, C: 2, H: 9, W: 10, O: 32, KH: 3, KW: 2, SH: 1, SW: 1, PH: 4, PW: 5, DH: 2, DW: 3, Groups: 2},
	{N: 2, C: 40, H: 14, W: 9, O: 70, KH: 3, KW: 3, SH: 2, SW: 2, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 2},
	{N: 1, C: 401, H: 5, W: 7, O: 20, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 1, C: 50, H: 40, W: 31, O: 19, KH: 5, KW: 5, SH: 1, SW: 1, PH: 2, PW: 2, DH: 1, DW: 1, Groups: 1},
	{N: 3, C: 12, H: 17, W: 18, O: 24, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 2, DW: 2, Groups: 1},
	{N: 2, C: 11, H: 16, W: 15, O: 11, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 11},
	{N: 2, C: 9, H: 21, W: 20, O: 9, KH: 3, KW: 3, SH: 2, SW: 2, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 9},
	{N: 2, C: 8, H: 13, W: 14, O: 24, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 5, C: 16, H: 7, W: 7, O: 40, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 1, C: 24, H: 9, W: 6, O: 33, KH: 3, KW: 3, SH: 1, SW: 1, PH: 0, PW: 2, DH: 1, DW: 1, Groups: 1},
	{N: 1, C: 192, H: 6, W: 56, O: 16, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 1},
	{N: 2, C: 32, H: 8, W: 12, O: 16, KH: 3, KW: 3, SH: 1, SW: 1, PH: 1, PW: 1, DH: 1, DW: 1, Groups: 2},
	{N: 2, C: 3, H: 10, W: 33, O: 6, KH: 5, KW: 3, SH: 1, SW: 2, PH: 2, PW: 1, DH: 1, DW: 2, Groups: 3},
}

func conv(b *bench) {
	for _, g := range convs {
		g.Resolve()
		convCase(b, &g)
	}
}

// RunConvolutions runs what the suite has of convolutions, and more: for each of a device's ways to do them.
func RunConvolutions(t *testing.T, open func() *gpu.Device) {
	d := open()
	t.Cleanup(func() { d.Close() })
	b := &bench{T: t, tolerance: Tolerance, d: d, key: gpu.Key{Seed: 7}}
	conv(b)
	for _, g := range moreConvs {
		g.Resolve()
		x, dy := b.random(g.InputLen()), b.random(g.OutputLen())
		convProducts(b, &g, x, dy, b.random(g.WeightLen()))
		convGradients(b, &g, x, dy)
	}
}

// taps calls f for every product of a convolution: the positions in x, w and y.
func taps(g *gpu.ConvGeometry, f func(x, w, y int)) {
	cg, og := g.C/g.Groups, g.O/g.Groups
	for n := range g.N {
		for o := range g.O {
			for oh := range g.OutH {
				for ow := range g.OutW {
					y := ((n*g.O+o)*g.OutH+oh)*g.OutW + ow
					for c := range cg {
						for kh := range g.KH {
							for kw := range g.KW {
								h, w := oh*g.SH-g.PH+kh*g.DH, ow*g.SW-g.PW+kw*g.DW
								if h < 0 || h >= g.H || w < 0 || w >= g.W {
									continue
								}
								f(((n*g.C+o/og*cg+c)*g.H+h)*g.W+w, ((o*cg+c)*g.KH+kh)*g.KW+kw, y)
							}
						}
					}
				}
			}
		}
	}
}

// convCase checks a convolution and its gradients: of weights as they are, and of forward weights of which some are
// pruned.
func convCase(b *bench, g *gpu.ConvGeometry) {
	x, dy := b.random(g.InputLen()), b.random(g.OutputLen())
	convProducts(b, g, x, dy, b.random(g.WeightLen()))
	for _, density := range densities {
		convProducts(b, g, x, dy, b.kept(g.WeightLen(), density))
	}
	convGradients(b, g, x, dy)
}

// convProducts checks outputs and the gradient of inputs.
func convProducts(b *bench, g *gpu.ConvGeometry, x, dy, w []float32) {
	name := fmt.Sprintf("%+v", *g)
	c := b.random(g.O)
	tx, tdy, tw, tc, ty, tdx := b.tensor(x), b.tensor(dy), b.tensor(w), b.tensor(c), b.empty(len(dy)), b.empty(len(x))
	y, dx := make([]float64, len(dy)), make([]float64, len(x))
	taps(g, func(i, k, o int) {
		y[o] += float64(x[i]) * float64(w[k])
		dx[i] += float64(dy[o]) * float64(w[k])
	})
	b.d.Conv(g, tx, tw, nil, ty)
	b.check("Conv without bias "+name, ty, y)
	plane := g.OutH * g.OutW
	b.d.Conv(g, tx, tw, tc, ty)
	b.check("Conv "+name, ty, each(len(y), func(i int) float64 { return y[i] + float64(c[i/plane%g.O]) }))
	rectifiedConv(b, g, tx, tw, tc, ty)
	b.d.ConvBackwardData(g, tdy, tw, tdx)
	b.check("ConvBackwardData "+name, tdx, dx)
}

// convGradients checks gradients of weights and biases.
func convGradients(b *bench, g *gpu.ConvGeometry, x, dy []float32) {
	name, plane := fmt.Sprintf("%+v", *g), g.OutH*g.OutW
	before := b.random(g.WeightLen())
	tx, tdy, tdw, dw := b.tensor(x), b.tensor(dy), b.tensor(before), wide(before)
	taps(g, func(i, k, o int) { dw[k] += float64(dy[o]) * float64(x[i]) })
	db := b.random(g.O)
	tdb := b.tensor(db)
	b.d.ConvBackwardWeights(g, tx, tdy, nil, tdw, tdb)
	b.check("ConvBackwardWeights dw "+name, tdw, dw)
	convKept(b, g, tx, tdy, before, dw)
	want := wide(db)
	for i, v := range dy {
		want[i/plane%g.O] += float64(v)
	}
	b.check("ConvBackwardWeights db "+name, tdb, want)
	b.d.ConvBackwardWeights(g, tx, tdy, nil, nil, tdb) // a frozen weight
}

func narrow(v []float64) []float32 {
	w := make([]float32, len(v))
	for i, x := range v {
		w[i] = float32(x)
	}
	return w
}

// pools are windows with padding, overlap, clipping at the end, and the two shapes that devices make special.
var pools = []gpu.PoolGeometry{
	{Planes: 3, H: 8, W: 6, KH: 2, KW: 2, SH: 2, SW: 2},
	{Planes: 2, H: 9, W: 8, KH: 3, KW: 3, SH: 2, SW: 2},
	{Planes: 2, H: 7, W: 7, KH: 3, KW: 3, SH: 2, SW: 2, PH: 1, PW: 1},
	{Planes: 2, H: 5, W: 6, KH: 3, KW: 2, SH: 1, SW: 3, PH: 1, PW: 1},
	{Planes: 4, H: 7, W: 5, KH: 7, KW: 5, SH: 1, SW: 1},
	{Planes: 300, H: 24, W: 24, KH: 2, KW: 2, SH: 2, SW: 2},
	{Planes: 2, H: 5, W: 5, KH: 2, KW: 2, SH: 2, SW: 2},
	{Planes: 2, H: 3, W: 5, KH: 4, KW: 3, SH: 2, SW: 2}, // a window larger than the plane
	{Planes: 2, H: 2, W: 6, KH: 1, KW: 2, SH: 3, SW: 3}, // the last windows are empty
}

// windows calls f for every output with the positions in its plane's window, and the size that AVE divides by.
func windows(g *gpu.PoolGeometry, f func(out, plane int, in []int, size float64)) {
	for n := range g.Planes {
		for oh := range g.OutH {
			for ow := range g.OutW {
				var in []int
				for h := oh*g.SH - g.PH; h < oh*g.SH-g.PH+g.KH; h++ {
					for w := ow*g.SW - g.PW; w < ow*g.SW-g.PW+g.KW; w++ {
						if h >= 0 && h < g.H && w >= 0 && w < g.W {
							in = append(in, h*g.W+w)
						}
					}
				}
				hs := min(oh*g.SH-g.PH+g.KH, g.H+g.PH) - (oh*g.SH - g.PH)
				ws := min(ow*g.SW-g.PW+g.KW, g.W+g.PW) - (ow*g.SW - g.PW)
				f((n*g.OutH+oh)*g.OutW+ow, n*g.H*g.W, in, float64(hs*ws))
			}
		}
	}
}

func maxPool(b *bench) {
	for _, g := range pools {
		g.Resolve(false)
		nx, ny := g.Planes*g.H*g.W, g.Planes*g.OutH*g.OutW
		x, dy := b.random(nx), b.random(ny)
		for i := range x {
			x[i] = float32(math.Round(float64(x[i]) * 4)) // many equals: the first must win
		}
		y, at, dx := make([]float64, ny), make([]float64, ny), make([]float64, nx)
		windows(&g, func(o, plane int, in []int, _ float64) {
			if len(in) == 0 {
				y[o], at[o] = -math.MaxFloat32, -1
				return
			}
			best := in[0]
			for _, i := range in {
				if x[plane+i] > x[plane+best] {
					best = i
				}
			}
			y[o], at[o] = float64(x[plane+best]), float64(best)
			dx[plane+best] += float64(dy[o])
		})
		tx, ty, tat, tdx := b.tensor(x), b.empty(ny), b.empty(ny), b.empty(nx)
		b.d.MaxPool(&g, tx, ty, tat)
		b.check(fmt.Sprintf("MaxPool %+v", g), ty, y)
		b.check(fmt.Sprintf("MaxPool argmax %+v", g), tat, at)
		b.d.MaxPoolBackward(&g, b.tensor(dy), tat, tdx)
		b.check(fmt.Sprintf("MaxPoolBackward %+v", g), tdx, dx)
	}
}

func avePool(b *bench) {
	for _, g := range pools {
		g.Resolve(false)
		nx, ny := g.Planes*g.H*g.W, g.Planes*g.OutH*g.OutW
		x, dy := b.random(nx), b.random(ny)
		y, dx := make([]float64, ny), make([]float64, nx)
		windows(&g, func(o, plane int, in []int, size float64) {
			for _, i := range in {
				y[o] += float64(x[plane+i]) / size
				dx[plane+i] += float64(dy[o]) / size
			}
		})
		tx, ty, tdx := b.tensor(x), b.empty(ny), b.empty(nx)
		b.d.AvePool(&g, tx, ty)
		b.check(fmt.Sprintf("AvePool %+v", g), ty, y)
		b.d.AvePoolBackward(&g, b.tensor(dy), tdx)
		b.check(fmt.Sprintf("AvePoolBackward %+v", g), tdx, dx)
	}
}

func lrn(b *bench) {
	for _, g := range []gpu.LRNGeometry{
		{N: 2, C: 7, Plane: 6, Size: 5, Alpha: 0.9, Beta: 0.75, K: 1},
		{N: 1, C: 3, Plane: 1100, Size: 3, Alpha: 0.5, Beta: 0.6, K: 2},
		{N: 3, C: 2, Plane: 4, Size: 5, Alpha: 1, Beta: 0.75, K: 1},
		{N: 1, C: 4, Plane: 3, Size: 1, Alpha: 1, Beta: 0.75, K: 1},
	} {
		n := g.N * g.C * g.Plane
		x, dy := b.random(n), b.random(n)
		half := (g.Size - 1) / 2
		around := func(i int, f func(j int)) {
			c := i / g.Plane % g.C
			for k := max(0, c-half); k <= min(g.C-1, c+half); k++ {
				f(i + (k-c)*g.Plane)
			}
		}
		f := float64(g.Alpha) / float64(g.Size)
		s := each(n, func(i int) float64 {
			t := float64(g.K)
			around(i, func(j int) { t += f * float64(x[j]) * float64(x[j]) })
			return t
		})
		y := each(n, func(i int) float64 { return float64(x[i]) * math.Pow(s[i], -float64(g.Beta)) })
		tx, ts, ty, tdx := b.tensor(x), b.empty(n), b.empty(n), b.empty(n)
		b.d.LRN(&g, tx, ts, ty)
		b.check("LRN scale", ts, s)
		b.check("LRN", ty, y)
		b.d.LRNBackward(&g, tx, ty, ts, b.tensor(dy), tdx)
		b.check("LRNBackward", tdx, each(n, func(i int) float64 {
			t := 0.0
			around(i, func(j int) { t += float64(dy[j]) * y[j] / s[j] })
			return float64(dy[i])*math.Pow(s[i], -float64(g.Beta)) - 2*f*float64(g.Beta)*float64(x[i])*t
		}))
	}
}

func lrnWithin(b *bench) {
	for _, g := range []gpu.PoolGeometry{
		{Planes: 3, H: 5, W: 9, KH: 3, KW: 3},
		{Planes: 2, H: 8, W: 16, KH: 5, KW: 5},
		{Planes: 70, H: 16, W: 16, KH: 3, KW: 3},
		{Planes: 2, H: 2, W: 3, KH: 5, KW: 5},
		{Planes: 1, H: 4, W: 4, KH: 1, KW: 1},
	} {
		g.SH, g.SW, g.PH, g.PW = 1, 1, g.KH/2, g.KW/2
		g.Resolve(false)
		for _, beta := range []float32{0.75, 0.6} {
			const alpha = 0.9
			n := g.InputLen()
			x, dy := b.random(n), b.random(n)
			mean := func(of func(i int) float64) []float64 {
				return each(n, func(i int) float64 {
					plane, h, w := i/(g.H*g.W)*g.H*g.W, i/g.W%g.H, i%g.W
					var t float64
					for y := max(0, h-g.PH); y <= min(g.H-1, h+g.PH); y++ {
						for x := max(0, w-g.PW); x <= min(g.W-1, w+g.PW); x++ {
							t += of(plane + y*g.W + x)
						}
					}
					return t / float64(g.KH*g.KW)
				})
			}
			squares := mean(func(i int) float64 { return float64(x[i]) * float64(x[i]) })
			s := each(n, func(i int) float64 { return 1 + alpha*squares[i] })
			power := func(i int) float64 { return math.Pow(s[i], -float64(beta)) }
			tx, ts, ty, tdx := b.tensor(x), b.empty(n), b.empty(n), b.empty(n)
			b.d.LRNWithin(&g, alpha, beta, tx, ts, ty)
			b.check("LRNWithin scale", ts, s)
			b.check("LRNWithin", ty, each(n, func(i int) float64 { return float64(x[i]) * power(i) }))
			around := mean(func(i int) float64 { return float64(dy[i]) * float64(x[i]) * power(i) / s[i] })
			b.d.LRNWithinBackward(&g, alpha, beta, tx, ts, b.tensor(dy), tdx)
			b.check("LRNWithinBackward", tdx, each(n, func(i int) float64 {
				return float64(dy[i])*power(i) - 2*alpha*float64(beta)*float64(x[i])*around[i]
			}))
		}
	}
}
