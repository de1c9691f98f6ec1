package host

import (
	"sync"
	"sync/atomic"

	"dns-tui/gpu"
)

// args carries a kernel's operands to the workers. One is reused for all calls, so that a kernel costs no
// allocation: kernels are plain functions, not closures.
type args struct {
	x, y, z, u, v, w, s, t []float32
	a, b, c                float32
	i, j, k, l, m, n       int
	flag                   bool
	conv                   *gpu.ConvGeometry
	pool                   *gpu.PoolGeometry
	col                    *gpu.ColGeometry
	lrn                    *gpu.LRNGeometry
	shape                  gpu.ChannelShape
	ignore                 gpu.Ignore
	key                    gpu.Key
	unary                  gpu.UnaryFunc
	update                 gpu.UpdateParams
	grain                  int
	partial, partial2      []float64
	dev                    *Device
}

// A kernel does the items [lo, hi) of a call; worker tells the scratch space that it may use.
type kernel func(a *args, lo, hi, worker int)

// workers runs kernels over ranges. How a range is cut depends on the call alone, never on the number of
// workers, so results do not depend on it either.
type workers struct {
	n     int
	wake  []chan struct{}
	wg    sync.WaitGroup
	fn    kernel
	args  *args
	total int
	grain int
	next  atomic.Int64
}

func newWorkers(n int) *workers {
	w := &workers{n: n, wake: make([]chan struct{}, n)}
	for i := 1; i < n; i++ {
		w.wake[i] = make(chan struct{}, 1)
		go w.loop(i)
	}
	return w
}

func (w *workers) loop(id int) {
	for range w.wake[id] {
		w.work(id)
		w.wg.Done()
	}
}

// work takes pieces until none is left.
func (w *workers) work(id int) {
	for {
		lo := int(w.next.Add(int64(w.grain))) - w.grain
		if lo >= w.total {
			return
		}
		w.fn(w.args, lo, min(lo+w.grain, w.total), id)
	}
}

// run calls fn over [0, total) in pieces of grain items.
func (w *workers) run(total, grain int, fn kernel, a *args) {
	a.grain = grain
	pieces := (total + grain - 1) / grain
	if w.n == 1 || pieces <= 1 {
		for lo := 0; lo < total; lo += grain {
			fn(a, lo, min(lo+grain, total), 0)
		}
		return
	}
	w.fn, w.args, w.total, w.grain = fn, a, total, grain
	w.next.Store(0)
	helpers := min(w.n, pieces) - 1
	w.wg.Add(helpers)
	for i := 1; i <= helpers; i++ {
		w.wake[i] <- struct{}{}
	}
	w.work(0)
	w.wg.Wait()
}

func (w *workers) close() {
	for i := 1; i < w.n; i++ {
		close(w.wake[i])
	}
}
