package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // a picture
	_ "image/png"  // a picture

	"dns-tui/caffe"
	"dns-tui/files"
	"dns-tui/memory"

	_ "golang.org/x/image/bmp"  // a picture
	_ "golang.org/x/image/tiff" // a picture
)

// ReadPicture reads an image file (JPEG, PNG, BMP, TIFF) as the pixels of a Datum: blue, green and red, or grey where
// color is not set; scaled to height × width where both are above 0 (Caffe's ReadImageToCVMat).
func ReadPicture(path string, height, width int, color bool) (*Datum, error) {
	data, err := files.Read(path, caffe.MaxMessageBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, caffe.Cause(err))
	}
	d := &Datum{Encoded: true, Data: data}
	if err := d.Decode(color, !color); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if height > 0 && width > 0 {
		if err := memory.Check(
			fmt.Sprintf("%s: scaled to %dx%d", path, width, height), memory.Product(int64(height), int64(width), 3),
		); err != nil {
			return nil, err
		}
		d.Resize(height, width)
	}
	return d, nil
}

// Decode replaces an encoded picture by its pixels. forceColor and forceGray are those of transform_param;
// with neither, the picture keeps the channels that it has (one where it is grey, else three).
func (d *Datum) Decode(forceColor, forceGray bool) error {
	if !d.Encoded {
		return nil
	}
	c, head, err := checkSize(d.Data)
	if err != nil {
		return err
	}
	if head == "jpeg" {
		jpegsRead.Store(true)
		if turbo().decode(d, c.Width, c.Height, forceColor, forceGray) {
			return nil
		}
	}
	img, format, err := image.Decode(bytes.NewReader(d.Data))
	if err != nil {
		return fmt.Errorf("is a picture that cannot be decoded (JPEG, PNG, BMP and TIFF are known): %w", err)
	}
	gray := forceGray
	if !forceColor && !forceGray {
		switch img.(type) {
		case *image.Gray, *image.Gray16:
			gray = true
		}
	}
	luma := lumaOf
	if format == "png" {
		luma = pngLuma
	}
	d.fromImage(img, gray, luma)
	return nil
}

// densest is how many pixels a byte of a file can hold at most: an eighth of a byte, packed as well as deflate can,
// or, of a bitmap, which is not packed, a whole one. A JPEG may have more.
var densest = map[string]int64{"png": 8 * 1032, "tiff": 8 * 4096, "bmp": 8}

// checkSize holds what the head of a picture says of its size against the file and the memory, before its decoder
// makes room for it, and returns that, and the format, where the head can be read.
func checkSize(data []byte) (c image.Config, format string, err error) {
	if c, format, err = image.DecodeConfig(bytes.NewReader(data)); err != nil {
		return c, "", nil // the decoder says what is wrong
	}
	pixels := memory.Product(int64(c.Width), int64(c.Height))
	if most := densest[format]; most > 0 && pixels/most > int64(len(data)) {
		return c, format, fmt.Errorf(
			"is a picture of %dx%d pixels by its head, and of %d bytes, which hold fewer: it is damaged or cut short",
			c.Width,
			c.Height,
			len(data),
		)
	}
	// decoded, and as a Datum
	return c, format, memory.Check(
		fmt.Sprintf("a picture of %dx%d pixels", c.Width, c.Height),
		memory.Product(pixels, 8),
	)
}

// fromImage stores img as raw pixels: blue, green, red; or grey, which is the luma of a JPEG, and elsewhere what luma
// makes of the three.
func (d *Datum) fromImage(img image.Image, gray bool, luma func(r, g, b uint8) uint8) {
	bounds := img.Bounds()
	h, w := bounds.Dy(), bounds.Dx()
	d.Height, d.Width, d.Channels, d.Encoded = h, w, 3, false
	if gray {
		d.Channels = 1
	}
	d.Data = make([]byte, d.Channels*h*w)
	if m, ok := img.(*image.YCbCr); ok {
		d.fromYCbCr(m, gray)
		return
	}
	for y := range h {
		row := pixels(img, bounds.Min.Y+y)
		for x := range w {
			r, g, b := row(bounds.Min.X + x)
			i := y*w + x
			if gray {
				d.Data[i] = luma(r, g, b)
				continue
			}
			d.Data[i], d.Data[h*w+i], d.Data[2*h*w+i] = b, g, r
		}
	}
}

// pixels returns what reads a row of img. The kinds that decoders make most are read without an interface call a pixel.
func pixels(img image.Image, y int) func(x int) (r, g, b uint8) {
	switch m := img.(type) {
	case *image.Gray:
		return func(x int) (r, g, b uint8) {
			v := m.Pix[m.PixOffset(x, y)]
			return v, v, v
		}
	case *image.RGBA:
		return func(x int) (r, g, b uint8) {
			p := m.Pix[m.PixOffset(x, y):]
			return p[0], p[1], p[2]
		}
	case *image.NRGBA:
		return func(x int) (r, g, b uint8) {
			p := m.Pix[m.PixOffset(x, y):]
			return p[0], p[1], p[2]
		}
	}
	return func(x int) (r, g, b uint8) {
		// OpenCV drops the alpha of a picture, it does not apply it
		c := color.NRGBA64Model.Convert(img.At(x, y)).(color.NRGBA64)
		return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
	}
}

// lumaOf is OpenCV's grey, in its fixed point of 14 bits.
func lumaOf(r, g, b uint8) uint8 {
	return uint8((4899*int(r) + 9617*int(g) + 1868*int(b) + 1<<13) >> 14)
}

// pngLuma is the grey that OpenCV gets of a PNG, which libpng makes: in 15 bits, rounded down.
func pngLuma(r, g, b uint8) uint8 {
	return uint8((9797*int(r) + 19234*int(g) + 3737*int(b)) >> 15)
}

// Resize scales the pixels of d by bilinear interpolation between the centres of pixels, in the fixed point of OpenCV's
// resize (INTER_LINEAR): weights of 11 bits.
func (d *Datum) Resize(height, width int) {
	if height == d.Height && width == d.Width {
		return
	}
	xs, ys := taps(d.Width, width, true), taps(d.Height, height, false)
	out := make([]byte, d.Channels*height*width)
	row := [2][]int32{make([]int32, width), make([]int32, width)}
	for c := range d.Channels {
		plane := d.Data[c*d.Height*d.Width:][:d.Height*d.Width]
		have := [2]int{-1, -1}
		for y, ty := range ys {
			for k, at := range [2]int{max(ty.at, 0), min(ty.at+1, d.Height-1)} {
				if have[k] == at {
					continue
				}
				have[k] = at
				if k == 0 && have[1] == at { // the lower row of the pair before
					have[1] = -1
					row[0], row[1] = row[1], row[0]
					continue
				}
				in, to := plane[at*d.Width:][:d.Width], row[k][:len(xs)]
				for x := range xs {
					t := &xs[x]
					to[x] = int32(in[t.at])*t.w0 + int32(in[t.next])*t.w1
				}
			}
			dst := out[(c*height+y)*width:][:width]
			above, below := row[0][:len(dst)], row[1][:len(dst)]
			for x := range dst {
				dst[x] = uint8((ty.w0*(above[x]>>4)>>16 + ty.w1*(below[x]>>4)>>16 + 2) >> 2)
			}
		}
	}
	d.Data, d.Height, d.Width = out, height, width
}

// tap is what one pixel of the output takes: weights, that add up to 2048, of two neighbours.
type tap struct {
	at, next int // next: the neighbour behind, or at where there is none
	w0, w1   int32
}

// taps are those of one axis. At an edge OpenCV moves the weights of a row to the pixel that there is, but for
// columns it takes that pixel twice, which rounds otherwise.
func taps(in, out int, atEdge bool) []tap {
	t := make([]tap, out)
	scale := float64(in) / float64(out)
	for i := range t {
		f := float32((float64(i)+0.5)*scale - 0.5)
		at := int(f)
		if f < 0 && float32(at) != f {
			at--
		}
		f -= float32(at)
		switch {
		case atEdge && at < 0:
			at, f = 0, 0
		case atEdge && at >= in-1:
			at, f = in-1, 0
		}
		t[i] = tap{at, min(at+1, in-1), int32(roundEven((1 - f) * 2048)), int32(roundEven(f * 2048))}
	}
	return t
}

// roundEven rounds a weight as OpenCV's saturate_cast does: halves to the even neighbour.
func roundEven(f float32) int {
	n := int(f)
	switch d := f - float32(n); {
	case d > 0.5 || d == 0.5 && n%2 == 1:
		return n + 1
	}
	return n
}
