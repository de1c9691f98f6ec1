//go:build cuda

package cuda_test

import (
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
)

// counted returns how many graphs were launched, and how many kernels ran, while f ran.
func counted(t *testing.T, d *gpu.Device, f func()) (graphs, kernels int) {
	t.Helper()
	sync := func() {
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	sync()
	g, k := count(t, 1), count(t, 2)
	f()
	sync()
	return int(count(t, 1) - g), int(count(t, 2) - k)
}

// What belongs together is one kernel: a product with its bias and ReLU, BatchNorm with Scale and ReLU, the updates
// of all parameters; the surgery of all layers is two. The second time it comes it is a graph.
func TestLaunches(t *testing.T) {
	emulated(t)
	d := open(t, cuda.Options{Precision: cuda.FP32})
	defer d.Close()
	tensor := func(n int) *gpu.Tensor {
		x, err := gpu.NewTensor(d, n)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	const n = 4 * 6 * 6
	x, y, z, w, c := tensor(n), tensor(n), tensor(n), tensor(4*4*9), tensor(4)
	g := gpu.ConvGeometry{
		N:      1,
		C:      4,
		H:      6,
		W:      6,
		O:      4,
		KH:     3,
		KW:     3,
		SH:     1,
		SW:     1,
		PH:     1,
		PW:     1,
		DH:     1,
		DW:     1,
		Groups: 1,
	}
	g.Resolve()
	rows, planes := gpu.ChannelShape{
		Outer:    36,
		Channels: 4,
		Inner:    1,
	}, gpu.ChannelShape{
		Outer:    1,
		Channels: 4,
		Inner:    36,
	}
	mean, variance := tensor(4), tensor(4)
	var results [5]gpu.SurgeryResult
	params := [5][4]*gpu.Tensor{}
	number := float32(0) // another one each time
	for i := range params {
		for k := range params[i] {
			params[i][k] = tensor(100 * (i + 1))
		}
	}
	for _, test := range []struct {
		name    string
		work    func()
		kernels int
	}{
		{"convolution, bias, ReLU", func() {
			d.Conv(&g, x, w, c, y)
			d.ReLU(y, y, 0)
		}, 1},
		{"product, bias, ReLU", func() {
			d.Gemm(false, true, 36, 4, 4, 1, x, w.View(0, 16), 0, y)
			d.AddBias(rows, c, y)
			d.ReLU(y, y, 0.1)
		}, 1},
		{"ReLU elsewhere", func() {
			d.Conv(&g, x, w, c, y)
			d.ReLU(y, z, 0)
		}, 2},
		{"BatchNorm, Scale, ReLU", func() {
			d.BatchNorm(planes, 1e-5, gpu.After{A: c, B: c, ReLU: true}, x, mean, variance, y, z)
		}, 2},
		{"its running statistics", func() {
			d.Axpby(1, mean, 0.9, c)
			d.Axpby(1.1, variance, 0.9, w.View(0, 4))
			d.Axpby(1, x.View(0, 1), 0.9, w.View(4, 1))
		}, 1},
		{"sums of which one reads another", func() {
			d.Axpby(1, mean, 0.9, c)
			d.Axpby(1, c, 0.9, variance)
			d.Axpby(1, x.View(0, 4), 0.9, c)
		}, 3},
		{"their gradient", func() {
			d.BatchNormBackward(planes, 1e-5, gpu.After{A: c, B: c, ReLU: true}, y, variance, x, x, c, c)
		}, 2},
		{"softmax, loss", func() {
			d.Softmax(rows, x, y)
			d.SoftmaxLoss(rows, y, z.View(0, 36), gpu.Ignore{}, 0, c.View(0, 2))
		}, 1},
		{"updates", func() {
			for _, p := range params {
				number++
				soft := gpu.Soft{Cut: number, Exponent: number}
				u := gpu.UpdateParams{Rate: number, Scale: 1, Theta: number, Soft: soft}
				d.Update(u, p[0], p[1], p[2], nil, p[3])
			}
		}, 1},
		{"surgery", func() {
			for i, p := range params {
				o := gpu.SurgeryParams{Rule: gpu.Rule(i % 2), Threshold: float32(i), Redraw: true}
				d.Surgery(&o, p[0], p[3], p[1], p[2], &results[i])
			}
		}, 2},
		{"surgery under the soft rule, of layers that do different things", func() {
			for i, p := range params {
				number++
				o := gpu.SurgeryParams{
					Rule: gpu.SoftRule, Soft: gpu.Soft{Cut: number, Exponent: number}, Measured: i > 0,
					Redraw: i%2 == 0, Rewrite: i%3 == 0,
				}
				d.Surgery(&o, p[0], p[3], p[1], p[2], &results[i])
			}
		}, 2},
		{"surgery of a layer twice, one behind the other", func() {
			for i := range 2 {
				o := gpu.SurgeryParams{Threshold: float32(i), Redraw: true}
				d.Surgery(&o, params[0][0], params[0][3], nil, nil, &results[i])
			}
		}, 4},
		{"surgery with histograms", func() {
			for i, p := range params {
				o := gpu.SurgeryParams{
					Rule: gpu.Rule(i % 3), Threshold: float32(i), Redraw: true, Histogram: true, ByMagnitude: i%2 == 0,
				}
				d.Surgery(&o, p[0], p[3], p[1], p[2], &results[i])
			}
		}, 2},
	} {
		for round := range 3 {
			graphs, kernels := counted(t, d, test.work)
			if kernels != test.kernels || graphs != min(round, 1) {
				t.Errorf(
					"%s, round %d: %d kernels, %d graphs; wanted %d and %d",
					test.name,
					round,
					kernels,
					graphs,
					test.kernels,
					min(round, 1),
				)
			}
		}
	}
}

// An iteration is one graph, though its loss is fetched in its middle.
func TestIterationIsOneGraph(t *testing.T) {
	emulated(t)
	d := open(t, cuda.Options{})
	defer d.Close()
	var x [4]*gpu.Tensor
	for i := range x {
		var err error
		if x[i], err = gpu.NewTensor(d, 100); err != nil {
			t.Fatal(err)
		}
	}
	losses, batch := make([]float32, 3), make([]float32, 100)
	for i := range 5 {
		batch[7] = float32(i)
		graphs, _ := counted(t, d, func() {
			d.Upload(x[0], batch)
			d.Dropout(x[0], x[1], 0, gpu.Key{Iter: uint64(i)})
			d.Fetch(losses[:2], x[1].View(6, 2))
			d.Axpby(1, x[0], 0, x[1])
			d.Fetch(losses[2:], x[0].View(7, 1))
			d.Update(gpu.UpdateParams{Rate: float32(i), Scale: 1}, x[1], x[2], x[3], nil, nil)
		})
		if graphs != min(i, 1) || losses[1] != float32(i) || losses[2] != float32(i) {
			t.Errorf("iteration %d: %d graphs, fetched %g", i, graphs, losses)
		}
	}
}
