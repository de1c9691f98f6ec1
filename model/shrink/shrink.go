// Package shrink removes outputs that do nothing from a pruned net: what is left is a smaller dense net that computes
// the same, for any runtime.
//
// A channel (an output of a convolution or an inner product, and what layers that work channel by channel make of it)
// goes where
//
//   - no weight reads it, or
//   - it is constant, since it has no weight itself or reads only constants that go, and each layer that reads it sees
//     the same constant everywhere: then Σ w·c goes into that layer's bias. That holds for an inner product, for a
//     convolution without padding, and where the constant is 0. At a padded convolution the border differs, and the
//     channel stays.
//
// Channels that meet in an elementwise layer go together or not at all. What layers do that are not known here is not
// touched: what they read and what they make stays, and the result says so. So do the blobs that layers of another
// phase read or make, of the same names: the smaller net is one for both.
package shrink

import (
	"fmt"
	"iter"
	"slices"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model"
)

// Result is the smaller net.
type Result struct {
	Net     *caffepb.NetParameter // for a prototxt: no weights
	Weights *caffepb.NetParameter
	Layers  []Layer // those with parameters, in the order of the net
	// Kept says of channels that do nothing and stay all the same why: a line a layer.
	Kept []string
	// Before and After count parameters; running statistics are not counted.
	Before, After int
}

// Layer is what became of one.
type Layer struct {
	Name, Type           string
	Inputs, InputsLeft   int // along axis 1
	Outputs, OutputsLeft int
	Params, ParamsLeft   int
}

// Shrink makes a net smaller whose file is f, and which n was built from, for the phase that is to be computed; w are
// its weights, with the masks applied.
func Shrink(f *caffe.NetFile, n *model.Net, w *caffepb.NetParameter) (*Result, error) {
	g, err := newGraph(f, n, w)
	if err != nil {
		return nil, err
	}
	for g.pass() {
	}
	return g.result(f, w)
}

// unit is channels that go together: of one producer, or of several that an elementwise layer couples.
type unit struct {
	parent  *unit // nil: it stands for itself
	pin     string
	source  bool // it is the net's input
	removed bool
}

func (u *unit) root() *unit {
	for u.parent != nil {
		u = u.parent
	}
	return u
}

// join couples two.
func join(a, b *unit) *unit {
	a, b = a.root(), b.root()
	if a == b {
		return a
	}
	b.parent = a
	if a.pin == "" {
		a.pin = b.pin
	}
	a.source = a.source && b.source
	return a
}

// channel is one of a blob's, along axis 1.
type channel struct {
	unit   *unit
	extent int     // how much of axis 1 it takes: more than 1 after a Flatten
	known  bool    // it is constant
	value  float64 // then
	lost   string  // the layer behind which it is not known any more to be
}

// blob is what is known of one: its channels, in the order of axis 1.
type blob struct{ channels []channel }

// places yields the channels, each with the place of axis 1 where it begins.
func (b *blob) places() iter.Seq2[int, channel] {
	return func(yield func(int, channel) bool) {
		at := 0
		for _, c := range b.channels {
			if !yield(at, c) {
				return
			}
			at += c.extent
		}
	}
}

// node is a layer of the net.
type node struct {
	model.LayerInfo
	param  *caffepb.LayerParameter
	blobs  [][]float32 // weights, as LayerInfo.Params has their shapes
	op     op
	in     []*blob // as it is read
	shapes [][]int // of in
	units  []*unit // of its outputs, where it makes some
	phase  caffepb.Phase
	twins  []int // in the file: the same layer for another phase
}

// op is what a kind of layer does to channels.
type op interface {
	// flow returns the tops, with what is known of them.
	flow(nd *node) []*blob
	// shrink edits the layer for the channels that are left, and returns its weights.
	shrink(nd *node, p *caffepb.LayerParameter) []array
}

// untouched is a layer that is the same for any number of channels.
type untouched struct{}

func (untouched) shrink(*node, *caffepb.LayerParameter) []array { return nil }

// maker is a layer that makes channels: as many as it has outputs.
type maker interface{ outputs(nd *node) int }

// reader is a layer that reads channels by weights.
type reader interface {
	// reads reports whether an output that is left has a weight for a part of the bottom's axis 1.
	reads(nd *node, from, extent int) bool
	// folds reports whether a constant can go into the bias.
	folds(nd *node) bool
}

// array is a parameter.
type array struct {
	shape  []int
	values []float32
}

// graph is the net, with the channels of each blob.
type graph struct {
	nodes []*node
	blobs map[string]*blob // the newest of a name
	tops  []*blob          // all of them
	// elsewhere says of blobs which layer of another phase reads or makes one of the name.
	elsewhere map[string]string
	others    []int // the layers of another phase, in the file
}

func newGraph(f *caffe.NetFile, n *model.Net, w *caffepb.NetParameter) (*graph, error) {
	g := &graph{elsewhere: map[string]string{}}
	weights := map[string]*caffepb.LayerParameter{}
	for _, l := range w.Layer {
		weights[l.GetName()] = l
	}
	for _, l := range n.Layers() {
		nd := &node{LayerInfo: l, param: n.LayerParam(l.Name), phase: n.Phase}
		for _, b := range l.Bottom {
			nd.shapes = append(nd.shapes, n.Blob(b).Shape)
		}
		if stored := weights[l.Name]; stored != nil {
			for _, b := range stored.Blobs {
				nd.blobs = append(nd.blobs, caffe.Values(b))
			}
		}
		if n := len(nd.blobs); n > len(l.Params) || n < len(l.Params) && !l.Shared {
			return nil, fmt.Errorf("layer %q has %d blobs of weights, wanted %d", l.Name, len(nd.blobs), len(l.Params))
		}
		for i, p := range l.Params {
			if i < len(nd.blobs) && len(nd.blobs[i]) != gpu.Elements(p) {
				return nil, fmt.Errorf("layer %q, blob %d has %d values, wanted %s", l.Name, i, len(nd.blobs[i]),
					caffe.FormatShape(p))
			}
		}
		shared := slices.ContainsFunc(nd.param.Param, func(p *caffepb.ParamSpec) bool { return p.GetName() != "" })
		if nd.op = opOf(nd); shared || l.Shared {
			nd.op = opaque{why: "its weights are shared"}
		}
		g.nodes = append(g.nodes, nd)
	}
	g.findOthers(f)
	for _, nd := range g.nodes {
		if m, ok := nd.op.(maker); ok {
			for range m.outputs(nd) {
				nd.units = append(nd.units, &unit{})
			}
		}
	}
	g.pinOutputs()
	return g, nil
}

// findOthers finds the layers of the file that are not in the net. One that differs from a layer of its name by its
// phase alone becomes what that becomes; what any other reads and makes stays.
func (g *graph) findOthers(f *caffe.NetFile) {
	inNet, named := map[int]bool{}, map[string]*node{}
	for _, nd := range g.nodes {
		inNet[nd.Index()] = true
		if name := f.Net.Layer[nd.Index()].GetName(); name != "" {
			named[name] = nd
		}
	}
	for i, l := range f.Net.Layer {
		if inNet[i] {
			continue
		}
		if nd := named[l.GetName()]; nd != nil {
			if sameLayer(l, f.Net.Layer[nd.Index()]) {
				nd.twins = append(nd.twins, i)
				continue
			}
			nd.op = opaque{why: "it is another layer in the other phase"}
		}
		g.others = append(g.others, i)
		if l.GetType() == "Dropout" && slices.Equal(l.Bottom, l.Top) { // of any number of channels
			continue
		}
		for _, b := range l.Bottom {
			g.elsewhere[b] = fmt.Sprintf("read by %s in the other phase", l.GetName())
		}
		for _, t := range l.Top {
			if g.elsewhere[t] == "" {
				g.elsewhere[t] = fmt.Sprintf("made by %s in the other phase", l.GetName())
			}
		}
	}
}

// sameLayer reports whether layers of two phases are the same but for how they train and what they normalize by.
func sameLayer(a, b *caffepb.LayerParameter) bool {
	plain := func(l *caffepb.LayerParameter) *caffepb.LayerParameter {
		l = proto.CloneOf(l)
		l.Include, l.Exclude, l.Phase, l.Param, l.LossWeight, l.PropagateDown = nil, nil, nil, nil, nil, nil
		l.BatchNormParam, l.Blobs = nil, nil
		return l
	}
	return proto.Equal(plain(a), plain(b))
}

// pinOutputs keeps what no layer reads: the net's outputs.
func (g *graph) pinOutputs() {
	g.flow()
	last := map[string]int{} // the last reader
	for i, nd := range g.nodes {
		for _, b := range nd.Bottom {
			last[b] = i
		}
	}
	for i, nd := range g.nodes {
		for _, t := range nd.Top {
			if last[t] <= i {
				pin(g.blobs[t], "an output of the net")
			}
		}
	}
}

func pin(b *blob, why string) {
	for _, c := range b.channels {
		if u := c.unit.root(); u.pin == "" {
			u.pin = why
		}
	}
}

// flow follows the channels through the net, with what is removed so far.
func (g *graph) flow() {
	g.blobs, g.tops = map[string]*blob{}, g.tops[:0]
	for _, nd := range g.nodes {
		nd.in = nd.in[:0]
		for _, name := range nd.Bottom {
			nd.in = append(nd.in, g.blobs[name])
		}
		tops := nd.op.flow(nd)
		for i, t := range nd.Top {
			g.blobs[t] = tops[i]
			g.tops = append(g.tops, tops[i])
			if why := g.elsewhere[t]; why != "" {
				pin(tops[i], why)
			}
		}
	}
}

// pass removes what can be removed by what is known, and reports whether that was something.
func (g *graph) pass() bool {
	g.flow()
	fits := map[*unit]bool{} // so far
	for _, nd := range g.nodes {
		r, _ := nd.op.(reader)
		for _, u := range nd.units {
			if _, seen := fits[u.root()]; !seen {
				fits[u.root()] = u.root().pin == "" && !u.root().removed
			}
		}
		for _, b := range nd.in {
			for at, c := range b.places() {
				if u := c.unit.root(); r != nil && fits[u] {
					fits[u] = !r.reads(nd, at, c.extent) || c.known && (c.value == 0 || r.folds(nd))
				}
			}
		}
	}
	some := false
	for _, nd := range g.nodes { // in the order of the net, so that the result does not depend on the map's
		for _, u := range nd.units {
			if r := u.root(); fits[r] && !r.removed && g.remove(r) {
				some = true
			}
		}
	}
	return some
}

// remove removes a unit, unless it is the last of a blob.
func (g *graph) remove(u *unit) bool {
	if g.isLast(u) {
		return false
	}
	u.removed = true
	return true
}

// isLast reports whether a blob has nothing left but a unit.
func (g *graph) isLast(u *unit) bool {
	for _, b := range g.tops {
		others, has := false, false
		for _, c := range b.channels {
			if r := c.unit.root(); r == u {
				has = true
			} else if !r.removed {
				others = true
			}
		}
		if has && !others {
			return true
		}
	}
	return false
}
