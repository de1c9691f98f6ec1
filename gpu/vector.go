package gpu

// Elementwise operations. x, y and z have the same number of elements; outputs may be inputs.

// Fill is the operation of Device.Fill.
type Fill struct {
	Y *Tensor
	V float32
}

func (o *Fill) operands(v *operands) {
	v.set("y", &o.Y, o.Y.N)
}

// Fill sets y = v.
func (d *Device) Fill(y *Tensor, v float32) {
	describe(d, &d.ops.Fill, Fill{Y: y, V: v})
}

// Copy is the operation of Device.Copy.
type Copy struct {
	Y, X *Tensor
}

func (o *Copy) operands(v *operands) {
	v.set("y", &o.Y, o.Y.N)
	v.in("x", &o.X, o.Y.N)
}

// Copy sets y = x.
func (d *Device) Copy(y, x *Tensor) {
	describe(d, &d.ops.Copy, Copy{Y: y, X: x})
}

// Axpby is the operation of Device.Axpby.
type Axpby struct {
	A float32
	X *Tensor
	B float32
	Y *Tensor
}

func (o *Axpby) operands(v *operands) {
	v.in("x", &o.X, o.Y.N)
	v.to("y", &o.Y, o.Y.N, o.B != 0)
}

// Axpby sets y = a·x + b·y; y is not read where b is 0.
func (d *Device) Axpby(a float32, x *Tensor, b float32, y *Tensor) {
	describe(d, &d.ops.Axpby, Axpby{A: a, X: x, B: b, Y: y})
}

// Add is the operation of Device.Add.
type Add struct {
	A float32
	X *Tensor
	B float32
	Y *Tensor
	Z *Tensor

	Then Rectifier
}

func (o *Add) operands(v *operands) {
	v.in("x", &o.X, o.Z.N)
	v.in("y", &o.Y, o.Z.N)
	v.set("z", &o.Z, o.Z.N)
}

// Add sets z = a·x + b·y. z may be x, and not y.
func (d *Device) Add(a float32, x *Tensor, b float32, y, z *Tensor) {
	describe(d, &d.ops.Add, Add{A: a, X: x, B: b, Y: y, Z: z})
}

// AddReLU is Add and a ReLU in place behind it, in the same pass. Where the device does not have that (Has), a layer
// does one after the other.
func (d *Device) AddReLU(a float32, x *Tensor, b float32, y, z *Tensor, slope float32) {
	describe(d, &d.ops.Add, Add{A: a, X: x, B: b, Y: y, Z: z, Then: Rectifier{On: true, Slope: slope}})
}

// AddBackward is the operation of Device.AddBackward.
type AddBackward struct {
	Then  Rectifier
	Z, DZ *Tensor
	A     float32
	DX    *Tensor
	B     float32
	DY    *Tensor
}

func (o *AddBackward) operands(v *operands) {
	v.inOptional("z", &o.Z, o.DZ.N)
	v.in("dz", &o.DZ, o.DZ.N)
	v.setOptional("dx", &o.DX, o.DZ.N)
	v.setOptional("dy", &o.DY, o.DZ.N)
}

// AddBackward is the gradient of AddReLU, given what it made, z, and the gradient of that, or of Add where then is not
// on; z may be nil then. It sets dx = a·g and dy = b·g in one pass, where g is dz·(z > 0 ? 1 : slope), or dz; either
// may be nil.
func (d *Device) AddBackward(then Rectifier, z, dz *Tensor, a float32, dx *Tensor, b float32, dy *Tensor) {
	describe(d, &d.ops.AddBackward, AddBackward{Then: then, Z: z, DZ: dz, A: a, DX: dx, B: b, DY: dy})
}

// Mul is the operation of Device.Mul.
type Mul struct {
	X, Y, Z *Tensor
}

func (o *Mul) operands(v *operands) {
	v.in("x", &o.X, o.Z.N)
	v.in("y", &o.Y, o.Z.N)
	v.set("z", &o.Z, o.Z.N)
}

// Mul sets z = x∘y.
func (d *Device) Mul(x, y, z *Tensor) {
	describe(d, &d.ops.Mul, Mul{X: x, Y: y, Z: z})
}

// MaxUpdate is the operation of Device.MaxUpdate.
type MaxUpdate struct {
	X        *Tensor
	Index    float32
	Y, Which *Tensor
}

func (o *MaxUpdate) operands(v *operands) {
	v.in("x", &o.X, o.Y.N)
	v.out("y", &o.Y, o.Y.N)
	v.out("which", &o.Which, o.Y.N)
}

// MaxUpdate sets y = x and which = index wherever x > y (Caffe's Eltwise MAX, one input at a time).
func (d *Device) MaxUpdate(x *Tensor, index float32, y, which *Tensor) {
	describe(d, &d.ops.MaxUpdate, MaxUpdate{X: x, Index: index, Y: y, Which: which})
}

// MaxBackward is the operation of Device.MaxBackward.
type MaxBackward struct {
	DY, Which *Tensor
	Index     float32
	DX        *Tensor
}

func (o *MaxBackward) operands(v *operands) {
	v.in("dy", &o.DY, o.DX.N)
	v.in("which", &o.Which, o.DX.N)
	v.set("dx", &o.DX, o.DX.N)
}

// MaxBackward sets dx = dy where which = index, else 0.
func (d *Device) MaxBackward(dy, which *Tensor, index float32, dx *Tensor) {
	describe(d, &d.ops.MaxBackward, MaxBackward{DY: dy, Which: which, Index: index, DX: dx})
}

// Power is the operation of Device.Power.
type Power struct {
	X                   *Tensor
	Power, Scale, Shift float32
	Y                   *Tensor
}

func (o *Power) operands(v *operands) {
	v.in("x", &o.X, o.Y.N)
	v.set("y", &o.Y, o.Y.N)
}

// Power sets y = (shift + scale·x)^power.
func (d *Device) Power(x *Tensor, power, scale, shift float32, y *Tensor) {
	describe(d, &d.ops.Power, Power{X: x, Power: power, Scale: scale, Shift: shift, Y: y})
}

// Unary is the operation of Device.Unary.
type Unary struct {
	Func UnaryFunc
	X, Y *Tensor
}

func (o *Unary) operands(v *operands) {
	v.in("x", &o.X, o.Y.N)
	v.set("y", &o.Y, o.Y.N)
}

// Unary sets y = f(x).
func (d *Device) Unary(f UnaryFunc, x, y *Tensor) {
	describe(d, &d.ops.Unary, Unary{Func: f, X: x, Y: y})
}

// UnaryBackward is the operation of Device.UnaryBackward.
type UnaryBackward struct {
	Func         UnaryFunc
	X, Y, DY, DX *Tensor
}

func (o *UnaryBackward) operands(v *operands) {
	v.in("x", &o.X, o.DX.N)
	v.in("y", &o.Y, o.DX.N)
	v.in("dy", &o.DY, o.DX.N)
	v.set("dx", &o.DX, o.DX.N)
}

// UnaryBackward sets dx = dy·f'(x), given y = f(x).
func (d *Device) UnaryBackward(f UnaryFunc, x, y, dy, dx *Tensor) {
	describe(d, &d.ops.UnaryBackward, UnaryBackward{Func: f, X: x, Y: y, DY: dy, DX: dx})
}

// Dot is the operation of Device.Dot.
type Dot struct {
	Alpha     float32
	X, Y, Out *Tensor
}

func (o *Dot) operands(v *operands) {
	v.in("x", &o.X, o.X.N)
	v.in("y", &o.Y, o.X.N)
	v.set("out", &o.Out, 1)
}

// Dot sets out[0] = alpha·Σ x·y.
func (d *Device) Dot(alpha float32, x, y, out *Tensor) {
	describe(d, &d.ops.Dot, Dot{Alpha: alpha, X: x, Y: y, Out: out})
}

// Copy2D is the operation of Device.Copy2D.
type Copy2D struct {
	Rows, Cols        int
	Src               *Tensor
	SrcOff, SrcStride int
	Dst               *Tensor
	DstOff, DstStride int
}

func (o *Copy2D) operands(v *operands) {
	v.in("src", &o.Src, atLeast(o.Src, o.Rows, o.Cols, o.SrcOff, o.SrcStride))
	v.out("dst", &o.Dst, atLeast(o.Dst, o.Rows, o.Cols, o.DstOff, o.DstStride))
}

// Copy2D copies rows of cols elements: dst[dstOff + r·dstStride + c] = src[srcOff + r·srcStride + c].
func (d *Device) Copy2D(rows, cols int, src *Tensor, srcOff, srcStride int, dst *Tensor, dstOff, dstStride int) {
	if rows == 0 || cols == 0 {
		return
	}
	describe(
		d,
		&d.ops.Copy2D,
		Copy2D{
			Rows:      rows,
			Cols:      cols,
			Src:       src,
			SrcOff:    srcOff,
			SrcStride: srcStride,
			Dst:       dst,
			DstOff:    dstOff,
			DstStride: dstStride,
		},
	)
}

// Gather is the operation of Device.Gather.
type Gather struct {
	Width           int
	Index, Src, Dst *Tensor
}

func (o *Gather) operands(v *operands) {
	v.in("index", &o.Index, o.Index.N)
	v.in("src", &o.Src, o.Src.N)
	v.set("dst", &o.Dst, o.Index.N*o.Width)
}

// Gather sets row r of dst to row index[r] of src, rows of width elements. An index that is no row of src makes the
// row NaN.
func (d *Device) Gather(width int, index, src, dst *Tensor) {
	describe(d, &d.ops.Gather, Gather{Width: width, Index: index, Src: src, Dst: dst})
}

// ScatterAdd is the operation of Device.ScatterAdd.
type ScatterAdd struct {
	Width           int
	Index, Src, Dst *Tensor
}

func (o *ScatterAdd) operands(v *operands) {
	v.in("index", &o.Index, o.Index.N)
	v.in("src", &o.Src, o.Index.N*o.Width)
	v.out("dst", &o.Dst, o.Dst.N)
}

// ScatterAdd adds row r of src to row index[r] of dst, in the order of r. An index that is no row is passed over.
func (d *Device) ScatterAdd(width int, index, src, dst *Tensor) {
	describe(d, &d.ops.ScatterAdd, ScatterAdd{Width: width, Index: index, Src: src, Dst: dst})
}

// ReLU is the operation of Device.ReLU.
type ReLU struct {
	X, Y  *Tensor
	Slope float32
}

func (o *ReLU) operands(v *operands) {
	v.in("x", &o.X, o.Y.N)
	v.set("y", &o.Y, o.Y.N)
}

// ReLU sets y = max(x, 0) + slope·min(x, 0).
func (d *Device) ReLU(x, y *Tensor, slope float32) {
	describe(d, &d.ops.ReLU, ReLU{X: x, Y: y, Slope: slope})
}

// ReLUBackward is the operation of Device.ReLUBackward.
type ReLUBackward struct {
	X, DY, DX *Tensor
	Slope     float32
}

func (o *ReLUBackward) operands(v *operands) {
	v.in("x", &o.X, o.DX.N)
	v.in("dy", &o.DY, o.DX.N)
	v.set("dx", &o.DX, o.DX.N)
}

// ReLUBackward sets dx = dy·(x > 0 ? 1 : slope). x may be the output where slope >= 0.
func (d *Device) ReLUBackward(x, dy, dx *Tensor, slope float32) {
	describe(d, &d.ops.ReLUBackward, ReLUBackward{X: x, DY: dy, DX: dx, Slope: slope})
}

// A Rectifier is a ReLU that another operation does in its own pass: max(v, 0) + Slope·min(v, 0) where it is on.
type Rectifier struct {
	On    bool
	Slope float32
}

// ReLUBias is the operation of Device.ReLUBias.
type ReLUBias struct {
	Shape ChannelShape
	Y, DY *Tensor
	Slope float32
	DB    *Tensor
}

func (o *ReLUBias) operands(v *operands) {
	v.in("y", &o.Y, o.Shape.Len())
	v.out("dy", &o.DY, o.Shape.Len())
	v.outOptional("db", &o.DB, o.Shape.Channels)
}

// ReLUBias is ReLUBackward of a ReLU in place whose output is y, in place on dy, and SumBias of what that leaves, where
// db is not nil, in one pass.
func (d *Device) ReLUBias(s ChannelShape, y, dy *Tensor, slope float32, db *Tensor) {
	describe(d, &d.ops.ReLUBias, ReLUBias{Shape: s, Y: y, DY: dy, Slope: slope, DB: db})
}

// Dropout is the operation of Device.Dropout.
type Dropout struct {
	X, Y  *Tensor
	Ratio float32
	Key   Key
}

func (o *Dropout) operands(v *operands) {
	v.in("x", &o.X, o.Y.N)
	v.set("y", &o.Y, o.Y.N)
}

// Dropout sets y_i = x_i/(1-ratio) where u_i >= ratio, else 0; u_i is Uniform of key at i. The same call on dy
// is its gradient.
func (d *Device) Dropout(x, y *Tensor, ratio float32, key Key) {
	describe(d, &d.ops.Dropout, Dropout{X: x, Y: y, Ratio: ratio, Key: key})
}

// SumSquares is the operation of Device.SumSquares.
type SumSquares struct {
	X   *Tensor
	Sum float64
}

func (o *SumSquares) operands(v *operands) {
	v.in("x", &o.X, o.X.N)
}

// SumSquares waits and returns Σ x², summed in float64 in a fixed order.
func (d *Device) SumSquares(x *Tensor) float64 {
	r := &d.ops.SumSquares
	*r = SumSquares{X: x}
	d.do(r)
	r.X = nil
	return r.Sum
}

// Finite is the operation of Device.Finite.
type Finite struct {
	X   *Tensor
	Yes bool
}

func (o *Finite) operands(v *operands) {
	v.in("x", &o.X, o.X.N)
}

// Finite waits and reports whether no element is NaN or infinite.
func (d *Device) Finite(x *Tensor) bool {
	r := &d.ops.Finite
	*r = Finite{X: x}
	d.do(r)
	r.X = nil
	return r.Yes
}

// atLeast returns the elements of t, or where the rows that Copy2D names reach beyond them as many as they would need.
func atLeast(t *Tensor, rows, cols, off, stride int) int {
	if off < 0 {
		panic("gpu: Copy2D: an offset is negative")
	}
	return max(t.N, off+(rows-1)*stride+cols)
}
