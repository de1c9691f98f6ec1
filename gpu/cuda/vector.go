//go:build cuda

package cuda

import (
	"math"
	"unsafe"

	"dns-tui/gpu"
)

// Fill implements gpu.Vector.
func (d *Device) Fill(y *gpu.Tensor, v float32) {
	if math.Float32bits(v) == 0 {
		d.clear(d.ptr(y), int64(y.N))
		return
	}
	d.each(kFill, y.N, i32(y.N), f32(v), d.ptr(y))
}

// Copy implements gpu.Vector.
func (d *Device) Copy(y, x *gpu.Tensor) {
	gpu.Want("Copy", "x", x, y.N)
	if d.fuseCopy(y, x) {
		return
	}
	d.each(kCopy, y.N, i32(y.N), d.ptr(x), d.ptr(y))
}

// Axpby implements gpu.Vector.
func (d *Device) Axpby(a float32, x *gpu.Tensor, b float32, y *gpu.Tensor) {
	gpu.Want("Axpby", "x", x, y.N)
	if b == 0 {
		d.each(kAx, y.N, i32(y.N), f32(a), d.ptr(x), d.ptr(y))
		return
	}
	d.each(kAxpby, y.N, i32(y.N), f32(a), d.ptr(x), f32(b), d.ptr(y))
}

// Mul implements gpu.Vector.
func (d *Device) Mul(x, y, z *gpu.Tensor) {
	gpu.Want("Mul", "x", x, z.N)
	gpu.Want("Mul", "y", y, z.N)
	d.each(kMul, z.N, i32(z.N), d.ptr(x), d.ptr(y), d.ptr(z))
}

// MaxUpdate implements gpu.Vector.
func (d *Device) MaxUpdate(x *gpu.Tensor, index float32, y, which *gpu.Tensor) {
	gpu.Want("MaxUpdate", "x", x, y.N)
	gpu.Want("MaxUpdate", "which", which, y.N)
	d.each(kMaxUpdate, y.N, i32(y.N), d.ptr(x), f32(index), d.ptr(y), d.ptr(which))
}

// MaxBackward implements gpu.Vector.
func (d *Device) MaxBackward(dy, which *gpu.Tensor, index float32, dx *gpu.Tensor) {
	gpu.Want("MaxBackward", "dy", dy, dx.N)
	gpu.Want("MaxBackward", "which", which, dx.N)
	d.each(kMaxBackward, dx.N, i32(dx.N), d.ptr(dy), d.ptr(which), f32(index), d.ptr(dx))
}

// Power implements gpu.Vector.
func (d *Device) Power(x *gpu.Tensor, power, scale, shift float32, y *gpu.Tensor) {
	gpu.Want("Power", "x", x, y.N)
	d.each(kPower, y.N, i32(y.N), d.ptr(x), f32(power), f32(scale), f32(shift), d.ptr(y))
}

// Unary implements gpu.Vector.
func (d *Device) Unary(f gpu.UnaryFunc, x, y *gpu.Tensor) {
	gpu.Want("Unary", "x", x, y.N)
	d.each(kUnary, y.N, i32(y.N), i32(int(f.Op)), f32(f.A), f32(f.B), f32(f.C), d.ptr(x), d.ptr(y))
}

// UnaryBackward implements gpu.Vector.
func (d *Device) UnaryBackward(f gpu.UnaryFunc, x, y, dy, dx *gpu.Tensor) {
	gpu.Want("UnaryBackward", "x", x, dx.N)
	gpu.Want("UnaryBackward", "y", y, dx.N)
	gpu.Want("UnaryBackward", "dy", dy, dx.N)
	d.each(
		kUnaryBackward,
		dx.N,
		i32(dx.N),
		i32(int(f.Op)),
		f32(f.A),
		f32(f.B),
		f32(f.C),
		d.ptr(x),
		d.ptr(y),
		d.ptr(dy),
		d.ptr(dx),
	)
}

// Dot implements gpu.Vector.
func (d *Device) Dot(alpha float32, x, y, out *gpu.Tensor) {
	gpu.Want("Dot", "y", y, x.N)
	gpu.Want("Dot", "out", out, 1)
	d.sums(kDot, x.N, i32(x.N), f32(alpha), d.ptr(x), d.ptr(y), d.ptr(out), d.scratch.partial, d.scratch.counters)
}

// Copy2D implements gpu.Vector.
func (d *Device) Copy2D(
	rows, cols int,
	src *gpu.Tensor,
	srcOff, srcStride int,
	dst *gpu.Tensor,
	dstOff, dstStride int,
) {
	if rows == 0 || cols == 0 {
		return
	}
	checkRows("src", src, rows, cols, srcOff, srcStride)
	checkRows("dst", dst, rows, cols, dstOff, dstStride)
	d.closeBatches()
	d.queue.blob.divisor(cols)
	d.each(
		kCopy2d,
		rows*cols,
		i32(rows),
		i32(cols),
		d.ptr(src)+4*uint64(srcOff),
		i32(srcStride),
		d.ptr(dst)+4*uint64(dstOff),
		i32(dstStride),
	)
}

func checkRows(arg string, t *gpu.Tensor, rows, cols, off, stride int) {
	if off < 0 || off+(rows-1)*stride+cols > t.N {
		panic("gpu: Copy2D: " + arg + " is too small")
	}
}

// Gather implements gpu.Vector.
func (d *Device) Gather(width int, index, src, dst *gpu.Tensor) {
	gpu.Want("Gather", "dst", dst, index.N*width)
	d.closeBatches()
	d.queue.blob.divisor(width)
	d.each(kGather, dst.N, i32(index.N), i32(width), i32(src.N/max(1, width)), d.ptr(index), d.ptr(src), d.ptr(dst))
}

// ScatterAdd implements gpu.Vector.
func (d *Device) ScatterAdd(width int, index, src, dst *gpu.Tensor) {
	gpu.Want("ScatterAdd", "src", src, index.N*width)
	d.rows(kScatterAdd, width, i32(index.N), i32(width), i32(dst.N/max(1, width)), d.ptr(index), d.ptr(src), d.ptr(dst))
}

// ReLU implements gpu.Vector.
func (d *Device) ReLU(x, y *gpu.Tensor, slope float32) {
	gpu.Want("ReLU", "x", x, y.N)
	if d.fuseReLU(x, y, slope) {
		return
	}
	d.each(kRelu, y.N, i32(y.N), d.ptr(x), f32(slope), d.ptr(y))
}

// ReLUBackward implements gpu.Vector.
func (d *Device) ReLUBackward(x, dy, dx *gpu.Tensor, slope float32) {
	gpu.Want("ReLUBackward", "x", x, dx.N)
	gpu.Want("ReLUBackward", "dy", dy, dx.N)
	d.each(kReluBackward, dx.N, i32(dx.N), d.ptr(x), d.ptr(dy), f32(slope), d.ptr(dx))
}

// liveKey puts a key where a kernel reads it.
func (d *Device) liveKey(k gpu.Key) uint64 {
	d.closeBatches()
	at, v := d.liveNumbers(5)
	v[0], v[1], v[2], v[3], v[4] = uint32(k.Seed), uint32(k.Seed>>32), k.Stream, uint32(k.Iter), uint32(k.Iter>>32)
	return at
}

// Dropout implements gpu.Vector.
func (d *Device) Dropout(x, y *gpu.Tensor, ratio float32, key gpu.Key) {
	gpu.Want("Dropout", "x", x, y.N)
	at := d.liveKey(key)
	d.each(kDropout, y.N, i32(y.N), d.ptr(x), f32(ratio), f32(1/(1-ratio)), at, d.ptr(y))
}

// SumSquares implements gpu.Vector.
func (d *Device) SumSquares(x *gpu.Tensor) float64 { return d.number(kSumSquares, x) }

// Finite implements gpu.Vector. What a device that failed holds is not finite.
func (d *Device) Finite(x *gpu.Tensor) bool { return d.number(kCountBad, x) == 0 }

// number runs a kernel that sums a tensor up, and waits for the result.
func (d *Device) number(k kernelID, x *gpu.Tensor) float64 {
	d.sums(k, x.N, i32(x.N), d.ptr(x), d.scratch.result, d.scratch.partial, d.scratch.counters)
	d.flush()
	piece := d.staging.room(d, 8)
	d.fetchInto(piece, d.scratch.result)
	d.wait()
	if d.fault.err != nil {
		return math.NaN()
	}
	return *(*float64)(unsafe.Pointer(&piece[0]))
}
