// Package ship says what weights come to for who ships them: what they keep, the bytes of each form that export makes
// of them, multiply-accumulates, the smaller dense net, and ms of a pass. Nothing is written.
package ship

import (
	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/layer"
	"dns-tui/model/shrink"
)

// Weights is what the weights of a file come to.
type Weights struct {
	// Parameters are all of the file, those that layers share once; running statistics are not counted. Kept are those
	// that are not zero.
	Parameters int             `json:"parameters"`
	Kept       int             `json:"kept"`
	Bytes      caffe.FormSizes `json:"bytes"`
}

// Of is what stored weights come to, whose masks are applied.
func Of(w *caffepb.NetParameter) (*Weights, error) {
	layers, err := model.CountWeights(w)
	if err != nil {
		return nil, err
	}
	out := &Weights{}
	out.Parameters, out.Kept = model.SumWeights(layers)
	out.Bytes, err = caffe.SizesOf(w)
	return out, err
}

// Net is what a net comes to with its weights.
type Net struct {
	// Parameters are weights and biases of the net, shared ones once; Kept are those that are not zero. A report has
	// those of Weights.
	Parameters int     `json:"-"`
	Kept       int     `json:"-"`
	MACs       MACs    `json:"macs"`
	Layers     []Layer `json:"layers"` // those that can be pruned, in the order of the net
	// Smaller is how many parameters the dense net has that export --shrink makes.
	Smaller int `json:"smaller_parameters"`
}

// MACs are multiply-accumulates of a pass for one image, in layers that can be pruned, as a target counts them
// (autopilot.MACCost): each entry, a bias too, once for each position at which it is applied.
type MACs struct {
	Dense float64 `json:"dense"`
	Kept  float64 `json:"kept"` // of entries that are not zero
}

// Layer is a layer that can be pruned. Its entries are its weights and biases.
type Layer struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Entries int    `json:"entries"`
	Kept    int    `json:"kept"`
	// Outputs are its filters or neurons; Live are those that are left in the smaller net.
	Outputs int `json:"outputs"`
	Live    int `json:"live"`
}

// On is what stored weights, whose masks are applied, come to on a net; n was built of f by model.NewWithoutData, and
// path is for errors.
func On(f *caffe.NetFile, n *model.Net, path string, w *caffepb.NetParameter) (*Net, error) {
	values, _, err := n.ParamValues(path, w)
	if err != nil {
		return nil, err
	}
	prunable := n.Prunable()
	entries := Entries(prunable, func(p *layer.Param) []float32 { return values[p] })
	small, err := shrink.Shrink(f, n, w)
	if err != nil {
		return nil, err
	}
	became := map[string]*shrink.Layer{}
	for i := range small.Layers {
		became[small.Layers[i].Name] = &small.Layers[i]
	}
	out := &Net{Parameters: n.Count(), MACs: MACsOf(entries), Smaller: small.After}
	for p, v := range values {
		if !p.Statistics {
			out.Kept += NonZero(v)
		}
	}
	for i, e := range entries {
		l := Layer{Name: e.Name, Type: prunable[i].Type, Entries: e.Total, Kept: e.Kept}
		l.Outputs = prunable[i].Outputs.Outputs
		l.Live = l.Outputs
		switch b := became[e.Name]; {
		case b == nil:
		case b.Outputs > 0:
			l.Live = b.OutputsLeft
		case b.Params > 0: // outputs that go with inputs, as of a depthwise convolution, or that all stay
			l.Live = l.Outputs * b.ParamsLeft / b.Params
		}
		out.Layers = append(out.Layers, l)
	}
	return out, nil
}

// LiveOutputs sums the outputs of all layers, and those that are left in the smaller net.
func (n *Net) LiveOutputs() (live, outputs int) {
	for i := range n.Layers {
		live, outputs = live+n.Layers[i].Live, outputs+n.Layers[i].Outputs
	}
	return live, outputs
}

// Entries are layers that can be pruned as the autopilot counts them where biases are pruned too. values gives the
// forward weights of a parameter; nil: none is zero.
func Entries(layers []model.PrunableLayer, values func(*layer.Param) []float32) []autopilot.Layer {
	var out []autopilot.Layer
	for _, l := range layers {
		e := autopilot.Layer{Name: l.Name, Positions: l.Positions}
		for _, p := range entriesOf(l) {
			n := gpu.Elements(p.Shape)
			e.Total += n
			if values == nil {
				e.Kept += n
			} else {
				e.Kept += NonZero(values(p))
			}
		}
		out = append(out, e)
	}
	return out
}

// MACsOf counts the multiply-accumulates of layers.
func MACsOf(layers []autopilot.Layer) MACs {
	return MACs{Dense: autopilot.MACCost.Dense(layers), Kept: autopilot.MACCost.Now(layers)}
}

// NonZero counts the values that are neither 0 nor -0.
func NonZero(values []float32) int {
	n := 0
	for _, v := range values {
		if v != 0 {
			n++
		}
	}
	return n
}
