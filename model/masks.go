package model

import (
	"fmt"
	"math"
	"slices"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// maskFloor is the fraction of its largest element under which an element of a stored mask prunes.
const maskFloor = 0.01

// OddMasks says what is done with masks that are not 0 and 1.
const OddMasks = "not 0 and 1, as a Caffe writes that trained or decayed it: weights are multiplied by it, and " +
	"below a hundredth of its largest they are pruned"

// storedMask is a mask of a file, with the weights that it belongs to.
type storedMask struct {
	mask    []float32 // 0 and 1
	weights []float32 // W, times what the mask held where that is kept
	others  int       // elements that were neither 0 nor 1
}

// storedSoft is what a layer of a file says of its forward weights: a snapshot of the soft rule has the cut.
func storedSoft(l *caffepb.LayerParameter) gpu.Soft {
	q := l.GetSoftSurgeryParam()
	soft := gpu.Soft{Cut: q.GetCut()}
	if e := q.GetExponent(); !math.IsInf(float64(e), 1) {
		soft.Exponent = e
	}
	return soft
}

// harden makes the forward weights of kept entries the weights.
func (m *storedMask) harden(s gpu.Soft) {
	if m == nil {
		return
	}
	m.weights = slices.Clone(m.weights)
	for i, t := range m.mask {
		if t != 0 {
			m.weights[i] = s.Forward(m.weights[i])
		}
	}
}

func (m *storedMask) odd() bool { return m.others > 0 }

// readMask reads the mask of the weights w. The re-implementation's solver decays its masks, or trains them, unless
// the prototxt keeps it from it, so a file may hold 0.97 and 1e-4. Its program computes with W∘T: so a kept weight is
// multiplied by its element, and what that takes to nearly nothing is pruned, and keeps W, to be spliced.
func readMask(w []float32, b *caffepb.BlobProto) (*storedMask, error) {
	t := caffe.Values(b)
	if len(t) != len(w) {
		return nil, fmt.Errorf("a mask of %d values for %d weights", len(t), len(w))
	}
	m := &storedMask{mask: t, weights: w}
	var most float64
	for _, v := range t {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("a mask that holds %g", v)
		}
		if v != 0 && v != 1 {
			m.others++
		}
		most = math.Max(most, math.Abs(float64(v)))
	}
	if m.others == 0 {
		return m, nil
	}
	m.mask, m.weights = make([]float32, len(t)), slices.Clone(w)
	for i, v := range t {
		if math.Abs(float64(v)) >= maskFloor*most {
			m.mask[i], m.weights[i] = 1, w[i]*v
		}
	}
	return m, nil
}

// masksOf tells how many of a stored layer's blobs are masks: blobs are W, b, T or W, b, T_W, T_b, or without a bias
// W, T. A layer of one of Caffe's kinds that are never pruned has none. Of a kind that is not known, or where the
// file names none, as Caffe's in HDF5, the blobs behind the parameters are masks that have the same shapes and hold 0
// to 1 alone.
func masksOf(l *caffepb.LayerParameter) int {
	var bias bool
	switch typ := l.GetType(); typ {
	case "Convolution", "CConvolution":
		bias = l.GetConvolutionParam().GetBiasTerm()
	case "InnerProduct", "CInnerProduct":
		bias = l.GetInnerProductParam().GetBiasTerm()
	default:
		if slices.Contains(caffe.LayerTypes, typ) {
			return 0
		}
		return masksByContent(l.Blobs)
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
				found = found && v >= 0 && v <= 1
			}
		}
		if found {
			return masks
		}
	}
	return 0
}

// isStatistics tells a layer whose blobs are running statistics: BatchNorm's, which are a mean and a variance of each
// channel, and the weight of both. Where a file names no kinds, it is told by these shapes.
func isStatistics(l *caffepb.LayerParameter) bool {
	if l.GetType() != "" {
		return l.GetType() == "BatchNorm"
	}
	return len(l.Blobs) == 3 && caffe.Count(caffe.Shape(l.Blobs[2])) == 1 && len(caffe.Shape(l.Blobs[0])) == 1 &&
		slices.Equal(caffe.Shape(l.Blobs[0]), caffe.Shape(l.Blobs[1])) && caffe.Count(caffe.Shape(l.Blobs[0])) > 1
}

// dropSigns makes -0 a +0.
func dropSigns(w []float32) {
	for i, v := range w {
		if v == 0 {
			w[i] = 0
		}
	}
}
