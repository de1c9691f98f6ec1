package tui

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
)

// unit is what the values of an axis are, and so how its labels read.
type unit int

const (
	plainUnit   unit = iota
	percentUnit      // fractions of 1, in percent
	byteUnit
)

// tick is a round value of an axis and how it reads.
type tick struct {
	value float64 // in the unit of its labels
	label string
}

// scale places values on an axis, and has its ticks. It counts in the unit of its labels: percent, MiB.
type scale struct {
	lo, hi float64 // the ends; of logarithms to the base 10 where log
	log    bool
	flat   bool // it is logarithmic, and has the ticks of a plain one
	unit   unit
	factor float64 // from values to that of the labels
	ticks  []tick  // the lowest first
}

// ends are bounds that an axis does not go beyond, whatever would be round.
type ends struct{ least, most float64 }

// roomOfTicks is how many lines of a plot a tick takes, and mostTicks the most and leastTicks the fewest of an axis
// that has the lines for them.
const (
	roomOfTicks = 2
	mostTicks   = 6
	leastTicks  = 4
)

// newScale returns a scale from lo to hi or somewhat beyond, that few small changes of these move, with ticks for an
// axis of so many lines.
func newScale(lo, hi float64, within ends, log bool, u unit, rows int) scale {
	lo, hi = tame(lo, hi, log)
	s := scale{unit: u, log: log}
	s.factor = factorOf(u, log && hi > lo*math.Pow(10, flatDecades), max(math.Abs(lo), math.Abs(hi)))
	end := func(v float64) float64 {
		if v *= s.factor; log {
			v = math.Log10(max(0, v))
		}
		return v
	}
	s.lo, s.hi = round(end(lo), end(hi))
	within = ends{end(within.least), end(within.most)}
	s.lo, s.hi = max(s.lo, within.least), min(s.hi, within.most)
	most := max(2, min(mostTicks, (rows+1)/roomOfTicks))
	s.divide(within, most, min(leastTicks, most))
	for i := range s.ticks {
		s.ticks[i].label = s.label(i)
	}
	return s
}

// Sizes that an axis can have: beyond them steps between its ticks have no room in a float64.
const tiniestSize, largestSize = 1e-200, 1e200

// tame brings bounds to sizes that an axis can have, one above the other.
func tame(lo, hi float64, log bool) (float64, float64) {
	one := func(v float64) float64 {
		if !(math.Abs(v) >= tiniestSize) { // NaN too
			return 0
		}
		return max(-largestSize, min(v, largestSize))
	}
	if lo, hi = one(lo), one(hi); log {
		lo, hi = max(lo, tiniestSize), max(hi, tiniestSize)
	}
	if least := max(tiniestSize, 1e-12*max(math.Abs(lo), math.Abs(hi))); !(hi-lo >= least) {
		hi = lo + max(least, 1e-6*math.Abs(lo))
	}
	return lo, hi
}

// round moves bounds outwards to multiples of a round number, so that they stay while values move a little.
func round(lo, hi float64) (float64, float64) {
	step := math.Pow(10, math.Floor(math.Log10(hi-lo)+eps)) / 5
	return math.Floor(lo/step+eps) * step, math.Ceil(hi/step-eps) * step
}

// factorOf is what values up to a largest are multiplied by to be those of their labels. Where they span decades,
// small ones have to read as well.
func factorOf(u unit, decades bool, largest float64) float64 {
	switch {
	case u == percentUnit:
		return 100
	case u == byteUnit && largest >= 1<<30:
		return 1.0 / (1 << 30)
	case u == byteUnit && largest >= 1<<20:
		return 1.0 / (1 << 20)
	case u == byteUnit && largest >= 1<<10:
		return 1.0 / (1 << 10)
	case u == byteUnit || decades:
		return 1
	case largest >= 1e11:
		return 1e-9
	case largest >= 1e8:
		return 1e-6
	case largest >= 1e5:
		return 1e-3
	}
	return 1
}

// suffix is what a label says of its unit.
func (s *scale) suffix() string {
	switch u := s.unit; {
	case u == percentUnit:
		return " %"
	case u == byteUnit && s.factor == 1:
		return " B"
	case u == byteUnit && s.factor < 1e-8:
		return " G"
	case u == byteUnit && s.factor < 1e-5:
		return " M"
	case u == byteUnit:
		return " K"
	case s.factor == 1e-9:
		return "G"
	case s.factor == 1e-6:
		return "M"
	case s.factor == 1e-3:
		return "k"
	}
	return ""
}

// place is where a value stands between the lower end, 0, and the upper, 1, or beyond them; NaN where it has no place.
func (s *scale) place(v float64) float64 {
	v *= s.factor
	if s.log {
		if v <= 0 {
			return math.NaN()
		}
		v = math.Log10(v)
	}
	if math.IsInf(v, 0) {
		return math.NaN()
	}
	return (v - s.lo) / (s.hi - s.lo)
}

// height is where a tick stands, as place says.
func (s *scale) height(t tick) float64 { return s.place(t.value / s.factor) }

// roundSteps are the steps between ticks, times a power of ten. Neighbours differ by a factor of 2 at most, so that
// where a step gives more than mostTicks ticks the next gives three at least.
var roundSteps = []float64{1, 2, 2.5, 5}

// roundMantissas are the ticks of a decade, the finest first.
var roundMantissas = [][]float64{{1, 1.5, 2, 3, 5, 7}, {1, 2, 5}, {1, 3}}

// flatDecades is how many decades a logarithmic axis spans at most that has the ticks of a plain one.
const flatDecades = 0.7

// eps is by how much of a step a value may miss a tick and still stand on it.
const eps = 1e-6

// divide finds the ticks, most at most; where these are too few, the nearer end moves out to the next.
func (s *scale) divide(within ends, most, fewest int) {
	var g grid
	for g = range s.grids(most) {
		if first, last := g.between(s.lo, s.hi); last-first+1 <= most {
			break
		}
	}
	s.flat = s.log && !g.decades && g.mantissas == nil
	first, last := g.between(s.lo, s.hi)
	for last-first+1 < fewest {
		down, up := s.lo-g.at(first-1), g.at(last+1)-s.hi
		canDown := g.at(first-1) >= within.least-eps && !math.IsInf(down, 0)
		canUp := g.at(last+1) <= within.most+eps
		switch {
		case canDown && (down <= up || !canUp):
			first--
			s.lo = g.at(first)
		case canUp:
			last++
			s.hi = g.at(last)
		default:
			fewest = 0
		}
	}
	for k := first; k <= last; k++ {
		s.ticks = append(s.ticks, tick{value: g.value(k)})
	}
}

// grid is where ticks may stand. They have numbers: of a grid of halves the third is 1.5.
type grid struct {
	step      float64   // of values, or of decades
	mantissas []float64 // of each decade; nil: multiples of the step
	log       bool      // at is the logarithm of the value
	decades   bool      // the step is one of decades
}

// grids yields the grids for an axis, the finest first, from one that is too fine for so many ticks.
func (s *scale) grids(most int) iter.Seq[grid] {
	return func(yield func(grid) bool) {
		if s.log && s.hi-s.lo > flatDecades {
			for _, m := range roundMantissas {
				if !yield(grid{mantissas: m, log: true}) {
					return
				}
			}
			for step := 1.0; step < s.hi-s.lo+2; step++ {
				if !yield(grid{step: step, log: true, decades: true}) {
					return
				}
			}
			return
		}
		lo, hi := s.lo, s.hi
		if s.log {
			lo, hi = math.Pow(10, lo), math.Pow(10, hi)
		}
		for step := range stepsFrom((hi - lo) / float64(most+1)) {
			if s.tells(step) && !yield(grid{step: step, log: s.log}) {
				return
			}
		}
	}
}

// stepsFrom yields round steps, the largest that is no larger than one first.
func stepsFrom(least float64) iter.Seq[float64] {
	return func(yield func(float64) bool) {
		for e := int(math.Floor(math.Log10(least))); e < 308; e++ {
			for i, m := range roundSteps {
				next := 10.0
				if i+1 < len(roundSteps) {
					next = roundSteps[i+1]
				}
				if next*pow10(e) <= least {
					continue
				}
				if !yield(m * pow10(e)) {
					return
				}
			}
		}
	}
}

// pow10 is a power of ten; math.Pow10 is exact where that can be.
func pow10(e int) float64 { return math.Pow10(e) }

// at is where a tick stands on the axis.
func (g grid) at(k int) float64 {
	switch {
	case g.decades:
		return float64(k) * g.step
	case g.log:
		return math.Log10(g.value(k))
	}
	return float64(k) * g.step
}

// value is that of a tick.
func (g grid) value(k int) float64 {
	switch {
	case g.decades:
		return pow10(k * int(g.step))
	case g.mantissas != nil:
		n := len(g.mantissas)
		decade := int(math.Floor(float64(k) / float64(n)))
		return g.mantissas[k-decade*n] * pow10(decade)
	}
	return float64(k) * g.step
}

// between are the first and the last tick from lo to hi; the last is before the first where there is none.
func (g grid) between(lo, hi float64) (first, last int) {
	slack := eps * (hi - lo)
	first, last = g.above(lo-slack), g.above(hi+slack)
	if last > first-1 && g.at(last) > hi+slack {
		last--
	}
	return first, last
}

// above is the lowest tick that does not stand below a place.
func (g grid) above(place float64) int {
	var k int
	switch {
	case g.mantissas != nil:
		k = len(g.mantissas) * int(math.Floor(place))
	case g.log && !g.decades:
		k = max(0, int(math.Floor(math.Pow(10, place)/g.step))-1) // of 0 the logarithm is below all
	default:
		k = int(math.Floor(place/g.step)) - 1
	}
	for g.at(k) < place {
		k++
	}
	return k
}

// labelRoom is how many cells a label has.
const labelRoom = 7

// tells reports whether labels have room for the digits that tell multiples of a step apart.
func (s *scale) tells(step float64) bool {
	largest := max(math.Abs(s.lo), math.Abs(s.hi))
	if s.log {
		largest = math.Pow(10, s.hi)
	}
	largest += step // an end may move by one
	room := labelRoom - len(strings.TrimSpace(s.suffix()))
	if s.lo < 0 && !s.log {
		room--
	}
	digits := int(math.Floor(math.Log10(largest) + eps)) // before the point, less one
	if largest < leastPlain {
		if room -= len("1.e-1"); digits <= -10 {
			room--
		}
		return decimalsOf(step*pow10(-digits)) <= room
	}
	return decimalsOf(step) <= max(0, room-len("1.")-max(0, digits))
}

// leastPlain is the least number that is written without an exponent, where numbers of its size are the largest.
const leastPlain = 1e-3

// label is how a tick reads.
func (s *scale) label(i int) string {
	v, step := s.ticks[i].value, 0.0
	if n := len(s.ticks); n > 1 {
		k := max(1, i)
		step = s.ticks[k].value - s.ticks[k-1].value
	}
	largest := max(math.Abs(s.ticks[0].value), math.Abs(s.ticks[len(s.ticks)-1].value))
	text := short(v)
	if v != 0 && step > 0 && largest >= leastPlain && (!s.log || s.flat) {
		text = strconv.FormatFloat(v, 'f', decimalsOf(step), 64)
	}
	suffix := s.suffix()
	if len(text)+len(suffix) > labelRoom {
		suffix = strings.TrimSpace(suffix)
	}
	if len(text)+len(suffix) > labelRoom { // what a net has that diverges
		text = short(v)
	}
	return text + suffix
}

// short writes a number of four digits at most: 0, 0.3, 150, 1.5e-4.
func short(v float64) string {
	a := math.Abs(v)
	if v == 0 {
		return "0"
	}
	if a >= leastPlain && a < 1e5 {
		text := strconv.FormatFloat(v, 'f', max(0, 3-int(math.Floor(math.Log10(a)))), 64)
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		return text
	}
	digits, exponent, _ := strings.Cut(fmt.Sprintf("%.2e", v), "e")
	n, _ := strconv.Atoi(exponent)
	return fmt.Sprintf("%se%d", strings.TrimRight(strings.TrimRight(digits, "0"), "."), n)
}

// decimalsOf is how many decimals tell multiples of a round step apart.
func decimalsOf(step float64) int {
	for d := range 12 {
		if scaled := step * pow10(d); math.Abs(scaled-math.Round(scaled)) < 1e-6*scaled {
			return d
		}
	}
	return 12
}

// countTicks are round whole numbers from one to another, so many at most: the iterations of an axis.
func countTicks(from, to, most int) []int {
	if to <= from || most < 1 {
		return []int{from}
	}
	for step := range stepsFrom(max(1, float64(to-from)/float64(most+1))) {
		g := grid{step: step}
		if step < 1 || step != math.Trunc(step) {
			continue
		}
		if first, last := g.between(float64(from), float64(to)); last-first+1 <= most {
			var out []int
			for k := first; k <= last; k++ {
				out = append(out, int(g.value(k)))
			}
			return out
		}
	}
	return nil
}

// timesTicks are 1, 2, 5, 10 and so on up to a number: those of a logarithmic axis.
func timesTicks(most float64) []float64 {
	g := grid{mantissas: []float64{1, 2, 5}, log: true}
	first, last := g.between(0, math.Log10(max(1, most)))
	var out []float64
	for k := first; k <= last; k++ {
		out = append(out, g.value(k))
	}
	return out
}
