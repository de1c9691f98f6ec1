// Package model is a network at work: its graph (Net), training (Solver), surgery (Surgeon), and a run that a person
// steers (Session).
package model

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// NetOptions say how a net is built.
type NetOptions struct {
	Device gpu.Device
	State  *caffepb.NetState // phase, level, stages
	Seed   uint64
	Clock  *layer.Clock
	Share  *Net // a net whose parameters are used where a layer has the same name
	// Probe computes the gradients of all outputs and inputs, whether or not they reach a loss.
	Probe bool
}

// Net is a network on a device.
type Net struct {
	Name   string
	Phase  caffepb.Phase
	file   *caffe.NetFile
	device gpu.Device
	clock  *layer.Clock
	seed   uint64
	nodes  []*node
	blobs  map[string]*layer.Blob
	params []*layer.Param // each once, in order of layers
	named  map[string]*layer.Param
	outs   []output // blobs that no layer reads
	debug  func(line string)
	lossV  [1]float32
}

// node is a layer in its place.
type node struct {
	name, typ   string
	index       int // in the file, or -1
	param       *caffepb.LayerParameter
	layer       layer.Layer
	bottom, top []*layer.Blob
	params      []*layer.Param
	weights     []float32 // loss weights of the tops
	need        []bool    // bottoms that want a gradient
	backward    bool
	data        []*gpu.Tensor // of the bottoms, when the layer was set up
	idle        bool          // nothing to do: all bottoms are empty
}

// NewNet builds the net of a file for one state. Every error names the file, the line and the layer.
func NewNet(f *caffe.NetFile, o NetOptions) (*Net, error) {
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
		blobs: map[string]*layer.Blob{}, named: map[string]*layer.Param{}}
	b := &builder{net: n, opts: o, producer: map[*layer.Blob]string{}}
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
	n.outs = n.unread()
	return n, nil
}

// builder holds what is only needed while a net is built.
type builder struct {
	net      *Net
	opts     NetOptions
	producer map[*layer.Blob]string
}

func (b *builder) add(p placed) error {
	n, name := b.net, p.param.GetName()
	for _, o := range n.nodes {
		if o.name == name && p.index >= 0 {
			return n.file.Errorf(p.index, "a second layer of this name")
		}
	}
	l, arity, err := layer.New(p.param)
	if err != nil {
		return b.wrap(p, err)
	}
	nd := &node{name: name, typ: p.param.GetType(), index: p.index, param: p.param, layer: l}
	if err := arity.Check(len(p.param.Bottom), len(p.param.Top)); err != nil {
		return b.wrap(p, err)
	}
	for _, name := range p.param.Bottom {
		blob, ok := n.blobs[name]
		if !ok {
			err := fmt.Errorf("unknown bottom blob %q", name)
			if c := caffe.Closest(name, blobNames(n.blobs)); c != "" {
				err = fmt.Errorf("unknown bottom blob %q; did you mean %q?", name, c)
			}
			return b.wrap(p, err)
		}
		nd.bottom = append(nd.bottom, blob)
	}
	if n := len(p.param.PropagateDown); n > 0 && n != len(p.param.Bottom) {
		return b.wrap(p, fmt.Errorf("%d propagate_down for %d bottoms; wanted none or one for each", n, len(p.param.Bottom)))
	}
	for i, name := range p.param.Top {
		blob := &layer.Blob{Name: name}
		if i < len(p.param.Bottom) && p.param.Bottom[i] == name {
			blob = nd.bottom[i] // in place
		} else if old, ok := n.blobs[name]; ok {
			return b.wrap(p, fmt.Errorf("top blob %q is made by layer %q already", name, b.producer[old]))
		}
		nd.top = append(nd.top, blob)
		n.blobs[name] = blob
		b.producer[blob] = p.param.GetName()
	}
	if err := b.setup(p, nd); err != nil {
		return b.wrap(p, err)
	}
	if nd.typ == "Split" {
		for _, t := range nd.top {
			b.producer[t] = b.producer[nd.bottom[0]]
		}
	}
	n.nodes = append(n.nodes, nd)
	return nil
}

func (b *builder) setup(p placed, nd *node) error {
	nd.weights = make([]float32, len(nd.top))
	copy(nd.weights, p.param.LossWeight)
	if len(p.param.LossWeight) > len(nd.top) {
		return fmt.Errorf("%d loss_weight for %d tops", len(p.param.LossWeight), len(nd.top))
	}
	if _, ok := nd.layer.(layer.Loss); ok && len(p.param.LossWeight) == 0 {
		nd.weights[0] = 1
	}
	return b.net.setUp(nd, func(s layer.ParamSpec) (*layer.Param, error) { return b.newParam(nd, s) })
}

// setUp fixes the shapes of a node for those of its bottoms.
func (n *Net) setUp(nd *node, newParam func(layer.ParamSpec) (*layer.Param, error)) error {
	nd.data = nd.data[:0]
	for _, b := range nd.bottom {
		nd.data = append(nd.data, b.Data)
	}
	err := nd.layer.Setup(&layer.Context{
		Param: nd.param, Device: n.device, Phase: n.Phase, Seed: n.seed, Clock: n.clock, Weights: nd.weights, NewParam: newParam,
		Resolve: func(path string) string { return config.Resolve(path, n.file.Path) },
	}, nd.bottom, nd.top)
	if err != nil {
		return err
	}
	for i, b := range nd.bottom { // a layer that works in place leaves the blob's memory as it is
		if i < len(nd.top) && nd.top[i] == b && b.Data != nd.data[i] {
			return fmt.Errorf("in place: wanted a top other than %q", b.Name)
		}
	}
	return nil
}

// newParam makes a parameter, or finds the one that is shared: with the net that this one tests, or by the name in
// its ParamSpec.
func (b *builder) newParam(nd *node, s layer.ParamSpec) (*layer.Param, error) {
	spec := &caffepb.ParamSpec{}
	if s.Index < len(nd.param.Param) {
		spec = nd.param.Param[s.Index]
	}
	p := b.shared(nd, s.Index, spec)
	if p != nil {
		permissive := spec.GetShareMode() == caffepb.ParamSpec_PERMISSIVE
		if gpu.Elements(p.Shape) != gpu.Elements(s.Shape) || !permissive && caffe.FormatShape(p.Shape) != caffe.FormatShape(s.Shape) {
			return nil, fmt.Errorf("parameter %d has the shape %s here, and %s in layer %q, which it is shared with",
				s.Index, caffe.FormatShape(s.Shape), caffe.FormatShape(p.Shape), p.Layer)
		}
		nd.params = append(nd.params, p)
		b.addParam(p)
		return p, nil
	}
	p = &layer.Param{Layer: nd.name, Index: s.Index, Shape: s.Shape, LRMult: spec.GetLrMult(), DecayMult: spec.GetDecayMult(), Statistics: s.Statistics}
	var err error
	if p.Data, err = gpu.NewTensor(b.opts.Device, s.Shape...); err != nil {
		return nil, err
	}
	if p.Trained() && (b.opts.State.GetPhase() == caffepb.Phase_TRAIN || b.opts.Probe) {
		if p.Diff, err = gpu.NewTensor(b.opts.Device, s.Shape...); err != nil {
			return nil, err
		}
	}
	if _, dry := b.opts.Device.(gpu.Dry); !s.Statistics && !dry {
		f := s.Filler
		if f == nil {
			f = &caffepb.FillerParameter{}
		}
		values := make([]float32, p.Data.N)
		if err := layer.Fill(f, s.Shape, layer.FillerKey(b.opts.Seed, nd.name, s.Index), values); err != nil {
			return nil, err
		}
		b.opts.Device.Upload(p.Data, values)
	}
	if spec.GetName() != "" {
		b.net.named[spec.GetName()] = p
	}
	nd.params = append(nd.params, p)
	b.addParam(p)
	return p, nil
}

func (b *builder) shared(nd *node, index int, spec *caffepb.ParamSpec) *layer.Param {
	if b.opts.Share != nil {
		if o := b.opts.Share.node(nd.name); o != nil && index < len(o.params) {
			return o.params[index]
		}
	}
	if spec.GetName() != "" {
		return b.net.named[spec.GetName()]
	}
	return nil
}

func (b *builder) addParam(p *layer.Param) {
	for _, q := range b.net.params {
		if p == q {
			return
		}
	}
	b.net.params = append(b.net.params, p)
}

// wrap says which layer an error is about, and what its inputs are.
func (b *builder) wrap(p placed, err error) error {
	var in []string
	for _, name := range p.param.Bottom {
		if blob, ok := b.net.blobs[name]; ok && blob.Data != nil {
			in = append(in, fmt.Sprintf("%q of layer %q, %s", blob.Name, b.producer[blob], blob.FormatShape()))
		}
	}
	var unknown *layer.UnknownTypeError
	if len(in) > 0 && !errors.As(err, &unknown) {
		err = fmt.Errorf("%w [bottoms: %s]", err, strings.Join(in, "; "))
	}
	fe := b.net.file.Errorf(p.index, "(%s) %v", p.param.GetType(), err)
	var f *caffe.FileError
	if errors.As(fe, &f) {
		f.Err = err
	}
	return fe
}

// planBackward decides which layers run backward, and allocates the gradients that flow.
func (b *builder) planBackward() error {
	n := b.net
	needed := map[*layer.Blob]bool{}
	for _, nd := range n.nodes {
		needs := false
		for _, p := range nd.params {
			needs = needs || p.Trained()
		}
		for i, bl := range nd.bottom {
			wanted := (needed[bl] || b.opts.Probe || n.file.Net.GetForceBackward()) && !isLabel(nd, i)
			needs = needs || wanted
			if down := nd.param.PropagateDown; len(down) > 0 {
				wanted = down[i] && !isLabel(nd, i)
			}
			nd.need = append(nd.need, wanted)
		}
		for _, t := range nd.top {
			needed[t] = needs
		}
		nd.backward = needs
	}
	under := map[*layer.Blob]bool{} // blobs that reach a loss
	for i := len(n.nodes) - 1; i >= 0; i-- {
		nd := n.nodes[i]
		reaches := b.opts.Probe
		for j, t := range nd.top {
			reaches = reaches || nd.weights[j] != 0 || under[t]
		}
		nd.backward = nd.backward && reaches && (n.Phase == caffepb.Phase_TRAIN || b.opts.Probe)
		for j, bl := range nd.bottom {
			under[bl] = under[bl] || reaches && nd.need[j]
			nd.need[j] = nd.need[j] && nd.backward
		}
	}
	for _, nd := range n.nodes {
		if !nd.backward {
			continue
		}
		for _, t := range nd.top {
			if under[t] || b.opts.Probe && nd.typ != "Split" {
				if err := t.NeedDiff(n.device); err != nil {
					return err
				}
			}
		}
		for j, bl := range nd.bottom {
			if nd.need[j] {
				if err := bl.NeedDiff(n.device); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// isLabel reports whether a bottom has no gradient: labels, indices, a shape.
func isLabel(nd *node, bottom int) bool {
	l, ok := nd.layer.(layer.Selective)
	return ok && l.NoGradient(bottom)
}

// Forward runs all layers and returns the objective: the losses times their weights.
func (n *Net) Forward() (float64, error) {
	for i := range n.nodes {
		if err := n.forward(i); err != nil {
			return 0, err
		}
	}
	var loss float64
	for _, nd := range n.nodes {
		for j, w := range nd.weights {
			if w != 0 {
				loss += float64(w) * n.total(nd.top[j])
			}
		}
	}
	return loss, nil
}

// forward runs one layer.
func (n *Net) forward(i int) error {
	nd := n.nodes[i]
	if nd.idle {
		return nil
	}
	if err := nd.layer.Forward(nd.bottom, nd.top); err != nil {
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

// total sums a blob on the host.
func (n *Net) total(b *layer.Blob) float64 {
	if b.Data.N == 1 {
		n.device.Download(n.lossV[:], b.Data)
		return float64(n.lossV[0])
	}
	var s float64
	for _, v := range n.values(b) {
		s += float64(v)
	}
	return s
}

func (n *Net) values(b *layer.Blob) []float32 {
	v := make([]float32, b.Data.N)
	n.device.Download(v, b.Data)
	return v
}

// Backward runs all layers that a gradient reaches, last to first.
func (n *Net) Backward() {
	for i := len(n.nodes) - 1; i >= 0; i-- {
		nd := n.nodes[i]
		if nd.backward {
			n.backward(nd)
			if n.debug != nil {
				n.debugBackward(nd)
			}
		}
	}
	if n.debug != nil {
		n.debugNorms()
	}
}

// backward runs one layer backward. The gradient of a top that counts toward the objective starts at its weight; a loss
// layer knows its own.
func (n *Net) backward(nd *node) {
	if nd.idle {
		return
	}
	for j, w := range nd.weights {
		if _, ok := nd.layer.(layer.Loss); w != 0 && !ok {
			n.device.Fill(nd.top[j].Diff, w)
		}
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

// Blob returns a blob by name, or nil.
func (n *Net) Blob(name string) *layer.Blob { return n.blobs[name] }

// BlobNames lists the blobs, sorted, without those that splits put in.
func (n *Net) BlobNames() []string {
	names := blobNames(n.blobs)
	sort.Strings(names)
	return slices.DeleteFunc(names, isSplitName)
}

// File returns the file that the net was built from.
func (n *Net) File() *caffe.NetFile { return n.file }

// Prunable returns the layers that surgery can work on, by name and type. Of layers that share their weights it is the
// first.
func (n *Net) Prunable() []PrunableLayer {
	var out []PrunableLayer
	seen := map[*layer.Param]bool{}
	for _, nd := range n.nodes {
		if p, ok := nd.layer.(layer.Prunable); ok {
			w, b := p.Weights()
			if seen[w] {
				continue
			}
			seen[w] = true
			out = append(out, PrunableLayer{Name: nd.name, Type: nd.typ, Pruning: p.Pruning(), Weights: w, Bias: b})
		}
	}
	return out
}

// PrunableLayer is a layer that surgery can work on.
type PrunableLayer struct {
	Name, Type    string
	Pruning       layer.Pruning
	Weights, Bias *layer.Param
}

// FirstBad returns an error that names the first layer whose parameters or output hold a NaN or an infinity, or nil.
func (n *Net) FirstBad() error {
	for _, nd := range n.nodes {
		for _, p := range nd.params {
			if !n.device.Finite(p.Forward()) {
				return fmt.Errorf("layer %q (%s): parameter %d holds NaN or Inf", nd.name, nd.typ, p.Index)
			}
		}
		for _, t := range nd.top {
			if n.device.Finite(t.Data) {
				continue
			}
			if d, ok := nd.layer.(layer.Diagnoser); ok {
				if err := d.Diagnose(nd.bottom); err != nil {
					return fmt.Errorf("layer %q (%s): %w", nd.name, nd.typ, err)
				}
			}
			return fmt.Errorf("layer %q (%s): blob %q holds NaN or Inf", nd.name, nd.typ, t.Name)
		}
	}
	return nil
}

// Close stops the readers of the net, and finishes the files that it writes.
func (n *Net) Close() error {
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

func (n *Net) node(name string) *node {
	for _, nd := range n.nodes {
		if nd.name == name {
			return nd
		}
	}
	return nil
}

func blobNames(m map[string]*layer.Blob) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	return names
}
