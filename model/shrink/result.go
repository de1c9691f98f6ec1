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
	g.flow()
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
			left[0] = pickColumns(left[0], used, nd.param.GetInnerProductParam().GetTranspose())
		}
		if len(nd.blobs) == 0 {
			continue
		}
		if left == nil {
			for i, v := range nd.blobs {
				left = append(left, array{nd.Params[i], v})
			}
		}
		stored := &caffepb.LayerParameter{Name: proto.String(nd.Name), Type: proto.String(nd.Type)}
		for _, a := range left {
			stored.Blobs = append(stored.Blobs, caffe.NewBlob(a.shape, a.values))
		}
		r.Weights.Layer = append(r.Weights.Layer, stored)
		r.add(nd, left, used)
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

// add takes in what became of a layer.
func (r *Result) add(nd *node, left []array, used []int) {
	l := Layer{Name: nd.Name, Type: nd.Type}
	if len(nd.in) > 0 {
		for _, c := range nd.in[0].channels {
			l.Inputs += c.extent
			if !c.unit.root().removed {
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
			l.Params += len(nd.blobs[i])
		}
		for _, a := range left {
			l.ParamsLeft += len(a.values)
		}
	}
	r.Before, r.After = r.Before+l.Params, r.After+l.ParamsLeft
	r.Layers = append(r.Layers, l)
}

// kept says why constant outputs stay.
func (g *graph) kept() []string {
	why, lost := map[*unit]string{}, map[*unit]string{}
	for _, b := range g.tops {
		for _, c := range b.channels {
			if u := c.unit.root(); lost[u] == "" {
				lost[u] = c.lost
			}
		}
	}
	for _, nd := range g.nodes {
		rd, _ := nd.op.(reader)
		if rd == nil {
			continue
		}
		for at, c := range nd.in[0].places() {
			if u := c.unit.root(); c.known && c.value != 0 && !rd.folds(nd) && rd.reads(nd, at, c.extent) &&
				why[u] == "" {
				why[u] = fmt.Sprintf("read by %s, whose padding is 0 and not the constant", nd.Name)
			}
		}
	}
	var out []string
	for _, nd := range g.nodes {
		l, ok := nd.op.(linear)
		if !ok {
			continue
		}
		counts, order := map[string]int{}, []string{}
		for _, c := range made(l, nd)[0].channels {
			u := c.unit.root()
			if u.removed || !c.known {
				continue
			}
			reason := why[u]
			switch {
			case u.pin != "":
				reason = u.pin
			case reason == "" && g.isLast(u):
				reason = "the last of a blob"
			case reason == "" && lost[u] != "":
				reason = "lost in " + lost[u]
			case reason == "":
				reason = "it meets, channel by channel, one that is not constant"
			}
			if counts[reason]++; counts[reason] == 1 {
				order = append(order, reason)
			}
		}
		for _, reason := range order {
			out = append(out, fmt.Sprintf("%s: %d constant outputs stay: %s", nd.Name, counts[reason], reason))
		}
	}
	return out
}
