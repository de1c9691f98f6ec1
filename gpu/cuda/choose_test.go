//go:build cuda

package cuda_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ebitengine/purego"

	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
	"dns-tui/gpu/devicetest"
)

// withLibraries opens a device that has cuBLAS and cuDNN: the emulator's stand-ins, which `make test-cuda` puts on
// the path.
func withLibraries(t *testing.T, o cuda.Options) *gpu.Device {
	t.Helper()
	d := open(t, o)
	if b := d.Capabilities().BLAS; !strings.Contains(b, "cuBLAS") || !strings.Contains(b, "cuDNN") {
		d.Close()
		t.Skip("no cuBLAS and cuDNN")
	}
	return d
}

// big is a product and a convolution that are worth a library's call.
func big(t *testing.T, d *gpu.Device) (y, z []float32) {
	t.Helper()
	tensor := func(n int, stream uint32) *gpu.Tensor {
		x, err := gpu.NewTensor(d, n)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = gpu.Key{Stream: stream}.Uniform(i) - 0.5
		}
		d.Upload(x, v)
		return x
	}
	const n = 256
	a, b, c := tensor(n*n, 1), tensor(n*n, 2), tensor(n*n, 3)
	d.Label("layer \"ip1\", forward")
	d.Gemm(false, true, n, n, n, 1, a, b, 0, c)
	g := gpu.ConvGeometry{
		N:      4,
		C:      32,
		H:      24,
		W:      24,
		O:      32,
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
	x, w, bias, out := tensor(4*32*24*24, 4), tensor(32*32*9, 5), tensor(32, 6), tensor(4*32*24*24, 7)
	dx, dw := tensor(x.N, 8), tensor(w.N, 9)
	for range 3 { // chosen, launched, captured
		d.Label("layer \"conv1\", forward")
		d.Conv(&g, x, w, bias, out)
		d.ReLU(out, out, 0)
		d.ConvBackwardData(&g, out, w, dx)
		d.Fill(dw, 1)
		d.ConvBackwardWeights(&g, dx, out, nil, dw, nil)
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	y, z = make([]float32, n*n), make([]float32, dw.N)
	d.Download(y, c)
	d.Download(z, dw)
	return y, z
}

// near fails where numbers differ by more than a part of the largest.
func near(t *testing.T, what string, have, want []float32, part float32) {
	t.Helper()
	size := float32(0)
	for _, v := range want {
		size = max(size, v, -v)
	}
	for i, v := range want {
		if e := have[i] - v; !(e < part*size && e > -part*size) {
			t.Fatalf("%s[%d] is %g, wanted %g", what, i, have[i], v)
		}
	}
}

// cuBLAS and cuDNN are used, and their results are those of our own kernels; one that fails or is wrong is turned
// off, with a notice, and the numbers stay right.
func TestLibraries(t *testing.T) {
	own := open(t, cuda.Options{Precision: cuda.FP32, NoLibraries: true})
	defer own.Close()
	wantY, wantZ := big(t, own)
	bf16, tf32 := cuda.Options{Precision: cuda.BF16}, cuda.Options{Precision: cuda.TF32}
	for _, c := range []struct {
		name, env, value string
		options          cuda.Options
		notice           string
	}{
		{"used", "", "", cuda.Options{}, ""},
		{"measured", "", "", cuda.Options{Tune: true}, ""},
		{"cuDNN is wrong", "EMULATOR_DNN", "wrong", cuda.Options{}, "cuDNN 9.14 is not used: its result differs"},
		{
			"cuDNN fails", "EMULATOR_DNN", "fail", cuda.Options{},
			"cuDNN 9.14 is not used: it failed in layer \"conv1\", forward",
		},
		{
			"cuBLAS fails", "EMULATOR_BLAS", "fail", cuda.Options{Tune: true},
			"cuBLAS 12.2 is not used: it failed in layer \"ip1\"",
		},
		{"used for tf32", "", "", tf32, ""},
		{"cuDNN is wrong in tf32", "EMULATOR_DNN", "wrong", tf32, "cuDNN 9.14 is not used: its result differs"},
		{"used for bf16", "", "", bf16, ""},
		{"cuDNN is wrong in bf16", "EMULATOR_DNN", "wrong", bf16, "cuDNN 9.14 is not used: its result differs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			if c.env != "" {
				emulated(t)
				t.Setenv(c.env, c.value)
			}
			if c.options.Precision == cuda.Auto {
				c.options.Precision = cuda.FP32
			}
			part := map[cuda.Precision]float32{cuda.FP32: 1e-4, cuda.TF32: 5e-3, cuda.BF16: 2e-2}[c.options.Precision]
			d := withLibraries(t, c.options)
			defer d.Close()
			y, z := big(t, d)
			near(t, "product", y, wantY, part)
			near(t, "convolution", z, wantZ, part)
			if notices := strings.Join(d.Capabilities().Notices, "; "); !strings.Contains(notices, c.notice) ||
				c.notice == "" && notices != "" {
				t.Errorf("notices: %q, wanted %q", notices, c.notice)
			}
		})
	}
}

// What was measured is kept for the next run, which then has the same bits.
func TestChoicesAreKept(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var first []float32
	for i := range 3 {
		d := open(t, cuda.Options{Precision: cuda.FP32, Tune: true})
		y, _ := big(t, d)
		d.Close()
		if i == 0 {
			first = y
		}
		for k := range y {
			if y[k] != first[k] {
				t.Fatalf("run %d: element %d is %v, at first %v", i, k, y[k], first[k])
			}
		}
	}
}

// The suite with every product measured, and by the libraries where they are.
func TestTuned(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	devicetest.Run(t, func() *gpu.Device { return open(t, cuda.Options{Precision: cuda.FP32, Tune: true}) })
}

// A library that loads but lacks a function is passed over, with a notice that names both.
func TestLibraryLacksFunction(t *testing.T) {
	emulated(t)
	other, err := os.ReadFile("../../build/cuda/emulator/libraries/libcublas.so.12")
	if err != nil {
		t.Skip("the stand-ins are not here")
	}
	if d := open(t, cuda.Options{}); strings.Contains(d.Capabilities().BLAS, "cuDNN") {
		d.Close()
		t.Skip("there is a cuDNN")
	} else {
		d.Close()
	}
	dir := filepath.Join(t.TempDir(), "lib64")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "libcudnn.so.9"), other, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CUDA_HOME", filepath.Dir(dir))
	d := open(t, cuda.Options{})
	defer d.Close()
	if n := strings.Join(d.Capabilities().Notices, "; "); !strings.Contains(
		n,
		"libcudnn.so.9 lacks cudnnGetVersion; the kernels of this program serve instead",
	) {
		t.Errorf("notices: %q", n)
	}
}

// Two GPUs in one process, each with its own handles of cuBLAS and cuDNN: side by side, and the second after the first
// is closed.
func TestLibrariesOfTwoDevices(t *testing.T) {
	emulated(t)
	t.Setenv("EMULATOR_DEVICES", "2")
	alone := withLibraries(t, cuda.Options{Precision: cuda.FP32})
	wantY, wantZ := big(t, alone)
	alone.Close()
	first := withLibraries(t, cuda.Options{Precision: cuda.FP32})
	second := withLibraries(t, cuda.Options{Precision: cuda.FP32, Ordinal: 1})
	defer second.Close()
	check := func(what string, d *gpu.Device) {
		t.Helper()
		y, z := big(t, d)
		near(t, what+": product", y, wantY, 1e-4)
		near(t, what+": convolution", z, wantZ, 1e-4)
		if n := d.Capabilities().Notices; len(n) > 0 {
			t.Errorf("%s: %q", what, n)
		}
	}
	check("first", first)
	check("second", second)
	check("first again", first)
	var both sync.WaitGroup
	for name, d := range map[string]*gpu.Device{"first beside second": first, "second beside first": second} {
		both.Go(func() { check(name, d) })
	}
	both.Wait()
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	check("second alone", second)
}

// The first library whose handle can be made is used, and the notice names those before it.
func TestLibrariesNextIsTried(t *testing.T) {
	emulated(t)
	withLibraries(t, cuda.Options{}).Close()
	dir := filepath.Join(t.TempDir(), "lib64")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"libcublas.so.12", "libcudnn.so.9"} {
		b, err := os.ReadFile("../../build/cuda/emulator/libraries/" + name)
		if err != nil {
			t.Skip("the stand-ins are not here")
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CUDA_HOME", filepath.Dir(dir))
	t.Setenv("EMULATOR_REFUSE", "/libraries/")
	d := open(t, cuda.Options{Precision: cuda.FP32})
	defer d.Close()
	c := d.Capabilities()
	if !strings.Contains(c.BLAS, "cuBLAS 12.2, cuDNN 9.14") {
		t.Errorf("it uses %s", c.BLAS)
	}
	notices := strings.Join(c.Notices, "\n")
	for _, want := range []string{ // between them may be others that the machine has, which are of no use without a GPU
		"libcublas.so.12 cannot be used: cublasCreate_v2: status 1; ", dir + "/libcublas.so.12 serves instead",
		"libcudnn.so.9 cannot be used: cudnnCreate: status 1; ", dir + "/libcudnn.so.9 serves instead",
	} {
		if !strings.Contains(notices, want) {
			t.Errorf("notices: %q, wanted %q", notices, want)
		}
	}
}

// A device that is closed has no handle left, of a library that it turned off neither.
func TestLibrariesAreReleased(t *testing.T) {
	emulated(t)
	handles := func() (n int64) {
		for _, name := range []string{"libcublas.so.12", "libcudnn.so.9"} {
			lib, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
			if err != nil {
				t.Skip(err)
			}
			var count func() int64
			purego.RegisterLibFunc(&count, lib, "emulator_handles")
			n += count()
		}
		return n
	}
	before := handles()
	for _, dnn := range []string{"", "wrong"} {
		t.Setenv("EMULATOR_DNN", dnn)
		d := withLibraries(t, cuda.Options{Precision: cuda.FP32})
		if n := handles(); n != before+2 {
			t.Errorf("an open device has %d handles, wanted 2", n-before)
		}
		if dnn != "" {
			big(t, d) // which turns it off
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := handles(); n != before {
			t.Errorf("%d handles are left of a closed device (cuDNN: %q)", n-before, dnn)
		}
	}
}
