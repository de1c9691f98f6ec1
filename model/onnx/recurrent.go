package onnx

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/model/onnx/onnxpb"
)

// Caffe's LSTM and RNN are loops over time (Scan): ONNX's own have no number that says where sequences go on. Hidden
// states that pass from one batch to the next are inputs and outputs of the graph.

// recurrence is what both have in common.
type recurrence struct {
	*emitter
	steps, streams extents // of the bottom: 1 axis each
	size           int
	z, cont        string   // gate inputs, T × N × width; the second bottom
	states         []string // before the first step, N × size each
	wh             int      // the parameter that hidden states are multiplied with
}

// recur reads the bottoms of a layer that has so many states, and width gate inputs for each hidden unit.
func recur(e *emitter, states, width int) (*recurrence, error) {
	p, x := e.param.GetRecurrentParam(), e.in[0].shape
	r := &recurrence{emitter: e, size: int(p.GetNumOutput()), cont: e.bottom(1), wh: 2,
		steps: x.part(0, 1), streams: x.part(1, 2)}
	width *= r.size
	in := e.bottom(0)
	if x.axes() == 2 { // a number for each
		in = e.value("Unsqueeze", []string{in, e.list(2)})
	}
	rows := e.value("Flatten", []string{in}, intOf("axis", 2))
	rows = e.value("Gemm", []string{rows, e.weight(0, nil), e.weight(1, nil)}, intOf("transB", 1))
	whole := x.part(0, 2)
	var err error
	if r.z, err = e.reshaped(rows, whole.joined(2).with(width), whole.with(width)); err != nil {
		return nil, err
	}
	given := e.in[2:]
	if !exposed(e.param) {
		states = 0
	}
	if len(given) > states { // an input that stays the same
		fixed := e.value("Flatten", []string{given[0].tensor}, intOf("axis", 1))
		fixed = e.value("Gemm", []string{fixed, e.weight(2, nil)}, intOf("transB", 1))
		r.z = e.value("Add", []string{r.z, fixed})
		r.wh, given = 3, given[1:]
	}
	for _, b := range given {
		state, err := e.reshaped(b.tensor, b.shape, r.streams.with(r.size))
		if err != nil {
			return nil, err
		}
		r.states = append(r.states, state)
	}
	return r, nil
}

// begin gives the states names: those of bottoms, or those of inputs of the graph.
func (r *recurrence) begin(names ...string) {
	if len(r.states) > 0 {
		return
	}
	for _, n := range names {
		state := free(r.values, r.Name+"."+n+"0")
		r.states = append(r.states, state)
		r.statesIn = append(r.statesIn, r.streams.with(r.size).value(state, 0))
	}
}

// scan runs over time what step adds: nodes that make the states behind a step of those before it, given the step's
// gate inputs with those of the hidden state, and cont with an axis more. The hidden states of all steps become all.
func (r *recurrence) scan(all string, names []string, step func(before []string, gates, cont string) []string) error {
	r.begin(names...)
	state := func(name string) *onnxpb.ValueInfoProto { return r.streams.with(r.size).value(name, 0) }
	body := &onnxpb.GraphProto{Name: proto.String(r.Name + "/step")}
	outer := r.nodes
	r.nodes = nil
	var before []string
	for _, n := range names {
		before = append(before, free(r.values, r.Name+"/step/"+n))
		body.Input = append(body.Input, state(before[len(before)-1]))
	}
	z, cont := free(r.values, r.Name+"/step/z"), free(r.values, r.Name+"/step/cont")
	width := r.params[r.wh].shape[0]
	body.Input = append(body.Input, r.streams.with(width).value(z, 0), r.streams.value(cont, 0))
	goesOn := r.value("Unsqueeze", []string{cont, r.list(1)})
	h := r.value("Mul", []string{before[0], goesOn})
	gates := r.value("Gemm", []string{h, r.weight(r.wh, nil), z}, intOf("transB", 1))
	after := step(before, gates, goesOn)
	after = append(after, r.value("Identity", []string{after[0]})) // a value is an output once
	for _, n := range after {
		body.Output = append(body.Output, state(n))
	}
	body.Node, r.nodes = r.nodes, outer

	var ends []string
	for _, n := range names {
		ends = append(ends, free(r.values, r.Name+"."+n))
	}
	in := append(slices.Clone(r.states), r.z, r.cont)
	loop := &onnxpb.AttributeProto{
		Name: proto.String("body"), G: body, Type: onnxpb.AttributeProto_GRAPH.Enum(),
	}
	r.add(r.Name, "Scan", in, append(slices.Clone(ends), all), loop, intOf("num_scan_inputs", 2))
	for i, end := range ends {
		if !exposed(r.param) {
			r.statesOut = append(r.statesOut, state(end))
			continue
		}
		b := r.out[1+i]
		if err := r.reshape(end, b.tensor, r.streams.with(r.size), b.shape); err != nil {
			return err
		}
	}
	return nil
}

func lstm(e *emitter) error {
	r, err := recur(e, 2, 4)
	if err != nil {
		return err
	}
	return r.scan(e.out[0].tensor, []string{"h", "c"}, func(before []string, gates, cont string) []string {
		c, h := e.cell(e.gates(gates, r.size, 1), before[1], cont)
		return []string{h, c}
	})
}

// rnn has outputs of its hidden states: tanh(W·h + b).
func rnn(e *emitter) error {
	r, err := recur(e, 1, 1)
	if err != nil {
		return err
	}
	hidden := free(e.values, e.Name+"/hidden")
	err = r.scan(hidden, []string{"h"}, func(_ []string, gates, _ string) []string {
		return []string{e.value("Tanh", []string{gates})}
	})
	if err != nil {
		return err
	}
	rows := e.value("Flatten", []string{hidden}, intOf("axis", 2))
	rows = e.value("Gemm", []string{rows, e.weight(r.wh+1, nil), e.weight(r.wh+2, nil)}, intOf("transB", 1))
	y := e.out[0].shape
	return e.reshape(e.value("Tanh", []string{rows}), e.out[0].tensor, y.joined(2), y)
}

// gates cuts the gate inputs, along an axis, into those of i, f, o and g.
func (e *emitter) gates(x string, size, axis int) []string {
	parts := make([]string, 4)
	for i := range parts {
		parts[i] = free(e.values, e.Name+"/gate")
	}
	n := int64(size)
	e.add(e.Name+"/Split", "Split", []string{x, e.list(n, n, n, n)}, parts, intOf("axis", axis))
	return parts
}

// lstmUnit is one step of an LSTM.
func lstmUnit(e *emitter) error {
	gates := e.gates(e.bottom(1), e.in[0].shape.n[2], 2)
	c, h := e.cell(gates, e.bottom(0), e.value("Unsqueeze", []string{e.bottom(2), e.list(2)}))
	e.to(e.out[0].tensor, "Identity", []string{c})
	e.to(e.out[1].tensor, "Identity", []string{h})
	return nil
}

// cell is what an LSTM's gates make of the cells before: c = f·cont·before + i·g, h = o·tanh(c).
func (e *emitter) cell(gates []string, before, cont string) (c, h string) {
	sigmoid := func(i int) string { return e.value("Sigmoid", []string{gates[i]}) }
	forget := e.value("Mul", []string{sigmoid(1), cont})
	kept := e.value("Mul", []string{forget, before})
	added := e.value("Mul", []string{sigmoid(0), e.value("Tanh", []string{gates[3]})})
	c = e.value("Add", []string{kept, added})
	h = e.value("Mul", []string{sigmoid(2), e.value("Tanh", []string{c})})
	return c, h
}

// exposed reports whether a layer's hidden states are bottoms and tops.
func exposed(p *caffepb.LayerParameter) bool { return p.GetRecurrentParam().GetExposeHidden() }
