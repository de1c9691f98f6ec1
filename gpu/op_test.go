package gpu_test

import (
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/devicetest"
)

// What operations say that they set they write whole, and do not read.
func TestSets(t *testing.T) {
	devicetest.Run(t, func() *gpu.Device { return gpu.NewDevice(devicetest.Setter(openHost()), openHost) })
}
