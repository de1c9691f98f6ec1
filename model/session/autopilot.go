package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model/autopilot"
)

// Autopilot is what the autopilot of a run is told: a value that each command replaces by another, and undo by the one
// before. What follows from it alone, the thresholds of each surgery and the end, is in no journal: a replay finds it
// again.
type Autopilot struct {
	Asked   autopilot.Settings // as a person asked, with what is automatic
	Descent autopilot.Descent  // what that came to; its settings leave nothing automatic
	Held    int                // the iteration in which a person paused the descent; -1: it goes on
	Retreat int                // how often a guard has taken the run back
}

// autopilotJSON is an Autopilot in journals and snapshots: docs/formats.md.
type autopilotJSON struct {
	Asked    []autopilot.Setting `json:"asked"` // that are not the defaults
	Settings []autopilot.Setting `json:"settings"`
	Budget   autopilot.Budget    `json:"budget"`
	Schedule autopilot.Schedule  `json:"schedule"`
	Held     *int                `json:"held,omitempty"`
	Retreat  int                 `json:"retreat,omitempty"`
	Derived  []autopilot.Derived `json:"derived,omitempty"` // so that a run that resumes still knows why
}

// MarshalJSON implements json.Marshaler, in the form of journals.
func (a Autopilot) MarshalJSON() ([]byte, error) {
	defaults := autopilot.DefaultSettings()
	l := autopilotJSON{
		Asked: defaults.Differences(a.Asked), Settings: defaults.Differences(a.Descent.Settings),
		Budget: a.Descent.Budget, Schedule: a.Descent.Schedule, Retreat: a.Retreat,
		Derived: a.Descent.Derived,
	}
	if a.Held >= 0 {
		l.Held = &a.Held
	}
	return json.Marshal(l)
}

// UnmarshalJSON implements json.Unmarshaler. It fails for a setting that this version does not know.
func (a *Autopilot) UnmarshalJSON(data []byte) error {
	var l autopilotJSON
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	asked, err := autopilot.DefaultSettings().With(l.Asked...)
	if err != nil {
		return err
	}
	settings, err := autopilot.DefaultSettings().With(l.Settings...)
	if err != nil {
		return err
	}
	if settings.Scale == autopilot.AutoScale { // of a version that did not derive it
		settings.Scale = autopilot.MagnitudeScale
	}
	if err := l.Schedule.Validate(); err != nil {
		return err
	}
	*a = Autopilot{
		Asked:   asked,
		Descent: autopilot.Descent{Settings: settings, Budget: l.Budget, Schedule: l.Schedule, Derived: l.Derived},
		Held:    -1, Retreat: l.Retreat,
	}
	if l.Held != nil {
		a.Held = *l.Held
	}
	return nil
}

// String is the autopilot in a line: "310x by iteration 18000".
func (a *Autopilot) String() string {
	if a == nil {
		return "off"
	}
	text := fmt.Sprintf("%s by iteration %d", a.Descent.Settings.Target, a.Descent.Schedule.End)
	if a.Held >= 0 {
		text += fmt.Sprintf(", paused at %d", a.Held)
	}
	return text
}

// budget is what the net may cost after a surgery in an iteration.
func (a *Autopilot) budget(iter int) float64 {
	if a.Held >= 0 {
		iter = min(iter, a.Held)
	}
	return a.Descent.Schedule.Budget(iter)
}

// due reports whether surgery comes before an iteration. One that is paused holds what is kept: weights still change
// places.
func (a *Autopilot) due(iter int) bool {
	s := &a.Descent.Schedule
	if a.Held >= 0 {
		return iter >= s.Begin && (iter-s.Begin)%s.Interval == 0
	}
	return s.Due(iter)
}

// ends reports whether the last surgery comes before an iteration.
func (a *Autopilot) ends(iter int) bool { return a.Held < 0 && iter >= a.Descent.Schedule.End }

// AutopilotChange is a change of what the autopilot is told; nil is that it is off. Edits are of settings, made with
// it.
type AutopilotChange struct {
	Old, New *Autopilot
	Edits    []config.Edited
}

// String is the change in a line.
func (c *AutopilotChange) String() string {
	switch {
	case c.Old == nil:
		return "autopilot " + c.New.String()
	case c.New == nil:
		return "autopilot off"
	case c.pauses():
		return "autopilot paused"
	case c.Old.Held >= 0 && c.New.Held < 0:
		return "autopilot resumes, " + c.New.String()
	case c.New.Retreat > c.Old.Retreat:
		return "autopilot at half the pace, " + c.New.String()
	}
	diffs := c.Old.Asked.Differences(c.New.Asked)
	was, now := c.Old.String(), c.New.String()
	if len(diffs) != 1 && was != now {
		return fmt.Sprintf("autopilot %s → %s", was, now)
	}
	const named = 3
	var texts []string
	for _, e := range diffs[:min(named, len(diffs))] {
		texts = append(texts, e.Short())
	}
	text := "autopilot " + strings.Join(texts, ", ")
	if n := len(diffs) - named; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// pauses reports whether a descent pauses by it.
func (c *AutopilotChange) pauses() bool {
	return c.Old != nil && c.New != nil && c.Old.Held < 0 && c.New.Held >= 0
}

// AutopilotAction is what a command asks of the autopilot.
type AutopilotAction uint8

// The actions.
const (
	AutopilotSet     AutopilotAction = iota // Settings: begins a descent, or changes the one under way
	AutopilotPause                          // holds what is kept
	AutopilotResume                         //
	AutopilotOff                            // hands the thresholds back, as they are
	AutopilotPredict                        // says what Settings would come to, and changes nothing
)

var autopilotActions = [...]string{"set", "pause", "resume", "off", "predict"}

// AutopilotActionNames lists the actions as they are typed.
func AutopilotActionNames() []string { return slices.Clone(autopilotActions[:]) }

// String is the action as it is typed.
func (a AutopilotAction) String() string {
	if int(a) >= len(autopilotActions) {
		return fmt.Sprintf("AutopilotAction(%d)", int(a))
	}
	return autopilotActions[a]
}

// AutopilotActionOf is the inverse of String.
func AutopilotActionOf(name string) (AutopilotAction, bool) {
	i := slices.Index(autopilotActions[:], name)
	return AutopilotAction(max(i, 0)), i >= 0
}

// AutopilotRequest is what a command asks of the autopilot.
type AutopilotRequest struct {
	Action   AutopilotAction
	Settings []autopilot.Setting // of AutopilotSet and AutopilotPredict
}

// String is the request as it is typed.
func (r AutopilotRequest) String() string {
	if r.Action != AutopilotSet {
		return "autopilot " + r.Action.String()
	}
	words := []string{"autopilot"}
	for _, e := range r.Settings {
		words = append(words, e.String())
	}
	return strings.Join(words, " ")
}

// Errors of the autopilot.
var (
	errNoDescent = errors.New("the autopilot is off; `:autopilot 20x` begins a descent")
	errHardened  = errors.New("the descent is done: its masks are frozen; `:autopilot target …` begins another")
)

// drives are the layers, of those that can be pruned, whose thresholds a descent finds. The net has the layers of its
// settings: Descend, or descent.check, saw to it.
func (a *Autopilot) drives(layers []autopilot.Layer) []string {
	if a.Descent.Settings.Bind(layers) != nil {
		return nil
	}
	var out []string
	for i := range layers {
		if l := &layers[i]; !l.Excluded && !l.Pinned && !l.MaskFrozen {
			out = append(out, l.Name)
		}
	}
	return out
}

// wanted are the settings that the layers which a descent drives want, as edits of those that differ from now. Where
// the autopilot begins, it is all that the descent will change, so that undo brings it back.
func (a *Autopilot) wanted(h *config.Hyper, layers []string, begins bool) []config.Edit {
	var out []config.Edit
	soft := a.Descent.Soft()
	for _, name := range layers {
		l := h.Layer(name)
		rule, threshold := a.Descent.Settings.Rule.Of(l.Rule), l.Threshold
		if rule != l.Rule {
			threshold = 0
		}
		add := func(p config.Param, now, v float64) {
			if begins || now != v {
				out = append(out, config.Edit{Field: config.Field{Layer: name, Param: p}, Value: v})
			}
		}
		add(config.Rule, float64(l.Rule), float64(rule))
		add(config.Prune, switched(l.Prune), 1)
		add(config.MaskFrozen, switched(l.MaskFrozen), 0)
		add(config.AnyThreshold, l.Threshold, threshold)
		if a.Descent.Settings.Rule == autopilot.SoftRule { // layers by their own rule keep their own settings of it
			add(config.Exponent, l.Exponent, soft.Exponent)
			add(config.Theta, l.Theta, soft.Theta)
			add(config.ThetaEvery, float64(l.ThetaEvery), float64(soft.ThetaEvery))
		}
	}
	return out
}

// switched is the value of a switch.
func switched(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// hardenedEdits are the settings of layers whose descent has ended: their masks stay, and what is pruned stays 0.
func hardenedEdits(h *config.Hyper, layers []string) []config.Edit {
	var out []config.Edit
	for _, name := range layers {
		add := func(p config.Param, v float64) {
			out = append(out, config.Edit{Field: config.Field{Layer: name, Param: p}, Value: v})
		}
		add(config.MaskFrozen, 1)
		if h.Layer(name).Rule == gpu.SoftRule {
			add(config.AnyThreshold, 0)
			add(config.Theta, 0)
		}
	}
	return out
}

// AutopilotState is what a snapshot of a run says of its autopilot.
type AutopilotState struct {
	Autopilot
	Phase  autopilot.Phase
	Driven []string // layers whose thresholds it finds
	Next   int      // the iteration of the next surgery; -1: none
	// Progress is how much of the descent is done, 0 to 1; of the anneal, where that is under way.
	Progress   float64
	Now        float64 // what the net costs now, in the budget's terms
	Planned    float64 // what it should cost by now
	RateFactor float64 // of the learning rate
	Note       string  // what it did last, or why it waits
	// AtTarget is what each layer would keep at the target, with the weights of the last surgery; empty before the
	// first.
	AtTarget    []autopilot.LayerCut
	Kept, Total int  // entries, now, of the layers that the target is of
	Done        bool // the descent has come to its end, and its masks are frozen
}

// Prediction is what settings would come to: the answer to AutopilotPredict, and to AutopilotSet.
type Prediction struct {
	Descent  autopilot.Descent
	Solution autopilot.Solution // at the target, with the weights of now
	Layers   []string           // of Solution.Layers
	Totals   []int              // entries of each
}

// String is the prediction in a line.
func (r *Prediction) String() string {
	s := &r.Solution
	return fmt.Sprintf("%s: %s of %s kept, %.4gx smaller, by iteration %d", r.Descent.Settings.Target,
		human.Count(s.Kept), human.Count(s.Total), s.Times(), r.Descent.Schedule.End)
}
