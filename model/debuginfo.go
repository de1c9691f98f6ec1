package model

import (
	"fmt"
	"math"

	"dns-tui/gpu"
)

// SetDebug makes the net describe every pass to say, in Caffe's words (debug_info): the mean magnitude of each blob and
// parameter as layers run forward, and of each gradient as they run backward. It waits for the device at every layer.
func (n *Net) SetDebug(say func(line string)) { n.debug = say }

func (n *Net) meanAbs(t *gpu.Tensor) float64 {
	if t == nil || t.N == 0 {
		return 0
	}
	v := make([]float32, t.N)
	n.device.Download(v, t)
	var sum float64
	for _, x := range v {
		sum += math.Abs(float64(x))
	}
	return sum / float64(len(v))
}

func (n *Net) debugForward(nd *node) {
	for _, t := range nd.top {
		n.debug(fmt.Sprintf("    [Forward] Layer %s, top blob %s data: %.6g", nd.name, t.Name, n.meanAbs(t.Data)))
	}
	for i, p := range nd.params {
		name := fmt.Sprint(i)
		if i < len(nd.param.Param) && nd.param.Param[i].GetName() != "" {
			name = nd.param.Param[i].GetName()
		}
		n.debug(fmt.Sprintf("    [Forward] Layer %s, param blob %s data: %.6g", nd.name, name, n.meanAbs(p.Data)))
	}
}

func (n *Net) debugBackward(nd *node) {
	for i, b := range nd.bottom {
		if nd.need[i] {
			n.debug(
				fmt.Sprintf("    [Backward] Layer %s, bottom blob %s diff: %.6g", nd.name, b.Name, n.meanAbs(b.Diff)),
			)
		}
	}
	for i, p := range nd.params {
		if d := p.Gradient(); d != nil {
			n.debug(fmt.Sprintf("    [Backward] Layer %s, param blob %d diff: %.6g", nd.name, i, n.meanAbs(d)))
		}
	}
}

// debugNorms sums over all parameters that are trained.
func (n *Net) debugNorms() {
	var l1, l2 [2]float64
	for _, p := range n.params {
		if !p.Trained() {
			continue
		}
		for k, t := range []*gpu.Tensor{p.Data, p.Diff} {
			l1[k] += n.meanAbs(t) * float64(t.N)
			l2[k] += n.device.SumSquares(t)
		}
	}
	n.debug(fmt.Sprintf("    [Backward] All net params (data, diff): L1 norm = (%.6g, %.6g); L2 norm = (%.6g, %.6g)",
		l1[0], l1[1], math.Sqrt(l2[0]), math.Sqrt(l2[1])))
}
