//go:build cuda

package cuda

import "dns-tui/gpu"

func (d *back) lstmUnit(o *gpu.LSTMUnit) {
	each(d, kLstmUnit, o.N*o.Size, lstmUnitArgs{
		n: int32(o.N), size: int32(o.Size), before: d.ptr(o.Before), x: d.ptr(o.X), cont: d.ptr(o.Cont),
		c: d.ptr(o.C), h: d.ptr(o.H), bySize: divisor(o.Size),
	})
}

func (d *back) lstmUnitBackward(o *gpu.LSTMUnitBackward) {
	each(d, kLstmUnitBackward, o.N*o.Size, lstmUnitBackwardArgs{
		n: int32(o.N), size: int32(o.Size), before: d.ptr(o.Before), gates: d.ptr(o.Gates), c: d.ptr(o.C),
		dc: d.ptr(o.DC), dh: d.ptr(o.DH), dbefore: d.ptr(o.DBefore), dx: d.ptr(o.DX), bySize: divisor(o.Size),
	})
}
