// Package host is the CPU device: matrix products by OpenBLAS where it is found and by gonum where it is not,
// everything else in Go, spread over the cores, but for what vectors do several times faster: vectortable.go has those
// kernels, vectors.go chooses the set of instructions. Results do not depend on the number of threads.
package host

import (
	"errors"
	"fmt"
	"os"
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
	// Tune measures from what sparsity on a product is faster without what is pruned, and keeps what it finds in the
	// user's cache, for later runs to do the same. Without it a rule decides.
	Tune bool
}

// back is the CPU.
type back struct {
	gpu.Hurry

	pool         *workers
	blas         multiplier
	notices      []string
	kernels      kernels
	col          [][]float32    // im2col scratch of each worker
	grads        []float32      // partial weight gradients of a convolution
	thinned      []float32      // what a convolution of 1×1 with a stride sees
	packed       []float32      // operands of a product of kept entries alone, or with them
	taps         keptTaps       // of a convolution
	sparseConv   sparseConv     // of a convolution with pruned weights
	combinations combinations   // of its gradient
	perWorker    []combinations // of each worker, of a product with pruned weights
	preparation  preparation    // weights that stay as they are
	crossovers   crossovers     // from what sparsity on what is pruned is left out
	sums         []float64      // results of the pieces of a reduction
	poolMasks    []uint64       // of a pooling by rows
	recurrent    recurrent      // of an LSTM
	allocated    atomic.Int64
	account      memory.Account
	directs      map[gpu.ConvGeometry]*direct // convolutions without columns
	winograds    map[gpu.ConvGeometry]*winograd
	winogradSums map[gpu.ConvGeometry]*winogradSums
	convolutions convolutions // how they are done
	byRule       bool         // nothing is measured, since it cannot be kept
	tiles        []tiles      // of each worker
	ranks        ranks        // that sums go over
	measuring    measuring
	dnn          *oneDNN // nil: it is not there, or not to be used
	dnnMissing   error   // why it is not
	dnnPlans     map[dnnKey]*dnnPlan
}

// tiles are a worker's arguments of kernels in assembler.
type tiles struct {
	direct   directTile
	gradient gradientTile
	product  productTile
	plane    depthwisePlane
	lanes    [9 * 16]float64 // of a depthwise gradient
	_        [64]byte        // a cache line of its own
}

// New returns the host device.
func New(o Options) *gpu.Device { return gpu.NewDevice(NewBack(o), nil) }

// NewBack returns the host as the back end of a device.
func NewBack(o Options) gpu.Back {
	n := o.Threads
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	d := &back{
		pool:      newWorkers(n),
		blas:      goBLAS{},
		col:       make([][]float32, n),
		perWorker: make([]combinations, n),
		tiles:     make([]tiles, n),
	}
	if !o.GoBLAS {
		lib, err := loadOpenBLAS(n)
		var room *roomError
		switch {
		case errors.As(err, &room):
			d.notices = append(d.notices, err.Error()+"; gonum multiplies matrices, several times slower")
		case err != nil:
			d.notices = append(d.notices, blasNotice(os.Getenv(blasVariable), err))
		default:
			d.blas = lib
		}
	}
	if !o.GoBLAS && o.Tune {
		d.dnn, d.dnnMissing = loadOneDNN(n)
		if notice := dnnNotice(os.Getenv(dnnVariable), d.dnnMissing); notice != "" {
			d.notices = append(d.notices, notice)
		}
	}
	d.openConvolutions(o.Tune)
	if o.Tune && !d.byRule {
		d.openCrossovers()
	}
	return d
}

// Name implements gpu.Back.
func (d *back) Name() string {
	threads := "1 thread"
	if d.pool.n > 1 {
		threads = fmt.Sprintf("%d threads", d.pool.n)
	}
	if d.dnn != nil {
		return fmt.Sprintf("host (%s, %s, %s)", threads, d.blas.name(), d.dnn.title)
	}
	return fmt.Sprintf("host (%s, %s)", threads, d.blas.name())
}

// Capabilities implements gpu.Back.
func (d *back) Capabilities() gpu.Capabilities {
	convolutions := "this program's kernels"
	switch {
	case d.dnn != nil:
		convolutions += ", or " + d.dnn.title + " where that is the faster"
	case d.dnnMissing != nil:
		convolutions += "; oneDNN is not used: " + d.dnnMissing.Error()
	}
	return gpu.Capabilities{
		Kind: "host", BLAS: d.blas.name(), Convolutions: convolutions, Vectors: describeVectors(), Threads: d.pool.n,
		ComputedBy: d.computedBy(), Notices: d.notices,
	}
}

// computedBy is gpu.Capabilities.ComputedBy.
func (d *back) computedBy() []string {
	parts := []string{d.blas.version()}
	if d.dnn != nil {
		parts = append(parts, d.dnn.title)
	}
	return append(parts, "vectors "+usedSet.String())
}

// Close implements gpu.Back.
func (d *back) Close() error {
	d.pool.close()
	if d.dnn != nil {
		d.dnn.close()
	}
	return nil
}

// allocation is a slice.
type allocation struct {
	data    []float32
	dev     *back
	cleanup runtime.Cleanup // takes it off the account when it is dropped without Free
}

func (m *allocation) Len() int { return len(m.data) }

func (m *allocation) Free() {
	m.cleanup.Stop()
	m.dev.allocated.Add(-4 * int64(len(m.data)))
	m.data = nil
}

// Alloc implements gpu.Back.
func (d *back) Alloc(n int) (gpu.Memory, error) {
	if err := d.checkRoom(memory.Product(4, int64(n))); err != nil {
		return nil, err
	}
	d.allocated.Add(4 * int64(n))
	m := &allocation{data: make([]float32, n), dev: d}
	m.cleanup = runtime.AddCleanup(m, func(bytes int64) { d.allocated.Add(-bytes) }, 4*int64(n))
	return m, nil
}

// checkRoom reports whether bytes more can be allocated, when what was dropped before has been given back.
func (d *back) checkRoom(bytes int64) error {
	err := d.account.Check("host", bytes, d.allocated.Load())
	if err != nil && d.allocated.Load() > 0 {
		debug.FreeOSMemory()
		runtime.Gosched() // the cleanups take it off the account
		err = d.account.Again("host", bytes, d.allocated.Load())
	}
	return err
}

// Allocated implements gpu.Back.
func (d *back) Allocated() int64 { return d.allocated.Load() }

// slice returns the elements of t, or nil for a nil tensor.
func slice(t *gpu.Tensor) []float32 {
	if t == nil {
		return nil
	}
	m, off := t.Place()
	return m.(*allocation).data[off : off+t.N : off+t.N]
}

// Upload implements gpu.Back.
func (d *back) Upload(dst *gpu.Tensor, src []float32) {
	d.waitNoMore()
	copy(slice(dst), src)
}

// Download implements gpu.Back.
func (d *back) Download(dst []float32, src *gpu.Tensor) {
	d.waitNoMore()
	copy(dst, slice(src))
}

// Fetch implements gpu.Back. The host does everything at once.
func (d *back) Fetch(dst []float32, src *gpu.Tensor) { d.Download(dst, src) }

// Mark implements gpu.Back.
func (d *back) Mark() gpu.Mark { return 0 }

// Await implements gpu.Back.
func (d *back) Await(gpu.Mark) error { return d.ranks.err }

// scratch returns worker's im2col buffer of at least n elements.
func (d *back) scratch(worker, n int) []float32 {
	if len(d.col[worker]) < n {
		d.col[worker] = make([]float32, n)
	}
	return d.col[worker][:n]
}
