package host

import (
	"dns-tui/gpu"
)

// lanes is how many entries forward3 and forwardHard do at once; their arrays are a multiple of it long.
const lanes = 8

// forwardVectors is forwardKept of vectors of entries, from the first on, where the processor has AVX2 or NEON. It
// returns how many entries it did.
func forwardVectors(s gpu.Soft, masked, w []float32) int {
	if !has(vecForward) {
		return 0
	}
	whole := len(w) / lanes * lanes
	switch {
	case s.Hard():
		forwardHard(masked[:whole], w[:whole])
	case s.Exponent == 3:
		forward3(masked[:whole], w[:whole], s.Cut)
	default:
		return 0
	}
	return whole
}
