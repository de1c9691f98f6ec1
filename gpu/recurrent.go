package gpu

// The cell of a long short-term memory.

// LSTMUnit is the operation of Device.LSTMUnit.
type LSTMUnit struct {
	N, Size               int
	Before, X, Cont, C, H *Tensor
}

func (o *LSTMUnit) operands(v *operands) {
	v.in("before", &o.Before, o.cells())
	v.out("x", &o.X, 4*o.cells())
	v.in("cont", &o.Cont, o.N)
	v.out("c", &o.C, o.cells())
	v.out("h", &o.H, o.cells())
}

// LSTMUnit is one time step of n streams with cells of size (Caffe's LSTMUnit): from the gates' inputs x, rows of
// (i, f, o, g), the cells before and cont, a number a stream, 0 where a sequence begins,
//
//	c = cont·σ(f)·before + σ(i)·tanh(g)
//	h = σ(o)·tanh(c)
//
// It leaves in x what the gates let through, σ(i), cont·σ(f), σ(o) and tanh(g), which the gradient takes.
func (d *Device) LSTMUnit(n, size int, before, x, cont, c, h *Tensor) {
	describe(d, &d.ops.LSTMUnit, LSTMUnit{N: n, Size: size, Before: before, X: x, Cont: cont, C: c, H: h})
}

// LSTMUnitBackward is the operation of Device.LSTMUnitBackward.
type LSTMUnitBackward struct {
	N, Size                               int
	Before, Gates, C, DC, DH, DBefore, DX *Tensor
}

func (o *LSTMUnitBackward) operands(v *operands) {
	v.in("before", &o.Before, o.cells())
	v.in("gates", &o.Gates, 4*o.cells())
	v.in("c", &o.C, o.cells())
	v.in("dc", &o.DC, o.cells())
	v.in("dh", &o.DH, o.cells())
	v.out("dbefore", &o.DBefore, o.cells())
	v.out("dx", &o.DX, 4*o.cells())
}

// LSTMUnitBackward is its gradient, from those of c and h, and the gates that it left: it sets dx, the gradient
// of the gates' inputs, and dbefore. dbefore may be dc, and dx the gates.
func (d *Device) LSTMUnitBackward(n, size int, before, gates, c, dc, dh, dbefore, dx *Tensor) {
	describe(
		d,
		&d.ops.LSTMUnitBackward,
		LSTMUnitBackward{
			N:       n,
			Size:    size,
			Before:  before,
			Gates:   gates,
			C:       c,
			DC:      dc,
			DH:      dh,
			DBefore: dbefore,
			DX:      dx,
		},
	)
}
func (o *LSTMUnit) cells() int         { return o.N * o.Size }
func (o *LSTMUnitBackward) cells() int { return o.N * o.Size }
