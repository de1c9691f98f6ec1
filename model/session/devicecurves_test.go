package session

import (
	"fmt"
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
	c.cut(5)
	if n := len(c.utilization.Values) + len(c.memory.Values) + len(c.temperature.Values); n != 3 {
		t.Errorf("after going back the curves have %d points, wanted one each", n)
	}
}
