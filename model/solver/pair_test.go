package solver_test

import (
	"testing"

	"dns-tui/model/solver"
)

// The names of solverstates, taken apart.
func TestParseStateName(t *testing.T) {
	for _, c := range []struct {
		name, prefix string
		iter         int
		ok           bool
	}{
		{"run_iter_500.solverstate", "run", 500, true},
		{"run_iter_0.solverstate.h5", "run", 0, true},
		{"a_iter_3_guard_iter_20.solverstate", "a_iter_3_guard", 20, true},
		{"run_iter_500.caffemodel", "", 0, false},
		{"run_iter_.solverstate", "run", 0, false},
		{"run_iter_-5.solverstate", "run", -5, false},
		{"run_iter_5.solverstate.part", "", 0, false},
		{"_iter_5.solverstate", "", 0, false},
		{"run_5.solverstate", "", 0, false},
	} {
		prefix, iter, ok := solver.ParseStateName(c.name)
		if ok != c.ok || ok && (prefix != c.prefix || iter != c.iter) {
			t.Errorf("%s: %q, %d, %t", c.name, prefix, iter, ok)
		}
	}
}
