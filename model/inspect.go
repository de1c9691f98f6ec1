package model

import (
	"fmt"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// LayerWeights is what a caffemodel holds of one layer.
type LayerWeights struct {
	Name, Type string
	Shapes     [][]int // of the parameters, masks not counted
	Masks      int
	Total      int // parameters
	Kept       int // those that are neither zero nor masked
	// Weights and WeightsKept count the first parameter alone.
	Weights, WeightsKept int
}

// masksOf tells how many of a stored layer's blobs are masks: blobs are W, b, T or W, b, T_W, T_b, or without a bias W, T.
// A layer of a kind that is never pruned has none. A file in HDF5 that Caffe wrote names no kinds: there, the blobs behind
// the parameters that hold 0 and 1 alone, in the same shapes, are masks.
func masksOf(l *caffepb.LayerParameter) int {
	bias := true
	switch l.GetType() {
	case "":
		return masksByContent(l.Blobs)
	case "Convolution", "CConvolution":
		bias = l.GetConvolutionParam().GetBiasTerm()
	case "InnerProduct", "CInnerProduct":
		bias = l.GetInnerProductParam().GetBiasTerm()
	default:
		return 0
	}
	params := 1
	if bias {
		params++
	}
	return max(0, min(len(l.Blobs)-params, params))
}

func masksByContent(blobs []*caffepb.BlobProto) int {
	for masks := 2; masks > 0; masks-- {
		params := len(blobs) - masks
		found := params >= masks && params <= 2
		for i := 0; found && i < masks; i++ {
			m := blobs[params+i]
			found = caffe.FormatShape(caffe.Shape(m)) == caffe.FormatShape(caffe.Shape(blobs[i]))
			for _, v := range caffe.Values(m) {
				found = found && (v == 0 || v == 1)
			}
		}
		if found {
			return masks
		}
	}
	return 0
}

// CountWeights counts what each layer of a caffemodel keeps.
func CountWeights(n *caffepb.NetParameter) ([]LayerWeights, error) {
	var out []LayerWeights
	var names caffe.LayerNames
	for _, l := range n.Layer {
		name := names.Next(l.GetName(), l.GetType())
		if len(l.Blobs) == 0 {
			continue
		}
		lw := LayerWeights{Name: name, Type: l.GetType(), Masks: masksOf(l)}
		params := len(l.Blobs) - lw.Masks
		for i, b := range l.Blobs[:params] {
			if err := caffe.CheckBlob(b); err != nil {
				return nil, fmt.Errorf("layer %q: %w", l.GetName(), err)
			}
			w := caffe.Values(b)
			var mask []float32
			if i < lw.Masks {
				mask = caffe.Values(l.Blobs[params+i])
				if len(mask) != len(w) {
					return nil, fmt.Errorf("layer %q: the mask of blob %d has %d values for %d", l.GetName(), i, len(mask), len(w))
				}
			}
			kept := 0
			for k, v := range w {
				if v != 0 && (mask == nil || mask[k] != 0) {
					kept++
				}
			}
			lw.Shapes = append(lw.Shapes, caffe.Shape(b))
			lw.Total += len(w)
			lw.Kept += kept
			if i == 0 {
				lw.Weights, lw.WeightsKept = len(w), kept
			}
		}
		out = append(out, lw)
	}
	return out, nil
}

// ApplyMasks replaces the weights of a stored net by W∘T and drops the masks. It returns how many masks there were.
func ApplyMasks(n *caffepb.NetParameter) (int, error) {
	total := 0
	for _, l := range n.Layer {
		masks := masksOf(l)
		params := len(l.Blobs) - masks
		for i := range masks {
			w, m := caffe.Values(l.Blobs[i]), caffe.Values(l.Blobs[params+i])
			if len(w) != len(m) {
				return 0, fmt.Errorf("layer %q: the mask of blob %d has %d values for %d", l.GetName(), i, len(m), len(w))
			}
			for k := range w {
				if m[k] == 0 {
					w[k] = 0
				}
			}
			l.Blobs[i] = caffe.NewBlob(caffe.Shape(l.Blobs[i]), w)
		}
		l.Blobs = l.Blobs[:params]
		total += masks
	}
	return total, nil
}
