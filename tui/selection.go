package tui

import (
	"cmp"
	"slices"
	"strings"

	"dns-tui/model/session"
)

// layerOrder is how the layers are listed.
type layerOrder int

const (
	inNet layerOrder = iota
	bySize
	byKeptLeft
	byChange
	layerOrders
)

func (o layerOrder) String() string { return [...]string{"net", "size", "kept", "change"}[o] }

// selection is the selected layer, which the main screen, the pictures and the sensitivity have in common, and the
// filter of the layers by a part of their name.
type selection struct {
	*env
	filter  string
	order   layerOrder
	index   int   // of the selected layer
	visible []int // the layers that the filter lets through
	list    list  // over them
}

// arrange looks again at which layers there are and which the filter lets through.
func (s *selection) arrange() {
	if s.snap == nil {
		return
	}
	s.index = clamp(s.index, len(s.snap.Layers)-1)
	filter := strings.ToLower(s.filter)
	s.visible = s.visible[:0]
	nearest := 0 // of those that are visible, where the selected layer is not
	for i := range s.snap.Layers {
		if filter == "" || strings.Contains(strings.ToLower(s.snap.Layers[i].Name), filter) {
			if i <= s.index {
				nearest = i
			}
			s.visible = append(s.visible, i)
		}
	}
	if s.order != inNet {
		slices.SortStableFunc(s.visible, func(i, k int) int {
			return cmp.Compare(s.order.key(&s.snap.Layers[k]), s.order.key(&s.snap.Layers[i]))
		})
	}
	s.list.count, s.list.chosen = len(s.visible), max(0, slices.Index(s.visible, nearest))
}

// key is what layers are sorted by, the largest first.
func (o layerOrder) key(l *session.LayerStats) float64 {
	switch o {
	case bySize:
		return float64(l.Weights)
	case byKeptLeft:
		return float64(l.Kept)
	}
	return fraction(l.Pruned+l.Spliced, l.Weights) // what the last surgery changed, of the layer's size
}

// nextOrder lists the layers in the next order, and says in which.
func (s *selection) nextOrder() string {
	s.order = (s.order + 1) % layerOrders
	s.arrange()
	return [...]string{"as they are in the net", "by size, the largest first", "by weights kept, most first",
		"by the fraction that the last surgery changed, most first"}[s.order]
}

// layer is the selected layer; nil where the filter hides all.
func (s *selection) layer() *session.LayerStats {
	if s.snap == nil || len(s.visible) == 0 || s.index >= len(s.snap.Layers) {
		return nil
	}
	return &s.snap.Layers[s.index]
}

// move selects a visible layer that is so many further.
func (s *selection) move(by int) {
	s.list.move(by)
	if len(s.visible) > 0 {
		s.index = s.visible[s.list.chosen]
	}
}

// narrow shows the layers whose name has a text.
func (s *selection) narrow(filter string) {
	s.filter = filter
	s.arrange()
}
