package onnx

import (
	"math"

	"dns-tui/caffe/caffepb"
	"dns-tui/model/layer"
)

// op is what becomes of a type of layer.
type op struct {
	fate fate
	emit func(*emitter) error
	loss bool   // emit computes what the loss is of; the second bottom is for the loss alone
	why  string // it is cut, or refused: without emit
	note string // what is said of it
	// scale is of a BatchNorm the Scale that is in it.
	scale *node
}

// ops are all types of layers but those that isInput tells.
var ops = map[string]op{
	"AbsVal":        {emit: unary("Abs")},
	"ArgMax":        {emit: argMax},
	"BatchNorm":     {emit: batchNorm},
	"BatchReindex":  {emit: batchReindex},
	"Bias":          {emit: bias},
	"BNLL":          {emit: unary("Softplus")},
	"Clip":          {emit: clip},
	"Concat":        {emit: concat},
	"Convolution":   {emit: convolution},
	"CConvolution":  {emit: convolution},
	"Crop":          {emit: crop},
	"Deconvolution": {emit: deconvolution},
	"DummyData":     {emit: dummyData},
	"Dropout":       {fate: renamed},
	"Eltwise":       {emit: eltwise},
	"ELU":           {emit: elu},
	"Embed":         {emit: embed},
	"Exp":           {emit: exponential},
	"Flatten":       {emit: flatten},
	"Im2col":        {emit: im2col},
	"InnerProduct":  {emit: innerProduct},
	"CInnerProduct": {emit: innerProduct},
	"Interp":        {emit: interp},
	"Log":           {emit: logarithm},
	"LRN":           {emit: lrn},
	"LSTM": {emit: lstm, note: "its states pass from run to run: LAYER.h0 and LAYER.c0 are inputs, zeros at first, " +
		"LAYER.h and LAYER.c outputs"},
	"LSTMUnit":  {emit: lstmUnit},
	"MVN":       {emit: mvn},
	"Normalize": {emit: normalize},
	"Parameter": {emit: parameterLayer},
	"Permute":   {emit: permute},
	"Pooling":   {emit: pooling},
	"Power":     {emit: power},
	"PReLU":     {emit: prelu},
	"Reduction": {emit: reduction},
	"ReLU":      {emit: relu},
	"Reshape":   {emit: flatten},
	"RNN": {
		emit: rnn,
		note: "its state passes from run to run: LAYER.h0 is an input, zeros at first, LAYER.h an output",
	},
	"Scale":     {emit: scale},
	"Sigmoid":   {emit: unary("Sigmoid")},
	"Slice":     {emit: slice},
	"Softmax":   {emit: softmax},
	"Split":     {fate: renamed},
	"SPP":       {emit: spp},
	"Swish":     {emit: swish},
	"TanH":      {emit: unary("Tanh")},
	"Threshold": {emit: threshold},
	"Tile":      {emit: tile},

	"SoftmaxWithLoss": {emit: softmax, loss: true, note: "the loss is cut, the softmax stays"},
	"InfogainLoss":    {emit: softmax, loss: true, note: "the loss is cut, the softmax stays"},

	"Accuracy":                {fate: cut, why: "it wants labels"},
	"ContrastiveLoss":         {fate: cut, why: "a loss"},
	"EuclideanLoss":           {fate: cut, why: "a loss"},
	"HDF5Output":              {fate: cut, why: "it writes a file"},
	"HingeLoss":               {fate: cut, why: "a loss"},
	"MultinomialLogisticLoss": {fate: cut, why: "a loss"},
	"SigmoidCrossEntropyLoss": {fate: cut, why: "a loss"},
	"Silence":                 {fate: cut, why: "it does nothing"},

	"Filter": {why: "how many examples it lets through is not known before it runs"},
}

// opOf is what becomes of a layer.
func opOf(nd *node) op {
	o := ops[nd.Type]
	switch {
	case isInput(nd.Type, nd.param):
		return op{fate: input}
	case o.note != "" && exposed(nd.param):
		o.note = ""
	case nd.phase == caffepb.Phase_TRAIN && draws(nd):
		return op{why: "it draws at random in phase TRAIN"}
	case nd.Type == "SigmoidCrossEntropyLoss" && len(nd.Top) > 1:
		return op{emit: unary("Sigmoid"), loss: true, note: "the loss is cut, the sigmoid stays"}
	}
	return o
}

// draws reports a layer that draws at random in training.
func draws(nd *node) bool {
	switch nd.Type {
	case "Dropout":
		return true
	case "Pooling":
		return nd.param.GetPoolingParam().GetPool() == caffepb.PoolingParameter_STOCHASTIC
	case "SPP":
		return nd.param.GetSppParam().GetPool() == caffepb.SPPParameter_STOCHASTIC
	}
	return false
}

func unary(typ string) func(*emitter) error {
	return func(e *emitter) error {
		e.top(typ, []string{e.bottom(0)})
		return nil
	}
}

func relu(e *emitter) error {
	if slope := e.param.GetReluParam().GetNegativeSlope(); slope != 0 {
		e.top("LeakyRelu", []string{e.bottom(0)}, floatOf("alpha", slope))
		return nil
	}
	e.top("Relu", []string{e.bottom(0)})
	return nil
}

func elu(e *emitter) error {
	e.top("Elu", []string{e.bottom(0)}, floatOf("alpha", e.param.GetEluParam().GetAlpha()))
	return nil
}

func clip(e *emitter) error {
	p := e.param.GetClipParam()
	e.top("Clip", []string{e.bottom(0), e.scalar(p.GetMin()), e.scalar(p.GetMax())})
	return nil
}

// swish is x·sigmoid(beta·x).
func swish(e *emitter) error {
	gate := free(e.values, e.Name+"/Sigmoid")
	e.chain(e.bottom(0), gate, append(e.times(e.param.GetSwishParam().GetBeta()), step{typ: "Sigmoid"})...)
	e.top("Mul", []string{e.bottom(0), gate})
	return nil
}

// threshold is 1 where x > t, and 0 elsewhere.
func threshold(e *emitter) error {
	over := e.value("Greater", []string{e.bottom(0), e.scalar(e.param.GetThresholdParam().GetThreshold())})
	e.top("Cast", []string{over}, intOf("to", typeFloat))
	return nil
}

// power is (shift + scale·x)^power.
func power(e *emitter) error {
	p := e.param.GetPowerParam()
	steps := append(e.times(p.GetScale()), e.plus(p.GetShift())...)
	if p.GetPower() != 1 {
		steps = append(steps, step{typ: "Pow", with: []string{e.scalar(p.GetPower())}})
	}
	e.chain(e.bottom(0), e.out[0].tensor, steps...)
	return nil
}

// exponential is base^(shift + scale·x).
func exponential(e *emitter) error {
	p := e.param.GetExpParam()
	ln, err := layer.LnBase("exp_param", p.GetBase())
	if err != nil {
		return err
	}
	steps := append(e.times(float32(ln*float64(p.GetScale()))), step{typ: "Exp"})
	steps = append(steps, e.times(float32(math.Exp(ln*float64(p.GetShift()))))...)
	e.chain(e.bottom(0), e.out[0].tensor, steps...)
	return nil
}

// logarithm is log_base(shift + scale·x).
func logarithm(e *emitter) error {
	p := e.param.GetLogParam()
	ln, err := layer.LnBase("log_param", p.GetBase())
	if err != nil {
		return err
	}
	steps := append(e.times(p.GetScale()), e.plus(p.GetShift())...)
	steps = append(append(steps, step{typ: "Log"}), e.times(float32(1/ln))...)
	e.chain(e.bottom(0), e.out[0].tensor, steps...)
	return nil
}

// prelu has a slope for each channel, which ONNX lines up with the last axes.
func prelu(e *emitter) error {
	shape := []int{1}
	if !e.param.GetPreluParam().GetChannelShared() {
		shape = channels(e.in[0].shape, e.params[0].shape)
	}
	e.top("PRelu", []string{e.bottom(0), e.weight(0, shape)})
	return nil
}

// channels is the shape of numbers for axis 1, lined up with the last axes.
func channels(x extents, n []int) []int { return before(n, x.axes()-2) }

// before is a shape with axes of 1 behind it.
func before(shape []int, ones int) []int {
	out := append([]int{}, shape...)
	for range ones {
		out = append(out, 1)
	}
	return out
}

func softmax(e *emitter) error {
	axis := int(e.param.GetSoftmaxParam().GetAxis())
	if e.Type == "InfogainLoss" {
		axis = int(e.param.GetInfogainLossParam().GetAxis())
	}
	e.top("Softmax", []string{e.bottom(0)}, intOf("axis", plain(axis, e.in[0].shape.axes())))
	return nil
}

// plain is an axis that may count from the end.
func plain(axis, axes int) int {
	if axis < 0 {
		return axis + axes
	}
	return axis
}

// from are the axes from one on.
func from(axis, axes int) []int {
	var out []int
	for i := axis; i < axes; i++ {
		out = append(out, i)
	}
	return out
}

// eltwise is a sum, a product or a maximum.
func eltwise(e *emitter) error {
	p := e.param.GetEltwiseParam()
	typ := map[caffepb.EltwiseParameter_EltwiseOp]string{
		caffepb.EltwiseParameter_PROD: "Mul", caffepb.EltwiseParameter_MAX: "Max", caffepb.EltwiseParameter_SUM: "Add",
	}[p.GetOperation()]
	x := ""
	for i := range e.in {
		y := e.bottom(i)
		if i < len(p.GetCoeff()) && p.Coeff[i] != 1 {
			y = e.value("Mul", []string{y, e.scalar(p.Coeff[i])})
		}
		switch {
		case i == 0:
			x = y
		case i < len(e.in)-1:
			x = e.value(typ, []string{x, y})
		default:
			e.top(typ, []string{x, y})
		}
	}
	return nil
}

// beside are the numbers of a Scale or a Bias, lined up with the bottom: parameter i, or the second bottom.
func (e *emitter) beside(axis, i int) (string, error) {
	x := e.in[0].shape
	if len(e.in) == 1 {
		axis = plain(axis, x.axes())
		return e.weight(i, before(e.params[i].shape, x.axes()-axis-len(e.params[i].shape))), nil
	}
	y := e.in[1].shape
	if axis = plain(axis, x.axes()); y.axes() == 0 {
		axis = 0
	}
	return e.reshaped(e.bottom(1), y, y.with(before(nil, x.axes()-axis-y.axes())...))
}

// scale multiplies by numbers of its own or of a second bottom, and may add others.
func scale(e *emitter) error {
	p := e.param.GetScaleParam()
	a, err := e.beside(int(p.GetAxis()), 0)
	if err != nil {
		return err
	}
	steps := []step{{typ: "Mul", with: []string{a}}}
	if k := len(e.params) - 1; p.GetBiasTerm() {
		x := e.in[0].shape
		axis := plain(int(p.GetAxis()), x.axes())
		if len(e.in) == 2 && e.in[1].shape.axes() == 0 {
			axis = 0
		}
		b := e.weight(k, before(e.params[k].shape, x.axes()-axis-len(e.params[k].shape)))
		steps = append(steps, step{typ: "Add", with: []string{b}})
	}
	e.chain(e.bottom(0), e.out[0].tensor, steps...)
	return nil
}

func bias(e *emitter) error {
	b, err := e.beside(int(e.param.GetBiasParam().GetAxis()), 0)
	if err == nil {
		e.top("Add", []string{e.bottom(0), b})
	}
	return err
}

// batchNorm takes the running statistics, or in training those of the batch. A Scale behind it may be in it.
func batchNorm(e *emitter) error {
	x, eps := e.in[0].shape, e.param.GetBatchNormParam().GetEps()
	if !global(e.node) {
		axes := append([]int{0}, from(2, x.axes())...)
		e.normalized(axes, func(variance string) string {
			return e.value("Sqrt", []string{e.value("Add", []string{variance, e.scalar(eps)})})
		})
		return nil
	}
	n := e.params[0].shape[0]
	mean, variance := statistics(e.params)
	gamma, beta := make([]float32, n), make([]float32, n)
	for i := range gamma {
		gamma[i] = 1
	}
	name := e.Name
	if s := e.op.scale; s != nil {
		copy(gamma, s.params[0].values)
		if len(s.params) > 1 {
			copy(beta, s.params[1].values)
		}
		name = s.Name
	}
	in := []string{e.bottom(0), e.constant(name+".weight", []int{n}, gamma), e.constant(name+".bias", []int{n}, beta),
		e.own("running_mean", []int{n}, mean), e.own("running_var", []int{n}, variance)}
	if x.axes() > 1 {
		e.top("BatchNormalization", in, floatOf("epsilon", eps))
		return nil
	}
	// Of one axis all is one channel.
	rows, err := e.reshaped(e.bottom(0), x, x.with(1))
	if err != nil {
		return err
	}
	in[0] = rows
	return e.reshape(e.value("BatchNormalization", in, floatOf("epsilon", eps)), e.out[0].tensor, x.with(1), x)
}

// statistics are mean and variance of a BatchNorm, whose blobs hold multiples of them.
func statistics(p []parameter) (mean, variance []float32) {
	factor := float32(0)
	if v := p[2].values[0]; v != 0 {
		factor = 1 / v
	}
	by := func(v []float32) []float32 {
		out := make([]float32, len(v))
		for i, x := range v {
			out[i] = x * factor
		}
		return out
	}
	return by(p[0].values), by(p[1].values)
}

// normalized subtracts the mean over axes, and divides by what deviation makes of the variance; nil: by nothing.
func (e *emitter) normalized(axes []int, deviation func(variance string) string) {
	mean := func(x string) string {
		if len(axes) == 0 {
			return x
		}
		return e.value("ReduceMean", []string{x}, intsOf("axes", axes...), intOf("keepdims", 1))
	}
	in := []string{e.bottom(0), mean(e.bottom(0))}
	if deviation == nil {
		e.top("Sub", in)
		return
	}
	centred := e.value("Sub", in)
	e.top("Div", []string{centred, deviation(mean(e.value("Mul", []string{centred, centred})))})
}

// mvn divides by √variance + eps.
func mvn(e *emitter) error {
	p := e.param.GetMvnParam()
	first := 2
	if p.GetAcrossChannels() {
		first = 1
	}
	axes := from(first, e.in[0].shape.axes())
	if !p.GetNormalizeVariance() {
		e.normalized(axes, nil)
		return nil
	}
	e.normalized(axes, func(variance string) string {
		return e.value("Add", []string{e.value("Sqrt", []string{variance}), e.scalar(p.GetEps())})
	})
	return nil
}

// normalize is SSD's: to length 1, times a scale.
func normalize(e *emitter) error {
	p := e.param.GetNormParam()
	if p == nil {
		p = &caffepb.NormalizeParameter{}
	}
	axes := []int{1}
	if p.GetAcrossSpatial() {
		axes = from(1, e.in[0].shape.axes())
	}
	sum := e.value("ReduceSumSquare", []string{e.bottom(0)}, intsOf("axes", axes...), intOf("keepdims", 1))
	length := e.value("Sqrt", []string{e.value("Add", []string{sum, e.scalar(p.GetEps())})})
	shape := []int{}
	if !p.GetChannelShared() {
		shape = channels(e.in[0].shape, e.params[0].shape)
	}
	e.top("Mul", []string{e.value("Div", []string{e.bottom(0), length}), e.weight(0, shape)})
	return nil
}

// lrn is ONNX's across channels; within, x·(1 + alpha·mean x²)^-beta.
func lrn(e *emitter) error {
	p := e.param.GetLrnParam()
	size := int(p.GetLocalSize())
	if p.GetNormRegion() == caffepb.LRNParameter_ACROSS_CHANNELS {
		e.top("LRN", []string{e.bottom(0)}, floatOf("alpha", p.GetAlpha()), floatOf("beta", p.GetBeta()),
			floatOf("bias", p.GetK()), intOf("size", size))
		return nil
	}
	half := size / 2
	squares := e.value("Mul", []string{e.bottom(0), e.bottom(0)})
	mean := e.value("AveragePool", []string{squares}, intsOf("kernel_shape", size, size),
		intsOf("pads", half, half, half, half), intOf("count_include_pad", 1))
	steps := append(e.times(p.GetAlpha()), e.plus(1)...)
	by := free(e.values, e.Name+"/Pow")
	e.chain(mean, by, append(steps, step{typ: "Pow", with: []string{e.scalar(p.GetBeta())}})...)
	e.top("Div", []string{e.bottom(0), by})
	return nil
}
