//go:build cuda

package modeltest

import (
	"errors"
	"os"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
)

// OpenCUDA returns the CUDA device: a GPU, or the emulator where `make test-cuda` puts it before the driver. Without
// either a test is skipped, but for those that DNS_TUI_NEED_CUDA asks for.
func OpenCUDA(t testing.TB, o cuda.Options) *gpu.Device {
	t.Helper()
	d, err := cuda.Open(o)
	if errors.Is(err, cuda.ErrNoGPU) && os.Getenv("DNS_TUI_NEED_CUDA") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}
