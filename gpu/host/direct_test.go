package host

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dns-tui/gpu"
	"dns-tui/gpu/devicetest"
)

// Each way of convolutions passes the conformance suite, where it can do what is asked.
func TestConvolutionWays(t *testing.T) {
	for _, way := range []string{"columns", "direct", "depthwise", "depthwise-3×3", "Winograd", "product"} {
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s,threads=%d", way, threads), func(t *testing.T) {
				devicetest.RunConvolutions(t, func() *gpu.Device {
					b := NewBack(Options{Threads: threads}).(*back)
					b.convolutions.only = way
					return gpu.NewDevice(b, nil)
				})
			})
		}
	}
}

// BenchmarkConvolutions measures the ways of convolutions of nets: GFLOP/s of a thread, by its processor time.
func BenchmarkConvolutions(b *testing.B) {
	conv := func(n, c, h, o, k, s, p int) gpu.ConvGeometry {
		g := gpu.ConvGeometry{
			N:      n,
			C:      c,
			H:      h,
			W:      h,
			O:      o,
			KH:     k,
			KW:     k,
			SH:     s,
			SW:     s,
			PH:     p,
			PW:     p,
			DH:     1,
			DW:     1,
			Groups: 1,
		}
		g.Resolve()
		return g
	}
	deep := func(n, c, h, s int) gpu.ConvGeometry {
		g := conv(n, c, h, c, 3, s, 1)
		g.Groups = c
		return g
	}
	for _, g := range []gpu.ConvGeometry{
		deep(8, 32, 112, 1), deep(8, 64, 112, 2), deep(8, 128, 56, 1), deep(8, 256, 28, 1), deep(8, 512, 14, 1),
		deep(8, 1024, 7, 1),
		conv(64, 1, 28, 20, 5, 1, 0), conv(64, 20, 12, 50, 5, 1, 0),
		conv(100, 3, 32, 32, 5, 1, 2), conv(100, 32, 16, 32, 5, 1, 2), conv(100, 32, 8, 64, 5, 1, 2),
		conv(16, 3, 224, 96, 11, 4, 2), conv(16, 96, 27, 256, 5, 1, 2), conv(16, 256, 13, 384, 3, 1, 1),
		conv(8, 3, 224, 64, 7, 2, 3), conv(8, 64, 56, 64, 1, 1, 0), conv(8, 64, 56, 64, 3, 1, 1),
		conv(8, 64, 56, 256, 1, 1, 0), conv(8, 256, 56, 64, 1, 1, 0),
		conv(8, 128, 28, 128, 3, 1, 1), conv(8, 512, 28, 128, 1, 1, 0), conv(8, 512, 28, 1024, 1, 2, 0),
		conv(8, 256, 14, 256, 3, 1, 1), conv(8, 1024, 14, 256, 1, 1, 0),
		conv(8, 512, 7, 512, 3, 1, 1), conv(8, 512, 7, 2048, 1, 1, 0), conv(8, 2048, 7, 512, 1, 1, 0),
		conv(8, 3, 227, 64, 3, 2, 0), conv(8, 16, 56, 64, 3, 1, 1), conv(8, 16, 56, 64, 1, 1, 0),
		conv(8, 64, 56, 16, 1, 1, 0),
	} {
		name := fmt.Sprintf("n%d,c%d,h%d,o%d,k%d,s%d,g%d", g.N, g.C, g.H, g.O, g.KH, g.SH, g.Groups)
		b.Run(name, func(b *testing.B) {
			back := NewBack(Options{Threads: 1}).(*back)
			d := gpu.NewDevice(back, nil)
			defer d.Close()
			alloc := func(n int) *gpu.Tensor {
				v := make([]float32, n)
				for i := range v {
					v[i] = float32(i*7919%1000)/1000 - 0.5
				}
				t, _ := gpu.NewTensor(d, n)
				d.Upload(t, v)
				return t
			}
			x, w, bias, y := alloc(g.InputLen()), alloc(g.WeightLen()), alloc(g.O), alloc(g.OutputLen())
			dx, dw := alloc(g.InputLen()), alloc(g.WeightLen())
			flops := 2 * float64(g.OutputLen()) * float64(g.C/g.Groups*g.KH*g.KW)
			report := func(what string, names []string, took []time.Duration) {
				for i, name := range names {
					b.ReportMetric(flops/float64(took[i].Nanoseconds()), what+"-"+name)
				}
			}
			c := &back.convolutions
			for b.Loop() {
				names, took := measure(c.forward, &g, &gpu.Conv{G: &g, X: x, W: w, B: bias, Y: y})
				report("y", names, took)
				names, took = measure(c.data, &g, &gpu.ConvBackwardData{G: &g, DY: y, W: w, DX: dx})
				report("dx", names, took)
				names, took = measure(c.weights, &g, &gpu.ConvBackwardWeights{G: &g, X: x, DY: y, DW: dw})
				report("dw", names, took)
			}
		})
	}
}

// measure returns the processor's time of each way that can do a convolution, in one thread: the least of some turns.
func measure[O any](ways []denseWay[O], g *gpu.ConvGeometry, o O) (names []string, took []time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
			panic(err)
		}
		return time.Duration(t.Nano())
	}
	for _, w := range ways {
		if w.can(&productKey{g: *g}) {
			names, took = append(names, w.name), append(took, time.Hour)
		}
	}
	for range 6 {
		at := 0
		for _, w := range ways {
			if w.can(&productKey{g: *g}) {
				begin := now()
				w.do(o)
				took[at] = min(took[at], now()-begin)
				at++
			}
		}
	}
	return names, took
}
