package gpu

// The matrix product.

// Gemm is the operation of Device.Gemm.
type Gemm struct {
	TransA, TransB bool
	M, N, K        int
	Alpha          float32
	A, B           *Tensor
	Beta           float32
	C              *Tensor
	Kept           *Tensor // see Device.GemmKept; nil: all of C is wanted
	Pruned         bool    // see Device.GemmPruned: C = A·op(B), B forward weights
	Bias           *Tensor // see Device.InnerProduct
	Then           Rectifier
}

func (o *Gemm) operands(v *operands) {
	v.in("a", &o.A, o.M*o.K)
	v.in("b", &o.B, o.K*o.N)
	v.to("c", &o.C, o.M*o.N, o.Beta != 0 || o.Kept != nil)
	v.inOptional("kept", &o.Kept, o.M*o.N)
	v.inOptional("bias", &o.Bias, o.N)
}

// Gemm sets C = alpha·op(A)·op(B) + beta·C for row-major C (m×n), op(A) (m×k), op(B) (k×n), where op
// transposes where its flag is set. C is not read where beta is 0.
func (d *Device) Gemm(transA, transB bool, m, n, k int, alpha float32, a, b *Tensor, beta float32, c *Tensor) {
	describe(
		d,
		&d.ops.Gemm,
		Gemm{TransA: transA, TransB: transB, M: m, N: n, K: k, Alpha: alpha, A: a, B: b, Beta: beta, C: c},
	)
}

// GemmKept is Gemm of the entries of C that kept, forward weights of C's shape, keeps: T is 1 (see Masked weights). The
// others are of no account, so a device computes them or leaves them as they are. kept may be nil: all are wanted. With
// the gradients of outputs and inputs of an inner product for A and B, it is the gradient of kept weights alone: a
// sampled dense-dense product (SDDMM).
func (d *Device) GemmKept(
	transA, transB bool,
	m, n, k int,
	alpha float32,
	a, b *Tensor,
	beta float32,
	c, kept *Tensor,
) {
	describe(d, &d.ops.Gemm, Gemm{
		TransA: transA, TransB: transB, M: m, N: n, K: k, Alpha: alpha, A: a, B: b, Beta: beta, C: c, Kept: kept,
	})
}

// GemmPruned sets C = A·op(B) where B is forward weights (see Masked weights), as an inner product is from layer to
// layer in both directions: a device may leave out what is pruned, which is 0.
func (d *Device) GemmPruned(transB bool, m, n, k int, a, b, c *Tensor) {
	describe(d, &d.ops.Gemm, Gemm{TransB: transB, M: m, N: n, K: k, Alpha: 1, A: a, B: b, C: c, Pruned: true})
}

// GemmBias sets C = A·op(B), plus a number for each column, in one pass: where the device has that (Has of a
// Gemm with a Rectifier that is on).
func (d *Device) GemmBias(transB bool, m, n, k int, a, b, bias, c *Tensor) {
	describe(d, &d.ops.Gemm, Gemm{TransB: transB, M: m, N: n, K: k, Alpha: 1, A: a, B: b, C: c, Bias: bias})
}

// InnerProduct is GemmPruned, then AddBias of a number for each column, where bias is not nil, and then a ReLU in place
// where then has one, in the same pass. Where the device does not have that (Has of a Gemm with a Rectifier that is
// on), a layer does one after the other.
func (d *Device) InnerProduct(transB bool, m, n, k int, a, b, bias, c *Tensor, then Rectifier) {
	describe(d, &d.ops.Gemm, Gemm{
		TransB: transB, M: m, N: n, K: k, Alpha: 1, A: a, B: b, C: c, Pruned: true, Bias: bias, Then: then,
	})
}
