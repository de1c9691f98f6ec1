package model

import (
	"slices"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// LayersOf is n.Layers with the types that stand in f, of which n was made by WithInputs.
func LayersOf(n *Net, f *caffe.NetFile) []LayerInfo {
	layers := n.Layers()
	for i := range layers {
		layers[i].Type = f.Net.Layer[layers[i].index].GetType()
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
	index       int     // in the file
}

// Labels are the blobs that layers read as numbers of classes: what accuracies and losses compare with, and words.
func Labels(layers []LayerInfo) map[string]bool {
	labels := map[string]bool{}
	for _, l := range layers {
		switch {
		case l.Type == "Embed":
			labels[l.Bottom[0]] = true
		case (strings.HasSuffix(l.Type, "Loss") || l.Type == "Accuracy") && len(l.Bottom) > 1:
			labels[l.Bottom[1]] = true
		}
	}
	return labels
}

// Index is the layer's place in the file.
func (l *LayerInfo) Index() int { return l.index }

// Layers describes the net, in the order in which it runs.
func (n *Net) Layers() []LayerInfo {
	var out []LayerInfo
	for _, nd := range n.nodes {
		if nd.index < 0 {
			continue
		}
		file := n.file.Net.Layer[nd.index]
		l := LayerInfo{Name: nd.name, Type: nd.typ, Bottom: file.Bottom, Top: file.Top, index: nd.index}
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

// LayersOfFile describes the layers that a file has for a state, without shapes: what is known of a net without its
// data.
func LayersOfFile(f *caffe.NetFile, state *caffepb.NetState) ([]LayerInfo, error) {
	layers, err := filter(f, state)
	if err != nil {
		return nil, err
	}
	var out []LayerInfo
	var names caffe.LayerNames
	for _, p := range layers {
		l := LayerInfo{
			Name:   names.Next(p.param.GetName(), p.param.GetType()),
			Type:   p.param.GetType(),
			Bottom: slices.Clone(p.param.Bottom),
			Top:    slices.Clone(p.param.Top),
			index:  p.index,
		}
		out = append(out, l)
	}
	return out, nil
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
