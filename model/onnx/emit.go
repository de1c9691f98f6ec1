package onnx

import (
	"fmt"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/model/layer"
	"dns-tui/model/onnx/onnxpb"
)

// A fixedError says why a graph is for one batch alone.
type fixedError struct{ why string }

func (e *fixedError) Error() string { return e.why }

// emitter makes the nodes of one layer.
type emitter struct {
	*graph
	*node
	weights map[weightKey]string
}

// weightKey is a form of a parameter, which is in the graph once.
type weightKey struct {
	param *layer.Param
	shape string
}

// fix says that the graph has the batch in it.
func (e *emitter) fix(why string) error {
	return &fixedError{fmt.Sprintf("layer %s (%s) %s", e.Name, e.Type, why)}
}

// to adds a node that makes a value which has its name. The node that makes a top has the layer's name, or where
// another top's has it the top's; others do not take a layer's.
func (e *emitter) to(out, typ string, in []string, attrs ...*onnxpb.AttributeProto) {
	name := e.Name
	switch b := e.isTop(out); {
	case b == nil:
		for name += "/" + typ; e.layers[name]; {
			name += "'"
		}
	case e.named[name]:
		name = b.name
	}
	e.add(name, typ, in, []string{out}, attrs...)
}

// isTop returns the top that is a value, or nil.
func (e *emitter) isTop(tensor string) *blob {
	for _, b := range e.out {
		if b.tensor == tensor {
			return b
		}
	}
	return nil
}

// top makes the first top.
func (e *emitter) top(typ string, in []string, attrs ...*onnxpb.AttributeProto) {
	e.to(e.out[0].tensor, typ, in, attrs...)
}

// value adds a node that makes a value of its own.
func (e *emitter) value(typ string, in []string, attrs ...*onnxpb.AttributeProto) string {
	out := free(e.values, e.Name+"/"+typ)
	e.to(out, typ, in, attrs...)
	return out
}

// bottom is a bottom's name.
func (e *emitter) bottom(i int) string { return e.in[i].tensor }

// step is a node of a chain: what it reads beside the value, and its settings.
type step struct {
	typ   string
	with  []string
	attrs []*onnxpb.AttributeProto
}

// chain takes a value through steps to out.
func (e *emitter) chain(x, out string, steps ...step) {
	if len(steps) == 0 {
		steps = []step{{typ: "Identity"}}
	}
	for _, s := range steps[:len(steps)-1] {
		x = e.value(s.typ, append([]string{x}, s.with...), s.attrs...)
	}
	s := steps[len(steps)-1]
	e.to(out, s.typ, append([]string{x}, s.with...), s.attrs...)
}

// times and plus are steps by a number; they are none where that changes nothing.
func (e *emitter) times(v float32) []step {
	if v == 1 {
		return nil
	}
	return []step{{typ: "Mul", with: []string{e.scalar(v)}}}
}

func (e *emitter) plus(v float32) []step {
	if v == 0 {
		return nil
	}
	return []step{{typ: "Add", with: []string{e.scalar(v)}}}
}

// weight is a parameter of the layer, in a shape of as many elements; a nil shape is its own.
func (e *emitter) weight(i int, shape []int) string {
	p := e.params[i]
	if shape == nil {
		shape = p.shape
	}
	key := weightKey{p.key, caffe.FormatShape(shape)}
	if e.weights[key] == "" {
		name := p.key.Layer + "." + caffe.BlobName(e.param.GetType(), p.key.Index)
		e.weights[key] = e.constant(name, shape, p.values)
	}
	return e.weights[key]
}

// own is a constant of the layer's own.
func (e *emitter) own(name string, shape []int, values []float32) string {
	return e.constant(e.Name+"."+name, shape, values)
}

// reshaped is a value in another shape of as many elements, as a value of its own; one that has the shape is itself.
func (e *emitter) reshaped(x string, from, to extents) (string, error) {
	if from.equal(to) {
		return x, nil
	}
	shape, err := e.shape(from, to)
	if err != nil {
		return "", err
	}
	return e.value("Reshape", []string{x, shape}), nil
}

// reshape gives out a value in another shape.
func (e *emitter) reshape(x, out string, from, to extents) error {
	shape, err := e.shape(from, to)
	if err != nil {
		return err
	}
	e.to(out, "Reshape", []string{x, shape})
	return nil
}

// shape is what Reshape is told: 0 copies the extent of the same axis, one -1 is what is left.
func (e *emitter) shape(from, to extents) (string, error) {
	var list []int64
	rest := false
	for i, n := range to.n {
		switch {
		case !to.varies(i):
			list = append(list, int64(n))
		case i < from.axes() && from.n[i] == n && from.other[i] == to.other[i]:
			list = append(list, 0)
		case !rest:
			rest = true
			list = append(list, -1)
		default:
			return "", e.fix("has two axes that follow the batch")
		}
	}
	return e.list(list...), nil
}

// identity hands its bottom to each top.
func identity(e *emitter) error {
	for _, b := range e.out {
		e.to(b.tensor, "Identity", []string{e.bottom(0)})
	}
	return nil
}

// global reports whether a BatchNorm takes statistics of its own, not of the batch.
func global(nd *node) bool {
	if b := nd.param.GetBatchNormParam(); b != nil && b.UseGlobalStats != nil {
		return b.GetUseGlobalStats()
	}
	return nd.phase == caffepb.Phase_TEST
}
