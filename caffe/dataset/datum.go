// Package dataset reads and writes the databases of images that Caffe trains on.
package dataset

import (
	"errors"
	"fmt"
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
