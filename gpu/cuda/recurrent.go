//go:build cuda

package cuda

import "dns-tui/gpu"

// LSTMUnit implements gpu.Recurrent.
func (d *Device) LSTMUnit(n, size int, before, x, cont, c, h *gpu.Tensor) {
	want("LSTMUnit", "before", before, n*size)
	want("LSTMUnit", "x", x, 4*n*size)
	want("LSTMUnit", "cont", cont, n)
	want("LSTMUnit", "c", c, n*size)
	want("LSTMUnit", "h", h, n*size)
	d.closeBatches()
	d.queue.blob.divisor(size)
	d.each(kLstmUnit, n*size, i32(n), i32(size), d.ptr(before), d.ptr(x), d.ptr(cont), d.ptr(c), d.ptr(h))
}

// LSTMUnitBackward implements gpu.Recurrent.
func (d *Device) LSTMUnitBackward(n, size int, before, gates, c, dc, dh, dbefore, dx *gpu.Tensor) {
	want("LSTMUnitBackward", "before", before, n*size)
	want("LSTMUnitBackward", "gates", gates, 4*n*size)
	want("LSTMUnitBackward", "c", c, n*size)
	want("LSTMUnitBackward", "dc", dc, n*size)
	want("LSTMUnitBackward", "dh", dh, n*size)
	want("LSTMUnitBackward", "dbefore", dbefore, n*size)
	want("LSTMUnitBackward", "dx", dx, 4*n*size)
	d.closeBatches()
	d.queue.blob.divisor(size)
	d.each(kLstmUnitBackward, n*size, i32(n), i32(size), d.ptr(before), d.ptr(gates), d.ptr(c), d.ptr(dc), d.ptr(dh), d.ptr(dbefore), d.ptr(dx))
}
