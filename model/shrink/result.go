package shrink

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// result makes the smaller net of what is left. Layers of other phases than the one that was looked at stay as they
// are: they have no weights of their own.
func (g *graph) result(f *caffe.NetFile, w *caffepb.NetParameter) (*Result, error) {
	g.flow()
	r := &Result{Net: proto.Clone(f.Net).(*caffepb.NetParameter), Weights: &caffepb.NetParameter{Name: w.Name}}
	inFile := map[string][]*caffepb.LayerParameter{}
	var names caffe.LayerNames
	for _, l := range r.Net.Layer {
		l.Blobs = nil
		name := names.Next(l.GetName(), l.GetType())
		inFile[name] = append(inFile[name], l)
	}
	before := map[*caffepb.LayerParameter][]*caffepb.LayerParameter{}
	for _, nd := range g.nodes {
		file := inFile[nd.Name]
		if len(file) == 0 {
			return nil, fmt.Errorf("layer %q is not in %s", nd.Name, f.Path)
		}
		var left []array
		used := picks(nd)
		for _, l := range file {
			if left = nd.op.shrink(nd, l); used != nil {
				before[l] = pickBefore(l, used, len(left[0].values)/len(keptOutputs(nd)))
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
	var layers []*caffepb.LayerParameter
	for _, l := range r.Net.Layer {
		layers = append(append(layers, before[l]...), l)
	}
	r.Net.Layer = layers
	r.Kept = g.kept()
	return r, nil
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
	why := map[*unit]string{}
	for _, nd := range g.nodes {
		rd, _ := nd.op.(reader)
		at := 0
		if rd == nil {
			continue
		}
		for _, c := range nd.in[0].channels {
			if u := c.unit.root(); c.known && c.value != 0 && !rd.folds(nd) && rd.reads(nd, at, c.extent) &&
				why[u] == "" {
				why[u] = fmt.Sprintf("read by %s, whose padding is 0 and not the constant", nd.Name)
			}
			at += c.extent
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
