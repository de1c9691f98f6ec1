//go:build cuda

package cuda_test

import (
	"strings"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
	"dns-tui/gpu/devicetest"
)

// open returns the device, or skips the test where there is no driver: neither NVIDIA's nor the emulator.
func open(t *testing.T, o cuda.Options) *gpu.Device {
	t.Helper()
	d, err := cuda.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]cuda.Options{
		"Graphs":   {Precision: cuda.FP32},
		"Bounds":   {Precision: cuda.FP32, NoCache: true},
		"Blocking": {Precision: cuda.FP32, Blocking: true},
	} {
		t.Run(name, func(t *testing.T) {
			devicetest.Run(t, func() *gpu.Device { return open(t, o) })
		})
	}
}

// Tensor cores round what they multiply: the suite passes within what that makes of sums as long as its longest.
func TestTensorCores(t *testing.T) {
	for _, p := range []cuda.Precision{cuda.TF32, cuda.BF16} {
		t.Run(p.String(), func(t *testing.T) {
			devicetest.RunWithin(
				t,
				map[cuda.Precision]float64{cuda.TF32: 2e-3, cuda.BF16: 2e-2}[p],
				func() *gpu.Device {
					return open(t, cuda.Options{Precision: p, NoCache: true})
				},
			)
		})
	}
}

// Auto is TF32 where the GPU has tensor cores for it, and float32 elsewhere; asking for what it has not is an error.
func TestPrecision(t *testing.T) {
	emulated(t)
	t.Setenv("EMULATOR_CAPABILITY", "75")
	d := open(t, cuda.Options{})
	defer d.Close()
	if b := d.Capabilities().BLAS; !strings.Contains(b, "fp32") {
		t.Errorf("auto is %s on compute capability 7.5", b)
	}
	if _, err := cuda.Open(cuda.Options{Precision: cuda.BF16}); err == nil ||
		!strings.Contains(err.Error(), "wants compute capability 8.0") {
		t.Errorf("bf16 on compute capability 7.5: %v", err)
	}
}

// What the GPU has no room for in its scratch memory is done by the host: accuracy over more classes than it counts.
func TestFallback(t *testing.T) {
	d := open(t, cuda.Options{Precision: cuda.FP32})
	defer d.Close()
	const classes = 1 << 17
	s := gpu.ChannelShape{Outer: 2, Channels: classes, Inner: 1}
	tensor := func(n int) *gpu.Tensor {
		x, err := gpu.NewTensor(d, n)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	scores, label, out, per := tensor(s.Len()), tensor(2), tensor(1), tensor(classes)
	v := make([]float32, s.Len())
	v[5], v[classes+7] = 1, 1
	d.Upload(scores, v)
	d.Upload(label, []float32{5, 8})
	d.Accuracy(s, scores, label, gpu.Ignore{}, 1, out, per)
	have := make([]float32, 1)
	d.Download(have, out)
	perClass := make([]float32, classes)
	d.Download(perClass, per)
	if have[0] != 0.5 || perClass[5] != 1 || perClass[8] != 0 {
		t.Errorf("accuracy %g, of class 5 %g, of class 8 %g; wanted 0.5, 1 and 0", have[0], perClass[5], perClass[8])
	}
	if n := strings.Join(d.Capabilities().Notices, "; "); !strings.Contains(n, "has no kernel for Accuracy") {
		t.Errorf("notices: %q", n)
	}
}
