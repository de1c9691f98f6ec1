package host

// sgdNumbers are those of an update by SGD. The assembler knows their order.
type sgdNumbers struct {
	rate, scale, decay, momentum float32
	stay                         uint32 // all bits, where the step stays in the gradient
}

// sgdVectors is updateKernel.sgd without L1 of eight elements at a time. It returns how many it did.
func sgdVectors(w, grad, history []float32, rate, scale, decay, momentum float32, stay uint32) int {
	n := vectorsOf(vecSGD, w, 8)
	if n > 0 {
		_, _ = grad[:8*n], history[:8*n]
		sgd8(&w[0], &grad[0], &history[0], n, &sgdNumbers{rate, scale, decay, momentum, stay})
	}
	return 8 * n
}

// redrawSeedVectors prunes entries between low and high, redrawCutVectors those of a magnitude up to cut, eight at a
// time. They return what they counted, and how many they did.
func redrawSeedVectors(w, masked []float32, low, high float32) (c redrawn, done int) {
	n := vectorsOf(vecRedrawSeed, w, 8)
	if n == 0 {
		return c, 0
	}
	_ = masked[:8*n]
	c.dropped, c.pruned, c.spliced = redrawSeed8(&w[0], &masked[0], n, low, high)
	return c, 8 * n
}

func redrawCutVectors(w, masked []float32, cut float32) (c redrawn, done int) {
	n := vectorsOf(vecRedrawCut, w, 8)
	if n == 0 {
		return c, 0
	}
	_ = masked[:8*n]
	c.dropped, c.pruned, c.spliced = redrawCut8(&w[0], &masked[0], n, cut)
	return c, 8 * n
}

// redrawPaperVectors is redrawPaperKernel of eight entries at a time, with limits that are float32's.
func redrawPaperVectors(w, masked []float32, low, high float32) (c redrawn, done int) {
	n := vectorsOf(vecRedrawPaper, w, 8)
	if n == 0 {
		return c, 0
	}
	_ = masked[:8*n]
	c.dropped, c.pruned, c.spliced = redrawPaper8(&w[0], &masked[0], n, low, high)
	return c, 8 * n
}

// paperLanes are Σ |w| and Σ w² of every eighth entry.
type paperLanes [16]float64

// paperSumsVectors adds eight entries at a time, and returns how many counted, and how many it did.
func paperSumsVectors(w, masked []float32, lanes *paperLanes) (count, done int) {
	n := vectorsOf(vecPaperSums, w, 8)
	if n == 0 {
		return 0, 0
	}
	_ = masked[:8*n]
	return int(paperSums8(&w[0], &masked[0], n, &lanes[0])), 8 * n
}
