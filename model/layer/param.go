package layer

import (
	"errors"
	"fmt"
	"math"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
)

// Param is a learned array of a layer: data, gradient, and where it is pruned its forward weights.
type Param struct {
	Layer  string
	Index  int // among the layer's parameters
	Shape  []int
	Data   *gpu.Tensor
	Diff   *gpu.Tensor
	Masked *gpu.Tensor // forward weights, or nil while nothing was ever pruned (see gpu, Masked weights)
	Soft   gpu.Soft    // what the forward weights of kept entries are
	// KeptOnly says that until it is false again only the gradients of kept entries count: a layer may leave those of
	// pruned entries out of Diff.
	KeptOnly bool

	LRMult, DecayMult float32
	// Statistics marks what a layer updates itself (BatchNorm's running sums): never trained, whatever lr_mult says.
	Statistics bool
}

// Forward returns what a forward pass multiplies by: W∘T, or W.
func (p *Param) Forward() *gpu.Tensor {
	if p.Masked != nil {
		return p.Masked
	}
	return p.Data
}

// Trained reports whether the solver changes the parameter.
func (p *Param) Trained() bool { return p.LRMult != 0 && !p.Statistics }

// Gradient returns the gradient to add to, or nil where none is wanted.
func (p *Param) Gradient() *gpu.Tensor {
	if p == nil || !p.Trained() {
		return nil
	}
	return p.Diff
}

// gradientsOf returns the forward weights whose kept entries have all the gradients that count, or nil where all do.
func (p *Param) gradientsOf() *gpu.Tensor {
	if p.KeptOnly {
		return p.Masked
	}
	return nil
}

// EnsureMask gives the parameter forward weights with nothing pruned yet.
func (p *Param) EnsureMask(d *gpu.Device) error {
	if p.Masked != nil {
		return nil
	}
	t, err := gpu.NewTensor(d, p.Shape...)
	if err != nil {
		return err
	}
	if p.Masked = t; !d.Dry() {
		p.SetMask(d, nil)
	}
	return nil
}

// SetMask writes the forward weights for a mask of 0 and 1 (nil: all 1) over the current weights.
func (p *Param) SetMask(d *gpu.Device, mask []float32) {
	w := make([]float32, p.Data.N)
	d.Download(w, p.Data)
	for i := range w {
		if mask != nil && mask[i] == 0 {
			w[i] = gpu.Pruned
		} else {
			w[i] = p.Soft.Forward(w[i])
		}
	}
	d.Upload(p.Masked, w)
}

// Mask returns the mask as 0 and 1, all 1 where the parameter has none.
func (p *Param) Mask(d *gpu.Device) []float32 {
	m := make([]float32, p.Data.N)
	if p.Masked == nil {
		for i := range m {
			m[i] = 1
		}
		return m
	}
	d.Download(m, p.Masked)
	for i := range m {
		if gpu.IsPruned(m[i]) {
			m[i] = 0
		} else {
			m[i] = 1
		}
	}
	return m
}

// ParamSpec describes a parameter that a layer wants.
type ParamSpec struct {
	Index      int
	Shape      []int
	Filler     *caffepb.FillerParameter
	Statistics bool
}

// Pruning is how the prototxt wants a layer pruned.
type Pruning struct {
	Rule      gpu.Rule
	Enabled   bool // takes part in surgery when the run does any
	Explicit  bool // the prototxt says something about surgery in this layer
	Threshold float64
	Gamma     float64
	Power     float64
	Stop      int // first iteration without surgery; config.Never
	Soft      config.SoftHyper
}

// Prunable is a layer with weights that surgery may mask.
type Prunable interface {
	Layer
	Pruning() Pruning
	// Weights returns the weights, and the bias or nil.
	Weights() (w, b *Param)
	// Positions is how often a pass multiplies a weight for one image.
	Positions() int
}

// pruningOf reads the surgery fields of a Convolution, InnerProduct, CConvolution or CInnerProduct.
func pruningOf(l *caffepb.LayerParameter) (Pruning, error) {
	conv := l.GetType() == "Convolution" || l.GetType() == "CConvolution"
	official := l.GetType() == "CConvolution" || l.GetType() == "CInnerProduct"
	if official || l.GetSurgeryRule() == caffepb.SurgeryRule_PAPER {
		p := Pruning{Rule: gpu.PaperRule, Enabled: true, Explicit: true, Soft: config.DefaultSoft}
		var stop float32
		if conv {
			q := l.GetCconvolutionParam()
			p.Threshold, p.Gamma, p.Power, stop = caffe.Widen(
				q.GetCRate(),
			), caffe.Widen(
				q.GetGamma(),
			), caffe.Widen(
				q.GetPower(),
			), q.GetIterStop()
		} else {
			q := l.GetCinnerProductParam()
			p.Threshold, p.Gamma = caffe.Widen(q.GetCRate()), caffe.Widen(q.GetGamma())
			p.Power, stop = caffe.Widen(q.GetPower()), q.GetIterStop()
		}
		if math.IsNaN(float64(stop)) {
			return p, errors.New("iter_stop is nan; wanted an iteration, 0 for no surgery, or inf")
		}
		p.Stop = config.IterStop(stop)
		return p, nil
	}
	p := Pruning{Rule: gpu.SeedRule, Power: 1, Stop: config.Never, Soft: config.DefaultSoft}
	mostMasks := 1
	if l.GetSurgeryRule() == caffepb.SurgeryRule_SOFT {
		q := l.GetSoftSurgeryParam()
		p.Rule, p.Explicit, mostMasks = gpu.SoftRule, true, 2
		p.Soft = config.SoftHyper{Exponent: min(caffe.Widen(q.GetExponent()), config.Never),
			Theta: caffe.Widen(q.GetTheta()), ThetaEvery: int(q.GetThetaEvery())}
	}
	var masks int
	if conv {
		q := l.GetConvolutionParam()
		p.Enabled, p.Threshold = q.GetSparsityTerm(), caffe.Widen(q.GetThreshold())
		p.Explicit = p.Explicit ||
			q.GetSparsityTerm() && (q.SparsityTerm != nil || q.Threshold != nil || q.WeightMaskFiller != nil)
		masks = len(l.Param) - boolInt(q.GetBiasTerm()) - 1
	} else {
		q := l.GetInnerProductParam()
		p.Enabled, p.Threshold = q.GetSparsityTerm(), caffe.Widen(q.GetThreshold())
		p.Explicit = p.Explicit ||
			q.GetSparsityTerm() && (q.SparsityTerm != nil || q.Threshold != nil || q.WeightMaskFiller != nil)
		masks = len(l.Param) - boolInt(q.GetBiasTerm()) - 1
	}
	if masks > mostMasks {
		return p, fmt.Errorf("%d param; wanted at most weights, bias and mask", len(l.Param))
	}
	p.Explicit = p.Explicit || p.Enabled && masks == 1
	return p, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
