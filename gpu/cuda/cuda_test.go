//go:build cuda

package cuda_test

import (
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
	"dns-tui/gpu/devicetest"
)

// open returns the device, or skips the test where there is no driver: neither NVIDIA's nor the emulator.
func open(t *testing.T, o cuda.Options) gpu.Device {
	t.Helper()
	d, err := cuda.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConformance(t *testing.T) {
	for name, o := range map[string]cuda.Options{"Graphs": {}, "Bounds": {NoCache: true}, "Blocking": {Blocking: true}} {
		t.Run(name, func(t *testing.T) {
			devicetest.Run(t, func() gpu.Device { return open(t, o) })
		})
	}
}
