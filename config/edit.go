package config

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"dns-tui/gpu"
)

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
	return h.value(f), nil
}

// value is Get of a field that is there, by its full name.
func (h *Hyper) value(f Field) float64 {
	switch p := h.target(f).(type) {
	case *float64:
		return *p
	case *int:
		return float64(*p)
	case *gpu.Rule:
		return float64(*p)
	case *bool:
		if *p {
			return 1
		}
	}
	return 0
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
