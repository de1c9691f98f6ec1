package host

import "dns-tui/gpu"

// forwardKept writes the forward weights of the entries of w that masked keeps.
//
// Which these are cannot be predicted, and the cube root of an exponent of 3 takes longer than an update. So vectors of
// entries are done without a branch, or for an exponent of 3 with one that passes over a vector that is all pruned.
func forwardKept(s gpu.Soft, masked, w []float32) {
	done := forwardVectors(s, masked, w)
	masked, w = masked[done:], w[done:]
	if s.Hard() {
		for i, v := range w {
			masked[i] = forward(v, bit(gpu.IsPruned(masked[i])))
		}
		return
	}
	for i := nextKept(masked, 0); i < len(masked); i = nextKept(masked, i+1) {
		masked[i] = s.Forward(w[i])
	}
}

// forwardPiece is how many entries a kernel does before it makes their forward weights, while they are in the first
// cache.
const forwardPiece = 1024
