package modeltest

import (
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
)

// Build builds a net of a prototxt, which errors name n.prototxt, for a phase, on a device with one thread that is the
// test's own. Both are closed when the test ends.
func Build(tb testing.TB, text string, phase caffepb.Phase) (*model.Net, error) {
	tb.Helper()
	d := host.New(host.Options{Threads: 1})
	tb.Cleanup(func() { d.Close() })
	return BuildOn(tb, d, text, model.NetOptions{State: &caffepb.NetState{Phase: phase.Enum()}, Seed: 1})
}

// BuildOn builds a net of a prototxt, which errors name n.prototxt, on a device. It is closed when the test ends.
func BuildOn(tb testing.TB, d *gpu.Device, text string, o model.NetOptions) (*model.Net, error) {
	tb.Helper()
	f, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
	if err != nil {
		return nil, err
	}
	o.Device = d
	n, err := model.NewNet(f, o)
	if err == nil {
		tb.Cleanup(func() { n.Close() })
	}
	return n, err
}

// Values returns what a tensor holds.
func Values(d *gpu.Device, t *gpu.Tensor) []float32 {
	v := make([]float32, t.N)
	d.Download(v, t)
	return v
}
