package autopilot

import (
	"fmt"
	"math"
	"strconv"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/human"
)

// Facts are what a run says of itself, by which what nobody has set is derived.
type Facts struct {
	Iter    int // where the run stands: surgery comes no sooner
	MaxIter int
	// Trained: weights were loaded, or trained here. Those that start random learn something first.
	Trained bool
	// BaseLR, Policy and Rate are the solver's base_lr, lr_policy, and what rate that gives an iteration; nil where
	// that is not known.
	BaseLR float64
	Policy string
	Rate   func(iter int) float64
	// EpochIters is how many iterations see the training data once; 0 where that is not known.
	EpochIters int
}

// Descent is what settings come to in a run.
type Descent struct {
	Settings Settings // with nothing automatic left
	Budget   Budget   // the target's
	Schedule Schedule
	Derived  []Derived
	Warnings []string
}

// Derived is a number that nobody has set, and why it is what it is.
type Derived struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Why   string `json:"why"`
}

// String is the number with its reason: "end_iter 18000: 60 % of 30,000 iterations".
func (d Derived) String() string { return d.Name + " " + d.Value + ": " + d.Why }

// What is derived goes by these.
const (
	defaultCycles    = 4
	defaultExponent  = 3
	endPart          = 0.6  // of the run, for the descent; the anneal has the rest
	warmPart         = 0.2  // of the run, for random weights to learn something
	mostStart        = 20.0 // times smaller at the first surgery, at most
	softInterval     = 20
	hardInterval     = 100 // a weight that is pruned by a hard rule is missed at once
	leastSurgeries   = 50
	leastIters       = 10
	sensibleDescents = 1000
	farFewer         = 20.0 // times: a layer whose part is so much smaller than the net's is about to be lost
	leastShare       = 10.0 // entries: a layer whose share is less is too small to tell
)

// Descend derives what nobody has set from the run and its layers, whose limits it sets (Bind), and says why. The
// solver's rates stay as they are up to the end of the descent. It is an error where there is no target, the layers
// cannot come to it, or the run has no room for a descent.
func (s Settings) Descend(f Facts, layers []Layer) (*Descent, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := s.Bind(layers); err != nil {
		return nil, err
	}
	if s.Target.Unit == NoTarget {
		return nil, fmt.Errorf("no target; wanted %s", TargetForms)
	}
	b, err := s.Target.Budget(layers)
	if err != nil {
		return nil, err
	}
	d := &Descent{Settings: s, Budget: b}
	if err := d.span(f); err != nil {
		return nil, err
	}
	d.scale(f, layers)
	d.interval(layers)
	from, err := d.start(layers)
	if err != nil {
		return nil, err
	}
	d.softRule(layers)
	d.rate(f)
	s = d.Settings
	d.Schedule = Schedule{Shape: s.Shape, Begin: s.Start, End: s.End, Interval: s.Interval, From: from, To: b.Limit,
		Cycles: s.Cycles, Anneal: s.Anneal}
	return d, d.Schedule.Validate()
}

func (d *Descent) derive(name, value, why string, args ...any) {
	d.Derived = append(d.Derived, Derived{name, value, fmt.Sprintf(why, args...)})
}

func (d *Descent) warn(format string, args ...any) {
	d.Warnings = append(d.Warnings, fmt.Sprintf(format, args...))
}

// span finds when the descent begins and ends, and how long the anneal is.
func (d *Descent) span(f Facts) error {
	s := &d.Settings
	if f.MaxIter-f.Iter < leastIters {
		return fmt.Errorf(
			"max_iter is %d, and the run at iteration %d; a descent wants at least %d iterations, and thousands "+
				"to keep accuracy",
			f.MaxIter,
			f.Iter,
			leastIters,
		)
	}
	switch {
	case s.Start == Auto && f.Trained:
		s.Start = f.Iter
		d.derive("start_iter", strconv.Itoa(s.Start), "at once: the weights are trained")
	case s.Start == Auto:
		s.Start = f.Iter + int(warmPart*float64(f.MaxIter-f.Iter))
		d.derive("start_iter", strconv.Itoa(s.Start), "after %.0f %% of the run: weights that start random learn first",
			100*warmPart)
	case s.Start < f.Iter:
		d.derive("start_iter", strconv.Itoa(f.Iter), "the run is past %d already", s.Start)
		s.Start = f.Iter
	}
	run := f.MaxIter - s.Start
	switch {
	case s.End == Auto && s.Anneal > 0:
		s.End = f.MaxIter - s.Anneal
		d.derive("end_iter", strconv.Itoa(s.End), "max_iter %d less anneal_iter %d", f.MaxIter, s.Anneal)
	case s.End == Auto && s.Anneal == 0:
		s.End = f.MaxIter
		d.derive("end_iter", strconv.Itoa(s.End), "max_iter: anneal_iter is 0")
	case s.End == Auto:
		s.End = s.Start + int(endPart*float64(run))
		d.derive(
			"end_iter",
			strconv.Itoa(s.End),
			"%.0f %% of the %s iterations from start_iter to max_iter %d",
			100*endPart,
			human.Count(run),
			f.MaxIter,
		)
	}
	if s.Anneal == Auto {
		s.Anneal = max(0, f.MaxIter-s.End)
		d.derive("anneal_iter", strconv.Itoa(s.Anneal), "from end_iter to max_iter %d", f.MaxIter)
	}
	switch {
	case s.End+s.Anneal > f.MaxIter:
		return fmt.Errorf(
			"end_iter is %d and anneal_iter %d, together more than max_iter %d",
			s.End,
			s.Anneal,
			f.MaxIter,
		)
	case s.End-s.Start < leastIters:
		return fmt.Errorf(
			"a descent from iteration %d to %d; wanted at least %d iterations",
			s.Start,
			s.End,
			leastIters,
		)
	}
	if n := s.End - s.Start; n < sensibleDescents {
		d.warn("a descent of %s iterations is short: accuracy wants thousands", human.Count(n))
	} else if f.EpochIters > n {
		d.warn("a descent of %s iterations sees a part of the training data: an epoch has %s", human.Count(n),
			human.Count(f.EpochIters))
	}
	if s.Anneal == 0 {
		d.warn("no anneal: the learning rate stays as it is, and much accuracy comes back only as it falls")
	}
	return nil
}

// scale finds how entries of different layers compare. Magnitude kept most accuracy of LeNet; but where a filler made
// the weights of a layer small beside those of others, it prunes nearly all of that layer first. LAMP goes by a layer's
// own weights.
func (d *Descent) scale(f Facts, layers []Layer) {
	s := &d.Settings
	if s.Scale != AutoScale {
		return
	}
	if !f.Trained {
		s.Scale = LAMPScale
		d.derive("scale", s.Scale.String(), "weights that start random have the sizes of their fillers")
		return
	}
	s.Scale = MagnitudeScale
	b := d.Budget
	b.Limit = max(b.Limit, b.Cost.Dense(layers)*nonZero(layers)/mostStart)
	var find Solver
	found, err := find.Solve(layers, b, MagnitudeScale)
	if err != nil { // the target is refused later
		return
	}
	at := b.Cost.Dense(layers) / b.Limit
	if i := lost(layers, found); i >= 0 {
		s.Scale = LAMPScale
		d.derive("scale", s.Scale.String(), "by magnitude %s would keep %s of %s entries at %.4gx: its weights are "+
			"small beside others", layers[i].Name, human.Count(found.Layers[i].Kept), human.Count(layers[i].Total), at)
		return
	}
	d.derive("scale", s.Scale.String(), "at %.4gx it leaves each layer a share; what kept most accuracy of LeNet", at)
}

// nonZero is the part of entries that are not 0. A net that was pruned before is looked at within what it kept: by the
// end of a long descent other weights win, so magnitude is looked at no further than mostStart times below it.
func nonZero(layers []Layer) float64 {
	zeros, total := 0, 0
	for i := range layers {
		if l := &layers[i]; !l.Excluded {
			zeros, total = zeros+int(l.Counts[0]), total+l.Total
		}
	}
	return 1 - float64(zeros)/float64(max(total, 1))
}

// lost returns the layer that keeps least of those whose part is farFewer times smaller than that of all, or -1. Layers
// that limits keep as they are do not count; one that its floor holds would be empty.
func lost(layers []Layer, found *Solution) int {
	kept, total := 0, 0
	free := func(i int) bool {
		c := &found.Layers[i]
		return c.Bound == Free || c.Bound == AtFloor && c.Kept <= DefaultFloor
	}
	for i := range layers {
		if free(i) {
			kept, total = kept+found.Layers[i].Kept, total+layers[i].Total
		}
	}
	worst, least := -1, 1/farFewer
	for i := range layers {
		if !free(i) {
			continue
		}
		keeps, share := float64(found.Layers[i].Kept), float64(layers[i].Total)*float64(kept)/float64(max(total, 1))
		if found.Layers[i].Bound == AtFloor {
			keeps = 0
		}
		if share >= leastShare && keeps/share < least {
			worst, least = i, keeps/share
		}
	}
	return worst
}

// interval finds how many iterations lie between surgeries.
func (d *Descent) interval(layers []Layer) {
	s := &d.Settings
	if s.Interval == Auto {
		hard := false
		for i := range layers {
			hard = hard || !layers[i].Excluded && s.Rule.Of(layers[i].Rule) != gpu.SoftRule
		}
		s.Interval = softInterval
		why := "under the soft rule weights come and go at 0, so surgery may come often"
		if hard {
			s.Interval, why = hardInterval, "a hard rule takes weights as they are, and the net heals between surgeries"
		}
		if most := (s.End - s.Start) / leastSurgeries; most < s.Interval {
			s.Interval, why = max(1, most), fmt.Sprintf("so that the descent has %d surgeries", leastSurgeries)
		}
		d.derive("interval", strconv.Itoa(s.Interval), "%s", why)
	}
	if s.Cycles == Auto && s.Shape == CyclicShape {
		s.Cycles = defaultCycles
		d.derive("cycles", strconv.Itoa(s.Cycles), "by default")
	}
}

// start finds what the first surgery leaves.
func (d *Descent) start(layers []Layer) (float64, error) {
	s, b := &d.Settings, d.Budget
	dense, now := b.Cost.Dense(layers), b.Cost.Now(layers)
	switch {
	case s.Shape == OneShotShape:
		return b.Limit, nil
	case s.StartKept.Unit != NoTarget:
		from, err := s.StartKept.budget(layers, b.Cost)
		if err != nil {
			return 0, fmt.Errorf("start_kept: %w", err)
		}
		if from.Limit < b.Limit {
			return 0, fmt.Errorf("start_kept is %s (%s), less than the target %s (%s)", s.StartKept, from, s.Target, b)
		}
		return from.Limit, nil
	}
	times := dense / b.Limit
	startTimes := min(math.Sqrt(times), mostStart)
	from := max(dense/startTimes, b.Limit)
	why := fmt.Sprintf("%.3gx at once, the square root of %.4gx and at most %gx", startTimes, times, mostStart)
	if now < from {
		from, why = now, fmt.Sprintf("what is kept now, %.4gx", dense/now)
	}
	if now < b.Limit {
		d.warn("the net keeps less than the target already: %s", b.Cost.Format(now))
	}
	d.derive("start_kept", b.Cost.Format(from), "%s", why)
	return from, nil
}

// softRule finds the settings of the soft rule.
func (d *Descent) softRule(layers []Layer) {
	s := &d.Settings
	if s.Rule != SoftRule {
		return
	}
	if s.Exponent == Auto {
		s.Exponent = defaultExponent
		d.derive("exponent", number(s.Exponent), "that of Feather (BMVC 2023)")
	}
	convolutions := false
	for i := range layers {
		convolutions = convolutions || !layers[i].Excluded && layers[i].positions() > 1
	}
	theta, every, why := 0.5, 1, "without convolutions; what kept most accuracy of LeNet-300-100"
	if convolutions {
		theta, every, why = 1, 5, "with convolutions; what kept most accuracy of LeNet-5"
	}
	if s.Theta == Auto {
		s.Theta = theta
		d.derive("theta", number(theta), "%s", why)
	}
	if s.ThetaEvery == Auto {
		s.ThetaEvery = every
		d.derive("theta_every", strconv.Itoa(every), "%s", why)
	}
}

// rate says what becomes of the learning rate.
func (d *Descent) rate(f Facts) {
	s := &d.Settings
	if f.Rate == nil {
		return
	}
	first, last := f.Rate(s.Start), f.Rate(s.End)
	value := fmt.Sprintf("%.3g", first)
	if first != last {
		value += fmt.Sprintf(" to %.3g", last)
	}
	then := ""
	if s.Anneal > 0 {
		then = fmt.Sprintf("; then times a cosine that is 0 at iteration %d", s.End+s.Anneal)
	}
	d.derive("rate", value, "base_lr %g by lr_policy %s up to iteration %d%s", f.BaseLR, f.Policy, s.End, then)
	if last < first/10*(1+1e-9) {
		d.warn(
			"lr_policy %s has the rate at %.3g when the descent ends, %.3g when it begins: what late surgeries break "+
				"heals slowly",
			f.Policy,
			last,
			first,
		)
	}
}

// Soft is the settings of the soft rule that the layers get.
func (d *Descent) Soft() config.SoftHyper {
	return config.SoftHyper{Exponent: d.Settings.Exponent, Theta: d.Settings.Theta, ThetaEvery: d.Settings.ThetaEvery}
}
