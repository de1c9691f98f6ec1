package shrink

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// result makes the smaller net of what is left. Layers of another phase stay as they are, with their weights; those
// that are the same as one of the net for another phase change with it.
func (g *graph) result(f *caffe.NetFile, w *caffepb.NetParameter) (*Result, error) {
	r := &Result{Net: proto.Clone(f.Net).(*caffepb.NetParameter), Weights: &caffepb.NetParameter{Name: w.Name}}
	for _, l := range r.Net.Layer {
		l.Blobs = nil
	}
	before := make([][]*caffepb.LayerParameter, len(r.Net.Layer)) // what is put before a layer
	for _, nd := range g.nodes {
		var left []array
		used, name := picks(nd), ""
		if used != nil {
			name = freeName(f.Net, nd.Name+"_inputs")
		}
		for _, i := range append([]int{nd.Index()}, nd.twins...) {
			l := r.Net.Layer[i]
			if left = nd.op.shrink(nd, l); used != nil {
				before[i] = pickBefore(l, name, used, len(left[0].values)/len(keptOutputs(nd)))
			}
		}
		if used != nil {
			left[0] = pickColumns(left[0], used, nd.op.(product1).transposed)
		}
		if len(nd.blobs) == 0 {
			continue
		}
		if left == nil {
			for i, v := range nd.blobs {
				left = append(left, array{nd.Params[i], v})
			}
		}
		// By the name in the file, which several layers may have: they are taken in order.
		stored := &caffepb.LayerParameter{Name: f.Net.Layer[nd.Index()].Name, Type: proto.String(nd.Type)}
		for i, a := range left {
			if caffe.ParamName(nd.param, i) != "" {
				stored.Param = nd.param.Param // with whom it is shared
			}
			stored.Blobs = append(stored.Blobs, caffe.NewBlob(a.shape, a.values))
		}
		r.Weights.Layer = append(r.Weights.Layer, stored)
		r.add(nd, left, used, g.shared)
	}
	g.addOthers(r, f, w)
	var layers []*caffepb.LayerParameter
	for i, l := range r.Net.Layer {
		layers = append(append(layers, before[i]...), l)
	}
	r.Net.Layer = layers
	r.Kept = g.kept()
	return r, nil
}

// addOthers takes in the weights of layers of another phase.
func (g *graph) addOthers(r *Result, f *caffe.NetFile, w *caffepb.NetParameter) {
	stored := map[string]bool{}
	for _, l := range r.Weights.Layer {
		stored[l.GetName()] = true
	}
	for _, i := range g.others {
		name := f.Net.Layer[i].GetName()
		if stored[name] {
			continue
		}
		for _, l := range w.Layer {
			if l.GetName() == name && len(l.Blobs) > 0 {
				stored[name] = true
				r.Weights.Layer = append(r.Weights.Layer,
					&caffepb.LayerParameter{Name: l.Name, Type: l.Type, Blobs: l.Blobs})
			}
		}
	}
}

// add takes in what became of a layer. Parameters that layers share are those of the first.
func (r *Result) add(nd *node, left []array, used []int, s shared) {
	l := Layer{Name: nd.Name, Type: nd.Type}
	if len(nd.in) > 0 {
		for _, c := range nd.in[0].channels {
			l.Inputs += c.extent
			if c.unit.root().stays {
				l.InputsLeft += c.extent
			}
		}
	}
	if used != nil { // of each value
		l.Inputs, l.InputsLeft = len(nd.blobs[0])/len(nd.units), len(used)
	}
	l.Outputs, l.OutputsLeft = len(nd.units), len(keptOutputs(nd))
	if nd.Type != "BatchNorm" { // whose blobs are statistics
		for i := range nd.blobs {
			if !s.counted(nd, i) {
				l.Params += len(nd.blobs[i])
			}
		}
		for i, a := range left {
			if !s.counted(nd, i) {
				l.ParamsLeft += len(a.values)
			}
		}
	}
	r.Before, r.After = r.Before+l.Params, r.After+l.ParamsLeft
	r.Layers = append(r.Layers, l)
}

// kept says why outputs stay that are constant, or that nothing reads.
func (g *graph) kept() []string {
	var out []string
	for _, nd := range g.nodes {
		if len(nd.units) == 0 {
			continue
		}
		counts, order := map[string]int{}, []string{}
		for _, c := range nd.out[0].channels {
			u := c.unit.root()
			if !u.stays || !c.known && !u.idle {
				continue
			}
			what, why := "constant", u.why
			switch {
			case !c.known:
				what = "unread"
			case why == "" && u.shared != "":
				why = u.shared
			case why == "":
				why = "it meets, channel by channel, one that is not constant"
			}
			line := fmt.Sprintf("%s outputs stay: %s", what, why)
			if counts[line]++; counts[line] == 1 {
				order = append(order, line)
			}
		}
		for _, line := range order {
			out = append(out, fmt.Sprintf("%s: %d %s", nd.Name, counts[line], line))
		}
	}
	return out
}
