package onnx

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/layer"
)

// blob is one version of a blob: a layer that works in place makes another.
type blob struct {
	name    string // in the net
	tensor  string // in the graph
	shape   extents
	maker   *node
	readers []*node // those that are not cut
	// How the layers that are cut read it: as what the net says, or as what it should have said. Silence is the third.
	prediction, label, silenced bool
	cut                         bool // a layer that is cut makes it
}

// fate is what becomes of a layer.
type fate int

const (
	made     fate = iota // it becomes nodes
	renamed              // it does nothing: what reads its top reads its bottom
	input                // its tops are inputs of the graph
	cut                  // nothing of it is left
	absorbed             // the layer before does its work
)

// node is a layer.
type node struct {
	model.LayerInfo
	param   *caffepb.LayerParameter
	op      op
	fate    fate
	in, out []*blob
	params  []parameter
	phase   caffepb.Phase
}

// parameter is a parameter of a layer. Layers that share one have the same key.
type parameter struct {
	key    *layer.Param
	shape  []int
	values []float32
	absent bool // there are no values for it in the weights
}

// plan is what becomes of the layers of a net.
type plan struct {
	file    *caffe.NetFile
	nodes   []*node
	outputs []*blob
	notes   []string
}

// newPlan looks at a net that was built without its data; types are those of its file. other is the same net for a
// batch that is larger by one, or nil.
func newPlan(f *caffe.NetFile, n, other *model.Net, values map[*layer.Param][]float32) *plan {
	p := &plan{file: f}
	layers := model.LayersOf(n, f)
	var more []model.LayerInfo
	if other != nil {
		more = other.Layers()
	}
	newest := map[string]*blob{}
	params := map[string][]parameter{}
	n.EachParam(func(name string, _ int, q *layer.Param) {
		v, ok := values[q]
		params[name] = append(params[name], parameter{key: q, shape: q.Shape, values: v, absent: !ok})
	})
	for i, l := range layers {
		nd := &node{LayerInfo: l, param: n.LayerParam(l.Name), phase: n.Phase, params: params[l.Name]}
		for k := range nd.params { // a shared one may have another here
			nd.params[k].shape = l.Params[k]
		}
		for _, b := range l.Bottom {
			nd.in = append(nd.in, newest[b])
		}
		for k, name := range l.Top {
			b := &blob{name: name, maker: nd, shape: extents{l.Shapes[k], l.Shapes[k]}}
			if more != nil {
				b.shape.other = more[i].Shapes[k]
			}
			nd.out = append(nd.out, b)
			newest[name] = b
		}
		p.nodes = append(p.nodes, nd)
	}
	return p
}

// decide says of each layer what becomes of it.
func (p *plan) decide() {
	for _, nd := range p.nodes {
		nd.op = opOf(nd)
		switch {
		case nd.op.fate == input:
		case slices.ContainsFunc(nd.in, func(b *blob) bool { return b.cut }):
			nd.op = op{fate: cut, why: "it reads what is cut"}
		}
		nd.fate = nd.op.fate
		if nd.op.loss { // its first top, the loss, goes; what it computes of its first bottom stays
			p.lossOutput(nd)
		}
		for k, b := range nd.in {
			switch {
			case nd.fate != cut && (!nd.op.loss || k == 0):
				b.readers = append(b.readers, nd)
			case nd.Type == "Silence":
				b.silenced = true
			case k > 0 || nd.Type == "HDF5Output":
				b.label = true
			default:
				b.prediction = true
			}
		}
		if nd.fate == cut {
			for _, b := range nd.out {
				b.cut = true
			}
		}
	}
	p.findOutputs()
	p.dropUnused()
}

// lossOutput gives a loss over a softmax the top that is left of it: its second, or where it has none one of a new
// name: prob, as in Caffe's nets for deployment, where there is one such layer, and else LAYER/prob.
func (p *plan) lossOutput(nd *node) {
	if len(nd.out) > 0 {
		nd.out[0].cut = true
	}
	if len(nd.out) > 1 {
		nd.out = nd.out[1:2]
		return
	}
	name, alone := "prob", 0
	for _, o := range p.nodes {
		if ops[o.Type].loss && len(o.out) < 2 {
			alone++
		}
		if slices.Contains(o.Top, name) {
			alone = 2
		}
	}
	if alone > 1 {
		name = nd.Name + "/prob"
	}
	nd.out = []*blob{{name: name, maker: nd, shape: nd.in[0].shape}}
}

// findOutputs lists the blobs that nobody reads, without those that were only there for a loss.
func (p *plan) findOutputs() {
	for _, nd := range p.nodes {
		if nd.fate == cut || nd.fate == input {
			continue
		}
		for _, b := range nd.out {
			switch {
			case len(b.readers) > 0 || b.cut:
			case b.prediction:
				p.outputs = append(p.outputs, b)
			case b.label && takesParams(b), !b.label && !b.silenced:
				p.outputs = append(p.outputs, b)
			}
		}
	}
	for _, b := range p.outputs {
		if b.maker.fate == renamed && b.maker.in[0].name != b.name {
			b.maker.fate, b.maker.op = made, op{emit: identity} // an output has the name of its blob
		}
	}
}

// takesParams reports whether parameters are needed for a blob.
func takesParams(b *blob) bool {
	seen := map[*node]bool{}
	var takes func(nd *node) bool
	takes = func(nd *node) bool {
		if seen[nd] {
			return false
		}
		seen[nd] = true
		return len(nd.params) > 0 || slices.ContainsFunc(nd.in, func(b *blob) bool { return takes(b.maker) })
	}
	return takes(b.maker)
}

// dropUnused cuts the layers that no output needs.
func (p *plan) dropUnused() {
	needed := map[*node]bool{}
	var need func(b *blob)
	need = func(b *blob) {
		if needed[b.maker] {
			return
		}
		needed[b.maker] = true
		for k, in := range b.maker.in {
			if !b.maker.op.loss || k == 0 {
				need(in)
			}
		}
	}
	for _, b := range p.outputs {
		need(b)
	}
	for _, nd := range p.nodes {
		switch {
		case nd.fate == cut:
			p.notes = append(p.notes, cutNote(nd))
		case needed[nd] && nd.op.note != "":
			note := strings.ReplaceAll(nd.op.note, "LAYER", nd.Name)
			p.notes = append(p.notes, fmt.Sprintf("%s (%s): %s", nd.Name, nd.Type, note))
		case !needed[nd] && nd.fate != input:
			p.notes = append(p.notes, fmt.Sprintf("%s (%s) is cut: nothing that is left reads it", nd.Name, nd.Type))
			nd.fate = cut
		}
		for k, b := range nd.in {
			if nd.fate == cut && !(nd.op.loss && k > 0) {
				b.readers = slices.DeleteFunc(b.readers, func(r *node) bool { return r == nd })
			}
		}
	}
	for _, nd := range p.nodes {
		if nd.fate != input {
			continue
		}
		for _, b := range nd.out {
			if b.cut = len(b.readers) == 0; b.cut {
				p.notes = append(p.notes, fmt.Sprintf("%s of %s (%s) is cut: nothing that is left reads it", b.name,
					nd.Name, nd.Type))
			}
		}
	}
}

func cutNote(nd *node) string {
	why := nd.op.why
	if strings.HasSuffix(nd.Type, "Loss") && len(nd.in) > 0 && !nd.in[0].cut {
		why += "; " + nd.in[0].name + " is as it was"
	}
	return fmt.Sprintf("%s (%s) is cut: %s", nd.Name, nd.Type, why)
}

// name gives each value its name in the graph: that of its blob for inputs and for the last layer that writes the blob;
// BLOB@LAYER for what a layer in place replaces.
func (p *plan) name(g *graph) {
	last := map[string]*blob{}
	var inputs, others []*blob
	for _, nd := range p.nodes {
		if nd.fate != made && nd.fate != input {
			continue
		}
		for _, b := range nd.out {
			switch {
			case nd.fate == input && b.cut:
			case nd.fate == input:
				inputs = append(inputs, b)
			default:
				last[b.name] = b
				others = append(others, b)
			}
		}
	}
	for _, b := range inputs {
		b.tensor = free(g.values, b.name)
		delete(last, b.name)
	}
	for _, b := range others {
		if last[b.name] == b {
			b.tensor = free(g.values, b.name)
		}
	}
	for _, b := range others {
		if last[b.name] != b {
			b.tensor = free(g.values, b.name+"@"+b.maker.Name)
		}
	}
	for _, nd := range p.nodes {
		if nd.fate == renamed {
			for _, b := range nd.out {
				b.tensor = nd.in[0].tensor
			}
		}
	}
}

// only returns the layer that alone reads a blob which is no output, or nil.
func (p *plan) only(b *blob) *node {
	if len(b.readers) != 1 || b.prediction || b.label || b.silenced || slices.Contains(p.outputs, b) {
		return nil
	}
	return b.readers[0]
}

// isInput reports whether what a layer hands out is an input of the graph: data, and numbers that are drawn.
func isInput(typ string, p *caffepb.LayerParameter) bool {
	return typ == "Input" || model.ReadsData(typ) || typ == "DummyData" && !constantData(p)
}

// withBatch returns a file without data layers, for a batch that is larger: the first extent of the inputs that have
// the batch first. What n was built of has n's shapes.
func withBatch(f *caffe.NetFile, n *model.Net, larger int) (file *caffe.NetFile, batch int) {
	net := proto.CloneOf(f.Net)
	for _, l := range model.LayersOf(n, f) {
		if !isInput(l.Type, n.LayerParam(l.Name)) {
			continue
		}
		in := &caffepb.InputParameter{}
		for _, shape := range l.Shapes {
			s := &caffepb.BlobShape{Dim: wide(shape)}
			if len(shape) > 0 && batch == 0 {
				batch = shape[0]
			}
			if len(shape) > 0 && shape[0] == batch {
				s.Dim[0] += int64(larger)
			}
			in.Shape = append(in.Shape, s)
		}
		old := net.Layer[l.Index()]
		net.Layer[l.Index()] = &caffepb.LayerParameter{
			Name: old.Name, Type: proto.String("Input"), Top: old.Top, Include: old.Include, Exclude: old.Exclude,
			InputParam: in,
		}
	}
	return f.Replace(net), batch
}

// largerBatch builds the net for a batch that is larger by one, or says why it cannot be.
func largerBatch(f *caffe.NetFile, n *model.Net, state *caffepb.NetState) (other *model.Net, batch int, why string) {
	file, batch := withBatch(f, n, 1)
	if batch == 0 {
		return nil, 0, "the net has no input"
	}
	other, err := model.NewNet(file, model.NetOptions{Device: gpu.NewDry(nil), State: state})
	if err != nil {
		return nil, batch, fmt.Sprintf("the net does not build with another: %v", err)
	}
	a, b := n.Layers(), other.Layers()
	for i := range a {
		if fmt.Sprint(a[i].Params) != fmt.Sprint(b[i].Params) {
			other.Close()
			return nil, batch, fmt.Sprintf("the weights of layer %s have its extent", a[i].Name)
		}
	}
	return other, batch, ""
}
