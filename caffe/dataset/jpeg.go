package dataset

import "image"

// A JPEG stores its two colour planes at half the width, or half of both sides. Caffe's pictures come from libjpeg,
// which scales them up by a triangle filter; Go's decoder leaves that to the reader. These are libjpeg's "fancy
// upsampling" and its conversion to RGB, so that the pixels agree to within the rounding of the decoders.

// fromYCbCr stores a JPEG's pixels: blue, green, red; or grey, which is its luma.
func (d *Datum) fromYCbCr(m *image.YCbCr, gray bool) {
	h, w := d.Height, d.Width
	if gray {
		for y := range h {
			copy(d.Data[y*w:][:w], m.Y[m.YOffset(m.Rect.Min.X, m.Rect.Min.Y+y):])
		}
		return
	}
	cb, cr := fullSize(m, m.Cb), fullSize(m, m.Cr)
	plane := h * w
	for y := range h {
		luma := m.Y[m.YOffset(m.Rect.Min.X, m.Rect.Min.Y+y):][:w]
		for x, v := range luma {
			i := y*w + x
			b, r := int(cb[i])-128, int(cr[i])-128
			d.Data[2*plane+i] = clamp8(int(v) + (fix(1.402)*r+half)>>16)
			d.Data[plane+i] = clamp8(int(v) + (-fix(0.34414)*b-fix(0.71414)*r+half)>>16)
			d.Data[i] = clamp8(int(v) + (fix(1.772)*b+half)>>16)
		}
	}
}

const half = 1 << 15

// fix is a factor in the 16 bits of libjpeg's fixed point.
func fix(f float64) int { return int(f*(1<<16) + 0.5) }

func clamp8(v int) uint8 { return uint8(max(0, min(v, 255))) }

// fullSize returns a colour plane with a value for each pixel.
func fullSize(m *image.YCbCr, plane []uint8) []uint8 {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := make([]uint8, w*h)
	row := func(y int) []uint8 { // of the plane
		return plane[y*m.CStride:][:m.CStride]
	}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		cw := (w + 1) / 2
		for y := range h {
			in := row(y)
			widen(out[y*w:][:w], cw, func(x int) int { return int(in[x]) }, 4, 1, 2)
		}
	case image.YCbCrSubsampleRatio420:
		cw, ch := (w+1)/2, (h+1)/2
		for y := range h {
			near := y / 2
			far := min(near+1, ch-1)
			if y%2 == 0 {
				far = max(near-1, 0)
			}
			a, b := row(near), row(far)
			widen(out[y*w:][:w], cw, func(x int) int { return 3*int(a[x]) + int(b[x]) }, 16, 8, 7)
		}
	default:
		for y := range h {
			for x := range w {
				out[y*w+x] = plane[m.COffset(m.Rect.Min.X+x, m.Rect.Min.Y+y)]
			}
		}
	}
	return out
}

// widen doubles a row of n values: each pixel is three parts of the nearer and one of the other; scale is what the
// parts and those of at add up to, and even and odd round it.
func widen(out []uint8, n int, at func(x int) int, scale, even, odd int) {
	last, this := at(0), at(0)
	for x := range n {
		next := this
		if x+1 < n {
			next = at(x + 1)
		}
		out[2*x] = uint8((3*this + last + even) / scale)
		if 2*x+1 < len(out) {
			out[2*x+1] = uint8((3*this + next + odd) / scale)
		}
		last, this = this, next
	}
}
