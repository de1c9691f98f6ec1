package autopilot

import (
	"fmt"
	"math"
)

// Shape is how a descent leads from its first budget to its last.
type Shape uint8

// The shapes, in the order of AutopilotParameter.Shape. f goes from 0 to 1 between begin and end, B0 and B1 are the
// first budget and the last.
const (
	// LogShape: ln B(f) = ln B0 + (ln B1 - ln B0)·(1 - (1 - f)²). Each surgery takes a part of what is kept, a smaller
	// one the nearer the end.
	LogShape Shape = iota
	// CubicShape: B(f) = B1 + (B0 - B1)·(1 - f)³, which is sparsity s1 + (s0 - s1)·(1 - f)³ (Zhu and Gupta: To prune,
	// or not to prune, 2017, equation 1).
	CubicShape
	// LinearShape: B(f) = B0 + (B1 - B0)·f.
	LinearShape
	// OneShotShape: B1 from the first surgery on. Masks still change until the end.
	OneShotShape
	// CyclicShape: a descent in Cycles teeth. Tooth j of n leads as LogShape does to
	// B0·(B1/B0)^(j/n); all but the first begin half a tooth, by the logarithm, above where the one before ended, so
	// that weights come back. (Srinivas, Kuzmin, Nagel, van Baalen, Skliar, Blankevoort: Cyclical Pruning for Sparse
	// Neural Networks, CVPR Workshops 2022; there each cycle begins as the first.)
	CyclicShape
)

// Shapes lists the shapes.
var Shapes = []Shape{LogShape, CubicShape, LinearShape, OneShotShape, CyclicShape}

var shapeNames = []string{"log", "cubic", "linear", "one_shot", "cyclic"}

// String is the shape's name, as it is typed.
func (s Shape) String() string { return nameOf(shapeNames, int(s), "Shape") }

// Meaning says in a line what the shape does.
func (s Shape) Meaning() string {
	switch s {
	case LogShape:
		return "each surgery prunes a part of what is kept, a smaller one the nearer the end"
	case CubicShape:
		return "sparsity by the cube of what is left of the way (Zhu and Gupta)"
	case LinearShape:
		return "the same number at each surgery"
	case OneShotShape:
		return "all at the first surgery"
	case CyclicShape:
		return "down in saw-teeth, each of which lets weights come back"
	}
	return ""
}

// Schedule is the budget of each iteration: a descent, and the anneal that follows. Iterations are those of the run.
type Schedule struct {
	Shape      Shape
	Begin, End int // of the descent: its first surgery and its last
	Interval   int // between surgeries; the last comes at End in any case
	From, To   float64
	Cycles     int // of CyclicShape
	Anneal     int // iterations behind End in which the learning rate goes to 0
}

// Phase is where an iteration lies.
type Phase uint8

// The phases.
const (
	Waiting    Phase = iota // before Begin
	Descending              // up to the surgery at End
	Annealing               // behind it
	Done
)

var phaseNames = []string{"waiting", "descending", "annealing", "done"}

// String is the phase as people read it.
func (p Phase) String() string { return nameOf(phaseNames, int(p), "Phase") }

// Validate reports what is out of range.
func (s Schedule) Validate() error {
	switch {
	case s.Begin < 0 || s.End < s.Begin:
		return fmt.Errorf(
			"a descent from iteration %d to %d; wanted one that ends no sooner than it begins",
			s.Begin,
			s.End,
		)
	case s.Interval < 1:
		return fmt.Errorf("interval is %d; wanted at least 1 iteration", s.Interval)
	case s.Anneal < 0:
		return fmt.Errorf("anneal_iter is %d; wanted at least 0", s.Anneal)
	case !(s.From > 0) || !(s.To > 0) || math.IsInf(s.From, 0) || math.IsInf(s.To, 0):
		return fmt.Errorf("a descent from %g to %g; wanted numbers above 0", s.From, s.To)
	case s.Shape == CyclicShape && s.Cycles < 1:
		return fmt.Errorf("cycles is %d; wanted at least 1", s.Cycles)
	}
	return nil
}

// Phase says where an iteration lies. The surgery at End is the descent's last.
func (s Schedule) Phase(iter int) Phase {
	switch {
	case iter < s.Begin:
		return Waiting
	case iter <= s.End:
		return Descending
	case iter < s.End+s.Anneal:
		return Annealing
	}
	return Done
}

// Progress is how much of the descent lies behind an iteration, 0 to 1.
func (s Schedule) Progress(iter int) float64 {
	if iter >= s.End {
		return 1
	}
	return max(0, float64(iter-s.Begin)/float64(s.End-s.Begin))
}

// Due reports whether surgery comes before an iteration.
func (s Schedule) Due(iter int) bool {
	return iter >= s.Begin && iter <= s.End && ((iter-s.Begin)%s.Interval == 0 || iter == s.End)
}

// Next is the first iteration from iter on with surgery; -1 where none comes.
func (s Schedule) Next(iter int) int {
	switch {
	case iter > s.End:
		return -1
	case iter <= s.Begin:
		return s.Begin
	}
	n := (iter - s.Begin + s.Interval - 1) / s.Interval
	return min(s.Begin+n*s.Interval, s.End)
}

// Budget is what the net may cost after a surgery in an iteration: From at Begin and before it, exactly To at End and
// behind it.
func (s Schedule) Budget(iter int) float64 {
	f := s.Progress(iter)
	if f == 1 || s.Shape == OneShotShape {
		return s.To
	}
	switch s.Shape {
	case CubicShape:
		left := 1 - f
		return s.To + (s.From-s.To)*(left*left*left)
	case LinearShape:
		return s.From + (s.To-s.From)*f
	case CyclicShape:
		n := float64(s.Cycles)
		tooth := min(math.Floor(f*n), n-1)
		from := max(0, tooth-0.5)
		return s.between((from + (tooth+1-from)*eased(f*n-tooth)) / n)
	}
	return s.between(eased(f))
}

// between is the budget a part of the way by the logarithm.
func (s Schedule) between(part float64) float64 { return s.From * math.Pow(s.To/s.From, part) }

// eased is 1 - (1 - f)²: fast at first, then slow.
func eased(f float64) float64 { return 1 - (1-f)*(1-f) }

// RateFactor multiplies the learning rate in an iteration: 1 up to End, then (1 + cos(pi·f))/2 with f the part of the
// anneal that lies behind, and 0 from its end on. Without an anneal it is 1.
func (s Schedule) RateFactor(iter int) float64 {
	switch {
	case iter <= s.End || s.Anneal == 0:
		return 1
	case iter >= s.End+s.Anneal:
		return 0
	}
	return (1 + math.Cos(math.Pi*float64(iter-s.End)/float64(s.Anneal))) / 2
}

// Delayed is the schedule after a pause of so many iterations, which it has had none of.
func (s Schedule) Delayed(iters int) Schedule {
	s.Begin += iters
	s.End += iters
	return s
}

// Retarget leads from what was reached in an iteration to another budget, or to the same by another end. One that lies
// above lets weights come back.
func (s Schedule) Retarget(iter int, reached, to float64, end int) Schedule {
	s.Begin, s.End, s.From, s.To = iter, max(iter, end), reached, to
	return s
}

// Slower is the schedule from an iteration on at a pace that is so many times slower, from what was reached.
func (s Schedule) Slower(iter int, reached, times float64) Schedule {
	left := float64(max(s.End-iter, 0)) * times
	return s.Retarget(iter, reached, s.To, iter+int(math.Ceil(left)))
}

// Curve writes the budgets of n iterations, evenly spaced from the first to the last, into dst.
func (s Schedule) Curve(dst []float64, first, last, n int) []float64 {
	dst = dst[:0]
	for i := range n {
		iter := first
		if n > 1 {
			iter += int(math.Round(float64(last-first) * float64(i) / float64(n-1)))
		}
		dst = append(dst, s.Budget(iter))
	}
	return dst
}
