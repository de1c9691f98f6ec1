//go:build cuda

package layer_test

import (
	"math"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// bothWays runs a net of gradientCases forward and backward, and returns its output, the gradients of its inputs and
// those of its parameters.
func bothWays(t *testing.T, d *gpu.Device, text []byte) (all [][]float32) {
	t.Helper()
	f, err := caffe.ParseNetPrototxt("n", text)
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.NewNet(
		f,
		model.NetOptions{
			Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}, Seed: 5, AllGradients: true,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, top := range f.Net.Layer[0].Top {
		d.Upload(n.Blob(top).Data, ramp(n.Blob(top).Len()))
	}
	if _, err := n.Forward(); err != nil {
		t.Fatal(err)
	}
	y := n.Blob("y")
	for _, name := range f.Net.Layer[len(f.Net.Layer)-1].Top {
		d.Upload(n.Blob(name).Diff, ramp(n.Blob(name).Len()))
	}
	all = append(all, modeltest.Values(d, y.Data))
	n.Backward()
	for _, top := range f.Net.Layer[0].Top {
		all = append(all, modeltest.Values(d, n.Blob(top).Diff))
	}
	for _, p := range n.Params() {
		all = append(all, modeltest.Values(d, p.Diff))
	}
	return all
}

// The layers of forks are made of kernels that both devices have: they give the same on both.
func TestCUDAForks(t *testing.T) {
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	h := host.New(host.Options{})
	defer h.Close()
	cases := 0
	for _, c := range gradientCases(t) {
		fork := false
		for _, name := range []string{"Permute", "Normalize", "Interp", "sides padded", "Depthwise"} {
			fork = fork || strings.Contains(c.Name, name)
		}
		if !fork {
			continue
		}
		cases++
		t.Run(c.Name, func(t *testing.T) {
			want, got := bothWays(t, h, c.Data), bothWays(t, d, c.Data)
			for i := range want {
				for k := range want[i] {
					if e := math.Abs(float64(want[i][k] - got[i][k])); e > 1e-4*(1+math.Abs(float64(want[i][k]))) {
						t.Fatalf("array %d, number %d: %g on the GPU, %g on the host", i, k, got[i][k], want[i][k])
					}
				}
			}
		})
	}
	if cases < 11 {
		t.Errorf("%d cases", cases)
	}
}
