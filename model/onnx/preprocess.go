package onnx

import (
	"errors"
	"fmt"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/onnx/onnxpb"
)

// inputs makes the inputs of a layer that hands out data.
func (e *emitter) inputs(f *caffe.NetFile, batch int, o Options) ([]*onnxpb.ValueInfoProto, error) {
	var out []*onnxpb.ValueInfoProto
	for i, b := range e.out {
		if b.cut {
			continue
		}
		in := b.shape.value(b.tensor, batch)
		if i == 0 && o.Preprocess {
			dims := in.GetType().GetTensorType().GetShape().GetDim()
			if err := e.preprocess(f, b, dims); err != nil {
				return nil, err
			}
		}
		out = append(out, in)
	}
	return out, nil
}

// preprocess makes of an input, an image as it is stored, what the layer hands out: the middle of it, less the mean,
// times the scale (Caffe's DataTransformer in phase TEST). dims are those of the input.
func (e *emitter) preprocess(f *caffe.NetFile, b *blob, dims []*onnxpb.TensorShapeProto_Dimension) error {
	// Where data is replaced, the net has an Input layer in place of the one that the file has.
	p := f.Net.Layer[e.Index()].GetTransformParam()
	if p == nil {
		return nil
	}
	if e.Type == "WindowData" {
		return errors.New("it warps windows of pictures, which has no counterpart in ONNX")
	}
	if b.shape.axes() != 4 {
		return fmt.Errorf("top %q has the shape %s; wanted images to preprocess: 4 axes", b.name,
			caffe.FormatShape(b.shape.n))
	}
	channels, h, w := b.shape.n[1], b.shape.n[2], b.shape.n[3]
	x, crop := b.tensor, int(p.GetCropSize())
	var mean []float32
	shape := []int{1, len(p.MeanValue), 1, 1}
	switch {
	case p.GetMeanFile() != "":
		var size []int
		var err error
		if mean, size, err = readMean(f, p.GetMeanFile()); err != nil {
			return err
		}
		if size[0] != channels || size[1] < h || size[2] < w || crop == 0 && (size[1] != h || size[2] != w) {
			return fmt.Errorf(
				"transform_param: mean file %s has the shape %s, the images are cut to %s",
				p.GetMeanFile(),
				caffe.FormatShape(size),
				caffe.FormatShape(b.shape.n[1:]),
			)
		}
		if size[1] != h || size[2] != w {
			for i, n := range size[1:] {
				dims[2+i].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(n)}
			}
			top, left := (size[1]-h)/2, (size[2]-w)/2
			mean = middle(mean, size, top, left, h, w)
			x = e.value("Slice", []string{x, e.list(int64(top), int64(left)), e.list(int64(top+h), int64(left+w)),
				e.list(2, 3)})
		}
		shape = []int{1, channels, h, w}
	case len(p.MeanValue) > 1 && len(p.MeanValue) != channels:
		return fmt.Errorf("transform_param: %d mean_value for %d channels; wanted 1 or %d", len(p.MeanValue), channels,
			channels)
	case crop > 0:
		x = e.cropAny(x, crop, dims)
	}
	if mean == nil {
		mean = p.MeanValue
	}
	out := free(e.values, b.name+"@transform_param")
	var steps []step
	if len(mean) > 0 {
		steps = append(steps, step{typ: "Sub", with: []string{e.own("mean", shape, mean)}})
	}
	steps = append(steps, e.times(p.GetScale())...)
	e.chain(x, out, steps...)
	b.tensor = out
	return nil
}

// cropAny takes the middle of images of any size.
func (e *emitter) cropAny(x string, crop int, dims []*onnxpb.TensorShapeProto_Dimension) string {
	dims[2].Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "H"}
	dims[3].Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "W"}
	c := e.list(int64(crop), int64(crop))
	size := e.value("Slice", []string{e.value("Shape", []string{x}), e.list(2), e.list(4), e.list(0)})
	start := e.value("Div", []string{e.value("Sub", []string{size, c}), e.list(2)})
	return e.value("Slice", []string{x, start, e.value("Add", []string{start, c}), e.list(2, 3)})
}

// readMean reads a mean image, channels × height × width, of a file beside the net or where its name says.
func readMean(f *caffe.NetFile, name string) (values []float32, shape []int, err error) {
	path, _ := config.Find(name, f.Path)
	b, err := caffe.ReadMean(path)
	if err != nil {
		return nil, nil, err
	}
	for shape = caffe.Shape(b); len(shape) > 3 && shape[0] == 1; {
		shape = shape[1:]
	}
	values = caffe.Values(b)
	if len(shape) != 3 || len(values) != gpu.Elements(shape) {
		return nil, nil, fmt.Errorf("mean file %s has the shape %s; wanted channels, height, width", path,
			caffe.FormatShape(shape))
	}
	return values, shape, nil
}

// middle cuts images.
func middle(v []float32, shape []int, top, left, h, w int) []float32 {
	var out []float32
	for c := range shape[0] {
		for y := range h {
			at := (c*shape[1]+top+y)*shape[2] + left
			out = append(out, v[at:at+w]...)
		}
	}
	return out
}
