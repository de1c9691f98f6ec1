package layer

import (
	"fmt"
	"math"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// neurons are the elementwise layers: the function that each makes of its parameters.
var neurons = map[string]func(*caffepb.LayerParameter) (gpu.UnaryFunc, error){
	"AbsVal":  func(*caffepb.LayerParameter) (gpu.UnaryFunc, error) { return gpu.UnaryFunc{Op: gpu.Abs}, nil },
	"BNLL":    func(*caffepb.LayerParameter) (gpu.UnaryFunc, error) { return gpu.UnaryFunc{Op: gpu.BNLL}, nil },
	"Sigmoid": func(*caffepb.LayerParameter) (gpu.UnaryFunc, error) { return gpu.UnaryFunc{Op: gpu.Sigmoid}, nil },
	"TanH":    func(*caffepb.LayerParameter) (gpu.UnaryFunc, error) { return gpu.UnaryFunc{Op: gpu.TanH}, nil },
	"Clip": func(l *caffepb.LayerParameter) (gpu.UnaryFunc, error) {
		p := l.GetClipParam()
		if p == nil {
			return gpu.UnaryFunc{}, fmt.Errorf("clip_param: min and max are not set")
		}
		return gpu.UnaryFunc{Op: gpu.Clip, A: p.GetMin(), B: p.GetMax()}, nil
	},
	"ELU": func(l *caffepb.LayerParameter) (gpu.UnaryFunc, error) {
		return gpu.UnaryFunc{Op: gpu.ELU, A: l.GetEluParam().GetAlpha()}, nil
	},
	"Exp": func(l *caffepb.LayerParameter) (gpu.UnaryFunc, error) {
		// base^(shift + scale·x); base -1 is e.
		p := l.GetExpParam()
		ln, err := LnBase("exp_param", p.GetBase())
		return gpu.UnaryFunc{
			Op: gpu.Exp,
			A:  float32(ln * float64(p.GetScale())),
			B:  float32(math.Exp(ln * float64(p.GetShift()))),
		}, err
	},
	"Log": func(l *caffepb.LayerParameter) (gpu.UnaryFunc, error) {
		p := l.GetLogParam()
		ln, err := LnBase("log_param", p.GetBase())
		return gpu.UnaryFunc{Op: gpu.Log, A: p.GetScale(), B: p.GetShift(), C: float32(1 / ln)}, err
	},
	"Power": func(l *caffepb.LayerParameter) (gpu.UnaryFunc, error) {
		p := l.GetPowerParam()
		return gpu.UnaryFunc{Op: gpu.Pow, A: p.GetPower(), B: p.GetScale(), C: p.GetShift()}, nil
	},
	"Swish": func(l *caffepb.LayerParameter) (gpu.UnaryFunc, error) {
		return gpu.UnaryFunc{Op: gpu.Swish, A: l.GetSwishParam().GetBeta()}, nil
	},
	"Threshold": func(l *caffepb.LayerParameter) (gpu.UnaryFunc, error) {
		return gpu.UnaryFunc{Op: gpu.Threshold, A: l.GetThresholdParam().GetThreshold()}, nil
	},
}

func init() {
	for name, f := range neurons {
		register(name, Arity{1, 1, 1, 1}, func() Layer { return &neuron{make: f} })
	}
	register("PReLU", Arity{1, 1, 1, 1}, func() Layer { return &prelu{} })
}

// LnBase is the natural logarithm of a base, where -1 stands for e.
func LnBase(param string, base float32) (float64, error) {
	if base == -1 {
		return 1, nil
	}
	if base <= 0 || base == 1 {
		return 1, fmt.Errorf("%s: base is %g; wanted -1 for e, or a number above 0 other than 1", param, base)
	}
	return math.Log(float64(base)), nil
}

// neuron is an elementwise layer.
type neuron struct {
	c    *Context
	make func(*caffepb.LayerParameter) (gpu.UnaryFunc, error)
	f    gpu.UnaryFunc
	x    *gpu.Tensor // copy of the input, where the layer works in place and its gradient wants it
}

func (l *neuron) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	if l.f, err = l.make(c.Param); err != nil {
		return err
	}
	if top[0] == bottom[0] && l.f.SlopeNeedsInput() {
		if l.x, err = c.Room(bottom[0].Shape...); err != nil {
			return err
		}
	}
	return sameShape(c, bottom[0], top[0])
}

// Kept implements Keeper.
func (l *neuron) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.x} }

// ReadsBottom implements Reader: the slope is that of x, or its copy, where y does not give it.
func (l *neuron) ReadsBottom(int) bool { return l.f.SlopeNeedsInput() && l.x == nil }

// ReadsTop implements Reader.
func (*neuron) ReadsTop(int) bool { return true }

func (l *neuron) Forward(bottom, top []*Blob) error {
	if l.x != nil {
		l.c.Device.Copy(l.x, bottom[0].Data)
	}
	l.c.Device.Unary(l.f, bottom[0].Data, top[0].Data)
	return nil
}

func (l *neuron) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	x := bottom[0].Data
	if l.x != nil {
		x = l.x
	}
	l.c.Device.UnaryBackward(l.f, x, top[0].Data, top[0].Diff, bottom[0].Diff)
}

// prelu is y = max(x, 0) + a·min(x, 0) with one a for each channel, or one for all.
type prelu struct {
	c     *Context
	shape gpu.ChannelShape
	a     *Param
	x     *gpu.Tensor
}

func (l *prelu) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	b, p := bottom[0], c.Param.GetPreluParam()
	if len(b.Shape) < 2 {
		return fmt.Errorf("bottom %q has the shape %s; wanted at least 2 axes", b.Name, b.FormatShape())
	}
	l.shape = b.channelShape(1)
	extents := []int{l.shape.Channels}
	if p.GetChannelShared() {
		l.shape, extents = gpu.ChannelShape{Outer: 1, Channels: 1, Inner: b.Len()}, []int{}
	}
	filler := p.GetFiller()
	if filler == nil {
		filler = constant(0.25)
	}
	if l.a, err = c.NewParam(ParamSpec{Shape: extents, Filler: filler}); err != nil {
		return err
	}
	if top[0] == b {
		if l.x, err = c.Room(b.Shape...); err != nil {
			return err
		}
	}
	return sameShape(c, b, top[0])
}

// Kept implements Keeper.
func (l *prelu) Kept() []*gpu.Tensor { return []*gpu.Tensor{l.x} }

// ReadsBottom implements Reader.
func (l *prelu) ReadsBottom(int) bool { return l.x == nil }

// ReadsTop implements Reader.
func (*prelu) ReadsTop(int) bool { return false }

func (l *prelu) Forward(bottom, top []*Blob) error {
	if l.x != nil {
		l.c.Device.Copy(l.x, bottom[0].Data)
	}
	l.c.Device.PReLU(l.shape, bottom[0].Data, l.a.Data, top[0].Data)
	return nil
}

func (l *prelu) Backward(top []*Blob, need []bool, bottom []*Blob) {
	x := bottom[0].Data
	if l.x != nil {
		x = l.x
	}
	var dx *gpu.Tensor
	if need[0] {
		dx = bottom[0].Diff
	}
	l.c.Device.PReLUBackward(l.shape, x, top[0].Diff, l.a.Data, dx, l.a.Gradient())
}
