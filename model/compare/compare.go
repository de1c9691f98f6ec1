// Package compare sets the weights of two nets side by side, layer by layer.
package compare

import (
	"fmt"
	"math"

	"dns-tui/caffe"
	"dns-tui/model"
	"dns-tui/model/layer"
)

// Layer is what two nets have in a layer of one name: weights and biases, as a forward pass takes them (W∘T), together.
// Running statistics are left out, and parameters that the layer shares with an earlier one.
type Layer struct {
	Name, Type string // the type is A's, or of a layer of B alone B's
	Prunable   bool   // surgery may prune it
	A, B       *Side  // nil: the net has no such layer, or it has no parameters
	// Both is nil where entries cannot be compared one by one, and Why says why not.
	Both *Both
	Why  string
}

// Side is what one of the nets has.
type Side struct {
	Entries, Kept int // Kept are not zero
}

// Both compares the entries of A and B at the same positions.
type Both struct {
	InBoth, OnlyA, OnlyB int // positions that are kept in both, in one of them
	// Largest is max |a - b|, RMS the root of the mean of (a - b)² over all entries.
	Largest, RMS float64
}

// Layers compares the layers with parameters of two nets, in the order of A; those of B alone follow.
func Layers(a, b *model.Net) []Layer {
	inA, inB := parametersOf(a), parametersOf(b)
	var out []Layer
	for _, l := range inA.layers {
		of := Layer{Name: l.name, Type: l.typ, Prunable: l.prunable, A: l.side()}
		if o := inB.byName[l.name]; o != nil {
			of.B = o.side()
			of.Prunable = of.Prunable || o.prunable
			of.Both, of.Why = both(l, o)
		} else {
			of.Why = "B has no such layer with parameters"
		}
		out = append(out, of)
	}
	for _, l := range inB.layers {
		if inA.byName[l.name] == nil {
			out = append(out, Layer{Name: l.name, Type: l.typ, Prunable: l.prunable, B: l.side(),
				Why: "A has no such layer with parameters"})
		}
	}
	return out
}

// parameters are a net's, by layer.
type parameters struct {
	layers []*layerValues
	byName map[string]*layerValues
}

// layerValues are the parameters of a layer.
type layerValues struct {
	name, typ string
	prunable  bool
	params    []*layer.Param
	values    [][]float32 // one for each of params
}

func parametersOf(n *model.Net) parameters {
	p := parameters{byName: map[string]*layerValues{}}
	types, prunable := map[string]string{}, map[string]bool{}
	for _, l := range n.Layers() {
		types[l.Name] = l.Type
	}
	for _, l := range n.Prunable() {
		prunable[l.Name] = true
	}
	for _, param := range n.Params() {
		if param.Statistics {
			continue
		}
		l := p.byName[param.Layer]
		if l == nil {
			l = &layerValues{name: param.Layer, typ: types[param.Layer], prunable: prunable[param.Layer]}
			p.layers, p.byName[param.Layer] = append(p.layers, l), l
		}
		values := make([]float32, param.Data.N)
		n.Device().Download(values, param.Forward())
		l.params, l.values = append(l.params, param), append(l.values, values)
	}
	return p
}

func (l *layerValues) side() *Side {
	s := &Side{}
	for _, values := range l.values {
		s.Entries += len(values)
		for _, v := range values {
			if v != 0 {
				s.Kept++
			}
		}
	}
	return s
}

// both compares entries; where shapes differ, why says how.
func both(a, b *layerValues) (result *Both, why string) {
	if len(a.params) != len(b.params) {
		return nil, fmt.Sprintf("%d parameters in A, %d in B", len(a.params), len(b.params))
	}
	for i, p := range a.params {
		x, y := caffe.FormatShape(p.Shape), caffe.FormatShape(b.params[i].Shape)
		if x != y || p.Index != b.params[i].Index {
			return nil, fmt.Sprintf("%s in A, %s in B", x, y)
		}
	}
	out, entries, sum := &Both{}, 0, 0.0
	for i, values := range a.values {
		for k, x := range values {
			y := b.values[i][k]
			switch {
			case x != 0 && y != 0:
				out.InBoth++
			case x != 0:
				out.OnlyA++
			case y != 0:
				out.OnlyB++
			}
			d := math.Abs(float64(x) - float64(y))
			out.Largest = max(out.Largest, d) // NaN where one is NaN
			sum += d * d
		}
		entries += len(values)
	}
	out.RMS = math.Sqrt(sum / float64(max(1, entries)))
	return out, ""
}
