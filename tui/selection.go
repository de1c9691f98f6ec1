package tui

import (
	"strings"

	"dns-tui/model/session"
)

// selection is the selected layer, which the main screen, the pictures and the sensitivity have in common, and the
// filter of the layers by a part of their name.
type selection struct {
	*env
	filter  string
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
	s.visible, s.list.chosen = s.visible[:0], 0
	for i := range s.snap.Layers {
		if filter == "" || strings.Contains(strings.ToLower(s.snap.Layers[i].Name), filter) {
			if i <= s.index {
				s.list.chosen = len(s.visible)
			}
			s.visible = append(s.visible, i)
		}
	}
	s.list.count = len(s.visible)
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
