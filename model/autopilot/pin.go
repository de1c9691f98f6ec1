package autopilot

import (
	"fmt"
	"slices"
)

// Pin returns a copy with layers pinned. Floors and ceilings of theirs go, which pinned layers do not go by.
func (s Settings) Pin(names []string) (Settings, error) {
	s.Limits = slices.Clone(s.Limits)
	for _, name := range names {
		*s.limitsOf(name) = LayerLimits{Name: name, Pinned: true}
	}
	return s, s.Validate()
}

// Unpin returns a copy with a layer that is no longer pinned.
func (s Settings) Unpin(name string) (Settings, error) {
	s.Limits = slices.Clone(s.Limits)
	s.limitsOf(name).Pinned = false
	s.tidy()
	return s, s.Validate()
}

// LeaveOut returns a copy that excludes a layer, whose limits go. It is an error where layers names no other.
func (s Settings) LeaveOut(name string) (Settings, error) {
	s.Limits = slices.Clone(s.Limits)
	*s.limitsOf(name) = LayerLimits{Name: name}
	s.tidy()
	if i := slices.Index(s.Layers, name); i >= 0 {
		if len(s.Layers) == 1 {
			return s, fmt.Errorf("layers names %s alone; name another first", name)
		}
		s.Layers = slices.Delete(slices.Clone(s.Layers), i, i+1)
		return s, s.Validate()
	}
	s.Exclude = append(slices.Clone(s.Exclude), name)
	return s, s.Validate()
}

// TakeIn returns a copy that excludes a layer no longer.
func (s Settings) TakeIn(name string) (Settings, error) {
	if i := slices.Index(s.Exclude, name); i >= 0 {
		s.Exclude = slices.Delete(slices.Clone(s.Exclude), i, i+1)
	} else if len(s.Layers) > 0 && !slices.Contains(s.Layers, name) {
		s.Layers = append(slices.Clone(s.Layers), name)
	}
	return s, s.Validate()
}
