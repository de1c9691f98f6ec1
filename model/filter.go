package model

import (
	"fmt"
	"regexp"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/model/layer"
)

// indexedLayer is a layer of a filtered net, with its index in the file.
type indexedLayer struct {
	param *caffepb.LayerParameter
	index int // in the file; -1 for a split that was put in
}

// filter keeps the layers that a phase, level and stages include (Caffe's Net::FilterNet).
func filter(f *caffe.NetFile, state *caffepb.NetState) ([]indexedLayer, error) {
	var out []indexedLayer
	for i, l := range f.Net.Layer {
		if len(l.Include) > 0 && len(l.Exclude) > 0 {
			return nil, f.Errorf(i, "has include and exclude rules; wanted one of the two")
		}
		if caffe.Includes(state, l) {
			out = append(out, indexedLayer{l, i})
		}
	}
	return out, nil
}

// lossWeight is what a top counts toward the objective: its loss_weight, or 1 for the first of a loss that says
// nothing.
func lossWeight(p *caffepb.LayerParameter, top int) float32 {
	switch {
	case top < len(p.LossWeight):
		return p.LossWeight[top]
	case top == 0 && len(p.LossWeight) == 0 && layer.IsLoss(p.GetType()):
		return 1
	}
	return 0
}

// insertSplits puts a Split behind each blob that several layers read (Caffe's InsertSplits), so that each reader has
// a gradient of its own. The objective is a reader. Caffe forgets it for the weight of 1 that a loss has by default,
// and the gradient is then that of the other reader alone; here it is the sum, as it is for a weight that the file
// says.
func insertSplits(layers []indexedLayer) []indexedLayer {
	type version struct{ layer, top int }
	latest := map[string]version{}
	readers := map[version]int{}
	for i, l := range layers {
		for _, b := range l.param.Bottom {
			if v, ok := latest[b]; ok {
				readers[v]++
			}
		}
		for j, t := range l.param.Top {
			latest[t] = version{i, j}
			if lossWeight(l.param, j) != 0 {
				readers[version{i, j}]++
			}
		}
	}
	var out []indexedLayer
	latest = map[string]version{}
	next := map[version]int{}
	for i, l := range layers {
		p := proto.CloneOf(l.param)
		for k, b := range p.Bottom {
			if v, ok := latest[b]; ok && readers[v] > 1 {
				p.Bottom[k] = splitName(b, layers[v.layer].param.GetName(), v.top, next[v])
				next[v]++
			}
		}
		out = append(out, indexedLayer{p, l.index})
		for j, t := range p.Top {
			v := version{i, j}
			latest[t] = v
			n := readers[v]
			if n <= 1 {
				continue
			}
			s := &caffepb.LayerParameter{Name: proto.String(fmt.Sprintf("%s_%s_%d_split", t, p.GetName(), j)),
				Type: proto.String("Split"), Bottom: []string{t}}
			for k := range n {
				s.Top = append(s.Top, splitName(t, p.GetName(), j, k))
			}
			if w := lossWeight(p, j); w != 0 {
				// The first reader is the objective.
				s.LossWeight = append([]float32{w}, make([]float32, n-1)...)
				if len(p.LossWeight) == 0 {
					p.LossWeight = []float32{0}
				}
				p.LossWeight[j] = 0
				next[v]++
			}
			out = append(out, indexedLayer{s, -1})
		}
	}
	return out
}

// SharedLosses tells of losses without a loss_weight that other layers read, for which Caffe's gradient is another; ""
// where there are none.
func (n *Net) SharedLosses() string {
	made := map[string]*node{}
	var names []string
	for _, nd := range n.nodes {
		if nd.typ == "Split" && nd.index < 0 && nd.weights[0] != 0 {
			l := made[nd.bottom[0].Name]
			if l != nil && l.index >= 0 && isLoss(l) && len(n.file.Net.Layer[l.index].LossWeight) == 0 {
				names = append(names, l.name)
			}
		}
		for _, b := range nd.top {
			made[b.Name] = nd
		}
	}
	if names == nil {
		return ""
	}
	return layersNamed(
		names,
	) + ": a loss without a loss_weight counts with weight 1, and another layer reads it too: the gradient " +
		"is that of both, where Caffe's is that of the other layer alone (loss_weight: 0 gives Caffe's)"
}

func splitName(blob, layer string, top, k int) string {
	return fmt.Sprintf("%s_%s_%d_split_%d", blob, layer, top, k)
}

var reSplitName = regexp.MustCompile(`_split_\d+$`)

func isSplitName(blob string) bool { return reSplitName.MatchString(blob) }
