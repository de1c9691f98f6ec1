package autopilot

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawSchedule(t *rapid.T) Schedule {
	s := Schedule{
		Shape:    rapid.SampledFrom(Shapes).Draw(t, "shape"),
		Begin:    rapid.IntRange(0, 1000).Draw(t, "begin"),
		Interval: rapid.IntRange(1, 300).Draw(t, "interval"),
		To:       float64(rapid.IntRange(1, 1e6).Draw(t, "to")),
		Cycles:   rapid.IntRange(1, 7).Draw(t, "cycles"),
		Anneal:   rapid.IntRange(0, 1000).Draw(t, "anneal"),
	}
	s.End = s.Begin + rapid.IntRange(0, 3000).Draw(t, "length")
	s.From = s.To * rapid.Float64Range(1, 1000).Draw(t, "times")
	return s
}

func TestScheduleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t)
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		if b := s.Budget(s.Begin); s.End > s.Begin && s.Shape != OneShotShape && math.Abs(b-s.From) > 1e-9*s.From {
			t.Errorf("begins at %g, wanted %g", b, s.From)
		}
		if b := s.Budget(s.End); b != s.To {
			t.Errorf("ends at %g, wanted exactly %g", b, s.To)
		}
		surgeries, last, rate := 0, s.Budget(s.Begin-3), 1.0
		for iter := s.Begin - 3; iter <= s.End+s.Anneal+3; iter++ {
			b := s.Budget(iter)
			if b > s.From*(1+1e-9) || b < s.To*(1-1e-9) {
				t.Fatalf("%g at %d", b, iter)
			}
			if s.Shape != CyclicShape && b > last*(1+1e-12) {
				t.Fatalf("rises from %g to %g at %d", last, b, iter)
			}
			r := s.RateFactor(iter)
			if r > rate || r < 0 || iter <= s.End && r != 1 {
				t.Fatalf("rate × %g at %d, after %g", r, iter, rate)
			}
			last, rate = b, r
			next := s.Next(iter)
			if s.Due(iter) {
				surgeries++
				if s.Phase(iter) != Descending || next != iter {
					t.Fatalf("surgery at %d, which is %s, next %d", iter, s.Phase(iter), next)
				}
			} else if next == iter || next >= 0 && !s.Due(next) || iter+1 < next && s.Next(iter+1) != next {
				t.Fatalf("next surgery after %d at %d", iter, next)
			}
		}
		if !s.Due(s.Begin) || !s.Due(s.End) || surgeries != (s.End-s.Begin+s.Interval-1)/s.Interval+1 {
			t.Errorf("%d surgeries from %d to %d every %d", surgeries, s.Begin, s.End, s.Interval)
		}
		if r := s.RateFactor(s.End + s.Anneal); s.Anneal > 0 && r != 0 {
			t.Errorf("rate × %g at the end of the anneal", r)
		}
	})
}

// What a pause delays has the same budgets, later; a change on the way goes on from what was reached.
func TestScheduleChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSchedule(t)
		pause := rapid.IntRange(0, 500).Draw(t, "pause")
		iter := s.Begin + rapid.IntRange(0, 3000).Draw(t, "iter")
		d := s.Delayed(pause)
		if s.Budget(iter) != d.Budget(iter+pause) || s.Due(iter) != d.Due(iter+pause) ||
			s.RateFactor(iter) != d.RateFactor(iter+pause) {
			t.Errorf("delayed by %d, %d is not as it was", pause, iter)
		}
		if s.Shape == OneShotShape || iter >= s.End {
			return
		}
		reached := s.Budget(iter)
		r := s.Retarget(iter, reached, s.To/2, s.End+100)
		if math.Abs(r.Budget(iter)-reached) > 1e-9*reached || r.Budget(s.End+100) != s.To/2 || !r.Due(iter) {
			t.Errorf(
				"from %g at %d to %g, it is %g, then %g",
				reached,
				iter,
				s.To/2,
				r.Budget(iter),
				r.Budget(s.End+100),
			)
		}
		slow := s.Slower(iter, reached, 2)
		if slow.End-iter != 2*(s.End-iter) || slow.To != s.To || slow.Anneal != s.Anneal {
			t.Errorf("%+v at half the pace from %d is %+v", s, iter, slow)
		}
	})
}

func TestShapes(t *testing.T) {
	s := Schedule{Begin: 0, End: 100, Interval: 10, From: 10000, To: 100, Cycles: 2, Anneal: 50}
	for _, c := range []struct {
		shape Shape
		iter  int
		want  float64
	}{
		{LogShape, 0, 10000},
		{LogShape, 50, 10000 * math.Pow(0.01, 0.75)}, // ln, three quarters of the way
		{CubicShape, 50, 100 + 9900./8},
		{LinearShape, 50, 5050},
		{LinearShape, 25, 7525},
		{OneShotShape, 0, 100},
		{OneShotShape, -1, 100},
		{CyclicShape, 0, 10000},
		{CyclicShape, 25, 10000 * math.Pow(0.1, 0.75)},  // of the first tooth, which leads to 1000
		{CyclicShape, 50, 10000 * math.Pow(0.01, 0.25)}, // half a tooth back from there
		{CyclicShape, 75, 10000 * math.Pow(0.01, 0.25+0.75*0.75)},
		{CyclicShape, 100, 100},
	} {
		s.Shape = c.shape
		if got := s.Budget(c.iter); math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("%s at %d: %g, wanted %g", c.shape, c.iter, got, c.want)
		}
	}
	if r := s.RateFactor(125); math.Abs(r-0.5) > 1e-12 {
		t.Errorf("rate × %g halfway through the anneal", r)
	}
	for iter, want := range map[int]Phase{-1: Waiting, 0: Descending, 100: Descending, 101: Annealing, 149: Annealing,
		150: Done} {
		if got := s.Phase(iter); got != want {
			t.Errorf("%d is %s, wanted %s", iter, got, want)
		}
	}
	if c := s.Curve(nil, 0, 100, 3); len(c) != 3 || c[0] != 10000 || c[2] != 100 {
		t.Errorf("curve %v", c)
	}
}

func TestScheduleValidate(t *testing.T) {
	good := Schedule{Begin: 10, End: 100, Interval: 10, From: 100, To: 10, Cycles: 1}
	for _, c := range []struct {
		change func(s *Schedule)
		want   string
	}{
		{func(s *Schedule) {}, ""},
		{func(s *Schedule) { s.End = 9 }, "ends no sooner"},
		{func(s *Schedule) { s.Interval = 0 }, "interval is 0"},
		{func(s *Schedule) { s.Anneal = -1 }, "anneal_iter is -1"},
		{func(s *Schedule) { s.To = 0 }, "to 0"},
		{func(s *Schedule) { s.From = math.NaN() }, "from NaN"},
		{func(s *Schedule) { s.Shape, s.Cycles = CyclicShape, 0 }, "cycles is 0"},
	} {
		s := good
		c.change(&s)
		err := s.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, wanted %q", s, err, c.want)
		}
	}
}
