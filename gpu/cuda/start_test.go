//go:build cuda

package cuda_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

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
