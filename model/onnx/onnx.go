// Package onnx makes an ONNX graph of a net and its weights, for any runtime: operator set 13, float32.
//
// The net is looked at in three steps. A plan says what becomes of each layer: nodes, an input, nothing (losses, and
// what only labels feed). Every version of a blob gets a name: a layer that works in place makes another value. Then
// each layer that is left makes its nodes.
//
// Whether the batch may be any is found by building the net for another one as well: what differs then follows the
// batch. Where a layer cannot say it without the number, the graph is for one batch, and the result says why.
package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/files"
	"dns-tui/model"
	"dns-tui/model/layer"
	"dns-tui/model/onnx/onnxpb"
)

const (
	irVersion   = 7 // of the schema, as operator set 13 had it
	operatorSet = 13
)

// IsName reports whether a file of this name is an ONNX graph.
func IsName(path string) bool { return files.HasExt(path, ".onnx") }

// Options say how a graph is made.
type Options struct {
	State *caffepb.NetState // which the net was built for
	// Fold multiplies BatchNorm, Scale and Bias into the convolution or inner product before them. Without it a Scale
	// is in the BatchNormalization before it, and else each layer is on its own.
	Fold bool
	// Preprocess puts the transform_param of data layers in front of the graph, whose inputs are then images as they
	// are stored.
	Preprocess bool
	Producer   string // the program's version
}

// Model is a graph.
type Model struct {
	proto   *onnxpb.ModelProto
	tensors []tensor
	// Inputs and Outputs are as data N×1×28×28.
	Inputs, Outputs []string
	// Fixed says why the graph is for one batch; it is empty where the batch, N, may be any.
	Fixed string
	Batch int // then
	Nodes int
	// Notes say what was cut, and what the weights file has beside, a line each.
	Notes []string
}

// New makes a graph of a net whose file is f, and which n was built from, on a device that allocates nothing; w are its
// weights with the masks applied, path is their file. An error lists all layers that have no counterpart.
func New(f *caffe.NetFile, n *model.Net, path string, w *caffepb.NetParameter, o Options) (*Model, error) {
	values, loaded, err := n.ParamValues(path, w)
	if err != nil {
		return nil, err
	}
	other, batch, why := largerBatch(f, n, o.State)
	if other != nil {
		defer other.Close()
	}
	m, err := build(newPlan(f, n, other, values), path, batch, o)
	if e, ok := errors.AsType[*fixedError](err); ok {
		why = e.why
		m, err = build(newPlan(f, n, nil, values), path, batch, o)
	}
	if err != nil {
		return nil, err
	}
	m.Fixed, m.Batch = why, batch
	m.Notes = append(m.Notes, loaded.Notices...)
	return m, nil
}

// build makes the graph of a plan.
func build(p *plan, path string, batch int, o Options) (*Model, error) {
	p.decide()
	if err := p.check(path); err != nil {
		return nil, err
	}
	p.mergeScales()
	if o.Fold {
		p.fold()
	}
	g := newGraph()
	p.name(g)
	for _, nd := range p.nodes {
		g.layers[nd.Name] = true
	}
	m := &Model{Notes: p.notes}
	net := &onnxpb.GraphProto{Name: proto.String(strings.ToValidUTF8(p.file.Net.GetName(), "\ufffd"))}
	if net.GetName() == "" {
		net.Name = proto.String("net") // ONNX wants one
	}
	var errs []error
	weights := map[weightKey]string{}
	for _, nd := range p.nodes {
		e := &emitter{graph: g, node: nd, weights: weights}
		switch nd.fate {
		case made:
			err := nd.op.emit(e)
			if _, ok := errors.AsType[*fixedError](err); ok {
				return nil, err
			}
			if err != nil {
				errs = append(errs, p.file.Errorf(nd.Index(), "(%s) has no counterpart in ONNX here: %v", nd.Type, err))
			}
		case input:
			in, err := e.inputs(p.file, batch, o)
			if err != nil {
				errs = append(errs, p.file.Errorf(nd.Index(), "(%s) %v", nd.Type, err))
			}
			net.Input = append(net.Input, in...)
		}
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	for _, b := range p.outputs {
		net.Output = append(net.Output, b.shape.value(b.tensor, batch))
	}
	net.Input, net.Output = append(net.Input, g.statesIn...), append(net.Output, g.statesOut...)
	net.Node, m.Nodes = g.nodes, len(g.nodes)
	m.tensors = used(g)
	m.Inputs, m.Outputs = described(net.Input), described(net.Output)
	m.proto = &onnxpb.ModelProto{
		IrVersion:    proto.Int64(irVersion),
		OpsetImport:  []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(operatorSet)}},
		ProducerName: proto.String("dns-tui"), Graph: net,
	}
	if o.Producer != "" {
		m.proto.ProducerVersion = proto.String(o.Producer)
	}
	return m, nil
}

// used leaves out constants that no node reads.
func used(g *graph) []tensor {
	read := map[string]bool{}
	var look func(nodes []*onnxpb.NodeProto)
	look = func(nodes []*onnxpb.NodeProto) {
		for _, n := range nodes {
			for _, in := range n.Input {
				read[in] = true
			}
			for _, a := range n.Attribute {
				look(a.GetG().GetNode())
			}
		}
	}
	look(g.nodes)
	return slices.DeleteFunc(g.tensors, func(t tensor) bool { return !read[t.name] })
}

// check lists all layers that have no counterpart, and those that have no weights.
func (p *plan) check(path string) error {
	var errs []error
	var empty []string
	for _, nd := range p.nodes {
		if nd.fate != made {
			continue
		}
		if nd.op.emit == nil {
			errs = append(errs, p.file.Errorf(nd.Index(), "(%s) has no counterpart in ONNX: %s", nd.Type, nd.op.why))
		}
		if slices.ContainsFunc(nd.params, func(q parameter) bool { return q.absent }) {
			empty = append(empty, nd.Name)
		}
	}
	if len(empty) > 0 {
		errs = append(errs, &caffe.FileError{
			Path: path, Msg: "has no weights for these layers of " + p.file.Path + ": " + strings.Join(empty, ", "),
		})
	}
	if len(errs) == 0 && len(p.outputs) == 0 {
		errs = append(errs, p.file.Errorf(-1, "has no output but losses and what wants labels"))
	}
	return errors.Join(errs...)
}

// described are inputs or outputs as people read them.
func described(values []*onnxpb.ValueInfoProto) []string {
	var out []string
	for _, v := range values {
		var dims []string
		for _, d := range v.GetType().GetTensorType().GetShape().GetDim() {
			switch d := d.Value.(type) {
			case *onnxpb.TensorShapeProto_Dimension_DimValue:
				dims = append(dims, fmt.Sprint(d.DimValue))
			case *onnxpb.TensorShapeProto_Dimension_DimParam:
				dims = append(dims, d.DimParam)
			default:
				dims = append(dims, "?")
			}
		}
		out = append(out, strings.TrimSpace(v.GetName()+" "+strings.Join(dims, "×")))
	}
	return out
}

// mergeScales puts each Scale of channels into the BatchNorm before it.
func (p *plan) mergeScales() {
	for _, nd := range p.nodes {
		if nd.fate != made || nd.Type != "BatchNorm" || !global(nd) {
			continue
		}
		if next := p.only(nd.out[0]); next != nil && next.Type == "Scale" && ofChannels(next) {
			nd.op.scale = next
			p.absorb(nd, next)
		}
	}
}

// absorb lets nd make what next made.
func (p *plan) absorb(nd, next *node) {
	next.fate = absorbed
	nd.out = next.out
	for _, b := range nd.out {
		b.maker = nd
	}
}

// ofChannels reports a made Scale or Bias that has a number of its own for each channel.
func ofChannels(nd *node) bool {
	axis := int(nd.param.GetScaleParam().GetAxis())
	if nd.Type == "Bias" {
		axis = int(nd.param.GetBiasParam().GetAxis())
	}
	x := nd.in[0].shape
	return nd.fate == made && len(nd.in) == 1 && x.axes() > 1 && plain(axis, x.axes()) == 1 &&
		len(nd.params[0].shape) == 1
}

// fold puts what works on channels into the product before.
func (p *plan) fold() {
	users := map[*layer.Param]int{}
	for _, nd := range p.nodes {
		for _, q := range nd.params {
			users[q.key]++
		}
	}
	for _, nd := range p.nodes {
		if nd.fate != made || !foldable(nd, users) {
			continue
		}
		for next := p.only(nd.out[0]); next != nil && next.fate == made; next = p.only(nd.out[0]) {
			factors, offsets := channelwise(next)
			if factors == nil {
				break
			}
			multiply(nd, factors, offsets)
			p.absorb(nd, next)
		}
	}
}

// foldable reports a convolution or an inner product over axis 1 whose weights are its own.
func foldable(nd *node, users map[*layer.Param]int) bool {
	switch nd.Type {
	case "Convolution", "CConvolution":
		if plain(int(nd.param.GetConvolutionParam().GetAxis()), nd.in[0].shape.axes()) != 1 || len(nd.in) != 1 {
			return false
		}
	case "InnerProduct", "CInnerProduct":
		if plain(int(nd.param.GetInnerProductParam().GetAxis()), nd.in[0].shape.axes()) != 1 {
			return false
		}
	default:
		return false
	}
	return !slices.ContainsFunc(nd.params, func(q parameter) bool { return users[q.key] > 1 })
}

// channelwise is a layer as y = factor·x + offset for each channel, or nil.
func channelwise(nd *node) (factors, offsets []float32) {
	switch nd.Type {
	case "BatchNorm":
		if !global(nd) || nd.in[0].shape.axes() < 2 {
			return nil, nil
		}
		eps := float64(nd.param.GetBatchNormParam().GetEps())
		mean, variance := statistics(nd.params)
		for i, v := range variance {
			a, b := 1/math.Sqrt(float64(v)+eps), 0.0
			if s := nd.op.scale; s != nil {
				a *= float64(s.params[0].values[i])
				if len(s.params) > 1 {
					b = float64(s.params[1].values[i])
				}
			}
			factors = append(factors, float32(a))
			offsets = append(offsets, float32(b-a*float64(mean[i])))
		}
	case "Scale":
		if !ofChannels(nd) {
			return nil, nil
		}
		factors, offsets = nd.params[0].values, make([]float32, len(nd.params[0].values))
		if len(nd.params) > 1 {
			offsets = nd.params[1].values
		}
	case "Bias":
		if !ofChannels(nd) {
			return nil, nil
		}
		offsets = nd.params[0].values
		for range offsets {
			factors = append(factors, 1)
		}
	}
	return factors, offsets
}

// multiply changes the weights of a product for factors and offsets of its outputs.
func multiply(nd *node, factors, offsets []float32) {
	w := &nd.params[0]
	values := slices.Clone(w.values)
	for i := range values {
		if nd.param.GetInnerProductParam().GetTranspose() {
			values[i] *= factors[i%len(factors)]
		} else {
			values[i] *= factors[i/(len(values)/len(factors))]
		}
	}
	w.values = values
	bias := slices.Clone(offsets)
	if len(nd.params) > 1 {
		for i, b := range nd.params[1].values {
			bias[i] += b * factors[i]
		}
		nd.params[1].values = bias
		return
	}
	nd.params = append(nd.params, parameter{
		key: &layer.Param{Layer: nd.Name, Index: 1}, shape: []int{len(bias)}, values: bias,
	})
}
