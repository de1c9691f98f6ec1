//go:build cuda

package cuda_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
)

// emulated skips a test that makes the emulator fail, on a GPU.
func emulated(t *testing.T) {
	t.Helper()
	d := open(t, cuda.Options{})
	defer d.Close()
	if d.Name() != "emulated GPU" {
		t.Skip("wants the emulator")
	}
}

// What a person reads when something fails: each line is a fault and what the message must hold.
func TestFaults(t *testing.T) {
	emulated(t)
	for _, c := range []struct {
		name, env, value string
		options          cuda.Options
		work             func(*gpu.Device) error
		want             []string
	}{
		{"no such device", "", "", cuda.Options{Ordinal: 3}, nil, []string{"no GPU 3", "there are 1"}},
		{"old driver", "EMULATOR_DRIVER", "11040", cuda.Options{}, nil, []string{"of CUDA 11.4", "wanted driver 520"}},
		{
			"old device", "EMULATOR_CAPABILITY", "61", cuda.Options{}, nil,
			[]string{"compute capability 6.1", "wanted 7.0"},
		},
		{
			"no memory at the start", "EMULATOR_MEMORY", "1000000", cuda.Options{}, nil,
			[]string{"out of memory", "wanted", "free of 977 KiB"},
		},
		{"no memory later", "EMULATOR_MEMORY", "20000000", cuda.Options{}, func(d *gpu.Device) error {
			_, err := gpu.NewTensor(d, 10<<20)
			return err
		}, []string{"out of memory", "wanted 40.0 MiB more", "of 19.1 MiB", "this program holds"}},
		{
			"no memory at the n-th allocation", "EMULATOR_FAIL", "alloc:9", cuda.Options{NoCache: true}, twenty,
			[]string{"out of memory", "wanted 400 B"},
		},
		{
			"a launch that fails", "EMULATOR_FAIL", "launch:1", cuda.Options{}, relu,
			[]string{"kernel relu of layer \"relu1\", forward", "LAUNCH_FAILED"},
		},
		{
			"a launch that fails, one by one", "EMULATOR_FAIL", "launch:1", cuda.Options{Blocking: true}, relu,
			[]string{"kernel relu of layer \"relu1\"", "LAUNCH_FAILED"},
		},
		{
			"a GPU that goes away", "EMULATOR_FAIL", "lost:1", cuda.Options{}, relu,
			[]string{"is lost", "kernel relu", "nvidia-smi"},
		},
		{"an illegal access", "", "", cuda.Options{NoCache: true}, func(d *gpu.Device) error {
			x, err := gpu.NewTensor(d, 100)
			if err != nil {
				return err
			}
			d.Label("layer \"conv1\", backward")
			d.Fill(&gpu.Tensor{Mem: x.Mem, N: 1000, Shape: []int{1000}}, 1) // a mistake of the program
			return d.Sync()
		}, []string{"kernel fill of layer \"conv1\", backward", "ILLEGAL_ADDRESS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv(c.env, c.value)
			}
			d, err := cuda.Open(c.options)
			if err == nil {
				defer d.Close()
				if c.work == nil {
					t.Fatal("no error")
				}
				err = c.work(d)
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

// twenty allocates as many small tensors.
func twenty(d *gpu.Device) error {
	for range 20 {
		if _, err := gpu.NewTensor(d, 100); err != nil {
			return err
		}
	}
	return nil
}

// relu launches one kernel, in twos and threes so that it is captured too.
func relu(d *gpu.Device) error {
	x, err := gpu.NewTensor(d, 100)
	if err != nil {
		return err
	}
	d.Label("layer \"relu1\", forward")
	for range 3 {
		d.ReLU(x, x, 0)
		if err := d.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// After a failure everything is refused, quietly: nothing hangs, what is read is NaN, and the first error stays.
func TestFailedDevice(t *testing.T) {
	emulated(t)
	t.Setenv("EMULATOR_FAIL", "launch:2")
	d := open(t, cuda.Options{})
	defer d.Close()
	x, err := gpu.NewTensor(d, 10)
	if err != nil {
		t.Fatal(err)
	}
	d.Fill(x, 1)
	d.Fill(x, 2)
	first := d.Sync()
	if _, ok := errors.AsType[*cuda.Error](first); !ok {
		t.Fatalf("got %v", first)
	}
	v := make([]float32, 10)
	d.Download(v, x)
	if v[0] == v[0] {
		t.Errorf("a failed device gives %g", v[0])
	}
	d.Fetch(v, x)
	if err := d.Await(d.Mark()); !errors.Is(err, first) {
		t.Errorf("then %v", err)
	}
	if d.Finite(x) {
		t.Error("what cannot be read is finite")
	}
	if _, err := gpu.NewTensor(d, 10); !errors.Is(err, first) {
		t.Errorf("an allocation: %v", err)
	}
}

// Freed memory is used again, and given back when another size needs it.
func TestMemory(t *testing.T) {
	emulated(t)
	t.Setenv("EMULATOR_MEMORY", fmt.Sprint(64<<20))
	d := open(t, cuda.Options{})
	defer d.Close()
	before := d.Allocated()
	for i := range 40 {
		x, err := gpu.NewTensor(d, 5<<20+i*100000)
		if err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
		d.Fill(x, 1)
		x.Mem.Free()
		x.Mem.Free() // twice does no harm
	}
	if d.Allocated() != before {
		t.Errorf("%d bytes are held, wanted %d", d.Allocated(), before)
	}
}

// A device that cannot be opened whole is closed again, however far it came, and the next one opens.
func TestOpenFails(t *testing.T) {
	emulated(t)
	failed := 0
	for n := 1; n <= 12; n++ {
		t.Run(fmt.Sprint("allocation ", n), func(t *testing.T) {
			t.Setenv("EMULATOR_FAIL", fmt.Sprint("alloc:", n))
			d, err := cuda.Open(cuda.Options{NoLibraries: true})
			if err == nil {
				d.Close()
				return
			}
			failed++
			if !strings.Contains(err.Error(), "out of memory") {
				t.Errorf("got %v", err)
			}
		})
	}
	if failed < 3 {
		t.Errorf("%d of 12 failed allocations stopped it, wanted at least 3", failed)
	}
	d := open(t, cuda.Options{})
	if err := relu(d); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
