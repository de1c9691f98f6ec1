// Package shrink removes outputs that do nothing from a pruned net: what is left is a smaller dense net that computes
// the same, for any runtime.
//
// A channel (an output of a convolution or an inner product, and what layers that work channel by channel make of it)
// does nothing where no weight reads it, or where it is constant, since it has no weight itself or reads only
// constants, and each layer that reads it sees the same constant everywhere: then Σ w·c goes into that layer's bias.
// That holds for an inner product, for a convolution without padding, and where the constant is 0. At a padded
// convolution the border differs, and the channel stays.
//
// What stays is found from the net's outputs back: they stay, and so does what is read by what stays. Layers keep more
// than that where the channels that are left must fit together:
//
//   - channels that meet in an elementwise layer, or that stand for one row or column of shared weights, go together or
//     not at all;
//   - an LRN across channels keeps as many channels of 0 as hold those apart that do not see each other;
//   - the groups of a convolution have as many inputs and outputs each; whole ones may go;
//   - of a blob there is a channel left.
//
// What layers do that are not known here is not touched: what they read and what they make stays, and the result says
// so. So do the blobs that layers of another phase read or make, of the same names: the smaller net is one for both.
package shrink

import (
	"iter"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
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
	g.retain()
	return g.result(f, w)
}

// unit is channels that go together: of one producer, or of several that a layer couples, or shared weights.
type unit struct {
	parent *unit // nil: it stands for itself
	pin    string
	source bool   // it is the net's input
	shared string // the layers whose shared weights couple it
	stays  bool
	why    string // it stays, where that is not since what is computed is read
	idle   bool   // it stays for nothing but its place
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
	if a.shared == "" {
		a.shared = b.shared
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
	lost   string  // why it is not known any more to be
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
	in     []*blob // what it reads
	out    []*blob // what it makes
	shapes [][]int // of in
	units  []*unit // of its outputs, where it makes some
	phase  caffepb.Phase
	shared bool  // others have parameters of it, too
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

// array is a parameter.
type array struct {
	shape  []int
	values []float32
}
