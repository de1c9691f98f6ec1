package dataset

import (
	"fmt"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// A Transformer applies a transform_param: crop, mirror, mean and scale, as Caffe's DataTransformer does.
//
//	out[c][y][x] = scale · (in[c][y0+y][x0+x'] - mean[c][y0+y][x0+x'])
//
// with x' = x, or crop-1-x where mirrored.
type Transformer struct {
	param              *caffepb.TransformationParameter
	train              bool
	mean               []float32 // of a mean file
	meanShape          []int     // channels, height, width
	channels, inH, inW int       // of the records
	outH, outW         int
}

// NewTransformer checks p and loads its mean file. train selects random crops and mirroring.
func NewTransformer(p *caffepb.TransformationParameter, train bool) (*Transformer, error) {
	if p == nil {
		p = &caffepb.TransformationParameter{}
	}
	t := &Transformer{param: p, train: train}
	if p.GetForceColor() && p.GetForceGray() {
		return nil, fmt.Errorf("transform_param: force_color and force_gray are mutually exclusive")
	}
	if p.MeanFile == nil {
		return t, nil
	}
	if len(p.MeanValue) > 0 {
		return nil, fmt.Errorf("transform_param: mean_file and mean_value are mutually exclusive")
	}
	b, err := caffe.ReadMean(p.GetMeanFile())
	if err != nil {
		return nil, err
	}
	shape := caffe.Shape(b)
	for len(shape) > 3 && shape[0] == 1 {
		shape = shape[1:]
	}
	t.mean, t.meanShape = caffe.Values(b), shape
	return t, nil
}

// Infer fixes the shape of all records from the first, and returns that of an output: channels, height, width.
func (t *Transformer) Infer(d *Datum) ([]int, error) {
	t.channels, t.inH, t.inW = d.Channels, d.Height, d.Width
	t.outH, t.outW = t.inH, t.inW
	if crop := int(t.param.GetCropSize()); crop > 0 {
		if crop > t.inH || crop > t.inW {
			return nil, fmt.Errorf("transform_param: crop_size %d is larger than the image, %dx%d", crop, t.inH, t.inW)
		}
		t.outH, t.outW = crop, crop
	}
	if n := len(t.param.MeanValue); n > 1 && n != t.channels {
		return nil, fmt.Errorf(
			"transform_param: %d mean_value for %d channels; wanted 1 or %d",
			n,
			t.channels,
			t.channels,
		)
	}
	if t.mean != nil {
		want := []int{t.channels, t.inH, t.inW}
		if caffe.FormatShape(t.meanShape) != caffe.FormatShape(want) {
			return nil, fmt.Errorf("transform_param: mean file %s has the shape %s, the images %s",
				t.param.GetMeanFile(), caffe.FormatShape(t.meanShape), caffe.FormatShape(want))
		}
	}
	return []int{t.channels, t.outH, t.outW}, nil
}

// fits reports whether d has the shape that Infer saw.
func (t *Transformer) fits(d *Datum) bool {
	return d.Channels == t.channels && d.Height == t.inH && d.Width == t.inW
}

// Decode turns an encoded record into pixels as force_color and force_gray say.
func (t *Transformer) Decode(d *Datum) error {
	return d.Decode(t.param.GetForceColor(), t.param.GetForceGray())
}

// Randoms are three uniform 32-bit numbers for one record: row offset, column offset, mirror.
type Randoms [3]uint32

// NeedsRandom reports whether Apply looks at its random numbers.
func (t *Transformer) NeedsRandom() bool {
	return t.param.GetMirror() || t.train && t.param.GetCropSize() > 0
}

// Apply writes the transformed record to out, which holds one output image.
func (t *Transformer) Apply(d *Datum, r Randoms, out []float32) error {
	if !t.fits(d) {
		return fmt.Errorf("has the shape %dx%dx%d, the first record %dx%dx%d; images of any size want batch_size 1",
			d.Channels, d.Height, d.Width, t.channels, t.inH, t.inW)
	}
	y0, x0 := (t.inH-t.outH)/2, (t.inW-t.outW)/2
	if t.train {
		y0, x0 = below(r[0], t.inH-t.outH+1), below(r[1], t.inW-t.outW+1)
	}
	mirror := t.param.GetMirror() && r[2]>>31 == 1
	for c := range t.channels {
		for y := range t.outH {
			in := (c*t.inH+y0+y)*t.inW + x0
			row := out[(c*t.outH+y)*t.outW:][:t.outW]
			if len(d.Data) > 0 {
				for x, v := range d.Data[in:][:t.outW] {
					row[x] = float32(v)
				}
			} else {
				copy(row, d.Float[in:])
			}
			t.scaleRow(row, c, in)
			if mirror {
				for i, j := 0, len(row)-1; i < j; i, j = i+1, j-1 {
					row[i], row[j] = row[j], row[i]
				}
			}
		}
	}
	return nil
}

// scaleRow subtracts the mean and scales one row; in is the place of its first pixel in the record.
func (t *Transformer) scaleRow(row []float32, c, in int) {
	scale := t.param.GetScale()
	switch {
	case t.mean != nil:
		for x, m := range t.mean[in:][:len(row)] {
			row[x] = (row[x] - m) * scale
		}
	case len(t.param.MeanValue) > 0:
		m := t.param.MeanValue[c%len(t.param.MeanValue)]
		for x := range row {
			row[x] = (row[x] - m) * scale
		}
	case scale != 1:
		for x := range row {
			row[x] *= scale
		}
	}
}

// below maps a uniform 32-bit number to [0, n).
func below(r uint32, n int) int { return int(uint64(r) * uint64(n) >> 32) }
