package model

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// AutomaticTop is what Caffe calls the top of a loss that the prototxt gives none, as nets of 2013 do.
const AutomaticTop = "(automatic)"

// builder holds what is only needed while a net is built.
type builder struct {
	net      *Net
	opts     NetOptions
	producer map[*layer.Blob]string
	specs    map[*layer.Param]*caffepb.ParamSpec // of a parameter, as the first of its layers has it
	added    map[*layer.Param]bool
	names    caffe.LayerNames
}

func (b *builder) add(p indexedLayer) error {
	n, inFile := b.net, p.param.GetName()
	name := inFile
	if p.index >= 0 {
		name = b.names.Next(inFile, p.param.GetType())
		p.param.Name = &name // random numbers, too, are a layer's own
	}
	l, arity, err := layer.New(p.param)
	if err != nil {
		return b.wrap(p, err)
	}
	if _, loss := l.(layer.Loss); loss && len(p.param.Top) < arity.MinTop {
		p.param = proto.CloneOf(p.param)
		for len(p.param.Top) < arity.MinTop {
			p.param.Top = append(p.param.Top, AutomaticTop)
		}
	}
	nd := &node{name: name, inFile: inFile, typ: p.param.GetType(), index: p.index, param: p.param, layer: l,
		forwardName: fmt.Sprintf("layer %q, forward", name), backwardName: fmt.Sprintf("layer %q, backward", name)}
	if err := arity.Check(len(p.param.Bottom), len(p.param.Top)); err != nil {
		return b.wrap(p, err)
	}
	for _, name := range p.param.Bottom {
		blob, ok := n.blobs[name]
		if !ok {
			err := fmt.Errorf("unknown bottom blob %q", name)
			if c := caffe.Closest(name, slices.Sorted(maps.Keys(n.blobs))); c != "" {
				err = fmt.Errorf("unknown bottom blob %q; did you mean %q?", name, c)
			}
			return b.wrap(p, err)
		}
		nd.bottom = append(nd.bottom, blob)
	}
	if n := len(p.param.PropagateDown); n > 0 && n != len(p.param.Bottom) {
		return b.wrap(
			p,
			fmt.Errorf("%d propagate_down for %d bottoms; wanted none or one for each", n, len(p.param.Bottom)),
		)
	}
	for i, name := range p.param.Top {
		blob := &layer.Blob{Name: name, Later: n.reuse && len(p.param.Bottom) > 0}
		if i < len(p.param.Bottom) && p.param.Bottom[i] == name {
			blob = nd.bottom[i] // in place
		} else if old, ok := n.blobs[name]; ok && name != AutomaticTop {
			if i < len(nd.bottom) && nd.bottom[i].Name == name { // a split stands between
				return b.wrap(
					p,
					fmt.Errorf(
						"in place on %q, which other layers read or which counts as a loss; wanted a top of another "+
							"name",
						name,
					),
				)
			}
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
	n.byName[name] = nd
	return nil
}

func (b *builder) setup(p indexedLayer, nd *node) error {
	nd.weights = make([]float32, len(nd.top))
	if len(p.param.LossWeight) > len(nd.top) {
		return fmt.Errorf("%d loss_weight for %d tops", len(p.param.LossWeight), len(nd.top))
	}
	for j := range nd.top {
		nd.weights[j] = lossWeight(p.param, j)
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
		Param: nd.param, Device: n.device, Phase: n.Phase, Seed: n.seed, Clock: n.clock, NewParam: newParam,
		Weight: &nd.weight, Backward: n.gradients, Later: n.reuse, Resolve: n.resolve,
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

// resolve finds a file that the net names, and keeps it where that is not where its name says.
func (n *Net) resolve(path string) string {
	found, elsewhere := config.Find(path, n.file.Path)
	if n.missing = ""; !elsewhere && !filepath.IsAbs(path) && !caffe.Exists(found) {
		n.missing = path
	}
	if elsewhere {
		if line := config.FoundElsewhere(path, found); !slices.Contains(n.found, line) {
			n.found = append(n.found, line)
		}
	}
	return found
}

// foundTold is how many files that were found elsewhere are told one by one.
const foundTold = 5

// Found tells of files that were not where the net says.
func (n *Net) Found() []string {
	if more := len(n.found) - foundTold; more > 0 {
		return append(
			n.found[:foundTold:foundTold],
			fmt.Sprintf("and %d more files that are not in the working folder", more),
		)
	}
	return n.found
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
		if gpu.Elements(p.Shape) != gpu.Elements(s.Shape) ||
			!permissive && caffe.FormatShape(p.Shape) != caffe.FormatShape(s.Shape) {
			return nil, fmt.Errorf("parameter %d has the shape %s here, and %s in layer %q, which it is shared with",
				s.Index, caffe.FormatShape(s.Shape), caffe.FormatShape(p.Shape), p.Layer)
		}
		if err := b.agree(p, spec); err != nil {
			return nil, err
		}
		nd.params = append(nd.params, p)
		b.addParam(p)
		return p, nil
	}
	p = &layer.Param{
		Layer:      nd.name,
		Index:      s.Index,
		Shape:      s.Shape,
		LRMult:     spec.GetLrMult(),
		DecayMult:  spec.GetDecayMult(),
		Statistics: s.Statistics,
	}
	var err error
	if p.Data, err = gpu.NewTensor(b.opts.Device, s.Shape...); err != nil {
		return nil, err
	}
	if p.Trained() && b.net.gradients {
		if p.Diff, err = gpu.NewTensor(b.opts.Device, s.Shape...); err != nil {
			return nil, err
		}
	}
	if !s.Statistics {
		if err := b.fill(p, s.Filler, layer.FillerKey(b.opts.Seed, nd.name, s.Index)); err != nil {
			return nil, err
		}
	}
	if spec.GetName() != "" {
		b.net.named[spec.GetName()] = p
	}
	b.specs[p] = spec
	nd.params = append(nd.params, p)
	b.addParam(p)
	return p, nil
}

// fill gives a parameter its first values, by a filler or its default.
func (b *builder) fill(p *layer.Param, f *caffepb.FillerParameter, key gpu.Key) error {
	if f == nil {
		f = &caffepb.FillerParameter{}
	}
	if b.opts.Device.Dry() {
		return layer.CheckFiller(f, p.Shape)
	}
	return layer.FillPieces(f, p.Shape, key, func(first int, piece []float32) {
		b.opts.Device.Upload(p.Data.View(first, len(piece)), piece)
	})
}

// agree holds the multipliers of a layer that shares a parameter against those that were said before: the first that
// says one sets it, and the others say the same or nothing (Caffe's Net::AppendParam).
func (b *builder) agree(p *layer.Param, spec *caffepb.ParamSpec) error {
	first := b.specs[p]
	if first == nil || b.opts.Share != nil {
		return nil // it is the train net's
	}
	merged := proto.CloneOf(first)
	for _, m := range []struct {
		name     string
		old, new *float32
		to       **float32
		value    *float32
	}{
		{"lr_mult", first.LrMult, spec.LrMult, &merged.LrMult, &p.LRMult},
		{"decay_mult", first.DecayMult, spec.DecayMult, &merged.DecayMult, &p.DecayMult},
	} {
		switch {
		case m.new == nil:
		case m.old == nil:
			*m.to, *m.value = m.new, *m.new
		case *m.old != *m.new:
			return fmt.Errorf(
				"%s of a shared parameter is %g here, and %g in layer %q",
				m.name,
				*m.new,
				*m.old,
				p.Layer,
			)
		}
	}
	b.specs[p] = merged
	return nil
}

func (b *builder) shared(nd *node, index int, spec *caffepb.ParamSpec) *layer.Param {
	if b.opts.Share != nil {
		if o := b.opts.Share.node(nd.name); o != nil && index < len(o.params) {
			if b.opts.Substitute != nil {
				return b.opts.Substitute(o.params[index])
			}
			return o.params[index]
		}
	}
	if spec.GetName() != "" {
		return b.net.named[spec.GetName()]
	}
	return nil
}

func (b *builder) addParam(p *layer.Param) {
	if !b.added[p] {
		b.added[p] = true
		b.net.params = append(b.net.params, p)
	}
}

// known names all layers whose type there is none of here, which is what the first look at a fork's net wants.
func (b *builder) known(layers []indexedLayer) error {
	var errs []error
	for _, p := range layers {
		if err := layer.Known(p.param); err != nil {
			errs = append(errs, b.wrap(p, err))
		}
	}
	return errors.Join(errs...)
}

// wrap says which layer an error is about, and what its inputs are.
func (b *builder) wrap(p indexedLayer, err error) error {
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
	if path := b.net.missing; path != "" && strings.Contains(err.Error(), path) {
		err = fmt.Errorf("%w; %s", err, config.NotFound(path, b.net.file.Path))
	}
	fe := b.net.file.Errorf(p.index, "(%s) %v", p.param.GetType(), err)
	if f, ok := errors.AsType[*caffe.FileError](fe); ok {
		f.Err = err
		if _, ok := dataBatch(p.param); ok {
			f.Err = &DataError{err}
		}
	}
	return fe
}

// planBackward decides which layers run backward, and allocates the gradients that flow (Caffe's Net::Init).
func (b *builder) planBackward() error {
	n := b.net
	if !n.gradients {
		for _, nd := range n.nodes {
			nd.need = make([]bool, len(nd.bottom))
		}
		return nil
	}
	force := n.file.Net.GetForceBackward()
	needed := map[*layer.Blob]bool{}
	for _, nd := range n.nodes {
		needs := false
		for _, p := range nd.params {
			needs = needs || p.Trained()
		}
		for i, bl := range nd.bottom {
			wanted := needed[bl] || b.opts.AllGradients || force
			needs = needs || wanted && !isLabel(nd, i)
			if down := nd.param.PropagateDown; len(down) > 0 && !force { // force_backward goes before it
				wanted = down[i]
			}
			nd.need = append(nd.need, wanted && !isLabel(nd, i))
		}
		for _, t := range nd.top {
			needed[t] = needs
		}
		nd.backward = needs
	}
	ends := b.ends()
	feedsLoss := map[*layer.Blob]bool{} // blobs that a loss depends on
	for _, nd := range slices.Backward(n.nodes) {
		contributes := b.opts.AllGradients
		for j, t := range nd.top {
			contributes = contributes || nd.weights[j] != 0 || feedsLoss[t] || ends[t]
		}
		nd.backward = nd.backward && contributes
		for j, bl := range nd.bottom {
			feedsLoss[bl] = feedsLoss[bl] || contributes && nd.need[j]
			nd.need[j] = nd.need[j] && nd.backward
		}
	}
	return b.allocate(func(nd *node, j int) bool {
		t := nd.top[j]
		return nd.weights[j] != 0 && !(isLoss(nd) && j == 0) || feedsLoss[t] || ends[t] ||
			b.opts.AllGradients && nd.typ != "Split"
	})
}

// ends are the blobs that stand for losses in a net that has none and whose gradients are wanted all the same.
func (b *builder) ends() map[*layer.Blob]bool {
	ends := map[*layer.Blob]bool{}
	if !b.opts.Backward || len(b.net.LossBlobs()) > 0 {
		return ends
	}
	for _, o := range b.net.unread() {
		ends[o.blob] = true
	}
	return ends
}

// allocate makes the gradients of the layers that run backward: those of tops that flows tells, and of bottoms that are
// needed. A loss that another layer reads, and so has no weight of its own, takes its weight from its top's gradient.
func (b *builder) allocate(flows func(nd *node, top int) bool) error {
	d := b.net.device
	for _, nd := range b.net.nodes {
		if !nd.backward {
			continue
		}
		for j, t := range nd.top {
			if !flows(nd, j) {
				continue
			}
			if err := t.NeedDiff(d); err != nil {
				return err
			}
		}
		if isLoss(nd) {
			nd.weight = nd.weights[0]
			if nd.chained = nd.weight == 0 && nd.top[0].Diff != nil; nd.chained {
				nd.weight = 1
			}
		}
		for j, bl := range nd.bottom {
			if !nd.need[j] {
				continue
			}
			if err := bl.NeedDiff(d); err != nil {
				return err
			}
		}
	}
	return nil
}

func isLoss(nd *node) bool {
	_, ok := nd.layer.(layer.Loss)
	return ok
}

// isLabel reports whether a bottom has no gradient: labels, indices, a shape.
func isLabel(nd *node, bottom int) bool {
	l, ok := nd.layer.(layer.Selective)
	return ok && l.NoGradient(bottom)
}
