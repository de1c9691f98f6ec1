//go:build cuda

package cuda_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
)

// The program starts where the loader binds every function at once and none of NVIDIA's libraries is there.
func TestImmediateBinding(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run", "^$")
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "LD_LIBRARY_PATH=") {
			c.Env = append(c.Env, e)
		}
	}
	c.Env = append(c.Env, "LD_BIND_NOW=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Use, memory and temperature are NVML's.
func TestHealth(t *testing.T) {
	emulated(t)
	d := open(t, cuda.Options{})
	defer d.Close()
	want := gpu.Health{Known: true, Utilization: 42, Memory: 3 << 30, Temperature: 57}
	for range 600 { // it is asked for in a goroutine of its own
		if d.Health().Known {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if h := d.Health(); h != want {
		t.Errorf("health is %+v, wanted %+v", h, want)
	}
}

// count returns what the emulator counts; see emulator_count.
func count(t *testing.T, what int32) int64 {
	t.Helper()
	lib, err := purego.Dlopen("libcuda.so.1", purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		t.Fatal(err)
	}
	var count func(what int32) int64
	purego.RegisterLibFunc(&count, lib, "emulator_count")
	return count(what)
}

const (
	countObjects = 4
	countSpins   = 5
	countCubins  = 7
)

// The device has the process's primary context, as libraries that share it expect. Where somebody else has it too,
// nothing is left in it of a device that is closed: no stream, event, module, graph or allocation.
func TestPrimaryContext(t *testing.T) {
	emulated(t)
	first := open(t, cuda.Options{NoLibraries: true})
	defer first.Close()
	before := count(t, countObjects)
	second := open(t, cuda.Options{NoLibraries: true})
	if err := relu(second); err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // uploads of several sizes
		x, err := gpu.NewTensor(second, (n+1)<<16)
		if err != nil {
			t.Fatal(err)
		}
		second.Upload(x, make([]float32, x.N))
	}
	if count(t, countObjects) == before {
		t.Error("an open device has nothing")
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if n := count(t, countObjects) - before; n != 0 {
		t.Errorf("%d objects are left of a closed device", n)
	}
	if err := relu(first); err != nil {
		t.Error(err)
	}
}

// Who waits for the GPU sleeps meanwhile: for results, for room to upload, for each kernel.
func TestWaitsSleep(t *testing.T) {
	emulated(t)
	for _, o := range []cuda.Options{{NoLibraries: true}, {NoLibraries: true, Blocking: true}} {
		before := count(t, countSpins)
		d := open(t, o)
		x, err := gpu.NewTensor(d, 3<<20)
		if err != nil {
			t.Fatal(err)
		}
		v := make([]float32, x.N)
		for range 5 { // more than the ring of pinned memory has room for
			d.Upload(x, v)
			d.ReLU(x, x, 0)
		}
		d.Download(v, x)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := count(t, countSpins) - before; n != 0 {
			t.Errorf("%+v: %d waits would spin", o, n)
		}
	}
}

// Buffers of uploads whose size comes no more are given back.
func TestUploadBuffersAreFreed(t *testing.T) {
	emulated(t)
	t.Setenv("EMULATOR_MEMORY", "200000000")
	d := open(t, cuda.Options{NoLibraries: true})
	defer d.Close()
	before := d.Allocated()
	for n := range 40 { // together 125 MB for the tensors' own uploads, twice that for buffers
		x, err := gpu.NewTensor(d, 600_000+n*20_000)
		if err != nil {
			t.Fatalf("size %d: %v", n, err)
		}
		v := make([]float32, x.N)
		v[x.N-1] = float32(n)
		d.Upload(x, v)
		d.Download(v, x)
		if v[x.N-1] != float32(n) {
			t.Fatalf("size %d: %g came back", n, v[x.N-1])
		}
		x.Mem.Free()
	}
	if n := d.Allocated() - before; n > 8*6<<20 {
		t.Errorf("buffers hold %d bytes, wanted at most those of four sizes", n)
	}
	// What they hold is there for tensors.
	if _, err := gpu.NewTensor(d, 35<<20); err != nil {
		t.Error(err)
	}
}

// A GPU gets the cubins of its generation, and PTX where there is none or the driver does not take it; only then the
// driver compiles, which is said.
func TestChoicesOfCubins(t *testing.T) {
	emulated(t)
	for _, c := range []struct {
		name, capability, takes string
		precision               cuda.Precision
		cubins                  int64
		compiled                int
	}{
		{"of the same number", "90", "1", cuda.TF32, 3, 0},
		{"of the generation", "86", "1", cuda.BF16, 3, 0},
		{"float32 alone", "75", "1", cuda.FP32, 1, 0},
		{"a later generation", "130", "1", cuda.TF32, 0, 1},
		{"a driver that does not take them", "90", "0", cuda.FP32, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("EMULATOR_CAPABILITY", c.capability)
			t.Setenv("EMULATOR_CUBINS", c.takes)
			before, compiled := count(t, countCubins), 0
			d := open(t, cuda.Options{
				NoLibraries: true, Precision: c.precision, Compiling: func(cuda.Info) { compiled++ },
			})
			defer d.Close()
			if n := count(t, countCubins) - before; n != c.cubins || compiled != c.compiled {
				t.Errorf("%d cubins, %d times told of compiling; wanted %d and %d", n, compiled, c.cubins, c.compiled)
			}
			if err := relu(d); err != nil {
				t.Error(err)
			}
		})
	}
}
