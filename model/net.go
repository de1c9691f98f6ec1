// Package model is a network: its graph and how that is built (Net), the plan of its backward pass, shared parameters,
// weights in and out, shapes that are taken from data.
package model

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// NetOptions say how a net is built.
type NetOptions struct {
	Device *gpu.Device
	State  *caffepb.NetState // phase, level, stages
	Seed   uint64
	Clock  *layer.Clock
	Share  *Net // a net whose parameters are used where a layer has the same name
	// Substitute, where it is not nil, gives what is used in place of a parameter of Share.
	Substitute func(*layer.Param) *layer.Param
	// AllGradients computes the gradients of all outputs and inputs, whether or not a loss depends on them.
	AllGradients bool
	// Backward computes gradients in every phase, and where the net has no loss, from its outputs down: to measure
	// them.
	Backward bool
	// Inputs, where it is not nil, stands in place of the data layers.
	Inputs *config.Inputs
	// Reuse gives the memory of a blob that no layer will read any more to those that come after it, data and gradients
	// alike: a pass takes as much as is in use at one time. The net of Share, if it does so, too, has the same memory:
	// the two run in turn. After a pass blobs can be read that count toward the objective, that no layer reads, that
	// layers without a bottom make, and those of Keep; these with their gradients. With AllGradients it does nothing.
	Reuse bool
	Keep  []string
}

// Net is a network on a device.
type Net struct {
	Name   string
	Phase  caffepb.Phase
	file   *caffe.NetFile
	device *gpu.Device
	clock  *layer.Clock
	seed   uint64
	nodes  []*node
	byName map[string]*node
	blobs  map[string]*layer.Blob
	params []*layer.Param // each once, in order of layers
	named  map[string]*layer.Param
	outs   []output             // blobs that no layer reads
	gone   map[*layer.Blob]bool // blobs that may hold anything after a pass: see Prepare
	// gradients tells that the net runs backward.
	gradients bool
	debug     func(line string)
	apart     bool // see Apart
	// onGradient is told of parameters whose gradients are whole; see OnGradient.
	onGradient func(*layer.Param)
	found      []string // files that were not where the net says, a line each
	missing    string   // the file that was looked for last, where it is nowhere
	reuse      bool
	keep       []string
	arena      *arena                 // nil without reuse
	again      map[int]*arena         // of what stands below a layer whose tops changed their shapes
	shared     map[*gpu.Reserved]bool // what lies in an arena
	// What Forward and fetchLosses use in each pass.
	lossV       []float32
	losses      []*layer.Blob
	lossWeights []float64
}

// node is a layer in its place.
type node struct {
	name, typ string // the name is the layer's own: see caffe.LayerNames
	inFile    string // the name in the file
	// What a device that fails is told that it worked on.
	forwardName, backwardName string
	index                     int // in the file, or -1
	param                     *caffepb.LayerParameter
	layer                     layer.Layer
	bottom, top               []*layer.Blob
	params                    []*layer.Param
	completes                 []*layer.Param // whose gradients are whole once this layer has run backward
	apart                     []*gpu.Tensor  // of params: where a pass's gradients are until they are added; see Apart
	weights                   []float32      // loss weights of the tops
	weight                    float32        // of a loss: what its gradient is multiplied by
	chained                   bool           // a loss whose gradient is multiplied by that of its top, too
	need                      []bool         // bottoms that want a gradient
	backward                  bool
	data                      []*gpu.Tensor // of the bottoms, when the layer was set up
	idle                      bool          // nothing to do: all bottoms are empty
	joined                    []*node       // those right behind whose work it does: see joinLayers
	first                     *node         // which does the work of this one, or nil
}

// NewNet builds the net of a file for one state. Every error names the file, the line and the layer.
func NewNet(f *caffe.NetFile, o NetOptions) (*Net, error) {
	var replaced map[int]bool
	if o.Inputs != nil {
		var err error
		if f, replaced, err = replaceData(f, o.Inputs); err != nil {
			return nil, err
		}
	}
	layers, err := filter(f, o.State)
	if err != nil {
		return nil, err
	}
	if len(layers) == 0 {
		return nil, f.Errorf(-1, "no layer is left for phase %s", o.State.GetPhase())
	}
	if o.Clock == nil {
		o.Clock = &layer.Clock{}
	}
	n := &Net{Name: f.Net.GetName(), Phase: o.State.GetPhase(), file: f, device: o.Device, clock: o.Clock, seed: o.Seed,
		blobs: map[string]*layer.Blob{}, named: map[string]*layer.Param{}, byName: map[string]*node{}}
	n.gradients = n.Phase == caffepb.Phase_TRAIN || o.AllGradients || o.Backward
	n.reuse, n.keep, n.shared = o.Reuse && !o.AllGradients, o.Keep, map[*gpu.Reserved]bool{}
	n.again = map[int]*arena{}
	b := &builder{net: n, opts: o, producer: map[*layer.Blob]string{}, specs: map[*layer.Param]*caffepb.ParamSpec{},
		added: map[*layer.Param]bool{}}
	if err := b.known(layers); err != nil {
		return nil, err
	}
	for _, p := range insertSplits(layers) {
		if err := b.add(p); err != nil {
			n.Close()
			return nil, err
		}
	}
	if err := b.planBackward(); err != nil {
		n.Close()
		return nil, err
	}
	n.joinLayers()
	if n.reuse {
		if n.arena = newArena(o.Device); o.Share != nil && o.Share.reuse {
			n.arena = o.Share.arena
		}
		if err := n.place(n.arena); err != nil {
			n.Close()
			return nil, err
		}
	}
	n.outs = n.unread()
	if o.Inputs != nil {
		n.fillInputs(o.Inputs, replaced)
	}
	return n, nil
}

// Forward runs all layers and returns the objective: the losses times their weights.
func (n *Net) Forward() (float64, error) {
	if err := n.Run(); err != nil {
		return 0, err
	}
	n.lossV = n.FetchLosses(n.lossV[:0])
	if err := n.device.Sync(); err != nil {
		return 0, err
	}
	return n.Objective(n.lossV), nil
}

// Run runs all layers; their results may still be on their way.
func (n *Net) Run() error {
	if n.arena != nil {
		if err := n.arena.ready(); err != nil {
			return err
		}
	}
	for i := range n.nodes {
		if err := n.forward(i); err != nil {
			return err
		}
	}
	return nil
}

// forward runs one layer.
func (n *Net) forward(i int) error {
	nd := n.nodes[i]
	if nd.idle {
		n.clear(nd)
		return nil
	}
	if nd.first != nil && n.together() {
		return nil
	}
	n.device.Label(nd.forwardName)
	run := nd.layer.Forward
	if len(nd.joined) > 0 && n.together() {
		run = nd.layer.(layer.Joiner).ForwardJoined
	}
	if err := run(nd.bottom, nd.top); err != nil {
		return n.file.Errorf(nd.index, "(%s) %v", nd.typ, err)
	}
	if n.debug != nil {
		n.debugForward(nd)
	}
	if d, ok := nd.layer.(layer.Dynamic); ok && d.Reshaped() {
		return n.reshape(i)
	}
	return nil
}

// clear sets the tops of a layer that does not run to 0, where others had their memory.
func (n *Net) clear(nd *node) {
	for _, t := range nd.top {
		if n.shared[reserved(t.Data)] && t.Data.N > 0 {
			n.device.Fill(t.Data, 0)
		}
	}
}

func (n *Net) values(b *layer.Blob) []float32 {
	v := make([]float32, b.Data.N)
	n.device.Download(v, b.Data)
	return v
}

// Backward runs all layers that a gradient reaches, last to first.
func (n *Net) Backward() {
	for _, nd := range slices.Backward(n.nodes) {
		if nd.backward {
			n.backward(nd)
			if n.debug != nil {
				n.debugBackward(nd)
			}
		}
		if n.onGradient != nil {
			for _, p := range nd.completes {
				n.onGradient(p)
			}
		}
	}
	if n.debug != nil {
		n.debugNorms()
	}
}

// backward runs one layer backward. The gradient of a top that counts toward the objective starts at its weight; a loss
// knows its own, or takes it from its top.
func (n *Net) backward(nd *node) {
	if nd.idle || nd.first != nil && n.together() {
		return
	}
	n.device.Label(nd.backwardName)
	for j, w := range nd.weights {
		if nd.fills(j) {
			n.device.Fill(nd.top[j].Diff, w)
		}
	}
	if n.apart {
		n.backwardApart(nd)
	} else {
		n.backwardLayer(nd)
	}
	if nd.chained {
		for j, b := range nd.bottom {
			if nd.need[j] {
				n.device.Scale(
					gpu.ChannelShape{Outer: 1, Channels: 1, Inner: b.Diff.N},
					b.Diff,
					nd.top[0].Diff,
					nil,
					b.Diff,
				)
			}
		}
	}
}

// backwardLayer has a layer make its gradients, and those of the layers that it was joined with.
func (n *Net) backwardLayer(nd *node) {
	if len(nd.joined) > 0 && n.together() {
		nd.layer.(layer.Joiner).BackwardJoined(nd.top, nd.need, nd.bottom)
		return
	}
	nd.layer.Backward(nd.top, nd.need, nd.bottom)
}

// Params returns the parameters, each once.
func (n *Net) Params() []*layer.Param { return n.params }

// EachParam calls f for the parameters of each layer, shared ones once for each layer.
func (n *Net) EachParam(f func(layer string, index int, p *layer.Param)) {
	for _, nd := range n.nodes {
		for i, p := range nd.params {
			f(nd.name, i, p)
		}
	}
}

// Blob returns a blob by name, or nil. Of a net with NetOptions.Reuse it can be one that lasts beyond a pass; another
// it refuses with a panic, and what it returns has no gradient where that does not last.
func (n *Net) Blob(name string) *layer.Blob {
	b := n.blobs[name]
	if b == nil || !n.reuse {
		return b
	}
	if n.shared[reserved(b.Data)] {
		panic(fmt.Sprintf("model: blob %q is not kept after a pass; wanted one of NetOptions.Keep", name))
	}
	if n.shared[reserved(b.Diff)] {
		kept := *b
		kept.Diff = nil
		return &kept
	}
	return b
}

// LayerParam returns the settings of a layer, as the net was built with them, or nil.
func (n *Net) LayerParam(name string) *caffepb.LayerParameter {
	if nd := n.byName[name]; nd != nil {
		return nd.param
	}
	return nil
}

// BlobNames lists the blobs, sorted, without those that splits put in.
func (n *Net) BlobNames() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(n.blobs)), isSplitName)
}

// Device returns the device that the net is on.
func (n *Net) Device() *gpu.Device { return n.device }

// File returns the file that the net was built from.
func (n *Net) File() *caffe.NetFile { return n.file }

// Prunable returns the layers that surgery can work on, by name and type. Of layers that share their weights it is the
// first.
func (n *Net) Prunable() []PrunableLayer {
	var out []PrunableLayer
	seen := map[*layer.Param]int{} // of the first layer with the weights, where it stands in out
	for _, nd := range n.nodes {
		if p, ok := nd.layer.(layer.Prunable); ok {
			w, b := p.Weights()
			if first, ok := seen[w]; ok {
				out[first].Positions += p.Positions()
				continue
			}
			seen[w] = len(out)
			out = append(
				out,
				PrunableLayer{
					Name:      nd.name,
					Type:      nd.typ,
					Pruning:   p.Pruning(),
					Weights:   w,
					Bias:      b,
					Outputs:   outputsOf(nd, w),
					Positions: p.Positions(),
				},
			)
		}
	}
	return out
}

// outputsOf tells how a layer's weights belong to its filters or neurons.
func outputsOf(nd *node, w *layer.Param) gpu.Outputs {
	g := gpu.Outputs{Outputs: w.Shape[0], Transposed: nd.param.GetInnerProductParam().GetTranspose()}
	if g.Transposed {
		g.Outputs = w.Shape[1]
	}
	g.Inputs = w.Data.N / max(1, g.Outputs)
	return g
}

// PrunableLayer is a layer that surgery can work on.
type PrunableLayer struct {
	Name, Type    string
	Pruning       layer.Pruning
	Weights, Bias *layer.Param
	Outputs       gpu.Outputs // of Weights
	Positions     int         // how often a pass multiplies a weight for one image, in all layers that share it
}

// Close stops the readers of the net, and finishes the files that it writes.
func (n *Net) Close() error {
	if n.arena != nil {
		n.arena.leave(n)
	}
	var errs []error
	for _, nd := range n.nodes {
		if c, ok := nd.layer.(io.Closer); ok {
			if err := c.Close(); err != nil {
				errs = append(errs, n.file.Errorf(nd.index, "(%s) %v", nd.typ, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (n *Net) node(name string) *node { return n.byName[name] }

// BatchSize is the number of images in a batch: the extent of the first blob.
func (n *Net) BatchSize() int {
	for _, nd := range n.nodes {
		if len(nd.top) > 0 && len(nd.top[0].Shape) > 0 {
			return max(1, nd.top[0].Shape[0])
		}
	}
	return 1
}

// NamedSource is a layer that reads records.
type NamedSource struct {
	Layer string
	layer.Source
}

// Sources lists the layers that read records, in the order in which they run.
func (n *Net) Sources() []NamedSource {
	var out []NamedSource
	for _, nd := range n.nodes {
		if src, ok := nd.layer.(layer.Source); ok {
			out = append(out, NamedSource{nd.name, src})
		}
	}
	return out
}

// NamedState is what a layer carries from pass to pass.
type NamedState struct {
	Layer   string
	Tensors []*gpu.Tensor
}

// States lists what layers carry from pass to pass.
func (n *Net) States() []NamedState {
	var out []NamedState
	for _, nd := range n.nodes {
		if st, ok := nd.layer.(layer.Stateful); ok {
			out = append(out, NamedState{nd.name, st.State()})
		}
	}
	return out
}

// Slot is an entry of a solverstate's history: a parameter, or the mask of one.
type Slot struct {
	Param *layer.Param
	Mask  bool
}

// Slots lists the parameters and masks in the order of the reference programs, layer by layer: parameters, then masks.
// Masks have entries because they are parameters there.
func (n *Net) Slots() []Slot {
	var out []Slot
	seen := map[*layer.Param]bool{}
	for _, nd := range n.nodes {
		own := false
		for _, p := range nd.params {
			if !seen[p] {
				seen[p], own = true, true
				out = append(out, Slot{Param: p})
			}
		}
		if own {
			for _, p := range nd.maskSlots() {
				out = append(out, Slot{Param: p, Mask: true})
			}
		}
	}
	return out
}

// FieldError is an error about a field of a layer, with the line in the net's file; nil where the net has no such
// layer.
func (n *Net) FieldError(name, field, msg string) error {
	nd := n.node(name)
	if nd == nil {
		return nil
	}
	return &caffe.FileError{
		Path: n.file.Path,
		Line: caffe.FieldLine(n.file.Path, n.file.Line(nd.index), field),
		Msg:  fmt.Sprintf("layer %q: %s %s", name, field, msg),
	}
}

// DataSource returns the database of the first Data layer, and its batch; "" and 0 where there is none.
func (n *Net) DataSource() (source string, batch int) {
	for _, nd := range n.nodes {
		if p := nd.param.GetDataParam(); p != nil {
			return p.GetSource(), int(p.GetBatchSize())
		}
	}
	return "", 0
}
