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
	v.set("c", &o.C, o.cells())
	v.set("h", &o.H, o.cells())
}

// LSTMUnit is one time step of n streams with cells of size (Caffe's LSTMUnit): from the gates' inputs x, rows of (i,
// f, o, g), the cells before and cont, a number a stream, 0 where a sequence begins,
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
	v.set("dbefore", &o.DBefore, o.cells())
	v.set("dx", &o.DX, 4*o.cells())
}

// LSTMUnitBackward is its gradient, from those of c and h, and the gates that it left: it sets dx, the gradient of the
// gates' inputs, and dbefore. dbefore may be dc, and dx the gates.
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

// LSTMShape is that of an LSTM over time: steps of n streams with cells of size.
type LSTMShape struct{ Steps, N, Size int }

func (s LSTMShape) cells() int { return s.Steps * s.N * s.Size }

// LSTM is the operation of Device.LSTM.
type LSTM struct {
	Shape                                      LSTMShape
	W, Cont, First, FirstCell, X, Hidden, C, H *Tensor
}

func (o *LSTM) operands(v *operands) {
	s := o.Shape
	v.in("w", &o.W, 4*s.Size*s.Size)
	v.in("cont", &o.Cont, s.Steps*s.N)
	v.in("first", &o.First, s.N*s.Size)
	v.in("firstCell", &o.FirstCell, s.N*s.Size)
	v.out("x", &o.X, 4*s.cells())
	v.out("hidden", &o.Hidden, s.cells())
	v.out("c", &o.C, s.cells())
	v.out("h", &o.H, s.cells())
}

// LSTM is, for each step t in turn, of h and c of the step before, or first and firstCell,
//
//	hidden[t] = cont[t]·h[t-1]
//	x[t] += hidden[t]·wᵀ
//	LSTMUnit of c[t-1], x[t] and cont[t], to c[t] and h[t]
//
// w has the rows of the gates, i, f, o and g. Where the device does not have it (Has), a layer goes step by step.
func (d *Device) LSTM(s LSTMShape, w, cont, first, firstCell, x, hidden, c, h *Tensor) {
	describe(d, &d.ops.LSTM, LSTM{
		Shape: s, W: w, Cont: cont, First: first, FirstCell: firstCell, X: x, Hidden: hidden, C: c, H: h,
	})
}

// LSTMBackward is the operation of Device.LSTMBackward.
type LSTMBackward struct {
	Shape                                LSTMShape
	W, Cont, FirstCell, Gates, C, DH, DX *Tensor
}

func (o *LSTMBackward) operands(v *operands) {
	s := o.Shape
	v.in("w", &o.W, 4*s.Size*s.Size)
	v.in("cont", &o.Cont, s.Steps*s.N)
	v.in("firstCell", &o.FirstCell, s.N*s.Size)
	v.in("gates", &o.Gates, 4*s.cells())
	v.in("c", &o.C, s.cells())
	v.inOptional("dh", &o.DH, s.cells())
	v.set("dx", &o.DX, 4*s.cells())
}

// LSTMBackward sets dx to the gradient of what LSTM was given as x, given what it left there, gates, and the gradient
// of h; dh nil is 0. No gradient comes from behind the last step.
func (d *Device) LSTMBackward(s LSTMShape, w, cont, firstCell, gates, c, dh, dx *Tensor) {
	describe(d, &d.ops.LSTMBackward, LSTMBackward{
		Shape: s, W: w, Cont: cont, FirstCell: firstCell, Gates: gates, C: c, DH: dh, DX: dx,
	})
}
