package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// LoadOptions say how weights are taken from a file.
type LoadOptions struct {
	MasksFromZeros bool // exact zeros start pruned where the file has no mask
	// Soft reports whether a layer goes on by the soft rule; nil: where its prototxt says so. Where it does not,
	// forward weights that the soft rule left in the file become its weights.
	Soft           func(layer string) bool
	SkipMismatched bool // a layer whose blobs have another shape or number keeps the values that it has
	CanSkip        bool // the command has a flag for that, which errors name
	TellEdits      bool // say where the file's layers are not those of the net: the weights are of a snapshot of it
}

// Loaded is what weights files gave a net.
type Loaded struct {
	params map[*layer.Param]bool
	masks  map[*layer.Param]bool // of which the files have masks
	// Notices say what did not fit, a line each.
	Notices []string
	// Zeros of Weights entries of layers that can be pruned are exactly zero, in layers whose masks are not in the
	// file.
	Zeros, Weights int
	odd            []string // layers of the file whose masks are not 0 and 1
	hardened       []string // layers whose forward weights by the soft rule became their weights
	Untouched      []string // layers with parameters that no file gave anything
}

func newLoaded() *Loaded {
	return &Loaded{params: map[*layer.Param]bool{}, masks: map[*layer.Param]bool{}}
}

// HasMask reports whether the files have a mask of a parameter.
func (l *Loaded) HasMask(p *layer.Param) bool { return l != nil && l.masks[p] }

// LoadFiles loads weights files, one after the other, and says what each layer got, as Caffe logs it
// (Net::CopyTrainedLayersFrom). On a device that allocates nothing it says so and loads nothing.
func (n *Net) LoadFiles(paths []string, o LoadOptions) (*Loaded, error) {
	l := newLoaded()
	for _, path := range paths {
		src, err := caffe.ReadNet(path)
		if err != nil {
			return nil, err
		}
		if err := n.load(path, src, o, l); err != nil {
			return nil, err
		}
	}
	for _, nd := range n.nodes {
		for _, p := range nd.params {
			if !l.params[p] {
				l.Untouched = append(l.Untouched, nd.name)
				break
			}
		}
	}
	if len(l.Untouched) > 0 && len(paths) > 0 {
		keep := "which keep the values of their fillers"
		if len(l.Untouched) == 1 {
			keep = "which keeps the values of its fillers"
		}
		l.Notices = append(l.Notices, fmt.Sprintf("%s: no weights for %s of the net, %s", strings.Join(paths, ", "),
			layersNamed(l.Untouched), keep))
	}
	return l, nil
}

// LoadWeights copies the layers of a caffemodel into the layers of the same names, masks included. path is for
// errors. A layer to be pruned takes W; W and b; W (b) and a mask of W (seed); or W, b and masks of both (the
// authors'). Nothing is changed where anything does not fit.
func (n *Net) LoadWeights(path string, src *caffepb.NetParameter, o LoadOptions) (*Loaded, error) {
	l := newLoaded()
	return l, n.load(path, src, o, l)
}

func (n *Net) load(path string, src *caffepb.NetParameter, o LoadOptions, into *Loaded) error {
	var todo []func() error
	var unused []string
	var errs []error
	takers, notices := n.takers(path, src)
	for i, l := range src.Layer {
		if len(l.Blobs) == 0 {
			continue
		}
		nd := takers[i]
		if nd == nil {
			unused = append(unused, l.GetName())
			continue
		}
		f, err := n.planLoad(nd, l, o, into)
		if err != nil && o.SkipMismatched {
			into.Notices = append(into.Notices, fmt.Sprintf("%s: layer %q is left out: %v", path, l.GetName(), err))
			continue
		}
		if err != nil {
			msg := fmt.Sprintf("layer %q: %v", l.GetName(), err)
			if o.CanSkip {
				msg += " (--skip-mismatched leaves such layers out)"
			}
			errs = append(errs, &caffe.FileError{Path: path, Msg: msg, Err: err})
			continue
		}
		todo = append(todo, f)
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	if len(todo) == 0 {
		return &caffe.FileError{
			Path: path,
			Msg: fmt.Sprintf(
				"holds weights of another net: none of its layers (%s) fits a layer with parameters in %s (%s)",
				strings.Join(withBlobs(src), ", "),
				n.file.Path,
				strings.Join(n.withParams(), ", "),
			),
		}
	}
	if len(unused) > 0 {
		into.Notices = append(
			into.Notices,
			fmt.Sprintf("%s: not used, for the net has no such layer: %s", path, layersNamed(unused)),
		)
	}
	into.Notices = append(into.Notices, notices...)
	if o.TellEdits {
		into.Notices = append(into.Notices, n.edits(src)...)
	}
	if len(into.odd) > 0 {
		into.Notices = append(
			into.Notices,
			fmt.Sprintf("%s: the mask of %s is %s", path, layersNamed(into.odd), OddMasks),
		)
		into.odd = nil
	}
	if len(into.hardened) > 0 {
		into.Notices = append(into.Notices, fmt.Sprintf("%s: %s was in the middle of the soft rule, which is not its "+
			"rule here: its forward weights are taken for its weights", path, layersNamed(into.hardened)))
		into.hardened = nil
	}
	if n.device.Dry() {
		return nil
	}
	for _, f := range todo {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// ParamValues returns the values that a file without masks has for the parameters of the net, each once; path is for
// errors. It is LoadWeights for a net on a device that allocates nothing.
func (n *Net) ParamValues(path string, src *caffepb.NetParameter) (map[*layer.Param][]float32, *Loaded, error) {
	values := map[*layer.Param][]float32{}
	if len(n.params) == 0 { // LoadWeights would say that no layer of the file is one of the net's
		return values, newLoaded(), nil
	}
	loaded, err := n.LoadWeights(path, src, LoadOptions{})
	if err != nil {
		return nil, nil, err
	}
	// Several layers may share one: the last that has it.
	n.EachStored(src, func(b *caffepb.BlobProto, p *layer.Param) { values[p] = caffe.Values(b) })
	return values, loaded, nil
}

// EachStored calls f for each blob of a file without masks that fits the net, with the parameter that takes it. Layers
// that share a parameter have a blob each.
func (n *Net) EachStored(src *caffepb.NetParameter, f func(*caffepb.BlobProto, *layer.Param)) {
	takers, _ := n.takers("", src)
	for i, l := range src.Layer {
		if takers[i] == nil {
			continue
		}
		for k, p := range takers[i].params {
			if !leftOut(l.Blobs[k]) {
				f(l.Blobs[k], p)
			}
		}
	}
}

// Takers finds for each layer of a file without masks the layer of the net that takes its blobs, as where weights are
// loaded: its place in the net's file, or -1.
func (n *Net) Takers(src *caffepb.NetParameter) []int {
	takers, _ := n.takers("", src)
	out := make([]int, len(takers))
	for i, nd := range takers {
		if out[i] = -1; nd != nil {
			out[i] = nd.index
		}
	}
	return out
}

// takers finds for each layer of a file that has blobs the layer of the net that takes them: the one of its name, by
// Caffe's rule. Where file and net have several layers of one name, and the same number, they are taken in order, so
// that what a net writes is what it reads. Where the numbers differ, the last of the net takes them, and keeps those
// of the last of the file (Caffe's layer_names_index_, by which it reads HDF5), which is told.
func (n *Net) takers(path string, src *caffepb.NetParameter) (takers []*node, notices []string) {
	mine := map[string][]*node{}
	for _, nd := range n.nodes {
		if nd.index >= 0 && len(nd.params) > 0 {
			mine[nd.inFile] = append(mine[nd.inFile], nd)
		}
	}
	count := map[string]int{}
	for _, l := range src.Layer {
		if len(l.Blobs) > 0 {
			count[l.GetName()]++
		}
	}
	takers = make([]*node, len(src.Layer))
	at := map[string]int{}
	for i, l := range src.Layer {
		name := l.GetName()
		fit := mine[name]
		if len(l.Blobs) == 0 || len(fit) == 0 {
			continue
		}
		if count[name] == len(fit) {
			takers[i] = fit[at[name]]
		} else {
			takers[i] = fit[len(fit)-1]
			if at[name] == 0 {
				notices = append(
					notices,
					fmt.Sprintf(
						"%s: layers %q: %d in the file, %d in the net; the last of the file goes into the last of "+
							"the net",
						path, name, count[name], len(fit),
					),
				)
			}
		}
		at[name]++
	}
	return takers, notices
}

// layersNamed is "layer a" or "layers a, b".
func layersNamed(names []string) string {
	if len(names) == 1 {
		return "layer " + names[0]
	}
	return "layers " + strings.Join(names, ", ")
}

func withBlobs(src *caffepb.NetParameter) []string {
	var names []string
	for _, l := range src.Layer {
		if len(l.Blobs) > 0 {
			names = append(names, l.GetName())
		}
	}
	return names
}

func (n *Net) withParams() []string {
	var names []string
	for _, nd := range n.nodes {
		if len(nd.params) > 0 {
			names = append(names, nd.name)
		}
	}
	return names
}

// planLoad checks the blobs of one layer and returns what loads them.
func (n *Net) planLoad(nd *node, l *caffepb.LayerParameter, o LoadOptions, into *Loaded) (func() error, error) {
	blobs := l.Blobs
	pruned, prunable := nd.layer.(layer.Prunable)
	have, want := len(blobs), len(nd.params)
	masks := have - want
	if masks < 0 || masks > 0 && !prunable || masks > want {
		return nil, fmt.Errorf(
			"the file has %d blobs (%s), the net wants %s",
			have,
			shapes(blobs),
			wantedBlobs(nd, prunable),
		)
	}
	for i, b := range blobs {
		p := nd.params[i%want]
		if leftOut(b) && p.Layer != nd.name {
			continue
		}
		if err := caffe.CheckBlob(b); err != nil {
			return nil, err
		}
		if !SameExtents(b, p.Shape) {
			return nil, fmt.Errorf(
				"blob %d has the shape %s in the file, the net wants %s",
				i,
				caffe.FormatShape(caffe.Shape(b)),
				caffe.FormatShape(p.Shape),
			)
		}
	}
	stored := make([]*storedMask, want) // nil where the file has none
	for i := range masks {
		into.masks[nd.params[i]] = true
		if leftOut(blobs[i]) {
			continue
		}
		var err error
		if stored[i], err = readMask(caffe.Values(blobs[i]), blobs[want+i]); err != nil {
			return nil, fmt.Errorf("blob %d: %w", want+i, err)
		}
		if stored[i].odd() && !slices.Contains(into.odd, nd.name) {
			into.odd = append(into.odd, nd.name)
		}
	}
	soft := storedSoft(l)
	if masks > 0 && !soft.Hard() && !n.goesSoft(o, pruned) {
		for _, m := range stored {
			m.harden(soft)
		}
		soft = gpu.Soft{}
		into.hardened = append(into.hardened, nd.name)
	}
	for i, p := range nd.params {
		if !leftOut(blobs[i]) {
			into.params[p] = true
		}
	}
	if prunable && masks == 0 {
		into.Weights += nd.params[0].Data.N
		into.Zeros += zeros(caffe.Values(blobs[0]))
	}
	return func() error {
		for i, p := range nd.params {
			switch {
			case leftOut(blobs[i]):
			case stored[i] != nil:
				n.device.Upload(p.Data, stored[i].weights)
			default:
				n.device.Upload(p.Data, caffe.Values(blobs[i]))
			}
		}
		for i := range nd.params {
			if leftOut(blobs[i]) {
				continue
			}
			var mask []float32
			switch {
			case stored[i] != nil:
				mask = stored[i].mask
			case prunable && o.MasksFromZeros && (i == 0 || pruned.Pruning().Rule.PrunesBias()):
				mask = nonZero(caffe.Values(blobs[i]))
			}
			nd.params[i].Soft = gpu.Soft{}
			if stored[i] != nil {
				nd.params[i].Soft = soft
			}
			if err := n.loadMask(nd.params[i], mask); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// goesSoft reports whether a layer goes on by the soft rule: by the rule of the first layer with its weights.
func (n *Net) goesSoft(o LoadOptions, l layer.Prunable) bool {
	w, _ := l.Weights()
	if o.Soft != nil {
		return o.Soft(w.Layer)
	}
	if first := n.node(w.Layer); first != nil {
		if p, ok := first.layer.(layer.Prunable); ok {
			l = p
		}
	}
	return l.Pruning().Rule == gpu.SoftRule
}

// leftOut reports a blob that Caffe left out of an HDF5 file because its layer shares it.
func leftOut(b *caffepb.BlobProto) bool { return len(b.Data) == 0 && b.Shape == nil }

// loadMask gives a parameter the mask of a file; without one everything is kept.
func (n *Net) loadMask(p *layer.Param, mask []float32) error {
	if p.Masked == nil {
		if !hasZero(mask) {
			return nil
		}
		if err := p.EnsureMask(n.device); err != nil {
			return err
		}
	}
	p.SetMask(n.device, mask)
	return nil
}

func hasZero(mask []float32) bool {
	return slices.Contains(mask, 0)
}

func zeros(w []float32) int {
	n := 0
	for _, v := range w {
		if v == 0 {
			n++
		}
	}
	return n
}

func nonZero(w []float32) []float32 {
	m := make([]float32, len(w))
	for i, v := range w {
		if v != 0 {
			m[i] = 1
		}
	}
	return m
}

// SameExtents compares shapes; the old four extents match with leading ones dropped.
func SameExtents(b *caffepb.BlobProto, want []int) bool {
	have := caffe.Shape(b)
	if caffe.IsLegacy(b) {
		for len(have) > len(want) && have[0] == 1 {
			have = have[1:]
		}
	}
	return caffe.FormatShape(have) == caffe.FormatShape(want)
}

func shapes(blobs []*caffepb.BlobProto) string {
	s := make([]string, len(blobs))
	for i, b := range blobs {
		s[i] = caffe.FormatShape(caffe.Shape(b))
	}
	return strings.Join(s, ", ")
}

func wantedBlobs(nd *node, prunable bool) string {
	s := make([]string, len(nd.params))
	for i, p := range nd.params {
		s[i] = caffe.FormatShape(p.Shape)
	}
	out := fmt.Sprintf("%d (%s)", len(s), strings.Join(s, ", "))
	if prunable {
		out += ", with a mask of each or of the first behind them"
	}
	return out
}

// Weights returns the net as a caffemodel with W and the masks: what training resumes from. ApplyMasks makes of it what
// another program runs.
func (n *Net) Weights() *caffepb.NetParameter { return n.WeightsWith(nil) }

// WeightsWith is Weights, but parameters of which instead has forward weights hold these, and their layers have no
// mask: the weights as a surgery would leave them that has not been done.
func (n *Net) WeightsWith(instead map[*layer.Param][]float32) *caffepb.NetParameter {
	out := &caffepb.NetParameter{Name: proto.String(n.Name)}
	for _, nd := range n.nodes {
		if nd.index < 0 {
			continue
		}
		l := n.stored(nd)
		l.Blobs = n.layerBlobs(nd, instead)
		out.Layer = append(out.Layer, l)
	}
	return out
}

// stored is a layer as a caffemodel has it, without its blobs.
func (n *Net) stored(nd *node) *caffepb.LayerParameter {
	l := proto.CloneOf(nd.param)
	l.Phase = n.Phase.Enum()
	inFile := n.file.Net.Layer[nd.index]
	l.Name, l.Bottom, l.Top = inFile.Name, inFile.Bottom, inFile.Top
	if l.SoftSurgeryParam != nil {
		l.SoftSurgeryParam.Cut = nil
	}
	if p, ok := nd.layer.(layer.Prunable); ok {
		if w, _ := p.Weights(); w.Soft.Cut > 0 {
			if l.SoftSurgeryParam == nil {
				l.SoftSurgeryParam = &caffepb.SoftSurgeryParameter{}
			}
			e := w.Soft.Exponent
			if e == 0 {
				e = float32(math.Inf(1))
			}
			l.SoftSurgeryParam.Cut, l.SoftSurgeryParam.Exponent = proto.Float32(w.Soft.Cut), proto.Float32(e)
		}
	}
	return l
}

// ExportBytes returns the size of the caffemodel that export makes of the net: W∘T, without masks. How much is pruned
// does not change it: pruned weights are zeros in it.
func (n *Net) ExportBytes() int64 {
	const blobData, layerBlobs, netLayer = 5, 7, 100 // numbers of the fields in caffe.proto
	total := proto.Size(&caffepb.NetParameter{Name: proto.String(n.Name)})
	for _, nd := range n.nodes {
		if nd.index < 0 {
			continue
		}
		size := proto.Size(n.stored(nd))
		for _, p := range nd.params {
			blob := proto.Size(caffe.NewBlob(p.Shape, nil)) + protowire.SizeTag(
				blobData,
			) + protowire.SizeBytes(
				4*p.Data.N,
			)
			size += protowire.SizeTag(layerBlobs) + protowire.SizeBytes(blob)
		}
		total += protowire.SizeTag(netLayer) + protowire.SizeBytes(size)
	}
	return int64(total)
}

func (n *Net) layerBlobs(nd *node, instead map[*layer.Param][]float32) []*caffepb.BlobProto {
	var blobs []*caffepb.BlobProto
	operated := false
	for _, p := range nd.params {
		operated = operated || instead[p] != nil
	}
	for _, p := range nd.params {
		v := slices.Clone(instead[p])
		if v == nil {
			v = make([]float32, p.Data.N)
			from := p.Data
			if operated { // without its mask, too
				from = p.Forward()
			}
			n.device.Download(v, from)
		}
		if operated {
			dropSigns(v)
		}
		blobs = append(blobs, caffe.NewBlob(p.Shape, v))
	}
	if operated {
		return blobs
	}
	for _, p := range nd.maskSlots() {
		blobs = append(blobs, caffe.NewBlob(p.Shape, p.Mask(n.device)))
	}
	return blobs
}

// maskSlots are the parameters of a layer whose masks a file holds: of W under the seed rule, of W and b under the
// others or where a file brought a mask of the bias; none where nothing was ever pruned.
func (nd *node) maskSlots() []*layer.Param {
	l, ok := nd.layer.(layer.Prunable)
	if !ok {
		return nil
	}
	w, b := l.Weights()
	switch {
	case b != nil && (b.Masked != nil || w.Masked != nil && l.Pruning().Rule.PrunesBias()):
		return []*layer.Param{w, b}
	case w.Masked != nil:
		return []*layer.Param{w}
	}
	return nil
}
