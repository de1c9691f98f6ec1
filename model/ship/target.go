package ship

import (
	"math"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/layer"
)

// Pruned is a copy of stored weights, whose masks are applied, that is pruned to a target at once: by the autopilot's
// search for thresholds on the weights as they are, under the soft rule, which prunes biases too. A descent ends at the
// same size, but with other weights: while it trains, weights move, and layers keep other parts. The scale is the one
// that the autopilot would derive for a trained net; where by magnitude a layer is left next to nothing of the weights
// as they are, which training mends, it is LAMP. n is built as for On.
func Pruned(
	n *model.Net, path string, w *caffepb.NetParameter, target autopilot.Target,
) (*caffepb.NetParameter, autopilot.Scale, error) {
	w = proto.CloneOf(w)
	for _, l := range w.Layer {
		for _, b := range l.Blobs {
			b.Data, b.DoubleData = caffe.Values(b), nil // values of it can be changed
		}
	}
	values, _, err := n.ParamValues(path, w)
	if err != nil {
		return nil, 0, err
	}
	prunable := n.Prunable()
	layers := Entries(prunable, func(p *layer.Param) []float32 { return values[p] })
	magnitudes := make([][]float32, len(layers))
	for i := range layers {
		l := &layers[i]
		l.Rule, l.Counts = gpu.SoftRule, make([]uint32, gpu.HistogramBins)
		for _, p := range entriesOf(prunable[i]) {
			for _, v := range values[p] {
				x := float32(math.Abs(float64(v)))
				magnitudes[i] = append(magnitudes[i], x)
				l.Counts[gpu.MagnitudeBin(x)]++
			}
		}
		l.Sigma = 1 // thresholds are not asked for, cuts are
	}
	settings := autopilot.DefaultSettings()
	settings.Target = target
	// A run that is long enough: how long it is does not change where it ends.
	if len(layers) > 0 && autopilot.CountCost.Now(layers) == 0 { // zeros alone are within any target
		return w, settings.Scale, nil
	}
	d, err := settings.Descend(autopilot.Facts{MaxIter: 1 << 20, Trained: true}, layers)
	if err != nil {
		return nil, 0, err
	}
	var find autopilot.Solver
	scale := d.Settings.Scale
	found, err := find.SolveExact(layers, magnitudes, d.Budget, scale)
	if err == nil && scale == autopilot.MagnitudeScale && starves(layers, found) {
		scale = autopilot.LAMPScale
		found, err = find.SolveExact(layers, magnitudes, d.Budget, scale)
	}
	if err != nil {
		return nil, 0, err
	}
	for i, l := range prunable {
		for _, p := range entriesOf(l) {
			for k, v := range values[p] {
				if float32(math.Abs(float64(v))) <= found.Layers[i].Cut {
					values[p][k] = 0
				}
			}
		}
	}
	n.EachStored(w, func(b *caffepb.BlobProto, p *layer.Param) { b.Data = values[p] }) // in all layers that share it
	return w, scale, nil
}

// starves reports whether a large layer is left less than one entry of ten thousand.
func starves(layers []autopilot.Layer, found *autopilot.Solution) bool {
	for i, l := range found.Layers {
		if float64(l.Kept) <= 1e-4*float64(layers[i].Total) {
			return true
		}
	}
	return false
}

// entriesOf are the parameters of a layer that the soft rule prunes.
func entriesOf(l model.PrunableLayer) []*layer.Param {
	if l.Bias == nil {
		return []*layer.Param{l.Weights}
	}
	return []*layer.Param{l.Weights, l.Bias}
}
