package tui

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// endless is an axis without bounds.
var endless = ends{math.Inf(-1), math.Inf(1)}

// labels are those of a scale, the lowest first.
func (s *scale) labels() string {
	var out []string
	for _, k := range s.ticks {
		out = append(out, k.label)
	}
	return strings.Join(out, " | ")
}

func TestTicks(t *testing.T) {
	positive := ends{0, math.Inf(1)}
	for _, c := range []struct {
		lo, hi float64
		within ends
		log    bool
		unit   unit
		rows   int
		want   string
	}{
		{0, 0.14, positive, false, plainUnit, 30, "0 | 0.025 | 0.050 | 0.075 | 0.100 | 0.125"},
		{0.0003, 2.31, positive, false, plainUnit, 30, "0 | 0.5 | 1.0 | 1.5 | 2.0"},
		{0, 1, positive, false, plainUnit, 30, "0 | 0.2 | 0.4 | 0.6 | 0.8 | 1.0"},
		{0, 1, positive, false, plainUnit, 5, "0 | 0.5 | 1.0"},
		{0, 1, positive, false, plainUnit, 2, "0 | 1"},
		{-0.01, 0.01, endless, false, plainUnit, 20, "-0.010 | -0.005 | 0 | 0.005 | 0.010"},
		{1e-5, 4e-5, positive, false, plainUnit, 20, "1e-5 | 2e-5 | 3e-5 | 4e-5"},
		{310, 315, positive, false, plainUnit, 20, "310 | 311 | 312 | 313 | 314 | 315"},
		{1e5, 1.3e5, positive, false, plainUnit, 20, "100k | 110k | 120k | 130k"},
		{2e8, 9e8, positive, false, plainUnit, 20, "200M | 400M | 600M | 800M"},
		{0.981, 0.991, ends{0, 1}, false, percentUnit, 20, "98.00 % | 98.25 % | 98.50 % | 98.75 % | 99.00 %"},
		{0, 1, ends{0, 1}, false, percentUnit, 20, "0 % | 20 % | 40 % | 60 % | 80 % | 100 %"},
		{0.9993, 1, ends{0, 1}, false, percentUnit, 20, "99.94 % | 99.96 % | 99.98 % | 100.00%"},
		{1 << 30, 4 << 30, positive, false, byteUnit, 20, "1 G | 2 G | 3 G | 4 G"},
		{100 << 20, 900 << 20, positive, false, byteUnit, 20, "200 M | 400 M | 600 M | 800 M"},

		{0.009, 1.2, endless, true, plainUnit, 20, "0.01 | 0.03 | 0.1 | 0.3 | 1"},
		{1e-6, 10, endless, true, plainUnit, 20, "1e-6 | 1e-4 | 0.01 | 1"},
		{0.01, 0.1, endless, true, plainUnit, 20, "0.01 | 0.02 | 0.05 | 0.1"},
		{0.02, 0.03, endless, true, plainUnit, 20, "0.020 | 0.022 | 0.024 | 0.026 | 0.028 | 0.030"},
		{0.003, 1, ends{0, 1}, true, percentUnit, 20, "0.3 % | 1 % | 3 % | 10 % | 30 % | 100 %"},
	} {
		s := newScale(c.lo, c.hi, c.within, c.log, c.unit, c.rows)
		if got := s.labels(); got != c.want {
			t.Errorf("from %g to %g, log %t, %d rows: %s; wanted %s", c.lo, c.hi, c.log, c.rows, got, c.want)
		}
	}
}

// Whatever the values, an axis has four to six round ticks as far as it has lines for them, in order and within it,
// whose labels have room and differ, and everything that is to be shown is on it.
func TestTicksOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := rapid.Bool().Draw(t, "log")
		u := unit(rapid.IntRange(0, 2).Draw(t, "unit"))
		rows := rapid.IntRange(2, 60).Draw(t, "rows")
		within := ends{0, math.Inf(1)}
		size := math.Pow(10, rapid.Float64Range(-7, 11).Draw(t, "size"))
		if u == percentUnit {
			within.most = 1
			size = math.Pow(10, rapid.Float64Range(-6, 0).Draw(t, "fraction"))
		}
		lo := size * rapid.Float64Range(1e-6, 0.999).Draw(t, "from")
		hi := size
		if !log && u == plainUnit && rapid.Bool().Draw(t, "below nought") {
			lo, within.least = -lo, math.Inf(-1)
		}
		s := newScale(lo, hi, within, log, u, rows)
		most := max(2, min(6, (rows+1)/2))
		if n := len(s.ticks); n > most || n < min(4, most-1) { // an axis from 0 to 100 % cannot be divided into three
			t.Fatalf("%d ticks in %d rows: %s", n, rows, s.labels())
		}
		seen := map[string]bool{}
		for i, k := range s.ticks {
			h := s.height(k)
			if h < -1e-6 || h > 1+1e-6 {
				t.Errorf("%q stands at %g", k.label, h)
			}
			if i > 0 && k.value <= s.ticks[i-1].value {
				t.Errorf("%g follows %g", k.value, s.ticks[i-1].value)
			}
			if n := len(k.label); n > labelRoom || seen[k.label] {
				t.Errorf("%s: %q takes %d cells, or stands there twice", s.labels(), k.label, n)
			}
			seen[k.label] = true
			round := roundSteps
			of := k.value
			if i > 0 && (!s.log || s.flat) { // the step is round
				of -= s.ticks[i-1].value
			} else if s.log && !s.flat {
				round = roundMantissas[0]
			} else {
				continue
			}
			mantissa := of / pow10(int(math.Floor(math.Log10(of)+1e-6)))
			if !slices.ContainsFunc(round, func(m float64) bool { return math.Abs(m-mantissa) < 1e-4 }) {
				t.Errorf("%g is not round: %s", of, s.labels())
			}
		}
		for _, v := range []float64{lo, hi} {
			if h := s.place(v); h < -1e-6 || h > 1+1e-6 {
				t.Errorf("%g is off the axis, at %g: %s", v, h, s.labels())
			}
		}
	})
}

func TestCountTicks(t *testing.T) {
	for _, c := range []struct {
		from, to, most int
		want           []int
	}{
		{0, 12248, 4, []int{0, 5000, 10000}},
		{0, 12248, 8, []int{0, 2000, 4000, 6000, 8000, 10000, 12000}},
		{3, 9, 4, []int{4, 6, 8}},
		{3, 5, 4, []int{3, 4, 5}},
		{0, 3, 1, []int{0}},
		{7, 7, 4, []int{7}},
		{0, 450000, 6, []int{0, 100000, 200000, 300000, 400000}},
	} {
		if got := countTicks(c.from, c.to, c.most); !slices.Equal(got, c.want) {
			t.Errorf("%d to %d, %d at most: %v, wanted %v", c.from, c.to, c.most, got, c.want)
		}
	}
}

func TestTimesTicks(t *testing.T) {
	if got := timesTicks(60); !slices.Equal(got, []float64{1, 2, 5, 10, 20, 50}) {
		t.Error(got)
	}
}

// Bounds of any size, also those that are no numbers, give an axis, in no time to speak of.
func TestScaleOfOddBounds(t *testing.T) {
	odd := []float64{0, 1e-320, 5e-324, 1e-300, -1e-310, 1e-150, 1, 1 + 1e-16, 1e300, math.MaxFloat64, -math.MaxFloat64,
		math.Inf(1), math.Inf(-1), math.NaN()}
	for _, lo := range odd {
		for _, hi := range odd {
			for _, log := range []bool{false, true} {
				for u := range byteUnit + 1 {
					s := newScale(lo, hi, ends{math.Inf(-1), math.Inf(1)}, log, u, 20)
					if !(s.hi > s.lo) || math.IsInf(s.hi-s.lo, 0) || len(s.ticks) > mostTicks {
						t.Errorf("%g to %g, log %t: from %g to %g, %d ticks", lo, hi, log, s.lo, s.hi, len(s.ticks))
					}
				}
			}
		}
	}
}
