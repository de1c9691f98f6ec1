package config

import (
	"encoding/json"
	"fmt"
	"math"
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
	ThetaEvery          // of a layer under the soft rule: theta in every n-th iteration, 0 in the others
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
		return "times the gradient of pruned weights, in every theta_every-th iteration"
	case ThetaEvery:
		return "theta holds in every so many-th iteration; pruned weights rest in the others"
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

// Edit sets one hyperparameter. Value is a number, an iteration, or 0 or 1 of a switch.
type Edit struct {
	Field
	Value float64
}

// Parse reads an edit: a field and a value as they are typed.
func Parse(field, value string) (Edit, error) {
	f, err := ParseField(field)
	if err != nil {
		return Edit{}, err
	}
	v, err := f.ParseValue(value)
	if err != nil {
		return Edit{}, err
	}
	return Edit{f, v}, nil
}

// String is the edit as it is typed: "conv2.threshold 1.96".
func (e Edit) String() string { return e.Field.String() + " " + e.Text() }

// Text is the value as it is typed.
func (e Edit) Text() string { return e.Format(e.Value) }

// Edited is an edit that was applied, with the value before it.
type Edited struct {
	Edit
	Old      float64
	OldKnown bool // a journal that was written by hand may leave it out
}

// String is what the edit did: "conv2.threshold 1.64 → 1.96".
func (e Edited) String() string {
	if !e.OldKnown {
		return e.Edit.String()
	}
	return fmt.Sprintf("%s %s → %s", e.Field, e.OldText(), e.Text())
}

// OldText is the value before as it is typed; "" where that is not known.
func (e Edited) OldText() string {
	if !e.OldKnown {
		return ""
	}
	return e.Format(e.Old)
}

// Back is the edit that undoes it.
func (e Edited) Back() Edited { return Edited{Edit{e.Field, e.Old}, e.Value, true} }

// editJSON is an edit in journals and snapshots.
type editJSON struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new"`
}

// MarshalJSON implements json.Marshaler, in the form of journals.
func (e Edited) MarshalJSON() ([]byte, error) {
	return json.Marshal(editJSON{e.Recorded(), e.OldText(), e.Text()})
}

// UnmarshalJSON implements json.Unmarshaler. It fails for a field or value that this version does not know.
func (e *Edited) UnmarshalJSON(data []byte) (err error) {
	var line editJSON
	if err := json.Unmarshal(data, &line); err != nil {
		return err
	}
	*e, err = ParseEdited(line.Field, line.Old, line.New)
	return err
}

// ParseEdited reads an edit as journals have it. An old value that is left out, or cannot be read, is not known:
// nothing goes by it.
func ParseEdited(field, old, value string) (Edited, error) {
	edit, err := Parse(field, value)
	if err != nil {
		return Edited{}, err
	}
	e := Edited{Edit: edit}
	if v, err := edit.ParseValue(old); err == nil {
		e.Old, e.OldKnown = v, true
	}
	return e, nil
}

// Parse reads an edit of these settings: the layer is there, and its rule has the parameter.
func (h *Hyper) Parse(field, value string) (Edit, error) {
	f, err := h.ParseField(field)
	if err != nil {
		return Edit{}, err
	}
	v, err := f.ParseValue(value)
	return Edit{f, v}, err
}

// ParseField reads the name of one of these settings: the layer is there, and its rule has the parameter.
func (h *Hyper) ParseField(text string) (Field, error) {
	f, err := ParseField(text)
	if err != nil {
		i := strings.LastIndexByte(text, '.')
		if i <= 0 {
			return f, err
		}
		if h.Layer(text[:i]) == nil {
			return f, h.noLayer(text[:i])
		}
		return h.resolve(Field{Layer: text[:i]}, text)
	}
	return h.resolve(f, text)
}

func (h *Hyper) noLayer(name string) error {
	names := make([]string, len(h.Layers))
	for i := range h.Layers {
		names[i] = h.Layers[i].Name
	}
	return fmt.Errorf("no layer %q that can be pruned%s", name, hint(name, names))
}

// Resolve returns the field by its full name: conv2.t is conv2.threshold, or conv2.c_rate under the paper rule. It is
// an error where there is no such layer, or its rule has no such parameter.
func (h *Hyper) Resolve(f Field) (Field, error) { return h.resolve(f, f.String()) }

// resolve is Resolve of a field that was typed as text.
func (h *Hyper) resolve(f Field, text string) (Field, error) {
	fields := globalParams
	if f.Layer != "" {
		l := h.Layer(f.Layer)
		if l == nil {
			return f, h.noLayer(f.Layer)
		}
		if f.Param == AnyThreshold {
			f.Param = l.ThresholdParam()
		}
		fields = l.params()
	}
	if slices.Contains(fields, f.Param) {
		return f, nil
	}
	names := make([]string, len(fields))
	for i, p := range fields {
		names[i] = p.String()
	}
	_, name, _ := strings.Cut(text, f.Layer+".")
	return f, fmt.Errorf("no setting %q%s", text, hint(name, names))
}

// params are the layer's, in the order of their names.
func (l *LayerHyper) params() []Param {
	switch l.Rule {
	case gpu.PaperRule:
		return []Param{CRate, Gamma, MaskFrozen, Power, Prune, Rule, Stop, WeightsFrozen}
	case gpu.SoftRule:
		return []Param{Exponent, MaskFrozen, Prune, Rule, Theta, ThetaEvery, Threshold, WeightsFrozen}
	}
	return []Param{MaskFrozen, Prune, Rule, Threshold, WeightsFrozen}
}

// Fields lists every field that can be set: those of the run, then those of each layer.
func (h *Hyper) Fields() []Field {
	var all []Field
	for _, p := range globalParams {
		all = append(all, Field{Param: p})
	}
	for i := range h.Layers {
		for _, p := range h.Layers[i].params() {
			all = append(all, Field{h.Layers[i].Name, p})
		}
	}
	return all
}

// Get returns the value of a field.
func (h *Hyper) Get(f Field) (float64, error) {
	f, err := h.Resolve(f)
	if err != nil {
		return 0, err
	}
	switch p := h.target(f).(type) {
	case *float64:
		return *p, nil
	case *int:
		return float64(*p), nil
	case *gpu.Rule:
		return float64(*p), nil
	case *bool:
		if *p {
			return 1, nil
		}
	}
	return 0, nil
}

// Text returns the value of a field as it is typed.
func (h *Hyper) Text(f Field) (string, error) {
	v, err := h.Get(f)
	if err != nil {
		return "", err
	}
	return f.Format(v), nil
}

// Apply returns a copy of h with edits applied, all or none, and what they did, by full names. Nothing is applied
// where a field is unknown, or the whole would not be valid.
func (h *Hyper) Apply(edits ...Edit) (*Hyper, []Edited, error) {
	c, done := h.clone(), make([]Edited, 0, len(edits))
	for _, e := range edits {
		f, err := c.Resolve(e.Field)
		if err != nil {
			return nil, nil, err
		}
		switch whole := e.Value >= math.MinInt32 && e.Value <= Never; { // false for NaN
		case f.Param == Stop && !whole:
			return nil, nil, fmt.Errorf("%s: %g is not an iteration", f, e.Value)
		case (f.Param == Rule || f.Param == ThetaEvery) && !whole:
			return nil, nil, fmt.Errorf("%s: %g is not a whole number", f, e.Value)
		}
		old, _ := c.Get(f)
		c.assign(f, e.Value)
		now, _ := c.Get(f) // as it is applied: 1.5 of a switch is on
		done = append(done, Edited{Edit{f, now}, old, true})
	}
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	return c, done, nil
}

// assign sets a field that Resolve knows.
func (h *Hyper) assign(f Field, v float64) {
	switch p := h.target(f).(type) {
	case *float64:
		*p = v
	case *int:
		*p = int(v)
	case *gpu.Rule:
		*p = gpu.Rule(v)
	case *bool:
		*p = v != 0
	}
}

// target is where the value of a field is that Resolve knows.
func (h *Hyper) target(f Field) any {
	if f.Layer == "" {
		switch f.Param {
		case BaseLR:
			return &h.BaseLR
		case LRMult:
			return &h.LRMult
		case Momentum:
			return &h.Momentum
		case WeightDecay:
			return &h.WeightDecay
		case Gamma:
			return &h.Gamma
		case Power:
			return &h.Power
		case Stop:
			return &h.Stop
		}
		return nil
	}
	l := h.Layer(f.Layer)
	switch f.Param {
	case Threshold, CRate:
		return &l.Threshold
	case Prune:
		return &l.Prune
	case MaskFrozen:
		return &l.MaskFrozen
	case WeightsFrozen:
		return &l.WeightsFrozen
	case Gamma:
		return &l.Gamma
	case Power:
		return &l.Power
	case Stop:
		return &l.Stop
	case Rule:
		return &l.Rule
	case Exponent:
		return &l.Exponent
	case Theta:
		return &l.Theta
	case ThetaEvery:
		return &l.ThetaEvery
	}
	return nil
}
