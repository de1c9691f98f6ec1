package gpu

// Operations on (outer, channels, inner) arrays with one number per channel.

// AddBias is the operation of Device.AddBias.
type AddBias struct {
	Shape ChannelShape
	B, Y  *Tensor
}

func (o *AddBias) operands(v *operands) {
	v.in("b", &o.B, o.Shape.Channels)
	v.out("y", &o.Y, o.Shape.Len())
}

// AddBias adds b[c] to y[o,c,i].
func (d *Device) AddBias(s ChannelShape, b, y *Tensor) {
	describe(d, &d.ops.AddBias, AddBias{Shape: s, B: b, Y: y})
}

// SumBias is the operation of Device.SumBias.
type SumBias struct {
	Shape  ChannelShape
	DY, DB *Tensor
}

func (o *SumBias) operands(v *operands) {
	v.in("dy", &o.DY, o.Shape.Len())
	v.out("db", &o.DB, o.Shape.Channels)
}

// SumBias adds Σ_{o,i} dy[o,c,i] to db[c].
func (d *Device) SumBias(s ChannelShape, dy, db *Tensor) {
	describe(d, &d.ops.SumBias, SumBias{Shape: s, DY: dy, DB: db})
}

// Scale is the operation of Device.Scale.
type Scale struct {
	Shape      ChannelShape
	X, A, B, Y *Tensor
}

func (o *Scale) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.in("a", &o.A, o.Shape.Channels)
	v.inOptional("b", &o.B, o.Shape.Channels)
	v.set("y", &o.Y, o.Shape.Len())
}

// Scale sets y = a[c]·x + b[c]; b may be nil.
func (d *Device) Scale(s ChannelShape, x, a, b, y *Tensor) {
	describe(d, &d.ops.Scale, Scale{Shape: s, X: x, A: a, B: b, Y: y})
}

// ScaleBackward is the operation of Device.ScaleBackward.
type ScaleBackward struct {
	Shape                ChannelShape
	X, DY, A, DX, DA, DB *Tensor
}

func (o *ScaleBackward) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.in("dy", &o.DY, o.Shape.Len())
	v.in("a", &o.A, o.Shape.Channels)
	v.setOptional("dx", &o.DX, o.Shape.Len())
	v.outOptional("da", &o.DA, o.Shape.Channels)
	v.outOptional("db", &o.DB, o.Shape.Channels)
}

// ScaleBackward sets dx = a[c]·dy and adds Σ dy·x to da[c] and Σ dy to db[c]. dx, da and db may be nil.
func (d *Device) ScaleBackward(s ChannelShape, x, dy, a, dx, da, db *Tensor) {
	describe(d, &d.ops.ScaleBackward, ScaleBackward{Shape: s, X: x, DY: dy, A: a, DX: dx, DA: da, DB: db})
}

// PReLU is the operation of Device.PReLU.
type PReLU struct {
	Shape   ChannelShape
	X, A, Y *Tensor
}

func (o *PReLU) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.in("a", &o.A, o.Shape.Channels)
	v.set("y", &o.Y, o.Shape.Len())
}

// PReLU sets y = max(x, 0) + a[c]·min(x, 0).
func (d *Device) PReLU(s ChannelShape, x, a, y *Tensor) {
	describe(d, &d.ops.PReLU, PReLU{Shape: s, X: x, A: a, Y: y})
}

// PReLUBackward is the operation of Device.PReLUBackward.
type PReLUBackward struct {
	Shape            ChannelShape
	X, DY, A, DX, DA *Tensor
}

func (o *PReLUBackward) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.in("dy", &o.DY, o.Shape.Len())
	v.in("a", &o.A, o.Shape.Channels)
	v.setOptional("dx", &o.DX, o.Shape.Len())
	v.outOptional("da", &o.DA, o.Shape.Channels)
}

// PReLUBackward sets dx = dy·(x > 0 ? 1 : a[c]) and adds Σ dy·min(x, 0) to da[c]. dx and da may be nil.
func (d *Device) PReLUBackward(s ChannelShape, x, dy, a, dx, da *Tensor) {
	describe(d, &d.ops.PReLUBackward, PReLUBackward{Shape: s, X: x, DY: dy, A: a, DX: dx, DA: da})
}

// BatchStats is the operation of Device.BatchStats.
type BatchStats struct {
	Shape             ChannelShape
	X, Mean, Variance *Tensor
}

func (o *BatchStats) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.set("mean", &o.Mean, o.Shape.Channels)
	v.set("variance", &o.Variance, o.Shape.Channels)
}

// BatchStats sets mean[c] and variance[c] (of the population) of x.
func (d *Device) BatchStats(s ChannelShape, x, mean, variance *Tensor) {
	describe(d, &d.ops.BatchStats, BatchStats{Shape: s, X: x, Mean: mean, Variance: variance})
}

// Normalize is the operation of Device.Normalize.
type Normalize struct {
	Shape                     ChannelShape
	X, Mean, Variance, Weight *Tensor
	Eps                       float32
	Y                         *Tensor
	After                     After
}

func (o *Normalize) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.in("mean", &o.Mean, o.Shape.Channels)
	v.in("variance", &o.Variance, o.Shape.Channels)
	v.inOptional("weight", &o.Weight, 1)
	v.set("y", &o.Y, o.Shape.Len())
	v.inOptional("a", &o.After.A, o.Shape.Channels)
	v.inOptional("b", &o.After.B, o.Shape.Channels)
}

// Normalize sets y = (x - mean[c]·f)/sqrt(variance[c]·f + eps). f is 1 where weight is nil, else 1/weight[0], or 0
// where that is 0: Caffe keeps running sums with their total weight.
func (d *Device) Normalize(s ChannelShape, x, mean, variance, weight *Tensor, eps float32, y *Tensor) {
	describe(
		d,
		&d.ops.Normalize,
		Normalize{Shape: s, X: x, Mean: mean, Variance: variance, Weight: weight, Eps: eps, Y: y},
	)
}

// NormalizeAfter is Normalize, and what comes after, in the same pass. Where the device does not have that (Has of a
// Normalize with what comes after), a layer does one after the other.
func (d *Device) NormalizeAfter(
	s ChannelShape, x, mean, variance, weight *Tensor, eps float32, after After, y *Tensor,
) {
	describe(d, &d.ops.Normalize, Normalize{
		Shape: s, X: x, Mean: mean, Variance: variance, Weight: weight, Eps: eps, Y: y, After: after,
	})
}

// After is what BatchNorm does to what it normalised, in the same pass: v = a[c]·norm + b[c], then where ReLU is set
// max(v, 0) + slope·min(v, 0).
type After struct {
	A, B  *Tensor // nil: a is 1 and b is 0; b alone may be nil
	ReLU  bool
	Slope float32
}

// BatchNorm is the operation of Device.BatchNorm.
type BatchNorm struct {
	Shape                      ChannelShape
	Eps                        float32
	After                      After
	X, Mean, Variance, Norm, Y *Tensor
}

func (o *BatchNorm) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.inOptional("a", &o.After.A, o.Shape.Channels)
	v.inOptional("b", &o.After.B, o.Shape.Channels)
	v.set("mean", &o.Mean, o.Shape.Channels)
	v.set("variance", &o.Variance, o.Shape.Channels)
	v.set("norm", &o.Norm, o.Shape.Len())
	v.set("y", &o.Y, o.Shape.Len())
}

// BatchNorm is BatchStats, Normalize by them to norm, and what comes after, to y, which may be x: as few passes over
// memory as that takes.
func (d *Device) BatchNorm(s ChannelShape, eps float32, after After, x, mean, variance, norm, y *Tensor) {
	describe(d, &d.ops.BatchNorm, BatchNorm{
		Shape: s, Eps: eps, After: after, X: x, Mean: mean, Variance: variance, Norm: norm, Y: y,
	})
}

// BatchNormBackward is the operation of Device.BatchNormBackward.
type BatchNormBackward struct {
	Shape                          ChannelShape
	Eps                            float32
	After                          After
	Norm, Variance, DY, DX, DA, DB *Tensor
}

func (o *BatchNormBackward) operands(v *operands) {
	v.inOptional("a", &o.After.A, o.Shape.Channels)
	v.inOptional("b", &o.After.B, o.Shape.Channels)
	v.in("norm", &o.Norm, o.Shape.Len())
	v.in("variance", &o.Variance, o.Shape.Channels)
	v.out("dy", &o.DY, o.Shape.Len())
	v.set("dx", &o.DX, o.Shape.Len())
	v.outOptional("da", &o.DA, o.Shape.Channels)
	v.outOptional("db", &o.DB, o.Shape.Channels)
}

// BatchNormBackward sets dx to the gradient of x, given norm and variance of BatchNorm, and adds Σ g·norm to da[c] and
// Σ g to db[c], where g is dy, or with a ReLU dy·(v > 0 ? 1 : slope), v made again of norm; da and db may be nil. dx
// may be dy; else dy holds anything afterwards.
func (d *Device) BatchNormBackward(
	s ChannelShape, eps float32, after After, norm, variance, dy, dx, da, db *Tensor,
) {
	describe(d, &d.ops.BatchNormBackward, BatchNormBackward{
		Shape: s, Eps: eps, After: after, Norm: norm, Variance: variance, DY: dy, DX: dx, DA: da, DB: db,
	})
}

// NormalizeBackward is the operation of Device.NormalizeBackward.
type NormalizeBackward struct {
	Shape           ChannelShape
	Y, DY, Variance *Tensor
	Eps             float32
	DX              *Tensor
}

func (o *NormalizeBackward) operands(v *operands) {
	v.in("y", &o.Y, o.Shape.Len())
	v.in("dy", &o.DY, o.Shape.Len())
	v.in("variance", &o.Variance, o.Shape.Channels)
	v.set("dx", &o.DX, o.Shape.Len())
}

// NormalizeBackward is the gradient of Normalize with BatchStats' own mean and variance, from its output y: dx = (dy -
// mean(dy) - y·mean(dy∘y))/sqrt(variance[c] + eps).
func (d *Device) NormalizeBackward(s ChannelShape, y, dy, variance *Tensor, eps float32, dx *Tensor) {
	describe(
		d,
		&d.ops.NormalizeBackward,
		NormalizeBackward{Shape: s, Y: y, DY: dy, Variance: variance, Eps: eps, DX: dx},
	)
}

// NormalizeGlobalBackward is the operation of Device.NormalizeGlobalBackward.
type NormalizeGlobalBackward struct {
	Shape                ChannelShape
	DY, Variance, Weight *Tensor
	Eps                  float32
	DX                   *Tensor
}

func (o *NormalizeGlobalBackward) operands(v *operands) {
	v.in("dy", &o.DY, o.Shape.Len())
	v.in("variance", &o.Variance, o.Shape.Channels)
	v.inOptional("weight", &o.Weight, 1)
	v.set("dx", &o.DX, o.Shape.Len())
}

// NormalizeGlobalBackward is its gradient with fixed statistics: dx = dy/sqrt(variance[c]·f + eps), f as in Normalize.
func (d *Device) NormalizeGlobalBackward(s ChannelShape, dy, variance, weight *Tensor, eps float32, dx *Tensor) {
	describe(
		d,
		&d.ops.NormalizeGlobalBackward,
		NormalizeGlobalBackward{Shape: s, DY: dy, Variance: variance, Weight: weight, Eps: eps, DX: dx},
	)
}
