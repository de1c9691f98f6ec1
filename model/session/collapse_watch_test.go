package session

import (
	"strings"
	"testing"
)

// What the watch says of losses, and when.
func TestLossWatch(t *testing.T) {
	row := func(parts ...any) (out []float64) { // n times v, n times v
		for i := 0; i < len(parts); i += 2 {
			for range parts[i].(int) {
				out = append(out, parts[i+1].(float64))
			}
		}
		return out
	}
	for _, c := range []struct {
		name   string
		losses []float64
		at     []int // of what is told
		what   string
	}{
		{"learns", row(20, 2.3, 500, 0.1), nil, ""},
		{"saturated after a while", row(100, 2.3, 300, 87.3365), []int{104}, "87.3365"},
		{"saturated from the beginning", row(300, 87.3365), []int{4}, "87.3365"},
		{"a spike", row(20, 2.3, 4, 87.3365, 50, 2.0), nil, ""},
		{"stuck far above", row(20, 2.3, 300, 46.0), []int{119}, "began at 2.3"},
		{"stuck far above, of many classes", row(20, 6.9, 300, 60.0), []int{119}, "began at 6.9"},
		{"a dip after a surgery comes back", row(20, 0.02, 90, 30.0, 200, 0.05), nil, ""},
		{"blows up in the beginning", row(3, 2.3, 300, 60.0), []int{118}, "began at 2.3"},
		{"falls to chance of a thousand classes", row(20, 0.5, 400, 6.9), nil, ""},
		{"a loss of another scale", row(20, 5000.0, 500, 9000.0), nil, ""},
		{"a fine-tuning that dips for long", row(20, 0.02, 400, 2.3), nil, ""},
		{
			"told once more after it came back",
			row(100, 2.3, 50, 87.3365, 30, 2.0, 50, 87.3365),
			[]int{104, 184},
			"87.3365",
		},
		{"not told again while it wavers", row(100, 2.3, 50, 87.3365, 5, 2.0, 50, 87.3365), []int{104}, "87.3365"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w lossMonitor
			var at []int
			for i, l := range c.losses {
				if s := w.add(l); s != "" {
					at = append(at, i)
					if !strings.Contains(s, c.what) {
						t.Errorf("it says %q, wanted %q in it", s, c.what)
					}
				}
			}
			if len(at) != len(c.at) || len(at) > 0 && at[0] != c.at[0] || len(at) > 1 && at[1] != c.at[1] {
				t.Errorf("told at %v, wanted %v", at, c.at)
			}
		})
	}
}
