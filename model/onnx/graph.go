package onnx

import (
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/gpu"
	"dns-tui/model/onnx/onnxpb"
)

// tensor is a constant of the graph: floats, or ints.
type tensor struct {
	name   string
	shape  []int
	floats []float32
	ints   []int64
}

// graph is what has been made so far of an ONNX graph. Each value and each node has a name of its own.
type graph struct {
	nodes   []*onnxpb.NodeProto
	tensors []tensor
	values  map[string]bool
	named   map[string]bool   // nodes
	layers  map[string]bool   // names that are for nodes of layers
	shared  map[string]string // constants that many nodes use, by what they hold
	// statesIn and statesOut are inputs and outputs that the net has not: what passes from run to run.
	statesIn, statesOut []*onnxpb.ValueInfoProto
}

func newGraph() *graph {
	return &graph{values: map[string]bool{}, named: map[string]bool{}, layers: map[string]bool{},
		shared: map[string]string{}}
}

// free makes a name one that taken has not yet, and takes it.
func free(taken map[string]bool, name string) string {
	name = strings.ToValidUTF8(name, "\ufffd") // ONNX's are UTF-8
	unique := name
	for k := 2; taken[unique] || unique == ""; k++ {
		unique = fmt.Sprintf("%s#%d", name, k)
	}
	taken[unique] = true
	return unique
}

// constant adds floats under a name like this one.
func (g *graph) constant(name string, shape []int, values []float32) string {
	t := tensor{name: free(g.values, name), shape: shape, floats: values}
	g.tensors = append(g.tensors, t)
	return t.name
}

// scalar is a number.
func (g *graph) scalar(v float32) string {
	key := fmt.Sprintf("const.%g", v)
	if v == 0 && math.Signbit(float64(v)) {
		key = "const.-0"
	}
	if _, ok := g.shared[key]; !ok {
		g.shared[key] = g.constant(key, []int{}, []float32{v})
	}
	return g.shared[key]
}

// list is a list of whole numbers: extents, axes, places.
func (g *graph) list(v ...int64) string {
	key := strings.ReplaceAll(strings.Trim(fmt.Sprint(v), "[]"), " ", ",")
	key = "const.[" + key + "]"
	if _, ok := g.shared[key]; !ok {
		t := tensor{name: free(g.values, key), shape: []int{len(v)}, ints: v}
		g.tensors = append(g.tensors, t)
		g.shared[key] = t.name
	}
	return g.shared[key]
}

// whole is a whole number.
func (g *graph) whole(v int64) string {
	key := fmt.Sprintf("const.int.%d", v)
	if _, ok := g.shared[key]; !ok {
		t := tensor{name: free(g.values, key), shape: []int{}, ints: []int64{v}}
		g.tensors = append(g.tensors, t)
		g.shared[key] = t.name
	}
	return g.shared[key]
}

func (g *graph) add(name, typ string, in, out []string, attrs ...*onnxpb.AttributeProto) {
	g.nodes = append(g.nodes, &onnxpb.NodeProto{
		Name: proto.String(free(g.named, name)), OpType: proto.String(typ), Input: in, Output: out, Attribute: attrs,
	})
}

func intOf(name string, v int) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{
		Name: proto.String(name), I: proto.Int64(int64(v)), Type: onnxpb.AttributeProto_INT.Enum(),
	}
}

func intsOf(name string, v ...int) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), Ints: wide(v), Type: onnxpb.AttributeProto_INTS.Enum()}
}

func floatOf(name string, v float32) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{
		Name: proto.String(name), F: proto.Float32(v), Type: onnxpb.AttributeProto_FLOAT.Enum(),
	}
}

func stringOf(name, v string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String(name), S: []byte(v), Type: onnxpb.AttributeProto_STRING.Enum()}
}

func wide(v []int) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out
}

// extents are a blob's, and what they are for another batch: where the two differ, the extent follows the batch.
type extents struct{ n, other []int }

func (x extents) axes() int { return len(x.n) }

// varies reports whether an extent follows the batch.
func (x extents) varies(axis int) bool { return x.n[axis] != x.other[axis] }

// joined has one axis in place of those before one, which may be none.
func (x extents) joined(axes int) extents {
	join := func(s []int) []int { return append([]int{gpu.Elements(s[:axes])}, s[axes:]...) }
	return extents{join(x.n), join(x.other)}
}

// part are some of the axes.
func (x extents) part(from, to int) extents { return extents{x.n[from:to], x.other[from:to]} }

// with are more axes behind.
func (x extents) with(extent ...int) extents {
	return extents{append(append([]int{}, x.n...), extent...), append(append([]int{}, x.other...), extent...)}
}

func (x extents) equal(y extents) bool {
	return fmt.Sprint(x) == fmt.Sprint(y)
}

// dims are extents as the type of an input or output has them. Those that are the batch are N; one that follows the
// batch otherwise has no name.
func (x extents) dims(batch int) []*onnxpb.TensorShapeProto_Dimension {
	var out []*onnxpb.TensorShapeProto_Dimension
	for i, n := range x.n {
		d := &onnxpb.TensorShapeProto_Dimension{}
		switch {
		case !x.varies(i):
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(n)}
		case n == batch && x.other[i] == batch+1:
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}
		}
		out = append(out, d)
	}
	return out
}

// value is a graph's input or output.
func (x extents) value(name string, batch int) *onnxpb.ValueInfoProto {
	return &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{
		Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
			ElemType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)),
			Shape:    &onnxpb.TensorShapeProto{Dim: x.dims(batch)},
		}},
	}}
}
