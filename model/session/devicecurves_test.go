package session

import (
	"fmt"
	"strings"
	"testing"

	"dns-tui/gpu"
)

// The health of a device is a curve where it is known, and none where it is not; a run that goes back goes back in it.
func TestDeviceCurves(t *testing.T) {
	var c curves
	c.ran(1, 10, gpu.Health{})
	if len(c.speed.Values) != 1 || len(c.utilization.Values)+len(c.memory.Values)+len(c.temperature.Values) != 0 {
		t.Error("what is not known has a curve")
	}
	c.ran(2, 0, gpu.Health{Known: true, Utilization: 50, Memory: 3 << 30, Temperature: 61})
	c.ran(9, 0, gpu.Health{Known: true, Utilization: 75, Memory: 4 << 30, Temperature: 62})
	got := fmt.Sprint(c.utilization.Iters, c.utilization.Values, c.memory.Values, c.temperature.Values)
	if want := "[2 9] [0.5 0.75] [3.221225472e+09 4.294967296e+09] [61 62]"; got != want {
		t.Errorf("%s, wanted %s", got, want)
	}
	// A run that is resumed has them from its journal.
	past := &Course{}
	for i, iter := range c.utilization.Iters {
		past.Changes = append(past.Changes, Change{Iter: iter, Measure: &Measure{
			Device: &Device{c.utilization.Values[i], c.memory.Values[i], c.temperature.Values[i]},
		}})
	}
	line, err := past.Changes[1].line()
	if want := `"device":{"use":0.75,"memory":4294967296,"temperature":62}`; err != nil ||
		!strings.Contains(string(line), want) {
		t.Errorf("the journal has %s, %v; wanted %s", line, err, want)
	}
	s := miniSolver(t)
	s.Iter = 5
	again := newCurves(s)
	again.load(past, s, nil)
	if now := fmt.Sprint(again.utilization.Iters, again.utilization.Values, again.memory.Values,
		again.temperature.Values); now != "[2] [0.5] [3.221225472e+09] [61]" {
		t.Errorf("resumed at 5: %s", now)
	}
	c.cut(5)
	if n := len(c.utilization.Values) + len(c.memory.Values) + len(c.temperature.Values); n != 3 {
		t.Errorf("after going back the curves have %d points, wanted one each", n)
	}
}
