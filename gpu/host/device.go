// Package host is the CPU device: matrix products by OpenBLAS where it is found and by gonum where it is not,
// everything else in Go, spread over the cores. Results do not depend on the number of threads.
package host

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"dns-tui/gpu"
	"dns-tui/memory"
)

// Options of a host device. The zero value is ready to use.
type Options struct {
	Threads int  // worker threads; 0: one a processor
	GoBLAS  bool // use gonum even where OpenBLAS is found
}

// Device is the CPU.
type Device struct {
	pool      *workers
	blas      multiplier
	notices   []string
	args      args
	col       [][]float32 // im2col scratch of each worker
	grads     []float32   // partial weight gradients of a convolution
	limits    [2]float64
	sums      []float64 // results of the pieces of a reduction
	allocated atomic.Int64
	account   memory.Account
}

var _ gpu.Device = (*Device)(nil)

// New returns the host device.
func New(o Options) *Device {
	n := o.Threads
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	d := &Device{pool: newWorkers(n), blas: goBLAS{}, col: make([][]float32, n)}
	if !o.GoBLAS {
		lib, err := loadOpenBLAS(n)
		var room *roomError
		switch {
		case errors.As(err, &room):
			d.notices = append(d.notices, err.Error()+"; gonum multiplies matrices, several times slower")
		case err != nil:
			d.notices = append(
				d.notices,
				"OpenBLAS was not found ("+err.Error()+"); gonum multiplies matrices, several times slower. "+
					"Install it with the system's package manager (Debian: libopenblas0-pthread).",
			)
		default:
			d.blas = lib
		}
	}
	d.args.dev = d
	return d
}

// Name implements gpu.Device.
func (d *Device) Name() string {
	return fmt.Sprintf("host (%d threads, %s)", d.pool.n, d.blas.name())
}

// Capabilities implements gpu.Device.
func (d *Device) Capabilities() gpu.Capabilities {
	return gpu.Capabilities{Kind: "host", BLAS: d.blas.name(), Threads: d.pool.n, Notices: d.notices}
}

// Close implements gpu.Device.
func (d *Device) Close() error {
	d.pool.close()
	return nil
}

// allocation is a slice.
type allocation struct {
	data    []float32
	dev     *Device
	forgive runtime.Cleanup // takes it off the account when it is dropped without Free
}

func (m *allocation) Len() int { return len(m.data) }

func (m *allocation) Free() {
	m.forgive.Stop()
	m.dev.allocated.Add(-4 * int64(len(m.data)))
	m.data = nil
}

// Alloc implements gpu.Store.
func (d *Device) Alloc(n int) (gpu.Memory, error) {
	if err := d.checkRoom(memory.Product(4, int64(n))); err != nil {
		return nil, err
	}
	d.allocated.Add(4 * int64(n))
	m := &allocation{data: make([]float32, n), dev: d}
	m.forgive = runtime.AddCleanup(m, func(bytes int64) { d.allocated.Add(-bytes) }, 4*int64(n))
	return m, nil
}

// checkRoom reports whether bytes more can be allocated, when what was dropped before has been given back.
func (d *Device) checkRoom(bytes int64) error {
	err := d.account.Check("host", bytes, d.allocated.Load())
	if err != nil && d.allocated.Load() > 0 {
		debug.FreeOSMemory()
		runtime.Gosched() // the cleanups take it off the account
		err = d.account.Again("host", bytes, d.allocated.Load())
	}
	return err
}

// Allocated implements gpu.Store.
func (d *Device) Allocated() int64 { return d.allocated.Load() }

// slice returns the elements of t, or nil for a nil tensor.
func slice(t *gpu.Tensor) []float32 {
	if t == nil {
		return nil
	}
	return t.Mem.(*allocation).data[t.Off : t.Off+t.N : t.Off+t.N]
}

// Upload implements gpu.Store.
func (d *Device) Upload(dst *gpu.Tensor, src []float32) {
	gpu.Want("Upload", "dst", dst, len(src))
	copy(slice(dst), src)
}

// Download implements gpu.Store.
func (d *Device) Download(dst []float32, src *gpu.Tensor) {
	gpu.Want("Download", "src", src, len(dst))
	copy(dst, slice(src))
}

// Fetch implements gpu.Store. The host does everything at once.
func (d *Device) Fetch(dst []float32, src *gpu.Tensor) { d.Download(dst, src) }

// Mark implements gpu.Store.
func (d *Device) Mark() gpu.Mark { return 0 }

// Await implements gpu.Store.
func (d *Device) Await(gpu.Mark) error { return nil }

// Sync implements gpu.Store.
func (d *Device) Sync() error { return nil }

// Gemm implements gpu.Dense.
func (d *Device) Gemm(transA, transB bool, m, n, k int, alpha float32, a, b *gpu.Tensor, beta float32, c *gpu.Tensor) {
	gpu.Want("Gemm", "A", a, m*k)
	gpu.Want("Gemm", "B", b, k*n)
	gpu.Want("Gemm", "C", c, m*n)
	lda, ldb := k, n
	if transA {
		lda = m
	}
	if transB {
		ldb = k
	}
	p := &d.args
	*p = args{dev: d, x: slice(a), y: slice(b), z: slice(c), a: alpha, b: beta, m: m, n: n, k: k, i: lda, j: ldb}
	p.l = 0
	if transA {
		p.l |= 1
	}
	if transB {
		p.l |= 2
	}
	p.flag = m > n // cut the rows of C, else its columns
	long := max(m, n)
	d.pool.run(long, gemmTile(long, min(m, n)*k), gemmKernel, p)
}

// gemmTile cuts the longer side of C into pieces of some 2 million multiplications, at most 16 and a multiple of
// 16 wide: enough to share out, few enough that packing the other operand again does not show.
func gemmTile(long, perItem int) int {
	const worth = 2 << 20
	tile := max(worth/max(perItem, 1), (long+15)/16, 1)
	return min((tile+15)/16*16, max(long, 1))
}

func gemmKernel(p *args, lo, hi, worker int) {
	transA, transB := p.l&1 != 0, p.l&2 != 0
	a, b, c, m, n := p.x, p.y, p.z, p.m, p.n
	if p.flag {
		if m = hi - lo; transA {
			a = a[lo:]
		} else {
			a = a[lo*p.i:]
		}
		c = c[lo*p.n:]
	} else {
		if n = hi - lo; transB {
			b = b[lo*p.j:]
		} else {
			b = b[lo:]
		}
		c = c[lo:]
	}
	p.dev.blas.gemm(worker, transA, transB, m, n, p.k, p.a, a, p.i, b, p.j, p.b, c, p.n)
}

// scratch returns worker's im2col buffer of at least n elements.
func (d *Device) scratch(worker, n int) []float32 {
	if len(d.col[worker]) < n {
		d.col[worker] = make([]float32, n)
	}
	return d.col[worker][:n]
}
