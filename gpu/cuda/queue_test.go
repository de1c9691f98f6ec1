//go:build cuda

package cuda

import (
	"testing"

	"dns-tui/gpu"
)

// What the host spends on an operation before it is handed over: checks, fusing, the record. It allocates nothing.
func BenchmarkQueue(b *testing.B) {
	back, err := openBack(Options{Precision: FP32, NoLibraries: true})
	if err != nil {
		b.Fatal(err)
	}
	d := gpu.NewDevice(back, nil)
	defer d.Close()
	tensor := func(n int) *gpu.Tensor {
		x, err := gpu.NewTensor(d, n)
		if err != nil {
			b.Fatal(err)
		}
		return x
	}
	x, y, c, w := tensor(64*10), tensor(64*10), tensor(10), tensor(10*10)
	s := gpu.ChannelShape{Outer: 64, Channels: 10, Inner: 1}
	const rounds, perRound = 100, 7
	work := func() {
		for range rounds {
			d.Gemm(false, true, 64, 10, 10, 1, x, w, 0, y)
			d.AddBias(s, c, y)
			d.ReLU(y, y, 0)
			d.Softmax(s, y, x)
			d.Axpby(1, x, 1, y)
			d.Mul(x, y, y)
			d.SoftmaxBackward(s, x, y, y)
		}
		q := &back.queue
		q.words, q.live, q.last = q.words[:0], q.live[:0], lastOp{}
	}
	work() // room for the queue, and the choice of the product
	b.ReportAllocs()
	for b.Loop() {
		work()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(rounds*perRound), "ns/call")
}
