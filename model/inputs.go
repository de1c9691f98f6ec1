package model

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// dataBatch returns the batch of a layer that reads data from files, or hands out what a program has; ok is false for
// any other layer.
func dataBatch(l *caffepb.LayerParameter) (batch int, ok bool) {
	switch l.GetType() {
	case "Data":
		return int(l.GetDataParam().GetBatchSize()), true
	case "ImageData":
		return int(l.GetImageDataParam().GetBatchSize()), true
	case "WindowData":
		return int(l.GetWindowDataParam().GetBatchSize()), true
	case "MemoryData":
		return int(l.GetMemoryDataParam().GetBatchSize()), true
	case "HDF5Data":
		return int(l.GetHdf5DataParam().GetBatchSize()), true
	}
	return 0, false
}

// WithBatch returns the net with batches of at most n in its data layers.
func WithBatch(f *caffe.NetFile, n int) *caffe.NetFile {
	net := proto.CloneOf(f.Net)
	for _, l := range net.Layer {
		if own, _ := dataBatch(l); own <= n {
			continue
		}
		batch := proto.Uint32(uint32(n))
		switch l.GetType() {
		case "Data":
			l.DataParam.BatchSize = batch
		case "ImageData":
			l.ImageDataParam.BatchSize = batch
		case "WindowData":
			l.WindowDataParam.BatchSize = batch
		case "MemoryData":
			l.MemoryDataParam.BatchSize = batch
		case "HDF5Data":
			l.Hdf5DataParam.BatchSize = batch
		}
	}
	return f.Replace(net)
}

// NewNetOfFew is NewNet with batches of at most n in the data layers, or as they are where other layers know the batch.
func NewNetOfFew(f *caffe.NetFile, n int, o NetOptions) (*Net, error) {
	if net, err := NewNet(WithBatch(f, n), o); err == nil {
		return net, nil
	}
	return NewNet(f, o)
}

// ReadsData reports whether layers of a type read data from files, or hand out what a program has.
func ReadsData(typ string) bool {
	_, ok := dataBatch(&caffepb.LayerParameter{Type: &typ})
	return ok
}

// A DataError is about a data layer whose data cannot be read. Inputs can stand in for it.
type DataError struct{ Err error }

func (e *DataError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *DataError) Unwrap() error { return e.Err }

// WithInputs returns the net with its data layers replaced by Input layers: what a net is without its data. Of one
// shape, images are batch × shape, and labels one number each; several are those of a layer's tops, whole. Without
// one, images are batch × 3 × crop_size × crop_size where a layer crops. A batch of 0 is the layer's own. An error
// says which layer's shape is not known.
func WithInputs(f *caffe.NetFile, batch int, shapes ...[]int) (*caffe.NetFile, error) {
	n := proto.CloneOf(f.Net)
	n.Layer = nil
	for i, l := range f.Net.Layer {
		own, ok := dataBatch(l)
		if !ok {
			n.Layer = append(n.Layer, l)
			continue
		}
		images := batch
		if images == 0 {
			images = max(1, own)
		}
		in, err := inputLayer(f, i, images, shapes)
		if err != nil {
			return nil, err
		}
		n.Layer = append(n.Layer, in)
	}
	return f.Replace(n), nil
}

// StandIn is random data of the shape that the data of a net has; nil where it reads none, or that is not known.
func StandIn(layers []LayerInfo) *config.Inputs {
	for _, l := range layers {
		if ReadsData(l.Type) && len(l.Shapes) > 0 && len(l.Shapes[0]) > 1 {
			return &config.Inputs{Shapes: [][]int{l.Shapes[0][1:]}, Classes: 1}
		}
	}
	return nil
}

// NoShapesError says why a net's shapes are not known: there is nothing wrong with the net.
type NoShapesError struct{ Err error }

func (e *NoShapesError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *NoShapesError) Unwrap() error { return e.Err }

// NewWithoutData builds a net for a state as WithInputs makes it, on a device that allocates nothing: what is known of
// a net before it is run. The data is asked only for its shape, where nothing else tells it; where that is not there
// either, the error is a NoShapesError. LayersOf has the types that stand in f.
func NewWithoutData(f *caffe.NetFile, state *caffepb.NetState, shapes ...[]int) (*Net, error) {
	without, err := WithInputs(f, 1, shapes...)
	if err != nil {
		without = f
	}
	n, buildErr := NewNet(without, NetOptions{Device: gpu.NewDry(nil), State: state})
	if buildErr != nil && err != nil {
		return nil, &NoShapesError{fmt.Errorf("%w, and that is not there: %w", err, buildErr)}
	}
	return n, buildErr
}

// inputLayer makes an Input layer in place of data layer i.
func inputLayer(f *caffe.NetFile, i, batch int, shapes [][]int) (*caffepb.LayerParameter, error) {
	l := f.Net.Layer[i]
	var image []int
	if len(shapes) > 0 {
		image = shapes[0]
	}
	if crop := int(l.GetTransformParam().GetCropSize()); len(image) == 0 && crop > 0 {
		image = []int{3, crop, crop}
	}
	if p := l.GetMemoryDataParam(); len(image) == 0 && p != nil {
		image = []int{int(p.GetChannels()), int(p.GetHeight()), int(p.GetWidth())}
	}
	if len(shapes) > 1 && len(shapes) != len(l.Top) {
		return nil, f.Errorf(i, "(%s) %d shapes for %d tops", l.GetType(), len(shapes), len(l.Top))
	}
	if len(image) == 0 {
		return nil, f.Errorf(i, "(%s) the shape of its images is not known without the data", l.GetType())
	}
	in := &caffepb.LayerParameter{
		Name:       l.Name,
		Type:       proto.String("Input"),
		Top:        l.Top,
		Include:    l.Include,
		Exclude:    l.Exclude,
		InputParam: &caffepb.InputParameter{},
	}
	for k := range l.Top {
		s := &caffepb.BlobShape{}
		whole := append([]int{batch}, image...)
		switch {
		case len(shapes) > 1:
			whole = shapes[k]
		case k > 0:
			whole = whole[:1]
		}
		for _, d := range whole {
			s.Dim = append(s.Dim, int64(d))
		}
		in.InputParam.Shape = append(in.InputParam.Shape, s)
	}
	return in, nil
}

// replaceData puts random numbers in place of a net's data layers. It returns the file, and the layers that were
// replaced.
func replaceData(f *caffe.NetFile, in *config.Inputs) (*caffe.NetFile, map[int]bool, error) {
	replaced := map[int]bool{}
	for i, l := range f.Net.Layer {
		if _, ok := dataBatch(l); ok {
			replaced[i] = true
		}
	}
	if len(replaced) == 0 {
		for _, l := range f.Net.Layer {
			if !caffe.KnownType(l.GetType()) { // it may read data; the net is rejected for it, with all the others
				return f, nil, nil
			}
		}
		return nil, nil, f.Errorf(-1, "has no data layer that --input could stand in for")
	}
	f, err := WithInputs(f, 0, in.Shapes...)
	return f, replaced, err
}

// fillInputs sets the first top of each layer that was replaced to random numbers in [-0.5, 0.5), and the others to
// 0, 1, 2, … below the number of classes. They are the same in each pass.
func (n *Net) fillInputs(in *config.Inputs, replaced map[int]bool) {
	if n.device.Dry() {
		return // there is nothing to fill, however large it would be
	}
	for _, nd := range n.nodes {
		if nd.index < 0 || !replaced[nd.index] {
			continue
		}
		for k, t := range nd.top {
			key := gpu.Key{Seed: n.seed, Stream: layer.Stream(nd.name)}
			v := make([]float32, t.Data.N)
			for i := range v {
				if k == 0 {
					v[i] = key.Uniform(i) - 0.5
				} else {
					v[i] = float32(i % in.Classes)
				}
			}
			n.device.Upload(t.Data, v)
		}
	}
}

// FillInputLayers sets the tops of Input layers, which nobody else fills, to random numbers in [-0.5, 0.5); what are
// labels stays 0. It reports whether there are such tops.
func (n *Net) FillInputLayers() bool {
	labels, filled := Labels(n.Layers()), false
	for _, nd := range n.nodes {
		if nd.typ != "Input" {
			continue
		}
		for k, t := range nd.top {
			if labels[t.Name] {
				continue
			}
			key := gpu.Key{Seed: n.seed, Stream: layer.Stream(nd.name) + uint32(k)}
			v := make([]float32, t.Data.N)
			for i := range v {
				v[i] = key.Uniform(i) - 0.5
			}
			n.device.Upload(t.Data, v)
			filled = true
		}
	}
	return filled
}
