package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dns-tui/caffe"
	"dns-tui/gpu"
)

// Param is a hyperparameter that can be set while a run trains.
type Param uint8

// The hyperparameters. Gamma, Power and Stop are the seed rule's, for all layers, or, of a layer, the paper rule's.
const (
	NoParam       Param = iota
	BaseLR              // the solver's base_lr
	LRMult              // multiplies the rate of lr_policy
	Momentum            // 0 to 1
	WeightDecay         // strength of the regularization
	Gamma               // surgery happens with the chance (1 + gamma·iteration)^-power
	Power               //
	Stop                // the first iteration without surgery, or Never
	Threshold           // of a layer under the seed rule: t
	CRate               // of a layer under the paper rule
	AnyThreshold        // Threshold or CRate, whichever the layer's rule has; Resolve says
	Prune               // the layer takes part in surgery
	MaskFrozen          // surgery passes over the layer
	WeightsFrozen       // updates pass over the layer
	Rule                // of a layer: gpu.Rule
	Exponent            // of a layer under the soft rule: p, or Never for infinity
	Theta               // of a layer under the soft rule: times the gradient of pruned weights
	ThetaEvery          // of a layer under the soft rule: theta in one of n iterations, rest in the others
)

// paramNames are the names of the hyperparameters as they are typed and shown.
var paramNames = [...]string{
	BaseLR: "base_lr", LRMult: "lr_mult", Momentum: "momentum", WeightDecay: "weight_decay", Gamma: "gamma",
	Power: "power", Stop: "stop", Threshold: "threshold", CRate: "c_rate", AnyThreshold: "t", Prune: "prune",
	MaskFrozen: "mask_frozen", WeightsFrozen: "weights_frozen", Rule: "rule", Exponent: "exponent", Theta: "theta",
	ThetaEvery: "theta_every",
}

// String is the name of a hyperparameter, as it is typed.
func (p Param) String() string {
	if p == NoParam || int(p) >= len(paramNames) {
		return fmt.Sprintf("Param(%d)", int(p))
	}
	return paramNames[p]
}

// globalParams and layerParams are those of the run and those of a layer.
var (
	globalParams = []Param{BaseLR, LRMult, Momentum, WeightDecay, Gamma, Power, Stop}
	layerParams  = []Param{CRate, Exponent, Gamma, MaskFrozen, Power, Prune, Rule, Stop, AnyThreshold, Theta,
		ThetaEvery, Threshold, WeightsFrozen}
)

// globalAliases and layerAliases are further names: what people type, what the files call them, and what they were
// called before.
var (
	globalAliases = map[string]Param{
		"lr": BaseLR, "surgery_iter_gamma": Gamma, "surgery_iter_power": Power, "surgery_stop_iter": Stop,
	}
	layerAliases = map[string]Param{
		"iter_stop": Stop, "frozen": MaskFrozen, "fixed": WeightsFrozen, "surgery_rule": Rule,
	}
)

// Field names a hyperparameter of a layer, or, where Layer is "", of the run.
type Field struct {
	Layer string
	Param Param
}

// ParseField reads "conv2.threshold", "lr", "surgery_stop_iter". Layer names may hold dots. Whether a net has the
// layer, and its rule the parameter, says Hyper.Resolve.
func ParseField(text string) (Field, error) {
	layer, name := "", text
	if i := strings.LastIndexByte(text, '.'); i >= 0 {
		layer, name = text[:i], text[i+1:]
	}
	params, aliases := globalParams, globalAliases
	if layer != "" {
		params, aliases = layerParams, layerAliases
	}
	if p, ok := aliases[name]; ok {
		return Field{layer, p}, nil
	}
	var names []string
	for _, p := range params {
		if paramNames[p] == name {
			return Field{layer, p}, nil
		}
		if p != AnyThreshold {
			names = append(names, paramNames[p])
		}
	}
	if layer != "" { // which of them it has, its rule says
		if c := caffe.Closest(name, names); c != "" {
			return Field{}, fmt.Errorf("no setting %q; did you mean %q?", text, c)
		}
		return Field{}, fmt.Errorf("no setting %q", text)
	}
	return Field{}, fmt.Errorf("no setting %q%s", text, hint(name, names))
}

// String is the field as it is typed: "conv2.threshold".
func (f Field) String() string {
	if f.Layer == "" {
		return f.Param.String()
	}
	return f.Layer + "." + f.Param.String()
}

// Recorded is the field's name in journals, which programs of before read, too: there mask_frozen is frozen and
// weights_frozen is fixed.
func (f Field) Recorded() string {
	switch f.Param {
	case MaskFrozen:
		return f.Layer + ".frozen"
	case WeightsFrozen:
		return f.Layer + ".fixed"
	}
	return f.String()
}

// InFiles is what the prototxt files call the field: surgery_stop_iter, iter_stop.
func (f Field) InFiles() string {
	switch {
	case f.Layer != "" && f.Param == Stop:
		return f.Layer + ".iter_stop"
	case f.Layer != "" && f.Param == Rule:
		return f.Layer + ".surgery_rule"
	case f.Layer != "":
		return f.String()
	case f.Param == Gamma:
		return "surgery_iter_gamma"
	case f.Param == Power:
		return "surgery_iter_power"
	case f.Param == Stop:
		return "surgery_stop_iter"
	}
	return f.String()
}

// WaitsForSurgery reports whether a change of the field takes effect with the layer's next surgery: a threshold does.
// All other changes take effect at the next iteration.
func (f Field) WaitsForSurgery() bool {
	return f.Param == Threshold || f.Param == CRate || f.Param == AnyThreshold
}

// IsSwitch reports a field that is on or off.
func (f Field) IsSwitch() bool {
	return f.Param == Prune || f.Param == MaskFrozen || f.Param == WeightsFrozen
}

// IsNumber reports a field between whose values there are others.
func (f Field) IsNumber() bool {
	return !f.IsSwitch() && f.Param != Rule && f.Param != Stop && f.Param != ThetaEvery
}

// Format prints a value of the field.
func (f Field) Format(v float64) string {
	switch {
	case f.IsSwitch() && v != 0:
		return "on"
	case f.IsSwitch():
		return "off"
	case f.Param == Stop && v == Never:
		return "never"
	case f.Param == Exponent && v == Never:
		return "inf"
	case f.Param == Rule && v >= 0 && int(v) < len(ruleNames):
		return ruleNames[int(v)]
	case f.Param == Stop, f.Param == Rule, f.Param == ThetaEvery:
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// ParseValue reads a value of the field.
func (f Field) ParseValue(text string) (float64, error) {
	switch {
	case f.IsSwitch():
		switch text {
		case "on", "true", "1":
			return 1, nil
		case "off", "false", "0":
			return 0, nil
		}
		return 0, fmt.Errorf("%s: %q is neither on nor off", f, text)
	case f.Param == Stop:
		n, err := strconv.Atoi(text)
		switch {
		case text == "never" || text == "inf":
			return Never, nil
		case err != nil:
			return 0, fmt.Errorf("%s: %q is not a whole number, or never", f, text)
		case f.Layer == "":
			n = SurgeryStop(n)
		}
		return float64(min(n, Never)), nil
	case f.Param == Rule:
		if i := slices.Index(ruleNames[:], strings.ToLower(text)); i >= 0 {
			return float64(i), nil
		}
		return 0, fmt.Errorf("%s: no surgery rule %q%s", f, text, hint(strings.ToLower(text), ruleNames[:]))
	case f.Param == ThetaEvery:
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("%s: %q is not a whole number", f, text)
		}
		return float64(n), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%s: %q is not a number", f, text)
	case f.Param == Exponent && v >= Never:
		return Never, nil
	}
	return v, nil
}

// ruleNames are the surgery rules as they are typed and shown.
var ruleNames = [...]string{gpu.SeedRule: "seed", gpu.PaperRule: "paper", gpu.SoftRule: "soft"}

// RuleName is a surgery rule as it is typed and shown.
func RuleName(r gpu.Rule) string { return Field{Param: Rule}.Format(float64(r)) }

// Meaning says in a line what the field does.
func (f Field) Meaning() string {
	const chance = "the chance (1 + gamma × iteration)^-power"
	if f.Layer == "" {
		switch f.Param {
		case BaseLR:
			return "the solver's learning rate, before lr_policy and lr_mult"
		case LRMult:
			return "multiplies the rate that lr_policy gives"
		case Momentum:
			return "the part of an update that goes into the next, 0 to 1"
		case WeightDecay:
			return "strength of the solver's regularization"
		case Gamma:
			return "surgery_iter_gamma: surgery has " + chance
		case Power:
			return "surgery_iter_power: surgery has " + chance
		case Stop:
			return "surgery_stop_iter: no surgery from this iteration on; never"
		}
		return ""
	}
	switch f.Param {
	case Threshold:
		return "pruned: within so many standard deviations of the mean; soft rule: of 0"
	case Rule:
		return "the surgery rule: seed, paper or soft"
	case Exponent:
		return "forward weights are sign(w)(|w|^p - c^p)^(1/p): p; inf is the hard rule"
	case Theta:
		return "times the gradient of pruned weights, in one of theta_every iterations"
	case ThetaEvery:
		return "theta holds in one of so many iterations; pruned weights rest in the others"
	case CRate:
		return "c = mean + c_rate × deviation of |w|: pruned to 0.9 c, spliced above 1.1 c"
	case Prune:
		return "takes part in surgery; off leaves its mask as it is, if it has one"
	case MaskFrozen:
		return "keeps its mask as it is"
	case WeightsFrozen:
		return "keeps its weights as they are"
	case Gamma, Power:
		return "surgery of this layer has " + chance
	case Stop:
		return "iter_stop: no surgery of this layer from this iteration on; 0 is none; never"
	}
	return ""
}
