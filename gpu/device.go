package gpu

import "math"

// A Device runs kernels on tensors of its own. Its methods are called from one goroutine at a time.
type Device interface {
	// Name describes the device to a person: "host (2 threads, OpenBLAS ...)".
	Name() string
	// Capabilities says what the device is, and what it lacks.
	Capabilities() Capabilities
	// Close releases the device; its tensors are invalid from then on.
	Close() error

	Store
	Vector
	Dense
	Spatial
	Channelwise
	Classify
	Recurrent
	Train
}

// Capabilities describes a device.
type Capabilities struct {
	Kind    string // "host" or "cuda"
	BLAS    string // what multiplies matrices
	Threads int    // of the host; 0 elsewhere
	// Lag is how many steps a training loop may be ahead of the results that it has read: 0 on a device that does all
	// work when it is asked to.
	Lag     int
	Missing []string // kernels (method names) that the device does not have
	Notices []string // what a user should know: a library not found, and what serves instead
}

// Store allocates and moves data.
type Store interface {
	// Alloc returns n zeroed elements, or an error that says how much was wanted.
	Alloc(n int) (Memory, error)
	// Allocated returns the bytes that are allocated now.
	Allocated() int64
	// Upload copies src to dst; both have the same number of elements.
	Upload(dst *Tensor, src []float32)
	// Download waits for the kernels before it and copies src to dst.
	Download(dst []float32, src *Tensor)
	// Fetch copies src, as it is now, to dst. dst holds it when Await has returned for a Mark made after.
	Fetch(dst []float32, src *Tensor)
	// Mark returns a point in the order of kernels. Only the last eight are kept apart.
	Mark() Mark
	// Await waits until all kernels before m are done, and what Fetch and Surgery were to write is written. It
	// returns the device's first failure; a device that failed stays failed.
	Await(m Mark) error
	// Sync is Await(Mark()).
	Sync() error
}

// A Mark is a point in the order of a device's kernels.
type Mark uint64

// A Labeler is a device that says in its errors what it was told that its kernels are for.
type Labeler interface {
	// Label names what the kernels from now on are for: "conv1 forward".
	Label(name string)
}

// A Monitored device tells how it is. Vitals may be called from any goroutine, and does not wait.
type Monitored interface {
	Vitals() Vitals
}

// Vitals is how a device is, for people.
type Vitals struct {
	Phase       string // what it is about besides the work that it was given: "choosing kernels", "capturing"; or ""
	Known       bool   // the rest is known
	Utilization int    // percent of the last second in which kernels ran
	Memory      int64  // bytes in use on the device, by all programs
	Temperature int    // °C
}

// Vector has the elementwise kernels. x, y and z have the same number of elements; outputs may be inputs.
type Vector interface {
	// Fill sets y = v.
	Fill(y *Tensor, v float32)
	// Copy sets y = x.
	Copy(y, x *Tensor)
	// Axpby sets y = a·x + b·y; y is not read where b is 0.
	Axpby(a float32, x *Tensor, b float32, y *Tensor)
	// Mul sets z = x∘y.
	Mul(x, y, z *Tensor)
	// MaxUpdate sets y = x and which = index wherever x > y (Caffe's Eltwise MAX, one input at a time).
	MaxUpdate(x *Tensor, index float32, y, which *Tensor)
	// MaxBackward sets dx = dy where which = index, else 0.
	MaxBackward(dy, which *Tensor, index float32, dx *Tensor)
	// Power sets y = (shift + scale·x)^power.
	Power(x *Tensor, power, scale, shift float32, y *Tensor)
	// Unary sets y = f(x).
	Unary(f UnaryFunc, x, y *Tensor)
	// UnaryBackward sets dx = dy·f'(x), given y = f(x).
	UnaryBackward(f UnaryFunc, x, y, dy, dx *Tensor)
	// Dot sets out[0] = alpha·Σ x·y.
	Dot(alpha float32, x, y, out *Tensor)
	// Copy2D copies rows of cols elements: dst[dstOff + r·dstStride + c] = src[srcOff + r·srcStride + c].
	Copy2D(rows, cols int, src *Tensor, srcOff, srcStride int, dst *Tensor, dstOff, dstStride int)
	// Gather sets row r of dst to row index[r] of src, rows of width elements. An index that is no row of src makes the
	// row NaN.
	Gather(width int, index, src, dst *Tensor)
	// ScatterAdd adds row r of src to row index[r] of dst, in the order of r. An index that is no row is passed over.
	ScatterAdd(width int, index, src, dst *Tensor)
	// ReLU sets y = max(x, 0) + slope·min(x, 0).
	ReLU(x, y *Tensor, slope float32)
	// ReLUBackward sets dx = dy·(x > 0 ? 1 : slope). x may be the output where slope >= 0.
	ReLUBackward(x, dy, dx *Tensor, slope float32)
	// Dropout sets y_i = x_i/(1-ratio) where u_i >= ratio, else 0; u_i is Uniform of key at i. The same call on dy
	// is its gradient.
	Dropout(x, y *Tensor, ratio float32, key Key)
	// SumSquares waits and returns Σ x², summed in float64 in a fixed order.
	SumSquares(x *Tensor) float64
	// Finite waits and reports whether no element is NaN or infinite.
	Finite(x *Tensor) bool
}

// Dense has the matrix product.
type Dense interface {
	// Gemm sets C = alpha·op(A)·op(B) + beta·C for row-major C (m×n), op(A) (m×k), op(B) (k×n), where op
	// transposes where its flag is set. C is not read where beta is 0.
	Gemm(transA, transB bool, m, n, k int, alpha float32, a, b *Tensor, beta float32, c *Tensor)
}

// Spatial has convolution, pooling and local response normalisation.
type Spatial interface {
	// Conv sets y[n,o] = b[o] + Σ_c w[o,c] ⋆ x[n,c] (Caffe's Convolution: cross-correlation). b may be nil.
	Conv(g *ConvGeometry, x, w, b, y *Tensor)
	// ConvBackwardData sets dx to the gradient of x.
	ConvBackwardData(g *ConvGeometry, dy, w, dx *Tensor)
	// ConvBackwardWeights adds the gradients of w and b to dw and db. Either may be nil.
	ConvBackwardWeights(g *ConvGeometry, x, dy, dw, db *Tensor)

	// MaxPool sets y to the maximum of each window and at to its place in the plane (row·W + column; the
	// first of equals). An empty window, which a stride longer than the window can make, gives -FLT_MAX and -1.
	MaxPool(g *PoolGeometry, x, y, at *Tensor)
	// MaxPoolBackward sets dx[at] = Σ dy.
	MaxPoolBackward(g *PoolGeometry, dy, at, dx *Tensor)
	// AvePool sets y to the sum of each window over its size; the size counts padding, but not what lies
	// beyond it (Caffe's Pooling AVE). An empty window gives 0.
	AvePool(g *PoolGeometry, x, y *Tensor)
	// AvePoolBackward is its gradient.
	AvePoolBackward(g *PoolGeometry, dy, dx *Tensor)

	// StochasticPool sets y to one element of each window, x with probability x/Σx, and at to its place in the plane:
	// the first at which the running sum reaches Uniform of key, at the output's number, times the sum. It is the
	// first where none does; an empty window gives 0 and -1. The inputs are meant to be 0 or more (Zeiler and Fergus,
	// ICLR 2013; Caffe's Pooling STOCHASTIC). Its gradient is MaxPoolBackward.
	StochasticPool(g *PoolGeometry, x, y, at *Tensor, key Key)
	// ExpectedPool sets y to what StochasticPool gives on average: Σx²/Σx, or 0 where Σx is not positive.
	ExpectedPool(g *PoolGeometry, x, y *Tensor)

	// Im2col sets col, (channels·kernel) × output, to the elements of x that each place of the output sees, 0 in the
	// padding.
	Im2col(g *ColGeometry, x, col *Tensor)
	// Col2im sets each element of x to the sum of those of col that Im2col takes from it.
	Col2im(g *ColGeometry, col, x *Tensor)

	// LRN normalises across channels: s = k + alpha/size · Σ_window x², y = x·s^-beta. scale keeps s.
	LRN(g *LRNGeometry, x, scale, y *Tensor)
	// LRNBackward sets dx = dy·s^-beta - 2·alpha·beta/size · x · Σ_window dy·y/s.
	LRNBackward(g *LRNGeometry, x, y, scale, dy, dx *Tensor)
}

// Channelwise has the kernels over (outer, channels, inner) arrays with one number per channel.
type Channelwise interface {
	// AddBias adds b[c] to y[o,c,i].
	AddBias(s ChannelShape, b, y *Tensor)
	// SumBias adds Σ_{o,i} dy[o,c,i] to db[c].
	SumBias(s ChannelShape, dy, db *Tensor)
	// Scale sets y = a[c]·x + b[c]; b may be nil.
	Scale(s ChannelShape, x, a, b, y *Tensor)
	// ScaleBackward sets dx = a[c]·dy and adds Σ dy·x to da[c] and Σ dy to db[c]. dx, da and db may be nil.
	ScaleBackward(s ChannelShape, x, dy, a, dx, da, db *Tensor)
	// PReLU sets y = max(x, 0) + a[c]·min(x, 0).
	PReLU(s ChannelShape, x, a, y *Tensor)
	// PReLUBackward sets dx = dy·(x > 0 ? 1 : a[c]) and adds Σ dy·min(x, 0) to da[c]. dx and da may be nil.
	PReLUBackward(s ChannelShape, x, dy, a, dx, da *Tensor)
	// BatchStats sets mean[c] and variance[c] (of the population) of x.
	BatchStats(s ChannelShape, x, mean, variance *Tensor)
	// Normalize sets y = (x - mean[c]·f)/sqrt(variance[c]·f + eps). f is 1 where weight is nil, else 1/weight[0], or 0
	// where that is 0: Caffe keeps running sums with their total weight.
	Normalize(s ChannelShape, x, mean, variance, weight *Tensor, eps float32, y *Tensor)
	// NormalizeBackward is the gradient of Normalize with BatchStats' own mean and variance, from its output y:
	// dx = (dy - mean(dy) - y·mean(dy∘y))/sqrt(variance[c] + eps).
	NormalizeBackward(s ChannelShape, y, dy, variance *Tensor, eps float32, dx *Tensor)
	// NormalizeGlobalBackward is its gradient with fixed statistics: dx = dy/sqrt(variance[c]·f + eps),
	// f as in Normalize.
	NormalizeGlobalBackward(s ChannelShape, dy, variance, weight *Tensor, eps float32, dx *Tensor)
}

// Classify has softmax, its loss, and accuracy, over channels.
type Classify interface {
	// Softmax sets y[o,:,i] = exp(x - max x)/Σ exp(x - max x).
	Softmax(s ChannelShape, x, y *Tensor)
	// SoftmaxBackward sets dx = y∘(dy - Σ_c dy∘y).
	SoftmaxBackward(s ChannelShape, y, dy, dx *Tensor)
	// SoftmaxLoss sets stat[0] = Σ -log(max(prob[label], FLT_MIN))/z and stat[1] = z, over the (o,i) whose label
	// is not ignored. z is norm, or the number of those labels (at least 1) where norm is 0. A label that is no
	// class makes the loss NaN.
	SoftmaxLoss(s ChannelShape, prob, label *Tensor, ignore Ignore, norm float32, stat *Tensor)
	// SoftmaxLossBackward sets dx = weight/stat[1] · (prob - onehot(label)), and 0 where the label is ignored.
	SoftmaxLossBackward(s ChannelShape, prob, label *Tensor, ignore Ignore, weight float32, stat, dx *Tensor)
	// SigmoidLoss sets stat[0] = Σ (log(1 + exp(x)) - x·t)/z, the cross-entropy of sigmoid(x) and the target t, and
	// stat[1] = z, over the elements whose target is not ignored. z is norm, or their number (at least 1) where norm
	// is 0.
	SigmoidLoss(x, target *Tensor, ignore Ignore, norm float32, stat *Tensor)
	// SigmoidLossBackward sets dx = weight/stat[1] · (sigmoid(x) - t), and 0 where the target is ignored.
	SigmoidLossBackward(x, target *Tensor, ignore Ignore, weight float32, stat, dx *Tensor)
	// HingeLoss sets out[0] = Σ m/outer, or Σ m²/outer where squared, with m = max(0, 1 - d·x) and d = 1 for the
	// label's score, -1 for the others. A label that is no class makes it NaN.
	HingeLoss(s ChannelShape, x, label *Tensor, squared bool, out *Tensor)
	// HingeLossBackward sets dx = weight/outer · (-d) · (m > 0 ? 1 : 0), or · 2m where squared.
	HingeLossBackward(s ChannelShape, x, label *Tensor, squared bool, weight float32, dx *Tensor)
	// LogLoss sets out[0] = Σ -log(max(prob[label], LogFloor))/outer. A label that is no class makes it NaN.
	LogLoss(s ChannelShape, prob, label, out *Tensor)
	// LogLossBackward sets dx = -weight/outer/max(prob, LogFloor) at the label, else 0.
	LogLossBackward(s ChannelShape, prob, label *Tensor, weight float32, dx *Tensor)
	// InfogainLoss sets stat[0] = Σ -Σ_c h[label,c]·log(max(prob[c], LogFloor))/z and stat[1] = z, over the (o,i)
	// whose label is not ignored; z as in SoftmaxLoss, at least 1. h is channels × channels. A label that is no class
	// makes the loss NaN.
	InfogainLoss(s ChannelShape, prob, label, h *Tensor, ignore Ignore, norm float32, stat *Tensor)
	// InfogainLossBackward sets dx[c] = weight/stat[1] · (prob[c]·Σ_k h[label,k] - h[label,c]), the gradient through
	// the softmax that made prob, and 0 where the label is ignored.
	InfogainLossBackward(s ChannelShape, prob, label, h *Tensor, ignore Ignore, weight float32, stat, dx *Tensor)
	// ContrastiveLoss compares the rows of a and b: with d² = Σ (a-b)², out[0] = Σ l/(2·outer), where l is d² in the
	// rows whose similar, as an integer, is not 0, and max(margin - d, 0)² in the others; max(margin - d², 0) under
	// legacy. s.Inner is 1. (Hadsell, Chopra and LeCun, CVPR 2006.)
	ContrastiveLoss(s ChannelShape, a, b, similar *Tensor, margin float32, legacy bool, out *Tensor)
	// ContrastiveLossBackward sets dx = weight/outer · (a-b) in similar rows, -weight/outer · (margin-d)/(d+1e-4) ·
	// (a-b) in others with d < margin (-weight/outer · (a-b) under legacy, d² < margin), else 0: the gradient of a,
	// and with
	// -weight that of b.
	ContrastiveLossBackward(
		s ChannelShape,
		a, b, similar *Tensor,
		margin float32,
		legacy bool,
		weight float32,
		dx *Tensor,
	)
	// ArgMax sets row r of index and of value, k wide, to the places and the values of the k largest of the channels
	// at (outer, inner), largest first and the later of equals, as Caffe sorts them; rows are in the order of (outer,
	// inner). Either may be nil.
	ArgMax(s ChannelShape, k int, x, index, value *Tensor)
	// Accuracy sets out[0] to the share of labels that are among the topK largest scores; another score equal to the
	// label's counts as larger. perClass may be nil; else it gets one share a class, 0 for a class without labels.
	// A label that is no class makes out[0] NaN.
	Accuracy(s ChannelShape, x, label *Tensor, ignore Ignore, topK int, out, perClass *Tensor)
}

// Recurrent has the cell of a long short-term memory.
type Recurrent interface {
	// LSTMUnit is one time step of n streams with cells of size (Caffe's LSTMUnit): from the gates' inputs x, rows of
	// (i, f, o, g), the cells before and cont, a number a stream, 0 where a sequence begins,
	//
	//	c = cont·σ(f)·before + σ(i)·tanh(g)
	//	h = σ(o)·tanh(c)
	//
	// It leaves in x what the gates let through, σ(i), cont·σ(f), σ(o) and tanh(g), which the gradient takes.
	LSTMUnit(n, size int, before, x, cont, c, h *Tensor)
	// LSTMUnitBackward is its gradient, from those of c and h, and the gates that it left: it sets dx, the gradient
	// of the gates' inputs, and dbefore. dbefore may be dc, and dx the gates.
	LSTMUnitBackward(n, size int, before, gates, c, dc, dh, dbefore, dx *Tensor)
}

// Train has the two kernels that this program is about.
type Train interface {
	// Update is one step of a solver, and the next forward weights, in one pass:
	//
	//	g = scale·grad + decay·w          (L2; decay·sign(w) under L1)
	//	w = w - step(g)                   (see Method)
	//	masked = w where it was kept, still -0 where it was pruned
	//	grad = 0                          (the step under KeepStep)
	//
	// h is the method's history, h2 its second, nil for methods without one. masked may be nil (a parameter without a
	// mask); see Masked weights.
	Update(p UpdateParams, w, grad, h, h2, masked *Tensor)
	// Surgery measures a layer, redraws its mask, and writes masked = w∘T, as p says. r is what it found, when Sync has
	// returned, or Await for a Mark made after; it must stay until then. b and maskedB, the bias, may be nil.
	Surgery(p *SurgeryParams, w, masked, b, maskedB *Tensor, r *SurgeryResult)
	// Reach sets kept[o] to the largest |w - center| among the entries of output o with T = 1, pruned[o] among those
	// with T = 0, and -1 where there are none. Output o has the weights of row o of w; of column o where g is
	// transposed. masked may be nil: nothing is pruned.
	Reach(g Outputs, center float32, w, masked, kept, pruned *Tensor)
}

// Outputs is how the weights of a layer belong to its outputs, filters or neurons: Outputs × Inputs, or where
// Transposed is set Inputs × Outputs.
type Outputs struct {
	Outputs, Inputs int
	Transposed      bool
}

// ChannelShape is the shape of a channelwise kernel's array.
type ChannelShape struct{ Outer, Channels, Inner int }

// Len returns the number of elements.
func (s ChannelShape) Len() int { return s.Outer * s.Channels * s.Inner }

// Ignore is an optional label that does not count.
type Ignore struct {
	On    bool
	Label int
}

// ConvGeometry is a two-dimensional convolution.
type ConvGeometry struct {
	N, C, H, W int // input
	O          int // output channels
	KH, KW     int // kernel
	SH, SW     int // stride
	PH, PW     int // padding
	DH, DW     int // dilation
	Groups     int
	OutH, OutW int
}

// Resolve computes OutH and OutW: floor((H + 2·PH - (DH·(KH-1) + 1))/SH) + 1.
func (g *ConvGeometry) Resolve() {
	g.OutH = (g.H+2*g.PH-(g.DH*(g.KH-1)+1))/g.SH + 1
	g.OutW = (g.W+2*g.PW-(g.DW*(g.KW-1)+1))/g.SW + 1
}

// ColGeometry is what Im2col reads: one image of Channels over any number of spatial axes.
type ColGeometry struct {
	Channels                               int
	In, Kernel, Stride, Pad, Dilation, Out []int
}

// MaxSpatialAxes is how many spatial axes a ColGeometry may have.
const MaxSpatialAxes = 8

// Resolve computes Out: floor((In + 2·Pad - (Dilation·(Kernel-1) + 1))/Stride) + 1.
func (g *ColGeometry) Resolve() {
	g.Out = make([]int, len(g.In))
	for i := range g.In {
		g.Out[i] = (g.In[i]+2*g.Pad[i]-(g.Dilation[i]*(g.Kernel[i]-1)+1))/g.Stride[i] + 1
	}
}

// Rows returns the rows of col, Channels·ΠKernel, and Places its columns, ΠOut.
func (g *ColGeometry) Rows() int { return g.Channels * Elements(g.Kernel) }

// Places returns the number of places of the output.
func (g *ColGeometry) Places() int { return Elements(g.Out) }

// LogFloor is what Caffe puts under a probability before it takes the logarithm (kLOG_THRESHOLD).
const LogFloor = 1e-20

// PoolGeometry is pooling over Planes = N·C planes.
type PoolGeometry struct {
	Planes, H, W int
	KH, KW       int
	SH, SW       int
	PH, PW       int
	OutH, OutW   int
}

// Resolve computes OutH and OutW as Caffe does: rounded up (or down where floor is set), and, where either side is
// padded, one less where the last window would start in the padding or behind it.
func (g *PoolGeometry) Resolve(floor bool) {
	padded := g.PH > 0 || g.PW > 0
	g.OutH = pooled(g.H, g.KH, g.SH, g.PH, floor, padded)
	g.OutW = pooled(g.W, g.KW, g.SW, g.PW, floor, padded)
}

func pooled(size, kernel, stride, pad int, floor, padded bool) int {
	span := size + 2*pad - kernel // below 0 where the window is larger than the plane
	n := int(math.Floor(float64(span)/float64(stride))) + 1
	if !floor && span%stride != 0 {
		n++
	}
	if padded && (n-1)*stride >= size+pad {
		n--
	}
	return n
}

// LRNGeometry is local response normalisation over windows of Size channels, centred.
type LRNGeometry struct {
	N, C, Plane    int
	Size           int
	Alpha, Beta, K float32
}
