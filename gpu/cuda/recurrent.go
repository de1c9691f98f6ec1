//go:build cuda

package cuda

import "dns-tui/gpu"

// LSTMUnit implements gpu.Recurrent.
func (d *Device) LSTMUnit(n, size int, before, x, cont, c, h *gpu.Tensor) {
	gpu.Want("LSTMUnit", "before", before, n*size)
	gpu.Want("LSTMUnit", "x", x, 4*n*size)
	gpu.Want("LSTMUnit", "cont", cont, n)
	gpu.Want("LSTMUnit", "c", c, n*size)
	gpu.Want("LSTMUnit", "h", h, n*size)
	d.closeBatches()
	d.queue.blob.divisor(size)
	d.each(kLstmUnit, n*size, i32(n), i32(size), d.ptr(before), d.ptr(x), d.ptr(cont), d.ptr(c), d.ptr(h))
}

// LSTMUnitBackward implements gpu.Recurrent.
func (d *Device) LSTMUnitBackward(n, size int, before, gates, c, dc, dh, dbefore, dx *gpu.Tensor) {
	gpu.Want("LSTMUnitBackward", "before", before, n*size)
	gpu.Want("LSTMUnitBackward", "gates", gates, 4*n*size)
	gpu.Want("LSTMUnitBackward", "c", c, n*size)
	gpu.Want("LSTMUnitBackward", "dc", dc, n*size)
	gpu.Want("LSTMUnitBackward", "dh", dh, n*size)
	gpu.Want("LSTMUnitBackward", "dbefore", dbefore, n*size)
	gpu.Want("LSTMUnitBackward", "dx", dx, 4*n*size)
	d.closeBatches()
	d.queue.blob.divisor(size)
	d.each(
		kLstmUnitBackward,
		n*size,
		i32(n),
		i32(size),
		d.ptr(before),
		d.ptr(gates),
		d.ptr(c),
		d.ptr(dc),
		d.ptr(dh),
		d.ptr(dbefore),
		d.ptr(dx),
	)
}
