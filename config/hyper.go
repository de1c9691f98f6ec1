// Package config holds what a user can set: the run (Run), the hyperparameters that can change while it trains
// (Hyper), and the sigma table.
package config

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// Hyper is the live hyperparameters. A value is never changed in place: Apply returns a changed copy, validated as a
// whole, or a reason.
type Hyper struct {
	BaseLR      float64      `json:"base_lr"`
	LRMult      float64      `json:"lr_mult"` // of the policy's rate
	Momentum    float64      `json:"momentum"`
	WeightDecay float64      `json:"weight_decay"`
	Gamma       float64      `json:"gamma"` // seed rule: surgery_iter_gamma
	Power       float64      `json:"power"` // seed rule: surgery_iter_power
	Stop        int          `json:"stop"`  // seed rule: surgery_stop_iter: surgery while iteration < Stop; Never
	Layers      []LayerHyper `json:"layers"`
	// index has the places of the layers, where Index made it. It is never changed, so copies share it.
	index map[string]int
}

// LayerHyper is the live settings of one layer that can be pruned.
type LayerHyper struct {
	Name          string   `json:"name"`
	Rule          gpu.Rule `json:"rule"`
	Threshold     float64  `json:"threshold"` // t of the seed and the soft rule, c_rate of the paper rule
	Prune         bool     `json:"prune"`     // takes part in surgery
	MaskFrozen    bool     `json:"frozen"`    // keeps its mask as it is; the name of before, which other versions read
	WeightsFrozen bool     `json:"fixed"`     // keeps its weights as they are
	Gamma         float64  `json:"gamma"`     // paper rule
	Power         float64  `json:"power"`     // paper rule
	// paper rule: iter_stop: surgery while iteration < Stop; 0 protects the layer; Never
	Stop      int `json:"stop"`
	SoftHyper `json:"soft,omitzero"`
}

// SoftHyper is the live settings of the soft rule, of one layer.
type SoftHyper struct {
	Exponent   float64 `json:"exponent"`    // p of the forward weights, or Never for infinity
	Theta      float64 `json:"theta"`       // what the gradients of pruned weights are multiplied by
	ThetaEvery int     `json:"theta_every"` // Theta holds in one of so many iterations; in the others they rest
}

// MostThetaEvery is the largest ThetaEvery.
const MostThetaEvery = 1e6

// DefaultSoft is the settings of the soft rule where a file gives none.
var DefaultSoft = SoftHyper{Exponent: 3, Theta: 1, ThetaEvery: 1}

// UnmarshalJSON implements json.Unmarshaler. A version before wrote no settings of the soft rule.
func (l *LayerHyper) UnmarshalJSON(data []byte) error {
	type plain LayerHyper
	l.SoftHyper = DefaultSoft
	return json.Unmarshal(data, (*plain)(l))
}

// MarshalJSON implements json.Marshaler. Settings of the soft rule that nobody has set are left out, so that versions
// before read the rest.
func (l LayerHyper) MarshalJSON() ([]byte, error) {
	type plain LayerHyper
	if l.SoftHyper == DefaultSoft {
		l.SoftHyper = SoftHyper{}
	}
	return json.Marshal(plain(l))
}

// Dice are by which a layer's surgery is drawn: its own under the paper rule, else those of all.
func (h *Hyper) Dice(l *LayerHyper) (gamma, power float64, stop int) {
	if l.Rule == gpu.PaperRule {
		return l.Gamma, l.Power, l.Stop
	}
	return h.Gamma, h.Power, h.Stop
}

// StopOf is the iteration from which a layer is not operated on: its own under the paper rule, else that of all.
func (h *Hyper) StopOf(l *LayerHyper) int {
	_, _, stop := h.Dice(l)
	return stop
}

// StopField is the setting that says so.
func (h *Hyper) StopField(l *LayerHyper) Field {
	if l.Rule == gpu.PaperRule {
		return Field{Layer: l.Name, Param: Stop}
	}
	return Field{Param: Stop}
}

// Soft is what forward weights are under the settings, with the cut of the last surgery.
func (l *LayerHyper) Soft(cut float32) gpu.Soft {
	switch {
	case l.Rule != gpu.SoftRule:
		return gpu.Soft{}
	case l.Exponent >= Never:
		return gpu.Soft{Cut: cut}
	}
	return gpu.Soft{Cut: cut, Exponent: float32(l.Exponent)}
}

// GradientFactor is what the gradients of pruned weights are multiplied by in an iteration in which they do not rest.
func (l *LayerHyper) GradientFactor() float64 {
	if l.Rule != gpu.SoftRule {
		return 1
	}
	return l.Theta
}

// RestsAt reports whether pruned weights stay as they are in an iteration: no gradient, no decay, no momentum. A
// descent of LeNet-5 that took 98 % at once diverged where momentum went on between gradients, as it moved them three
// times as far from one surgery to the next.
//
// They don't rest in one of each ThetaEvery iterations, in one that a hash of these draws. A database is read in its
// order, so were it always the first, and the batches of an epoch a multiple of ThetaEvery, pruned weights would meet
// the same few batches again and again.
func (l *LayerHyper) RestsAt(iter int) bool {
	if l.Rule != gpu.SoftRule || l.ThetaEvery <= 1 {
		return false
	}
	key := gpu.Key{Iter: uint64(iter / l.ThetaEvery)}
	return iter%l.ThetaEvery != int(uint64(key.Block(0)[0])*uint64(l.ThetaEvery)>>32)
}

// Never is a Stop that no iteration reaches: surgery continues to the end. In text it is "never".
const Never = math.MaxInt32

// IterStop returns the first iteration without surgery for the iter_stop of a cconvolution_param or
// cinner_product_param. The authors' fork compares iteration < iter_stop, with a float: 7999.5 leaves out 8000, 0 and
// less leave out all, and inf none.
func IterStop(stop float32) int {
	switch v := math.Ceil(float64(stop)); {
	case v >= Never:
		return Never
	case v > 0:
		return int(v)
	}
	return 0
}

// SurgeryStop is IterStop for surgery_stop_iter of the solver: the re-implementation reads the field and ignores it, so
// 0 and less, like a solver without it, never stop.
func SurgeryStop(stop int) int {
	if stop <= 0 {
		return Never
	}
	return stop
}

// FromSolver returns the hyperparameters that a solver's file sets, without those of layers.
func FromSolver(s *caffepb.SolverParameter) *Hyper {
	return &Hyper{BaseLR: caffe.Widen(s.GetBaseLr()), LRMult: 1, Momentum: caffe.Widen(s.GetMomentum()),
		WeightDecay: caffe.Widen(s.GetWeightDecay()), Gamma: caffe.Widen(s.GetSurgeryIterGamma()),
		Power: caffe.Widen(s.GetSurgeryIterPower()), Stop: SurgeryStop(int(s.GetSurgeryStopIter()))}
}

// ThresholdParam is what the layer's rule has for a threshold.
func (l *LayerHyper) ThresholdParam() Param {
	if l.Rule == gpu.PaperRule {
		return CRate
	}
	return Threshold
}

// ThresholdRange returns the least and the largest threshold of a rule.
func ThresholdRange(r gpu.Rule) (lo, hi float64) {
	switch r {
	case gpu.PaperRule:
		return -100, 100
	case gpu.SoftRule: // a cut for the whole net is far off in a layer of small weights
		return 0, 1e6
	}
	return 0, 100
}

// Layer returns the settings of a layer, or nil.
func (h *Hyper) Layer(name string) *LayerHyper {
	if i, ok := h.index[name]; ok && i < len(h.Layers) && h.Layers[i].Name == name {
		return &h.Layers[i]
	}
	for i := range h.Layers {
		if h.Layers[i].Name == name {
			return &h.Layers[i]
		}
	}
	return nil
}

// Index makes Layer quick, of a net with any number of layers. It is called when all layers are there.
func (h *Hyper) Index() {
	h.index = make(map[string]int, len(h.Layers))
	for i := range h.Layers {
		h.index[h.Layers[i].Name] = i
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Hyper) UnmarshalJSON(data []byte) error {
	type plain Hyper
	if err := json.Unmarshal(data, (*plain)(h)); err != nil {
		return err
	}
	h.Index()
	return nil
}

// Equal reports whether two hold the same settings.
func (h *Hyper) Equal(o *Hyper) bool {
	if h == nil || o == nil {
		return h == o
	}
	a, b := *h, *o
	a.index, b.index = nil, nil
	return reflect.DeepEqual(a, b)
}

// clone returns a copy that shares nothing.
func (h *Hyper) clone() *Hyper {
	c := *h
	c.Layers = append([]LayerHyper(nil), h.Layers...)
	return &c
}

// A Fault is a value that is out of range.
type Fault struct {
	Field Field
	Msg   string // what it is, and what it must be
}

// Validate reports every value that is out of range.
func (h *Hyper) Validate() error {
	faults := h.Faults()
	if faults == nil {
		return nil
	}
	bad := make([]string, len(faults))
	for i, f := range faults {
		bad[i] = f.Field.String() + " " + f.Msg
	}
	return fmt.Errorf("%s", strings.Join(bad, "; "))
}

// Faults lists the values that are out of range. It judges what files set, what a snapshot holds and what is typed
// alike.
func (h *Hyper) Faults() []Fault {
	var bad []Fault
	check := func(f Field) {
		v := h.value(f)
		lo, hi := h.Limits(f)
		switch {
		case v >= Never && (f.Param == Stop || f.Param == Exponent):
		case f.Param == Stop && v < lo:
			bad = append(bad, Fault{f, fmt.Sprintf("is %.0f, wanted an iteration from %.0f, or never", v, lo)})
		case math.IsNaN(v) || v < lo || v > hi:
			bad = append(bad, Fault{f, fmt.Sprintf("is %g, wanted %g to %g", v, lo, hi)})
		}
	}
	for _, p := range globalParams {
		check(Field{Param: p})
	}
	for i := range h.Layers {
		l := &h.Layers[i]
		if _, known := ruleParams[l.Rule]; !known {
			bad = append(bad, Fault{Field{l.Name, Rule}, fmt.Sprintf("is %d, wanted seed, paper or soft", l.Rule)})
			continue
		}
		check(Field{l.Name, l.ThresholdParam()})
		for _, p := range ruleParams[l.Rule] {
			check(Field{l.Name, p})
		}
	}
	return bad
}

// ruleParams are the settings of a layer that its rule alone has, beside the threshold.
var ruleParams = map[gpu.Rule][]Param{
	gpu.SeedRule:  nil,
	gpu.PaperRule: {Gamma, Power, Stop},
	gpu.SoftRule:  {Exponent, Theta, ThetaEvery},
}

// Limits are the least and the greatest value of a field that is a number. Beside them Stop may be Never, and so may
// Exponent.
func (h *Hyper) Limits(f Field) (lo, hi float64) {
	switch f.Param {
	case Momentum:
		return 0, 1
	case Stop:
		if f.Layer == "" {
			return 1, Never
		}
		return 0, Never
	case Exponent:
		return 1, 100
	case Theta:
		return 0, 100
	case ThetaEvery:
		return 1, MostThetaEvery
	case Threshold, CRate, AnyThreshold:
		if l := h.Layer(f.Layer); l != nil {
			return ThresholdRange(l.Rule)
		}
		return ThresholdRange(gpu.SeedRule)
	}
	return 0, 1e6
}

// Range is what a field may be, as people read it: "0 to 1", "on or off", "from 1, or never".
func (h *Hyper) Range(f Field) string {
	lo, hi := h.Limits(f)
	switch {
	case f.IsSwitch():
		return "on or off"
	case f.Param == Rule:
		return "seed, paper or soft"
	case f.Param == Stop:
		return fmt.Sprintf("from %g, or never", lo)
	case f.Param == Exponent:
		return fmt.Sprintf("%g to %g, or inf", lo, hi)
	case hi >= 1e6:
		return fmt.Sprintf("from %g", lo)
	}
	return fmt.Sprintf("%g to %g", lo, hi)
}

func hint(word string, candidates []string) string {
	if c := caffe.Closest(word, candidates); c != "" {
		return fmt.Sprintf("; did you mean %q?", c)
	}
	if len(candidates) == 0 {
		return ""
	}
	return " (there are: " + strings.Join(candidates, ", ") + ")"
}
