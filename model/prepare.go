package model

import (
	"slices"
	"time"

	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// Prepare promises that the weights of layers that can be pruned stay as they are from now on, and reports whether the
// device makes use of that (gpu.Device.Prepare): the net is run, not trained. Of its blobs only those are read after a
// pass that no layer reads, and the named ones; others may hold anything.
func (n *Net) Prepare(read ...string) bool {
	for _, nd := range n.nodes {
		if p, ok := nd.layer.(layer.Prunable); ok {
			if w, _ := p.Weights(); !n.device.Prepare(w.Forward()) {
				return false
			}
		}
	}
	n.gone = map[*layer.Blob]bool{}
	for i, nd := range n.nodes {
		if n.onlyPooled(i) && !slices.Contains(read, nd.top[0].Name) {
			n.gone[nd.top[0]] = true
			n.device.Unread(nd.top[0].Data)
		}
	}
	return true
}

// onlyPooled reports whether what a layer that can be pruned makes is read by a Pooling of its maxima, and by nothing
// else but a ReLU in place.
func (n *Net) onlyPooled(i int) bool {
	if _, ok := n.nodes[i].layer.(layer.Prunable); !ok || len(n.nodes[i].top) != 1 || n.debug != nil {
		return false
	}
	b, pooled := n.nodes[i].top[0], false
	for _, nd := range n.nodes[i+1:] {
		switch {
		case !slices.Contains(nd.bottom, b):
		case pooled:
			return false
		case nd.typ == "ReLU" && nd.top[0] == b:
		case nd.typ == "Pooling" && len(nd.top) == 1:
			pooled = true
		default:
			return false
		}
	}
	return pooled
}

// PreparedProduct is how a layer's product with prepared weights is done.
type PreparedProduct struct {
	Layer string
	gpu.Prepared
}

// Prepared lists the products with prepared weights, in the order of the net. Those of other nets on the device are
// left out.
func (n *Net) Prepared() []PreparedProduct {
	var out []PreparedProduct
	of := n.device.Prepared()
	for _, nd := range n.nodes {
		l, ok := nd.layer.(layer.Prunable)
		if !ok {
			continue
		}
		w, _ := l.Weights()
		for _, p := range of {
			if p.Label == nd.forwardName && p.Weights == w.Forward() {
				out = append(out, PreparedProduct{nd.name, p})
			}
		}
	}
	return out
}

// ForwardTimes are how long layers and passes took that ran forward alone. All are medians.
type ForwardTimes struct {
	Layers []LayerTime
	// Pass is that of a pass in which nothing but the whole is measured, Dense that of a pass that makes no use of
	// Prepare.
	Pass, Dense time.Duration
}

// TimeForward measures passes forward of a prepared net: of each layer, and of whole passes, with and without use of
// what was prepared, in turn. It runs passes of each kind.
func (n *Net) TimeForward(passes int, stop func() bool) (*ForwardTimes, error) {
	t := &ForwardTimes{Layers: n.newTimes()}
	layers := make([][]time.Duration, len(n.nodes))
	var whole passTimes
	for range passes {
		if stop() {
			return nil, ErrStopped
		}
		if err := whole.add(n); err != nil {
			return nil, err
		}
		for i := range n.nodes {
			if err := timed(&layers[i], func() error {
				if err := n.forward(i); err != nil {
					return err
				}
				return n.device.Sync()
			}); err != nil {
				return nil, err
			}
		}
	}
	for i, took := range layers {
		t.Layers[i].Forward = median(took)
	}
	t.Pass, t.Dense = median(whole.prepared), median(whole.dense)
	return t, nil
}

// TimePasses measures whole passes forward of nets, prepared or not: passes of each net and kind, all of them in turn,
// so that what else the machine does meets all. Of the result Layers is nil.
func TimePasses(nets []*Net, passes int, stop func() bool) ([]ForwardTimes, error) {
	whole, out := make([]passTimes, len(nets)), make([]ForwardTimes, len(nets))
	for range passes {
		if stop() {
			return nil, ErrStopped
		}
		for i, n := range nets {
			if err := whole[i].add(n); err != nil {
				return nil, err
			}
		}
	}
	for i, w := range whole {
		out[i].Pass, out[i].Dense = median(w.prepared), median(w.dense)
	}
	return out, nil
}

// passTimes are how long passes took that make use of what was prepared, and dense ones.
type passTimes struct{ prepared, dense []time.Duration }

// add measures one of each.
func (t *passTimes) add(n *Net) error {
	defer n.device.UsePrepared(true)
	for _, to := range []*[]time.Duration{&t.prepared, &t.dense} {
		n.device.UsePrepared(to == &t.prepared)
		if err := timed(to, func() error {
			if err := n.Run(); err != nil {
				return err
			}
			return n.device.Sync()
		}); err != nil {
			return err
		}
	}
	return nil
}

// timed appends how long f took.
func timed(to *[]time.Duration, f func() error) error {
	begin := time.Now()
	err := f()
	*to = append(*to, time.Since(begin))
	return err
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}
