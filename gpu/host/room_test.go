package host

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"dns-tui/gpu"
)

// Under a limit of address space that OpenBLAS has no room in, matrices are multiplied all the same, and it is said.
func TestAddressSpace(t *testing.T) {
	if os.Getenv("DNS_TUI_TEST_LIMITED") != "" {
		d := New(Options{Threads: 64}) // 64 buffers
		defer d.Close()
		if notices := strings.Join(d.Capabilities().Notices, "\n"); d.Capabilities().BLAS != "gonum" ||
			!strings.Contains(notices, "the address space is limited to 4.0 GiB") {
			t.Errorf("%s: %s", d.Capabilities().BLAS, notices)
		}
		a, err := gpu.NewTensor(d, 64, 64)
		if err != nil {
			t.Fatal(err)
		}
		d.Gemm(false, false, 64, 64, 64, 1, a, a, 0, a)
		if d = New(Options{Threads: 2}); len(libraries()) > 0 &&
			!strings.Contains(strings.Join(d.Capabilities().Notices, ""), "was not found") &&
			d.Capabilities().BLAS == "gonum" {
			t.Errorf("room for two buffers was not used: %s", d.Capabilities().Notices)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", "ulimit -v 4194304 && exec "+self+" -test.run TestAddressSpace")
	c.Env = append(os.Environ(), "DNS_TUI_TEST_LIMITED=1", "MALLOC_ARENA_MAX=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
