package model

import (
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// LayersOf is n.Layers with the types that stand in f, of which n was made by WithInputs.
func LayersOf(n *Net, f *caffe.NetFile) []LayerInfo {
	layers := n.Layers()
	for i := range layers {
		for _, l := range f.Net.Layer {
			if l.GetName() == layers[i].Name {
				layers[i].Type = l.GetType()
			}
		}
	}
	return layers
}

// LayerInfo is a layer of a net as a reader sees it: without the splits that were put in.
type LayerInfo struct {
	Name, Type  string
	Bottom, Top []string
	Shapes      [][]int // of the tops
	Params      [][]int // shapes of the parameters
	Count       int     // their elements; running statistics are not counted
	Shared      bool    // its parameters are another layer's too, and counted there
}

// Layers describes the net, in the order in which it runs.
func (n *Net) Layers() []LayerInfo {
	var out []LayerInfo
	for _, nd := range n.nodes {
		if nd.index < 0 {
			continue
		}
		file := n.file.Net.Layer[nd.index]
		l := LayerInfo{Name: nd.name, Type: nd.typ, Bottom: file.Bottom, Top: file.Top}
		for _, t := range nd.top {
			l.Shapes = append(l.Shapes, t.Shape)
		}
		for _, p := range nd.params {
			l.Params = append(l.Params, p.Shape)
			switch {
			case p.Layer != nd.name:
				l.Shared = true
			case !p.Statistics:
				l.Count += gpu.Elements(p.Shape)
			}
		}
		out = append(out, l)
	}
	return out
}

// Count returns the number of parameters, each once; running statistics are not counted.
func (n *Net) Count() int {
	total := 0
	for _, p := range n.params {
		if !p.Statistics {
			total += gpu.Elements(p.Shape)
		}
	}
	return total
}

// WithInputs returns the net with its data layers replaced by Input layers: what a net is without its data. Of one shape,
// images are batch × shape, and labels one number each; several are those of a layer's tops, whole. Without one, images
// are batch × 3 × crop_size × crop_size where a layer crops. An error says which layer's shape is not known.
func WithInputs(f *caffe.NetFile, batch int, shapes ...[]int) (*caffe.NetFile, error) {
	n := proto.CloneOf(f.Net)
	n.Layer = nil
	for i, l := range f.Net.Layer {
		switch l.GetType() {
		case "Data", "ImageData", "WindowData", "MemoryData", "HDF5Data":
		default:
			n.Layer = append(n.Layer, l)
			continue
		}
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
		in := &caffepb.LayerParameter{Name: l.Name, Type: proto.String("Input"), Top: l.Top, Include: l.Include, Exclude: l.Exclude, InputParam: &caffepb.InputParameter{}}
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
		n.Layer = append(n.Layer, in)
	}
	return f.Replace(n), nil
}
