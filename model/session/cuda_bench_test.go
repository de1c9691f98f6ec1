//go:build cuda

package session_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dns-tui/gpu/cuda"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
)

// Whole training steps on the GPU with images that are there already: surgery where it is due, forward, backward,
// update. DNS_TUI_BATCH sets another batch and DNS_TUI_NET names one net alone, for the emulator.
func BenchmarkCUDAStep(b *testing.B) {
	for _, c := range []struct {
		net     string
		batch   int
		classes int
	}{{"lenet_300_100", 64, 10}, {"lenet_dns", 64, 10}, {"alexnet_bn", 200, 1000}} {
		if only := os.Getenv("DNS_TUI_NET"); only != "" && only != c.net {
			continue
		}
		for _, precision := range cuda.Precisions {
			b.Run(c.net+"/"+precision.String(), func(b *testing.B) {
				batch := c.batch
				if n, err := strconv.Atoi(os.Getenv("DNS_TUI_BATCH")); err == nil {
					batch = n
				}
				d := modeltest.OpenCUDA(b, cuda.Options{Precision: precision})
				s := modeltest.Solver(b, d, c.net, batch, c.classes)
				for range 5 { // kernels are chosen and graphs captured
					if err := s.Advance(); err != nil {
						b.Fatal(err)
					}
				}
				if err := s.Drain(); err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				for range b.N { // not b.Loop, which stops the clock before the device is done
					if err := s.Advance(); err != nil {
						b.Fatal(err)
					}
				}
				if err := s.Drain(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				perStep := b.Elapsed().Seconds() / float64(b.N)
				b.ReportMetric(1000*perStep, "ms/step")
				b.ReportMetric(float64(batch)/perStep, "images/s")
				b.ReportMetric(float64(d.Allocated())/(1<<20), "MiB")
			})
		}
	}
}

// DNS_TUI_TIMELINE is a number of lines: of a training step of AlexNet-BN (of DNS_TUI_NET, for the emulator) each
// kernel is measured by itself, and those that take longest are printed, with the sum of all.
func TestCUDATimeline(t *testing.T) {
	lines := long(t, "DNS_TUI_TIMELINE")
	batch := 200
	if n, err := strconv.Atoi(os.Getenv("DNS_TUI_BATCH")); err == nil {
		batch = n
	}
	net, classes := "alexnet_bn", 1000
	if n := os.Getenv("DNS_TUI_NET"); n != "" {
		net, classes = n, 10
	}
	for _, precision := range cuda.Precisions {
		type sum struct {
			cuda.Timed
			launches int
		}
		all, measuring := map[[2]string]*sum{}, false
		o := cuda.Options{Precision: precision, Timeline: func(k cuda.Timed) {
			if !measuring {
				return
			}
			key := [2]string{k.For, k.Kernel}
			if all[key] == nil {
				all[key] = &sum{Timed: cuda.Timed{For: k.For, Kernel: k.Kernel, Blocks: k.Blocks}}
			}
			all[key].MS += k.MS
			all[key].launches++
		}}
		s := modeltest.Solver(t, modeltest.OpenCUDA(t, o), net, batch, classes)
		for i := range 2 { // in the second nothing is allocated or chosen any more
			measuring = i == 1
			if err := s.Advance(); err != nil {
				t.Fatal(err)
			}
			if err := s.Drain(); err != nil {
				t.Log(err) // what is run several times makes nonsense of the loss
			}
		}
		sums, whole := slices.Collect(maps.Values(all)), 0.0
		for _, k := range sums {
			whole += k.MS
		}
		if whole <= 0 {
			t.Fatalf("%v: nothing was measured", precision)
		}
		slices.SortFunc(sums, func(a, b *sum) int { return cmp.Compare(b.MS, a.MS) })
		for i, k := range sums {
			if i < lines {
				fmt.Printf("timeline: | %v | %s | %s | %d | %d | %.1f | %.1f %% |\n", precision, strings.ReplaceAll(
					k.For, "|", "/"), k.Kernel, k.launches, k.Blocks, 1000*k.MS, 100*k.MS/whole)
			}
		}
		fmt.Printf("timeline: | %v | all | | | | %.1f | 100 %% |\n", precision, 1000*whole)
	}
}

// long returns a number that the report asks for, or skips the test.
func long(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		t.Skipf("%s is not set", name)
	}
	return n
}

// DNS_TUI_PARITY iterations of LeNet, batch 64, surgery in every step, against the host.
func TestCUDALongParity(t *testing.T) {
	iters := long(t, "DNS_TUI_PARITY")
	h := host.New(host.Options{})
	defer h.Close()
	want, have := lenet(t, h, 64, iters), lenet(t, modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32}), 64, iters)
	far := 0.0
	for i := range want.losses {
		far = max(far, math.Abs(have.losses[i]-want.losses[i])/math.Max(0.1, math.Abs(want.losses[i])))
	}
	differ, total := 0, 0
	for i := range want.weights {
		for k, w := range want.weights[i] {
			total++
			if (math.Float32bits(w) == 1<<31) != (math.Float32bits(have.weights[i][k]) == 1<<31) {
				differ++
			}
		}
	}
	fmt.Printf(
		"parity: %d iterations, losses within %.2g of the host's, masks differ in %d of %d places\n",
		iters,
		far,
		differ,
		total,
	)
	if far > 0.03 || differ > total/100 {
		t.Errorf("losses within %g, masks differ in %d of %d places", far, differ, total)
	}
}

// DNS_TUI_SOAK steps of LeNet: nothing grows, nothing goes wrong.
func TestCUDASoak(t *testing.T) {
	steps := long(t, "DNS_TUI_SOAK")
	d := modeltest.OpenCUDA(t, cuda.Options{})
	s := modeltest.Solver(t, d, "lenet_dns", 64, 10)
	var held int64
	for i := range steps {
		if err := s.Advance(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if i == 100 {
			held = d.Allocated()
		}
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	if steps > 100 && d.Allocated() != held {
		t.Errorf("%d bytes are held after %d steps, %d after 100", d.Allocated(), steps, held)
	}
	fmt.Printf("soak: %d steps, %d MiB held\n", steps, d.Allocated()>>20)
}
