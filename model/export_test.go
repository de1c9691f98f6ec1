package model

// Blocked is what the flow of the train net is blocked by.
func (s *Solver) Blocked() string { return s.Net.blocked(s.device) }
