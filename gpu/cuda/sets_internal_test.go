//go:build cuda

package cuda

import (
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/devicetest"
	"dns-tui/gpu/host"
)

// What operations set they write whole, and do not read: a layout that lies there need not be brought back before.
func TestSets(t *testing.T) {
	devicetest.Run(t, func() *gpu.Device {
		d, err := openBack(Options{Precision: FP32})
		if err != nil {
			t.Fatal(err)
		}
		return gpu.NewDevice(devicetest.Setter(d), func() gpu.Back { return host.NewBack(host.Options{}) })
	})
}
