package autopilot

import "slices"

// Pin returns a copy with layers pinned. Floors and ceilings of theirs go, which pinned layers do not go by.
func (s Settings) Pin(names []string) (Settings, error) {
	s.Limits = slices.Clone(s.Limits)
	for _, name := range names {
		*s.limitsOf(name) = LayerLimits{Name: name, Pinned: true}
	}
	return s, s.Validate()
}
