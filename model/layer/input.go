package layer

import (
	"fmt"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("Input", Arity{0, 0, 1, -1}, func() Layer { return &input{} })
	register("DummyData", Arity{0, 0, 1, -1}, func() Layer { return &dummyData{} })
}

// input is filled by the program, not by a file.
type input struct{ noBackward }

func (l *input) Setup(c *Context, _, top []*Blob) error {
	shapes := c.Param.GetInputParam().GetShape()
	if len(shapes) != 1 && len(shapes) != len(top) {
		return fmt.Errorf("input_param: %d shapes for %d tops; wanted 1 or %d", len(shapes), len(top), len(top))
	}
	for i, t := range top {
		s, err := shapeOf(shapes[min(i, len(shapes)-1)])
		if err != nil {
			return fmt.Errorf("input_param: %w", err)
		}
		if err := t.Reshape(c.Device, s...); err != nil {
			return err
		}
	}
	return nil
}

func shapeOf(s *caffepb.BlobShape) ([]int, error) {
	if n := len(s.GetDim()); n > caffe.MaxAxes {
		return nil, fmt.Errorf("%d dim; wanted at most %d", n, caffe.MaxAxes)
	}
	out := make([]int, len(s.GetDim()))
	for i, d := range s.GetDim() {
		if d < 1 {
			return nil, fmt.Errorf("dim is %d; wanted at least 1", d)
		}
		out[i] = int(d)
	}
	return out, nil
}

func (l *input) Forward([]*Blob, []*Blob) error { return nil }

// dummyData fills its tops by fillers: constants once, random ones anew in each pass.
type dummyData struct {
	noBackward
	c      *Context
	filler []*caffepb.FillerParameter
	buf    [][]float32 // nil where the top is constant
}

func (l *dummyData) Setup(c *Context, _, top []*Blob) error {
	l.c = c
	p := c.Param.GetDummyDataParam()
	if n := len(p.GetDataFiller()); n > 1 && n != len(top) {
		return fmt.Errorf("dummy_data_param: %d data_filler for %d tops; wanted 0, 1 or %d", n, len(top), len(top))
	}
	for i, t := range top {
		s, err := dummyShape(p, i, len(top))
		if err != nil {
			return fmt.Errorf("dummy_data_param: %w", err)
		}
		if err := t.Reshape(c.Device, s...); err != nil {
			return err
		}
		f := &caffepb.FillerParameter{}
		if n := len(p.GetDataFiller()); n > 0 {
			f = p.DataFiller[min(i, n-1)]
		}
		l.filler = append(l.filler, f)
		if c.Device.Dry() {
			continue
		}
		buf := make([]float32, t.Len())
		if err := l.fill(i, t, buf); err != nil {
			return fmt.Errorf("dummy_data_param: %w", err)
		}
		if f.GetType() == "constant" {
			buf = nil
		}
		l.buf = append(l.buf, buf)
	}
	return nil
}

func dummyShape(p *caffepb.DummyDataParameter, i, tops int) ([]int, error) {
	if n := len(p.GetShape()); n > 0 {
		if n != 1 && n != tops {
			return nil, fmt.Errorf("%d shapes for %d tops; wanted 1 or %d", n, tops, tops)
		}
		return shapeOf(p.Shape[min(i, n-1)])
	}
	s := &caffepb.BlobShape{}
	for _, dims := range [][]uint32{p.GetNum(), p.GetChannels(), p.GetHeight(), p.GetWidth()} {
		if len(dims) != 1 && len(dims) != tops {
			return nil, fmt.Errorf(
				"no shape, and %d values of num, channels, height or width for %d tops",
				len(dims),
				tops,
			)
		}
		s.Dim = append(s.Dim, int64(dims[min(i, len(dims)-1)]))
	}
	return shapeOf(s)
}

func (l *dummyData) fill(i int, t *Blob, buf []float32) error {
	key := l.c.Key()
	key.Stream += uint32(i)
	key.Iter++ // 0 is the fillers' of parameters
	if err := Fill(l.filler[i], t.Shape, key, buf); err != nil {
		return err
	}
	l.c.Device.Upload(t.Data, buf)
	return nil
}

func (l *dummyData) Forward(_, top []*Blob) error {
	for i, t := range top {
		if l.buf[i] != nil {
			if err := l.fill(i, t, l.buf[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// FillerKey is the key of a parameter's filler.
func FillerKey(seed uint64, layer string, index int) gpu.Key {
	return gpu.Key{Seed: seed, Stream: Stream(layer) + uint32(index)*0x9E3779B9, Iter: 1 << 63}
}
