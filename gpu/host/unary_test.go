package host

import (
	"fmt"
	"math"
	"testing"

	"dns-tui/gpu"
)

// unaryCase is a function with its formula in float64, and how far its vectors may be from it: relative to it, and
// besides.
type unaryCase struct {
	f                  gpu.UnaryFunc
	at                 func(x float64) float64
	relative, absolute float64
	// slope is the gradient, given x and y; size is its largest term.
	slope, size func(x, y float64) float64
}

func unaryCases() []unaryCase {
	sig := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	one := func(float64, float64) float64 { return 1 }
	power := func(e float64) unaryCase {
		f := gpu.UnaryFunc{Op: gpu.Pow, A: float32(e), B: 0.5, C: 4}
		return unaryCase{f, func(x float64) float64 { return float64(f.At(float32(x))) }, 0, 0,
			func(x, y float64) float64 { return float64(f.Slope(float32(x), float32(y))) }, nil}
	}
	return []unaryCase{
		{gpu.UnaryFunc{Op: gpu.Sigmoid}, sig, 3e-7, 1e-37, func(_, y float64) float64 { return y * (1 - y) }, nil},
		{gpu.UnaryFunc{Op: gpu.TanH}, math.Tanh, 2e-7, 0, func(_, y float64) float64 { return 1 - y*y }, nil},
		{gpu.UnaryFunc{Op: gpu.BNLL}, func(x float64) float64 {
			return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
		}, 3e-7, 1e-37, func(x, _ float64) float64 { return sig(x) }, nil},
		{gpu.UnaryFunc{Op: gpu.ELU, A: 0.7}, func(x float64) float64 {
			if x > 0 {
				return x
			}
			return float64(float32(0.7)) * math.Expm1(x)
		}, 3e-7, 0, func(_, y float64) float64 {
			if y > 0 {
				return 1
			}
			return y + float64(float32(0.7))
		}, one},
		{gpu.UnaryFunc{Op: gpu.Exp, A: 0.75, B: 2}, func(x float64) float64 { return 2 * math.Exp(0.75*x) }, 3e-7, 0,
			func(_, y float64) float64 { return 0.75 * y }, nil},
		{gpu.UnaryFunc{Op: gpu.Log, A: 0.3, B: 4, C: 3}, func(x float64) float64 {
			return 3 * math.Log(float64(float32(0.3))*x+4)
		}, 2e-7, 3e-7, func(x, _ float64) float64 {
			a := float64(float32(0.3))
			return 3 * a / (a*x + 4)
		}, nil},
		{
			gpu.UnaryFunc{Op: gpu.Swish, A: 1.3},
			func(x float64) float64 { return x * sig(float64(float32(1.3))*x) },
			3e-7,
			1e-36,
			func(x, y float64) float64 {
				a := float64(float32(1.3))
				return a*y + sig(a*x)*(1-a*y)
			},
			func(x, y float64) float64 { return max(math.Abs(1.3*y), sig(1.3*x)*(1+math.Abs(1.3*y))) },
		},
		{gpu.UnaryFunc{Op: gpu.Abs}, math.Abs, 0, 0, func(x, _ float64) float64 {
			return float64(gpu.UnaryFunc{Op: gpu.Abs}.Slope(float32(x), 0))
		}, nil},
		power(-1), power(-0.5), power(0.5), power(2), power(3),
	}
}

// Elementwise functions and their gradients are their formulas, within the errors that unary.go says; NaN, infinities
// and both zeros too.
func TestUnaryVectors(t *testing.T) { eachSet(t, checkUnaryVectors) }

func checkUnaryVectors(t *testing.T) {
	var x []float32
	for v := -110.0; v < 110; v += 0.0137 {
		x = append(x, float32(v), float32(v/100), float32(v/1e6))
	}
	for _, v := range oddNumbers { // one among others, and some together
		x = append(x, 0.3, -0.4, v)
	}
	x = append(x, oddNumbers...)
	y, dx, dy := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
	for i := range dy {
		dy[i] = 1 + float32(i%7)/4
	}
	for _, c := range unaryCases() {
		var worst, worstSlope float64
		check := func(what string, i int, have float32, want, relative, absolute float64) float64 {
			t.Helper()
			h := float64(have)
			if same := float64(float32(want)); h == same || h != h && same != same {
				return 0
			}
			off := math.Abs(h - want)
			if !(off <= relative*math.Abs(want)+absolute) {
				t.Fatalf("%s%+v of %g is %g, wanted %g", what, c.f, x[i], have, want)
			}
			return off / math.Abs(want)
		}
		k := unaryKernel{x, y, c.f}
		k.run(0, len(x), 0)
		for i, v := range x {
			if off := check("", i, y[i], c.at(float64(v)), c.relative, c.absolute); math.Abs(c.at(float64(v))) > 1e-3 {
				worst = max(worst, off)
			}
		}
		b := unaryBackwardKernel{x, y, dy, dx, c.f}
		b.run(0, len(x), 0)
		for i, v := range x {
			slope := c.slope(float64(v), float64(y[i]))
			absolute := 3e-7 * math.Abs(slope)
			if c.size != nil {
				absolute = max(absolute, 3e-7*c.size(float64(v), float64(y[i])))
			}
			if c.relative == 0 { // the bits of Go
				slope, absolute = float64(float32(slope)), 0
				slope = float64(float32(slope) * dy[i])
			} else {
				slope *= float64(dy[i])
			}
			off := check("the gradient of ", i, dx[i], slope, 0, absolute*float64(dy[i])+1e-36)
			if c.relative > 0 && math.Abs(slope) > 1e-3 {
				worstSlope = max(worstSlope, off)
			}
		}
		t.Logf("%+v: relative errors above 1e-3: %.1e, of the gradient %.1e", c.f, worst, worstSlope)
	}
}

// The sum of PReLU's gradient is that in float64 but for rounding.
func TestDotBelow(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for _, n := range []int{1, 7, 8, 33, 2048, 5001} {
			x, y, want := make([]float32, n), make([]float32, n), 0.0
			for i := range x {
				x[i], y[i] = (gpu.Key{Seed: 1}).Uniform(i)-0.5, (gpu.Key{Seed: 2}).Uniform(i)-0.5
				if x[i] <= 0 {
					want += float64(x[i]) * float64(y[i])
				}
			}
			if have := dotBelow(x, y); math.Abs(have-want) > 1e-7*float64(n) {
				t.Errorf("of %d it is %g, wanted %g", n, have, want)
			}
		}
	})
}

// BenchmarkUnary measures functions and their gradients: GB/s of what each must move, by the largest set and by Go.
func BenchmarkUnary(b *testing.B) {
	sets := processorSets()
	const n = 1 << 20
	x := make([]float32, n)
	for i := range x {
		x[i] = 4 * ((gpu.Key{Seed: 1}).Uniform(i) - 0.5)
	}
	for _, s := range []VectorSet{GoSet, sets[len(sets)-1]} {
		withSet(s, func() {
			d := New(Options{})
			defer func() { _ = d.Close() }()
			tx, ty, tdy, tdx := upload(b, d, x), upload(b, d, x), upload(b, d, x), upload(b, d, x)
			for _, c := range unaryCases() {
				b.Run(fmt.Sprintf("%d,%g/%s", c.f.Op, c.f.A, s), func(b *testing.B) {
					b.SetBytes(8 * n)
					for b.Loop() {
						d.Unary(c.f, tx, ty)
					}
				})
				b.Run(fmt.Sprintf("gradient of %d,%g/%s", c.f.Op, c.f.A, s), func(b *testing.B) {
					b.SetBytes(16 * n)
					for b.Loop() {
						d.UnaryBackward(c.f, tx, ty, tdy, tdx)
					}
				})
			}
		})
	}
}
