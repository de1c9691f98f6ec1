package shrink

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model"
)

// graph is the net, with the channels of each blob.
type graph struct {
	nodes []*node
	blobs map[string]*blob // the newest of a name
	tops  []*blob          // all of them
	// elsewhere says of blobs which layer of another phase reads or makes one of the name.
	elsewhere map[string]string
	others    []int // the layers of another phase, in the file
	shared    shared
}

func newGraph(f *caffe.NetFile, n *model.Net, w *caffepb.NetParameter) (*graph, error) {
	g := &graph{blobs: map[string]*blob{}, elsewhere: map[string]string{}}
	for _, l := range n.Layers() {
		nd := &node{LayerInfo: l, param: n.LayerParam(l.Name), phase: n.Phase}
		for _, b := range l.Bottom {
			nd.shapes = append(nd.shapes, n.Blob(b).Shape)
		}
		g.nodes = append(g.nodes, nd)
	}
	g.shared = findShared(g.nodes)
	if err := g.take(w, n.Takers(w)); err != nil {
		return nil, err
	}
	for _, nd := range g.nodes {
		if nd.op = opOf(nd); slices.ContainsFunc(nd.param.Param, isPermissive) {
			nd.op = opaque{why: "its weights are shared in another form"}
		}
	}
	g.findOthers(f)
	for _, nd := range g.nodes {
		if l, ok := nd.op.(linear); ok {
			for range l.outputs(nd) {
				nd.units = append(nd.units, &unit{})
			}
		}
	}
	g.flow()
	g.pinOutputs()
	g.shared.couple()
	for _, i := range g.others {
		g.shared.pinElsewhere(f.Net.Layer[i])
	}
	return g, nil
}

// take gives the layers their weights. Layers that share a parameter have a copy each in a file; the last one counts,
// as where weights are loaded.
func (g *graph) take(w *caffepb.NetParameter, takers []int) error {
	stored := map[int]*caffepb.LayerParameter{} // by the place in the net's file
	at := map[int]*node{}
	for _, nd := range g.nodes {
		at[nd.Index()] = nd
	}
	last := map[string][]float32{} // of a shared parameter
	for i, l := range w.Layer {
		nd := at[takers[i]]
		if takers[i] < 0 || nd == nil {
			continue
		}
		stored[nd.Index()] = l
		for k, b := range l.Blobs {
			if name := caffe.ParamName(nd.param, k); name != "" && len(caffe.Values(b)) > 0 {
				last[name] = caffe.Values(b)
			}
		}
	}
	for _, nd := range g.nodes {
		blobs := stored[nd.Index()].GetBlobs()
		wrong := len(blobs) > len(nd.Params)
		for i := len(blobs); i < len(nd.Params); i++ {
			wrong = wrong || last[caffe.ParamName(nd.param, i)] == nil
		}
		if wrong {
			return fmt.Errorf("layer %q has %d blobs of weights, wanted %d", nd.Name, len(blobs), len(nd.Params))
		}
		for i, p := range nd.Params {
			v := last[caffe.ParamName(nd.param, i)]
			if v == nil {
				v = caffe.Values(blobs[i])
			}
			if len(v) != gpu.Elements(p) {
				return fmt.Errorf("layer %q, blob %d has %d values, wanted %s", nd.Name, i, len(v),
					caffe.FormatShape(p))
			}
			nd.blobs = append(nd.blobs, v)
		}
	}
	return nil
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
		var names []*caffepb.ParamSpec // which parameters it shares
		for i := range l.Param {
			if name := caffe.ParamName(l, i); name != "" {
				names = append(names, &caffepb.ParamSpec{Name: proto.String(fmt.Sprintf("%d %s", i, name))})
			}
		}
		l = proto.CloneOf(l)
		l.Include, l.Exclude, l.Phase, l.Param, l.LossWeight, l.PropagateDown = nil, nil, nil, names, nil, nil
		l.BatchNormParam, l.Blobs = nil, nil
		return l
	}
	return proto.Equal(plain(a), plain(b))
}

// pinOutputs keeps what no layer reads: the net's outputs.
func (g *graph) pinOutputs() {
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

// flow follows the channels through the net.
func (g *graph) flow() {
	for _, nd := range g.nodes {
		for _, name := range nd.Bottom {
			nd.in = append(nd.in, g.blobs[name])
		}
		nd.out = nd.op.flow(nd)
		for i, t := range nd.Top {
			g.blobs[t] = nd.out[i]
			g.tops = append(g.tops, nd.out[i])
			if why := g.elsewhere[t]; why != "" {
				pin(nd.out[i], why)
			}
		}
	}
}
