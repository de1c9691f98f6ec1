package shrink

import (
	"math"

	"dns-tui/caffe/caffepb"
	"dns-tui/model/layer"
)

// zeros is a layer that works within channels, and of whose constants only 0 is followed.
type zeros struct {
	untouched
}

func (zeros) flow(nd *node) []*blob {
	return through(nd, func(c channel, _ int) (float64, bool) { return 0, c.known && c.value == 0 })
}

// unfollowed is a layer that works within channels, and makes of a constant what is none.
type unfollowed struct {
	untouched
}

func (unfollowed) flow(nd *node) []*blob {
	return through(nd, func(channel, int) (float64, bool) { return 0, false })
}

// poolingOf tells maxima and unpadded averages, of which constants stay what they are, from padded averages. A long
// stride may put the last window outside: its maximum is -FLT_MAX, its mean 0.
func poolingOf(nd *node) op {
	p := nd.param.GetPoolingParam()
	switch {
	case len(nd.Top) != 1:
		return opaque{why: "it has a mask of maxima"}
	case p.GetPool() == caffepb.PoolingParameter_STOCHASTIC:
		return opaque{why: "it draws at random"}
	}
	w, err := layer.PoolingWindow(p, nd.shapes[0])
	if err != nil {
		return opaque{why: err.Error()}
	}
	padded, empty := false, false
	for i, size := range nd.shapes[0][2:] {
		padded = padded || w.Before[i] > 0 || w.After[i] > 0
		empty = empty || (nd.Shapes[0][2+i]-1)*w.Stride[i]-w.Before[i] >= size
	}
	switch {
	case p.GetPool() == caffepb.PoolingParameter_MAX && empty:
		return unfollowed{}
	case p.GetPool() == caffepb.PoolingParameter_AVE && (padded || empty):
		return zeros{}
	}
	return same
}

// prelu has a slope for each channel, or one for all.
type prelu struct{}

func (prelu) flow(nd *node) []*blob {
	shared := nd.param.GetPreluParam().GetChannelShared()
	return through(nd, func(c channel, at int) (float64, bool) {
		if !c.known || c.extent > 1 && !shared {
			return 0, c.known && c.value == 0
		}
		if c.value >= 0 {
			return c.value, true
		}
		if shared {
			at = 0
		}
		return c.value * float64(nd.blobs[0][at]), true
	})
}

func (prelu) lines(nd *node, _ int) [][]*unit {
	if nd.param.GetPreluParam().GetChannelShared() {
		return nil
	}
	return [][]*unit{unitsOf(nd.in[0], 1)}
}

func (prelu) shrink(nd *node, _ *caffepb.LayerParameter) []array {
	if nd.param.GetPreluParam().GetChannelShared() {
		return nil
	}
	return []array{picked(nd.blobs[0], leftOf(nd.in[0]))}
}

// batchNorm subtracts running means and divides by running deviations: blobs mean, variance, and what both are
// multiples of.
type batchNorm struct{}

func batchNormOf(nd *node) op {
	global := nd.phase == caffepb.Phase_TEST
	if b := nd.param.GetBatchNormParam(); b != nil && b.UseGlobalStats != nil {
		global = b.GetUseGlobalStats()
	}
	if !global {
		return opaque{why: "it normalizes by the statistics of each batch"}
	}
	return batchNorm{}
}

func (batchNorm) flow(nd *node) []*blob {
	factor := 0.0
	if s := float64(nd.blobs[2][0]); s != 0 {
		factor = 1 / s
	}
	eps := float64(nd.param.GetBatchNormParam().GetEps())
	return through(nd, func(c channel, at int) (float64, bool) {
		if !c.known || c.extent > 1 {
			return 0, false
		}
		mean, variance := factor*float64(nd.blobs[0][at]), factor*float64(nd.blobs[1][at])
		return (c.value - mean) / math.Sqrt(variance+eps), true
	})
}

func (batchNorm) lines(nd *node, blob int) [][]*unit {
	if blob == 2 {
		return nil
	}
	return [][]*unit{unitsOf(nd.in[0], 1)}
}

func (batchNorm) shrink(nd *node, _ *caffepb.LayerParameter) []array {
	left := leftOf(nd.in[0])
	out := []array{picked(nd.blobs[0], left), picked(nd.blobs[1], left), {[]int{1}, nd.blobs[2]}}
	for i := 3; i < len(nd.blobs); i++ { // scale and shift, of forks that have them here
		out = append(out, picked(nd.blobs[i], left))
	}
	return out
}

// scale is Scale, with or without a bias, and Bias. A channel that is multiplied by 0 is constant.
type scale struct{}

func scaleOf(nd *node, p interface {
	GetAxis() int32
	GetNumAxes() int32
}) op {
	switch own := len(nd.Bottom) == 1 && isAxis1(p.GetAxis(), nd) && p.GetNumAxes() == 1; {
	case own:
		return scale{}
	case nd.Type == "Bias":
		return opaque{why: "it does not add to channels weights of its own"}
	}
	return opaque{why: "it does not scale channels by weights of its own"}
}

func (scale) parts(nd *node) (gamma, beta []float32) {
	if nd.Type == "Bias" {
		return nil, nd.blobs[0]
	}
	if len(nd.blobs) > 1 {
		beta = nd.blobs[1]
	}
	return nd.blobs[0], beta
}

func (s scale) flow(nd *node) []*blob {
	gamma, beta := s.parts(nd)
	return through(nd, func(c channel, at int) (float64, bool) {
		g, b := 1.0, 0.0
		if c.extent > 1 {
			return 0, false
		}
		if gamma != nil {
			g = float64(gamma[at])
		}
		if beta != nil {
			b = float64(beta[at])
		}
		if !c.known && g != 0 {
			return 0, false
		}
		if g == 0 {
			return b, true
		}
		return g*c.value + b, true
	})
}

func (scale) lines(nd *node, _ int) [][]*unit { return [][]*unit{unitsOf(nd.in[0], 1)} }

func (scale) shrink(nd *node, _ *caffepb.LayerParameter) []array {
	left := leftOf(nd.in[0])
	var out []array
	for _, v := range nd.blobs {
		out = append(out, picked(v, left))
	}
	return out
}
