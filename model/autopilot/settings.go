package autopilot

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
)

// Auto is the value of a number that nobody has set: Descend derives it from the run.
const Auto = -1

// Settings are all that can be set of the autopilot. A value is never changed in place: With returns a changed copy.
type Settings struct {
	Target          Target
	Layers, Exclude []string // the target is of these (none: of all), without those
	Limits          []LayerLimits
	Scale           Scale
	Shape           Shape
	Start, End      int    // iterations of the first surgery and of the last, or Auto
	Interval        int    // iterations between two, or Auto
	StartKept       Target // what the first surgery leaves; NoTarget is automatic
	Anneal          int    // iterations, or Auto
	Cycles          int    // of CyclicShape, or Auto
	Rule            Rule
	Exponent        float64 // of the soft rule, config.Never for infinity, or Auto
	Theta           float64 // of the soft rule, or Auto
	ThetaEvery      int     // of the soft rule, or Auto
	AccuracyDrop    float64 // a fraction; 0 does not look
	LossFactor      float64 // 0 does not look
	Retries         int
}

// LayerLimits are the limits of a layer as they are set.
type LayerLimits struct {
	Name           string
	Floor, Ceiling Amount
	Pinned         bool
}

// DefaultSettings is those of somebody who has set nothing, not even a target.
func DefaultSettings() Settings {
	s, _ := FromProto(&caffepb.AutopilotParameter{})
	return s
}

// Amount is a number of a layer's entries, or a part of them. The zero value is one that nobody has set.
type Amount struct {
	Set     bool
	Percent bool
	Value   float64
}

// ParseAmount reads "100", "2%" (of the layer's entries, kept), or "auto".
func ParseAmount(text string) (Amount, error) {
	s := strings.TrimSpace(text)
	if s == autoText {
		return Amount{}, nil
	}
	digits, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	a := Amount{true, percent, v}
	switch {
	case err != nil || math.IsNaN(v):
		return Amount{}, fmt.Errorf(
			"%q is not a number of entries, such as 100, or a part of the layer's, such as 2%%",
			text,
		)
	case v < 0 || percent && v > 100:
		return Amount{}, fmt.Errorf("%q is out of range; wanted 0 or more entries, or 0%% to 100%%", text)
	case !percent && (v != math.Trunc(v) || v > mostCounted):
		return Amount{}, fmt.Errorf("%q is not a whole number of entries", text)
	}
	return a, nil
}

// String is the amount as it is typed.
func (a Amount) String() string {
	switch {
	case !a.Set:
		return autoText
	case a.Percent:
		return number(a.Value) + "%"
	}
	return number(a.Value)
}

// of is how many entries it is of a layer: of a part no more than it.
func (a Amount) of(total int) int {
	if a.Percent {
		return wholeEntries(float64(total) * a.Value / 100)
	}
	return int(a.Value)
}

// Rule says by which surgery rule layers are pruned.
type Rule uint8

// The rules, in the order of AutopilotParameter.Rule.
const (
	SoftRule Rule = iota
	SeedRule
	PaperRule
	OwnRules // each layer by its own
)

var ruleNames = []string{"soft", "seed", "paper", "own"}

// String is the rule as it is typed.
func (r Rule) String() string { return nameOf(ruleNames, int(r), "Rule") }

// Of is the rule of a layer that has one of its own.
func (r Rule) Of(own gpu.Rule) gpu.Rule {
	switch r {
	case SoftRule:
		return gpu.SoftRule
	case SeedRule:
		return gpu.SeedRule
	case PaperRule:
		return gpu.PaperRule
	}
	return own
}

// FromProto reads the settings of a message, and reports what is wrong with them. nil is a message without any.
func FromProto(p *caffepb.AutopilotParameter) (Settings, []Fault) {
	s := Settings{
		Layers: slices.Clone(p.GetLayers()), Exclude: slices.Clone(p.GetExclude()),
		Scale: AutoScale, Shape: Shape(p.GetSchedule()), Rule: Rule(p.GetRule()),
		AccuracyDrop: caffe.Widen(p.GetAccuracyDrop()), LossFactor: caffe.Widen(p.GetLossFactor()),
		Retries: int(p.GetRetries()),
	}
	if p == nil {
		p = &caffepb.AutopilotParameter{}
	}
	if p.Scale != nil {
		s.Scale = Scale(p.GetScale())
	}
	whole := func(v *int32) int {
		if v == nil {
			return Auto
		}
		return int(*v)
	}
	decimal := func(v *float32) float64 {
		if v == nil {
			return Auto
		}
		return caffe.Widen(*v)
	}
	s.Start, s.End, s.Interval = whole(p.StartIter), whole(p.EndIter), whole(p.Interval)
	s.Anneal, s.Cycles, s.ThetaEvery = whole(p.AnnealIter), whole(p.Cycles), whole(p.ThetaEvery)
	s.Exponent, s.Theta = min(decimal(p.Exponent), config.Never), decimal(p.Theta)
	var bad []Fault
	fault := func(name string, err error) {
		if err != nil {
			bad = append(bad, Fault{Option: name, Limit: -1, Msg: err.Error()})
		}
	}
	var err error
	if p.Target != nil {
		s.Target, err = ParseTarget(p.GetTarget())
		fault("target", err)
	}
	if p.StartKept != nil {
		s.StartKept, err = ParseTarget(p.GetStartKept())
		fault("start_kept", err)
	}
	for i, l := range p.Limit {
		limit := LayerLimits{Name: l.GetName(), Pinned: l.GetPin()}
		amount := func(name string, text *string) (a Amount) {
			if text != nil {
				if a, err = ParseAmount(*text); err != nil {
					bad = append(bad, Fault{Option: name, Limit: i, Msg: err.Error()})
				}
			}
			return a
		}
		limit.Floor, limit.Ceiling = amount("floor", l.Floor), amount("ceiling", l.Ceiling)
		s.Limits = append(s.Limits, limit)
	}
	// Auto is no number that a file may hold.
	for _, f := range []struct {
		name string
		auto bool
	}{
		{"start_iter", p.StartIter != nil && s.Start == Auto},
		{"end_iter", p.EndIter != nil && s.End == Auto},
		{"interval", p.Interval != nil && s.Interval == Auto},
		{"anneal_iter", p.AnnealIter != nil && s.Anneal == Auto},
		{"cycles", p.Cycles != nil && s.Cycles == Auto},
		{"theta_every", p.ThetaEvery != nil && s.ThetaEvery == Auto},
		{"theta", p.Theta != nil && s.Theta == Auto},
		{"exponent", p.Exponent != nil && s.Exponent == Auto},
	} {
		if f.auto {
			fault(f.name, errors.New("is -1; leave it out to have it derived"))
		}
	}
	return s, append(bad, s.Faults()...)
}

// Proto is the settings as a message. What has its default is left out.
func (s Settings) Proto() *caffepb.AutopilotParameter {
	p := &caffepb.AutopilotParameter{Layers: slices.Clone(s.Layers), Exclude: slices.Clone(s.Exclude)}
	text := func(t Target) *string {
		if t.Unit == NoTarget {
			return nil
		}
		return proto.String(t.String())
	}
	whole := func(v int) *int32 {
		if v == Auto {
			return nil
		}
		return proto.Int32(int32(v))
	}
	decimal := func(v float64) *float32 {
		if v == Auto {
			return nil
		}
		return proto.Float32(float32(v))
	}
	p.Target, p.StartKept = text(s.Target), text(s.StartKept)
	p.StartIter, p.EndIter, p.Interval = whole(s.Start), whole(s.End), whole(s.Interval)
	p.AnnealIter, p.Cycles, p.ThetaEvery = whole(s.Anneal), whole(s.Cycles), whole(s.ThetaEvery)
	p.Exponent, p.Theta = decimal(s.Exponent), decimal(s.Theta)
	if s.Exponent >= config.Never {
		p.Exponent = proto.Float32(float32(math.Inf(1)))
	}
	if s.Scale != AutoScale {
		p.Scale = caffepb.AutopilotParameter_Scale(s.Scale).Enum()
	}
	if s.Shape != 0 {
		p.Schedule = caffepb.AutopilotParameter_Shape(s.Shape).Enum()
	}
	if s.Rule != 0 {
		p.Rule = caffepb.AutopilotParameter_Rule(s.Rule).Enum()
	}
	d := DefaultSettings()
	if s.AccuracyDrop != d.AccuracyDrop {
		p.AccuracyDrop = proto.Float32(float32(s.AccuracyDrop))
	}
	if s.LossFactor != d.LossFactor {
		p.LossFactor = proto.Float32(float32(s.LossFactor))
	}
	if s.Retries != d.Retries {
		p.Retries = proto.Int32(int32(s.Retries))
	}
	for _, l := range s.Limits {
		m := &caffepb.AutopilotParameter_Limit{Name: proto.String(l.Name)}
		if l.Floor.Set {
			m.Floor = proto.String(l.Floor.String())
		}
		if l.Ceiling.Set {
			m.Ceiling = proto.String(l.Ceiling.String())
		}
		if l.Pinned {
			m.Pin = proto.Bool(true)
		}
		p.Limit = append(p.Limit, m)
	}
	return p
}

// FromSolver reads the settings of a run's solver; of one without autopilot_param, the defaults. All faults are
// reported at once, with file and line.
func FromSolver(r *config.Run) (Settings, error) {
	p := r.Solver.GetAutopilotParam()
	s, faults := FromProto(p)
	if p == nil || len(faults) == 0 {
		return s, nil
	}
	first := caffe.FieldLine(r.SolverPath, 0, "autopilot_param")
	var errs []error
	for _, f := range faults {
		line := first
		for i := range f.Limit + 1 {
			line = caffe.FieldLine(r.SolverPath, line+min(i, 1), "limit")
		}
		errs = append(errs, &caffe.FileError{
			Path: r.SolverPath,
			Line: caffe.FieldLine(r.SolverPath, line, f.Option),
			Msg:  "autopilot_param: " + f.String(),
		})
	}
	return s, errors.Join(errs...)
}

// A Fault is a value that is out of range, or contradicts another.
type Fault struct {
	Option string
	Limit  int // its place in Limits, or -1
	Msg    string
}

// String is the fault as people read it.
func (f Fault) String() string { return f.Option + " " + f.Msg }

// Validate reports every fault.
func (s Settings) Validate() error {
	faults := s.Faults()
	if faults == nil {
		return nil
	}
	bad := make([]string, len(faults))
	for i, f := range faults {
		bad[i] = f.String()
	}
	return errors.New(strings.Join(bad, "; "))
}

// mostIter is the largest iteration.
const mostIter = math.MaxInt32

// Faults lists what is out of range, and what contradicts each other. Files, flags and commands are judged alike.
func (s Settings) Faults() []Fault {
	var bad []Fault
	fault := func(option, format string, args ...any) {
		bad = append(bad, Fault{option, -1, fmt.Sprintf(format, args...)})
	}
	whole := func(option string, v, least int) {
		if v != Auto && (v < least || v > mostIter) {
			fault(option, "is %d, wanted at least %d", v, least)
		}
	}
	whole("start_iter", s.Start, 0)
	whole("end_iter", s.End, 1)
	whole("interval", s.Interval, 1)
	whole("anneal_iter", s.Anneal, 0)
	whole("cycles", s.Cycles, 1)
	if v := s.ThetaEvery; v != Auto && (v < 1 || v > config.MostThetaEvery) {
		fault("theta_every", "is %d, wanted 1 to %d", v, int(config.MostThetaEvery))
	}
	if s.Retries < 0 || s.Retries > 100 {
		fault("retries", "is %d, wanted 0 to 100", s.Retries)
	}
	decimal := func(option string, v, lo, hi float64, also string) {
		if !(v >= lo && v <= hi) {
			fault(option, "is %g, wanted %g to %g%s", v, lo, hi, also)
		}
	}
	if s.Theta != Auto {
		decimal("theta", s.Theta, 0, 100, "")
	}
	if s.Exponent != Auto && s.Exponent != config.Never {
		decimal("exponent", s.Exponent, 1, 100, ", or inf")
	}
	decimal("accuracy_drop", s.AccuracyDrop, 0, 1, "")
	if s.LossFactor != 0 {
		decimal("loss_factor", s.LossFactor, 1, 1e6, ", or 0")
	}
	if s.Start != Auto && s.End != Auto && s.End <= s.Start {
		fault("end_iter", "is %d, and start_iter %d; wanted more", s.End, s.Start)
	}
	if s.Cycles != Auto && s.Shape != CyclicShape {
		fault("cycles", "is %d, and schedule %s, which has none; wanted auto, or schedule cyclic", s.Cycles, s.Shape)
	}
	if s.StartKept.Unit != NoTarget && s.Shape == OneShotShape {
		fault("start_kept", "is %s, and schedule one_shot, which begins at the target; wanted auto", s.StartKept)
	}
	for _, o := range []struct {
		name string
		set  bool
	}{{"exponent", s.Exponent != Auto}, {"theta", s.Theta != Auto}, {"theta_every", s.ThetaEvery != Auto}} {
		if o.set && s.Rule != SoftRule {
			fault(o.name, "is set, and rule is %s; it is of the soft rule", s.Rule)
		}
	}
	return append(bad, s.limitFaults()...)
}

// limitFaults lists what is wrong with the lists of layers.
func (s Settings) limitFaults() []Fault {
	var bad []Fault
	seen := map[string]string{}
	once := func(name, option string) {
		if was, ok := seen[name]; ok && was == option {
			bad = append(bad, Fault{option, -1, fmt.Sprintf("names %s twice", name)})
		} else if ok {
			bad = append(bad, Fault{option, -1, fmt.Sprintf("names %s, which is in %s too", name, was)})
		}
		seen[name] = option
	}
	for _, name := range s.Layers {
		once(name, "layers")
	}
	for _, name := range s.Exclude {
		once(name, "exclude")
	}
	limited := map[string]bool{}
	for i, l := range s.Limits {
		fault := func(option, format string, args ...any) {
			bad = append(bad, Fault{option, i, "of " + l.Name + " " + fmt.Sprintf(format, args...)})
		}
		name := "floor"
		switch {
		case l.Pinned:
			name = "pin"
		case !l.Floor.Set && l.Ceiling.Set:
			name = "ceiling"
		}
		switch f, c := l.Floor, l.Ceiling; {
		case limited[l.Name]:
			fault(name, "is set in another limit already")
		case seen[l.Name] == "exclude":
			fault(name, "is set, and the layer is excluded")
		case len(s.Layers) > 0 && seen[l.Name] != "layers":
			fault(name, "is set, and the layer is not among those of the target")
		case l.Pinned && (f.Set || c.Set):
			fault(name, "is set, and a floor or a ceiling, which a pinned layer does not go by")
		case c.Set && c.Value == 0:
			fault("ceiling", "is 0; wanted more, or the layer excluded")
		case f.Set && c.Set && f.Percent == c.Percent && f.Value > c.Value:
			fault("floor", "is %s, more than the ceiling of %s", f, c)
		}
		limited[l.Name] = true
	}
	return bad
}

// Bind sets the limits of a net's layers to those of the settings. It is an error where the net lacks a layer that they
// name, or has one whose floor and ceiling contradict each other.
func (s Settings) Bind(layers []Layer) error {
	for i := range layers {
		l := &layers[i]
		l.Limits = Limits{Floor: min(DefaultFloor, l.Total), Excluded: len(s.Layers) > 0}
	}
	for _, name := range s.Layers {
		l, err := find(layers, "layers", name)
		if err != nil {
			return err
		}
		l.Excluded = false
	}
	for _, name := range s.Exclude {
		l, err := find(layers, "exclude", name)
		if err != nil {
			return err
		}
		l.Excluded = true
	}
	for _, limit := range s.Limits {
		l, err := find(layers, "limit", limit.Name)
		if err != nil {
			return err
		}
		l.Pinned = limit.Pinned
		if limit.Floor.Set {
			l.Floor = limit.Floor.of(l.Total)
		}
		if limit.Ceiling.Set {
			l.Ceiling = max(1, limit.Ceiling.of(l.Total))
		}
		switch {
		case l.Floor > l.Total:
			return fmt.Errorf("floor of %s is %s; the layer has %d entries", l.Name, limit.Floor, l.Total)
		case l.Ceiling > 0 && l.Floor > l.Ceiling:
			return fmt.Errorf("floor of %s is %d entries, more than the ceiling of %d", l.Name, l.Floor, l.Ceiling)
		}
	}
	return nil
}

// find returns a layer by its name.
func find(layers []Layer, option, name string) (*Layer, error) {
	for i := range layers {
		if layers[i].Name == name {
			return &layers[i], nil
		}
	}
	names := make([]string, len(layers))
	for i := range layers {
		names[i] = layers[i].Name
	}
	if c := caffe.Closest(name, names); c != "" {
		return nil, fmt.Errorf("%s: no layer %q that can be pruned; did you mean %q?", option, name, c)
	}
	return nil, fmt.Errorf(
		"%s: no layer %q that can be pruned (there are: %s)",
		option,
		name,
		strings.Join(names, ", "),
	)
}
