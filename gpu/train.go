package gpu

import "math"

// # Masked weights
//
// A pruned layer has, beside its weights W, one array of forward weights M: W∘T, or under the soft rule what Soft makes
// of W where T is 1. The mask T is not stored: an element of M is -0 exactly where T is 0, and a kept weight that is
// zero is stored as +0. So the mask costs no memory and no traffic, and a matrix product reads M as it is.

// Method is how Update steps: Caffe's solver types.
type Method int

// The methods. m is Momentum, d Delta.
const (
	SGD      Method = iota // h = rate·g + m·h; step = h
	Nesterov               // h' = rate·g + m·h; step = (1 + m)·h' - m·h; h = h'
	AdaGrad                // h = h + g²; step = rate·g/(√h + d)
	RMSProp                // h = decay2·h + (1 - decay2)·g²; step = rate·g/(√h + d)
	AdaDelta               // h = m·h + (1 - m)·g²; u = g·√((h2 + d)/(h + d)); h2 = m·h2 + (1 - m)·u²; step = rate·u
	Adam                   // h = m·h + (1 - m)·g; h2 = decay2·h2 + (1 - decay2)·g²; step = rate·correction·h/(√h2 + d)
)

// Histories returns how many history arrays the method has.
func (m Method) Histories() int {
	if m == AdaDelta || m == Adam {
		return 2
	}
	return 1
}

// UpdateParams are the numbers of Update.
type UpdateParams struct {
	Method   Method
	Rate     float32 // learning rate, times the parameter's lr_mult
	Momentum float32
	Delta    float32 // keeps a divisor from zero
	Decay2   float32 // rms_decay of RMSProp, momentum2 of Adam
	// Correction is Adam's √(1 - decay2^t)/(1 - m^t) in step t, from 1.
	Correction float32
	Decay      float32 // weight decay, times the parameter's decay_mult
	L1         bool
	Scale      float32 // of the gradient: 1/iter_size, times the factor of clip_gradients
	Theta      float32 // of the gradient where T = 0, times Scale; without forward weights it has no effect
	Soft       Soft    // the forward weights
	// Rest leaves entries where T = 0 as they are, and their history: no gradient, no decay, no momentum. Without
	// forward weights it has no effect.
	Rest bool
	// KeepStep leaves what was taken off the weights in grad, instead of 0: w before was w + grad.
	KeepStep bool
	// Gate, where it is not nil, is one number: where it is not finite, Update only sets the gradients to 0. So a
	// device that works ahead does not train on a loss that went wrong.
	Gate *Tensor
}

// Rule is a surgery rule.
type Rule int

// The rules of the two reference programs, and one more.
const (
	// SeedRule: T = 0 where mu - t·sigma < w < mu + t·sigma, else 1, with mean and population standard
	// deviation of all of W at each surgery. The bias is not pruned. (HolmesShuan's re-implementation.)
	SeedRule Rule = iota
	// PaperRule: with c = max(mu + t·sigma, 0) and t the layer's c_rate, an entry x of weights and bias with T = 1 and
	// |x| <= 0.9·c becomes 0, one with T = 0 and |x| > 1.1·c becomes 1. mu and sigma are those of |x| over the
	// unmasked non-zero entries at the first surgery. (Guo, Yao, Chen, NIPS 2016, section 3.2, and their program.)
	PaperRule
	// SoftRule: T = 0 where |x| <= c, else 1, for x of weights and bias, and forward weights by Soft. c is Soft.Cut,
	// which the caller finds: t·sigma, with sigma the population standard deviation of W at the first surgery.
	SoftRule
)

// SurgeryParams says what Surgery does.
type SurgeryParams struct {
	Rule Rule
	// Threshold is t of the seed rule, c_rate of the paper rule.
	Threshold float32
	// Soft has the cut of the soft rule, and what its forward weights are; of other rules it is the zero value.
	Soft Soft
	// Mu and Sigma are used by the paper rule where Measured is set; else they are measured. The soft rule needs
	// neither: it measures mean and deviation of W, as the seed rule does, where they are not Measured.
	Measured  bool
	Mu, Sigma float32
	// Redraw the mask. Without it, masks stay as they are.
	Redraw bool
	// Rewrite the forward weights of kept entries where the mask is not redrawn: Soft is not what it was.
	Rewrite bool
	// Gate, where it is not nil, is one number: where it is not finite, masks stay as they are.
	Gate *Tensor
	// Histogram the distances, under the mask as it is afterwards; by MagnitudeBin where ByMagnitude is set.
	Histogram, ByMagnitude bool
}

// HistogramBins and HistogramWidth give the histogram's resolution: bins of a thousandth of a standard
// deviation, so that a threshold of three decimals falls on an edge; the last bin holds all beyond.
const (
	HistogramBins  = 6001
	HistogramWidth = 0.001
)

// SurgeryResult is what Surgery found.
type SurgeryResult struct {
	Mu, Sigma float32
	Total     int // entries under the mask: weights, and where PrunesBias the bias
	Kept      int
	Pruned    int // 1 → 0 in this surgery
	Spliced   int // 0 → 1 in this surgery
	// KeptAt and PrunedAt count entries with T = 1 and T = 0 by distance/HistogramWidth, where the distance is
	// |w - mu|/sigma under the seed rule and |x|/sigma under the others. By magnitude, they count them by the
	// MagnitudeBin of |w - mu| and of |x|.
	KeptAt, PrunedAt []uint32
}

// PrunesBias reports whether the rule prunes a layer's bias like its weights.
func (r Rule) PrunesBias() bool { return r != SeedRule }

// Centered reports whether the rule measures the distance of a weight from the mean of all, not from 0.
func (r Rule) Centered() bool { return r == SeedRule }

// Pruned is what a pruned entry of forward weights holds: -0.
var Pruned = math.Float32frombits(prunedBits)

const prunedBits = 1 << 31

// IsPruned reports whether an entry of forward weights is pruned.
func IsPruned(m float32) bool { return math.Float32bits(m) == prunedBits }

// Kept returns w as an unpruned entry of forward weights: a zero loses its sign.
func Kept(w float32) float32 {
	if w == 0 {
		return 0
	}
	return w
}

// Limits returns the numbers that Surgery compares an entry with: mu ∓ t·sigma under the seed rule, 0.9·c and 1.1·c
// under the paper rule, c twice under the soft rule. The factors are applied in float64, as the reference program does.
func (p *SurgeryParams) Limits(mu, sigma float32) (low, high float64) {
	switch p.Rule {
	case SeedRule:
		return float64(mu - float32(p.Threshold*sigma)), float64(mu + float32(p.Threshold*sigma))
	case SoftRule:
		return float64(p.Soft.Cut), float64(p.Soft.Cut)
	}
	c := float64(max(mu+float32(p.Threshold*sigma), 0))
	return 0.9 * c, 1.1 * c
}

// Update is the operation of Device.Update.
type Update struct {
	Params                 UpdateParams
	W, Grad, H, H2, Masked *Tensor
}

func (o *Update) operands(v *operands) {
	v.out("w", &o.W, o.W.N)
	v.out("grad", &o.Grad, o.W.N)
	v.out("h", &o.H, o.W.N)
	if o.Params.Method.Histories() > 1 {
		v.out("h2", &o.H2, o.W.N)
	}
	v.outOptional("masked", &o.Masked, o.W.N)
	v.inOptional("gate", &o.Params.Gate, 1)
}

// Update is one step of a solver, and the next forward weights, in one pass:
//
//	g = scale·grad + decay·w          (L2; decay·sign(w) under L1; scale·theta where w was pruned)
//	w = w - step(g)                   (see Method)
//	masked = w where it was kept, under the soft rule Soft of it; still -0 where it was pruned
//	grad = 0                          (the step under KeepStep)
//
// Where w was pruned, Rest leaves all but grad as it is, and the step is 0.
//
// h is the method's history, h2 its second, nil for methods without one. masked may be nil (a parameter without a
// mask); see Masked weights.
func (d *Device) Update(p UpdateParams, w, grad, h, h2, masked *Tensor) {
	describe(d, &d.ops.Update, Update{Params: p, W: w, Grad: grad, H: h, H2: h2, Masked: masked})
}

// Surgery is the operation of Device.Surgery.
type Surgery struct {
	Params                SurgeryParams
	W, Masked, B, MaskedB *Tensor
	Result                *SurgeryResult
}

func (o *Surgery) operands(v *operands) {
	v.in("w", &o.W, o.W.N)
	v.out("masked", &o.Masked, o.W.N)
	if o.B != nil {
		v.in("b", &o.B, o.B.N)
		v.out("maskedB", &o.MaskedB, o.B.N)
	}
	v.inOptional("gate", &o.Params.Gate, 1)
}

// Surgery measures a layer, redraws its mask, and writes its forward weights, as p says. r is what it found, when
// Sync has returned, or Await for a Mark made after; it must stay until then. b and maskedB, the bias, may be nil.
func (d *Device) Surgery(p *SurgeryParams, w, masked, b, maskedB *Tensor, r *SurgeryResult) {
	describe(d, &d.ops.Surgery, Surgery{Params: *p, W: w, Masked: masked, B: b, MaskedB: maskedB, Result: r})
}

// Farthest is the operation of Device.Farthest.
type Farthest struct {
	G                       Outputs
	Center                  float32
	W, Masked, Kept, Pruned *Tensor
}

func (o *Farthest) operands(v *operands) {
	v.in("w", &o.W, o.G.Len())
	v.inOptional("masked", &o.Masked, o.G.Len())
	v.out("kept", &o.Kept, o.G.Outputs)
	v.out("pruned", &o.Pruned, o.G.Outputs)
}

// Farthest sets kept[o] to the largest |w - center| among the entries of output o with T = 1, pruned[o] among those
// with T = 0, and -1 where there are none. Output o has the weights of row o of w; of column o where g is
// transposed. masked may be nil: nothing is pruned.
func (d *Device) Farthest(g Outputs, center float32, w, masked, kept, pruned *Tensor) {
	describe(d, &d.ops.Farthest, Farthest{G: g, Center: center, W: w, Masked: masked, Kept: kept, Pruned: pruned})
}
