package host

import (
	"math"
	"slices"
	"time"

	"dns-tui/gpu"
)

// Weights that stay as they are (gpu.Device.Prepare): a product with them is done in the way that measuring shows to be
// the fastest. What a way needs, it makes once.

// preparation is all that is known of prepared weights.
type preparation struct {
	weights map[*gpu.Tensor]*preparedWeights
	label   string // of the layer at work
	order   []gpu.Prepared
	unused  bool
	unread  map[*gpu.Tensor]bool // outputs of convolutions
	waiting waiting
	relu    gpu.ReLU // behind a convolution
}

// preparedWeights are the plans of one array of weights, one for each layer and shape of a product: layers may share
// weights.
type preparedWeights struct {
	values   *gpu.Tensor
	kept     int // that are not zero
	convs    []convPlan
	poolings []pooledPlan
	products []productPlan
}

type convPlan struct {
	label string
	g     gpu.ConvGeometry
	plan[*gpu.Conv]
}

type productPlan struct {
	label   string
	m, n, k int
	transB  bool
	plan[*gpu.Gemm]
}

// plan is how a product is done.
type plan[O any] struct{ do func(O) }

// way is one way to do a product.
type way[O any] struct {
	name string
	do   func(O)
}

// dense is the name of the way that multiplies zeros as well; it is the first of a product's ways.
const dense = "dense"

// Prepare implements gpu.Preparer.
func (d *back) Prepare(w *gpu.Tensor) {
	p := &d.preparation
	if p.weights == nil {
		p.weights = map[*gpu.Tensor]*preparedWeights{}
	}
	kept := 0
	for _, v := range slice(w) {
		if v != 0 {
			kept++
		}
	}
	p.weights[w] = &preparedWeights{values: w, kept: kept}
}

// UsePrepared implements gpu.Preparer.
func (d *back) UsePrepared(use bool) {
	d.waitNoMore()
	d.preparation.unused = !use
}

// Prepared implements gpu.Preparer.
func (d *back) Prepared() []gpu.Prepared { return d.preparation.order }

// Label implements gpu.Labeler.
func (d *back) Label(name string) { d.preparation.label = name }

// prepared returns what is known of weights, or nil where they are not prepared or it is not to be used.
func (d *back) prepared(w *gpu.Tensor) *preparedWeights {
	if p := &d.preparation; p.weights != nil && !p.unused {
		return p.weights[w]
	}
	return nil
}

// conv does a convolution by its plan.
func (w *preparedWeights) conv(d *back, o *gpu.Conv) {
	label := d.preparation.label
	for i := range w.convs {
		if p := &w.convs[i]; p.g == *o.G && p.label == label {
			p.do(o)
			return
		}
	}
	ways := []way[*gpu.Conv]{{dense, d.convDense}}
	if w.kept < o.W.N {
		ways = convWays(d, o)
	}
	w.convs = append(w.convs, convPlan{label, *o.G, fastest(d, w, o.W.N, ways, o)})
}

// product does C = A·op(B) by its plan.
func (w *preparedWeights) product(d *back, o *gpu.Gemm) {
	label := d.preparation.label
	for i := range w.products {
		p := &w.products[i]
		if p.m == o.M && p.n == o.N && p.k == o.K && p.transB == o.TransB && p.label == label {
			p.do(o)
			return
		}
	}
	ways := []way[*gpu.Gemm]{{dense, d.gemmDense}}
	if w.kept < o.B.N {
		ways = productWays(d, o)
	}
	w.products = append(w.products, productPlan{label, o.M, o.N, o.K, o.TransB, fastest(d, w, o.B.N, ways, o)})
}

// convWays are the ways of a convolution.
func convWays(d *back, o *gpu.Conv) []way[*gpu.Conv] {
	return []way[*gpu.Conv]{{dense, d.convDense}, {"sparse, direct", newSparseConv(d, o).do}}
}

// productWays are the ways of a product.
func productWays(d *back, o *gpu.Gemm) []way[*gpu.Gemm] {
	return append([]way[*gpu.Gemm]{{dense, d.gemmDense}}, sparseProducts(d, o)...)
}

// Ways take turns at least tries times, and until they have taken together as long as patience, or most times.
const (
	tries    = 3
	most     = 200
	patience = 20 * time.Millisecond
)

// leastTimes does a product in several ways, in turn, and returns the least time of each. What the product adds to,
// adds, is as before then. Before each, leave is asked whether to leave off, where it is not nil: then nil is returned.
func leastTimes[O any](o O, ways []way[O], adds []float32, leave func() bool) []time.Duration {
	saved := slices.Clone(adds)
	took := make([]time.Duration, len(ways))
	for i, way := range ways {
		if leave != nil && leave() {
			return nil
		}
		way.do(o) // the first allocates
		copy(adds, saved)
		took[i] = math.MaxInt64
	}
	begin := time.Now()
	for turn := 0; turn < tries || turn < most && time.Since(begin) < patience; turn++ {
		for i, way := range ways {
			if leave != nil && leave() {
				return nil
			}
			start := time.Now()
			way.do(o)
			took[i] = min(took[i], time.Since(start))
			copy(adds, saved)
		}
	}
	return took
}

// fastest does a product in all of its ways, in turn, and returns the fastest as its plan. What the others have made is
// dropped.
func fastest[O any](d *back, w *preparedWeights, of int, ways []way[O], o O) plan[O] {
	took := leastTimes(o, ways, nil, nil)
	best := 0
	for i := range ways {
		if took[i] < took[best] {
			best = i
		}
	}
	ways[best].do(o) // its result is the one that stays
	p := &d.preparation
	p.order = append(p.order, gpu.Prepared{Label: p.label, Weights: w.values, Kept: w.kept, Of: of,
		Way: ways[best].name, Time: took[best], Dense: took[0]})
	return plan[O]{ways[best].do}
}
