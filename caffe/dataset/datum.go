// Package dataset reads and writes the databases of images that Caffe trains on.
package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // encoded Datum
	_ "image/png"  // encoded Datum
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Datum is one labelled image: Caffe's message of that name, parsed without copying its bytes.
// Pixels are in channel, row, column order; colour channels are blue, green, red, as OpenCV has them.
type Datum struct {
	Channels, Height, Width int
	Label                   int
	Encoded                 bool
	Data                    []byte    // raw pixels, or an encoded picture
	Float                   []float32 // used where Data is empty
}

var errDatum = errors.New("is not a Datum, or is cut short")

// Parse fills d from a serialised Datum. d.Data points into b; d.Float is reused.
func (d *Datum) Parse(b []byte) error {
	*d = Datum{Float: d.Float[:0]}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errDatum
		}
		b = b[n:]
		switch {
		case typ == protowire.VarintType:
			v, n := protowire.ConsumeVarint(b)
			if n < 0 {
				return errDatum
			}
			b = b[n:]
			d.setVarint(num, int(int32(v)))
		case num == 4 && typ == protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return errDatum
			}
			b, d.Data = b[n:], v
		case num == 6 && typ == protowire.Fixed32Type:
			v, n := protowire.ConsumeFixed32(b)
			if n < 0 {
				return errDatum
			}
			b = b[n:]
			d.Float = append(d.Float, math.Float32frombits(v))
		case num == 6 && typ == protowire.BytesType:
			v, n := protowire.ConsumeBytes(b)
			if n < 0 || len(v)%4 != 0 {
				return errDatum
			}
			for b = b[n:]; len(v) > 0; v = v[4:] {
				x, _ := protowire.ConsumeFixed32(v)
				d.Float = append(d.Float, math.Float32frombits(x))
			}
		default:
			n := protowire.ConsumeFieldValue(num, typ, b)
			if n < 0 {
				return errDatum
			}
			b = b[n:]
		}
	}
	return d.check()
}

func (d *Datum) setVarint(num protowire.Number, v int) {
	switch num {
	case 1:
		d.Channels = v
	case 2:
		d.Height = v
	case 3:
		d.Width = v
	case 5:
		d.Label = v
	case 7:
		d.Encoded = v != 0
	}
}

// check reports a Datum whose size is not that of its shape.
func (d *Datum) check() error {
	if d.Encoded {
		if len(d.Data) == 0 {
			return errors.New("is an encoded Datum without a picture")
		}
		return nil
	}
	have := len(d.Data)
	if have == 0 {
		have = len(d.Float)
	}
	if d.Channels <= 0 || d.Height <= 0 || d.Width <= 0 || d.Channels > 1<<16 || d.Height > 1<<20 || d.Width > 1<<20 ||
		have != d.Channels*d.Height*d.Width {
		return fmt.Errorf("is a Datum of shape %dx%dx%d with %d values", d.Channels, d.Height, d.Width, have)
	}
	return nil
}

// Append serialises d behind b, in the field order that Caffe's own tools write.
func (d *Datum) Append(b []byte) []byte {
	for i, v := range []int{d.Channels, d.Height, d.Width} {
		if v != 0 || !d.Encoded {
			b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(i+1), protowire.VarintType), uint64(v))
		}
	}
	if len(d.Data) > 0 {
		b = protowire.AppendBytes(protowire.AppendTag(b, 4, protowire.BytesType), d.Data)
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, 5, protowire.VarintType), uint64(d.Label))
	for _, f := range d.Float {
		b = protowire.AppendFixed32(protowire.AppendTag(b, 6, protowire.Fixed32Type), math.Float32bits(f))
	}
	if d.Encoded {
		b = protowire.AppendVarint(protowire.AppendTag(b, 7, protowire.VarintType), 1)
	}
	return b
}

// Decode replaces an encoded picture by its pixels. forceColor and forceGray are those of transform_param;
// with neither, the picture keeps the channels that it has (one where it is grey, else three).
func (d *Datum) Decode(forceColor, forceGray bool) error {
	if !d.Encoded {
		return nil
	}
	img, _, err := image.Decode(bytes.NewReader(d.Data))
	if err != nil {
		return fmt.Errorf("is an encoded Datum whose picture cannot be decoded (JPEG and PNG are known): %w", err)
	}
	gray := forceGray
	if !forceColor && !forceGray {
		switch img.(type) {
		case *image.Gray, *image.Gray16:
			gray = true
		}
	}
	d.fromImage(img, gray)
	return nil
}

// fromImage stores img as raw pixels: grey by the ITU-R 601 luma weights that OpenCV uses, or blue, green, red.
func (d *Datum) fromImage(img image.Image, gray bool) {
	bounds := img.Bounds()
	h, w := bounds.Dy(), bounds.Dx()
	d.Height, d.Width, d.Channels, d.Encoded = h, w, 3, false
	if gray {
		d.Channels = 1
	}
	pix := make([]byte, d.Channels*h*w)
	for y := range h {
		for x := range w {
			r, g, b, _ := img.At(bounds.Min.X+x, bounds.Min.Y+y).RGBA()
			i := y*w + x
			if gray {
				if gr, ok := img.(*image.Gray); ok {
					pix[i] = gr.GrayAt(bounds.Min.X+x, bounds.Min.Y+y).Y
					continue
				}
				pix[i] = uint8((299*(r>>8) + 587*(g>>8) + 114*(b>>8) + 500) / 1000)
				continue
			}
			pix[i], pix[h*w+i], pix[2*h*w+i] = uint8(b>>8), uint8(g>>8), uint8(r>>8)
		}
	}
	d.Data = pix
}
