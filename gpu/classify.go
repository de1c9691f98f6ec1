package gpu

// Softmax, losses and accuracy, over channels.

// Softmax is the operation of Device.Softmax.
type Softmax struct {
	Shape ChannelShape
	X, Y  *Tensor
}

func (o *Softmax) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.set("y", &o.Y, o.Shape.Len())
}

// Softmax sets y[o,:,i] = exp(x - max x)/Σ exp(x - max x).
func (d *Device) Softmax(s ChannelShape, x, y *Tensor) {
	describe(d, &d.ops.Softmax, Softmax{Shape: s, X: x, Y: y})
}

// SoftmaxBackward is the operation of Device.SoftmaxBackward.
type SoftmaxBackward struct {
	Shape     ChannelShape
	Y, DY, DX *Tensor
}

func (o *SoftmaxBackward) operands(v *operands) {
	v.in("y", &o.Y, o.Shape.Len())
	v.in("dy", &o.DY, o.Shape.Len())
	v.set("dx", &o.DX, o.Shape.Len())
}

// SoftmaxBackward sets dx = y∘(dy - Σ_c dy∘y).
func (d *Device) SoftmaxBackward(s ChannelShape, y, dy, dx *Tensor) {
	describe(d, &d.ops.SoftmaxBackward, SoftmaxBackward{Shape: s, Y: y, DY: dy, DX: dx})
}

// SoftmaxLoss is the operation of Device.SoftmaxLoss.
type SoftmaxLoss struct {
	Shape       ChannelShape
	Prob, Label *Tensor
	Ignore      Ignore
	Norm        float32
	Stat        *Tensor
}

func (o *SoftmaxLoss) operands(v *operands) {
	v.in("prob", &o.Prob, o.Shape.Len())
	v.in("label", &o.Label, o.Shape.Outer*o.Shape.Inner)
	v.set("stat", &o.Stat, 2)
}

// SoftmaxLoss sets stat[0] = Σ -log(max(prob[label], FLT_MIN))/z and stat[1] = z, over the (o,i) whose label
// is not ignored. z is norm, or the number of those labels (at least 1) where norm is 0. A label that is no
// class makes the loss NaN.
func (d *Device) SoftmaxLoss(s ChannelShape, prob, label *Tensor, ignore Ignore, norm float32, stat *Tensor) {
	describe(
		d,
		&d.ops.SoftmaxLoss,
		SoftmaxLoss{Shape: s, Prob: prob, Label: label, Ignore: ignore, Norm: norm, Stat: stat},
	)
}

// SoftmaxLossBackward is the operation of Device.SoftmaxLossBackward.
type SoftmaxLossBackward struct {
	Shape       ChannelShape
	Prob, Label *Tensor
	Ignore      Ignore
	Weight      float32
	Stat, DX    *Tensor
}

func (o *SoftmaxLossBackward) operands(v *operands) {
	v.in("prob", &o.Prob, o.Shape.Len())
	v.in("label", &o.Label, o.Shape.Outer*o.Shape.Inner)
	v.in("stat", &o.Stat, 2)
	v.set("dx", &o.DX, o.Shape.Len())
}

// SoftmaxLossBackward sets dx = weight/stat[1] · (prob - onehot(label)), and 0 where the label is ignored.
func (d *Device) SoftmaxLossBackward(
	s ChannelShape,
	prob, label *Tensor,
	ignore Ignore,
	weight float32,
	stat, dx *Tensor,
) {
	describe(
		d,
		&d.ops.SoftmaxLossBackward,
		SoftmaxLossBackward{Shape: s, Prob: prob, Label: label, Ignore: ignore, Weight: weight, Stat: stat, DX: dx},
	)
}

// SigmoidLoss is the operation of Device.SigmoidLoss.
type SigmoidLoss struct {
	X, Target *Tensor
	Ignore    Ignore
	Norm      float32
	Stat      *Tensor
}

func (o *SigmoidLoss) operands(v *operands) {
	v.in("x", &o.X, o.X.N)
	v.in("target", &o.Target, o.X.N)
	v.set("stat", &o.Stat, 2)
}

// SigmoidLoss sets stat[0] = Σ (log(1 + exp(x)) - x·t)/z, the cross-entropy of sigmoid(x) and the target t, and
// stat[1] = z, over the elements whose target is not ignored. z is norm, or their number (at least 1) where norm
// is 0.
func (d *Device) SigmoidLoss(x, target *Tensor, ignore Ignore, norm float32, stat *Tensor) {
	describe(d, &d.ops.SigmoidLoss, SigmoidLoss{X: x, Target: target, Ignore: ignore, Norm: norm, Stat: stat})
}

// SigmoidLossBackward is the operation of Device.SigmoidLossBackward.
type SigmoidLossBackward struct {
	X, Target *Tensor
	Ignore    Ignore
	Weight    float32
	Stat, DX  *Tensor
}

func (o *SigmoidLossBackward) operands(v *operands) {
	v.in("x", &o.X, o.DX.N)
	v.in("target", &o.Target, o.DX.N)
	v.in("stat", &o.Stat, 2)
	v.set("dx", &o.DX, o.DX.N)
}

// SigmoidLossBackward sets dx = weight/stat[1] · (sigmoid(x) - t), and 0 where the target is ignored.
func (d *Device) SigmoidLossBackward(x, target *Tensor, ignore Ignore, weight float32, stat, dx *Tensor) {
	describe(
		d,
		&d.ops.SigmoidLossBackward,
		SigmoidLossBackward{X: x, Target: target, Ignore: ignore, Weight: weight, Stat: stat, DX: dx},
	)
}

// HingeLoss is the operation of Device.HingeLoss.
type HingeLoss struct {
	Shape    ChannelShape
	X, Label *Tensor
	Squared  bool
	Out      *Tensor
}

func (o *HingeLoss) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.in("label", &o.Label, o.Shape.Outer*o.Shape.Inner)
	v.set("out", &o.Out, 1)
}

// HingeLoss sets out[0] = Σ m/outer, or Σ m²/outer where squared, with m = max(0, 1 - d·x) and d = 1 for the
// label's score, -1 for the others. A label that is no class makes it NaN.
func (d *Device) HingeLoss(s ChannelShape, x, label *Tensor, squared bool, out *Tensor) {
	describe(d, &d.ops.HingeLoss, HingeLoss{Shape: s, X: x, Label: label, Squared: squared, Out: out})
}

// HingeLossBackward is the operation of Device.HingeLossBackward.
type HingeLossBackward struct {
	Shape    ChannelShape
	X, Label *Tensor
	Squared  bool
	Weight   float32
	DX       *Tensor
}

func (o *HingeLossBackward) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.in("label", &o.Label, o.Shape.Outer*o.Shape.Inner)
	v.set("dx", &o.DX, o.Shape.Len())
}

// HingeLossBackward sets dx = weight/outer · (-d) · (m > 0 ? 1 : 0), or · 2m where squared.
func (d *Device) HingeLossBackward(s ChannelShape, x, label *Tensor, squared bool, weight float32, dx *Tensor) {
	describe(
		d,
		&d.ops.HingeLossBackward,
		HingeLossBackward{Shape: s, X: x, Label: label, Squared: squared, Weight: weight, DX: dx},
	)
}

// LogLoss is the operation of Device.LogLoss.
type LogLoss struct {
	Shape            ChannelShape
	Prob, Label, Out *Tensor
}

func (o *LogLoss) operands(v *operands) {
	v.in("prob", &o.Prob, o.Shape.Len())
	v.in("label", &o.Label, o.Shape.Outer)
	v.set("out", &o.Out, 1)
}

// LogLoss sets out[0] = Σ -log(max(prob[label], LogFloor))/outer. A label that is no class makes it NaN.
func (d *Device) LogLoss(s ChannelShape, prob, label, out *Tensor) {
	describe(d, &d.ops.LogLoss, LogLoss{Shape: s, Prob: prob, Label: label, Out: out})
}

// LogLossBackward is the operation of Device.LogLossBackward.
type LogLossBackward struct {
	Shape       ChannelShape
	Prob, Label *Tensor
	Weight      float32
	DX          *Tensor
}

func (o *LogLossBackward) operands(v *operands) {
	v.in("prob", &o.Prob, o.Shape.Len())
	v.in("label", &o.Label, o.Shape.Outer)
	v.set("dx", &o.DX, o.Shape.Len())
}

// LogLossBackward sets dx = -weight/outer/max(prob, LogFloor) at the label, else 0.
func (d *Device) LogLossBackward(s ChannelShape, prob, label *Tensor, weight float32, dx *Tensor) {
	describe(d, &d.ops.LogLossBackward, LogLossBackward{Shape: s, Prob: prob, Label: label, Weight: weight, DX: dx})
}

// InfogainLoss is the operation of Device.InfogainLoss.
type InfogainLoss struct {
	Shape          ChannelShape
	Prob, Label, H *Tensor
	Ignore         Ignore
	Norm           float32
	Stat           *Tensor
}

func (o *InfogainLoss) operands(v *operands) {
	v.in("prob", &o.Prob, o.Shape.Len())
	v.in("label", &o.Label, o.Shape.Outer*o.Shape.Inner)
	v.in("h", &o.H, o.Shape.Channels*o.Shape.Channels)
	v.set("stat", &o.Stat, 2)
}

// InfogainLoss sets stat[0] = Σ -Σ_c h[label,c]·log(max(prob[c], LogFloor))/z and stat[1] = z, over the (o,i)
// whose label is not ignored; z as in SoftmaxLoss, at least 1. h is channels × channels. A label that is no class
// makes the loss NaN.
func (d *Device) InfogainLoss(s ChannelShape, prob, label, h *Tensor, ignore Ignore, norm float32, stat *Tensor) {
	describe(
		d,
		&d.ops.InfogainLoss,
		InfogainLoss{Shape: s, Prob: prob, Label: label, H: h, Ignore: ignore, Norm: norm, Stat: stat},
	)
}

// InfogainLossBackward is the operation of Device.InfogainLossBackward.
type InfogainLossBackward struct {
	Shape          ChannelShape
	Prob, Label, H *Tensor
	Ignore         Ignore
	Weight         float32
	Stat, DX       *Tensor
}

func (o *InfogainLossBackward) operands(v *operands) {
	v.in("prob", &o.Prob, o.Shape.Len())
	v.in("label", &o.Label, o.Shape.Outer*o.Shape.Inner)
	v.in("h", &o.H, o.Shape.Channels*o.Shape.Channels)
	v.in("stat", &o.Stat, 2)
	v.set("dx", &o.DX, o.Shape.Len())
}

// InfogainLossBackward sets dx[c] = weight/stat[1] · (prob[c]·Σ_k h[label,k] - h[label,c]), the gradient through
// the softmax that made prob, and 0 where the label is ignored.
func (d *Device) InfogainLossBackward(
	s ChannelShape,
	prob, label, h *Tensor,
	ignore Ignore,
	weight float32,
	stat, dx *Tensor,
) {
	describe(
		d,
		&d.ops.InfogainLossBackward,
		InfogainLossBackward{
			Shape:  s,
			Prob:   prob,
			Label:  label,
			H:      h,
			Ignore: ignore,
			Weight: weight,
			Stat:   stat,
			DX:     dx,
		},
	)
}

// ContrastiveLoss is the operation of Device.ContrastiveLoss.
type ContrastiveLoss struct {
	Shape         ChannelShape
	A, B, Similar *Tensor
	Margin        float32
	Legacy        bool
	Out           *Tensor
}

func (o *ContrastiveLoss) operands(v *operands) {
	pairs(v, o.Shape)
	v.in("a", &o.A, o.Shape.Len())
	v.in("b", &o.B, o.Shape.Len())
	v.in("similar", &o.Similar, o.Shape.Outer)
	v.set("out", &o.Out, 1)
}

// ContrastiveLoss compares the rows of a and b: with d² = Σ (a-b)², out[0] = Σ l/(2·outer), where l is d² in the
// rows whose similar, as an integer, is not 0, and max(margin - d, 0)² in the others; max(margin - d², 0) under
// legacy. s.Inner is 1. (Hadsell, Chopra and LeCun, CVPR 2006.)
func (d *Device) ContrastiveLoss(s ChannelShape, a, b, similar *Tensor, margin float32, legacy bool, out *Tensor) {
	describe(
		d,
		&d.ops.ContrastiveLoss,
		ContrastiveLoss{Shape: s, A: a, B: b, Similar: similar, Margin: margin, Legacy: legacy, Out: out},
	)
}

// ContrastiveLossBackward is the operation of Device.ContrastiveLossBackward.
type ContrastiveLossBackward struct {
	Shape         ChannelShape
	A, B, Similar *Tensor
	Margin        float32
	Legacy        bool
	Weight        float32
	DX            *Tensor
}

func (o *ContrastiveLossBackward) operands(v *operands) {
	pairs(v, o.Shape)
	v.in("a", &o.A, o.Shape.Len())
	v.in("b", &o.B, o.Shape.Len())
	v.in("similar", &o.Similar, o.Shape.Outer)
	v.set("dx", &o.DX, o.Shape.Len())
}

// ContrastiveLossBackward sets dx = weight/outer · (a-b) in similar rows, -weight/outer · (margin-d)/(d+1e-4) ·
// (a-b) in others with d < margin (-weight/outer · (a-b) under legacy, d² < margin), else 0: the gradient of a,
// and with
// -weight that of b.
func (d *Device) ContrastiveLossBackward(
	s ChannelShape,
	a, b, similar *Tensor,
	margin float32,
	legacy bool,
	weight float32,
	dx *Tensor,
) {
	describe(
		d,
		&d.ops.ContrastiveLossBackward,
		ContrastiveLossBackward{
			Shape:   s,
			A:       a,
			B:       b,
			Similar: similar,
			Margin:  margin,
			Legacy:  legacy,
			Weight:  weight,
			DX:      dx,
		},
	)
}

// ArgMax is the operation of Device.ArgMax.
type ArgMax struct {
	Shape           ChannelShape
	K               int
	X, Index, Value *Tensor
}

func (o *ArgMax) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.setOptional("index", &o.Index, o.Shape.Outer*o.Shape.Inner*o.K)
	v.setOptional("value", &o.Value, o.Shape.Outer*o.Shape.Inner*o.K)
}

// ArgMax sets row r of index and of value, k wide, to the channels and the values of the k largest of the channels
// at (outer, inner), largest first and the later of equals, as Caffe sorts them; rows are in the order of (outer,
// inner). Either may be nil.
func (d *Device) ArgMax(s ChannelShape, k int, x, index, value *Tensor) {
	describe(d, &d.ops.ArgMax, ArgMax{Shape: s, K: k, X: x, Index: index, Value: value})
}

// Accuracy is the operation of Device.Accuracy.
type Accuracy struct {
	Shape         ChannelShape
	X, Label      *Tensor
	Ignore        Ignore
	TopK          int
	Out, PerClass *Tensor
}

func (o *Accuracy) operands(v *operands) {
	v.in("x", &o.X, o.Shape.Len())
	v.in("label", &o.Label, o.Shape.Outer*o.Shape.Inner)
	v.set("out", &o.Out, 1)
	v.outOptional("perClass", &o.PerClass, o.Shape.Channels)
}

// Accuracy sets out[0] to the fraction of labels that are among the topK largest scores; another score equal to the
// label's counts as larger. perClass may be nil; else it gets one fraction a class, 0 for a class without labels.
// A label that is no class makes out[0] NaN.
func (d *Device) Accuracy(s ChannelShape, x, label *Tensor, ignore Ignore, topK int, out, perClass *Tensor) {
	describe(
		d,
		&d.ops.Accuracy,
		Accuracy{Shape: s, X: x, Label: label, Ignore: ignore, TopK: topK, Out: out, PerClass: perClass},
	)
}
func pairs(v *operands, s ChannelShape) {
	if s.Inner != 1 {
		panic("gpu: " + nameOf(v.op) + ": Inner is not 1")
	}
}
