// Package config holds what a user can set: the run (Run), the hyperparameters that can change while it trains
// (Hyper), and the sigma table.
package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// Hyper is the live hyperparameters. A value is never changed in place: Set returns a changed copy, validated as a
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
	Name      string   `json:"name"`
	Rule      gpu.Rule `json:"rule"`
	Threshold float64  `json:"threshold"` // t of the seed rule, c_rate of the paper rule
	Prune     bool     `json:"prune"`     // takes part in surgery
	Frozen    bool     `json:"frozen"`    // keeps its mask as it is
	Fixed     bool     `json:"fixed"`     // keeps its weights as they are
	Gamma     float64  `json:"gamma"`     // paper rule
	Power     float64  `json:"power"`     // paper rule
	// paper rule: iter_stop: surgery while iteration < Stop; 0 protects the layer; Never
	Stop int `json:"stop"`
}

// Never is a Stop that no iteration reaches: surgery goes on to the end. In text it is "never".
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

// ThresholdName is what the layer's rule calls its threshold.
func (l *LayerHyper) ThresholdName() string {
	if l.Rule == gpu.PaperRule {
		return "c_rate"
	}
	return "threshold"
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

// IsThreshold reports whether a change of field waits for the next surgery.
func IsThreshold(field string) bool {
	return strings.HasSuffix(field, ".threshold") || strings.HasSuffix(field, ".c_rate")
}

// SplitField cuts "conv2.threshold" into layer and name; the layer of a global field is "". Layer names may hold dots.
func SplitField(field string) (layer, name string) {
	if i := strings.LastIndexByte(field, '.'); i >= 0 {
		return field[:i], field[i+1:]
	}
	return "", field
}

// aliases are further names of the fields without a layer: what people type, and what the solver's file calls them.
var aliases = map[string]string{
	"lr":                 "base_lr",
	"surgery_iter_gamma": "gamma",
	"surgery_iter_power": "power",
	"surgery_stop_iter":  "stop",
}

// Canonical returns the full name of a field: lr is base_lr, conv2.t is conv2.threshold, or conv2.c_rate under the
// paper rule; the names of the solver's and the layers' fields in a prototxt are known too. A field that it does not
// know stays as it is.
func (h *Hyper) Canonical(field string) string {
	layer, name := SplitField(field)
	switch l := h.Layer(layer); {
	case layer == "" && aliases[name] != "":
		return aliases[name]
	case l != nil && name == "t":
		return layer + "." + l.ThresholdName()
	case l != nil && l.Rule == gpu.PaperRule && name == "iter_stop":
		return layer + ".stop"
	}
	return field
}

// meanings say what the fields without a layer do, layerMeanings those of a layer.
var (
	meanings = map[string]string{
		"base_lr":      "the solver's learning rate, before lr_policy and lr_mult",
		"lr_mult":      "multiplies the rate that lr_policy gives",
		"momentum":     "the part of an update that goes into the next, 0 to 1",
		"weight_decay": "strength of the solver's regularization",
		"gamma":        "surgery_iter_gamma: surgery has the chance (1 + gamma × iteration)^-power",
		"power":        "surgery_iter_power: surgery has the chance (1 + gamma × iteration)^-power",
		"stop":         "surgery_stop_iter: no surgery from this iteration on; never",
	}
	layerMeanings = map[string]string{
		"threshold": "pruned: weights within so many standard deviations of the mean",
		"c_rate":    "c = mean + c_rate × deviation of |w|: pruned to 0.9 c, spliced above 1.1 c",
		"prune":     "takes part in surgery; off leaves its mask as it is, if it has one",
		"frozen":    "keeps its mask as it is",
		"fixed":     "keeps its weights as they are",
		"gamma":     "surgery of this layer has the chance (1 + gamma × iteration)^-power",
		"power":     "surgery of this layer has the chance (1 + gamma × iteration)^-power",
		"stop":      "iter_stop: no surgery of this layer from this iteration on; 0 is none; never",
	}
)

// Meaning says in a line what a field does; "" for one that is unknown.
func (h *Hyper) Meaning(field string) string {
	layer, name := SplitField(h.Canonical(field))
	if layer == "" {
		return meanings[name]
	}
	return layerMeanings[name]
}

// target finds the number, count or switch that a field names.
func (h *Hyper) target(field string) (any, error) {
	layer, name := SplitField(h.Canonical(field))
	fields := h.global()
	if layer != "" {
		l := h.Layer(layer)
		if l == nil {
			return nil, fmt.Errorf("no layer %q that can be pruned%s", layer, hint(layer, h.layerNames()))
		}
		fields = l.fields()
	}
	if p, ok := fields[name]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("no setting %q%s", field, hint(name, slices.Sorted(maps.Keys(fields))))
}

func (h *Hyper) global() map[string]any {
	return map[string]any{
		"base_lr": &h.BaseLR, "lr_mult": &h.LRMult, "momentum": &h.Momentum, "weight_decay": &h.WeightDecay,
		"gamma": &h.Gamma, "power": &h.Power, "stop": &h.Stop,
	}
}

func (l *LayerHyper) fields() map[string]any {
	f := map[string]any{l.ThresholdName(): &l.Threshold, "prune": &l.Prune, "frozen": &l.Frozen, "fixed": &l.Fixed}
	if l.Rule == gpu.PaperRule {
		f["gamma"], f["power"], f["stop"] = &l.Gamma, &l.Power, &l.Stop
	}
	return f
}

func (h *Hyper) layerNames() []string {
	names := make([]string, len(h.Layers))
	for i := range h.Layers {
		names[i] = h.Layers[i].Name
	}
	return names
}

// Fields lists every field that can be set, in order.
func (h *Hyper) Fields() []string {
	all := []string{"base_lr", "lr_mult", "momentum", "weight_decay", "gamma", "power", "stop"}
	for i := range h.Layers {
		for _, f := range slices.Sorted(maps.Keys(h.Layers[i].fields())) {
			all = append(all, h.Layers[i].Name+"."+f)
		}
	}
	return all
}

// Get returns a field as text.
func (h *Hyper) Get(field string) (string, error) {
	p, err := h.target(field)
	if err != nil {
		return "", err
	}
	return format(p), nil
}

// format prints the value of a field.
func format(p any) string {
	switch p := p.(type) {
	case *float64:
		return strconv.FormatFloat(*p, 'g', -1, 64)
	case *int: // the stops are the only ones
		if *p == Never {
			return "never"
		}
		return strconv.Itoa(*p)
	case *bool:
		return onOff(*p)
	}
	panic("config: unknown kind of field")
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// Set returns a copy of h with one field changed, and the old value. Nothing changes where the field is unknown, the
// value is no number, or the whole would not be valid.
func (h *Hyper) Set(field, value string) (changed *Hyper, old string, err error) {
	if old, err = h.Get(field); err != nil {
		return nil, "", err
	}
	c := h.clone()
	p, _ := c.target(field)
	switch p := p.(type) {
	case *float64:
		if *p, err = strconv.ParseFloat(value, 64); err != nil {
			return nil, "", fmt.Errorf("%s: %q is not a number", field, value)
		}
	case *int:
		n, err := strconv.Atoi(value)
		switch {
		case value == "never" || value == "inf":
			n = Never
		case err != nil:
			return nil, "", fmt.Errorf("%s: %q is not a whole number, or never", field, value)
		case p == &c.Stop:
			n = SurgeryStop(n)
		}
		*p = n
	case *bool:
		switch value {
		case "on", "true", "1":
			*p = true
		case "off", "false", "0":
			*p = false
		default:
			return nil, "", fmt.Errorf("%s: %q is neither on nor off", field, value)
		}
	}
	if err := c.Validate(); err != nil {
		return nil, "", err
	}
	return c, old, nil
}

// A Fault is a value that is out of range.
type Fault struct {
	Field string
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
		bad[i] = f.Field + " " + f.Msg
	}
	return fmt.Errorf("%s", strings.Join(bad, "; "))
}

// Faults lists the values that are out of range. It judges what files set, what a snapshot holds and what is typed
// alike.
func (h *Hyper) Faults() []Fault {
	var bad []Fault
	check := func(name string, v, lo, hi float64) {
		if math.IsNaN(v) || v < lo || v > hi {
			bad = append(bad, Fault{name, fmt.Sprintf("is %g, wanted %g to %g", v, lo, hi)})
		}
	}
	check("base_lr", h.BaseLR, 0, 1e6)
	check("lr_mult", h.LRMult, 0, 1e6)
	check("momentum", h.Momentum, 0, 1)
	check("weight_decay", h.WeightDecay, 0, 1e6)
	check("gamma", h.Gamma, 0, 1e6)
	check("power", h.Power, 0, 1e6)
	stop := func(name string, v, lo int) {
		if v < lo {
			bad = append(bad, Fault{name, fmt.Sprintf("is %d, wanted an iteration from %d, or never", v, lo)})
		}
	}
	stop("stop", h.Stop, 1)
	for i := range h.Layers {
		l := &h.Layers[i]
		lo := 0.0
		if l.Rule == gpu.PaperRule {
			lo = -100
		}
		check(l.Name+"."+l.ThresholdName(), l.Threshold, lo, 100)
		if l.Rule == gpu.PaperRule {
			check(l.Name+".gamma", l.Gamma, 0, 1e6)
			check(l.Name+".power", l.Power, 0, 1e6)
			stop(l.Name+".stop", l.Stop, 0)
		}
	}
	return bad
}

// fileNames are the names in a prototxt of the fields that are called otherwise here.
var fileNames = map[string]string{
	"gamma": "surgery_iter_gamma",
	"power": "surgery_iter_power",
	"stop":  "surgery_stop_iter",
}

// FileName returns what a field without a layer is called in the solver's prototxt.
func FileName(field string) string {
	if n := fileNames[field]; n != "" {
		return n
	}
	return field
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
