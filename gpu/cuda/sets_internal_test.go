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
	for p, limit := range map[Precision]float64{FP32: devicetest.Tolerance, TF32: 2e-3, BF16: 2e-2} {
		t.Run(p.String(), func(t *testing.T) {
			devicetest.RunWithin(t, limit, func() *gpu.Device {
				d, err := openBack(Options{Precision: p})
				if err != nil {
					t.Fatal(err)
				}
				return gpu.NewDevice(devicetest.Setter(d), func() gpu.Back { return host.NewBack(host.Options{}) })
			})
		})
	}
}
