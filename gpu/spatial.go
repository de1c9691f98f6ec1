package gpu

// Convolution, pooling and local response normalisation.

// Conv is the operation of Device.Conv.
type Conv struct {
	G          *ConvGeometry
	X, W, B, Y *Tensor
	Then       Rectifier
}

func (o *Conv) operands(v *operands) {
	v.in("x", &o.X, o.G.InputLen())
	v.in("w", &o.W, o.G.WeightLen())
	v.inOptional("b", &o.B, o.G.O)
	v.set("y", &o.Y, o.G.OutputLen())
}

// Conv sets y[n,o] = b[o] + Σ_c w[o,c] ⋆ x[n,c] (Caffe's Convolution: cross-correlation). b may be nil. Where w is
// forward weights, a device may leave out what is pruned, here and in ConvBackwardData.
func (d *Device) Conv(g *ConvGeometry, x, w, b, y *Tensor) {
	describe(d, &d.ops.Conv, Conv{G: g, X: x, W: w, B: b, Y: y})
}

// ConvBackwardData is the operation of Device.ConvBackwardData.
type ConvBackwardData struct {
	G         *ConvGeometry
	DY, W, DX *Tensor
}

func (o *ConvBackwardData) operands(v *operands) {
	v.in("dy", &o.DY, o.G.OutputLen())
	v.in("w", &o.W, o.G.WeightLen())
	v.set("dx", &o.DX, o.G.InputLen())
}

// ConvBackwardData sets dx to the gradient of x.
func (d *Device) ConvBackwardData(g *ConvGeometry, dy, w, dx *Tensor) {
	describe(d, &d.ops.ConvBackwardData, ConvBackwardData{G: g, DY: dy, W: w, DX: dx})
}

// ConvBackwardWeights is the operation of Device.ConvBackwardWeights.
type ConvBackwardWeights struct {
	G                   *ConvGeometry
	X, DY, Kept, DW, DB *Tensor
}

func (o *ConvBackwardWeights) operands(v *operands) {
	v.in("x", &o.X, o.G.InputLen())
	v.in("dy", &o.DY, o.G.OutputLen())
	v.inOptional("kept", &o.Kept, o.G.WeightLen())
	v.outOptional("dw", &o.DW, o.G.WeightLen())
	v.outOptional("db", &o.DB, o.G.O)
}

// ConvBackwardWeights adds the gradients of w and b to dw and db. Either may be nil. Where kept, forward weights, is
// not nil, the gradients of the weights that it prunes are of no account, so a device adds them or leaves them out.
func (d *Device) ConvBackwardWeights(g *ConvGeometry, x, dy, kept, dw, db *Tensor) {
	describe(d, &d.ops.ConvBackwardWeights, ConvBackwardWeights{G: g, X: x, DY: dy, Kept: kept, DW: dw, DB: db})
}

// ConvReLU is Conv and a ReLU in place behind it, in the same pass. Where the device does not have that (Has), a layer
// does one after the other.
func (d *Device) ConvReLU(g *ConvGeometry, x, w, b, y *Tensor, slope float32) {
	describe(d, &d.ops.Conv, Conv{G: g, X: x, W: w, B: b, Y: y, Then: Rectifier{On: true, Slope: slope}})
}

// MaxPool is the operation of Device.MaxPool.
type MaxPool struct {
	G            *PoolGeometry
	X, Y, Argmax *Tensor
}

func (o *MaxPool) operands(v *operands) {
	v.in("x", &o.X, o.G.InputLen())
	v.set("y", &o.Y, o.G.OutputLen())
	v.set("argmax", &o.Argmax, o.G.OutputLen())
}

// MaxPool sets y to the maximum of each window and argmax to its position in the plane (row·W + column; the
// first of equals). An empty window, which a stride longer than the window can make, gives -FLT_MAX and -1.
func (d *Device) MaxPool(g *PoolGeometry, x, y, argmax *Tensor) {
	describe(d, &d.ops.MaxPool, MaxPool{G: g, X: x, Y: y, Argmax: argmax})
}

// MaxPoolBackward is the operation of Device.MaxPoolBackward.
type MaxPoolBackward struct {
	G              *PoolGeometry
	DY, Argmax, DX *Tensor
}

func (o *MaxPoolBackward) operands(v *operands) {
	v.in("dy", &o.DY, o.G.OutputLen())
	v.in("argmax", &o.Argmax, o.G.OutputLen())
	v.set("dx", &o.DX, o.G.InputLen())
}

// MaxPoolBackward sets dx[argmax] = Σ dy.
func (d *Device) MaxPoolBackward(g *PoolGeometry, dy, argmax, dx *Tensor) {
	describe(d, &d.ops.MaxPoolBackward, MaxPoolBackward{G: g, DY: dy, Argmax: argmax, DX: dx})
}

// AvePool is the operation of Device.AvePool.
type AvePool struct {
	G    *PoolGeometry
	X, Y *Tensor
}

func (o *AvePool) operands(v *operands) {
	v.in("x", &o.X, o.G.InputLen())
	v.set("y", &o.Y, o.G.OutputLen())
}

// AvePool sets y to the sum of each window over its size; the size counts padding, but not what lies
// beyond it (Caffe's Pooling AVE). An empty window gives 0.
func (d *Device) AvePool(g *PoolGeometry, x, y *Tensor) {
	describe(d, &d.ops.AvePool, AvePool{G: g, X: x, Y: y})
}

// AvePoolBackward is the operation of Device.AvePoolBackward.
type AvePoolBackward struct {
	G      *PoolGeometry
	DY, DX *Tensor
}

func (o *AvePoolBackward) operands(v *operands) {
	v.in("dy", &o.DY, o.G.OutputLen())
	v.set("dx", &o.DX, o.G.InputLen())
}

// AvePoolBackward is its gradient.
func (d *Device) AvePoolBackward(g *PoolGeometry, dy, dx *Tensor) {
	describe(d, &d.ops.AvePoolBackward, AvePoolBackward{G: g, DY: dy, DX: dx})
}

// StochasticPool is the operation of Device.StochasticPool.
type StochasticPool struct {
	G            *PoolGeometry
	X, Y, Argmax *Tensor
	Key          Key
}

func (o *StochasticPool) operands(v *operands) {
	v.in("x", &o.X, o.G.InputLen())
	v.set("y", &o.Y, o.G.OutputLen())
	v.set("argmax", &o.Argmax, o.G.OutputLen())
}

// StochasticPool sets y to one element of each window, x with probability x/Σx, and argmax to its position in the
// plane: the first at which the running sum reaches Uniform of key, at the output's number, times the sum. It is the
// first where none does; an empty window gives 0 and -1. The inputs are meant to be 0 or more (Zeiler and Fergus,
// ICLR 2013; Caffe's Pooling STOCHASTIC). Its gradient is MaxPoolBackward.
func (d *Device) StochasticPool(g *PoolGeometry, x, y, argmax *Tensor, key Key) {
	describe(d, &d.ops.StochasticPool, StochasticPool{G: g, X: x, Y: y, Argmax: argmax, Key: key})
}

// ExpectedPool is the operation of Device.ExpectedPool.
type ExpectedPool struct {
	G    *PoolGeometry
	X, Y *Tensor
}

func (o *ExpectedPool) operands(v *operands) {
	v.in("x", &o.X, o.G.InputLen())
	v.set("y", &o.Y, o.G.OutputLen())
}

// ExpectedPool sets y to what StochasticPool gives on average: Σx²/Σx, or 0 where Σx is not positive.
func (d *Device) ExpectedPool(g *PoolGeometry, x, y *Tensor) {
	describe(d, &d.ops.ExpectedPool, ExpectedPool{G: g, X: x, Y: y})
}

// Im2col is the operation of Device.Im2col.
type Im2col struct {
	G      *ColGeometry
	X, Col *Tensor
}

func (o *Im2col) operands(v *operands) {
	axes(v, o.G)
	v.in("x", &o.X, o.G.InputLen())
	v.set("col", &o.Col, o.G.ColumnLen())
}

// Im2col sets col, (channels·kernel) × output, to the elements of x that each position of the output sees, 0 in the
// padding.
func (d *Device) Im2col(g *ColGeometry, x, col *Tensor) {
	describe(d, &d.ops.Im2col, Im2col{G: g, X: x, Col: col})
}

// Col2im is the operation of Device.Col2im.
type Col2im struct {
	G      *ColGeometry
	Col, X *Tensor
}

func (o *Col2im) operands(v *operands) {
	axes(v, o.G)
	v.in("col", &o.Col, o.G.ColumnLen())
	v.set("x", &o.X, o.G.InputLen())
}

// Col2im sets each element of x to the sum of those of col that Im2col takes from it.
func (d *Device) Col2im(g *ColGeometry, col, x *Tensor) {
	describe(d, &d.ops.Col2im, Col2im{G: g, Col: col, X: x})
}

// LRN is the operation of Device.LRN.
type LRN struct {
	G           *LRNGeometry
	X, Scale, Y *Tensor
}

func (o *LRN) operands(v *operands) {
	v.in("x", &o.X, o.G.Len())
	v.set("scale", &o.Scale, o.G.Len())
	v.set("y", &o.Y, o.G.Len())
}

// LRN normalises across channels: s = k + alpha/size · Σ_window x², y = x·s^-beta. scale keeps s.
func (d *Device) LRN(g *LRNGeometry, x, scale, y *Tensor) {
	describe(d, &d.ops.LRN, LRN{G: g, X: x, Scale: scale, Y: y})
}

// LRNBackward is the operation of Device.LRNBackward.
type LRNBackward struct {
	G                   *LRNGeometry
	X, Y, Scale, DY, DX *Tensor
}

func (o *LRNBackward) operands(v *operands) {
	v.in("x", &o.X, o.G.Len())
	v.in("y", &o.Y, o.G.Len())
	v.in("scale", &o.Scale, o.G.Len())
	v.in("dy", &o.DY, o.G.Len())
	v.set("dx", &o.DX, o.G.Len())
}

// LRNBackward sets dx = dy·s^-beta - 2·alpha·beta/size · x · Σ_window dy·y/s.
func (d *Device) LRNBackward(g *LRNGeometry, x, y, scale, dy, dx *Tensor) {
	describe(d, &d.ops.LRNBackward, LRNBackward{G: g, X: x, Y: y, Scale: scale, DY: dy, DX: dx})
}

// LRNWithin is the operation of Device.LRNWithin.
type LRNWithin struct {
	G           *PoolGeometry
	Alpha, Beta float32
	X, Scale, Y *Tensor
}

func (o *LRNWithin) operands(v *operands) {
	v.in("x", &o.X, o.G.InputLen())
	v.set("scale", &o.Scale, o.G.InputLen())
	v.set("y", &o.Y, o.G.InputLen())
}

// LRNWithin normalises within channels: s = 1 + alpha·AvePool(x²), y = x·s^-beta, with windows of an odd size, stride 1
// and padding that keeps the size. scale keeps s.
func (d *Device) LRNWithin(g *PoolGeometry, alpha, beta float32, x, scale, y *Tensor) {
	describe(d, &d.ops.LRNWithin, LRNWithin{G: g, Alpha: alpha, Beta: beta, X: x, Scale: scale, Y: y})
}

// LRNWithinBackward is the operation of Device.LRNWithinBackward.
type LRNWithinBackward struct {
	G                *PoolGeometry
	Alpha, Beta      float32
	X, Scale, DY, DX *Tensor
}

func (o *LRNWithinBackward) operands(v *operands) {
	v.in("x", &o.X, o.G.InputLen())
	v.in("scale", &o.Scale, o.G.InputLen())
	v.in("dy", &o.DY, o.G.InputLen())
	v.set("dx", &o.DX, o.G.InputLen())
}

// LRNWithinBackward sets dx = dy·s^-beta - 2·alpha·beta·x·AvePoolBackward(dy·x·s^(-beta-1)).
func (d *Device) LRNWithinBackward(g *PoolGeometry, alpha, beta float32, x, scale, dy, dx *Tensor) {
	describe(d, &d.ops.LRNWithinBackward, LRNWithinBackward{
		G: g, Alpha: alpha, Beta: beta, X: x, Scale: scale, DY: dy, DX: dx,
	})
}

func axes(v *operands, g *ColGeometry) {
	if len(g.In) > MaxSpatialAxes {
		panic("gpu: " + nameOf(v.op) + ": too many spatial axes")
	}
}
