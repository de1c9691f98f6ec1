package shrink

import (
	"math"

	"dns-tui/caffe/caffepb"
	"dns-tui/model/layer"
)

// pointwise is a function of each value by itself.
type pointwise struct{ f func(float64) float64 }

func (pointwise) shrink(*node, *caffepb.LayerParameter) []array { return nil }

func (p pointwise) flow(nd *node) []*blob {
	return through(nd, func(c channel, _ int) (float64, bool) {
		if !c.known {
			return 0, false
		}
		v := p.f(c.value)
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	})
}

// same leaves constants what they are.
var same = pointwise{func(x float64) float64 { return x }}

// unknown is a function whose constants are not followed: NaN.
func unknown(float64) float64 { return math.NaN() }

// function is what a layer computes of each value; nil where it is another kind of layer.
func function(l *caffepb.LayerParameter) func(x float64) float64 {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	switch l.GetType() {
	case "ReLU":
		slope := float64(l.GetReluParam().GetNegativeSlope())
		return func(x float64) float64 { return max(x, 0) + slope*min(x, 0) }
	case "Sigmoid":
		return sigmoid
	case "TanH":
		return math.Tanh
	case "AbsVal":
		return math.Abs
	case "BNLL":
		return func(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
	case "ELU":
		alpha := float64(l.GetEluParam().GetAlpha())
		return func(x float64) float64 { return max(x, 0) + alpha*math.Expm1(min(x, 0)) }
	case "Swish":
		beta := float64(l.GetSwishParam().GetBeta())
		return func(x float64) float64 { return x * sigmoid(beta*x) }
	case "Clip":
		low, high := float64(l.GetClipParam().GetMin()), float64(l.GetClipParam().GetMax())
		return func(x float64) float64 { return min(max(x, low), high) }
	case "Power":
		p := l.GetPowerParam()
		power, scale, shift := float64(p.GetPower()), float64(p.GetScale()), float64(p.GetShift())
		return func(x float64) float64 { return math.Pow(shift+scale*x, power) }
	case "Exp":
		p := l.GetExpParam()
		ln, _ := layer.LnBase("exp_param", p.GetBase()) // the net is built: it is one
		scale, shift := float64(p.GetScale()), float64(p.GetShift())
		return func(x float64) float64 { return math.Exp(ln * (shift + scale*x)) }
	case "Log":
		p := l.GetLogParam()
		ln, _ := layer.LnBase("log_param", p.GetBase())
		scale, shift := float64(p.GetScale()), float64(p.GetShift())
		return func(x float64) float64 { return math.Log(shift+scale*x) / ln }
	case "Threshold": // a step: where a constant is near to it, rounding decides
		return unknown
	}
	return nil
}
