package caffe

import "strconv"

// LayerNames gives each layer of a net a name of its own. Caffe lets several layers have one name, or none: of layers
// named cost the second is cost#2, and the first InnerProduct without a name InnerProduct#1.
type LayerNames struct {
	taken map[string]bool
	last  map[string]int // the number given last, by what stands before it
}

// Next returns the name of the next layer, of the name and the type that its file says.
func (n *LayerNames) Next(name, typ string) string {
	if n.taken == nil {
		n.taken, n.last = map[string]bool{}, map[string]int{}
	}
	own, base, first := name, name, 2
	if name == "" {
		own, base, first = "", typ, 1
	}
	for own == "" || n.taken[own] {
		n.last[base] = max(n.last[base]+1, first)
		own = base + "#" + strconv.Itoa(n.last[base])
	}
	n.taken[own] = true
	return own
}
