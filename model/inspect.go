package model

import (
	"fmt"
	"slices"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// LayerWeights is what a caffemodel holds of one layer.
type LayerWeights struct {
	Name, Type string
	Shapes     [][]int // of the parameters, masks not counted
	Masks      int
	OddMasks   int  // of them, those that hold other numbers than 0 and 1
	Statistics bool // running statistics, which are no parameters
	Total      int  // parameters
	Kept       int  // those that are neither zero nor pruned
	// Shared and SharedKept are those of Total and Kept that a layer before has, too, by the names of the parameters.
	Shared, SharedKept int
	// Weights and WeightsKept count the first parameter alone.
	Weights, WeightsKept int
}

// CountWeights counts what each layer of a caffemodel keeps.
func CountWeights(n *caffepb.NetParameter) ([]LayerWeights, error) {
	var out []LayerWeights
	var names caffe.LayerNames
	sizes := map[string]int{} // the number of values of a parameter, by its name
	for _, l := range n.Layer {
		name := names.Next(l.GetName(), l.GetType())
		if len(l.Blobs) == 0 {
			continue
		}
		lw := LayerWeights{Name: name, Type: l.GetType(), Masks: masksOf(l), Statistics: isStatistics(l)}
		params := len(l.Blobs) - lw.Masks
		for i, b := range l.Blobs[:params] {
			if err := caffe.CheckBlob(b); err != nil {
				return nil, fmt.Errorf("layer %q: %w", l.GetName(), err)
			}
			lw.Shapes = append(lw.Shapes, caffe.Shape(b))
			if lw.Statistics {
				continue
			}
			w := caffe.Values(b)
			var mask []float32
			if i < lw.Masks {
				m, err := readMask(w, l.Blobs[params+i])
				if err != nil {
					return nil, fmt.Errorf("layer %q, blob %d: %w", l.GetName(), params+i, err)
				}
				if mask = m.mask; m.odd() {
					lw.OddMasks++
				}
			}
			kept := 0
			for k, v := range w {
				if v != 0 && (mask == nil || mask[k] != 0) {
					kept++
				}
			}
			lw.Total += len(w)
			lw.Kept += kept
			if name := caffe.ParamName(l, i); name != "" {
				if n, ok := sizes[name]; ok && n == len(w) {
					lw.Shared, lw.SharedKept = lw.Shared+len(w), lw.SharedKept+kept
				} else {
					sizes[name] = len(w)
				}
			}
			if i == 0 {
				lw.Weights, lw.WeightsKept = len(w), kept
			}
		}
		out = append(out, lw)
	}
	return out, nil
}

// SumWeights is how many parameters all layers have, and keep; shared ones count once.
func SumWeights(layers []LayerWeights) (total, kept int) {
	for _, l := range layers {
		total, kept = total+l.Total-l.Shared, kept+l.Kept-l.SharedKept
	}
	return total, kept
}

// storedMasks reads the masks of a stored layer.
func storedMasks(l *caffepb.LayerParameter) ([]*storedMask, error) {
	masks := make([]*storedMask, masksOf(l))
	params := len(l.Blobs) - len(masks)
	for i := range masks {
		var err error
		if masks[i], err = readMask(caffe.Values(l.Blobs[i]), l.Blobs[params+i]); err != nil {
			return nil, fmt.Errorf("layer %q, blob %d: %w", l.GetName(), params+i, err)
		}
	}
	return masks, nil
}

// Masks returns the masks of a stored net, which ApplyMasks drops.
func Masks(n *caffepb.NetParameter) (caffe.Masks, error) {
	out := caffe.Masks{}
	for _, l := range n.Layer {
		masks, err := storedMasks(l)
		if err != nil {
			return nil, err
		}
		for _, m := range masks {
			kept := make([]bool, len(m.mask))
			for k, v := range m.mask {
				kept[k] = v != 0
			}
			out[l] = append(out[l], kept)
		}
	}
	return out, nil
}

// ApplyMasks replaces the weights of a stored net by W∘T and drops the masks; a pruned weight is +0. It returns how
// many masks there were, and the layers whose masks are not 0 and 1.
//
// A file of the authors' fork without masks has W∘T already, as a product: of a negative weight that is pruned, -0.
func ApplyMasks(n *caffepb.NetParameter) (total int, odd []string, err error) {
	for _, l := range n.Layer {
		soft := storedSoft(l)
		masks, err := storedMasks(l)
		if err != nil {
			return 0, nil, err
		}
		for i, m := range masks {
			if m.odd() {
				odd = append(odd, l.GetName())
			}
			w := slices.Clone(m.weights)
			for k := range w {
				if m.mask[k] == 0 {
					w[k] = 0
				} else if !soft.Hard() {
					w[k] = soft.Forward(w[k])
				}
			}
			l.Blobs[i] = caffe.NewBlob(caffe.Shape(l.Blobs[i]), w)
		}
		l.Blobs = l.Blobs[:len(l.Blobs)-len(masks)]
		if len(masks) == 0 && (l.GetType() == "CConvolution" || l.GetType() == "CInnerProduct") {
			for _, b := range l.Blobs {
				dropSigns(caffe.Values(b))
			}
		}
		if l.SoftSurgeryParam != nil {
			l.SoftSurgeryParam.Cut = nil // weights are forward weights now
		}
		total += len(masks)
	}
	return total, slices.Compact(odd), nil
}
